//! What every handler may reach: one value, shared by all workers. Made by `startup`.

use std::sync::Arc;

use crate::config::Settings;
use crate::web::render::Pages;
use crate::web::session::throttle::Throttle;

/// The application's state.
pub struct App {
    pub settings: Arc<Settings>,
    pub pages: Pages,
    pub throttle: Throttle,
    /// Turns true once when the server stops, so that endless answers (the live stream) end.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}
