//! Our words to MoySklad's: what a notice does to the call and to the cards on employees' screens. Called by `mod.rs`. Pure.
//! Times are Moscow's, whatever the enterprise's own zone.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use chrono_tz::Europe::Moscow;
use serde_json::{Map, Value, json};

use crate::call::record::{Direction, Notice, NoticeKind, Outcome, Record};
use crate::integration::connector::Place;

/// How times are written.
const TIME: &str = "%Y-%m-%d %H:%M:%S%.3f";

/// What the mapping needs to know of the enterprise, taken once per configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    public_url: String,
    /// By whose habits numbers without a country are read.
    pub country: String,
}

impl Facts {
    /// From the enterprise and our own address.
    pub fn of(place: &Place<'_>) -> Self {
        Self {
            public_url: place.public_url.trim_end_matches('/').to_owned(),
            country: place.enterprise.country.clone(),
        }
    }

    /// Where the call's recording is heard; `None` when there is none.
    pub fn link(&self, record: &Record) -> Option<String> {
        let heard = was_answered(record) && !record.recording.is_empty();
        (heard && !self.public_url.is_empty())
            .then(|| format!("{}/recordings/file/{}", self.public_url, record.uuid))
    }
}

/// The body that creates the call: what is known at this notice, with its commands.
pub fn create(notice: &Notice, facts: &Facts) -> Value {
    let record = &notice.record;
    let mut body = json!({
        "externalId": record.unique_id,
        "number": record.phone,
        "isIncoming": record.direction != Direction::Out,
        "startTime": moscow(record.received_at),
    });
    merge(&mut body, told(notice, true));
    if is_history(notice) {
        body["endTime"] = json!(end(record, ""));
        if let Some(link) = facts.link(record) {
            body["recordUrl"] = json!([link]);
        }
    }
    body
}

/// The body that asks whether there is the call, and tells it what cannot be wrong.
pub fn ask(notice: &Notice) -> Value {
    told(notice, false)
}

/// The body that brings the call, which began then, to what it is at this notice, but for the recording: links are added
/// each time they are sent, so it is asked first whether there is one.
pub fn fill_in(notice: &Notice, start: &str) -> Value {
    let mut body = told(notice, false);
    if is_history(notice) {
        body["endTime"] = json!(end(&notice.record, start));
    }
    body
}

fn told(notice: &Notice, is_new: bool) -> Value {
    let mut body = json!({});
    if let Some(extension) = whose(notice) {
        body["extension"] = json!(extension);
    }
    let commands = commands(notice, is_new);
    if !commands.is_empty() {
        body["events"] = json!(commands);
    }
    body
}

/// What the notice says to employees' screens: on ringing the cards open; on an answer one's timer starts and the others
/// close; at the end all close. Of a new call no card is open yet.
pub fn commands(notice: &Notice, is_new: bool) -> Vec<Value> {
    let record = &notice.record;
    let mut said: Vec<(&str, Option<&str>)> = Vec::new();
    match notice.kind {
        NoticeKind::Dial => {
            let rung = notice.extensions.iter();
            said.extend(rung.map(|one| ("SHOW", Some(one.as_str()))));
        }
        NoticeKind::Bridge => {
            let answered = |one: &&String| notice.extensions.contains(one);
            for extension in &notice.extensions {
                // A call that was picked up elsewhere rang at another's phone.
                let rang =
                    record.rung.contains(extension) || record.made_by.as_ref() == Some(extension);
                if is_new || !rang {
                    said.push(("SHOW", Some(extension)));
                }
                said.push(("STARTTIME", Some(extension)));
            }
            let others = record.rung.iter().chain(&record.talked);
            let others = others.filter(|_| !is_new);
            let mut closed: Vec<&String> = others.filter(|one| !answered(one)).collect();
            closed.sort_unstable();
            closed.dedup();
            said.extend(closed.into_iter().map(|one| ("HIDE", Some(one.as_str()))));
        }
        NoticeKind::Hangup => said.push(("HIDE_ALL", None)),
        _ => {}
    }
    let first = sequence(notice);
    let said = said
        .into_iter()
        .filter(|(_, whom)| whom.is_none_or(is_extension));
    (0..)
        .zip(said)
        .map(|(place, (kind, extension))| {
            let mut command = json!({"eventType": kind, "sequence": first + i64::min(place, 99)});
            if let Some(extension) = extension {
                command["extension"] = json!(extension);
            }
            command
        })
        .collect()
}

/// Commands are numbered, and one that comes with a lower number than another is taken for late. Our numbers follow the
/// call's events, so they grow without being kept, and a repeated command has the number it had.
fn sequence(notice: &Notice) -> i64 {
    let kind = match notice.kind {
        NoticeKind::Dial => 1,
        NoticeKind::Bridge => 2,
        NoticeKind::Hangup => 3,
        _ => 4,
    };
    i64::from(notice.record.events_count) * 1_000 + kind * 100
}

/// Whose call it is, told at its end and not before: what was filled in once stays, and late events may still tell who
/// answered first. Nobody did: who made it, or the only one whose phone rang.
fn whose(notice: &Notice) -> Option<String> {
    let record = &notice.record;
    let ours = |all: &[String]| -> Vec<String> {
        let ours = all.iter().filter(|one| is_extension(one));
        ours.cloned().collect()
    };
    let only = Some(ours(&record.rung)).filter(|all| all.len() == 1);
    let first = ours(&record.talked).into_iter().next();
    let whose = first.or_else(|| record.made_by.clone());
    let whose = whose.or_else(|| only.and_then(|mut all| all.pop()));
    whose.filter(|_| is_history(notice))
}

/// A call may be forwarded to a mobile, and that is nobody's screen.
fn is_extension(text: &str) -> bool {
    (2..=5).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit())
}

/// When a call ended that began then as MoySklad has it: a late event may have told us of another beginning, and what was
/// filled in stays; so the length is right in any case. How MoySklad tells a missed call is not documented; one that nobody
/// answered is given no length.
fn end(record: &Record, start: &str) -> String {
    let begun = NaiveDateTime::parse_from_str(start, "%Y-%m-%d %H:%M:%S%.f")
        .unwrap_or_else(|_| record.received_at.with_timezone(&Moscow).naive_local());
    let seconds = i64::from(record.wait_seconds) + i64::from(record.talk_seconds);
    let length = match record.ended_at {
        _ if !was_answered(record) => Duration::zero(),
        Some(ended) => (ended - record.received_at).max(Duration::zero()),
        None => Duration::seconds(seconds),
    };
    (begun + length).format(TIME).to_string()
}

/// A lost call is one whose end nobody saw.
fn was_answered(record: &Record) -> bool {
    record.outcome == Some(Outcome::Answered) || !record.talked.is_empty()
}

/// Whether it is about the ended call: its history, or the recording that came later than that.
pub fn is_history(notice: &Notice) -> bool {
    matches!(notice.kind, NoticeKind::Upload | NoticeKind::Recording)
}

/// `2026-03-01 14:05:09.000`
pub fn moscow(at: DateTime<Utc>) -> String {
    let there = at.with_timezone(&Moscow);
    there.format(TIME).to_string()
}

fn merge(body: &mut Value, more: Value) {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend::<Map<String, Value>>(more);
    }
}
