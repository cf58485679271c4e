//! MoySklad as far as a telephony uses it: the Phone API 1.0 (calls and the cards on employees' screens) and what of the
//! JSON API 1.2 answers who a client is. Strict about keys, compression, required members, types and its limits, and
//! careless where the real one may be (the same external id twice is two calls). Called over HTTP by Patchbay and from
//! Rust by tests; it calls out only when a test or a person asks for a click.
//!
//! `entry.rs` is the way of a request, `phone.rs` and `cards.rs` play the Phone API, `remap.rs` the JSON API, `outbound.rs`
//! clicks, `state.rs` remembers, `page.rs` shows what a person would see.

mod answer;
mod cards;
mod control;
mod entry;
mod outbound;
mod page;
mod phone;
mod remap;
mod state;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::middleware::Compress;
use actix_web::web::{self, ServiceConfig};

pub use cards::{Card, Shown};
pub use outbound::{Click, Heard, Signature};
pub use state::{Call, Counterparty, Duplicates, Employee, Person, Settings, State};

use crate::server::{self, Running};

/// The routes of the simulator, for an app of the caller's own.
pub fn configure(state: Arc<State>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(web::Data::from(state))
            .configure(control::routes)
            .configure(page::routes)
            .service(
                web::scope("/api")
                    .wrap(Compress::default())
                    .default_service(web::to(entry::serve)),
            );
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
