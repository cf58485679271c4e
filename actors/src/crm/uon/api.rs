//! U-ON's URLs and answers: makes requests, understands replies. Called by the conversations and `questions.rs`. Pure.
//! The key is a part of the path, so it is a secret of each request; a list with nothing in it is a 404.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::map::BETWEEN;
use super::settings::Settings;
use crate::integration::connector::{Failed, Manager, judge_status};
use crate::integration::request::{Method, Reply, Request, is_address};

/// All requests count against one limit: ten a second.
pub const LANE: &str = "all";

/// A form as it is sent.
pub type Form = Vec<(&'static str, String)>;

/// A client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: i64,
    pub name: String,
    /// Whose client it is.
    pub manager: Option<i64>,
}

fn request(settings: &Settings, method: Method, path: &str) -> Request {
    let key = settings.key.expose_secret();
    let url = format!("{}/{key}/{path}.json", settings.api);
    Request::new(method, url, LANE).secret(&settings.key)
}

/// Clients with this number: digits only, with a plus nobody is found.
pub fn find(settings: &Settings, phone: &str) -> Request {
    let path = format!("user/phone/{}", digits(phone));
    request(settings, Method::Get, &path)
}

/// Who works there.
pub fn managers(settings: &Settings) -> Request {
    request(settings, Method::Get, "manager")
}

/// A pop-up for one manager.
pub fn show(settings: &Settings, manager: i64, text: String) -> Request {
    let form = vec![("manager_id", manager.to_string()), ("text", text)];
    request(settings, Method::Post, "notification/create").form(form)
}

/// A row of the history.
pub fn add_call(settings: &Settings, form: Form) -> Request {
    request(settings, Method::Post, "call_history/create").form(form)
}

/// A new client.
pub fn add_client(settings: &Settings, form: Form) -> Request {
    request(settings, Method::Post, "user/create").form(form)
}

/// A new lead, and its client with it.
pub fn add_lead(settings: &Settings, form: Form) -> Request {
    request(settings, Method::Post, "lead/create").form(form)
}

/// A page of the history, of one client or of everybody.
pub fn history(settings: &Settings, client: Option<i64>, page: u64) -> Request {
    let path = match client {
        Some(id) => format!("call_history_by_user/{id}/{page}"),
        None => format!("call_history/{page}"),
    };
    request(settings, Method::Get, &path)
}

/// The webhooks somebody asked for.
pub fn webhooks(settings: &Settings) -> Request {
    request(settings, Method::Get, "webhook/1")
}

/// Who has the number, the first who is not deleted.
///
/// # Errors
/// How U-ON said no.
pub fn found(reply: &Reply, phone: &str) -> Result<Option<Person>, Failed> {
    let Some(body) = some(reply)? else {
        return Ok(None);
    };
    let wanted = tail(phone);
    let people = body.get("users").and_then(Value::as_array);
    let theirs = |one: &&Value| is_there(one) && has(one, &wanted);
    let one = people.into_iter().flatten().find(theirs);
    Ok(one.and_then(|one| {
        Some(Person {
            id: number(one.get("u_id"))?,
            name: name_of(one),
            manager: number(one.get("manager_id")).filter(|id| *id > 0),
        })
    }))
}

/// Who works there and was not dismissed.
///
/// # Errors
/// How U-ON said no.
pub fn staff(reply: &Reply) -> Result<Vec<Manager>, Failed> {
    let body = judge(reply)?;
    let all = body.get("users").and_then(Value::as_array);
    let one = |one: &Value| {
        let extension = text(one, "ip_internal_number");
        Some(Manager {
            id: number(one.get("u_id"))?.to_string(),
            name: name_of(one),
            extension: (!extension.is_empty()).then_some(extension),
        })
    };
    Ok(all
        .into_iter()
        .flatten()
        .filter(|one| is_there(one))
        .filter_map(one)
        .collect())
}

/// Extension → manager, as U-ON itself keeps it.
///
/// # Errors
/// How U-ON said no.
pub fn phones(reply: &Reply) -> Result<BTreeMap<String, i64>, Failed> {
    let pair = |one: Manager| Some((one.extension?, one.id.parse().ok()?));
    Ok(staff(reply)?.into_iter().filter_map(pair).collect())
}

/// Whether something was made: its id, as far as it is told.
///
/// # Errors
/// How U-ON said no.
pub fn made(reply: &Reply) -> Result<Option<i64>, Failed> {
    let body = judge(reply)?;
    Ok(number(body.get("id")).or_else(|| number(body.get("user_id"))))
}

/// A page of the history: whether it holds the call, and how many pages there are. The names of a row's members are not
/// documented, so its values are looked at, whatever they are called: a note of ours ends with the call's unique id; where
/// no note is given back, it is the row with this number at this very second.
///
/// # Errors
/// How U-ON said no.
pub fn holds(reply: &Reply, call: &Form, unique_id: &str) -> Result<(bool, u64), Failed> {
    let Some(body) = some(reply)? else {
        return Ok((false, 1));
    };
    let of = |name: &str| {
        let found = call.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let (start, phone) = (of("start"), digits(of("phone")));
    let mut rows = Vec::new();
    objects(&body, &mut rows);
    let same = |row: &&Value| {
        let values: Vec<String> = row.as_object().into_iter().flatten().map(written).collect();
        let mut notes = values
            .iter()
            .filter_map(|value| value.rsplit_once(BETWEEN))
            .peekable();
        if notes.peek().is_some() {
            return notes.any(|(_, last)| last == unique_id);
        }
        values.iter().any(|value| value == start)
            && values.iter().any(|value| digits(value) == phone)
    };
    let pages = number(body.get("pages_all")).and_then(|pages| u64::try_from(pages).ok());
    Ok((rows.iter().any(same), pages.unwrap_or(1)))
}

/// Whether a list of webhooks has one that leads to this address.
///
/// # Errors
/// How U-ON said no.
pub fn leads_to(reply: &Reply, address: &str) -> Result<bool, Failed> {
    let Some(body) = some(reply)? else {
        return Ok(false);
    };
    let mut rows = Vec::new();
    objects(&body, &mut rows);
    let mut urls = rows.iter().filter_map(|row| row.get("url")?.as_str());
    Ok(urls.any(|url| is_address(url, address)))
}

fn objects<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| objects(one, found)),
        Value::Object(map) => {
            found.push(value);
            map.values().for_each(|one| objects(one, found));
        }
        _ => {}
    }
}

fn written((_, value): (&String, &Value)) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The body of a success; `None` for nothing there.
fn some(reply: &Reply) -> Result<Option<Value>, Failed> {
    match judge(reply) {
        Err(Failed::Refused { .. }) if says_404(reply) => Ok(None),
        other => other.map(Some),
    }
}

/// By its status, or by the one inside.
fn says_404(reply: &Reply) -> bool {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    reply.status == 404 || number(body.get("result")) == Some(404)
}

const NO_ROUTE: &str = "No route found";

/// The body of a success.
///
/// # Errors
/// How U-ON said no.
pub fn judge(reply: &Reply) -> Result<Value, Failed> {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    let body = body.filter(Value::is_object);
    let said = body.as_ref().map(words_of).filter(|said| !said.is_empty());
    let words = said.unwrap_or_else(|| format!("U-ON answered {}", reply.status));
    let is_route = words == NO_ROUTE;
    match reply.status {
        // Where it leads is not repeated: the key may be a part of it.
        300..=399 => {
            let words = format!("the address of the API leads elsewhere ({})", reply.status);
            Err(Failed::Settings { words })
        }
        401 | 403 => {
            let words = format!(
                "{words}: the key is wrong, or it may not do this (GET and POST are allowed apart)"
            );
            Err(Failed::Settings { words })
        }
        404 if body.is_none() || is_route => Err(Failed::Settings {
            words: format!("{words}: there is no API at this address, or the key is wrong"),
        }),
        _ => match (judge_status(reply, words.clone()), body) {
            (Some(failed), _) => Err(failed),
            // Not U-ON's own answer but some proxy's: it may be right the next time.
            (None, None) => Err(Failed::Later { words, after: None }),
            // A refusal may also come with a status that says it is none.
            (None, Some(body)) => match result_of(&body) {
                200 => Ok(body),
                // Each of its answers has a result: this is not U-ON's own.
                0 => Err(Failed::Later { words, after: None }),
                429 => Err(Failed::Throttled { words, after: None }),
                500.. => Err(Failed::Later { words, after: None }),
                _ => Err(Failed::Refused { words }),
            },
        },
    }
}

/// The status inside; 0 where there is none, nor anything else that an answer of U-ON's has.
fn result_of(body: &Value) -> i64 {
    let known = ["id", "user_id", "users", "webhooks", "pages_all"];
    let otherwise = match known.iter().any(|name| body.get(name).is_some()) {
        true => 200,
        false => 0,
    };
    number(body.get("result")).unwrap_or(otherwise)
}

fn words_of(body: &Value) -> String {
    let said = ["message", "error", "text"].map(|name| text(body, name));
    said.into_iter()
        .find(|said| !said.is_empty())
        .unwrap_or_default()
}

/// A number, also one that is written as a text.
fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text(one: &Value, name: &str) -> String {
    let found = one.get(name).and_then(Value::as_str).unwrap_or_default();
    found.trim().to_owned()
}

fn is_there(one: &Value) -> bool {
    number(one.get("deleted")).unwrap_or(0) == 0 && number(one.get("active")).unwrap_or(1) != 0
}

/// Surname, name and patronymic, else the company's.
fn name_of(one: &Value) -> String {
    let parts = ["u_surname", "u_name", "u_sname"].map(|name| text(one, name));
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        text(one, "u_company")
    } else {
        parts.join(" ")
    }
}

/// Whether one of the three fields holds the number, perhaps beside another.
fn has(one: &Value, wanted: &str) -> bool {
    ["u_phone", "u_phone_mobile", "u_phone_home"]
        .iter()
        .filter_map(|name| one.get(*name))
        .map(|value| match value {
            Value::Number(number) => number.to_string(),
            other => digits(other.as_str().unwrap_or_default()),
        })
        .any(|held| held.contains(wanted))
}

/// What is compared of a number: its last ten digits, the country is written in many ways.
fn tail(phone: &str) -> String {
    let digits = digits(phone);
    digits[digits.len().saturating_sub(10)..].to_owned()
}

/// A number as U-ON takes it.
pub fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}
