//! Bitrix24's REST as far as a telephony uses it: one portal, strict about access, required members, people and its
//! limits, and as odd as the real one is: errors without a code, `[]` for an empty map, `{}` for a date, `false` for a
//! card that cannot be shown. Called over HTTP by Patchbay and from Rust by tests; it calls out only to fetch a
//! recording it was told of, and to click when it is told to.
//!
//! `entry.rs` is the way of a request, `params.rs` reads what came, `methods.rs` is the table of methods, `calls.rs`,
//! `record.rs`, `people.rs` and `batch.rs` answer them, `oauth.rs` gives tokens, `events.rs` clicks, `state.rs` remembers,
//! `page.rs` shows what a person would see.

mod answer;
mod batch;
mod calls;
mod control;
mod entry;
mod events;
mod methods;
mod oauth;
mod page;
mod params;
mod people;
mod record;
mod state;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};

pub use events::{Click, Heard};
pub use state::{Card, Entity, Finished, Live, Record, Settings, State, User};

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
