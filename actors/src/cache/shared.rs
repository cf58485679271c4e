//! What the handles and the actor have in common: the table, the counters, what is known to be unknown.
//! Outlives the actor. Private to the cache.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Addr;
use actix_rt::ArbiterHandle;
use ahash::RandomState;
use arc_swap::{ArcSwap, ArcSwapOption};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::actor::CacheActor;
use super::counters::Counter;
use super::handle::Times;
use super::messages::Key;
use super::snapshot::Enterprise;
use super::source::Source;
use super::stats::Stats;
use super::table::{Entry, Table, TokenKey};
use crate::store::listen::Listener;

/// See the file's head.
pub(super) struct Shared {
    pub table: ArcSwap<Table>,
    pub times: Times,
    pub source: Option<Arc<dyn Source>>,
    pub arbiter: Option<ArbiterHandle>,
    pub actor: ArcSwapOption<Addr<CacheActor>>,
    pub hits: Counter,
    pub misses: Counter,
    pub invalidations: AtomicU64,
    pub restarts: AtomicU64,
    pub tally: Mutex<Tally>,
    /// What is known not to exist, and until when. Looked into only after a miss.
    unknown: Mutex<HashMap<UnknownKey, Instant, RandomState>>,
    /// Kept alive with the cache.
    pub listener: Mutex<Option<Listener>>,
    salt: [u8; 32],
    started: Instant,
}

/// The actor's figures, for `stats`.
#[derive(Clone, Default)]
pub(super) struct Tally {
    pub loads: u64,
    pub failures: u64,
    pub total: Duration,
    pub last: Duration,
    pub longest: Duration,
    pub last_full: Option<DateTime<Utc>>,
    pub next_full: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum UnknownKey {
    Token(TokenKey),
    Other(Key),
}

/// More than this many unknown keys at once is an attack; the oldest knowledge is then worth nothing.
const UNKNOWN_LIMIT: usize = 50_000;

impl Shared {
    pub fn new(
        times: Times,
        source: Option<Arc<dyn Source>>,
        arbiter: Option<ArbiterHandle>,
    ) -> Shared {
        Shared {
            table: ArcSwap::default(),
            times,
            source,
            arbiter,
            actor: ArcSwapOption::empty(),
            hits: Counter::default(),
            misses: Counter::default(),
            invalidations: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            tally: Mutex::default(),
            unknown: Mutex::default(),
            listener: Mutex::default(),
            salt: rand::random(),
            started: Instant::now(),
        }
    }

    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(self.times.lifetime_seconds)
    }

    pub fn token_key(&self, token: &str) -> TokenKey {
        Sha256::new()
            .chain_update(self.salt)
            .chain_update(token.as_bytes())
            .finalize()
            .into()
    }

    /// Puts what load number `order` brought in place, unless a later load knew better.
    pub fn install(&self, loaded: Vec<Enterprise>, gone: &[i64], order: u64) {
        let table = self.table.load();
        let (now, at) = (Instant::now(), Utc::now());
        let newer = |id: i64| table.by_id(id).is_some_and(|entry| entry.order > order);
        let fresh = loaded
            .into_iter()
            .filter(|enterprise| !newer(enterprise.id))
            .map(|enterprise| Entry {
                token: self.token_key(enterprise.token.expose_secret()),
                enterprise: Arc::new(enterprise),
                loaded: now,
                loaded_at: at,
                order,
                asked: false.into(),
            })
            .collect();
        let gone: Vec<i64> = gone.iter().copied().filter(|id| !newer(*id)).collect();
        self.table.store(Arc::new(table.with(fresh, &gone)));
    }

    pub fn is_unknown(&self, key: &UnknownKey) -> bool {
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown
            .get(key)
            .is_some_and(|until| Instant::now() < *until)
    }

    pub fn remember_unknown(&self, keys: impl Iterator<Item = UnknownKey>) {
        let until = Instant::now() + Duration::from_secs(self.times.unknown_seconds);
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() >= UNKNOWN_LIMIT {
            unknown.clear();
        }
        unknown.extend(keys.map(|key| (key, until)));
    }

    pub fn forget_unknown(&self) {
        self.unknown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub fn drop_expired_unknown(&self) {
        let now = Instant::now();
        self.unknown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, until| now < *until);
    }

    pub fn stats(&self) -> Stats {
        let table = self.table.load();
        let tally = self
            .tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let (hits, misses) = (self.hits.sum(), self.misses.sum());
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        Stats {
            entries: table.len(),
            stale: table
                .entries()
                .filter(|entry| entry.loaded.elapsed() > self.lifetime())
                .count(),
            hits,
            misses,
            hit_ratio: if hits + misses == 0 {
                1.0
            } else {
                hits as f64 / (hits + misses) as f64
            },
            loads: tally.loads,
            load_failures: tally.failures,
            load_time_ms_average: if tally.loads == 0 {
                0.0
            } else {
                millis(tally.total) / tally.loads as f64
            },
            load_time_ms_last: millis(tally.last),
            load_time_ms_longest: millis(tally.longest),
            last_full_refresh: tally.last_full,
            next_full_refresh: tally.next_full,
            invalidations: self.invalidations.load(Ordering::Relaxed),
            known_unknown: self
                .unknown
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len(),
            restarts: self.restarts.load(Ordering::Relaxed),
            uptime_seconds: self.started.elapsed().as_secs(),
            source: if tally.error.is_some() { "away" } else { "ok" },
            last_error: tally.error,
        }
    }
}
