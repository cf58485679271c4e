//! The account, its users, contacts and companies. Called by the entry.

use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::calls::{list_of, missing, tail};
use super::state::{Book, Entity, Settings, entity};

const PAGE: usize = 250;

pub(crate) fn account(settings: &Settings) -> Answer {
    Ok((
        200,
        json!({"id": 30_123_456, "name": "ACME", "subdomain": "acme", "country": "RU", "currency": "RUB",
            "current_user_id": 7_654_321, "is_unsorted_on": settings.is_unsorted_on}),
    ))
}

pub(crate) fn users(book: &Book, settings: &Settings, query: &[(String, String)]) -> Answer {
    if !settings.is_admin {
        return Err(Refuse::problem(403, "Forbidden", "Доступ запрещен"));
    }
    let all: Vec<Value> = book
        .users
        .iter()
        .map(|(id, name, active)| {
            json!({"id": id, "name": name, "email": format!("u{id}@example.org"), "lang": "ru",
                "rights": {"is_admin": false, "is_active": active}})
        })
        .collect();
    page("users", all, query)
}

/// Contacts or companies in whom the digits stand anywhere.
pub(crate) fn search(book: &Book, list: &'static str, query: &[(String, String)]) -> Answer {
    let wanted = value(query, "query").unwrap_or_default();
    let all = book
        .entities
        .iter()
        .filter(|one| one.list == list && stands_in(one, wanted))
        .map(shown)
        .collect();
    page(list, all, query)
}

fn stands_in(one: &Entity, wanted: &str) -> bool {
    let digits = |text: &String| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    one.name.contains(wanted)
        || one.remark.contains(wanted)
        || one
            .phones
            .iter()
            .map(digits)
            .any(|phone| phone.contains(wanted))
}

fn shown(one: &Entity) -> Value {
    let mut fields = Vec::new();
    if !one.remark.is_empty() {
        fields.push(
            json!({"field_id": 111_009, "field_code": null, "values": [{"value": one.remark}]}),
        );
    }
    if !one.phones.is_empty() {
        let values: Vec<Value> = one
            .phones
            .iter()
            .map(|phone| json!({"value": phone, "enum_code": "WORK"}))
            .collect();
        fields.push(json!({"field_id": 111_001, "field_code": "PHONE", "values": values}));
    }
    let leads: Vec<Value> = one.leads.iter().map(|id| json!({"id": id})).collect();
    json!({"id": one.id, "name": one.name, "responsible_user_id": one.responsible, "is_deleted": false,
        "is_unsorted": false,
        "custom_fields_values": if fields.is_empty() { Value::Null } else { json!(fields) },
        "_embedded": {"tags": [], "leads": leads}})
}

pub(crate) fn add_contacts(book: &mut Book, body: &Value) -> Answer {
    let mut added = Vec::new();
    for item in list_of(body)? {
        let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() {
            return Err(missing(item, "name"));
        }
        let phone = item
            .pointer("/custom_fields_values/0/values/0/value")
            .and_then(Value::as_str);
        let id = book.id();
        let mut one = entity("contacts", id, name, phone.unwrap_or_default(), Vec::new());
        one.responsible = item
            .get("responsible_user_id")
            .and_then(Value::as_i64)
            .unwrap_or(7_654_321);
        book.entities.push(one);
        added.push(json!({"id": id, "request_id": item.get("request_id")}));
    }
    Ok((200, json!({"_embedded": {"contacts": added}})))
}

/// The entity a call with this number goes to.
pub(crate) fn owner(book: &Book, phone: &str) -> Option<(&'static str, i64)> {
    let wanted = tail(phone);
    let has = |one: &&Entity| one.phones.iter().any(|phone| tail(phone) == wanted);
    let of = |list: &str| {
        book.entities
            .iter()
            .filter(|one| one.list == list)
            .find(has)
    };
    match (of("contacts"), of("companies")) {
        (Some(one), _) if one.leads.len() == 1 => Some(("lead", one.leads[0])),
        (Some(one), _) => Some(("contact", one.id)),
        (None, Some(one)) => Some(("company", one.id)),
        (None, None) => None,
    }
}

/// One page of a list; 204 when there is nothing on it.
pub(crate) fn page(list: &str, all: Vec<Value>, query: &[(String, String)]) -> Answer {
    let number = |name: &str| value(query, name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(50);
    if limit == 0 || limit > PAGE {
        return Err(Refuse::invalid(
            &Value::Null,
            "InvalidRange",
            "limit",
            "This value should be between 1 and 250.",
        ));
    }
    let page = number("page").unwrap_or(1).max(1);
    let pages = all.len().div_ceil(limit);
    let shown: Vec<Value> = all
        .into_iter()
        .skip((page - 1) * limit)
        .take(limit)
        .collect();
    if shown.is_empty() {
        return Ok((204, Value::Null));
    }
    let mut body = json!({"_page": page, "_page_count": pages, "_links": {}});
    body["_embedded"] = json!({list: shown});
    if page < pages {
        body["_links"]["next"] = json!({"href": format!("?page={}&limit={limit}", page + 1)});
    }
    Ok((200, body))
}

pub(crate) fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
