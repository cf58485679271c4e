//! What the cache tells of itself: `/stats`, the system page, tests. Plain values.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The cache as it is now. Times in milliseconds and seconds as the names say.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// Enterprises known.
    pub entries: usize,
    /// Of those, how many are past their lifetime: more than a few for long means that the database is away.
    pub stale: usize,
    pub hits: u64,
    pub misses: u64,
    /// hits / (hits + misses); 1 when nobody asked yet.
    pub hit_ratio: f64,
    /// Questions put to the database, successful or not.
    pub loads: u64,
    pub load_failures: u64,
    pub load_time_ms_average: f64,
    pub load_time_ms_last: f64,
    pub load_time_ms_longest: f64,
    pub last_full_refresh: Option<DateTime<Utc>>,
    pub next_full_refresh: Option<DateTime<Utc>>,
    pub invalidations: u64,
    /// Tokens, numbers and names remembered as unknown for the moment.
    pub known_unknown: usize,
    /// Times the actor had to be started again after a panic.
    pub restarts: u64,
    pub uptime_seconds: u64,
    /// "ok", or "away" since the last question failed: the last known configuration is in use.
    pub source: &'static str,
    /// Why the last question failed, while it is so.
    pub last_error: Option<String>,
}
