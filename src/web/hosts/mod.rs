//! What comes in for Asterisk hosts: clicks of CRMs and other callers, managers' statuses, and callers who wait to be
//! redirected. Everybody here shows an enterprise's secret in the request itself; the handlers look at it.

pub mod click;
pub mod crm;
mod fields;
pub mod redirect;
pub mod request;
