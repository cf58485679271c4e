//! A live call: from what Asterisk said to what the call is and what is to be told.

pub mod aliases;
pub mod effect;
pub mod event;
pub mod facts;
pub mod legs;
pub mod number;
pub mod record;
pub mod state;

#[cfg(test)]
mod tests;
