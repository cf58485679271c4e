//! The memory of every enterprise's configuration.

pub mod snapshot;
