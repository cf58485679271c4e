//! The installation's figures at one moment, gathered once for `/stats`, `/metrics` and the system page, so that the
//! three never disagree.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use actors::cache;
use actors::integration::observed::Observed;
use actors::store::deliveries::{self, Backlog};
use actors::store::writer::state::Observed as Writer;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::pulse::Pulse;
use crate::error::AppError;
use crate::state::App;

/// Everything that is counted.
#[derive(Serialize)]
pub struct Numbers {
    pub version: &'static str,
    pub uptime_seconds: u64,
    pub database: Database,
    pub events: Events,
    pub calls: Calls,
    pub deliveries: Deliveries,
    pub integrations: Vec<Observed>,
    pub cache: cache::Stats,
}

#[derive(Serialize)]
pub struct Database {
    /// "sqlite" or "postgres".
    pub kind: &'static str,
    pub queue_size: usize,
    pub writer: Writer,
}

#[derive(Serialize)]
pub struct Events {
    pub per_second: f64,
    pub total: u64,
    pub duplicates: u64,
    /// Refusals since the start by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
pub struct Calls {
    pub live: usize,
    pub in_memory: usize,
    pub rebuilt: u64,
    pub panics: u64,
    pub parked_events: u64,
    pub lost: u64,
}

#[derive(Serialize)]
pub struct Deliveries {
    pub waiting: i64,
    /// Seconds since the oldest of them was written.
    pub oldest_seconds: i64,
    /// Of those, messages for Telegram.
    pub telegram_waiting: i64,
    pub by_integration: Vec<Waiting>,
}

/// What waits for one integration of one enterprise.
#[derive(Clone, Serialize)]
pub struct Waiting {
    pub enterprise: i64,
    pub enterprise_number: String,
    pub integration: String,
    pub waiting: i64,
    pub oldest: DateTime<Utc>,
    pub oldest_seconds: i64,
}

/// Looks at everything. Fails only when the database cannot be asked for its backlog.
pub async fn gather(app: &App, pulse: &Pulse) -> Result<Numbers, AppError> {
    let backlog = app
        .store
        .read(|conn| deliveries::backlog(conn, None))
        .await?;
    let waiting = waiting(app, backlog, Utc::now());
    let writer = app.store.writer_state();
    let counters = &app.calls.deps().counters;
    Ok(Numbers {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.started.elapsed().as_secs(),
        events: Events {
            per_second: (pulse.rate() * 10.0).round() / 10.0,
            total: writer.events,
            duplicates: writer.duplicates,
            refused: app.refusals.counts().into_iter().collect(),
        },
        database: Database {
            kind: if app.store.place().is_sqlite() {
                "sqlite"
            } else {
                "postgres"
            },
            queue_size: app.settings.events.queue,
            writer,
        },
        calls: Calls {
            live: app.board.live_count(),
            in_memory: counters.in_memory.load(Relaxed),
            rebuilt: counters.rebuilt.load(Relaxed),
            panics: counters.panics.load(Relaxed),
            parked_events: counters.parked.load(Relaxed),
            lost: counters.lost.load(Relaxed),
        },
        deliveries: Deliveries {
            waiting: waiting.iter().map(|row| row.waiting).sum(),
            oldest_seconds: waiting
                .iter()
                .map(|row| row.oldest_seconds)
                .max()
                .unwrap_or(0),
            telegram_waiting: waiting
                .iter()
                .filter(|row| row.integration == "telegram")
                .map(|row| row.waiting)
                .sum(),
            by_integration: waiting,
        },
        integrations: app.integrations.observe(),
        cache: app.cache.stats(),
    })
}

/// Due and leased together, the longest wait first.
fn waiting(app: &App, backlog: Vec<Backlog>, now: DateTime<Utc>) -> Vec<Waiting> {
    let mut sums: BTreeMap<(i64, String), Waiting> = BTreeMap::new();
    for row in backlog {
        let sum = sums
            .entry((row.enterprise, row.integration.clone()))
            .or_insert_with(|| Waiting {
                enterprise: row.enterprise,
                enterprise_number: app
                    .cache
                    .by_id(row.enterprise)
                    .map(|it| it.number.clone())
                    .unwrap_or_default(),
                integration: row.integration,
                waiting: 0,
                oldest: row.oldest,
                oldest_seconds: 0,
            });
        sum.waiting += row.count;
        sum.oldest = sum.oldest.min(row.oldest);
        sum.oldest_seconds = (now - sum.oldest).num_seconds().max(0);
    }
    let mut all: Vec<Waiting> = sums.into_values().collect();
    all.sort_by_key(|row| std::cmp::Reverse(row.oldest_seconds));
    all
}
