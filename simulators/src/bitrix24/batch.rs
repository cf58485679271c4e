//! `batch`: up to fifty commands in one request, each of which may refer to what an earlier one gave. HTTP says 200 whatever
//! became of them; empty maps are lists. Called by the entry.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Refuse, time};
use super::entry::Caller;
use super::state::State;
use super::{methods, params};

const MOST: usize = 50;

pub(crate) async fn run(state: &State, caller: &Caller, told: &Value) -> Answer {
    let commands: Vec<(String, String)> = match told.get("cmd") {
        Some(Value::Object(map)) => map.iter().filter_map(command).collect(),
        Some(Value::Array(list)) => {
            let numbered = list.iter().enumerate();
            numbered
                .filter_map(|(at, it)| command((&at.to_string(), it)))
                .collect()
        }
        _ => Vec::new(),
    };
    if commands.len() > MOST {
        return Err(Refuse::new(
            400,
            "ERROR_BATCH_LENGTH_EXCEEDED",
            "Max batch length exceeded",
        ));
    }
    let halt = matches!(params::text(told, "halt").as_str(), "1" | "true")
        || told.get("halt") == Some(&Value::Bool(true));
    let mut parts = [
        "result",
        "result_error",
        "result_total",
        "result_next",
        "result_time",
    ]
    .map(|name| (name, Map::new()));
    for (key, line) in commands {
        let (method, query) = line.split_once('?').unwrap_or((&line, ""));
        let query = refer(query, &parts[0].1);
        let method = method.to_lowercase();
        let name = methods::name_of(&method);
        state.book().tally.request(name);
        match methods::call(state, caller, &method, &params::read(&query)).await {
            Ok(given) => {
                parts[0].1.insert(key.clone(), given.result);
                let (total, next) = (given.total, given.next);
                parts[2].1.extend(total.map(|it| (key.clone(), it.into())));
                parts[3].1.extend(next.map(|it| (key.clone(), it.into())));
                parts[4].1.insert(key, time(0.285, Some(600)));
            }
            Err(refuse) => {
                let mut book = state.book();
                let words = format!("{} {}", refuse.code, refuse.words);
                match refuse.status {
                    429 => book.tally.limited(),
                    _ if methods::is_question(name, &refuse) => book.tally.harmless(),
                    status => book.tally.refusal(name, status, words),
                }
                parts[1].1.insert(key, refuse.body());
                if halt {
                    break;
                }
            }
        }
    }
    let mut result = Map::new();
    for (name, part) in parts {
        result.insert(
            name.into(),
            if part.is_empty() {
                json!([])
            } else {
                part.into()
            },
        );
    }
    Ok(Value::Object(result).into())
}

fn command((key, line): (&String, &Value)) -> Option<(String, String)> {
    Some((key.clone(), line.as_str()?.to_owned()))
}

/// Puts in what `$result[key][FIELD]` stands for; what stands for nothing becomes nothing.
fn refer(query: &str, given: &Map<String, Value>) -> String {
    let mut text = String::new();
    let mut rest = query;
    while let Some(at) = rest.find("$result[") {
        text.push_str(&rest[..at]);
        rest = &rest[at + "$result".len()..];
        let mut value = Some(&Value::Null);
        let mut first = true;
        while let Some(inner) = rest.strip_prefix('[') {
            let Some((name, after)) = inner.split_once(']') else {
                break;
            };
            value = match first {
                true => given.get(name),
                false => value.and_then(|value| match value {
                    Value::Array(list) => list.get(name.parse::<usize>().ok()?),
                    other => other.get(name),
                }),
            };
            first = false;
            rest = after;
        }
        let found = match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let encoded = serde_urlencoded::to_string([("", found)]).unwrap_or_default();
        text.push_str(encoded.trim_start_matches('='));
    }
    text.push_str(rest);
    text
}
