//! Removes what is older than the settings keep, in small parts so that no event waits for it. Called by
//! `crate::retention` once a day; what is to go is found on the readers' threads, by the tables' own order, for ids grow with
//! the time of arrival and no index on the time is needed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use super::conn::on;
use super::schema::{
    audit_log, call_events, calls, deliveries, enterprises, integration_logs, kept, refusals,
    telegram_messages,
};
use super::time::Time;
use super::{Conn, StoreError};
use crate::cache::snapshot::events_days;

/// The name in `kept` under which stands when the last round began.
const NAME: &str = "retention";

/// Takes the turn for a round, unless one began since `since`: several processes share a database.
///
/// # Errors
/// The database's own.
pub fn begin(
    conn: &mut Conn,
    now: DateTime<Utc>,
    since: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let text = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let (now, since) = (text(now), text(since));
    Ok(on!(conn, c => {
        diesel::insert_into(kept::table)
            .values((kept::name.eq(NAME), kept::value.eq("")))
            .on_conflict(kept::name)
            .do_nothing()
            .execute(c)?;
        // Written so that the order of texts is the order of times.
        let due = kept::table.filter(kept::name.eq(NAME)).filter(kept::value.le(since));
        diesel::update(due).set(kept::value.eq(now)).execute(c)? > 0
    }))
}

/// For how many days each enterprise wants its events kept; `None`: as the server's settings say.
///
/// # Errors
/// The database's own.
pub fn wishes(conn: &mut Conn) -> Result<Vec<(i64, Option<u32>)>, StoreError> {
    let rows: Vec<(i64, String)> = on!(conn, c => {
        enterprises::table.select((enterprises::id, enterprises::settings)).load(c)?
    });
    Ok(rows
        .into_iter()
        .map(|(id, settings)| {
            let settings = serde_json::from_str(&settings).unwrap_or(Value::Null);
            (id, events_days(&settings))
        })
        .collect())
}

/// An event as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: i64,
    pub enterprise: i64,
    pub received_at: DateTime<Utc>,
}

/// The next `part` events after the id `after` whose calls are over, oldest first.
///
/// # Errors
/// The database's own.
pub fn events(conn: &mut Conn, after: i64, part: i64) -> Result<Vec<Seen>, StoreError> {
    let live = calls::table
        .filter(calls::state.eq("live"))
        .select(calls::id);
    let rows: Vec<(i64, i64, Time)> = on!(conn, c => {
        call_events::table
            .filter(call_events::id.gt(after))
            .filter(call_events::call_id.is_null().or(call_events::call_id.assume_not_null().ne_all(live)))
            .order(call_events::id)
            .limit(part)
            .select((call_events::id, call_events::enterprise_id, call_events::received_at))
            .load(c)?
    });
    let seen = |(id, enterprise, at): (i64, i64, Time)| Seen {
        id,
        enterprise,
        received_at: at.0,
    };
    Ok(rows.into_iter().map(seen).collect())
}

/// Removes these events, unless their call lives again.
///
/// # Errors
/// The database's own.
pub fn remove_events(conn: &mut Conn, ids: &[i64]) -> Result<usize, StoreError> {
    let live = calls::table
        .filter(calls::state.eq("live"))
        .select(calls::id);
    Ok(on!(conn, c => {
        let over = call_events::table
            .filter(call_events::id.eq_any(ids))
            .filter(call_events::call_id.is_null().or(call_events::call_id.assume_not_null().ne_all(live)));
        diesel::delete(over).execute(c)?
    }))
}

macro_rules! oldest {
    ($c:ident, $table:ident, $time:ident, $before:ident, $part:ident, $which:expr) => {{
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

/// Removes up to `part` rows each of integration logs, settled deliveries and Telegram messages before a time, of every
/// enterprise. Gives how many in all.
///
/// # Errors
/// The database's own.
pub fn logs(conn: &mut Conn, before: DateTime<Utc>, part: i64) -> Result<usize, StoreError> {
    let before = Time::from(before);
    Ok(on!(conn, c => {
        oldest!(c, integration_logs, created_at, before, part, integration_logs::id.gt(0))
            + oldest!(c, deliveries, created_at, before, part, deliveries::state.ne_all(["due", "leased"]))
            + oldest!(c, telegram_messages, updated_at, before, part, telegram_messages::is_final.eq(true))
    }))
}

/// Removes up to `part` refused events before a time. Gives how many.
///
/// # Errors
/// The database's own.
pub fn refused(conn: &mut Conn, before: DateTime<Utc>, part: i64) -> Result<usize, StoreError> {
    let before = Time::from(before);
    Ok(on!(conn, c => oldest!(c, refusals, created_at, before, part, refusals::id.gt(0))))
}

/// Removes up to `part` rows of the audit before a time. Gives how many.
///
/// # Errors
/// The database's own.
pub fn audit(conn: &mut Conn, before: DateTime<Utc>, part: i64) -> Result<usize, StoreError> {
    let before = Time::from(before);
    Ok(on!(conn, c => oldest!(c, audit_log, created_at, before, part, audit_log::id.gt(0))))
}
