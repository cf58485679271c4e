//! One enterprise's link to one CRM: what is to be told goes out in order, once, at the CRM's own pace, and is tried
//! again by plan; a CRM that fails is left alone and hurts no other.
//!
//! ```text
//!   call's commit ── rows of the outbox ─────────────▶ table deliveries
//!        └── nudge: the same rows, leased to us             ▲ │ claims: the first open row of a call
//!                                                    settle │ ▼
//!   Registry ── starts, watches, looks into the table ──▶ Link (actor): Queue, Breaker, Limiter
//!                                                           │ one try: Means
//!                                                           ▼
//!                                    Connector (crm/*, pure) ⇄ http ──▶ the CRM
//! ```
//!
//! The table is the truth. A nudge that is lost costs a second; a process that dies costs the length of its start.

pub mod actor;
pub mod attempt;
mod books;
pub mod breaker;
pub mod connector;
pub mod dispatch;
pub mod exchange;
pub mod fields;
mod flow;
mod guard;
pub mod halt;
pub mod handle;
pub mod http;
pub mod incoming;
pub mod keeper;
pub mod known;
pub mod limiter;
pub mod network;
pub mod observed;
pub mod outcome;
mod own_changes;
pub mod queue;
pub mod registration;
pub mod registry;
mod renewal;
pub mod request;
pub mod retry;
#[cfg(any(test, feature = "testing"))]
pub mod sample;
pub mod seal;
pub mod secrets;
pub mod settings;
pub mod shut_out;
mod surrender;
#[cfg(test)]
mod tests;
pub mod trial;
pub mod unknown;

pub use dispatch::deliveries_for;
pub use handle::Integrations;
pub use observed::Observed;
pub use settings::Settings;
