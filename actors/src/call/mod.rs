//! A live call: from what Asterisk said to what the call is and what is to be told.

pub mod record;
