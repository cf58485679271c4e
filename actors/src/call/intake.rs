//! What goes into the house with an event and what comes back: the messages between the webhooks, the
//! registry and the call's actor, and what all of them are given to work with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use actix::prelude::*;
use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use super::effect::Planned;
use super::event::{Event, EventKind, lost_body};
use super::record::{CallId, Record};
use crate::cache::Cache;
use crate::cache::snapshot::Enterprise;
use crate::live::Board;
use crate::store::deliveries::{Delivery, NewDelivery};
use crate::store::journal::NewEvent;
use crate::store::{Store, WriteError};

/// An event on its way: read, its enterprise known, not yet kept.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Take {
    pub enterprise: Arc<Enterprise>,
    pub event: Event,
    /// The body as it came, byte for byte but for the token.
    pub raw: String,
    /// "live" or "recovery".
    pub source: &'static str,
    /// Answered once the event is durable, or is known not to be.
    pub reply: Option<oneshot::Sender<Result<Taken, Refused>>>,
}

/// The event is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number in the journal; 0 for a resend of one that is there already.
    pub event: i64,
    /// The call it belongs to, where one could be told.
    pub call: Option<CallId>,
    pub duplicate: bool,
}

/// The event is not kept; the host is to send it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("too many events wait to be written")]
    Full,
    #[error("the store cannot take events now")]
    Away(String),
    #[error("the store refused this event")]
    Unstorable(String),
}

impl From<WriteError> for Refused {
    fn from(error: WriteError) -> Refused {
        match error {
            WriteError::Full => Refused::Full,
            WriteError::Refused(words) => Refused::Unstorable(words),
            other => Refused::Away(other.to_string()),
        }
    }
}

impl Take {
    /// The event that closes a call as lost.
    pub fn lost(enterprise: Arc<Enterprise>, record: &Record, now: DateTime<Utc>) -> Take {
        let event = Event::lost(
            enterprise.id,
            &record.unique_id,
            &record.linked_id,
            record.events_count,
            now,
        );
        let raw = lost_body(record.events_count);
        Take {
            enterprise,
            event,
            raw,
            source: "live",
            reply: None,
        }
    }

    /// The journal's row of this event.
    pub fn row(&self, call: Option<CallId>) -> NewEvent {
        NewEvent {
            enterprise: self.enterprise.id,
            call,
            event_type: self.event.kind.as_str().to_owned(),
            unique_id: self.event.unique_id.clone(),
            linked_id: self.event.linked_id.clone(),
            bridge_id: self.event.bridge_id.clone(),
            event_timestamp: self.event.time(),
            received_at: self.event.received_time(),
            key: self.event.key.to_vec(),
            host_event_id: self.event.host_event_id.clone(),
            raw: self.raw.clone(),
            data_source: self.source.to_owned(),
            parked: false,
            note: String::new(),
        }
    }

    /// Answers whoever waits; once.
    pub fn answer(mut self, outcome: Result<Taken, Refused>) {
        if let Some(reply) = self.reply.take() {
            // Whoever asked may have gone away: the event is kept all the same.
            let _ = reply.send(outcome);
        }
    }

    /// Whether the event can open a call: the refining ones cannot without an id that ties them to one.
    pub fn can_open(&self) -> bool {
        self.event.kind.is_main()
            || self.event.kind == EventKind::Lost
            || !self.event.linked_id.is_empty()
    }
}

/// What events lead to, outside the call: made at start-up, given to every call actor.
pub trait Outlets: Send + Sync {
    /// A committed change: nudge Telegram and the integrations. Must not wait for anything.
    fn changed(
        &self,
        enterprise: &Arc<Enterprise>,
        record: Arc<Record>,
        deliveries: Vec<Delivery>,
        absorbed: Option<Arc<Record>>,
    );
}

/// Which integrations get which notices: `integration::dispatch` behind a seam, so that calls are tested without CRMs.
pub trait Dispatch: Send + Sync {
    /// The deliveries that notices become.
    fn deliveries(
        &self,
        notices: &[Planned],
        record: &Record,
        enterprise: &Enterprise,
        now: DateTime<Utc>,
    ) -> Vec<NewDelivery>;

    /// The Telegram message of a call that is first shown, or shown again.
    fn message(
        &self,
        reopened: u16,
        record: &Record,
        enterprise: &Enterprise,
        now: DateTime<Utc>,
    ) -> Option<NewDelivery>;
}

/// Times of a call's life.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// A call with no hangup and no other event for so long is closed as lost.
    pub lost_after: Duration,
    /// An ended call stays in memory for so long, for late events.
    pub retire_after: Duration,
    /// How often the registry looks for calls to close and to retire.
    pub sweep_every: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            lost_after: Duration::from_secs(4 * 3600),
            retire_after: Duration::from_secs(30),
            sweep_every: Duration::from_secs(1),
        }
    }
}

/// What call actors and their registries work with.
pub struct Deps {
    pub store: Store,
    pub cache: Cache,
    pub board: Board,
    pub outlets: Arc<dyn Outlets>,
    pub dispatch: Arc<dyn Dispatch>,
    pub times: Times,
    pub counters: Counters,
}

/// What the registries count, over all shards; read by the system page.
#[derive(Debug, Default)]
pub struct Counters {
    /// Calls in memory, ended ones that wait for retirement included.
    pub in_memory: AtomicUsize,
    /// Calls rebuilt from the journal, at start and since.
    pub rebuilt: AtomicU64,
    /// Actors that died of a panic.
    pub panics: AtomicU64,
    /// Events set aside because they broke their call twice.
    pub parked: AtomicU64,
    /// Calls closed as lost.
    pub lost: AtomicU64,
}
