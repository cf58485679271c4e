//! URLs and answers. Pure: makes `Request` values, reads `Reply` values. `judge_status` knows what most status codes
//! mean; say here only what this CRM means differently.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::map::Call;
use super::settings::Settings;
use crate::call::record::{Notice, Record};
use crate::integration::connector::{
    Answer, Customer, Delivered, Failed, Question, Step, judge_status,
};
use crate::integration::request::{Method, Reply, Request, form_encode};

/// All requests count against one limit.
pub const LANE: &str = "all";

/// The client with the call's number.
pub fn find(settings: &Settings, record: &Record) -> Request {
    clients(settings, record.phone.as_deref().unwrap_or_default())
}

/// A client of whom nothing but the number is known.
pub fn add(settings: &Settings, record: &Record) -> Request {
    let client = json!({"phone": record.phone, "name": record.phone});
    request(settings, Method::Post, "/clients").json(client.to_string())
}

/// A card for those who ring.
pub fn show(settings: &Settings, client: i64, notice: &Notice) -> Request {
    let card =
        json!({"client": client, "call": notice.record.unique_id, "extensions": notice.extensions});
    request(settings, Method::Post, "/cards").json(card.to_string())
}

/// PUT by our own id: the same call twice is one call. Where a CRM has no such thing, say so in the folder's head.
pub fn put_call(settings: &Settings, call: &Call) -> Request {
    let path = format!("/calls/{}", form_encode(&call.id));
    request(settings, Method::Put, &path).json(json!(call).to_string())
}

fn clients(settings: &Settings, phone: &str) -> Request {
    let path = format!("/clients?phone={}", form_encode(phone));
    request(settings, Method::Get, &path)
}

fn request(settings: &Settings, method: Method, path: &str) -> Request {
    // A secret is given as one, wherever it stands: then it is masked in the log, and in the answer if it comes back.
    let bearer = SecretString::from(format!("Bearer {}", settings.token.expose_secret()));
    Request::new(method, format!("{}{path}", settings.address), LANE)
        .secret_header("Authorization", &bearer)
        .secret(&settings.token)
}

/// The client's id, if there is one.
pub fn found(reply: &Reply) -> Result<Option<i64>, Failed> {
    Ok(judge(reply)?
        .pointer("/clients/0/id")
        .and_then(Value::as_i64))
}

/// The id of a client just made.
pub fn made(reply: &Reply) -> Result<i64, Failed> {
    let id = judge(reply)?.get("id").and_then(Value::as_i64);
    id.ok_or(Failed::Later {
        words: "the CRM does not say which client it made".into(),
        after: None,
    })
}

/// What became of a call or a card.
pub fn taken(reply: &Reply) -> Result<Delivered, Failed> {
    // Told apart for the statistics; both are what we wanted. A CRM whose yes can be known by what stands in it is asked for
    // that here: what some proxy says with 200 is to be tried again (the table of troubles tells).
    if reply.status == 409 {
        return Ok(Delivered::Duplicate);
    }
    judge(reply).map(|_| Delivered::Taken(String::new()))
}

/// Questions of ours. A CRM that cannot answer one says so with `Step::Nothing`.
pub fn ask(settings: &Settings, question: &Question, heard: &[Reply]) -> Step<Answer> {
    let request = match question {
        Question::Test => request(settings, Method::Get, "/ping"),
        Question::Customer { phone } => clients(settings, phone),
        Question::Responsible { .. } | Question::Managers => {
            return Step::Nothing("this CRM does not tell who works there".into());
        }
        Question::Register(_) | Question::Registration { .. } | Question::Authorize { .. } => {
            return Step::Nothing("this CRM keeps no list of services".into());
        }
    };
    let Some(reply) = heard.last() else {
        return Step::Send(request);
    };
    match (question, judge(reply)) {
        (_, Err(failed)) => Step::Failed(failed),
        (Question::Test, Ok(_)) => Step::End(Answer::Works("the token works".into())),
        (_, Ok(body)) => {
            let name = body.pointer("/clients/0/name").and_then(Value::as_str);
            Step::End(Answer::Customer(name.map(|name| Customer {
                name: name.to_owned(),
                link: String::new(),
            })))
        }
    }
}

fn judge(reply: &Reply) -> Result<Value, Failed> {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    let words = body
        .as_ref()
        .and_then(|body| body.get("error")?.as_str())
        .map_or_else(
            || format!("the CRM answered {}", reply.status),
            str::to_owned,
        );
    match judge_status(reply, words.clone()) {
        Some(failed) => Err(failed),
        // Not the CRM's own answer but some proxy's: it may be right the next time.
        None => body.ok_or(Failed::Later { words, after: None }),
    }
}
