//! The Telegram Bot API, played strictly: bots, chats, messages with every text they ever had, limits and failures.
//! Called over HTTP by Patchbay and from Rust by tests. Of the API's methods it knows getMe, sendMessage,
//! editMessageText, deleteMessage and getUpdates, and of the parse modes only HTML; the rest it refuses.

mod answer;
mod chat;
mod control;
mod entities;
mod entry;
mod html;
mod keyboard;
mod limits;
mod page;
mod send;
mod state;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};

pub use chat::{ChatFailure, ChatView, Kind, Message, NewChat, Version};
pub use entities::Entity;
pub use limits::Limits;
pub use state::{Bot, NewBot, Settings, State};

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
