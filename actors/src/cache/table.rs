//! The immutable table that readers see. A change makes a new one; nothing in here waits or locks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ahash::RandomState;
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::snapshot::Enterprise;

/// A salted digest of a token: lookups neither compare secrets byte by byte nor keep them in keys.
pub(super) type TokenKey = [u8; 32];

/// An enterprise with the moment it was loaded.
pub(super) struct Entry {
    pub enterprise: Arc<Enterprise>,
    pub token: TokenKey,
    pub loaded: Instant,
    pub loaded_at: DateTime<Utc>,
    /// Number of the load that brought it; loads are numbered as they begin, and a later one knows better.
    pub order: u64,
    /// Somebody asked for a reload already.
    pub asked: AtomicBool,
}

impl Entry {
    /// True for the first asker after expiry only.
    pub fn claim_reload(&self) -> bool {
        !self.asked.load(Ordering::Relaxed) && !self.asked.swap(true, Ordering::Relaxed)
    }
}

#[derive(Default)]
pub(super) struct Table {
    by_id: HashMap<i64, Arc<Entry>, RandomState>,
    by_token: HashMap<TokenKey, Arc<Entry>, RandomState>,
    by_number: HashMap<Box<str>, Arc<Entry>, RandomState>,
    by_name: HashMap<Box<str>, Arc<Entry>, RandomState>,
}

impl Table {
    pub fn by_id(&self, id: i64) -> Option<&Arc<Entry>> {
        self.by_id.get(&id)
    }

    pub fn by_token(&self, token: &TokenKey) -> Option<&Arc<Entry>> {
        self.by_token.get(token)
    }

    pub fn by_number(&self, number: &str) -> Option<&Arc<Entry>> {
        self.by_number.get(number)
    }

    /// Names need not be unique: of several, the enterprise that was made first.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Entry>> {
        self.by_name.get(name)
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_id.values()
    }

    /// A table with `fresh` in place of what it had under these ids, and without `gone`.
    pub fn with(&self, fresh: Vec<Entry>, gone: &[i64]) -> Table {
        let mut by_id = self.by_id.clone();
        for id in gone {
            by_id.remove(id);
        }
        for entry in fresh {
            by_id.insert(entry.enterprise.id, Arc::new(entry));
        }
        let mut table = Table::default();
        let mut ids: Vec<i64> = by_id.keys().copied().collect();
        ids.sort_unstable();
        for entry in ids.iter().filter_map(|id| by_id.get(id)) {
            let enterprise = &entry.enterprise;
            table
                .by_token
                .entry(entry.token)
                .or_insert_with(|| entry.clone());
            table
                .by_number
                .entry(enterprise.number.as_str().into())
                .or_insert_with(|| entry.clone());
            table
                .by_name
                .entry(enterprise.name.as_str().into())
                .or_insert_with(|| entry.clone());
        }
        table.by_id = by_id;
        table
    }
}
