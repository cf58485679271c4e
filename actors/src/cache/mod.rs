//! The memory of every enterprise's configuration: read by every event, never a query per event.
//!
//! ```text
//!   any thread ── by_token ──▶ Table (immutable, swapped whole) ◀── install ── CacheActor ◀── rows ── Source
//!        └─────── find_token ─── only when unknown ──────────────────▶ │            │
//!   a save, NOTIFY ── invalidate / refresh ──────────────────────────▶ │      refresh, sweep timers
//! ```
//!
//! Readers take no lock. All loading goes through one actor, so a key is loaded once however many ask.
//! A database that is away changes nothing but the word "stale" beside what is known.

pub mod actor;
pub mod counters;
pub mod handle;
pub mod memo;
mod messages;
pub mod names;
mod shared;
pub mod snapshot;
pub mod source;
pub mod stats;
mod table;
mod tokens;

#[cfg(test)]
pub(crate) mod tests;

pub use handle::{Cache, Cached, Times, Unavailable};
pub use snapshot::Enterprise;
pub use source::{Source, SourceError, Which};
pub use stats::Stats;
