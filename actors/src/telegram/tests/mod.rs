//! Telegram as a whole: real tables of both kinds, the strict simulator of the Bot API, and calls as the house tells them.

mod house;
mod troubles;
mod whole;
