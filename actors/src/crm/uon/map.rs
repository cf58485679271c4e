//! Our words to U-ON's: a notice becomes the text of a pop-up, a row of the history, a client or a lead. Called by the
//! conversations. Pure. Texts are in the enterprise's language, because managers read them in their cabinet.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::api::{Form, Person, digits};
use super::settings::Settings;
use crate::call::record::{Direction, Notice, Outcome, Record};
use crate::integration::connector::Place;

/// Stands between the parts of a note.
pub const BETWEEN: &str = " · ";

/// What the mapping needs to know of the enterprise, taken once per configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    public_url: String,
    time_zone: Tz,
    english: bool,
    /// Lines that have a name.
    lines: HashMap<String, String>,
}

impl Facts {
    /// From the enterprise and our own address.
    pub fn of(place: &Place<'_>, moscow: bool) -> Self {
        let enterprise = place.enterprise;
        let lines = enterprise.lines.iter();
        Self {
            public_url: place.public_url.trim_end_matches('/').to_owned(),
            time_zone: if moscow {
                chrono_tz::Europe::Moscow
            } else {
                enterprise.time_zone
            },
            english: enterprise.language == "en",
            lines: lines
                .filter(|(_, about)| !about.name.is_empty())
                .map(|(line, about)| (line.clone(), about.name.clone()))
                .collect(),
        }
    }

    fn say(&self, russian: &'static str, english: &'static str) -> &'static str {
        if self.english { english } else { russian }
    }

    fn line<'a>(&'a self, record: &'a Record) -> &'a str {
        self.lines.get(&record.line).unwrap_or(&record.line)
    }
}

/// The text of a pop-up, in the few tags that U-ON draws.
///
pub fn popup(
    notice: &Notice,
    person: Option<&Person>,
    settings: &Settings,
    facts: &Facts,
) -> String {
    let record = &notice.record;
    // The host told of no ringing: by now the call is over.
    let head = if notice.synthetic {
        facts.say("Был звонок", "There was a call")
    } else {
        facts.say("Входящий звонок", "Incoming call")
    };
    let phone = escaped(record.phone.as_deref().unwrap_or_default());
    let who = match person {
        None => facts
            .say("Номера нет в U-ON", "Not known to U-ON")
            .to_owned(),
        Some(person) => {
            let name = match person.name.as_str() {
                "" => facts.say("Клиент без имени", "A client without a name"),
                name => name,
            };
            let name = escaped(name);
            match settings.card(person.id) {
                Some(card) => format!(
                    "<a href=\"{}\" target=\"_blank\">{name}</a>",
                    escaped(&card)
                ),
                None => name,
            }
        }
    };
    let mut text = format!("<b>{head}</b><br/>{phone}<br/>{who}");
    let line = facts.line(record);
    if !line.is_empty() {
        let to = facts.say("На линию", "To the line");
        text.push_str(&format!("<br/>{to}: {}", escaped(line)));
    }
    text
}

/// A row of the history. The note ends with our unique id: by it the row is known again.
pub fn call(record: &Record, manager: Option<i64>, facts: &Facts) -> Form {
    let start = record.received_at.with_timezone(&facts.time_zone);
    let mut form = vec![
        ("phone", digits(record.phone.as_deref().unwrap_or_default())),
        ("start", start.format("%Y-%m-%d %H:%M:%S").to_string()),
        (
            "direction",
            if record.direction == Direction::Out {
                "1".into()
            } else {
                "2".into()
            },
        ),
        ("duration", record.talk_seconds.max(0).to_string()),
    ];
    if let Some(id) = manager {
        form.push(("manager_id", id.to_string()));
    }
    if let Some(link) = link(record, facts) {
        form.push(("record_link", link));
    }
    form.push(("note", note(record, facts)));
    form
}

/// A client of whom nothing but the number is known.
pub fn client(record: &Record, manager: Option<i64>) -> Form {
    let mut form = someone(record);
    form.extend(manager.map(|id| ("u_manager_id", id.to_string())));
    form
}

/// A lead of such a one.
pub fn lead(record: &Record, manager: Option<i64>, facts: &Facts) -> Form {
    let mut form = someone(record);
    form.push(("source", facts.say("Звонок", "Call").into()));
    form.push(("note", note(record, facts)));
    form.extend(manager.map(|id| ("r_u_id", id.to_string())));
    form
}

fn someone(record: &Record) -> Form {
    let phone = record.phone.clone().unwrap_or_default();
    vec![("u_phone", digits(&phone)), ("u_name", phone)]
}

/// Whose call it was: who answered first; nobody did: who made it, else who was rung first.
pub fn responsible(record: &Record) -> Option<&str> {
    let first = record.talked.first().or(record.made_by.as_ref());
    first.or(record.rung.first()).map(String::as_str)
}

/// How it ended, with whom, over which line, and our unique id: U-ON has no fields for these.
fn note(record: &Record, facts: &Facts) -> String {
    let mut parts = vec![outcome(record, facts).to_owned()];
    let people = record.people();
    if !people.is_empty() {
        // One after another, or all that were rung.
        let between = if record.talked.is_empty() {
            ", "
        } else {
            " → "
        };
        parts.push(people.join(between));
    }
    let line = facts.line(record);
    if !line.is_empty() {
        parts.push(line.to_owned());
    }
    parts.push(record.unique_id.clone());
    parts.join(BETWEEN)
}

fn outcome(record: &Record, facts: &Facts) -> &'static str {
    match record.outcome {
        Some(Outcome::Answered) => facts.say("Разговор", "Answered"),
        Some(Outcome::Busy) => facts.say("Занято", "Busy"),
        Some(Outcome::Failed) => facts.say("Не удалось дозвониться", "Could not be connected"),
        Some(Outcome::Lost) if !record.talked.is_empty() => facts.say("Разговор", "Answered"),
        Some(Outcome::Lost) => facts.say("Завершение не получено", "No end was told"),
        Some(Outcome::Missed) | None => facts.say("Не отвечен", "Not answered"),
    }
}

fn link(record: &Record, facts: &Facts) -> Option<String> {
    let heard = record.outcome == Some(Outcome::Answered) && !record.recording.is_empty();
    (heard && !facts.public_url.is_empty())
        .then(|| format!("{}/recordings/file/{}", facts.public_url, record.uuid))
}

/// Safe between tags and in an attribute: names and numbers are written by strangers.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
