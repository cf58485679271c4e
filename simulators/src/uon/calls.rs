//! Pop-ups and the history of calls. Called by the entry. It never looks whether it has a call already: the real one has
//! no field by which it could.

use chrono::NaiveDateTime;
use serde_json::{Value, json};

use super::answer::{Answer, Refuse, created};
use super::markup;
use super::people::{known_manager, only, owner};
use super::state::{Book, CallRow, Notification, Settings};
use crate::clock::now_ms;
use crate::form::Fields;

const PAGE: usize = 100;

const OF_CALL: [&str; 8] = [
    "phone",
    "start",
    "direction",
    "duration",
    "record_link",
    "manager_id",
    "office_id",
    "note",
];

pub(crate) fn add(book: &mut Book, fields: &Fields) -> Answer {
    only(fields, &OF_CALL)?;
    let phone = fields.get("phone").unwrap_or_default();
    if phone.is_empty() || !phone.chars().all(|c| c.is_ascii_digit()) {
        return Err(Refuse::parameter("phone"));
    }
    let start = fields.get("start").unwrap_or_default();
    if start.len() != 19 || NaiveDateTime::parse_from_str(start, "%Y-%m-%d %H:%M:%S").is_err() {
        return Err(Refuse::parameter("start"));
    }
    let number = |name: &str| match fields.get(name).map(str::parse::<i64>) {
        None => Ok(None),
        Some(Ok(number)) if number >= 0 => Ok(Some(number)),
        Some(_) => Err(Refuse::parameter(name)),
    };
    let direction = number("direction")?;
    if direction.is_some_and(|direction| !(1..=2).contains(&direction)) {
        return Err(Refuse::parameter("direction"));
    }
    let link = fields.get("record_link").unwrap_or_default();
    if !link.is_empty() && !link.starts_with("http://") && !link.starts_with("https://") {
        return Err(Refuse::parameter("record_link"));
    }
    let manager = match fields.get("manager_id") {
        Some(id) => Some(known_manager(book, "manager_id", id)?),
        None => None,
    };
    let duration = number("duration")?.unwrap_or(0);
    let client = owner(book, phone).map(|one| one.u_id);
    let id = book.id();
    book.calls.push(CallRow {
        at: now_ms(),
        id,
        phone: phone.to_owned(),
        start: start.to_owned(),
        direction: direction.unwrap_or(2),
        duration,
        record_link: link.to_owned(),
        manager,
        client,
        note: fields.get("note").unwrap_or_default().to_owned(),
    });
    created(id)
}

/// A page of the history, of everybody or of one client. The names of its members are not documented; what is written as
/// `note` is read as `notes` elsewhere in this API.
pub(crate) fn list(book: &Book, settings: &Settings, client: Option<i64>, page: i64) -> Answer {
    let mut all: Vec<Value> = book
        .calls
        .iter()
        .filter(|row| client.is_none() || row.client == client)
        .map(|row| {
            let mut shown = json!({"id": row.id, "phone": row.phone, "start": row.start, "direction": row.direction,
                "duration": row.duration, "record_link": row.record_link, "manager_id": row.manager,
                "client_id": row.client});
            if settings.history_has_notes {
                shown["notes"] = json!(row.note);
            }
            shown
        })
        .collect();
    if settings.newest_first {
        all.reverse();
    }
    let pages = all.len().div_ceil(PAGE);
    let page = usize::try_from(page)
        .map_err(|_| Refuse::no_route())?
        .max(1);
    let shown: Vec<Value> = all.into_iter().skip((page - 1) * PAGE).take(PAGE).collect();
    if shown.is_empty() {
        return Err(Refuse::nothing());
    }
    Ok(json!({"call_history": shown, "pages_all": pages, "result": 200}))
}

/// A pop-up for one manager.
pub(crate) fn notify(book: &mut Book, fields: &Fields) -> Answer {
    only(fields, &["text", "manager_id"])?;
    let text = fields.get("text").unwrap_or_default();
    if text.trim().is_empty() || markup::read(text).is_none() {
        return Err(Refuse::parameter("text"));
    }
    let id = fields.get("manager_id").unwrap_or_default();
    let manager = known_manager(book, "manager_id", id)?;
    let id = book.id();
    book.notifications.push(Notification {
        at: now_ms(),
        id,
        manager,
        text: text.to_owned(),
    });
    Ok(json!({"result": 200}))
}
