//! Calls, the notes they become, unsorted leads and pop-ups. Called by the entry. It never looks whether it has a call
//! already: the real one does not.

use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::people::{owner, page};
use super::state::{Book, Note, Popup, Settings, Unsorted};
use crate::clock::now_ms;

const MEMBERS: [&str; 14] = [
    "direction",
    "duration",
    "source",
    "phone",
    "uniq",
    "link",
    "call_result",
    "call_status",
    "responsible_user_id",
    "call_responsible",
    "created_by",
    "created_at",
    "updated_at",
    "request_id",
];

pub(crate) fn list_of(body: &Value) -> Result<&Vec<Value>, Refuse> {
    body.as_array().ok_or_else(|| {
        Refuse::invalid(
            &Value::Null,
            "InvalidType",
            "",
            "This value should be of type array.",
        )
    })
}

pub(crate) fn missing(item: &Value, path: &str) -> Refuse {
    refuse(item, "FieldMissing", path, "This field is missing.")
}

fn refuse(item: &Value, code: &str, path: &str, detail: &str) -> Refuse {
    let id = item.get("request_id").cloned().unwrap_or_default();
    Refuse::invalid(&id, code, path, detail)
}

/// What is compared of a number: its last ten digits, whatever stands before them.
pub(crate) fn tail(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(10)..].iter().collect()
}

/// `POST /api/v4/calls`
pub(crate) fn add(book: &mut Book, body: &Value) -> Answer {
    let items = list_of(body)?;
    for item in items {
        check_call(item)?;
    }
    let (mut added, mut errors) = (Vec::new(), Vec::new());
    for item in items {
        let request_id = item.get("request_id").cloned().unwrap_or_default();
        let phone = item
            .get("phone")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Some((entity_type, entity_id)) = owner(book, phone) else {
            errors.push(json!({"title": "Entity not found", "request_id": request_id}));
            continue;
        };
        let id = book.id();
        book.notes.push(Note {
            at: now_ms(),
            id,
            entity_type,
            entity_id,
            call: item.clone(),
        });
        added.push(
            json!({"id": id, "entity_id": entity_id, "entity_type": entity_type,
            "account_id": 30_123_456, "request_id": request_id}),
        );
    }
    let status = if added.is_empty() { 400 } else { 200 };
    Ok((
        status,
        json!({"_total_items": added.len(), "errors": errors, "_embedded": {"calls": added}}),
    ))
}

fn check_call(item: &Value) -> Result<(), Refuse> {
    for name in ["direction", "duration", "source", "phone"] {
        match item.get(name) {
            None => return Err(missing(item, name)),
            Some(Value::Null) => {
                return Err(refuse(
                    item,
                    "NotNullable",
                    name,
                    "This value should not be null.",
                ));
            }
            Some(Value::String(text)) if text.trim().is_empty() => {
                return Err(refuse(
                    item,
                    "NotBlank",
                    name,
                    "This value should not be blank.",
                ));
            }
            Some(_) => {}
        }
    }
    let unexpected = item
        .as_object()
        .and_then(|map| map.keys().find(|key| !MEMBERS.contains(&key.as_str())));
    if let Some(name) = unexpected {
        return Err(refuse(
            item,
            "FieldNotExpected",
            name,
            "This field was not expected.",
        ));
    }
    let direction = item.get("direction").and_then(Value::as_str);
    let choice = |path| {
        refuse(
            item,
            "NotSupportedChoice",
            path,
            "The value you selected is not a valid choice.",
        )
    };
    if !matches!(direction, Some("inbound" | "outbound")) {
        return Err(choice("direction"));
    }
    match item.get("call_status") {
        None | Some(Value::Null) => {}
        Some(status) if status.as_i64().is_some_and(|it| (1..=7).contains(&it)) => {}
        Some(_) => return Err(choice("call_status")),
    }
    if item
        .get("duration")
        .and_then(Value::as_i64)
        .is_none_or(|it| it < 0)
    {
        return Err(refuse(
            item,
            "InvalidType",
            "duration",
            "This value should be of type int.",
        ));
    }
    Ok(())
}

/// `GET /api/v4/{contacts|companies|leads}/notes`
pub(crate) fn notes(book: &Book, entity_type: &str, query: &[(String, String)]) -> Answer {
    let given = |name: &str| -> Vec<&str> {
        let named = query.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).collect()
    };
    let (ids, types) = (given("filter[entity_id][]"), given("filter[note_type][]"));
    let kind = |note: &Note| match note.call.get("direction").and_then(Value::as_str) {
        Some("outbound") => "call_out",
        _ => "call_in",
    };
    let all = book
        .notes
        .iter()
        .rev()
        .filter(|note| note.entity_type == entity_type)
        .filter(|note| ids.is_empty() || ids.contains(&note.entity_id.to_string().as_str()))
        .filter(|note| types.is_empty() || types.contains(&kind(note)))
        .map(|note| {
            let params: serde_json::Map<String, Value> = ["uniq", "duration", "source", "link", "phone"]
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), note.call.get(*name)?.clone())))
                .collect();
            json!({"id": note.id, "entity_id": note.entity_id, "note_type": kind(note), "params": params})
        })
        .collect();
    page("notes", all, query)
}

/// `POST /api/v4/leads/unsorted/sip`
pub(crate) fn add_unsorted(book: &mut Book, settings: &Settings, body: &Value) -> Answer {
    if !settings.is_unsorted_on {
        return Err(Refuse::problem(
            400,
            "Bad Request",
            "Unsorted is switched off",
        ));
    }
    let mut added = Vec::new();
    for item in list_of(body)? {
        for name in ["source_uid", "source_name", "metadata"] {
            if item.get(name).is_none_or(Value::is_null) {
                return Err(missing(item, name));
            }
        }
        for name in ["phone", "called_at", "duration", "service_code"] {
            let path = format!("metadata.{name}");
            if item
                .pointer(&format!("/metadata/{name}"))
                .is_none_or(Value::is_null)
            {
                return Err(missing(item, &path));
            }
        }
        let uniq = item.pointer("/metadata/uniq");
        let again = |one: &Unsorted| one.item.pointer("/metadata/uniq") == uniq;
        if uniq.is_some() && book.unsorted.iter().any(again) {
            return Err(Refuse::problem(
                400,
                "Bad Request",
                "Unsorted already exists",
            ));
        }
        let uid = format!("0c5d7f2e{:012x}", book.id());
        book.unsorted.push(Unsorted {
            at: now_ms(),
            uid: uid.clone(),
            item: item.clone(),
        });
        added.push(
            json!({"uid": uid, "account_id": 30_123_456, "request_id": item.get("request_id")}),
        );
    }
    Ok((
        200,
        json!({"_total_items": added.len(), "_embedded": {"unsorted": added}}),
    ))
}

/// `GET /api/v4/leads/unsorted`
pub(crate) fn unsorted(book: &Book, query: &[(String, String)]) -> Answer {
    let all = book
        .unsorted
        .iter()
        .rev()
        .map(|one| json!({"uid": one.uid, "category": "sip", "metadata": one.item.get("metadata")}))
        .collect();
    page("unsorted", all, query)
}

/// `POST /api/v2/events`
pub(crate) fn show(book: &mut Book, body: &Value) -> Answer {
    let Some(items) = body.get("add").and_then(Value::as_array) else {
        return Err(missing(body, "add"));
    };
    for item in items {
        let phone = item.get("phone_number").and_then(Value::as_str);
        if item.get("type").and_then(Value::as_str) != Some("phone_call") {
            return Err(missing(item, "type"));
        }
        let Some(phone) = phone.filter(|phone| !phone.is_empty()) else {
            return Err(missing(item, "phone_number"));
        };
        let users = item.get("users").and_then(Value::as_array);
        let users: Vec<i64> = users
            .into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect();
        let known = |id: &i64| book.users.iter().any(|(user, _, _)| user == id);
        if !users.iter().all(known) {
            return Err(refuse(item, "NotSupportedChoice", "users", "No such user."));
        }
        let phone = phone.to_owned();
        book.popups.push(Popup {
            at: now_ms(),
            phone,
            users,
        });
    }
    Ok((202, json!({"_embedded": {"items": []}})))
}
