//! The journal of calls and one call's own page.

pub mod row;
