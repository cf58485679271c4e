//! What Telegram still owes: calls whose last word has not been told in every chat, read from the open deliveries of
//! the integration `telegram`, and how such a delivery ends. Called by `telegram::ledger`; decides nothing.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::calls::{self, Call};
use super::conn::on;
use super::schema::{self, customers, deliveries, telegram_messages, telegram_users};
use super::time::{Time, plain};
use super::writer::job::Verdict;
use super::{Conn, StoreError};
use crate::call::record::CallId;

/// The word in `deliveries.integration`; its only kind is `message`.
const INTEGRATION: &str = "telegram";

/// A call whose delivery is open, and what else its last word needs.
#[derive(Clone, Debug)]
pub struct Owed {
    pub call: Call,
    /// The client's name as an integration told it, may be empty.
    pub client: String,
    /// Of no use to a chat that has not heard of the call by then.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Calls of the enterprise that are not live any more and whose delivery is open, the oldest first.
///
/// # Errors
/// `Damaged` when a call's row cannot be understood.
pub fn ended(conn: &mut Conn, enterprise: i64, limit: i64) -> Result<Vec<Owed>, StoreError> {
    let open = open(conn, enterprise, false, limit)?;
    let ids: Vec<CallId> = open.iter().map(|(id, _)| CallId(*id)).collect();
    let calls = calls::by_ids(conn, &ids)?;
    let phones: Vec<&str> = calls
        .iter()
        .filter_map(|call| call.record.phone.as_deref())
        .collect();
    let names: Vec<(String, String)> = on!(conn, c => {
        customers::table
            .filter(customers::enterprise_id.eq(enterprise))
            .filter(customers::phone.eq_any(&phones))
            .filter(customers::name.ne(""))
            .select((customers::phone, customers::name))
            .load(c)?
    });
    let named = |call: &Call| {
        names
            .iter()
            .find(|(phone, _)| Some(phone) == call.record.phone.as_ref())
    };
    Ok(calls
        .into_iter()
        .map(|call| {
            let expires_at = open
                .iter()
                .find(|(id, _)| *id == call.record.call.0)
                .and_then(|(_, at)| plain(*at));
            let client = named(&call)
                .map(|(_, name)| name.clone())
                .unwrap_or_default();
            Owed {
                call,
                client,
                expires_at,
            }
        })
        .collect())
}

/// Live calls of the enterprise whose delivery is open, the oldest first.
///
/// # Errors
/// The database's own.
pub fn live(conn: &mut Conn, enterprise: i64, limit: i64) -> Result<Vec<CallId>, StoreError> {
    Ok(open(conn, enterprise, true, limit)?
        .into_iter()
        .map(|(id, _)| CallId(id))
        .collect())
}

fn open(
    conn: &mut Conn,
    enterprise: i64,
    live: bool,
    limit: i64,
) -> Result<Vec<(i64, Option<Time>)>, StoreError> {
    use schema::calls;
    let is_live = diesel::dsl::sql::<Bool>(if live {
        "calls.state = 'live'"
    } else {
        "calls.state <> 'live'"
    });
    Ok(on!(conn, c => {
        deliveries::table
            .inner_join(calls::table.on(calls::id.eq(deliveries::call_id)))
            .filter(diesel::dsl::sql::<Bool>("deliveries.state IN ('due', 'leased')"))
            .filter(deliveries::integration.eq(INTEGRATION))
            .filter(deliveries::enterprise_id.eq(enterprise))
            .filter(is_live)
            .order(deliveries::id)
            .limit(limit)
            .select((deliveries::call_id, deliveries::expires_at))
            .load(c)?
    }))
}

/// Ends a call's open delivery, if the call has not gone on since: `events` is how many events it had when its last
/// word was told. A call that was opened again owes another one.
///
/// # Errors
/// The database's own.
pub fn settle(
    conn: &mut Conn,
    enterprise: i64,
    call: CallId,
    verdict: &Verdict,
    words: &str,
    events: i32,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(state) = verdict.state() else {
        return Ok(());
    };
    let went_on: i64 = on!(conn, c => {
        schema::calls::table
            .filter(schema::calls::id.eq(call.0))
            .filter(schema::calls::enterprise_id.eq(enterprise))
            .filter(schema::calls::state.ne("merged"))
            .filter(schema::calls::state.eq("live").or(schema::calls::events_count.gt(events)))
            .count()
            .get_result(c)?
    });
    if went_on > 0 {
        return Ok(());
    }
    on!(conn, c => {
        diesel::update(
            deliveries::table
                .filter(deliveries::call_id.eq(call.0))
                .filter(deliveries::integration.eq(INTEGRATION))
                .filter(deliveries::enterprise_id.eq(enterprise))
                .filter(diesel::dsl::sql::<Bool>("state IN ('due', 'leased')")),
        )
        .set((
            deliveries::state.eq(state),
            deliveries::outcome.eq(words),
            deliveries::attempts.eq(deliveries::attempts + 1),
            deliveries::finished_at.eq(Some(Time::from(at))),
        ))
        .execute(c)?
    });
    Ok(())
}

/// Removes the row of a message that was deleted.
///
/// # Errors
/// The database's own.
pub fn remove(conn: &mut Conn, enterprise: i64, call: CallId, chat: i64) -> Result<(), StoreError> {
    use telegram_messages::dsl as m;
    on!(conn, c => {
        diesel::delete(
            m::telegram_messages
                .filter(m::call_id.eq(call.0))
                .filter(m::chat_id.eq(chat))
                .filter(m::enterprise_id.eq(enterprise)),
        )
        .execute(c)?
    });
    Ok(())
}

/// A subscriber's chat has a new id: a group that became a supergroup. Where the new one is subscribed already, the
/// old one is switched off.
///
/// # Errors
/// The database's own.
pub fn move_chat(conn: &mut Conn, enterprise: i64, old: i64, new: i64) -> Result<(), StoreError> {
    use telegram_users::dsl as u;
    on!(conn, c => {
        let mine = || u::telegram_users.filter(u::enterprise_id.eq(enterprise));
        let there: i64 = mine().filter(u::chat_id.eq(new)).count().get_result(c)?;
        if there == 0 {
            diesel::update(mine().filter(u::chat_id.eq(old))).set(u::chat_id.eq(new)).execute(c)?;
        } else {
            let reason = format!("the group is chat {new} now");
            diesel::update(mine().filter(u::chat_id.eq(old)))
                .set((u::active.eq(false), u::disabled_reason.eq(reason)))
                .execute(c)?;
        }
    });
    Ok(())
}
