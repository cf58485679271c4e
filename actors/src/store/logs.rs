//! `integration_logs`: every attempt with masked request and response. Written by the writer with the outcome of
//! a delivery, or singly; read by pages. Masks nothing itself: what comes in is masked already.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::integration_logs;
use super::time::Time;
use super::{Conn, StoreError};

/// A row to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewLog {
    pub enterprise: i64,
    pub enterprise_number: String,
    /// "retailcrm", …
    pub integration: String,
    /// dial, bridge, hangup, upload, download, register_module, make_call, smart_redirect, …
    pub event_type: String,
    pub delivery: Option<i64>,
    pub unique_id: String,
    pub phone: String,
    pub extension: String,
    /// Secrets masked.
    pub request: String,
    /// Secrets masked.
    pub response: String,
    /// "success", "error" or "pending".
    pub status: String,
    pub error: String,
    pub milliseconds: i32,
    pub at: DateTime<Utc>,
}

#[derive(Insertable)]
#[diesel(table_name = integration_logs, treat_none_as_default_value = false)]
pub(crate) struct Insert<'a> {
    enterprise_id: i64,
    enterprise_number: &'a str,
    integration_type: &'a str,
    event_type: &'a str,
    delivery_id: Option<i64>,
    call_unique_id: &'a str,
    phone_number: &'a str,
    internal_extension: &'a str,
    request_data: &'a str,
    response_data: &'a str,
    status: &'a str,
    error_message: &'a str,
    response_time_ms: i32,
    created_at: Time,
    updated_at: Time,
}

impl<'a> From<&'a NewLog> for Insert<'a> {
    fn from(log: &'a NewLog) -> Self {
        Insert {
            enterprise_id: log.enterprise,
            enterprise_number: &log.enterprise_number,
            integration_type: &log.integration,
            event_type: &log.event_type,
            delivery_id: log.delivery,
            call_unique_id: &log.unique_id,
            phone_number: &log.phone,
            internal_extension: &log.extension,
            request_data: &log.request,
            response_data: &log.response,
            status: &log.status,
            error_message: &log.error,
            response_time_ms: log.milliseconds,
            created_at: log.at.into(),
            updated_at: log.at.into(),
        }
    }
}

/// Writes one row; gives its id.
///
/// # Errors
/// The database's own.
pub fn add(conn: &mut Conn, log: &NewLog) -> Result<i64, StoreError> {
    Ok(on!(conn, c => {
        diesel::insert_into(integration_logs::table).values(Insert::from(log)).returning(integration_logs::id).get_result(c)?
    }))
}
