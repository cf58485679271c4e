//! The integrations dialog: a card per kind of CRM with its switch, state, settings, test and last deliveries; the
//! document as JSON; the log; the statistics. What holds for all CRMs only: a kind brings its fields and its texts.

pub mod api;
pub mod card;
pub mod change;
pub mod dialog;
pub mod document;
pub mod link;
pub mod logs;
pub mod schema;
pub mod stats;
pub mod users;
