//! What pages see of calls in progress, and the broadcast of its changes.

pub mod board;

pub use board::{Board, CallView, Change};
