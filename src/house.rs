//! Opens the house: the store, the cache, the calls and whom they tell, in the right order. Used by the server, the
//! demo and the tests; knows nothing of HTTP.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::Arbiter;
use actors::asterisk::{self, Hosts, Redirects, Requests};
use actors::cache::Cache;
use actors::cache::memo::Terms;
use actors::cache::names::Names;
use actors::call::Calls;
use actors::call::intake::{Counters, Deps, Times};
use actors::integration::retry::Plan;
use actors::integration::{self, Integrations, breaker};
use actors::live::Board;
use actors::retention;
use actors::store::Store;
use actors::telegram::{self, Telegram};
use anyhow::Context as _;

use crate::config::{Settings, Span};
use crate::told::Told;

/// A client's name is asked of the CRM again after.
const NAMES_KEPT: Duration = Duration::from_secs(600);
/// A CRM that did not tell a name is asked again after.
const FAILURES_KEPT: Duration = Duration::from_secs(15);
/// Numbers whose names are kept in memory.
const NAMES_AT_MOST: usize = 100_000;

/// Everything that lives. Clone it freely.
#[derive(Clone)]
pub struct House {
    pub store: Store,
    pub cache: Cache,
    pub board: Board,
    pub calls: Calls,
    pub integrations: Integrations,
    pub telegram: Telegram,
    /// What CRMs said of numbers.
    pub names: Names,
    /// Commands to Asterisk hosts: as such, from clicks, and for callers who wait.
    pub hosts: Hosts,
    pub requests: Requests,
    pub redirects: Redirects,
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
        cache.listen(&store)?;
        let board = Board::default();
        let integrations =
            Integrations::start(store.clone(), cache.clone(), delivery_settings(settings))
                .await
                .context("deliveries cannot be started")?;
        let seen = board.clone();
        let telegram = Telegram::start(
            store.clone(),
            cache.clone(),
            Arc::new(move |call| {
                seen.view(call)
                    .map(|view| (view.record.clone(), view.client_name.clone()))
            }),
            telegram_settings(settings),
            &Arbiter::new().handle(),
        );
        let terms = Terms {
            lifetime: NAMES_KEPT,
            failure: FAILURES_KEPT,
            most: NAMES_AT_MOST,
        };
        let names = Names::new(Arc::new(integrations.clone()), terms);
        let hosts = Hosts::new(host_terms(settings));
        let clicks = asterisk::requests::Times {
            repeated_within: *settings.hosts.repeated_within,
            agent_answers_within: *settings.hosts.agent_answers_within,
        };
        let requests = Requests::start(store.clone(), hosts.clone(), clicks);
        let redirects = Redirects {
            store: store.clone(),
            names: names.clone(),
            hosts: hosts.clone(),
            deadline: *settings.hosts.redirect_deadline,
        };
        let told = Arc::new(Told {
            requests: requests.clone(),
            integrations: integrations.clone(),
            telegram: telegram.clone(),
            board: board.clone(),
            names: names.clone(),
            store: store.clone(),
            asking: Arbiter::new().handle(),
        });
        let deps = Arc::new(Deps {
            store: store.clone(),
            cache: cache.clone(),
            board: board.clone(),
            outlets: told.clone(),
            dispatch: told,
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
        retention::start(
            store.clone(),
            retention_terms(settings),
            &Arbiter::new().handle(),
        );
        Ok(House {
            store,
            cache,
            board,
            calls,
            integrations,
            telegram,
            names,
            hosts,
            requests,
            redirects,
        })
    }
}

pub fn host_terms(settings: &Settings) -> asterisk::Terms {
    let hosts = &settings.hosts;
    asterisk::Terms {
        connect: *hosts.connect_timeout,
        command: *hosts.command_timeout,
        sessions: hosts.sessions,
        idle: *hosts.idle,
        waiting: hosts.waiting,
    }
}

/// What is kept for how long, by the settings.
fn retention_terms(settings: &Settings) -> retention::Terms {
    let kept = &settings.retention;
    retention::Terms {
        events: kept.events_days,
        logs: kept.integration_logs_days,
        refusals: kept.refusals_days,
        audit: kept.audit_days,
    }
}

/// How Telegram is told, by the settings.
pub(crate) fn telegram_settings(settings: &Settings) -> telegram::Settings {
    let told = &settings.telegram;
    let defaults = telegram::Settings::default();
    telegram::Settings {
        base_url: told.base_url.clone(),
        link_url: told.link_url.trim_end_matches('/').to_owned(),
        public_url: settings.server.public_url.clone(),
        limits: telegram::limiter::Limits {
            chat_pace: *told.chat_interval,
            bot_per_second: usize::try_from(told.rate_per_bot).unwrap_or(usize::MAX),
            ..defaults.limits
        },
        timeout: *told.timeout,
        reply_within: chrono::TimeDelta::from_std(*told.reply_within)
            .unwrap_or(defaults.reply_within),
        ..defaults
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

/// How CRMs are told, by the settings.
pub(crate) fn delivery_settings(settings: &Settings) -> integration::Settings {
    let deliveries = &settings.deliveries;
    let millis = |span: Span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let plan = |spans: &[Span]| Plan(spans.iter().map(|span| millis(*span)).collect());
    integration::Settings {
        public_url: settings.server.public_url.clone(),
        threads: deliveries.threads,
        concurrency: deliveries.concurrency,
        queue: deliveries.queue,
        connect_timeout_ms: millis(deliveries.connect_timeout),
        answer_timeout_ms: millis(deliveries.timeout),
        popup_retry: plan(&deliveries.popup_retry),
        history_retry: plan(&deliveries.upload_retry),
        popup_life_ms: millis(deliveries.popup_useful_for),
        hangup_life_ms: millis(deliveries.hangup_useful_for),
        history_life_hours: deliveries.upload_useful_for.as_secs() / 3_600,
        private_networks: deliveries.private_networks.clone(),
        switch_off_after_hours: deliveries.switch_off_after.as_secs() / 3_600,
        settle_ms: millis(settings.calls.settle_after),
        breaker: breaker::Limits {
            failures: deliveries.breaker_failures,
            pause_ms: millis(deliveries.breaker_pause),
            longest_pause_ms: millis(deliveries.breaker_longest_pause),
        },
        look_every_ms: millis(deliveries.sweep),
        ..integration::Settings::default()
    }
}
