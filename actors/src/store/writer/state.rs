//! How the writer is doing: read by `/health`, `/metrics` and the system page at any time, written by the lane.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// The writer at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// Jobs waiting now.
    pub waiting: usize,
    /// How long the oldest of them has waited, milliseconds.
    pub oldest_ms: u64,
    /// Transactions committed since start.
    pub batches: u64,
    /// Events written since start.
    pub events: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// Settlements and closures since start.
    pub others: u64,
    /// Time of the last transaction, microseconds.
    pub last_commit_us: u64,
    /// Jobs in the last transaction.
    pub last_batch: u64,
    /// Jobs answered with an error since start.
    pub errors: u64,
    /// Jobs refused because too many waited.
    pub refused_full: u64,
    /// Panics caught.
    pub panics: u64,
    /// The last error in words, empty after a success.
    pub trouble: String,
}

/// Counters behind `Observed`.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub batches: AtomicU64,
    pub events: AtomicU64,
    pub duplicates: AtomicU64,
    pub others: AtomicU64,
    pub last_commit_us: AtomicU64,
    pub last_batch: AtomicU64,
    pub errors: AtomicU64,
    pub refused_full: AtomicU64,
    pub panics: AtomicU64,
    pub trouble: Mutex<String>,
}

impl Counters {
    pub(crate) fn observed(&self, waiting: usize, oldest_ms: u64) -> Observed {
        Observed {
            waiting,
            oldest_ms,
            batches: self.batches.load(Relaxed),
            events: self.events.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            others: self.others.load(Relaxed),
            last_commit_us: self.last_commit_us.load(Relaxed),
            last_batch: self.last_batch.load(Relaxed),
            errors: self.errors.load(Relaxed),
            refused_full: self.refused_full.load(Relaxed),
            panics: self.panics.load(Relaxed),
            trouble: self
                .trouble
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    pub(crate) fn set_trouble(&self, words: &str) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *trouble != words {
            words.clone_into(&mut trouble);
        }
    }
}
