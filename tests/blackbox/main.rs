//! Whole paths through the real program: the built binary on a real database of either kind, spoken to over HTTP, with
//! the strict stand-ins of RetailCRM and Telegram beside it. `world` is the vocabulary; every other file here is a
//! subject and reads as its specification. Nothing here reaches into the server's memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests may stop at the first surprise"
)]

mod asterisk;
mod browser;
mod contract;
mod crashes;
mod full_disk;
mod hostile;
mod module;
mod neighbours;
mod pages_in_chromium;
mod second_process;
mod secrets;
mod whole_path;
mod world;
