//! What a call came to: the summary that the state machine yields, the store keeps, the pages show and
//! the connectors are told. Plain values; nothing here decides anything.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Our own number of a logical call; grows with time. Not the host's unique id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub i64);

/// Which way the client's call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    In,
    Out,
    Internal,
}

impl Direction {
    /// The word in the `calls` table, in JSON and in pages' keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::Internal => "internal",
        }
    }
}

/// Where a call is now; the states of the machine drawn in `state.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// `start` seen.
    Ringing,
    /// `dial` seen: phones of extensions ring.
    Dialing,
    /// `bridge` seen: somebody talks with the client.
    Talking,
    /// The client waits inside a talk (hold or parking, where bridge events show it).
    Held,
    /// Every leg has hung up, or the call was given up as lost.
    Ended,
}

impl Phase {
    /// The word in JSON and in pages' keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Ringing => "ringing",
            Phase::Dialing => "dialing",
            Phase::Talking => "talking",
            Phase::Held => "held",
            Phase::Ended => "ended",
        }
    }
}

/// What an ended call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Anyone talked with the client.
    Answered,
    /// Nobody did; a caller or an agent who gave up included.
    Missed,
    Busy,
    /// No such number, line down.
    Failed,
    /// No hangup ever came.
    Lost,
}

impl Outcome {
    /// The word in the `calls` table, in JSON and in pages' keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Missed => "missed",
            Outcome::Busy => "busy",
            Outcome::Failed => "failed",
            Outcome::Lost => "lost",
        }
    }
}

/// One logical call as it stands: complete at any moment, final when `phase` is `Ended`.
///
/// Times are UTC, from the host's clock where it can be trusted, else the time of arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub call: CallId,
    pub enterprise: i64,
    /// The unguessable public id: recording links.
    pub uuid: uuid::Uuid,
    /// The unique id that names the call towards CRMs and people.
    pub unique_id: String,
    pub linked_id: String,
    pub direction: Direction,
    pub phase: Phase,
    pub outcome: Option<Outcome>,
    /// E.164 with `+`; the extension called on internal calls; `None` when withheld or not a number.
    pub phone: Option<String>,
    pub raw_phone: String,
    /// The external line (trunk), may be empty.
    pub line: String,
    /// Extensions rung, in order of first ringing.
    pub rung: Vec<String>,
    /// Who talked with the client, in order.
    pub talked: Vec<String>,
    /// Who talks with the client at this moment.
    pub talking: Option<String>,
    /// The extension that made an outgoing or internal call.
    pub made_by: Option<String>,
    pub received_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// First event to first answer, or to the end. Seconds.
    pub wait_seconds: i32,
    /// First answer to the end, hold and transfers included. Seconds, never negative.
    pub talk_seconds: i32,
    /// The recording's file name as the host told it, may be empty.
    pub recording: String,
    /// "client", "agent" or "".
    pub hung_up_by: String,
    /// The click-to-call request this call follows, may be empty.
    pub request_id: String,
    pub events_count: i32,
    /// "live" or "recovery".
    pub data_source: String,
}

impl Record {
    /// Extensions a person would name for this call: who talked, else who made it, else who was rung.
    pub fn people(&self) -> Vec<&str> {
        let list: Vec<&str> = if self.talked.is_empty() {
            self.rung.iter().map(String::as_str).collect()
        } else {
            self.talked.iter().map(String::as_str).collect()
        };
        match (&self.made_by, list.is_empty()) {
            (Some(extension), true) => vec![extension.as_str()],
            _ => list,
        }
    }
}

/// What one integration is to be told about one call; the payload of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub kind: NoticeKind,
    /// Extensions this notice is about: newly rung ones for a dial, who answered for a bridge.
    pub extensions: Vec<String>,
    /// True when the host never sent the dial and we tell the CRM of it at the hangup.
    #[serde(default)]
    pub synthetic: bool,
    /// When it came to that, for kinds that tell of each moment; `None` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// The call as it stood when the notice was written.
    pub record: Record,
}

/// The kinds of notices, in the order in which one call may need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// The call began; nobody's phone rings yet.
    Start,
    /// Phones ring: the pop-up.
    Dial,
    /// Somebody answered, or another extension took over.
    Bridge,
    /// The call is over: close the pop-up.
    Hangup,
    /// The history record, with duration, result and recording.
    Upload,
    /// The recording became known when the history had gone out without it.
    Recording,
}

impl NoticeKind {
    /// The word in `deliveries.kind` (before a `:`) and in `integration_logs.event_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            NoticeKind::Start => "start",
            NoticeKind::Dial => "dial",
            NoticeKind::Bridge => "bridge",
            NoticeKind::Hangup => "hangup",
            NoticeKind::Upload => "upload",
            NoticeKind::Recording => "recording",
        }
    }
}
