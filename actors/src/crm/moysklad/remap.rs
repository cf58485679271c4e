//! The JSON API 1.2's URLs and answers: whose number it is, who works there, a new client. Called by `mod.rs` and
//! `questions.rs`. Pure.
//!
//! Phones are free text there, and the search compares letters: a number is looked for as its last nine digits and as
//! people write its end, and what is found is compared as a number. A client may also be found by a contact person.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::api::{id_in, judge};
use super::settings::Settings;
use crate::call::number::to_e164;
use crate::integration::connector::Failed;
use crate::integration::halt::{Halt, Heard};
use crate::integration::request::{Method, Reply, Request, form_encode};

/// Requests of a user's token weigh more each season: eleven in three seconds from December 2026.
pub const LANE: &str = "json";
/// Rows of a search; with more than a hundred the owner would not be told along.
const ROWS: usize = 100;
/// Clients of one search whose contact persons are looked through.
const MOST_CLIENTS: usize = 3;

/// A client whom a number belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The name, with the contact person's where it is theirs.
    pub name: String,
    /// Where a person opens it, may be empty.
    pub link: String,
    /// The reference.
    pub meta: Value,
    /// Id and name of the employee it belongs to; the name may be empty.
    pub owner: Option<(String, String)>,
}

/// The client with this number.
///
/// # Errors
/// It is still to be asked for, or MoySklad said no.
pub fn find(
    settings: &Settings,
    token: &SecretString,
    country: &str,
    phone: &str,
    heard: &mut Heard<'_>,
) -> Result<Option<Client>, Halt> {
    let is_theirs = |text: &str| is_same(text, phone, country);
    for spelling in spellings(phone) {
        let query = format!(
            "entity/counterparty?search={}&limit={ROWS}&expand=owner",
            form_encode(&spelling)
        );
        let found = rows(heard.next(|| get(settings, token, &query))?)?;
        let own = |one: &&Value| is_theirs(text(one, "phone"));
        if let Some(client) = found.iter().find(own) {
            return Ok(client_of(client, None));
        }
        let has_persons = |one: &&Value| {
            let size = one.pointer("/contactpersons/meta/size");
            size.and_then(Value::as_u64).unwrap_or(0) > 0
        };
        for client in found.iter().filter(has_persons).take(MOST_CLIENTS) {
            let Some(id) = client.get("id").and_then(Value::as_str) else {
                continue;
            };
            let path = format!(
                "entity/counterparty/{}/contactpersons?limit={ROWS}",
                form_encode(id)
            );
            let persons = rows(heard.next(|| get(settings, token, &path))?)?;
            if let Some(person) = persons.iter().find(own) {
                return Ok(client_of(client, Some(text(person, "name"))));
            }
        }
    }
    Ok(None)
}

/// How the end of a number may be written: in one piece, with dashes, with blanks.
fn spellings(phone: &str) -> Vec<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let tail = |count: usize| digits.get(digits.len().saturating_sub(count)..);
    let mut all = vec![tail(9).unwrap_or_default().to_owned()];
    if let Some((a, b, c)) = tail(7)
        .filter(|seven| seven.len() == 7)
        .map(|seven| (&seven[..3], &seven[3..5], &seven[5..]))
    {
        all.push(format!("{a}-{b}-{c}"));
        all.push(format!("{a} {b} {c}"));
    }
    all
}

/// Whether a text holds this number. A field may hold several.
fn is_same(text: &str, phone: &str, country: &str) -> bool {
    text.split([',', ';', '/', '\n'])
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .any(|one| to_e164(one, country).as_deref() == Some(phone))
}

fn client_of(one: &Value, person: Option<&str>) -> Option<Client> {
    let meta = one.get("meta")?;
    let link = meta.get("uuidHref").and_then(Value::as_str);
    let name = text(one, "name");
    let owner = one.get("owner").and_then(|owner| {
        let id = id_in(owner.get("meta")?)?;
        Some((id, text(owner, "name").to_owned()))
    });
    Some(Client {
        name: match person.filter(|person| !person.is_empty()) {
            Some(person) => format!("{name}, {person}"),
            None => name.to_owned(),
        },
        link: link.unwrap_or_default().to_owned(),
        meta: reference(meta, "counterparty"),
        owner,
    })
}

/// A reference as calls take it: flat, and nothing beside it.
fn reference(meta: &Value, kind: &str) -> Value {
    json!({"href": meta.get("href"), "type": kind, "mediaType": "application/json"})
}

/// Makes a client of a caller, belonging to who answered where that is known.
pub fn add(
    settings: &Settings,
    token: &SecretString,
    phone: &str,
    owner: Option<&Value>,
) -> Request {
    let mut body = json!({"name": phone, "phone": phone});
    if let Some(owner) = owner {
        body["owner"] = json!({"meta": reference(owner, "employee")});
    }
    let mut request = get(settings, token, "entity/counterparty").json(body.to_string());
    request.method = Method::Post;
    request
}

/// The reference of the client that was made.
///
/// # Errors
/// How MoySklad said no.
pub fn added(reply: &Reply) -> Result<Value, Failed> {
    let body = judge(reply)?;
    match body.get("meta") {
        Some(meta) if meta.get("href").is_some() => Ok(reference(meta, "counterparty")),
        _ => Err(Failed::Later {
            words: "MoySklad told no reference of the new counterparty".into(),
            after: None,
        }),
    }
}

/// Who works there: id and name, the login where there is no name.
///
/// # Errors
/// How MoySklad said no.
pub fn employees(reply: &Reply) -> Result<Vec<(String, String)>, Failed> {
    let rows = rows(reply)?;
    let current = |one: &&Value| one.get("archived").and_then(Value::as_bool) != Some(true);
    Ok(rows
        .iter()
        .filter(current)
        .filter_map(|one| {
            let name = ["name", "uid"].map(|field| text(one, field));
            let name = name.into_iter().find(|name| !name.is_empty());
            let id = one.get("id")?.as_str()?.to_owned();
            Some((id, name.unwrap_or_default().to_owned()))
        })
        .collect())
}

/// A request that asks.
pub fn get(settings: &Settings, token: &SecretString, path: &str) -> Request {
    let url = format!("{}/api/remap/1.2/{path}", settings.address);
    let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
    Request::new(Method::Get, url, LANE)
        .secret_header("Authorization", &bearer)
        .secret(token)
        .header("Accept", "application/json;charset=utf-8")
        .header("Accept-Encoding", "gzip")
}

fn rows(reply: &Reply) -> Result<Vec<Value>, Failed> {
    let mut body = judge(reply)?;
    match body.get_mut("rows").map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(Failed::Later {
            words: "MoySklad told no list".into(),
            after: None,
        }),
    }
}

/// A text of an answer; empty where there is none.
pub fn text<'a>(one: &'a Value, name: &str) -> &'a str {
    let text = one.get(name).and_then(Value::as_str);
    text.unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::{is_same, spellings};

    #[test]
    fn a_number_is_looked_for_as_people_write_it() {
        let all = spellings("+375296254070");
        assert_eq!(all, ["296254070", "625-40-70", "625 40 70"]);
        assert_eq!(spellings("+101"), ["101"]);
    }

    #[test]
    fn what_is_found_is_compared_as_a_number() {
        for (text, is_theirs) in [
            ("+375 (29) 625-40-70", true),
            ("8 029 625 40 70", true),
            ("80296254070", true),
            ("375172000000, +375 29 625 40 70", true),
            ("+7 296 254-07-0", false),
            ("296254070@example.org", false),
            ("+375296254071", false),
            ("", false),
        ] {
            assert_eq!(is_same(text, "+375296254070", "BY"), is_theirs, "{text}");
        }
    }
}
