//! Employees and clients. Called by `methods.rs`.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Given, Refuse};
use super::calls::tail;
use super::params::{int, text};
use super::state::{Entity, State, User};

const PAGE: usize = 50;

pub(crate) fn users(state: &State, told: &Value) -> Answer {
    let book = state.book();
    let filter = told.get("FILTER").or_else(|| told.get("filter"));
    let wanted = |name: &str| filter.and_then(|filter| filter.get(name));
    let active = wanted("ACTIVE")
        .map(|it| matches!(it, Value::Bool(true)) || *it == "true" || *it == "1" || *it == "Y");
    let inner = wanted("UF_PHONE_INNER").map(|it| it.as_str().unwrap_or_default().to_owned());
    let all: Vec<&User> = book
        .users
        .iter()
        .filter(|one| active.is_none_or(|active| one.active == active))
        .filter(|one| {
            let own = one.inner.clone().flatten();
            inner
                .as_ref()
                .is_none_or(|inner| own.as_ref() == Some(inner))
        })
        .collect();
    let start = usize::try_from(int(told, "start").unwrap_or(0).max(0)).unwrap_or(0);
    // Without the right scope inner numbers are not told.
    let brief = state
        .settings
        .scopes
        .iter()
        .any(|scope| scope == "user_brief")
        && !state
            .settings
            .scopes
            .iter()
            .any(|scope| scope == "user" || scope == "user_basic");
    let page: Vec<Value> = all
        .iter()
        .skip(start)
        .take(PAGE)
        .map(|one| shown(one, brief))
        .collect();
    let end = start + page.len();
    Ok(Given {
        result: json!(page),
        total: Some(all.len()),
        next: (end < all.len()).then_some(end),
    })
}

fn shown(one: &User, brief: bool) -> Value {
    let mut user = Map::new();
    let text = |text: &str| Value::String(text.into());
    user.insert("ID".into(), text(&one.id.to_string()));
    user.insert("ACTIVE".into(), one.active.into());
    user.insert("NAME".into(), text(one.name));
    user.insert("LAST_NAME".into(), text(&one.last_name));
    user.insert("EMAIL".into(), text(&format!("u{}@example.org", one.id)));
    user.insert("USER_TYPE".into(), text("employee"));
    user.insert("TIMESTAMP_X".into(), json!({}));
    if let (Some(inner), false) = (&one.inner, brief) {
        user.insert("UF_PHONE_INNER".into(), json!(inner));
    }
    user.into()
}

pub(crate) fn search(state: &State, told: &Value) -> Answer {
    let phone = text(told, "PHONE_NUMBER");
    if phone.is_empty() {
        return Err(Refuse::core("PHONE_NUMBER is empty"));
    }
    let book = state.book();
    let mut found = Vec::new();
    for kind in ["CONTACT", "LEAD", "COMPANY"] {
        let of_kind = |one: &&Entity| one.kind == kind && tail(&one.phone) == tail(&phone);
        for one in book.entities.iter().filter(of_kind) {
            let inner = book
                .user(one.responsible)
                .and_then(|user| user.inner.clone().flatten());
            found.push(
                json!({"CRM_ENTITY_TYPE": one.kind, "CRM_ENTITY_ID": one.id, "ASSIGNED_BY_ID": one.responsible,
                "NAME": one.name, "ASSIGNED_BY": {"ID": one.responsible.to_string(), "TIMEMAN_STATUS": "OPENED",
                "USER_PHONE_INNER": inner, "WORK_PHONE": null, "PERSONAL_PHONE": null, "PERSONAL_MOBILE": null}}),
            );
        }
    }
    Ok(json!(found).into())
}

pub(crate) fn duplicates(state: &State, told: &Value) -> Answer {
    match text(told, "type").as_str() {
        "PHONE" => {}
        "" => {
            return Err(Refuse::new(
                400,
                "Communication type is not defined",
                "Parameter 'type' is required.",
            ));
        }
        other => {
            let code = format!("Communication type '{other}' is not supported in current context");
            return Err(Refuse::new(400, &code, ""));
        }
    }
    let values: Vec<String> = match told.get("values") {
        Some(Value::Array(list)) => list.iter().filter_map(|it| it.as_str().map(tail)).collect(),
        _ => Vec::new(),
    };
    if values.is_empty() {
        return Err(Refuse::new(
            400,
            "Communication values is not defined",
            "Parameter 'values' is required.",
        ));
    }
    let only = text(told, "entity_type");
    let book = state.book();
    let mut found: Map<String, Value> = Map::new();
    for one in &book.entities {
        let wanted = (only.is_empty() || only == one.kind) && values.contains(&tail(&one.phone));
        if let (true, Some(list)) = (
            wanted,
            found
                .entry(one.kind)
                .or_insert_with(|| json!([]))
                .as_array_mut(),
        ) {
            list.push(one.id.into());
        }
    }
    found.retain(|_, list| list.as_array().is_some_and(|list| !list.is_empty()));
    let result = if found.is_empty() {
        json!([])
    } else {
        found.into()
    };
    Ok(result.into())
}

pub(crate) fn get(state: &State, kind: &str, told: &Value) -> Answer {
    let id = int(told, "id").ok_or_else(|| Refuse::core("ID is not defined or invalid"))?;
    let book = state.book();
    let mut all = book.entities.iter();
    let one = all
        .find(|one| one.kind == kind && one.id == id)
        .ok_or_else(|| Refuse::core("Not found"))?;
    let mut shown = json!({"ID": one.id.to_string(), "NAME": one.name, "SECOND_NAME": null, "LAST_NAME": "",
        "ASSIGNED_BY_ID": one.responsible.to_string(), "COMPANY_ID": null,
        "HAS_PHONE": if one.phone.is_empty() { "N" } else { "Y" }});
    if !one.phone.is_empty() {
        shown["PHONE"] =
            json!([{"ID": "156", "VALUE_TYPE": "WORK", "VALUE": one.phone, "TYPE_ID": "PHONE"}]);
    }
    Ok(shown.into())
}
