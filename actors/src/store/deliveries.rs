//! What is to be told, to whom: the outbox. Inserted by the writer with the event that calls for it, claimed by
//! integration actors under a lease, settled through the writer. Never decides whether something is to be sent.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::conn::on;
use super::schema::deliveries;
use super::time::{Time, plain};
use super::{Conn, StoreError};
use crate::call::record::CallId;

/// A delivery to be written. Where the call has one of the same integration and kind already that nobody has tried,
/// it is renewed; otherwise the first one stands.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    pub enterprise: i64,
    /// "retailcrm", …, "telegram".
    pub integration: String,
    pub call: CallId,
    pub unique_id: String,
    /// "dial", "dial:151", "bridge:150", "hangup", "upload", "recording", "message" …; unique within (call, integration).
    pub kind: String,
    /// Its place among the deliveries of the call to the integration.
    pub position: i32,
    /// JSON.
    pub payload: String,
    pub not_before: DateTime<Utc>,
    /// Of no use to anyone after this.
    pub expires_at: Option<DateTime<Utc>>,
    /// Lease it to us at once when it is due: its actor is in this process and gets the row handed over.
    pub lease: bool,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// To be sent, at `not_before` at the earliest.
    Due,
    /// Somebody is at it until `leased_until`.
    Leased,
    Done,
    Failed,
    /// It came too late to be of use.
    Missed,
    Withdrawn,
}

impl DeliveryState {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Due => "due",
            DeliveryState::Leased => "leased",
            DeliveryState::Done => "done",
            DeliveryState::Failed => "failed",
            DeliveryState::Missed => "missed",
            DeliveryState::Withdrawn => "withdrawn",
        }
    }

    /// Reads the table's word.
    ///
    /// # Errors
    /// `Damaged` for a word that is none.
    pub fn of(word: &str) -> Result<DeliveryState, StoreError> {
        Ok(match word {
            "due" => DeliveryState::Due,
            "leased" => DeliveryState::Leased,
            "done" => DeliveryState::Done,
            "failed" => DeliveryState::Failed,
            "missed" => DeliveryState::Missed,
            "withdrawn" => DeliveryState::Withdrawn,
            other => return Err(StoreError::Damaged(format!("a delivery in state {other}"))),
        })
    }
}

/// A delivery as the table has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub id: i64,
    pub enterprise: i64,
    pub integration: String,
    pub call: CallId,
    pub unique_id: String,
    pub kind: String,
    pub position: i32,
    pub state: DeliveryState,
    pub payload: String,
    pub attempts: i32,
    pub not_before: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub leased_until: Option<DateTime<Utc>>,
    pub lease_owner: String,
    /// In words, for people.
    pub outcome: String,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Queryable)]
pub(crate) struct Row {
    id: i64,
    enterprise: i64,
    integration: String,
    call: i64,
    unique_id: String,
    kind: String,
    position: i32,
    state: String,
    payload: String,
    attempts: i32,
    not_before: Time,
    expires_at: Option<Time>,
    leased_until: Option<Time>,
    lease_owner: String,
    outcome: String,
    created_at: Time,
    finished_at: Option<Time>,
}

impl TryFrom<Row> for Delivery {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Delivery, StoreError> {
        Ok(Delivery {
            id: row.id,
            enterprise: row.enterprise,
            integration: row.integration,
            call: CallId(row.call),
            unique_id: row.unique_id,
            kind: row.kind,
            position: row.position,
            state: DeliveryState::of(&row.state)?,
            payload: row.payload,
            attempts: row.attempts,
            not_before: row.not_before.0,
            expires_at: plain(row.expires_at),
            leased_until: plain(row.leased_until),
            lease_owner: row.lease_owner,
            outcome: row.outcome,
            created_at: row.created_at.0,
            finished_at: plain(row.finished_at),
        })
    }
}

pub(crate) fn understood(rows: Vec<Row>) -> Result<Vec<Delivery>, StoreError> {
    rows.into_iter().map(Delivery::try_from).collect()
}

/// Deliveries of one call, in (integration, position) order.
///
/// # Errors
/// The database's own.
pub fn of_call(
    conn: &mut Conn,
    enterprise: i64,
    call: CallId,
) -> Result<Vec<Delivery>, StoreError> {
    let rows: Vec<Row> = on!(conn, c => {
        deliveries::table
            .filter(deliveries::call_id.eq(call.0))
            .filter(deliveries::enterprise_id.eq(enterprise))
            .order((deliveries::integration, deliveries::position, deliveries::id))
            .load(c)?
    });
    understood(rows)
}

/// Pairs of enterprise and integration that have something open: which actors a start must wake.
///
/// # Errors
/// The database's own.
pub fn open(conn: &mut Conn) -> Result<Vec<(i64, String)>, StoreError> {
    Ok(on!(conn, c => {
        deliveries::table
            .filter(diesel::dsl::sql::<Bool>("state IN ('due', 'leased')"))
            .select((deliveries::enterprise_id, deliveries::integration))
            .distinct()
            .load(c)?
    }))
}

/// One delivery of the enterprise; `None` for a superadmin means any enterprise's.
///
/// # Errors
/// The database's own.
pub fn by_id(
    conn: &mut Conn,
    enterprise: Option<i64>,
    id: i64,
) -> Result<Option<Delivery>, StoreError> {
    let row: Option<Row> =
        on!(conn, c => deliveries::table.filter(deliveries::id.eq(id)).first(c).optional()?);
    let found = row.map(Delivery::try_from).transpose()?;
    Ok(found.filter(|delivery| enterprise.is_none_or(|wanted| delivery.enterprise == wanted)))
}

/// How many deliveries of each of these calls are in which state: for a page of calls that its caller may see.
///
/// # Errors
/// The database's own.
pub fn counts_of(
    conn: &mut Conn,
    calls: &[CallId],
) -> Result<Vec<(CallId, DeliveryState, i64)>, StoreError> {
    let ids: Vec<i64> = calls.iter().map(|call| call.0).collect();
    let rows: Vec<(i64, String, i64)> = on!(conn, c => {
        deliveries::table
            .filter(deliveries::call_id.eq_any(&ids))
            .group_by((deliveries::call_id, deliveries::state))
            .select((deliveries::call_id, deliveries::state, diesel::dsl::count_star()))
            .load(c)?
    });
    rows.into_iter()
        .map(|(call, state, count)| Ok((CallId(call), DeliveryState::of(&state)?, count)))
        .collect()
}

/// What is still to be done for one enterprise and integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub enterprise: i64,
    pub integration: String,
    pub state: DeliveryState,
    pub count: i64,
    /// When the oldest of them was written.
    pub oldest: DateTime<Utc>,
}

/// Open deliveries by enterprise, integration and state; of one enterprise or of all.
///
/// # Errors
/// The database's own.
pub fn backlog(conn: &mut Conn, enterprise: Option<i64>) -> Result<Vec<Backlog>, StoreError> {
    type Sum = (i64, String, String, i64, Option<Time>);
    let sums: Vec<Sum> = on!(conn, c => {
        let open = diesel::dsl::sql::<Bool>("state IN ('due', 'leased')");
        let groups = (deliveries::enterprise_id, deliveries::integration, deliveries::state);
        let columns = (
            deliveries::enterprise_id,
            deliveries::integration,
            deliveries::state,
            diesel::dsl::count_star(),
            diesel::dsl::min(deliveries::created_at),
        );
        match enterprise {
            Some(enterprise) => deliveries::table
                .filter(open)
                .filter(deliveries::enterprise_id.eq(enterprise))
                .group_by(groups)
                .select(columns)
                .load(c)?,
            None => deliveries::table.filter(open).group_by(groups).select(columns).load(c)?,
        }
    });
    let mut backlog = Vec::with_capacity(sums.len());
    for (enterprise, integration, state, count, oldest) in sums {
        let oldest = plain(oldest).unwrap_or_default();
        backlog.push(Backlog {
            enterprise,
            integration,
            state: DeliveryState::of(&state)?,
            count,
            oldest,
        });
    }
    backlog.sort_by(|a, b| {
        (a.enterprise, &a.integration, a.state.as_str()).cmp(&(
            b.enterprise,
            &b.integration,
            b.state.as_str(),
        ))
    });
    Ok(backlog)
}

/// The latest deliveries of one integration of the enterprise, for its card.
///
/// # Errors
/// The database's own.
pub fn recent(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
    limit: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let rows: Vec<Row> = on!(conn, c => {
        deliveries::table
            .filter(deliveries::enterprise_id.eq(enterprise))
            .filter(deliveries::integration.eq(integration))
            .order(deliveries::id.desc())
            .limit(limit)
            .load(c)?
    });
    understood(rows)
}
