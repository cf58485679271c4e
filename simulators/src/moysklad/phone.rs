//! The Phone API: calls are created, filled in and never overwritten; employees by extension. Called by the entry.

use chrono::NaiveDateTime;
use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::state::{self, Book, Call, Counterparty, Duplicates, Settings};
use super::{cards, remap};

/// Characters of a comment.
const LONGEST_COMMENT: usize = 4096;
const TIME: &str = "%Y-%m-%d %H:%M:%S%.3f";

/// `POST /call`
pub(crate) fn create(book: &mut Book, settings: &Settings, body: &Value, base: &str) -> Answer {
    let external_id = text(body, "externalId")?.ok_or_else(|| Refuse::missing("externalId"))?;
    let number = text(body, "number")?.ok_or_else(|| Refuse::missing("number"))?;
    let is_incoming = match body.get("isIncoming") {
        Some(Value::Bool(value)) => *value,
        None | Some(Value::Null) => return Err(Refuse::missing("isIncoming")),
        Some(_) => return Err(Refuse::mistyped("isIncoming")),
    };
    let start = time(body, "startTime")?.ok_or_else(|| Refuse::missing("startTime"))?;
    let known = book.calls.iter().any(|one| one.external_id == external_id);
    if known && settings.duplicates == Duplicates::Refused {
        let title = "Ошибка уникальности: звонок с таким externalId уже есть";
        return Err(Refuse::Told(
            412,
            3006,
            title.into(),
            Some("externalId".into()),
        ));
    }
    let id = book.id();
    let mut call = state::call(id, &external_id, &number, start);
    call.is_incoming = is_incoming;
    call.counterparty = owner_of(book, &number).map(|one| one.id.clone());
    fill_in(&mut call, book, body)?;
    let shown = show(&call, book, base);
    book.calls.push(call);
    Ok((200, shown))
}

/// How a call is named in a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name<'a> {
    Id(&'a str),
    External(&'a str),
}

/// `PUT /call/{id}` and `PUT /call/extid/{extid}`
pub(crate) fn update(book: &mut Book, name: Name<'_>, body: &Value, base: &str) -> Answer {
    let number = find(book, name)?;
    let Some(mut call) = book.calls.get_mut(number).cloned() else {
        return Err(Refuse::unknown("call"));
    };
    fill_in(&mut call, book, body)?;
    let shown = show(&call, book, base);
    if let Some(kept) = book.calls.get_mut(number) {
        *kept = call;
    }
    Ok((200, shown))
}

/// `POST /call/{id}/event` and `POST /call/extid/{extid}/event`
pub(crate) fn command(book: &mut Book, name: Name<'_>, body: &Value) -> Answer {
    let number = find(book, name)?;
    let command = cards::read(body)?;
    let employees = book.employees.clone();
    if let Some(call) = book.calls.get_mut(number) {
        cards::obey(call, &employees, &[command]);
    }
    Ok((204, Value::Null))
}

/// `GET /employee`: those who have an extension, without names.
pub(crate) fn employees(book: &Book, query: &[(String, String)], base: &str) -> Answer {
    let filter = remap::value(query, "filter").unwrap_or_default();
    let passes: Box<dyn Fn(&str) -> bool> = match filter.split_once("extention") {
        None if filter.is_empty() => Box::new(|_| true),
        Some(("", rest)) => {
            let wanted = |mark: &str| rest.strip_prefix(mark).map(str::to_owned);
            if let Some(wanted) = wanted("~=") {
                Box::new(move |own| own.starts_with(&wanted))
            } else if let Some(wanted) = wanted("=") {
                Box::new(move |own| own == wanted)
            } else {
                return Err(Refuse::told(400, 1034, "Ошибка в параметре filter"));
            }
        }
        _ => return Err(Refuse::told(400, 1034, "Ошибка в параметре filter")),
    };
    let all: Vec<Value> = book
        .employees
        .iter()
        .filter_map(|one| Some((one, one.extension.as_deref()?)))
        .filter(|(_, own)| passes(own))
        .map(|(one, own)| json!({"meta": meta(base, "employee", &one.id), "extention": own}))
        .collect();
    Ok((200, json!({"employees": all})))
}

/// Fills in what is not filled in yet; the comment is overwritten, links to recordings are added.
fn fill_in(call: &mut Call, book: &Book, body: &Value) -> Result<(), Refuse> {
    let extension = text(body, "extension")?;
    let employee = linked(body, "employee")?;
    let counterparty = linked(body, "counterparty")?;
    let end = time(body, "endTime")?;
    let duration = match body.get("duration") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_i64().ok_or_else(|| Refuse::mistyped("duration"))?),
    };
    let links = match body.get("recordUrl") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list
            .iter()
            .map(|one| one.as_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>()
            .ok_or_else(|| Refuse::mistyped("recordUrl"))?,
        Some(_) => return Err(Refuse::mistyped("recordUrl")),
    };
    let comment = text(body, "comment")?;
    if comment
        .as_ref()
        .is_some_and(|it| it.chars().count() > LONGEST_COMMENT)
    {
        return Err(Refuse::mistyped("comment"));
    }
    let commands = cards::read_all(body)?;
    if end.is_some_and(|end| end < call.start) {
        return Err(Refuse::told(412, 1040, "endTime раньше startTime"));
    }
    if call.extension.is_none() && call.employee.is_none() {
        let by_extension = extension.as_deref().and_then(|own| book.employee_of(own));
        call.employee = employee.or_else(|| by_extension.map(|one| one.id.clone()));
        call.extension = extension;
    }
    if call.counterparty.is_none() {
        call.counterparty = counterparty;
    }
    if call.end.is_none() {
        let length = duration.map(chrono::Duration::milliseconds);
        call.end = end.or_else(|| length.and_then(|length| call.start.checked_add_signed(length)));
        call.duration = call.end.map(|end| (end - call.start).num_milliseconds());
    }
    call.record_urls.extend(links);
    if comment.is_some() {
        call.comment = comment;
    }
    cards::obey(call, &book.employees, &commands);
    Ok(())
}

fn find(book: &Book, name: Name<'_>) -> Result<u64, Refuse> {
    let first = book.calls.total() - book.calls.iter().len() as u64;
    if let Name::Id(id) = name
        && !is_id(id)
    {
        return Err(Refuse::told(
            404,
            1000,
            format!("'{id}' — не идентификатор"),
        ));
    }
    let named = |one: &Call| match name {
        Name::Id(id) => one.id == id,
        Name::External(id) => one.external_id == id,
    };
    let place = book.calls.iter().rposition(named);
    let place = place.ok_or_else(|| Refuse::unknown("call"))?;
    Ok(first + place as u64)
}

fn is_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts
            .iter()
            .all(|part| part.chars().all(|c| c.is_ascii_hexdigit()))
}

/// The client whose number it is, or one of whose contact persons'.
fn owner_of<'a>(book: &'a Book, number: &str) -> Option<&'a Counterparty> {
    let wanted = tail(number);
    book.counterparties.iter().find(|one| {
        let persons = one.persons.iter().map(|person| person.phone.as_str());
        std::iter::once(one.phone.as_str())
            .chain(persons)
            .any(|phone| tail(phone) == wanted)
    })
}

/// Nine digits tell numbers apart however their beginning is written (8 029…, +375 29…).
fn tail(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(9)..].iter().collect()
}

/// A call as it is told.
fn show(call: &Call, book: &Book, base: &str) -> Value {
    let time = |at: NaiveDateTime| at.format(TIME).to_string();
    let mut told = json!({
        "meta": {"href": format!("{base}/api/phone/1.0/call/{}", call.id), "type": "call", "mediaType": "application/json"},
        "id": call.id, "externalId": call.external_id, "number": call.number, "isIncoming": call.is_incoming,
        "startTime": time(call.start), "endTime": call.end.map(time), "duration": call.duration,
        "recordUrl": call.record_urls, "comment": call.comment,
    });
    if let Some(extension) = &call.extension {
        told["extension"] = json!(extension);
    }
    // Flat here, nested for the owner.
    if let Some(employee) = &call.employee {
        told["employee"] = meta(base, "employee", employee);
    }
    let client = call.counterparty.as_ref();
    if let Some(client) = client.and_then(|id| book.counterparties.iter().find(|one| one.id == *id))
    {
        told["counterparty"] = meta(base, "counterparty", &client.id);
        let owner = book.employees.iter().find(|one| one.id == client.owner);
        told["counterpartyowner"] = json!({
            "extention": owner.and_then(|one| one.extension.as_ref()),
            "meta": meta(base, "employee", &client.owner),
        });
    }
    told
}

/// A reference to something of the JSON API.
pub(crate) fn meta(base: &str, kind: &str, id: &str) -> Value {
    json!({"href": format!("{base}/api/remap/1.2/entity/{kind}/{id}"), "type": kind, "mediaType": "application/json"})
}

fn text(body: &Value, name: &str) -> Result<Option<String>, Refuse> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(Refuse::mistyped(name)),
    }
}

fn time(body: &Value, name: &str) -> Result<Option<NaiveDateTime>, Refuse> {
    let read = |text: String| {
        NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f")
            .map_err(|_| Refuse::mistyped(name))
    };
    text(body, name)?.map(read).transpose()
}

/// The id in a flat reference.
fn linked(body: &Value, name: &str) -> Result<Option<String>, Refuse> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let href = value.get("href").and_then(Value::as_str);
            let id = href.and_then(|href| href.rsplit('/').next());
            let id = id.filter(|id| is_id(id));
            Ok(Some(id.ok_or_else(|| Refuse::mistyped(name))?.to_owned()))
        }
    }
}
