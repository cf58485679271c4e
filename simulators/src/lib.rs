//! The world outside, played strictly: stand-ins for RetailCRM, amoCRM, Bitrix24, MoySklad, U-ON, a receiver of webhooks and the Telegram Bot API, used by the demo, by
//! replays and by tests. They refuse what the real services refuse, in the same words; they never call Patchbay on
//! their own, only when a test or a person asks for it.

pub mod amocrm;
pub mod bitrix24;
pub mod bucket;
pub mod cardfile;
pub mod clock;
pub mod form;
pub mod kept;
pub mod moysklad;
mod page;
pub mod retailcrm;
pub mod script;
pub mod server;
pub mod tally;
pub mod telegram;
pub mod uon;
pub mod webhook;
