//! `/test-interface`: made-up calls from a form, sent as a host sends them, with what was answered and what came of it.
//! For superadmins, and an enterprise's administrators for their own.

pub mod page;
pub mod runs;
