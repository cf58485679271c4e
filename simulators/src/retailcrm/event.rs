//! `POST telephony/call/event`: the pop-up. Called by the entry; it never touches the history.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::{Answer, BLANK, CHOICE, Faults, INVALID, Refuse};
use super::book::{Book, Card, Event};
use super::entry::Asked;
use super::module::number;
use crate::clock::now_ms;

/// Reasons with which a card closes; `no answered` is spelt so here and `no answer` in uploads.
const HANGUP: [&str; 5] = ["answered", "busy", "cancel", "failed", "no answered"];

struct Told {
    kind: &'static str,
    phone: String,
    codes: Vec<String>,
    user_ids: Vec<i64>,
    call: Option<String>,
    external_phone: Option<String>,
    hangup: Option<String>,
}

pub(crate) fn accept(book: &mut Book, asked: &Asked<'_>) -> Answer {
    let text = asked.json_field("event")?;
    let raw: Box<RawValue> =
        serde_json::from_str(text).map_err(|_| Refuse::new(400, "Errors in the entity format"))?;
    let told = check(&serde_json::from_str(raw.get()).unwrap_or(Value::Null))?;
    if !book.telephony_on() {
        return Err(Refuse::new(
            asked.settings.telephony_off_status,
            "Telephony not enabled",
        ));
    }
    let at = now_ms();
    book.events.push(Arc::new(Event {
        at,
        kind: told.kind,
        call: told.call.clone(),
        body: raw,
    }));
    let strangers: Vec<&String> = told
        .codes
        .iter()
        .filter(|code| !book.codes.contains_key(*code))
        .collect();
    let missing: Vec<&i64> = told
        .user_ids
        .iter()
        .filter(|id| !book.users.contains_key(id))
        .collect();
    let mut answer = json!({"success": true});
    if !strangers.is_empty() {
        answer["notExistCodes"] = json!(strangers);
    }
    if !missing.is_empty() {
        answer["notExistUsers"] = json!(missing);
    }
    if told.kind == "hangup" {
        close(book, &told, at)
    } else {
        open(book, &told, at)
    }
    Ok((200, answer))
}

fn check(event: &Value) -> Result<Told, Refuse> {
    let Value::Object(members) = event else {
        return Err(Refuse::new(400, "Errors in the entity format"));
    };
    let mut faults = Faults::default();
    let mut text = |name: &str| match members.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            faults.add(name, INVALID);
            None
        }
    };
    let (phone, kind) = (text("phone"), text("type"));
    let (call, external_phone) = (text("callExternalId"), text("externalPhone"));
    let (hangup, _site) = (text("hangupStatus"), text("site"));
    let mut codes = Vec::new();
    let mut user_ids = Vec::new();
    match members.get("codes") {
        None | Some(Value::Null) => {}
        Some(Value::Array(given)) => {
            for code in given {
                match code {
                    Value::String(code) => codes.push(code.clone()),
                    _ => faults.add("codes", INVALID),
                }
            }
        }
        Some(_) => faults.add("codes", INVALID),
    }
    match members.get("userIds") {
        None | Some(Value::Null) => {}
        Some(Value::Array(given)) => {
            for id in given {
                match number(id) {
                    Some(id) => user_ids.push(id),
                    None => faults.add("userIds", INVALID),
                }
            }
        }
        Some(_) => faults.add("userIds", INVALID),
    }
    let phone = phone.unwrap_or_default();
    if phone.trim().is_empty() {
        faults.add("phone", BLANK);
    }
    let kind = match kind.as_deref() {
        Some("in") => "in",
        Some("out") => "out",
        Some("hangup") => "hangup",
        None => {
            faults.add("type", BLANK);
            ""
        }
        Some(_) => {
            faults.add("type", CHOICE);
            ""
        }
    };
    match hangup.as_deref() {
        Some(status) if !HANGUP.contains(&status) => faults.add("hangupStatus", CHOICE),
        None if kind == "hangup" => faults.add("hangupStatus", BLANK),
        _ => {}
    }
    faults.finish()?;
    Ok(Told {
        kind,
        phone,
        codes,
        user_ids,
        call,
        external_phone,
        hangup,
    })
}

fn open(book: &mut Book, told: &Told, at: i64) {
    let mut seers: Vec<(Option<String>, Option<i64>)> = Vec::new();
    for code in &told.codes {
        if let Some(user) = book.codes.get(code) {
            seers.push((Some(code.clone()), Some(*user)));
        }
    }
    for id in &told.user_ids {
        if book.users.contains_key(id) && !seers.iter().any(|(_, user)| *user == Some(*id)) {
            let code = book
                .codes
                .iter()
                .find(|(_, user)| *user == id)
                .map(|(code, _)| code.clone());
            seers.push((code, Some(*id)));
        }
    }
    let slot = slot(told);
    let client = book
        .customer_by_phone(&told.phone)
        .map(super::account::Customer::full_name);
    let mut numbers = book.open.remove(&slot).unwrap_or_default();
    for (code, user_id) in seers {
        let known = numbers.iter().copied().find(|number| {
            let card = book.cards.get_mut(*number);
            card.is_some_and(|card| card.user_id == user_id && card.code == code)
        });
        if let Some(card) = known.and_then(|number| book.cards.get_mut(number)) {
            card.repeats += 1;
            continue;
        }
        let card = Card {
            call: told.call.clone(),
            kind: told.kind,
            phone: told.phone.clone(),
            client: client.clone(),
            external_phone: told.external_phone.clone(),
            code,
            user_id,
            opened: at,
            closed: None,
            hangup: None,
            repeats: 0,
        };
        let (number, gone) = book.cards.push(card);
        numbers.push(number);
        if let Some(gone) = gone.filter(|card| card.closed.is_none()) {
            forget(book, &gone, number);
        }
    }
    if !numbers.is_empty() {
        book.open.insert(slot, numbers);
    }
}

/// A card fell out of the list while it was open: its number leads nowhere any more.
fn forget(book: &mut Book, gone: &Card, newest: u64) {
    let slot = gone.call.clone().unwrap_or_else(|| gone.phone.clone());
    let oldest = newest + 1 - book.cards.iter().len() as u64;
    if let Some(numbers) = book.open.get_mut(&slot) {
        numbers.retain(|number| *number >= oldest);
        if numbers.is_empty() {
            book.open.remove(&slot);
        }
    }
}

/// Closes the call's cards: those of the people named, or all when nobody is.
fn close(book: &mut Book, told: &Told, at: i64) {
    let slot = slot(told);
    let all = told.codes.is_empty() && told.user_ids.is_empty();
    let mut left = book.open.remove(&slot).unwrap_or_default();
    left.retain(|number| {
        let Some(card) = book.cards.get_mut(*number) else {
            return false;
        };
        let named = card
            .code
            .as_ref()
            .is_some_and(|code| told.codes.contains(code))
            || card.user_id.is_some_and(|id| told.user_ids.contains(&id));
        if all || named {
            card.closed = Some(at);
            card.hangup.clone_from(&told.hangup);
        }
        !(all || named)
    });
    if !left.is_empty() {
        book.open.insert(slot, left);
    }
}

fn slot(told: &Told) -> String {
    told.call.clone().unwrap_or_else(|| told.phone.clone())
}
