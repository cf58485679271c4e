//! The world outside, played strictly: stand-ins for RetailCRM, amoCRM, Bitrix24, MoySklad, U-ON, a receiver of webhooks and
//! the Telegram Bot API, used by the demo, by replays and by tests. They refuse what the real services refuse, in the same
//! words; they never call Patchbay on their own, only when a test or a person asks for it.
//!
//! A folder each, with the same files: `entry.rs` is the way of a request, `state.rs` what is held, `control.rs` and `page.rs`
//! what a person does and sees. What they share stands beside the folders: `scene.rs`, `entry.rs`, `control.rs`, `script.rs`,
//! `tally.rs`, `bucket.rs`, `page/`.

pub mod amocrm;
pub mod bitrix24;
pub mod bucket;
pub mod cardfile;
pub mod clock;
mod control;
mod entry;
pub mod form;
pub mod kept;
pub mod moysklad;
mod page;
pub mod retailcrm;
pub mod scene;
pub mod script;
pub mod server;
pub mod tally;
pub mod telegram;
pub mod uon;
pub mod webhook;
