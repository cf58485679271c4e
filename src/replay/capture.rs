//! Reads capture files and the outcomes expected of them. Called by `replay::run`; changes nothing of a body but the
//! token, which is put in when the event is sent.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::web::events::token::hide;

/// One file: what one host sent while one thing happened.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name without its ending.
    pub name: String,
    /// In the order of the file.
    pub events: Vec<Event>,
    /// The token the host signed with, as most events of the file have it.
    pub token: String,
    /// What it must come to; `None` when expected.json does not say.
    pub expected: Option<Vec<Expected>>,
}

impl Scenario {
    /// Seconds from the first event to the last.
    pub fn length(&self) -> f64 {
        match (self.events.first(), self.events.last()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => 0.0,
        }
    }

    /// The longest pause between two events, in seconds.
    pub fn longest_pause(&self) -> f64 {
        self.events
            .windows(2)
            .map(|pair| pair[1].at - pair[0].at)
            .fold(0.0, f64::max)
    }

    /// Whether a call of it ends without a hangup.
    pub fn expects_lost(&self) -> bool {
        self.expected
            .iter()
            .flatten()
            .any(|call| call.result.as_deref() == Some("lost"))
    }
}

/// One event as it was captured.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place in the file, from 0.
    pub index: usize,
    /// Seconds since the scenario's start.
    pub at: f64,
    pub path: String,
    pub headers: Vec<(String, String)>,
    /// Byte for byte.
    pub body: Vec<u8>,
    /// The capture holds the body as text that need not be JSON: a refusal of it may be right.
    pub hostile: bool,
    /// What the listener of the recording answered, where it was written down.
    pub answered: Option<u16>,
}

impl Event {
    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.as_str())
    }

    /// What makes it the same event as another: its id where the host gives one, else its bytes; within the kind and
    /// the unique id.
    pub fn identity(&self) -> Identity {
        let told = Told::read(&self.body);
        let header = self.header("X-Event-Id").unwrap_or_default().trim();
        let id = if told.event_id.is_empty() {
            header.to_owned()
        } else {
            told.event_id
        };
        Identity::new(
            self.path.trim_start_matches('/'),
            &told.unique_id,
            &id,
            &String::from_utf8_lossy(&self.body),
        )
    }

    /// The same event signed with another token; nothing else of it changes.
    pub fn signed(&self, old: &str, new: &str) -> Event {
        let mut event = self.clone();
        for (name, value) in &mut event.headers {
            if name.eq_ignore_ascii_case("Token") && value == old {
                new.clone_into(value);
            }
        }
        event.body = with_token(&event.body, old, new);
        event
    }
}

/// See [`Event::identity`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    kind: String,
    unique_id: String,
    id_or_body: String,
}

impl Identity {
    /// `event_id` may be empty: then the body decides.
    pub fn new(kind: &str, unique_id: &str, event_id: &str, body: &str) -> Identity {
        // The journal has no tokens.
        let body = hide(body);
        let id_or_body = if event_id.is_empty() {
            &*body
        } else {
            event_id
        };
        Identity {
            kind: kind.to_owned(),
            unique_id: unique_id.to_owned(),
            id_or_body: id_or_body.to_owned(),
        }
    }

    /// The kind, for words.
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

/// The ids of a body, read as leniently as the server reads them.
#[derive(Default)]
pub struct Told {
    pub unique_id: String,
    pub linked_id: String,
    event_id: String,
}

impl Told {
    /// All empty where the body is no JSON object.
    pub fn read(body: &[u8]) -> Told {
        let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(body) else {
            return Told::default();
        };
        let text = |name: &str| match fields.get(name) {
            Some(serde_json::Value::String(text)) => text.trim().to_owned(),
            Some(serde_json::Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Told {
            unique_id: text("UniqueId"),
            linked_id: text("LinkedId"),
            event_id: text("EventId"),
        }
    }
}

/// What a call must come to. A field that expected.json leaves out is not compared.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Expected {
    pub direction: Option<String>,
    #[serde(deserialize_with = "given")]
    pub phone: Option<Option<String>>,
    pub result: Option<String>,
    pub rung: Option<Vec<String>>,
    pub talked: Option<Vec<String>>,
    #[serde(deserialize_with = "given")]
    pub made_by: Option<Option<String>>,
    pub crm_history: Option<usize>,
    pub wait_s: Option<i64>,
    pub talk_s: Option<i64>,
}

/// Tells a `null` from a field that is not there.
fn given<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(input).map(Some)
}

#[derive(Deserialize)]
struct Line<'a> {
    at: f64,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(default)]
    answered: Option<u16>,
}

/// All captures of a folder by name, with what is expected of them; and names that are expected but have no file.
///
/// # Errors
/// In words that name the file and the line.
pub fn read_folder(folder: &Path) -> anyhow::Result<(Vec<Scenario>, Vec<String>)> {
    let path = folder.join("expected.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut expected: BTreeMap<String, Vec<Expected>> =
        serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    let mut scenarios = Vec::new();
    for path in files {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let events = read_events(&text).with_context(|| format!("{}", path.display()))?;
        scenarios.push(Scenario {
            token: token_of(&events),
            expected: expected.remove(&name),
            events,
            name,
        });
    }
    anyhow::ensure!(
        !scenarios.is_empty(),
        "{} holds no capture (*.jsonl)",
        folder.display()
    );
    Ok((scenarios, expected.into_keys().collect()))
}

fn read_events(text: &[u8]) -> anyhow::Result<Vec<Event>> {
    let mut events = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = || format!("line {}", number + 1);
        let line: Line<'_> = serde_json::from_slice(line).with_context(place)?;
        let raw = line.body.get();
        let hostile = raw.starts_with('"');
        events.push(Event {
            index: events.len(),
            at: line.at,
            path: line.path,
            headers: line.headers.into_iter().collect(),
            body: if hostile {
                unquote(raw).with_context(place)?
            } else {
                raw.as_bytes().to_vec()
            },
            hostile,
            answered: line.answered,
        });
    }
    Ok(events)
}

/// The bytes a JSON string stands for. A lone surrogate U+DC80 to U+DCFF stands for one byte that is no UTF-8, as
/// Python writes it (surrogateescape).
fn unquote(raw: &str) -> anyhow::Result<Vec<u8>> {
    struct Bytes;
    impl serde::de::Visitor<'_> for Bytes {
        type Value = Vec<u8>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string")
        }
        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
    // Only as bytes does serde_json let a lone surrogate through: as three bytes, ED B2 80 to ED B3 BF.
    let mut reader = serde_json::Deserializer::from_str(raw);
    let told = reader.deserialize_bytes(Bytes)?;
    let mut bytes = Vec::with_capacity(told.len());
    let mut rest = told.as_slice();
    while let Some((first, after)) = rest.split_first() {
        match rest {
            [0xED, second @ (0xB2 | 0xB3), third, tail @ ..] => {
                bytes.push(((second & 0x03) << 6) | (third & 0x3F));
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    Ok(bytes)
}

/// The token most events carry, in the header or in the body.
fn token_of(events: &[Event]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in events {
        let token = event.header("Token").map(str::to_owned).or_else(|| {
            let body: serde_json::Value = serde_json::from_slice(&event.body).ok()?;
            Some(body.get("Token")?.as_str()?.to_owned())
        });
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            *counts.entry(token).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(token, _)| token)
        .unwrap_or_default()
}

/// Puts the new token where the body has `"Token": "old"`; the text around stays as it is.
fn with_token(body: &[u8], old: &str, new: &str) -> Vec<u8> {
    const NAME: &[u8] = b"\"Token\"";
    let quoted = format!("\"{old}\"").into_bytes();
    let mut out = Vec::with_capacity(body.len() + new.len());
    let mut rest = body;
    while let Some(at) = rest.windows(NAME.len()).position(|part| part == NAME) {
        let mut value = at + NAME.len();
        while rest
            .get(value)
            .is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b':')
        {
            value += 1;
        }
        out.extend_from_slice(&rest[..value]);
        rest = &rest[value..];
        if let Some(after) = rest.strip_prefix(quoted.as_slice()) {
            out.push(b'"');
            out.extend_from_slice(new.as_bytes());
            out.push(b'"');
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_of_a_body_changes() {
        let body = br#"{"Token" :  "42", "Phone": "42",  "UniqueId":"1.2", "x": "\u0041"}"#;
        let signed = with_token(body, "42", "42-7");
        assert_eq!(
            String::from_utf8(signed).unwrap(),
            r#"{"Token" :  "42-7", "Phone": "42",  "UniqueId":"1.2", "x": "\u0041"}"#
        );
        assert_eq!(with_token(body, "43", "42-7"), body);
        assert_eq!(with_token(b"\"Token", "4", "5"), b"\"Token");
    }

    #[test]
    fn a_body_is_sent_as_it_was_written() {
        let text = br#"{"at": 0.5, "path": "/start", "headers": {"Token": "7"}, "body": {"Token":"7",  "UniqueId": "a\u0062"}, "answered": 200}
{"at": 1, "path": "/dial", "headers": {}, "body": "not \"JSON\" \udcff\u00e9", "answered": 400}
"#;
        let events = read_events(text).unwrap();
        assert_eq!(events[0].body, br#"{"Token":"7",  "UniqueId": "a\u0062"}"#);
        assert!(!events[0].hostile && events[1].hostile);
        assert_eq!(events[1].body, b"not \"JSON\" \xff\xc3\xa9");
        assert_eq!(token_of(&events), "7");
        assert_eq!(
            events[0].identity(),
            Identity::new(
                "start",
                "ab",
                "",
                r#"{"Token":"7",  "UniqueId": "a\u0062"}"#
            )
        );
        assert!(read_events(b"{\"at\": 1").is_err());
    }

    #[test]
    fn a_null_is_an_expectation_and_an_absent_field_is_none() {
        let calls: Vec<Expected> = serde_json::from_str(
            r#"[{"phone": null, "result": "missed"}, {"made_by": "150", "note": "x"}]"#,
        )
        .unwrap();
        assert_eq!(calls[0].phone, Some(None));
        assert_eq!(calls[0].made_by, None);
        assert_eq!(calls[1].phone, None);
        assert_eq!(calls[1].made_by, Some(Some("150".into())));
    }
}
