//! The card file's URLs and answers. Pure.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::map::Call;
use super::settings::Settings;
use crate::call::record::{Notice, Record};
use crate::integration::connector::{
    Answer, Customer, Delivered, Failed, Question, Step, judge_status,
};
use crate::integration::request::{Method, Reply, Request, form_encode};

pub const LANE: &str = "all";

pub fn find(settings: &Settings, record: &Record) -> Request {
    people(settings, record.phone.as_deref().unwrap_or_default())
}

pub fn add(settings: &Settings, record: &Record) -> Request {
    let person = json!({"name": record.phone, "phone": record.phone});
    request(settings, Method::Post, "/people").json(person.to_string())
}

pub fn show(settings: &Settings, person: u64, notice: &Notice) -> Request {
    let call = &notice.record.unique_id;
    let card = json!({"call": call, "person": person, "extensions": notice.extensions});
    request(settings, Method::Post, "/cards").json(card.to_string())
}

pub fn close(settings: &Settings, record: &Record) -> Request {
    let path = format!("/cards/{}", form_encode(&record.unique_id));
    request(settings, Method::Delete, &path)
}

pub fn put(settings: &Settings, call: &Call) -> Request {
    let path = format!("/calls/{}", form_encode(&call.id));
    request(settings, Method::Put, &path).json(json!(call).to_string())
}

fn people(settings: &Settings, phone: &str) -> Request {
    let path = format!("/people?phone={}", form_encode(phone));
    request(settings, Method::Get, &path)
}

fn request(settings: &Settings, method: Method, path: &str) -> Request {
    let bearer = SecretString::from(format!("Bearer {}", settings.token.expose_secret()));
    Request::new(method, format!("{}{path}", settings.address), LANE)
        .secret_header("Authorization", &bearer)
        .secret(&settings.token)
}

pub fn found(reply: &Reply) -> Result<Option<u64>, Failed> {
    let body = judge(reply)?;
    let people = body.get("people").and_then(Value::as_array);
    let first = people.ok_or_else(|| foreign(reply))?.first();
    Ok(first.and_then(|one| one.get("id")?.as_u64()))
}

pub fn added(reply: &Reply) -> Result<u64, Failed> {
    let id = judge(reply)?.get("id").and_then(Value::as_u64);
    id.ok_or(Failed::Later {
        words: "the card file does not say whom it added".into(),
        after: None,
    })
}

/// What became of a card or a call.
pub fn taken(reply: &Reply) -> Result<Delivered, Failed> {
    // The card that is to be closed never came up, or somebody closed it.
    if reply.status == 404 && reply.body == "{}" {
        return Ok(Delivered::Duplicate);
    }
    match judge(reply)?.as_object() {
        // Its yes is an empty object.
        Some(yes) if yes.is_empty() => Ok(Delivered::Taken(String::new())),
        _ => Err(foreign(reply)),
    }
}

/// Not the card file's own answer but some proxy's: it may be right the next time.
fn foreign(reply: &Reply) -> Failed {
    Failed::Later {
        words: format!("the card file answered {}", reply.status),
        after: None,
    }
}

/// Questions of ours.
pub fn ask(settings: &Settings, question: &Question, heard: &[Reply]) -> Step<Answer> {
    let phone = match question {
        Question::Test => "+10000000000",
        Question::Customer { phone } => phone,
        _ => return Step::Nothing("the card file does not tell that".into()),
    };
    let Some(reply) = heard.last() else {
        return Step::Send(people(settings, phone));
    };
    match (question, judge(reply)) {
        (_, Err(failed)) => Step::Failed(failed),
        (Question::Test, Ok(_)) => Step::End(Answer::Works("the token works".into())),
        (_, Ok(body)) => {
            let name = body.pointer("/people/0/name").and_then(Value::as_str);
            Step::End(Answer::Customer(name.map(|name| Customer {
                name: name.to_owned(),
                link: String::new(),
            })))
        }
    }
}

fn judge(reply: &Reply) -> Result<Value, Failed> {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    let said = body.as_ref().and_then(|body| body.get("error")?.as_str());
    let words = said.map_or_else(
        || format!("the card file answered {}", reply.status),
        str::to_owned,
    );
    match judge_status(reply, words.clone()) {
        Some(failed) => Err(failed),
        None => body.ok_or(Failed::Later { words, after: None }),
    }
}
