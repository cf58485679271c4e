//! `POST telephony/calls/upload`: the history. Called by the entry; a batch with one invalid call is refused whole.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::{Answer, BLANK, CHOICE, Faults, INVALID, Refuse};
use super::book::{Book, Call};
use super::entry::Asked;
use super::module::number;
use crate::clock::now_ms;

/// The most calls one request may carry.
const MOST: usize = 50;
/// `no answer` is spelt so here and `no answered` in events; `missed` exists in neither.
const RESULTS: [&str; 6] = [
    "answered",
    "busy",
    "failed",
    "no answer",
    "not allowed",
    "unknown",
];

pub(crate) fn accept(book: &mut Book, asked: &Asked<'_>) -> Answer {
    let text = asked.json_field("calls")?;
    let format = || Refuse::new(400, "Errors in the entity format");
    let Ok(Value::Array(given)) = serde_json::from_str(text) else {
        return Err(format());
    };
    if given.len() > MOST {
        let errors = Some(json!([format!(
            "This collection should contain {MOST} elements or less."
        )]));
        return Err(Refuse { errors, ..format() });
    }
    let mut faults = Faults::default();
    let mut calls = Vec::with_capacity(given.len());
    for (index, call) in given.iter().enumerate() {
        match call {
            Value::Object(members) => calls.push(check(members, index, &mut faults)),
            _ => faults.add(format!("[{index}]"), INVALID),
        }
    }
    faults.finish()?;
    if !book.telephony_on() {
        let status = asked.settings.telephony_off_status;
        return Err(Refuse::new(
            status,
            "Telephony not enabled or not supports calls upload",
        ));
    }
    let at = now_ms();
    let mut processed = 0;
    let mut duplicates = Vec::new();
    for mut call in calls {
        if !book.first_upload(&call.external_id) {
            duplicates.push(call.external_id);
            continue;
        }
        call.at = at;
        call.client = book
            .customer_by_phone(&call.phone)
            .map(super::account::Customer::full_name);
        call.user_id = call
            .user_id
            .or_else(|| book.codes.get(call.code.as_ref()?).copied());
        book.calls.push(Arc::new(call));
        processed += 1;
    }
    let mut answer = json!({"success": true, "processedCallsCount": processed});
    if !duplicates.is_empty() {
        answer["duplicateCalls"] = json!(duplicates);
    }
    Ok((200, answer))
}

fn check(members: &Map<String, Value>, index: usize, faults: &mut Faults) -> Call {
    let field = |name: &str| format!("[{index}].{name}");
    let mut text = |name: &str, required: bool| match members.get(name) {
        Some(Value::String(text)) if !(required && text.trim().is_empty()) => Some(text.clone()),
        None | Some(Value::Null | Value::String(_)) => {
            if required {
                faults.add(field(name), BLANK);
            }
            None
        }
        Some(_) => {
            faults.add(field(name), INVALID);
            None
        }
    };
    let date = text("date", true).unwrap_or_default();
    let kind = text("type", true).unwrap_or_default();
    let phone = text("phone", true).unwrap_or_default();
    let result = text("result", true).unwrap_or_default();
    let external_id = text("externalId", true).unwrap_or_default();
    let (code, record_url) = (text("code", false), text("recordUrl", false));
    let (external_phone, _site, _label) = (
        text("externalPhone", false),
        text("site", false),
        text("clientId", false),
    );
    let mut whole = |name: &str| match members.get(name) {
        None | Some(Value::Null) => None,
        Some(value) => {
            let found = number(value).filter(|number| *number >= 0);
            if found.is_none() {
                faults.add(field(name), INVALID);
            }
            found
        }
    };
    let (user_id, duration, duration_waiting) =
        (whole("userId"), whole("duration"), whole("durationWaiting"));
    if !date.is_empty() && !date_is_valid(&date) {
        faults.add(field("date"), "This value is not a valid datetime.");
    }
    if !kind.is_empty() && !["in", "out"].contains(&kind.as_str()) {
        faults.add(field("type"), CHOICE);
    }
    if !result.is_empty() && !RESULTS.contains(&result.as_str()) {
        faults.add(field("result"), CHOICE);
    }
    if record_url
        .as_ref()
        .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
    {
        faults.add(field("recordUrl"), "This value is not a valid URL.");
    }
    Call {
        at: 0,
        date,
        kind,
        phone,
        result,
        external_id,
        code,
        user_id,
        duration,
        duration_waiting,
        record_url,
        external_phone,
        client: None,
    }
}

/// `Y-m-d H:i:s` with every digit in its place, and a date that exists.
fn date_is_valid(date: &str) -> bool {
    date.len() == 19 && chrono::NaiveDateTime::parse_from_str(date, "%Y-%m-%d %H:%M:%S").is_ok()
}
