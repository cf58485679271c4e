//! Opens the house: the store, the cache, the calls and whom they tell, in the right order. Used by the server, the
//! demo and the tests; knows nothing of HTTP.

use std::sync::Arc;

use actix_rt::Arbiter;
use actors::cache::Cache;
use actors::cache::snapshot::Enterprise;
use actors::call::Calls;
use actors::call::effect::Planned;
use actors::call::intake::{Counters, Deps, Dispatch, Outlets, Times};
use actors::call::record::{CallId, Record};
use actors::live::Board;
use actors::store::Store;
use actors::store::deliveries::{Delivery, NewDelivery};
use anyhow::Context as _;
use chrono::{DateTime, Utc};

use crate::config::Settings;

/// Everything that lives. Clone it freely.
#[derive(Clone)]
pub struct House {
    pub store: Store,
    pub cache: Cache,
    pub board: Board,
    pub calls: Calls,
}

impl House {
    /// Starts everything that lives. Runs inside an actix system; returns when unfinished calls are back.
    pub async fn start(settings: &Settings, store: Store) -> anyhow::Result<House> {
        let shards = settings.server.worker_count();
        let arbiters: Vec<_> = (0..shards).map(|_| Arbiter::new().handle()).collect();
        let first = arbiters.first().context("no arbiter")?;
        let cache = Cache::start(store.clone(), cache_times(settings), first);
        cache
            .refresh()
            .await
            .context("the enterprises cannot be read")?;
        let board = Board::default();
        let outlets: Arc<dyn Outlets> = Arc::new(Told);
        let dispatch: Arc<dyn Dispatch> = Arc::new(Told);
        let deps = Arc::new(Deps {
            store: store.clone(),
            cache: cache.clone(),
            board: board.clone(),
            outlets,
            dispatch,
            times: Times {
                lost_after: *settings.calls.lost_after,
                retire_after: *settings.calls.retire_after,
                ..Times::default()
            },
            counters: Counters::default(),
        });
        let reading = deps.clone();
        let unfinished = tokio::task::spawn_blocking(move || Calls::read_unfinished(&reading))
            .await?
            .context("unfinished calls cannot be read")?;
        if !unfinished.is_empty() {
            log::info!(
                "{} calls were in progress when the server stopped and are followed again",
                unfinished.len()
            );
        }
        let calls = Calls::start(deps, &arbiters, unfinished);
        Ok(House {
            store,
            cache,
            board,
            calls,
        })
    }
}

fn cache_times(settings: &Settings) -> actors::cache::Times {
    let cache = &settings.cache;
    actors::cache::Times {
        lifetime_seconds: cache.lifetime.as_secs(),
        refresh_seconds: cache.refresh.as_secs(),
        refresh_jitter_seconds: cache.jitter.as_secs(),
        sweep_seconds: cache.sweep.as_secs(),
        ..actors::cache::Times::default()
    }
}

/// Whom changes of calls are told to.
struct Told;

impl Outlets for Told {
    fn changed(&self, _: &Arc<Enterprise>, _: Arc<Record>, _: Vec<Delivery>, _: Option<CallId>) {}
}

impl Dispatch for Told {
    fn deliveries(
        &self,
        _: &[Planned],
        _: &Record,
        _: &Enterprise,
        _: DateTime<Utc>,
    ) -> Vec<NewDelivery> {
        Vec::new()
    }

    fn message(&self, _: u16, _: &Record, _: &Enterprise, _: DateTime<Utc>) -> Option<NewDelivery> {
        None
    }
}
