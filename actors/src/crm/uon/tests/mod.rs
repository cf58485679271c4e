//! What U-ON is told, as a person reads it, what its answers mean, and what is done after a try that was cut off.

mod clicks;
mod popup;
mod questions;
mod upload;

use serde_json::json;

use super::*;
use crate::call::record::{Outcome, Record};
use crate::integration::sample;

const USERS: &str = include_str!("../fixtures/users.json");
const MANAGERS: &str = include_str!("../fixtures/managers.json");
const NOBODY: &str = r#"{"result":404,"message":"Not found"}"#;

fn connector_with(more: Value) -> Uon {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    let mut settings = json!({
        "api_key": "K0000000000000000001", "cabinet": "id12345", "address_key": "addr3ss",
        "user_extensions": {"2": "150", "3": "151"},
    });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    Uon::new(&place, &settings).unwrap()
}

fn connector() -> Uon {
    connector_with(json!({}))
}

fn ok(body: &str) -> Reply {
    Reply::new(200, body)
}

fn nobody() -> Reply {
    Reply::new(404, NOBODY)
}

fn taken() -> Reply {
    ok(r#"{"result":200,"id":"417"}"#)
}

/// A conversation with these answers, from this memory on: what was sent and kept, and how it ended or what is asked
/// next. Comes with the memory it left.
fn talk(uon: &Uon, notice: &Notice, memory: &Value, answers: &[Reply]) -> (String, Value) {
    let before = memory.get("talk").and_then(Value::as_u64).unwrap_or(0);
    let mut known = Known {
        talk: u32::try_from(before).unwrap() + 1,
        memory: memory.clone(),
        ..Known::default()
    };
    let (mut text, mut heard) = (String::new(), Vec::new());
    let mut answers = answers.iter();
    loop {
        match uon.deliver(notice, &known, &heard) {
            Step::Send(request) => {
                text.push_str(&request.shown());
                text.push('\n');
                match answers.next() {
                    Some(answer) => heard.push(answer.clone()),
                    None => return (text, known.memory),
                }
            }
            Step::Keep(memory) => {
                text.push_str(&format!("keep {memory}\n"));
                known.memory = memory;
                heard.clear();
            }
            end => {
                text.push_str(&format!("{end:?}\n"));
                return (text, known.memory);
            }
        }
    }
}

fn told(uon: &Uon, notice: &Notice, answers: &[Reply]) -> String {
    talk(uon, notice, &Value::Null, answers).0
}
