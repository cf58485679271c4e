//! The house: what lives, what it remembers, whom it tells.
//!
//! The way of a call event goes through `call` → `store` → `integration` → `crm`, and beside it `live` and
//! `telegram`. Nothing in here knows a page or a URL of ours.

pub mod asterisk;
pub mod cache;
pub mod call;
pub mod crm;
pub mod integration;
pub mod live;
pub mod reason;
pub mod retention;
pub mod store;
pub mod telegram;
