//! Questions of ours and what Bitrix24 answers: are we let in and may we do what we do, who calls, whose client it is, who
//! works there. Called by `mod.rs`. Pure.

use serde_json::{Value, json};

use super::map::Facts;
use super::settings::{Settings, Way};
use super::talk::{Talk, command};
use crate::integration::connector::{Answer, Customer, Failed, Manager};
use crate::integration::halt::Halt;
use crate::integration::request::is_address;

/// Users on one page; the portal gives no more.
const PAGE: usize = 50;
/// Pages asked for in one batch: their answers stay well within what we read of one.
const PAGES: usize = 20;
/// Users at most.
const MOST: usize = 5_000;

/// What we need to be let to do; the last is one of three.
const SCOPES: [&str; 2] = ["telephony", "crm"];
/// Clicks on numbers, and visitors who want to be called back.
const EVENTS: [&str; 2] = ["ONEXTERNALCALLSTART", "ONEXTERNALCALLBACKSTART"];

/// Are we let in, and to what? Reading the external lines is what a webhook may be refused together with registering
/// calls, so it is known before the first call. An application binds the events of clicks to our address.
pub fn test(settings: &Settings, facts: &Facts, talk: &mut Talk<'_>) -> Result<Answer, Halt> {
    let application = matches!(settings.way, Way::Application { .. });
    let mut commands = vec![
        ("me", "profile".to_owned()),
        ("rights", "scope".to_owned()),
        ("lines", "telephony.externalLine.get".to_owned()),
    ];
    if application {
        commands.push(("events", "event.get".to_owned()));
    }
    let given = talk.batch(&commands)?;
    let me = given.get("me")?;
    let rights = given.get("rights")?;
    let has = |name: &str| {
        let list = rights.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).any(|one| one == name)
    };
    let mut missing: Vec<&str> = SCOPES.into_iter().filter(|name| !has(name)).collect();
    if !has("user") && !has("user_basic") {
        missing.push("user");
    }
    if !missing.is_empty() {
        let words = format!(
            "we are let in, but not to {}: add these rights",
            missing.join(", ")
        );
        return Err(Halt::Failed(Failed::Settings { words }));
    }
    given.get("lines")?;
    let name = [text(&me, "NAME"), text(&me, "LAST_NAME")].join(" ");
    let mut words = format!("we are let in, as {}", name.trim());
    if let (true, Some(address)) = (application, &facts.address) {
        let bound = given.get("events").unwrap_or_default();
        let is_bound = |event: &str| {
            let list = bound.as_array().into_iter().flatten();
            let mut ours = list.filter(|one| is_address(&text(one, "handler"), address));
            ours.any(|one| text(one, "event").eq_ignore_ascii_case(event))
        };
        let commands: Vec<(&str, String)> = EVENTS
            .into_iter()
            .filter(|event| !is_bound(event))
            .map(|event| {
                let params = [("event", event.to_owned()), ("handler", address.clone())];
                (event, command("event.bind", &params))
            })
            .collect();
        let failed = match commands.is_empty() {
            true => None,
            false => {
                let given = talk.batch(&commands)?;
                let mut events = commands.iter();
                events.find_map(|(event, _)| given.get(event).err())
            }
        };
        words.push_str(&match failed {
            Some(failed) => format!("; clicks are not told to us: {failed}"),
            None => "; clicks on numbers come to us".to_owned(),
        });
    }
    Ok(Answer::Works(remarked(talk, words)))
}

/// Who calls from this number, by name.
pub fn customer(phone: &str, talk: &mut Talk<'_>) -> Result<Answer, Halt> {
    let found = search(phone, talk)?;
    let named = found.iter().find(|one| !text(one, "NAME").is_empty());
    Ok(Answer::Customer(named.map(|one| {
        let kind = text(one, "CRM_ENTITY_TYPE").to_lowercase();
        let id = one.get("CRM_ENTITY_ID").and_then(number);
        Customer {
            name: text(one, "NAME"),
            link: match id {
                Some(id) if !kind.is_empty() => talk.link(&format!("/crm/{kind}/details/{id}/")),
                _ => String::new(),
            },
        }
    })))
}

/// Whose client it is; with the extension that the CRM knows of that user.
pub fn responsible(phone: &str, talk: &mut Talk<'_>) -> Result<Answer, Halt> {
    let found = search(phone, talk)?;
    let manager = found.iter().find_map(|one| {
        let whose = one.get("ASSIGNED_BY");
        let id = whose.and_then(|whose| number(whose.get("ID")?));
        let id = id.or_else(|| number(one.get("ASSIGNED_BY_ID")?))?;
        let inner = whose.map(|whose| text(whose, "USER_PHONE_INNER"));
        Some(Manager {
            id: id.to_string(),
            name: String::new(),
            extension: inner.filter(|inner| !inner.is_empty()),
        })
    });
    Ok(Answer::Responsible(manager))
}

/// Page after page of those who work there: the first alone tells how many there are, the others come in batches.
pub fn managers(talk: &mut Talk<'_>) -> Result<Answer, Halt> {
    let (first, total) = talk.list(
        "user.get",
        &json!({"FILTER": {"ACTIVE": true, "USER_TYPE": "employee"},
        "select": ["ID", "NAME", "LAST_NAME", "UF_PHONE_INNER"], "start": 0}),
    )?;
    let mut all = people(&first);
    let starts: Vec<usize> = (PAGE..total.min(MOST)).step_by(PAGE).collect();
    for starts in starts.chunks(PAGES) {
        let keys: Vec<String> = starts.iter().map(|start| format!("p{start}")).collect();
        let page = |start: &usize| {
            let mut params = vec![
                ("FILTER[ACTIVE]", "true".to_owned()),
                ("FILTER[USER_TYPE]", "employee".into()),
            ];
            let wanted = ["ID", "NAME", "LAST_NAME", "UF_PHONE_INNER"];
            params.extend(wanted.map(|name| ("select[]", name.to_owned())));
            params.push(("start", start.to_string()));
            command("user.get", &params)
        };
        let commands: Vec<(&str, String)> = keys
            .iter()
            .zip(starts)
            .map(|(key, start)| (key.as_str(), page(start)))
            .collect();
        let given = talk.batch(&commands)?;
        for key in &keys {
            all.extend(people(&given.get(key)?));
        }
    }
    Ok(Answer::Managers(all))
}

fn people(page: &Value) -> Vec<Manager> {
    let list = page.as_array().into_iter().flatten();
    list.filter_map(|one| {
        let name = [text(one, "NAME"), text(one, "LAST_NAME")].join(" ");
        // Absent, null or empty: nobody has entered one.
        let inner = text(one, "UF_PHONE_INNER");
        Some(Manager {
            id: number(one.get("ID")?)?.to_string(),
            name: name.trim().to_owned(),
            extension: (!inner.is_empty()).then_some(inner),
        })
    })
    .collect()
}

/// Contacts, leads and companies with this number, in the CRM's own order.
fn search(phone: &str, talk: &mut Talk<'_>) -> Result<Vec<Value>, Halt> {
    let told = json!({ "PHONE_NUMBER": phone });
    let found = talk.call("telephony.externalCall.searchCrmEntities", &told)?;
    Ok(found.as_array().cloned().unwrap_or_default())
}

fn remarked(talk: &Talk<'_>, words: String) -> String {
    match talk.remark() {
        Some(remark) => format!("{words}; {remark}"),
        None => words,
    }
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str).unwrap_or_default();
    text.trim().to_owned()
}

/// A number or a text that is one.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
