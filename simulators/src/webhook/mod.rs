//! A receiver of webhooks as somebody would write one after the specification of Standard Webhooks: it believes
//! nothing that is not signed with a secret it knows, is not recent, or breaks the schema of its sender, and it knows a
//! message it has by its id. Called over HTTP by Patchbay and from Rust by tests; it never calls out.
//!
//! `verdict.rs` judges a request, `state.rs` remembers what came, `entry.rs` is the way of a request, `page.rs` shows it.

mod control;
mod entry;
mod page;
mod state;
mod verdict;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};

pub use state::{Message, Settings, State};
pub use verdict::{Fault, Headers, secret_bytes, sign};

use crate::server::{self, Running};

/// The routes of the simulator, for an app of the caller's own.
pub fn configure(state: Arc<State>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(web::Data::from(state))
            .configure(control::routes)
            .configure(page::routes)
            .default_service(web::to(entry::serve));
    }
}

/// Starts the simulator in the caller's actix system; `127.0.0.1:0` takes any free port.
///
/// # Errors
/// When the address cannot be bound.
pub async fn start(bind: &str, settings: Settings) -> anyhow::Result<Running<State>> {
    server::start(bind, Arc::new(State::new(settings)), configure)
}

/// Starts the simulator in a thread of its own, for callers without an actix system.
///
/// # Errors
/// When the address cannot be bound.
pub fn start_in_thread(bind: &str, settings: Settings) -> anyhow::Result<Running<State>> {
    let bind = bind.to_owned();
    server::start_in_thread(async move || start(&bind, settings).await)
}
