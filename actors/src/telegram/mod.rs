//! Telegram: one live message per call and chat, edited in place as the call goes on.
//!
//! `handle` takes nudges, `registry` keeps a bot (`actor`) per enterprise, `desk` knows whose turn it is, `limiter` how
//! fast, `plan` what to do, `text` what to say, `api` asks, `answer` understands, `ledger` remembers.

mod actor;
pub mod answer;
pub mod api;
mod books;
pub mod desk;
pub mod handle;
mod inbox;
mod job;
mod ledger;
pub mod limiter;
pub mod messages;
pub mod plan;
mod registry;
pub mod settings;
pub mod text;
pub mod trial;
mod words;

pub use actor::Board;
pub use handle::Telegram;
pub use messages::Observed;
pub use settings::Settings;

/// The word in `deliveries.integration`; the kind is `message`.
pub const INTEGRATION: &str = "telegram";
/// The word in `deliveries.kind`.
pub const KIND: &str = "message";

#[cfg(test)]
mod tests;
