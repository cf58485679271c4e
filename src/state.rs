//! What every handler may reach: one value, shared by all workers. Made by `startup`.

use std::sync::Arc;
use std::time::Instant;

use actors::asterisk::{Hosts, Redirects, Requests};
use actors::cache::Cache;
use actors::cache::names::Names;
use actors::call::Calls;
use actors::integration::Integrations;
use actors::integration::breaker::Position;
use actors::live::Board;
use actors::store::Store;
use actors::telegram::Telegram;

use crate::config::Settings;
use crate::debug_log::DebugLog;
use crate::web::emulator::runs::Runs;
use crate::web::enterprise::trials::Trials;
use crate::web::events::gauge::Gauge;
use crate::web::events::heard::Heard;
use crate::web::events::refusal::Refusals;
use crate::web::render::Pages;
use crate::web::retailcrm::Turns;
use crate::web::session::throttle::Throttle;

/// The application's state.
pub struct App {
    pub settings: Arc<Settings>,
    pub store: Store,
    /// Every enterprise's configuration: names, zones, people of extensions.
    pub cache: Cache,
    /// Clients and their managers, as the CRMs tell.
    pub names: Names,
    /// Events of enterprises whose debug log is on.
    pub debug_log: DebugLog,
    /// What the live page sees.
    pub board: Board,
    /// Where events go.
    pub calls: Calls,
    /// Every enterprise's links to its CRMs.
    pub integrations: Integrations,
    /// Every enterprise's bot.
    pub telegram: Telegram,
    /// Commands to Asterisk hosts.
    pub hosts: Hosts,
    /// Clicks that become calls.
    pub requests: Requests,
    /// Callers who wait for their manager.
    pub redirects: Redirects,
    /// How much one enterprise may send.
    pub gauge: Gauge,
    /// When each host was last heard, and how late.
    pub heard: Heard,
    /// Events that were not taken.
    pub refusals: Refusals,
    /// Emulated calls that were begun here.
    pub runs: Runs,
    /// Trials of the way to hosts that were begun here.
    pub trials: Trials,
    /// Acts on enterprises' RetailCRM modules take turns.
    pub modules: Turns,
    pub pages: Pages,
    pub throttle: Throttle,
    pub started: Instant,
    /// A random word that names this run of the server: numbers of the board's changes begin anew with each.
    pub boot: String,
    /// Turns true once when the server stops, so that endless answers (the live stream) end.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

impl App {
    /// Whether this integration sends nothing at the moment: paused by a person, or by its breaker.
    pub fn is_paused(&self, enterprise: i64, integration: &str) -> bool {
        self.integrations
            .watch(enterprise, integration)
            .is_some_and(|seen| {
                let seen = seen.borrow();
                seen.paused || matches!(seen.breaker, Position::Open { .. })
            })
    }
}
