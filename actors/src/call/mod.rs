//! A live call: from what Asterisk said to what the call is and what is to be told.
//!
//! Read `event` (what was said), `state` with its drawing (what the call is), `effect` (what is to be told),
//! then `actor` and `registry` (who does it).

pub mod actor;
pub mod aliases;
pub mod body;
mod course;
pub mod effect;
pub mod event;
pub mod facts;
pub mod handle;
pub mod intake;
pub mod legs;
mod lookups;
mod merge;
pub mod number;
pub mod rebuild;
pub mod record;
pub mod registry;
pub mod state;
pub mod timeline;

pub use handle::Calls;

#[cfg(test)]
mod life;
#[cfg(test)]
pub(crate) mod stories;
#[cfg(test)]
pub(crate) mod tests;
