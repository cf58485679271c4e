//! What a simulator counted: requests by endpoint, refusals with their reasons, throttled and failed-on-purpose
//! requests. Written by the entry of each simulator; a strict test asserts that there are no refusals.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::now_ms;
use crate::kept::Kept;

/// A request the simulator turned down because it broke a rule.
#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    /// When, in epoch milliseconds.
    pub at: i64,
    /// The endpoint's name, such as `telephony/call/event`.
    pub endpoint: String,
    /// The HTTP status it was answered with.
    pub status: u16,
    /// The words it was answered with.
    pub reason: String,
}

/// Counts of one account or bot.
#[derive(Debug)]
pub struct Tally {
    requests: BTreeMap<&'static str, u64>,
    refusals: Kept<Refusal>,
    limited: u64,
    scripted: u64,
    harmless: u64,
}

/// A copy of a tally, for tests and the control API.
#[derive(Debug, Clone, Serialize)]
pub struct Counts {
    /// Requests by endpoint, whatever became of them.
    pub requests: BTreeMap<&'static str, u64>,
    /// How many requests broke a rule.
    pub refused: u64,
    /// The newest of those, oldest first.
    pub refusals: Vec<Refusal>,
    /// How many were over a rate limit (not among the refusals).
    pub limited: u64,
    /// How many failed because a script said so (not among the refusals).
    pub scripted: u64,
    /// How many were answered with an error that clients are told to take for success.
    pub harmless: u64,
}

impl Tally {
    /// Nothing counted yet; keeps at most `limit` refusals.
    pub fn new(limit: usize) -> Self {
        Self {
            requests: BTreeMap::new(),
            refusals: Kept::new(limit),
            limited: 0,
            scripted: 0,
            harmless: 0,
        }
    }

    /// Notes that a request came.
    pub fn request(&mut self, endpoint: &'static str) {
        *self.requests.entry(endpoint).or_default() += 1;
    }

    /// Notes that a request broke a rule.
    pub fn refusal(&mut self, endpoint: &str, status: u16, reason: String) {
        self.refusals.push(Refusal {
            at: now_ms(),
            endpoint: endpoint.to_owned(),
            status,
            reason,
        });
    }

    /// Notes that a request was over a limit.
    pub fn limited(&mut self) {
        self.limited += 1;
    }

    /// Notes that a request failed because a script said so.
    pub fn scripted(&mut self) {
        self.scripted += 1;
    }

    /// Notes an error that clients are told to take for success.
    pub fn harmless(&mut self) {
        self.harmless += 1;
    }

    /// How many requests broke a rule.
    pub fn refused(&self) -> u64 {
        self.refusals.total()
    }

    /// A copy.
    pub fn counts(&self) -> Counts {
        Counts {
            requests: self.requests.clone(),
            refused: self.refusals.total(),
            refusals: self.refusals.iter().cloned().collect(),
            limited: self.limited,
            scripted: self.scripted,
            harmless: self.harmless,
        }
    }
}
