//! RetailCRM, played strictly: accounts, users, customers, the telephony module, pop-up cards and the call history.
//! Called over HTTP by Patchbay and from Rust by tests; it never calls out on its own (see `outbound`).
//!
//! `answer.rs` has the words of refusals, `book.rs` what an account remembers, `entry.rs` the way of a request, and
//! `event.rs`, `upload.rs`, `module.rs`, `people.rs` the methods.

mod account;
mod answer;
mod book;
mod control;
mod entry;
mod event;
mod module;
mod outbound;
mod page;
mod people;
mod route;
mod state;
mod upload;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};

pub use account::{Account, ApiKey, Customer, NewAccount, User};
pub use book::{Call, Card, Event, Module};
pub use outbound::{Carry, MakeCall, Reply, StatusChange};
pub use state::{Settings, State};

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
