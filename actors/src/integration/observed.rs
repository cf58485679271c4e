//! What a link's actor shows of itself: the system page, `/metrics` and the tests read the same values. Written by
//! `actor.rs` whenever something changed; holds no secret.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::breaker::Position;

/// One link at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Observed {
    pub enterprise: i64,
    pub enterprise_number: String,
    pub integration: String,
    /// Rows in memory, those in flight not counted. The table may hold more.
    pub waiting: usize,
    pub in_flight: usize,
    pub breaker: Position,
    /// Paused by a person.
    pub paused: bool,
    /// Why nothing can be sent at all: switched off, settings that cannot be used. Empty when all is well.
    pub fault: String,
    pub done: u64,
    /// Of `done`, those the CRM had already.
    pub duplicates: u64,
    pub failed: u64,
    pub missed: u64,
    /// Tries that ended in "again".
    pub retried: u64,
    /// Times the breaker opened.
    pub openings: u64,
    pub last_success_at: Option<DateTime<Utc>>,
    pub last_error_at: Option<DateTime<Utc>>,
    pub last_error: String,
    /// Since when it has had nothing to do.
    pub idle_since: Option<DateTime<Utc>>,
    /// Deaths so far, with the last one's reason.
    pub deaths: u32,
}

impl Observed {
    /// Nothing in memory and nothing in flight.
    pub fn is_idle(&self) -> bool {
        self.waiting == 0 && self.in_flight == 0
    }
}
