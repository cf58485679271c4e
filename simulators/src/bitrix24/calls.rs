//! The life of a call: register, show and hide, finish; and external lines. Called by `methods.rs`.

use chrono::DateTime;
use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::params::{int, ints, text};
use super::state::{Book, Card, Finished, Live, State, entity};
use crate::clock::now_ms;

/// For how long a repeated register gives the same call.
const REPEAT_MS: i64 = 30 * 60 * 1_000;

const STATUSES: &[&str] = &[
    "200", "304", "603", "603-S", "403", "404", "486", "484", "503", "480", "402", "423", "OTHER",
];

pub(crate) fn register(state: &State, by: &str, told: &Value) -> Answer {
    let mut book = state.book();
    let user = who(&book, told)?;
    let kind = int(told, "TYPE").filter(|kind| (1..=5).contains(kind));
    let kind = kind.ok_or_else(|| Refuse::core("Unknown TYPE"))?;
    let start_date = text(told, "CALL_START_DATE");
    // Without a zone it is no moment.
    if !start_date.is_empty() && DateTime::parse_from_rfc3339(&start_date).is_err() {
        return Err(Refuse::core(
            "CALL_START_DATE should be in the ISO-8601 format",
        ));
    }
    let phone = digits(&text(told, "PHONE_NUMBER"));
    if phone.is_empty() {
        return Err(Refuse::core("Unsupported phone number format"));
    }
    let line: String = text(told, "LINE_NUMBER").chars().take(50).collect();
    let external_id = text(told, "EXTERNAL_CALL_ID");
    let show = int(told, "SHOW").unwrap_or(1) != 0;
    let now = now_ms();
    let same = book.live.values().find(|one| {
        one.user == user
            && one.phone == phone
            && one.kind == kind
            && one.line == line
            && one.external_id == external_id
            && one.by == by
            && now - one.at < REPEAT_MS
    });
    if let Some(same) = same.map(|one| one.call_id.clone()) {
        if show {
            turn(&mut book, &same, &[user], true);
        }
        return Ok(registered(&book, &same).into());
    }
    if !line.is_empty() && !book.lines.contains(&line) {
        book.lines.push(line.clone());
    }
    let found = find(&book, &phone);
    let internal = book
        .users
        .iter()
        .any(|one| one.inner.as_ref().and_then(Option::as_deref) == Some(phone.as_str()));
    let wants = int(told, "CRM_CREATE") == Some(1) && !internal;
    let created = (found.is_none() && wants).then(|| {
        let id = book.id();
        let title = format!("+{phone} - Входящий звонок");
        book.entities.push(entity("LEAD", id, &title, &phone, user));
        id
    });
    let call_id = format!(
        "externalCall.{:032x}.{}",
        u128::from(rand(&mut book)),
        now / 1_000
    );
    let live = Live {
        call_id: call_id.clone(),
        at: now,
        user,
        phone,
        kind,
        line,
        external_id,
        start_date,
        shown: Default::default(),
        entity: created.map(|id| ("LEAD", id)).or(found),
        created_lead: created,
        add_to_chat: int(told, "ADD_TO_CHAT").unwrap_or(1) != 0,
        by: by.into(),
    };
    book.live.insert(call_id.clone(), live);
    if show {
        turn(&mut book, &call_id, &[user], true);
    }
    Ok(registered(&book, &call_id).into())
}

/// Unlike any other, and never the same twice.
fn rand(book: &mut Book) -> u64 {
    let number = u64::try_from(book.id()).unwrap_or_default();
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn registered(book: &Book, call_id: &str) -> Value {
    let Some(call) = book.live.get(call_id) else {
        return Value::Null;
    };
    let created: Vec<Value> = call
        .created_lead
        .iter()
        .map(|id| json!({"ENTITY_TYPE": "LEAD", "ENTITY_ID": id}))
        .collect();
    json!({"CALL_ID": call_id, "CRM_CREATED_LEAD": call.created_lead, "CRM_CREATED_ENTITIES": created,
        "CRM_ENTITY_TYPE": call.entity.map_or("", |it| it.0), "CRM_ENTITY_ID": call.entity.map(|it| it.1)})
}

/// The user of a call: by id, else by inner number.
fn who(book: &Book, told: &Value) -> Result<i64, Refuse> {
    let id = int(told, "USER_ID").filter(|id| *id != 0);
    let inner = text(told, "USER_PHONE_INNER");
    let found = match id {
        Some(id) => book.user(id),
        None if inner.is_empty() => {
            return Err(Refuse::core("USER_ID or USER_PHONE_INNER should be set"));
        }
        None => book.users.iter().find(|one| {
            one.active && one.inner.as_ref().and_then(Option::as_deref) == Some(inner.as_str())
        }),
    };
    found
        .map(|user| user.id)
        .ok_or_else(|| Refuse::core("User is not found or is not active"))
}

pub(crate) fn show(state: &State, told: &Value, open: bool) -> Answer {
    let call_id = text(told, "CALL_ID");
    if call_id.is_empty() {
        return Err(Refuse::core("CALL_ID is not set"));
    }
    let mut book = state.book();
    let Some(registered) = book.live.get(&call_id).map(|call| call.user) else {
        return Ok(json!(false).into());
    };
    let mut users = ints(told, "USER_ID");
    if users.is_empty() {
        users.push(registered);
    }
    turn(&mut book, &call_id, &users, open);
    Ok(json!(true).into())
}

/// Opens or closes cards; what is so already leaves no line.
fn turn(book: &mut Book, call_id: &str, users: &[i64], open: bool) {
    let at = now_ms();
    let Some(call) = book.live.get_mut(call_id) else {
        return;
    };
    for user in users {
        let changed = match open {
            true => call.shown.insert(*user),
            false => call.shown.remove(user),
        };
        if changed {
            book.cards.push(Card {
                at,
                call_id: call_id.into(),
                external_id: call.external_id.clone(),
                phone: call.phone.clone(),
                user: *user,
                open,
            });
        }
    }
}

pub(crate) fn finish(state: &State, told: &Value) -> Answer {
    if told.get("CALL_ID").is_some_and(|id| !id.is_string()) {
        return Err(Refuse::new(
            400,
            "INVALID_ARGUMENT",
            "CALL_ID must be a string",
        ));
    }
    let mut book = state.book();
    let user = who(&book, told)?;
    let call_id = text(told, "CALL_ID");
    if !book.live.contains_key(&call_id) {
        // The real text has no bracket at its end.
        return Err(Refuse::core(
            "Call is not found (call should be registered prior to finishing",
        ));
    }
    let duration = int(told, "DURATION").unwrap_or(0);
    let status = match text(told, "STATUS_CODE") {
        none if none.is_empty() => if duration > 0 { "200" } else { "304" }.to_owned(),
        told if STATUSES.contains(&told.as_str()) => told,
        told => return Err(Refuse::core(format!("Unknown STATUS_CODE {told}"))),
    };
    turn(&mut book, &call_id, &[user], false);
    let Some(call) = book.live.remove(&call_id) else {
        return Err(Refuse::core("Unexpected database error"));
    };
    let activity = call.entity.map(|_| book.id());
    let id = book.finished.last().map_or(71, |one| one.id + 1);
    let row = Finished {
        id,
        at: now_ms(),
        user,
        duration,
        status,
        activity,
        record: None,
        attached: 0,
        call,
    };
    let call = &row.call;
    let result = json!({"CALL_ID": call.call_id, "EXTERNAL_CALL_ID": call.external_id, "PORTAL_USER_ID": user,
        "PHONE_NUMBER": call.phone, "PORTAL_NUMBER": call.line, "INCOMING": call.kind.to_string(),
        "CALL_DURATION": duration, "CALL_START_DATE": {}, "CALL_STATUS": i32::from(duration > 0), "CALL_VOTE": null,
        "COST": 0, "COST_CURRENCY": "", "CALL_FAILED_CODE": row.status, "CALL_FAILED_REASON": "", "REST_APP_ID": "3",
        "REST_APP_NAME": "PBX", "CRM_ACTIVITY_ID": activity, "COMMENT": null,
        "CRM_ENTITY_TYPE": call.entity.map_or("", |it| it.0), "CRM_ENTITY_ID": call.entity.map(|it| it.1), "ID": id});
    book.finished.push(row);
    Ok(result.into())
}

pub(crate) fn add_line(state: &State, told: &Value) -> Answer {
    let mut book = state.book();
    let number = text(told, "NUMBER");
    if number.is_empty() {
        return Err(Refuse::core("NUMBER should not be empty"));
    }
    if book.lines.contains(&number) {
        return Err(Refuse::core("Line already exists"));
    }
    book.lines.push(number);
    Ok(json!({"ID": book.lines.len()}).into())
}

pub(crate) fn lines(state: &State) -> Answer {
    let book = state.book();
    let line = |number| json!({"NUMBER": number, "NAME": "", "CRM_AUTO_CREATE": "Y"});
    let lines: Vec<Value> = book.lines.iter().map(line).collect();
    Ok(json!(lines).into())
}

/// Whose number it is: a contact's, a lead's, a company's.
pub(crate) fn find(book: &Book, phone: &str) -> Option<(&'static str, i64)> {
    let wanted = tail(phone);
    ["CONTACT", "LEAD", "COMPANY"].iter().find_map(|kind| {
        let mut all = book.entities.iter();
        let one = all.find(|one| one.kind == *kind && tail(&one.phone) == wanted)?;
        Some((one.kind, one.id))
    })
}

pub(crate) fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// What numbers are compared by: their last ten digits.
pub(crate) fn tail(phone: &str) -> String {
    let digits = digits(phone);
    digits[digits.len().saturating_sub(10)..].to_owned()
}
