//! Telegram as a whole: real tables of both kinds, the strict simulator of the Bot API, and calls as the house tells them.

mod house;
mod joining;
mod troubles;
mod whole;
