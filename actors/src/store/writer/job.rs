//! What the writer is asked to do, as plain values. Made by the call registry (`Commit`), by the integrations and
//! Telegram (`Settlement`), by anyone (`write` closures). Nothing here touches a database.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::call::record::{CallId, Record};
use crate::store::deliveries::{Delivery, NewDelivery};
use crate::store::journal::NewEvent;
use crate::store::logs::NewLog;

/// One event and everything it made of its call: written whole or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    pub event: NewEvent,
    /// The call as it is now; `None` when its row need not change.
    pub call: Option<CallRow>,
    /// Two where a corrected number takes from one client and gives to another.
    pub customer: Vec<CustomerChange>,
    /// New deliveries, and newer payloads of deliveries that nobody tried yet.
    pub deliveries: Vec<NewDelivery>,
    /// Kinds of deliveries of this event's call that are no longer to be sent (those still due): (integration, kind).
    pub withdraw: Vec<(String, String)>,
    /// Another call that turned out to be this one.
    pub merge: Option<Merge>,
}

impl Commit {
    /// A commit of an event alone.
    pub fn of(event: NewEvent) -> Commit {
        Commit {
            event,
            call: None,
            customer: Vec::new(),
            deliveries: Vec::new(),
            withdraw: Vec::new(),
            merge: None,
        }
    }
}

/// Where a call's row stands; the words of `calls.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallState {
    Live,
    Ended,
    /// Its events are another call's now.
    Merged,
    /// Only side events so far: not a call that anybody made.
    Shadow,
}

impl CallState {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            CallState::Live => "live",
            CallState::Ended => "ended",
            CallState::Merged => "merged",
            CallState::Shadow => "shadow",
        }
    }

    /// Reads the table's word; an unknown one is a live call, which is then looked at again.
    pub fn of(word: &str) -> CallState {
        match word {
            "ended" => CallState::Ended,
            "merged" => CallState::Merged,
            "shadow" => CallState::Shadow,
            _ => CallState::Live,
        }
    }
}

/// A call's whole row.
#[derive(Clone, Debug)]
pub struct CallRow {
    pub record: Arc<Record>,
    pub state: CallState,
    /// Why the call could not be followed to its end, in words; empty for a sound one.
    pub fault: String,
    /// When this was decided.
    pub at: DateTime<Utc>,
}

/// What an ended call adds to its client's sums. Differences, so that a correction may be negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerChange {
    pub enterprise: i64,
    /// E.164 with `+`.
    pub phone: String,
    pub calls: i32,
    pub answered: i32,
    pub missed: i32,
    pub talk_seconds: i64,
    /// When the call came.
    pub at: DateTime<Utc>,
}

/// Two calls that are one: events and open deliveries of `from` become `into`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    pub from: CallId,
    pub into: CallId,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Committed {
    /// Durable now.
    Stored {
        /// The event's id: its place in the journal.
        event: i64,
        /// Deliveries that were inserted or renewed, as they are in the table now. Those that asked for a lease and are
        /// due are leased to us.
        deliveries: Vec<Delivery>,
    },
    /// The journal has this event already; nothing was changed.
    Duplicate,
}

/// What became of a delivery after a try, or without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    pub delivery: i64,
    pub verdict: Verdict,
    /// Tries so far, this one included.
    pub attempts: i32,
    /// The outcome in words, for people. Secrets masked.
    pub words: String,
    pub at: DateTime<Utc>,
    pub log: Option<NewLog>,
}

/// The ways a try ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Never to be tried again by itself.
    Failed,
    /// Too late to be of use; not sent.
    Missed,
    /// No longer wanted.
    Withdrawn,
    /// To be tried again, not before this time.
    Again(DateTime<Utc>),
    /// Only the log row and the words; the delivery keeps its state.
    Noted,
}

impl Verdict {
    /// Whether nothing more is to be done after this.
    pub(crate) fn finishes(&self) -> bool {
        !matches!(self, Verdict::Again(_) | Verdict::Noted)
    }

    /// When the next try may be.
    pub(crate) fn not_before(&self) -> Option<DateTime<Utc>> {
        match self {
            Verdict::Again(at) => Some(*at),
            _ => None,
        }
    }

    /// The delivery's state after this, `None` where it stays.
    pub fn state(&self) -> Option<&'static str> {
        match self {
            Verdict::Done => Some("done"),
            Verdict::Failed => Some("failed"),
            Verdict::Missed => Some("missed"),
            Verdict::Withdrawn => Some("withdrawn"),
            Verdict::Again(_) => Some("due"),
            Verdict::Noted => None,
        }
    }
}
