//! The journal, `call_events`: read by the call registry when it rebuilds a call, by pages and by `replay`.
//! Written only by the writer, with the exception of notes. Order is by id, never by time.

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::FromStaticSqlRow;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable};

use super::conn::on;
use super::schema::{call_events, calls};
use super::time::Time;
use super::writer::KEY_PREFIX;
use super::{Conn, StoreError};
use crate::call::record::CallId;

/// An event to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub enterprise: i64,
    /// Its call; `None` when it is of no call (yet).
    pub call: Option<CallId>,
    /// "start", "dial", …
    pub event_type: String,
    pub unique_id: String,
    pub linked_id: String,
    pub bridge_id: String,
    /// The host's clock where it can be trusted, else the time of arrival.
    pub event_timestamp: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
    /// Identity: a resend has the same. Unique over all enterprises, so the enterprise must be part of it.
    pub key: Vec<u8>,
    /// EventId or X-Event-Id as the host told it.
    pub host_event_id: String,
    /// The body, byte for byte but for the token.
    pub raw: String,
    /// "live" or "recovery".
    pub data_source: String,
    /// It broke its call twice: kept and shown, not applied.
    pub parked: bool,
    pub note: String,
}

/// An event as the journal has it.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct Event {
    pub id: i64,
    pub enterprise: i64,
    #[diesel(deserialize_as = Call)]
    pub call: Option<CallId>,
    pub event_type: String,
    pub unique_id: String,
    pub linked_id: String,
    pub bridge_id: String,
    #[diesel(deserialize_as = Time)]
    pub event_timestamp: DateTime<Utc>,
    #[diesel(deserialize_as = Time)]
    pub received_at: DateTime<Utc>,
    /// Identity, as it was given.
    #[diesel(deserialize_as = Key)]
    pub key: Vec<u8>,
    pub host_event_id: String,
    pub raw: String,
    pub data_source: String,
    pub telegram_sent: bool,
    pub parked: bool,
    pub note: String,
}

/// The column of the identity on its way out: the writer puts seconds in front of it for its index.
pub struct Key(Vec<u8>);

impl<DB: Backend> Queryable<Binary, DB> for Key
where
    Vec<u8>: FromStaticSqlRow<Binary, DB>,
{
    type Row = Vec<u8>;

    fn build(row: Vec<u8>) -> diesel::deserialize::Result<Self> {
        Ok(Key(row))
    }
}

impl From<Key> for Vec<u8> {
    fn from(mut key: Key) -> Self {
        key.0.drain(..KEY_PREFIX.min(key.0.len()));
        key.0
    }
}

/// A nullable call column on its way into `Option<CallId>`.
pub struct Call(Option<i64>);

impl<DB: Backend> Queryable<Nullable<BigInt>, DB> for Call
where
    Option<i64>: FromStaticSqlRow<Nullable<BigInt>, DB>,
{
    type Row = Option<i64>;

    fn build(row: Option<i64>) -> diesel::deserialize::Result<Self> {
        Ok(Call(row))
    }
}

impl From<Call> for Option<CallId> {
    fn from(call: Call) -> Self {
        call.0.map(CallId)
    }
}

/// The events of one call in the order of the journal, with those that name only a bridge the call's events name.
///
/// # Errors
/// The database's own.
pub fn of_call(conn: &mut Conn, enterprise: i64, call: CallId) -> Result<Vec<Event>, StoreError> {
    let mut events: Vec<Event> = on!(conn, c => {
        call_events::table
            .filter(call_events::call_id.eq(call.0))
            .filter(call_events::enterprise_id.eq(enterprise))
            .order(call_events::id)
            .load(c)?
    });
    let mut bridges: Vec<&str> = events
        .iter()
        .map(|e| e.bridge_id.as_str())
        .filter(|b| !b.is_empty())
        .collect();
    bridges.sort_unstable();
    bridges.dedup();
    if !bridges.is_empty() {
        let beside = of_bridges(conn, enterprise, &bridges)?;
        events.extend(beside.into_iter().filter(|event| event.call != Some(call)));
        events.sort_by_key(|event| event.id);
    }
    Ok(events)
}

/// Events of the enterprise that name no channel, only one of these bridges; in the order of the journal.
///
/// # Errors
/// The database's own.
fn of_bridges(
    conn: &mut Conn,
    enterprise: i64,
    bridges: &[&str],
) -> Result<Vec<Event>, StoreError> {
    // The condition is written out because the partial index is used only where its words stand in the query.
    let bridge_only = diesel::dsl::sql::<Bool>("unique_id = ''");
    Ok(on!(conn, c => {
        call_events::table
            .filter(call_events::bridge_id.eq_any(bridges))
            .filter(call_events::enterprise_id.eq(enterprise))
            .filter(bridge_only)
            .order(call_events::id)
            .load(c)?
    }))
}

/// Events of many calls at once, in (call, id) order: what the registry rebuilds from at start. For calls of every
/// enterprise, so never for a person's request. A few hundred calls at a time are quickest.
///
/// # Errors
/// The database's own.
pub fn of_calls(conn: &mut Conn, wanted: &[CallId]) -> Result<Vec<Event>, StoreError> {
    let ids: Vec<i64> = wanted.iter().map(|call| call.0).collect();
    Ok(on!(conn, c => {
        call_events::table
            .filter(call_events::call_id.eq_any(&ids))
            .order((call_events::call_id, call_events::id))
            .load(c)?
    }))
}

/// How much older than the newest call one without a row may be. Call ids are milliseconds shifted by 20 bits.
const NAMELESS: i64 = (15 * 60 * 1000) << 20;

/// Every call that is not over, oldest first: (enterprise, call). With them come those of the last minutes that have no
/// row yet: nothing is known of such a call but an event of one of its legs, and that event's linked id leads to it
/// only while the call is in memory.
///
/// # Errors
/// The database's own.
pub fn unfinished(conn: &mut Conn) -> Result<Vec<(i64, CallId)>, StoreError> {
    let mut rows: Vec<(i64, i64)> = on!(conn, c => {
        calls::table
            .filter(diesel::dsl::sql::<Bool>("state = 'live'"))
            .select((calls::enterprise_id, calls::id))
            .load(c)?
    });
    let newest: Option<i64> = on!(conn, c => call_events::table.select(diesel::dsl::max(call_events::call_id)).get_result(c)?);
    if let Some(newest) = newest {
        let nameless: Vec<(i64, i64)> = on!(conn, c => {
            let row = calls::table.filter(calls::id.nullable().eq(call_events::call_id));
            call_events::table
                .filter(call_events::call_id.ge(newest - NAMELESS))
                .filter(diesel::dsl::not(diesel::dsl::exists(row)))
                .select((call_events::enterprise_id, call_events::call_id.assume_not_null()))
                .distinct()
                .load(c)?
        });
        rows.extend(nameless);
    }
    rows.sort_unstable_by_key(|(_, call)| *call);
    Ok(rows
        .into_iter()
        .map(|(enterprise, call)| (enterprise, CallId(call)))
        .collect())
}

/// Events by their ids, in the order of the journal; ids of other enterprises are left out.
///
/// # Errors
/// The database's own.
pub fn by_ids(conn: &mut Conn, enterprise: i64, ids: &[i64]) -> Result<Vec<Event>, StoreError> {
    Ok(on!(conn, c => {
        call_events::table
            .filter(call_events::id.eq_any(ids))
            .filter(call_events::enterprise_id.eq(enterprise))
            .order(call_events::id)
            .load(c)?
    }))
}

/// Events of one unique id, whichever call they belong to; in the order of the journal.
///
/// # Errors
/// The database's own.
pub fn by_unique_id(
    conn: &mut Conn,
    enterprise: i64,
    unique_id: &str,
) -> Result<Vec<Event>, StoreError> {
    Ok(on!(conn, c => {
        call_events::table
            .filter(call_events::unique_id.eq(unique_id))
            .filter(call_events::enterprise_id.eq(enterprise))
            .order(call_events::id)
            .load(c)?
    }))
}

/// The whole journal of an enterprise, in its order: what `replay` compares with what it sent.
///
/// # Errors
/// The database's own.
pub fn of_enterprise(conn: &mut Conn, enterprise: i64) -> Result<Vec<Event>, StoreError> {
    Ok(on!(conn, c => {
        call_events::table
            .filter(call_events::enterprise_id.eq(enterprise))
            .order(call_events::id)
            .load(c)?
    }))
}

/// Sets an event aside (or back): it stays in the journal and is shown with its note, but is not applied.
///
/// # Errors
/// `NotFound` when the enterprise has no such event.
pub fn park(
    conn: &mut Conn,
    enterprise: i64,
    event: i64,
    parked: bool,
    note: &str,
) -> Result<(), StoreError> {
    let changed = on!(conn, c => {
        diesel::update(call_events::table.filter(call_events::id.eq(event)).filter(call_events::enterprise_id.eq(enterprise)))
            .set((call_events::parked.eq(parked), call_events::note.eq(note)))
            .execute(c)?
    });
    if changed == 0 {
        Err(StoreError::NotFound)
    } else {
        Ok(())
    }
}

/// Events in the whole journal, or in one enterprise's.
///
/// # Errors
/// The database's own.
pub fn count(conn: &mut Conn, enterprise: Option<i64>) -> Result<i64, StoreError> {
    Ok(on!(conn, c => match enterprise {
        Some(enterprise) => call_events::table.filter(call_events::enterprise_id.eq(enterprise)).count().get_result(c)?,
        None => call_events::table.count().get_result(c)?,
    }))
}
