//! The door: HTTP in, pages out, the command line, start-up. No SQL in here; what lives is in `actors`.
//!
//! One reads a request straight down: `web::routes` (the one table) → a folder of `web` → the house.

pub mod cli;
pub mod config;
pub mod debug_log;
pub mod demo;
pub mod emulator;
pub mod error;
pub mod host_keys;
pub mod house;
pub mod logging;
pub mod masked;
pub mod replay;
pub mod startup;
pub mod state;
pub mod temporary;
pub mod told;
pub mod vault_key;
pub mod web;
