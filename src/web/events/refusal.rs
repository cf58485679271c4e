//! Why an event was not taken, in words for the person who wires up a host. Every refusal is counted and kept for the
//! operator's system page; its HTTP status is `error.rs`'s matter.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use actors::cache::Enterprise;
use actors::call::event::{EventKind, Unreadable};
use actors::call::intake::Refused;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::token::hide_known;
use crate::error::AppError;

/// The reasons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the body is {length} bytes long; at most {max} are taken (setting events.max_body)")]
    TooLarge { length: usize, max: usize },
    #[error("the body did not arrive whole: {0}")]
    Broken(String),
    #[error("no token: send the enterprise's token as the header Token or the field Token")]
    NoToken,
    #[error("unknown token: no enterprise has it; compare it with the enterprise's page")]
    UnknownToken,
    #[error("this enterprise is switched off")]
    SwitchedOff,
    #[error("too many events a second from this enterprise")]
    TooFast { wait: u64 },
    #[error("more than {limit} events of this enterprise are under way; send it again")]
    TooManyAtOnce { limit: usize },
    #[error("the enterprise cannot be looked up now; send it again")]
    Unavailable(String),
    #[error("{0}; send it again")]
    NotKept(Refused),
}

impl Refusal {
    /// The stable word that refusals are counted by.
    pub fn word(&self) -> &'static str {
        match self {
            Refusal::Unreadable(Unreadable::Empty) => "empty",
            Refusal::Unreadable(Unreadable::NotUtf8(_)) => "not-utf8",
            Refusal::Unreadable(Unreadable::NotJson(_)) => "not-json",
            Refusal::Unreadable(Unreadable::NotAnObject) => "not-an-object",
            Refusal::Unreadable(Unreadable::NoId) => "no-id",
            Refusal::Unreadable(Unreadable::IdTooLong { .. }) => "id-too-long",
            Refusal::TooLarge { .. } => "too-large",
            Refusal::Broken(_) => "broken-body",
            Refusal::NoToken => "no-token",
            Refusal::UnknownToken => "unknown-token",
            Refusal::SwitchedOff => "switched-off",
            Refusal::TooFast { .. } => "too-fast",
            Refusal::TooManyAtOnce { .. } => "too-many-at-once",
            Refusal::Unavailable(_) => "unavailable",
            Refusal::NotKept(Refused::Full) => "full",
            Refusal::NotKept(Refused::Away(_)) => "store-away",
            Refusal::NotKept(Refused::Unstorable(_)) => "unstorable",
        }
    }
}

/// One refused event, as the operator sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Noted {
    pub at: DateTime<Utc>,
    pub kind: &'static str,
    pub enterprise: Option<i64>,
    pub word: &'static str,
    pub words: String,
    pub address: String,
    /// The first kilobyte of the body, its token masked.
    pub body: String,
}

/// Refused events: counts since the start and the last ones. In memory only, since a flood of refusals must not
/// become a flood of writes; a host resends what matters.
pub struct Refusals {
    kept: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    counts: HashMap<&'static str, u64>,
    last: VecDeque<Noted>,
}

impl Refusals {
    /// Keeps the last `kept` refusals.
    pub fn new(kept: usize) -> Refusals {
        Refusals {
            kept,
            inner: Mutex::default(),
        }
    }

    /// Counts and keeps a refusal and gives the answer for its sender. No token of the `known` enterprises is kept.
    pub fn note(
        &self,
        kind: EventKind,
        enterprise: Option<i64>,
        refusal: &Refusal,
        address: Option<IpAddr>,
        (body, known): (&[u8], &[Arc<Enterprise>]),
    ) -> AppError {
        let noted = Noted {
            at: Utc::now(),
            kind: kind.as_str(),
            enterprise,
            word: refusal.word(),
            words: refusal.to_string(),
            address: address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            body: hide_known(
                &String::from_utf8_lossy(&body[..body.len().min(1024)]),
                known,
            ),
        };
        match refusal {
            Refusal::NotKept(Refused::Away(cause) | Refused::Unstorable(cause))
            | Refusal::Unavailable(cause) => {
                log::warn!("a {} event was refused: {cause}", noted.kind);
            }
            _ => log::debug!("a {} event was refused: {}", noted.kind, noted.word),
        }
        metrics::counter!("patchbay_events_refused_total", "reason" => noted.word).increment(1);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        *inner.counts.entry(noted.word).or_default() += 1;
        inner.last.push_front(noted);
        inner.last.truncate(self.kept);
        drop(inner);
        AppError::Refused(refusal.clone())
    }

    /// How many were refused since the start, by word.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = inner
            .counts
            .iter()
            .map(|(word, count)| (*word, *count))
            .collect();
        counts.sort_unstable();
        counts
    }

    /// The last refusals, latest first; of one enterprise or of all.
    pub fn last(&self, enterprise: Option<i64>, limit: usize) -> Vec<Noted> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |noted: &&Noted| enterprise.is_none_or(|id| noted.enterprise == Some(id));
        inner
            .last
            .iter()
            .filter(fits)
            .take(limit)
            .cloned()
            .collect()
    }
}
