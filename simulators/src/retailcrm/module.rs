//! `integration-modules/{code}`: registering the telephony module and reading it back. Called by the entry.

use serde_json::{Value, json};

use super::answer::{Answer, BLANK, CHOICE, Faults, INVALID, Refuse};
use super::book::{Book, Module};
use super::entry::Asked;
use crate::clock::now_ms;

/// An id that may come as a number or as a string of digits.
pub(crate) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

pub(crate) fn get(book: &Book, code: &str) -> Answer {
    let module = book
        .modules
        .get(code)
        .ok_or_else(|| Refuse::new(404, "Not found"))?;
    let mut body = module.body.clone();
    if let Value::Object(members) = &mut body {
        // The real one does not give the module's secret back.
        members.remove("clientId");
        members.entry("freeze").or_insert(json!(false));
        members.entry("native").or_insert(json!(false));
    }
    Ok((200, json!({"success": true, "integrationModule": body})))
}

pub(crate) fn edit(book: &mut Book, code: &str, asked: &Asked<'_>) -> Answer {
    let text = asked.json_field("integrationModule")?;
    let Ok(Value::Object(given)) = serde_json::from_str(text) else {
        return Err(Refuse::new(400, "Errors in the entity format"));
    };
    let at = now_ms();
    // Nothing is carried over from the module as it was: what an edit leaves out is blank.
    let mut body = Value::Object(given);
    check(&body, code)?;
    let active = body.get("active").and_then(Value::as_bool).unwrap_or(true);
    if let Value::Object(members) = &mut body {
        members.insert("active".into(), json!(active));
    }
    let telephony = body
        .pointer("/integrations/telephony")
        .cloned()
        .unwrap_or(Value::Null);
    let unknown_users: Vec<i64> = list(&telephony, "additionalCodes")
        .filter_map(|pair| number(pair.get("userId")?))
        .filter(|id| !book.users.contains_key(id))
        .collect();
    let unknown_sites: Vec<&str> = list(&telephony, "externalPhones")
        .filter_map(|pair| pair.get("siteCode")?.as_str())
        .filter(|site| !book.sites.contains(*site))
        .collect();
    let mut info = json!({});
    if !unknown_users.is_empty() {
        info["notExistUsersIds"] = json!(unknown_users);
    }
    if !unknown_sites.is_empty() {
        info["notExistSiteCodes"] = json!(unknown_sites);
    }
    if info.as_object().is_some_and(serde_json::Map::is_empty) && asked.settings.info_as_array {
        info = json!([]);
    }
    let before = book.modules.get(code);
    let status = if before.is_some() { 200 } else { 201 };
    let created = before.map_or(at, |module| module.created);
    let edits = before.map_or(0, |module| module.edits) + 1;
    let module = Module {
        code: code.into(),
        active,
        body,
        created,
        edited: at,
        edits,
    };
    book.modules.insert(code.into(), module);
    book.gather_codes();
    Ok((status, json!({"success": true, "info": info})))
}

fn list<'a>(object: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    object
        .get(member)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn check(body: &Value, code: &str) -> Result<(), Refuse> {
    let mut faults = Faults::default();
    let text = |name: &str| {
        body.get(name)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    match text("code") {
        None => faults.add("code", BLANK),
        Some(given) if given != code => faults.add("code", INVALID),
        Some(given) => {
            if text("integrationCode").is_some_and(|beginning| !given.starts_with(beginning)) {
                faults.add("code", "Code prefix must match integrationCode");
            }
        }
    }
    for name in ["name", "clientId", "baseUrl", "logo"] {
        if text(name).is_none() {
            faults.add(name, BLANK);
        }
    }
    for name in ["baseUrl", "accountUrl", "logo"] {
        if text(name).is_some_and(|url| !is_url(url)) {
            faults.add(name, "This value is not a valid URL.");
        }
    }
    let is_svg = |url: &str| {
        url.split(['?', '#'])
            .next()
            .is_some_and(|path| path.to_ascii_lowercase().ends_with(".svg"))
    };
    if text("logo").is_some_and(|url| !is_svg(url)) {
        faults.add("logo", "Logo image must be svg");
    }
    if body
        .get("active")
        .is_some_and(|active| !active.is_boolean())
    {
        faults.add("active", INVALID);
    }
    match body.get("actions") {
        None | Some(Value::Null) => {}
        Some(Value::Object(actions)) => {
            if actions.keys().any(|action| action != "activity") {
                faults.add("actions", CHOICE);
            }
        }
        Some(Value::Array(actions)) if actions.is_empty() => {}
        Some(_) => faults.add("actions", INVALID),
    }
    match body.pointer("/integrations/telephony") {
        Some(telephony @ Value::Object(_)) => check_telephony(telephony, &mut faults),
        // Telephony settings at the root or under `configuration` are not picked up by the real one either.
        Some(Value::Null) | None => {}
        Some(_) => faults.add("integrations.telephony", INVALID),
    }
    faults.finish()
}

fn check_telephony(telephony: &Value, faults: &mut Faults) {
    let field = |name: &str| format!("integrations.telephony.{name}");
    for name in ["makeCallUrl", "changeUserStatusUrl"] {
        match telephony.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(url)) if is_url(url) => {}
            Some(_) => faults.add(field(name), "This value is not a valid URL."),
        }
    }
    for name in [
        "allowEdit",
        "inputEventSupported",
        "outputEventSupported",
        "hangupEventSupported",
    ] {
        if telephony.get(name).is_some_and(|value| !value.is_boolean()) {
            faults.add(field(name), INVALID);
        }
    }
    for (name, id, text) in [
        ("additionalCodes", "userId", "code"),
        ("externalPhones", "siteCode", "externalPhone"),
    ] {
        match telephony.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::Array(pairs)) => {
                let valid = |pair: &Value| {
                    let id_valid = if id == "userId" {
                        pair.get(id).and_then(number).is_some()
                    } else {
                        pair.get(id).is_some_and(Value::is_string)
                    };
                    id_valid
                        && pair
                            .get(text)
                            .and_then(Value::as_str)
                            .is_some_and(|text| !text.is_empty())
                };
                if !pairs.iter().all(valid) {
                    faults.add(field(name), INVALID);
                }
            }
            Some(_) => faults.add(field(name), INVALID),
        }
    }
}

fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !text.contains(char::is_whitespace)
    })
}
