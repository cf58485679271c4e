//! What every handler may reach: one value, shared by all workers. Made by `startup`.

use std::sync::Arc;

use actors::cache::Cache;
use actors::store::Store;

use crate::config::Settings;
use crate::web::render::Pages;
use crate::web::session::throttle::Throttle;

/// The application's state.
pub struct App {
    pub settings: Arc<Settings>,
    pub store: Store,
    /// Every enterprise's configuration: names, zones, people of extensions.
    pub cache: Cache,
    pub pages: Pages,
    pub throttle: Throttle,
    /// Turns true once when the server stops, so that endless answers (the live stream) end.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}
