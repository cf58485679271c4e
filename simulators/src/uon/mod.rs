//! U-ON.Travel's API as far as a telephony uses it: one cabinet, strict about its key, its fields and its rate limit,
//! and careless where the real one is (the same call twice is two rows). Called over HTTP by Patchbay and from Rust by
//! tests; it calls out only when somebody clicks a number.
//!
//! `entry.rs` is the way of a request, `people.rs` answers for clients and managers, `calls.rs` for pop-ups and the
//! history, `hooks.rs` for webhooks and sends them, `markup.rs` says what a pop-up may hold, `state.rs` remembers,
//! `page.rs` shows what a person would see.

mod answer;
mod calls;
mod control;
mod entry;
mod hooks;
mod markup;
mod page;
mod people;
mod state;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};

pub use hooks::{Click, Reply};
pub use state::{CallRow, Client, Hook, Lead, Manager, Notification, Settings, State};

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
