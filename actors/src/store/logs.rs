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

/// A row as the table has it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, serde::Serialize)]
pub struct Log {
    pub id: i64,
    #[serde(skip)]
    pub enterprise: i64,
    pub enterprise_number: String,
    #[serde(rename = "integration_type")]
    pub integration: String,
    pub event_type: String,
    #[serde(rename = "delivery_id")]
    pub delivery: Option<i64>,
    #[serde(rename = "call_unique_id")]
    pub unique_id: String,
    #[serde(rename = "phone_number")]
    pub phone: String,
    #[serde(rename = "internal_extension")]
    pub extension: String,
    #[serde(rename = "request_data")]
    pub request: String,
    #[serde(rename = "response_data")]
    pub response: String,
    pub status: String,
    #[serde(rename = "error_message")]
    pub error: String,
    #[serde(rename = "response_time_ms")]
    pub milliseconds: i32,
    #[diesel(deserialize_as = Time)]
    pub created_at: DateTime<Utc>,
    #[diesel(deserialize_as = Time)]
    pub updated_at: DateTime<Utc>,
}

/// Which rows a person asks for. Empty fields ask for all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `None`: of every enterprise, for superadmins only.
    pub enterprise: Option<i64>,
    pub integration: String,
    /// "success", "error" or "pending".
    pub status: String,
    /// A call's unique id.
    pub call: String,
    pub delivery: Option<i64>,
    pub from: Option<DateTime<Utc>>,
    /// Not included.
    pub to: Option<DateTime<Utc>>,
}

/// A page of rows, latest first; `page` counts from 0.
///
/// # Errors
/// The database's own.
pub fn page(
    conn: &mut Conn,
    filter: &Filter,
    page: i64,
    size: i64,
) -> Result<Vec<Log>, StoreError> {
    page_from(conn, filter, page.max(0) * size, size)
}

/// Rows, latest first, `skip` of them left out.
///
/// # Errors
/// The database's own.
pub fn page_from(
    conn: &mut Conn,
    filter: &Filter,
    skip: i64,
    size: i64,
) -> Result<Vec<Log>, StoreError> {
    use integration_logs::dsl as l;
    Ok(on!(conn, c => {
        let mut query = l::integration_logs.order(l::id.desc()).limit(size).offset(skip.max(0)).into_boxed();
        if let Some(enterprise) = filter.enterprise {
            query = query.filter(l::enterprise_id.eq(enterprise));
        }
        if !filter.integration.is_empty() {
            query = query.filter(l::integration_type.eq(&filter.integration));
        }
        if !filter.status.is_empty() {
            query = query.filter(l::status.eq(&filter.status));
        }
        if !filter.call.is_empty() {
            query = query.filter(l::call_unique_id.eq(&filter.call));
        }
        if let Some(delivery) = filter.delivery {
            query = query.filter(l::delivery_id.eq(delivery));
        }
        if let Some(from) = filter.from {
            query = query.filter(l::created_at.ge(Time::from(from)));
        }
        if let Some(to) = filter.to {
            query = query.filter(l::created_at.lt(Time::from(to)));
        }
        query.load(c)?
    }))
}

/// Rows of many deliveries in the order of writing: the attempts that a call's page shows.
///
/// # Errors
/// The database's own.
pub fn of_deliveries(
    conn: &mut Conn,
    enterprise: i64,
    deliveries: &[i64],
) -> Result<Vec<Log>, StoreError> {
    use integration_logs::dsl as l;
    Ok(on!(conn, c => {
        l::integration_logs
            .filter(l::delivery_id.eq_any(deliveries))
            .filter(l::enterprise_id.eq(enterprise))
            .order(l::id)
            .load(c)?
    }))
}

/// What smart redirect decided last for a call; `None` when it was not asked.
///
/// # Errors
/// The database's own.
pub fn redirect_of(
    conn: &mut Conn,
    enterprise: i64,
    unique_id: &str,
) -> Result<Option<Log>, StoreError> {
    use integration_logs::dsl as l;
    Ok(on!(conn, c => {
        l::integration_logs
            .filter(l::call_unique_id.eq(unique_id))
            .filter(l::enterprise_id.eq(enterprise))
            // Written out: the index is one of these rows only.
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("event_type = 'smart_redirect'"))
            .order(l::id.desc())
            .first(c)
            .optional()?
    }))
}

/// How often each integration of the enterprise succeeded and failed since a time: (integration, status, rows).
///
/// # Errors
/// The database's own.
pub fn counts(
    conn: &mut Conn,
    enterprise: Option<i64>,
    since: DateTime<Utc>,
) -> Result<Vec<(String, String, i64)>, StoreError> {
    use integration_logs::dsl as l;
    let mut counts: Vec<(String, String, i64)> = on!(conn, c => {
        let since = l::created_at.ge(Time::from(since));
        let columns = (l::integration_type, l::status, diesel::dsl::count_star());
        match enterprise {
            Some(enterprise) => l::integration_logs
                .filter(since)
                .filter(l::enterprise_id.eq(enterprise))
                .group_by((l::integration_type, l::status))
                .select(columns)
                .load(c)?,
            None => l::integration_logs
                .filter(since)
                .group_by((l::integration_type, l::status))
                .select(columns)
                .load(c)?,
        }
    });
    counts.sort();
    Ok(counts)
}

/// Attempts of one integration in one hour.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hour {
    pub integration: String,
    /// The hour's beginning.
    pub at: DateTime<Utc>,
    pub success: i64,
    pub error: i64,
}

/// Attempts hour by hour since a time, of one enterprise or (for superadmins) of all; hours without any are left out.
///
/// # Errors
/// The database's own.
pub fn hourly(
    conn: &mut Conn,
    enterprise: Option<i64>,
    since: DateTime<Utc>,
) -> Result<Vec<Hour>, StoreError> {
    use diesel::sql_types::{BigInt, Text};
    use integration_logs::dsl as l;
    // Both databases write a time as "2026-03-01 11:05:09" first, so its first 13 letters name its hour.
    let group = "integration_type, status, substr(CAST(created_at AS TEXT), 1, 13)";
    let columns = format!("{group}, count(*)");
    // One query for both questions: one enterprise is a range of one.
    let (first, last) = enterprise.map_or((i64::MIN, i64::MAX), |id| (id, id));
    let rows: Vec<(String, String, String, i64)> = on!(conn, c => {
        l::integration_logs
            .filter(l::created_at.ge(Time::from(since)))
            .filter(l::enterprise_id.between(first, last))
            .group_by(diesel::dsl::sql::<Text>(group))
            .select(diesel::dsl::sql::<(Text, Text, Text, BigInt)>(&columns))
            .load(c)?
    });
    let mut hours: std::collections::BTreeMap<(DateTime<Utc>, String), (i64, i64)> =
        std::collections::BTreeMap::new();
    for (integration, status, hour, count) in rows {
        let text = format!("{}:00:00Z", hour.replace(' ', "T"));
        let at = text
            .parse()
            .map_err(|_| StoreError::Damaged(format!("a log row of the hour {hour}")))?;
        let sums = hours.entry((at, integration)).or_default();
        match status.as_str() {
            "success" => sums.0 += count,
            "error" => sums.1 += count,
            _ => {}
        }
    }
    Ok(hours
        .into_iter()
        .map(|((at, integration), (success, error))| Hour {
            integration,
            at,
            success,
            error,
        })
        .collect())
}

/// Since when every attempt of this integration has failed; `None` while the last one was a success or there was none.
/// Only deliveries count: what a person tried (a test, a registration) and what hosts refused says nothing of the CRM's link.
///
/// # Errors
/// The database's own.
pub fn failing_since(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    use integration_logs::dsl as l;
    Ok(on!(conn, c => {
        let last = |status: &'static str| {
            l::integration_logs
                .filter(l::enterprise_id.eq(enterprise))
                .filter(l::integration_type.eq(integration))
                .filter(l::delivery_id.is_not_null())
                .filter(l::status.eq(status))
        };
        let good: Option<i64> = last("success").order(l::id.desc()).select(l::id).first(c).optional()?;
        let first: Option<Time> = last("error")
            .filter(l::id.gt(good.unwrap_or(0)))
            .order(l::id)
            .select(l::created_at)
            .first(c)
            .optional()?;
        first.map(|at| at.0)
    }))
}
