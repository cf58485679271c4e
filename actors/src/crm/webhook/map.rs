//! Our notice as an event of the published schema (docs/webhook-events.schema.json). Pure. A field here is a promise to
//! programs we do not know: it may be added, never renamed, and the schema says what it means.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::call::record::{Direction, Notice, NoticeKind, Record};
use crate::integration::connector::Place;

/// What is told of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Started,
    Ringing,
    Answered,
    Transferred,
    Ended,
    RecordingReady,
}

impl Type {
    /// In the order in which a call may need them.
    pub const ALL: [Type; 6] = [
        Type::Started,
        Type::Ringing,
        Type::Answered,
        Type::Transferred,
        Type::Ended,
        Type::RecordingReady,
    ];

    /// The word in the event's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::Started => "call.started",
            Type::Ringing => "call.ringing",
            Type::Answered => "call.answered",
            Type::Transferred => "call.transferred",
            Type::Ended => "call.ended",
            Type::RecordingReady => "recording.ready",
        }
    }

    /// The setting that switches it off.
    pub fn flag(self) -> &'static str {
        match self {
            Type::Started => "send_started",
            Type::Ringing => "send_ringing",
            Type::Answered => "send_answered",
            Type::Transferred => "send_transferred",
            Type::Ended => "send_ended",
            Type::RecordingReady => "send_recording",
        }
    }

    /// What a notice is, among these. Who answers first answers; whoever follows has been transferred to.
    pub fn of(notice: &Notice) -> Type {
        match notice.kind {
            NoticeKind::Start => Type::Started,
            NoticeKind::Dial => Type::Ringing,
            NoticeKind::Bridge if before(notice).is_some() => Type::Transferred,
            NoticeKind::Bridge => Type::Answered,
            NoticeKind::Hangup => Type::Ended,
            NoticeKind::Upload | NoticeKind::Recording => Type::RecordingReady,
        }
    }
}

/// What the mapping needs to know of the enterprise, taken once per configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    pub enterprise: String,
    /// No slash at the end; empty when not configured.
    pub public_url: String,
}

impl Facts {
    /// From the enterprise and our own address.
    pub fn of(place: &Place<'_>) -> Self {
        Self {
            enterprise: place.enterprise.number.clone(),
            public_url: place.public_url.trim_end_matches('/').to_owned(),
        }
    }
}

/// A body.
#[derive(Debug, Serialize)]
pub struct Event<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it happened; the time of sending is in a header.
    pub timestamp: String,
    pub data: Call<'a>,
}

/// The call as it stood at that moment.
#[derive(Debug, Serialize)]
pub struct Call<'a> {
    pub enterprise: &'a str,
    /// Ours; the same in all events of a call.
    pub call_id: String,
    /// Asterisk's.
    pub unique_id: &'a str,
    pub linked_id: &'a str,
    pub direction: &'static str,
    /// E.164 with `+`.
    pub phone: Option<&'a str>,
    pub line: &'a str,
    /// Whom this event is about: whose phone rings, who answered.
    pub extensions: &'a [String],
    pub transferred_from: Option<&'a str>,
    pub rung: &'a [String],
    pub talked: &'a [String],
    pub made_by: Option<&'a str>,
    pub started_at: String,
    pub answered_at: Option<String>,
    pub ended_at: Option<String>,
    /// answered, missed, busy, failed, lost; nothing before the end.
    pub outcome: Option<&'static str>,
    pub wait_seconds: i32,
    pub talk_seconds: i32,
    pub hung_up_by: Option<&'a str>,
    pub recording_url: Option<String>,
    pub request_id: Option<&'a str>,
}

/// The event.
///
/// # Errors
/// Words when there is nothing to tell.
pub fn event<'a>(notice: &'a Notice, facts: &'a Facts) -> Result<Event<'a>, String> {
    let record = &notice.record;
    let kind = Type::of(notice);
    let recording_url = recording(record, facts).filter(|_| kind == Type::RecordingReady);
    if kind == Type::RecordingReady && recording_url.is_none() {
        return Err(if record.recording.is_empty() || record.talked.is_empty() {
            "the call was not recorded".into()
        } else {
            "our own public address is not configured: there is no link to the recording".into()
        });
    }
    Ok(Event {
        kind: kind.as_str(),
        timestamp: time(happened(notice, kind)),
        data: Call {
            enterprise: &facts.enterprise,
            call_id: record.uuid.to_string(),
            unique_id: &record.unique_id,
            linked_id: &record.linked_id,
            direction: match record.direction {
                Direction::Out => "out",
                Direction::In | Direction::Internal => "in",
            },
            phone: record.phone.as_deref(),
            line: &record.line,
            extensions: match kind {
                Type::RecordingReady => &[],
                _ => &notice.extensions,
            },
            transferred_from: match kind {
                Type::Transferred => before(notice),
                _ => None,
            },
            rung: &record.rung,
            talked: &record.talked,
            made_by: record.made_by.as_deref(),
            started_at: time(record.received_at),
            answered_at: record.answered_at.map(time),
            ended_at: record.ended_at.map(time),
            outcome: record.outcome.map(|outcome| outcome.as_str()),
            wait_seconds: record.wait_seconds.max(0),
            talk_seconds: record.talk_seconds.max(0),
            hung_up_by: filled(&record.hung_up_by),
            recording_url,
            request_id: filled(&record.request_id),
        },
    })
}

/// The message's id: the same for every try and for a replay, so that a receiver knows what it has. It follows from
/// what is told, not from when; a call that ended again after it went on is a message of its own.
pub fn id(notice: &Notice) -> String {
    let record = &notice.record;
    let kind = Type::of(notice);
    let which = match kind {
        Type::Ended => record.ended_at.map(time).unwrap_or_default(),
        _ => notice.extensions.join(","),
    };
    let which = if kind == Type::RecordingReady {
        record.recording.clone()
    } else {
        which
    };
    let sum = Sha256::digest(format!("{}\n{}\n{which}", record.uuid, kind.as_str()));
    format!("msg_{}", hex::encode(&sum[..16]))
}

/// Who talked just before the one who answered now.
fn before(notice: &Notice) -> Option<&str> {
    let now = notice.extensions.first()?;
    let talked = &notice.record.talked;
    let place = talked.iter().position(|one| one == now)?;
    talked.get(place.checked_sub(1)?).map(String::as_str)
}

fn happened(notice: &Notice, kind: Type) -> DateTime<Utc> {
    let record = &notice.record;
    // The call's own times are the host's; of what has none, the moment when we heard of it is the nearest.
    match kind {
        _ if notice.kind == NoticeKind::Recording => None,
        Type::Started => Some(record.received_at),
        Type::Ringing => None,
        Type::Answered => record.answered_at,
        Type::Transferred => None,
        Type::Ended | Type::RecordingReady => record.ended_at,
    }
    .or(notice.at)
    .unwrap_or(record.received_at)
}

fn recording(record: &Record, facts: &Facts) -> Option<String> {
    // A host names a file before it knows whether anybody will talk.
    let recorded = !record.recording.is_empty() && !record.talked.is_empty();
    (recorded && !facts.public_url.is_empty())
        .then(|| format!("{}/recordings/file/{}", facts.public_url, record.uuid))
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
