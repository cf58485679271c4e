//! Calls as they go on: the page, its stream of changes, and the same as JSON.

pub mod managers;
pub mod page;
pub mod stream;
