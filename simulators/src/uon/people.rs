//! Clients, leads and managers. Called by the entry. Numbers are compared digit by digit, in all three fields of a
//! client; somebody made a moment ago may not be found yet, as with the real one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::{Answer, Refuse, created};
use super::state::{Book, Client, Lead, Manager, Settings};
use crate::clock::now_ms;
use crate::form::Fields;

/// Fields of `user/create` that a telephony may have reason to write.
const OF_CLIENT: [&str; 10] = [
    "u_surname",
    "u_name",
    "u_sname",
    "u_phone",
    "u_phone_mobile",
    "u_phone_home",
    "u_email",
    "u_manager_id",
    "u_office_id",
    "u_note",
];

/// The same for `lead/create`.
const OF_LEAD: [&str; 9] = [
    "r_u_id",
    "r_cl_id",
    "source",
    "note",
    "u_surname",
    "u_name",
    "u_phone",
    "u_phone_mobile",
    "u_phone_home",
];

pub(crate) fn by_phone(book: &Book, settings: &Settings, phone: &str, now: Instant) -> Answer {
    let nobody = || match settings.empty_is_404 {
        true => Err(Refuse::nothing()),
        false => Ok(json!({"users": [], "result": 200})),
    };
    // With a plus it finds nobody, however it is written.
    if phone.is_empty() || !phone.chars().all(|c| c.is_ascii_digit()) {
        return nobody();
    }
    let delay = Duration::from_millis(settings.index_delay_ms);
    let found: Vec<Value> = book
        .clients
        .iter()
        .filter(|one| one.phones.iter().any(|given| digits(given) == phone))
        .filter(|one| one.made.is_none_or(|made| now >= made + delay))
        .map(shown)
        .collect();
    if found.is_empty() {
        return nobody();
    }
    Ok(json!({"users": found, "result": 200}))
}

pub(crate) fn one(book: &Book, id: i64) -> Answer {
    let found = book.clients.iter().find(|one| one.u_id == id);
    let found = found.map(shown).ok_or_else(Refuse::nothing)?;
    Ok(json!({"user": [found], "result": 200}))
}

pub(crate) fn managers(book: &Book) -> Answer {
    let all: Vec<Value> = book.managers.iter().map(shown_manager).collect();
    Ok(json!({"users": all, "result": 200}))
}

pub(crate) fn add_client(book: &mut Book, fields: &Fields, now: Instant) -> Answer {
    only(fields, &OF_CLIENT)?;
    let id = client_of(book, fields, now)?;
    created(id)
}

/// A lead of a client who is not known makes the client too.
pub(crate) fn add_lead(book: &mut Book, fields: &Fields, now: Instant) -> Answer {
    only(fields, &OF_LEAD)?;
    let manager = fields
        .get("r_u_id")
        .map(|id| known_manager(book, "r_u_id", id));
    let manager = manager.transpose()?.unwrap_or(0);
    let client = match fields.get("r_cl_id") {
        Some(id) => {
            let id = id.parse().map_err(|_| Refuse::parameter("r_cl_id"))?;
            let known = book.clients.iter().any(|one| one.u_id == id);
            known
                .then_some(id)
                .ok_or_else(|| Refuse::parameter("r_cl_id"))?
        }
        None => client_of(book, fields, now)?,
    };
    let id = book.id();
    book.leads.push(Lead {
        at: now_ms(),
        id,
        client,
        manager,
        source: fields.get("source").unwrap_or_default().to_owned(),
        note: fields.get("note").unwrap_or_default().to_owned(),
    });
    created(id)
}

fn client_of(book: &mut Book, fields: &Fields, now: Instant) -> Result<i64, Refuse> {
    let text = |name: &str| fields.get(name).unwrap_or_default().to_owned();
    let phones = ["u_phone", "u_phone_mobile", "u_phone_home"];
    for name in phones {
        // The real one keeps a blank in place of the plus; nobody finds that again.
        if fields
            .get(name)
            .is_some_and(|given| !given.chars().all(|c| c.is_ascii_digit()))
        {
            return Err(Refuse::parameter(name));
        }
    }
    let phones = phones.map(text);
    if phones.iter().all(String::is_empty) {
        return Err(Refuse::parameter("u_phone"));
    }
    let manager = match fields.get("u_manager_id") {
        Some(id) => known_manager(book, "u_manager_id", id)?,
        None => 0,
    };
    let id = book.id();
    book.clients.push(Client {
        u_id: id,
        surname: text("u_surname"),
        name: text("u_name"),
        patronymic: text("u_sname"),
        company: String::new(),
        phones,
        note: text("u_note"),
        manager,
        made: Some(now),
    });
    Ok(id)
}

/// The id of a manager there is.
pub(crate) fn known_manager(book: &Book, field: &str, id: &str) -> Result<i64, Refuse> {
    let id: i64 = id.parse().map_err(|_| Refuse::parameter(field))?;
    let known = |one: &Manager| one.u_id == id && one.active;
    let found = book.managers.iter().any(known);
    found.then_some(id).ok_or_else(|| Refuse::parameter(field))
}

/// Only these fields: the real one passes over others without a word, and what was misspelt is lost.
pub(crate) fn only(fields: &Fields, known: &[&str]) -> Result<(), Refuse> {
    match fields.iter().find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => Err(Refuse::parameter(name)),
        None => Ok(()),
    }
}

pub(crate) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Whose number it is; the first one's, if several have it.
pub(crate) fn owner<'a>(book: &'a Book, phone: &str) -> Option<&'a Client> {
    let has = |one: &&Client| one.phones.iter().any(|given| digits(given) == phone);
    book.clients.iter().find(has)
}

fn shown(one: &Client) -> Value {
    let [phone, mobile, home] = &one.phones;
    // What is empty is sometimes null and sometimes "".
    let home = (!home.is_empty()).then_some(home);
    json!({"global_u_id": 90_000_000 + one.u_id, "u_id": one.u_id, "u_type": 1, "u_surname": one.surname,
        "u_name": one.name, "u_sname": one.patronymic, "u_email": null, "u_phone": phone, "u_phone_mobile": mobile,
        "u_phone_home": home, "u_company": one.company, "u_note": one.note, "manager_id": one.manager,
        "office_id": null, "active": 1, "deleted": 0})
}

fn shown_manager(one: &Manager) -> Value {
    json!({"u_id": one.u_id, "u_surname": one.surname, "u_name": one.name, "u_sname": null, "u_email": null,
        "manager_id": 0, "role_id": 2, "office_id": 1, "active": i32::from(one.active), "deleted": 0,
        "ip_internal_number": one.extension, "u_manager_status": 1, "status_id": 1, "timezone": "+3"})
}
