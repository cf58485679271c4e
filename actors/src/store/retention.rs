//! Removes what is older than the settings keep, in small parts so that no event waits for it. Called by a timer
//! through `Store::write`, again and again until it says nothing is left.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::{
    audit_log, call_events, calls, deliveries, integration_logs, refusals, telegram_messages,
};
use super::time::Time;
use super::{Conn, StoreError};

/// Removes up to `part` events of the enterprise received before a time, of calls that are over. Gives how many.
///
/// # Errors
/// The database's own.
pub fn events(
    conn: &mut Conn,
    enterprise: i64,
    before: DateTime<Utc>,
    part: i64,
) -> Result<usize, StoreError> {
    let live = calls::table
        .filter(calls::state.eq("live"))
        .select(calls::id);
    Ok(on!(conn, c => {
        // Ids grow with time of arrival, so the oldest are found without an index on the time.
        let old: Vec<(i64, Time)> = call_events::table
            .filter(call_events::enterprise_id.eq(enterprise))
            .filter(call_events::call_id.is_null().or(call_events::call_id.assume_not_null().ne_all(live)))
            .order(call_events::id)
            .limit(part)
            .select((call_events::id, call_events::received_at))
            .load(c)?;
        let old: Vec<i64> = old.into_iter().filter(|(_, at)| at.0 < before).map(|(id, _)| id).collect();
        diesel::delete(call_events::table.filter(call_events::id.eq_any(&old))).execute(c)?
    }))
}

/// The oldest rows of a table that are over, as far as they are older than a time.
macro_rules! remove_oldest {
    ($c:ident, $table:ident, $time:ident, $which:expr, $before:expr, $part:expr) => {{
        let old: Vec<(i64, Time)> = $table::table
            .filter($which)
            .order($table::id)
            .limit($part)
            .select(($table::id, $table::$time))
            .load($c)?;
        let old: Vec<i64> = old
            .into_iter()
            .filter(|(_, at)| *at < $before)
            .map(|(id, _)| id)
            .collect();
        diesel::delete($table::table.filter($table::id.eq_any(&old))).execute($c)?
    }};
}

/// Removes up to `part` rows each of logs, settled deliveries and Telegram messages before a time, of every enterprise.
/// Gives how many in all.
///
/// # Errors
/// The database's own.
pub fn logs(conn: &mut Conn, before: DateTime<Utc>, part: i64) -> Result<usize, StoreError> {
    let before = Time::from(before);
    Ok(on!(conn, c => {
        remove_oldest!(c, integration_logs, created_at, integration_logs::id.gt(0), before, part)
            + remove_oldest!(c, deliveries, created_at, deliveries::state.ne_all(["due", "leased"]), before, part)
            + remove_oldest!(c, telegram_messages, updated_at, telegram_messages::is_final.eq(true), before, part)
    }))
}

/// Removes up to `part` events that were turned away before a time.
///
/// # Errors
/// The database's own.
pub fn refused(conn: &mut Conn, before: DateTime<Utc>, part: i64) -> Result<usize, StoreError> {
    let before = Time::from(before);
    Ok(on!(conn, c => remove_oldest!(c, refusals, created_at, refusals::id.gt(0), before, part)))
}

/// Removes up to `part` records of who changed what before a time.
///
/// # Errors
/// The database's own.
pub fn audit(conn: &mut Conn, before: DateTime<Utc>, part: i64) -> Result<usize, StoreError> {
    let before = Time::from(before);
    Ok(on!(conn, c => remove_oldest!(c, audit_log, created_at, audit_log::id.gt(0), before, part)))
}
