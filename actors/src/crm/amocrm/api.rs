//! amoCRM's URLs and answers: makes requests, understands replies. Called by `mod.rs` and `questions.rs`. Pure. An empty
//! list is 204 without a body; what was added is judged item by item, because the status of a mixed answer is not
//! documented.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::map::{Call, contact, tail, unsorted};
use super::settings::Settings;
use crate::integration::connector::{Delivered, Failed, judge_status};
use crate::integration::request::{Method, Reply, Request};

/// All requests count against one limit: seven a second, of which we use five.
pub const LANE: &str = "all";
/// Entries on one page; more is refused.
pub const PAGE: usize = 250;

/// Somebody whom the CRM knows by a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// contacts | companies.
    pub list: &'static str,
    pub id: i64,
    pub name: String,
    pub responsible: Option<i64>,
    /// Leads a call may have been put to instead.
    pub leads: Vec<i64>,
}

/// Those in whom the digits stand somewhere; who has them as a number, `found` looks.
pub fn find(settings: &Settings, list: &'static str, phone: &str) -> Request {
    let digits = tail(phone);
    let path = format!("/api/v4/{list}?query={digits}&with=leads&limit={PAGE}");
    get(settings, &path)
}

/// Who of them really has the number: the search also finds digits in other fields and inside longer numbers.
///
/// # Errors
/// How the CRM said no.
pub fn found(reply: &Reply, list: &'static str, phone: &str) -> Result<Option<Found>, Failed> {
    let body = list_of(reply, list)?;
    let wanted = tail(phone);
    let theirs = |one: &&Value| {
        one.get("is_deleted").and_then(Value::as_bool) != Some(true) && has(one, &wanted)
    };
    Ok(body.iter().find(theirs).and_then(|one| {
        let leads = one.pointer("/_embedded/leads").and_then(Value::as_array);
        Some(Found {
            list,
            id: one.get("id")?.as_i64()?,
            name: words_of(one, "name"),
            responsible: one.get("responsible_user_id").and_then(Value::as_i64),
            leads: leads
                .into_iter()
                .flatten()
                .filter_map(|lead| lead.get("id")?.as_i64())
                .collect(),
        })
    }))
}

fn has(one: &Value, wanted: &str) -> bool {
    // `null` when no field is filled in.
    let fields = one.get("custom_fields_values").and_then(Value::as_array);
    fields
        .into_iter()
        .flatten()
        .filter(|field| field.get("field_code").and_then(Value::as_str) == Some("PHONE"))
        .filter_map(|field| field.get("values")?.as_array())
        .flatten()
        .filter_map(|value| value.get("value"))
        .any(|value| match value {
            Value::String(text) => tail(text) == wanted,
            Value::Number(number) => tail(&number.to_string()) == wanted,
            _ => false,
        })
}

/// The newest calls in the history of these.
pub fn notes(settings: &Settings, list: &str, ids: &[i64]) -> Request {
    let mut path = format!(
        "/api/v4/{list}/notes?filter[note_type][]=call_in&filter[note_type][]=call_out\
         &order[updated_at]=desc&limit={PAGE}"
    );
    // The newest leads; an address may not grow for ever.
    for id in ids.iter().rev().take(50) {
        path.push_str(&format!("&filter[entity_id][]={id}"));
    }
    get(settings, &path)
}

/// The newest unsorted leads that came from telephony.
pub fn waiting(settings: &Settings) -> Request {
    let path = format!(
        "/api/v4/leads/unsorted?filter[category][]=sip&order[created_at]=desc&limit={PAGE}"
    );
    get(settings, &path)
}

/// Whether a list that `notes` or `waiting` asked for holds a call of this id.
///
/// # Errors
/// How the CRM said no.
pub fn holds(reply: &Reply, list: &str, member: &str, uniq: &str) -> Result<bool, Failed> {
    let body = list_of(reply, list)?;
    let theirs = |one: &Value| one.get(member).and_then(|it| it.get("uniq")) == Some(&json!(uniq));
    Ok(body.iter().any(theirs))
}

/// Writes a call into the history of whoever has its number.
pub fn add_call(settings: &Settings, call: &Call) -> Request {
    post(settings, "/api/v4/calls", &json!([call]))
}

/// Puts a call among the unsorted leads.
pub fn add_unsorted(settings: &Settings, call: &Call) -> Request {
    post(settings, "/api/v4/leads/unsorted/sip", &unsorted(call))
}

/// Makes a contact of a caller.
pub fn add_contact(settings: &Settings, call: &Call) -> Request {
    post(settings, "/api/v4/contacts", &contact(call))
}

/// Whether the one item that was posted was taken.
///
/// # Errors
/// How the CRM said no; also when it said yes and added nothing.
pub fn added(reply: &Reply, list: &str) -> Result<Delivered, Failed> {
    let body = judge(reply)?;
    match items(&body, list) {
        [] => Err(match complaint(&body) {
            None if body.get("_embedded").is_none() => foreign(reply),
            said => Failed::Refused {
                words: said.unwrap_or_else(|| "amoCRM added nothing".into()),
            },
        }),
        [one, ..] => {
            let to = one.get("entity_type").and_then(Value::as_str);
            let id = one.get("entity_id").and_then(Value::as_i64);
            Ok(Delivered::Taken(match (to, id) {
                (Some(to), Some(id)) => format!("{to} {id}"),
                _ => String::new(),
            }))
        }
    }
}

/// The pop-up of an incoming call.
pub fn show(settings: &Settings, body: &Value) -> Request {
    post(settings, "/api/v2/events", body)
}

/// What became of a pop-up. 202 is enough: what its body holds is not documented.
///
/// # Errors
/// How the CRM said no.
pub fn shown(reply: &Reply) -> Result<Delivered, Failed> {
    if reply.status == 202 {
        return Ok(Delivered::Taken(String::new()));
    }
    judge(reply).map(|_| Delivered::Taken(String::new()))
}

/// A request that asks.
pub fn get(settings: &Settings, path: &str) -> Request {
    // A secret is given as one, wherever it stands: then it is masked in the log, and in the answer if it comes back.
    let bearer = SecretString::from(format!("Bearer {}", settings.token.expose_secret()));
    // Brackets are no part of an address as the standard has it.
    let path = path.replace('[', "%5B").replace(']', "%5D");
    Request::new(Method::Get, format!("{}{path}", settings.address), LANE)
        .secret_header("Authorization", &bearer)
        .secret(&settings.token)
}

fn post(settings: &Settings, path: &str, body: &Value) -> Request {
    let mut request = get(settings, path).json(body.to_string());
    request.method = Method::Post;
    request
}

/// The members of a list that was asked for; none where there is no body.
///
/// # Errors
/// How the CRM said no; also when it said yes and gave something else than this list.
fn list_of(reply: &Reply, list: &str) -> Result<Vec<Value>, Failed> {
    match judge(reply)? {
        Value::Null => Ok(Vec::new()),
        body if body.get("_embedded").is_some() => Ok(items(&body, list).to_vec()),
        _ => Err(foreign(reply)),
    }
}

/// Not the CRM's own answer but some proxy's: it may be right the next time.
fn foreign(reply: &Reply) -> Failed {
    Failed::Later {
        words: format!("amoCRM answered {}", reply.status),
        after: None,
    }
}

/// The members of a list in an answer.
pub fn items<'a>(body: &'a Value, list: &str) -> &'a [Value] {
    body.get("_embedded")
        .and_then(|embedded| embedded.get(list)?.as_array())
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// A text of an answer; empty where there is none.
pub fn words_of(one: &Value, name: &str) -> String {
    let text = one.get(name).and_then(Value::as_str).unwrap_or_default();
    text.trim().to_owned()
}

/// The body of a success, `null` for an empty list, or how the CRM said no.
///
/// # Errors
/// How the CRM said no.
pub fn judge(reply: &Reply) -> Result<Value, Failed> {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    let said = body.as_ref().and_then(complaint);
    let words = said.unwrap_or_else(|| format!("amoCRM answered {}", reply.status));
    match reply.status {
        204 => return Ok(Value::Null),
        401 => {
            let words = format!("{words}: the token is wrong, expired or revoked");
            return Err(Failed::Settings { words });
        }
        402 => {
            let words = format!("{words}: the account is not paid for");
            return Err(Failed::Settings { words });
        }
        // Who goes on asking after 429 is shut out; asking more makes it longer.
        403 => {
            let words = if body.is_some() {
                format!("{words}: no rights, or the account is blocked; not tried again by itself")
            } else {
                "amoCRM has blocked our address or this account (403), as it does after too many requests; \
                 not tried again by itself: ask their support, then close the pause by hand"
                    .into()
            };
            return Err(Failed::Blocked { words });
        }
        404 if body.is_none() => {
            let words = "there is no such account; check its address".into();
            return Err(Failed::Settings { words });
        }
        _ => {}
    }
    match judge_status(reply, words.clone()) {
        Some(failed) => Err(failed),
        // Not the CRM's own answer but some proxy's: it may be right the next time.
        None => body.ok_or(Failed::Later { words, after: None }),
    }
}

/// What an answer complains of: each item's own words, else the problem's title and detail.
fn complaint(body: &Value) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    let faulty = body.get("validation-errors").and_then(Value::as_array);
    for fault in faulty
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("errors")?.as_array())
        .flatten()
    {
        let (path, detail) = (words_of(fault, "path"), words_of(fault, "detail"));
        words.push(format!("{path}: {detail}"));
    }
    let errors = body.get("errors").and_then(Value::as_array);
    words.extend(errors.into_iter().flatten().map(|it| words_of(it, "title")));
    if words.is_empty() {
        words.extend(["title", "detail", "hint"].map(|name| words_of(body, name)));
    }
    words.retain(|word| !word.is_empty());
    (!words.is_empty()).then(|| words.join("; "))
}
