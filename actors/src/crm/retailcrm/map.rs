//! Our words to RetailCRM's: a notice becomes the `event` of call/event or a record of calls/upload. Called by
//! `mod.rs`. Pure; the traps (two spellings of "not answered", the plus sign) are noted where they bite.

use std::collections::HashMap;

use chrono_tz::Tz;
use serde::Serialize;

use super::Settings;
use crate::call::record::{Direction, Notice, NoticeKind, Outcome, Record};
use crate::integration::connector::Place;

/// What the mapping needs to know of the enterprise, taken once per configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    time_zone: Tz,
    public_url: String,
    /// Line → the company's own number on it, where its name or id looks like one; `+` kept where it was.
    numbers: HashMap<String, String>,
}

impl Facts {
    /// From the enterprise and our own address.
    pub fn of(place: &Place<'_>) -> Self {
        let numbers = place
            .enterprise
            .lines
            .iter()
            .filter_map(|(line, about)| {
                Some((
                    line.clone(),
                    number_in(&about.name).or_else(|| number_in(line))?,
                ))
            })
            .collect();
        Self {
            time_zone: place.enterprise.time_zone,
            public_url: place.public_url.trim_end_matches('/').to_owned(),
            numbers,
        }
    }

    fn own_number(&self, line: &str) -> Option<String> {
        self.numbers.get(line).cloned().or_else(|| number_in(line))
    }
}

/// The field `event` of call/event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// E.164 with `+`.
    pub phone: String,
    /// in | out | hangup.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Extensions whose managers see the card.
    pub codes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_ids: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hangup_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_phone: Option<String>,
    pub call_external_id: String,
}

/// One record of the field `calls` of calls/upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// `Y-m-d H:i:s` in the enterprise's zone.
    pub date: String,
    /// in | out.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Digits only.
    pub phone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub result: &'static str,
    /// Seconds of talk.
    pub duration: i32,
    pub duration_waiting: i32,
    pub external_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_phone: Option<String>,
}

/// The pop-up, or its closing.
///
/// # Errors
/// Words when there is nobody to show it to.
pub fn event(notice: &Notice, settings: &Settings, facts: &Facts) -> Result<Event, String> {
    let record = &notice.record;
    // A hang-up goes where the pop-up was shown: that may be another list than those rung, when no dial ever came.
    let mut codes = notice.extensions.clone();
    if codes.is_empty() {
        codes.clone_from(&record.rung);
    }
    if codes.is_empty() {
        codes.extend(record.made_by.clone());
    }
    if codes.is_empty() {
        return Err("no extension was rung".into());
    }
    let mut user_ids: Vec<i64> = codes
        .iter()
        .filter_map(|code| settings.user_of(code))
        .collect();
    user_ids.dedup();
    Ok(Event {
        phone: record.phone.clone().unwrap_or_default(),
        kind: if notice.kind == NoticeKind::Hangup {
            "hangup"
        } else {
            way(record)
        },
        user_ids,
        hangup_status: (notice.kind == NoticeKind::Hangup).then(|| hangup_status(record)),
        external_phone: facts.own_number(&record.line),
        call_external_id: record.unique_id.clone(),
        codes,
    })
}

/// The history record.
pub fn history(notice: &Notice, settings: &Settings, facts: &Facts) -> Call {
    let record = &notice.record;
    let code = responsible(record);
    let answered = record.outcome == Some(Outcome::Answered);
    let linked = answered && !record.recording.is_empty() && !facts.public_url.is_empty();
    Call {
        date: record
            .received_at
            .with_timezone(&facts.time_zone)
            .format("%Y-%m-%d %H:%M:%S")
            .to_string(),
        kind: way(record),
        phone: digits(record.phone.as_deref().unwrap_or_default()),
        user_id: code.as_deref().and_then(|code| settings.user_of(code)),
        code,
        result: result(record),
        duration: record.talk_seconds.max(0),
        duration_waiting: record.wait_seconds.max(0),
        external_id: record.unique_id.clone(),
        record_url: linked.then(|| format!("{}/recordings/file/{}", facts.public_url, record.uuid)),
        external_phone: facts.own_number(&record.line).map(|number| digits(&number)),
    }
}

fn way(record: &Record) -> &'static str {
    match record.direction {
        Direction::Out => "out",
        Direction::In | Direction::Internal => "in",
    }
}

/// Whose call it was: who answered first; nobody did: who made it, else who was rung first.
fn responsible(record: &Record) -> Option<String> {
    record
        .talked
        .first()
        .or(record.made_by.as_ref())
        .or(record.rung.first())
        .cloned()
}

/// The event's spelling: "no answered".
fn hangup_status(record: &Record) -> &'static str {
    match record.outcome {
        Some(Outcome::Answered) => "answered",
        Some(Outcome::Busy) => "busy",
        Some(Outcome::Failed) => "failed",
        Some(Outcome::Lost) if !record.talked.is_empty() => "answered",
        Some(Outcome::Lost) => "failed",
        Some(Outcome::Missed) | None => "no answered",
    }
}

/// The upload's spelling: "no answer". A call whose end nobody saw is "unknown".
fn result(record: &Record) -> &'static str {
    match record.outcome {
        Some(Outcome::Answered) => "answered",
        Some(Outcome::Busy) => "busy",
        Some(Outcome::Failed) => "failed",
        Some(Outcome::Lost) => "unknown",
        Some(Outcome::Missed) | None => "no answer",
    }
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// A public number in the way people write one: nine to fifteen digits with spaces, brackets and dashes between.
fn number_in(text: &str) -> Option<String> {
    let text = text.trim();
    let written_so = text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '-' | '.'));
    let digits = digits(text);
    if !written_so || !(9..=15).contains(&digits.len()) || digits.starts_with("000") {
        return None;
    }
    Some(if text.starts_with('+') {
        format!("+{digits}")
    } else {
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::number_in;

    #[test]
    fn a_line_gives_a_number_only_when_it_looks_like_one() {
        for (text, number) in [
            ("+375 (17) 200-00-00", Some("+375172000000")),
            ("375172000000", Some("375172000000")),
            ("Sales +375172000000", None),
            ("0001367", None),
            ("000136712345", None),
            ("", None),
            ("1234567890123456", None),
        ] {
            assert_eq!(number_in(text).as_deref(), number, "{text:?}");
        }
    }
}
