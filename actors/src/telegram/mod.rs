//! Telegram: one live message per call and chat, edited in place as the call goes on.
//!
//! `handle` takes nudges, `registry` keeps a bot (`actor`) per enterprise, `desk` knows whose turn it is, `limiter` how
//! fast, `plan` what to do, `text` what to say, `api` asks, `answer` understands, `ledger` remembers. The other
//! way, `listener` hears what people write to a bot while a chat may join by a `code`; `update` reads it.

mod actor;
pub mod answer;
pub mod api;
mod books;
pub mod code;
pub mod desk;
mod flow;
pub mod handle;
mod inbox;
mod job;
mod ledger;
pub mod limiter;
mod listener;
pub mod messages;
pub mod plan;
pub mod present;
mod registry;
pub mod settings;
pub mod text;
pub mod trial;
mod update;
mod words;

pub use actor::Board;
pub use handle::Telegram;
pub use listener::bot_id;
pub use messages::Observed;
pub use settings::Settings;

/// The word in `deliveries.integration`; the kind is `message`.
pub const INTEGRATION: &str = "telegram";
/// The word in `deliveries.kind`.
pub const KIND: &str = "message";

#[cfg(test)]
mod tests;
