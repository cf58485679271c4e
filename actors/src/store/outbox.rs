//! The table `deliveries` as the links to CRMs use it: claims that keep a call's order, rows given back, rows that
//! came too late, rows to be sent once more. Called by `integration::{actor, registry}`. Telegram's rows are left
//! alone everywhere: they have one row a call and an actor of their own.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text, Timestamp};

use super::conn::on;
use super::deliveries::{Delivery, Row, understood};
use super::schema::deliveries;
use super::time::Time;
use super::{Conn, StoreError};

/// Rows in one statement at most: SQLite counts what is bound.
const CHUNK: usize = 500;

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The first open row of each call, if it is due; what waits behind another is not given out, in whatever state that
/// other is. This is what keeps a call's deliveries in order, whoever asks. The words `$1` are read by both databases.
const HEADS: &str = "SELECT d.id AS id FROM deliveries d \
     WHERE d.integration = $1 AND d.enterprise_id = $2 AND d.state IN ('due', 'leased') AND d.state = 'due' \
       AND d.not_before <= $3 \
       AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.call_id = d.call_id AND p.integration = d.integration \
                       AND p.state IN ('due', 'leased') \
                       AND (p.position < d.position OR (p.position = d.position AND p.id < d.id))) \
     ORDER BY CASE WHEN d.expires_at > $3 AND d.kind LIKE 'dial%' THEN 0 ELSE 1 END, d.not_before, d.id LIMIT $4";

/// Claims up to `limit` rows of one link that are the first of their call, leased to `owner` until `until`.
///
/// # Errors
/// The database's own.
pub fn claim_heads(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
    owner: &str,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
    limit: i32,
) -> Result<Vec<Delivery>, StoreError> {
    let rows: Vec<Row> = on!(conn, c => {
        let heads: Vec<Id> = diesel::sql_query(HEADS)
            .bind::<Text, _>(integration)
            .bind::<BigInt, _>(enterprise)
            .bind::<Timestamp, _>(Time::from(now))
            .bind::<Integer, _>(limit)
            .load(c)?;
        let mut rows = Vec::with_capacity(heads.len());
        let ids: Vec<i64> = heads.into_iter().map(|head| head.id).collect();
        for ids in ids.chunks(CHUNK) {
            // The state is tested again: another process may have taken some in between.
            let claimed: Vec<Row> = diesel::update(deliveries::table.filter(deliveries::id.eq_any(ids)).filter(deliveries::state.eq("due")))
                .set((
                    deliveries::state.eq("leased"),
                    deliveries::leased_until.eq(Some(Time::from(until))),
                    deliveries::lease_owner.eq(owner),
                ))
                .returning(deliveries::all_columns)
                .get_results(c)?;
            rows.extend(claimed);
        }
        rows
    });
    let mut claimed = understood(rows)?;
    claimed.sort_by_key(|row| row.id);
    Ok(claimed)
}

/// Links that have something due.
///
/// # Errors
/// The database's own.
pub fn waiting(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<(i64, String)>, StoreError> {
    Ok(on!(conn, c => {
        deliveries::table
            .filter(diesel::dsl::sql::<Bool>("state IN ('due', 'leased')"))
            .filter(deliveries::state.eq("due"))
            .filter(deliveries::integration.ne("telegram"))
            .filter(deliveries::not_before.le(Time::from(now)))
            .select((deliveries::enterprise_id, deliveries::integration))
            .distinct()
            .load(c)?
    }))
}

/// The open rows of one link, as (row, call).
///
/// # Errors
/// The database's own.
pub fn open_rows(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
) -> Result<Vec<(i64, i64)>, StoreError> {
    Ok(on!(conn, c => {
        deliveries::table
            .filter(diesel::dsl::sql::<Bool>("state IN ('due', 'leased')"))
            .filter(deliveries::enterprise_id.eq(enterprise))
            .filter(deliveries::integration.eq(integration))
            .select((deliveries::id, deliveries::call_id))
            .load(c)?
    }))
}

/// How many rows are open, by link: the backlog.
///
/// # Errors
/// The database's own.
pub fn backlog(conn: &mut Conn) -> Result<Vec<(i64, String, i64)>, StoreError> {
    Ok(on!(conn, c => {
        deliveries::table
            .filter(diesel::dsl::sql::<Bool>("state IN ('due', 'leased')"))
            .filter(deliveries::integration.ne("telegram"))
            .group_by((deliveries::enterprise_id, deliveries::integration))
            .select((deliveries::enterprise_id, deliveries::integration, diesel::dsl::count_star()))
            .load(c)?
    }))
}

/// Due rows that are of no use to anyone any more.
///
/// # Errors
/// The database's own.
pub fn overdue(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<i64>, StoreError> {
    Ok(on!(conn, c => {
        deliveries::table
            .filter(diesel::dsl::sql::<Bool>("state IN ('due', 'leased')"))
            .filter(deliveries::state.eq("due"))
            .filter(deliveries::integration.ne("telegram"))
            .filter(deliveries::expires_at.le(Some(Time::from(now))))
            .order(deliveries::id)
            .limit(limit)
            .select(deliveries::id)
            .load(c)?
    }))
}

/// Records those as missed (history: as failed). What was said of them before stays readable.
///
/// # Errors
/// The database's own.
pub fn close_overdue(
    conn: &mut Conn,
    ids: &[i64],
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    // The words of the update itself; the ids are numbers of ours.
    const CLOSE: &str = "UPDATE deliveries SET \
         state = CASE WHEN kind LIKE 'upload%' THEN 'failed' ELSE 'missed' END, \
         outcome = CASE WHEN outcome = '' THEN 'not sent in time to be of use' \
                        ELSE 'not sent in time to be of use; before that: ' || outcome END, \
         finished_at = $1 WHERE state = 'due' AND expires_at <= $2 AND id IN (";
    let mut closed = 0;
    for ids in ids.chunks(CHUNK) {
        let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let sql = format!("{CLOSE}{list})");
        closed += on!(conn, c => diesel::sql_query(sql)
            .bind::<Timestamp, _>(Time::from(now))
            .bind::<Timestamp, _>(Time::from(now))
            .execute(c)?);
    }
    Ok(closed)
}

/// Makes rows due again whose lease ran out: their process died, or lost them.
///
/// # Errors
/// The database's own.
pub fn reclaim(conn: &mut Conn, now: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(on!(conn, c => {
        diesel::update(
            deliveries::table
                .filter(diesel::dsl::sql::<Bool>("state IN ('due', 'leased')"))
                .filter(deliveries::state.eq("leased"))
                .filter(deliveries::integration.ne("telegram"))
                .filter(deliveries::leased_until.lt(Some(Time::from(now)))),
        )
        .set(given_back())
        .execute(c)?
    }))
}

/// Gives rows back that `owner` holds and will not deliver now.
///
/// # Errors
/// The database's own.
pub fn put_back(conn: &mut Conn, owner: &str, ids: &[i64]) -> Result<usize, StoreError> {
    let mut count = 0;
    for ids in ids.chunks(CHUNK) {
        count += on!(conn, c => {
            diesel::update(deliveries::table.filter(deliveries::id.eq_any(ids)).filter(mine(owner))).set(given_back()).execute(c)?
        });
    }
    Ok(count)
}

/// Gives back all that `owner` holds of one link, or of all links: after the death of its actor or of the process.
///
/// # Errors
/// The database's own.
pub fn put_back_all(
    conn: &mut Conn,
    owner: &str,
    link: Option<(i64, &str)>,
) -> Result<usize, StoreError> {
    let open = || diesel::dsl::sql::<Bool>("state IN ('due', 'leased')");
    Ok(on!(conn, c => match link {
        Some((enterprise, integration)) => diesel::update(
            deliveries::table
                .filter(open())
                .filter(mine(owner))
                .filter(deliveries::enterprise_id.eq(enterprise))
                .filter(deliveries::integration.eq(integration)),
        )
        .set(given_back())
        .execute(c)?,
        None => diesel::update(deliveries::table.filter(open()).filter(mine(owner)).filter(deliveries::integration.ne("telegram")))
            .set(given_back())
            .execute(c)?,
    }))
}

/// Prolongs leases of `owner`.
///
/// # Errors
/// The database's own.
pub fn renew(
    conn: &mut Conn,
    owner: &str,
    ids: &[i64],
    until: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let mut count = 0;
    for ids in ids.chunks(CHUNK) {
        count += on!(conn, c => {
            diesel::update(deliveries::table.filter(deliveries::id.eq_any(ids)).filter(mine(owner)))
                .set(deliveries::leased_until.eq(Some(Time::from(until))))
                .execute(c)?
        });
    }
    Ok(count)
}

/// Rows of one link that wait for their next try may go now: the CRM answers again.
///
/// # Errors
/// The database's own.
pub fn hasten(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    Ok(on!(conn, c => {
        diesel::update(
            deliveries::table
                .filter(diesel::dsl::sql::<Bool>("state IN ('due', 'leased')"))
                .filter(deliveries::state.eq("due"))
                .filter(deliveries::enterprise_id.eq(enterprise))
                .filter(deliveries::integration.eq(integration))
                .filter(deliveries::attempts.gt(0))
                .filter(deliveries::not_before.gt(Time::from(now))),
        )
        .set(deliveries::not_before.eq(Time::from(now)))
        .execute(c)?
    }))
}

/// Which deliveries a person wants sent once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Only these; empty: all that the rest allows.
    pub ids: Vec<i64>,
    pub integration: Option<String>,
    /// "dial", "upload" …; without what stands after the colon.
    pub kind: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    /// Also those that were taken; else only failed and missed ones.
    pub delivered: bool,
    /// Integrations to which every delivery is history.
    pub lasting: Vec<&'static str>,
}

/// Makes settled deliveries due again and counts their tries anew; pop-ups and closings are then of use until
/// the first time, history until the second. Gives the integration of each.
///
/// # Errors
/// The database's own.
pub fn resend(
    conn: &mut Conn,
    enterprise: i64,
    wanted: &Again,
    now: DateTime<Utc>,
    (popup_until, history_until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<String>, StoreError> {
    let again = |until: DateTime<Utc>| {
        (
            deliveries::state.eq("due"),
            deliveries::attempts.eq(0),
            deliveries::not_before.eq(Time::from(now)),
            deliveries::expires_at.eq(Some(Time::from(until))),
            deliveries::finished_at.eq(None::<Time>),
            deliveries::outcome.eq("to be sent again, as a person asked"),
        )
    };
    let states: &[&str] = if wanted.delivered {
        &["failed", "missed", "done"]
    } else {
        &["failed", "missed"]
    };
    Ok(on!(conn, c => {
        let mut found = deliveries::table
            .filter(deliveries::enterprise_id.eq(enterprise))
            .filter(deliveries::integration.ne("telegram"))
            .filter(deliveries::state.eq_any(states))
            .select((deliveries::id, deliveries::kind, deliveries::integration))
            .into_boxed();
        if !wanted.ids.is_empty() {
            found = found.filter(deliveries::id.eq_any(wanted.ids.iter().copied().take(CHUNK)));
        }
        if let Some(integration) = &wanted.integration {
            found = found.filter(deliveries::integration.eq(integration));
        }
        if let Some(kind) = &wanted.kind {
            found = found.filter(deliveries::kind.eq(kind.clone()).or(deliveries::kind.like(format!("{}:%", kind.replace('%', "")))));
        }
        if let Some(from) = wanted.from {
            found = found.filter(deliveries::created_at.ge(Time::from(from)));
        }
        if let Some(to) = wanted.to {
            found = found.filter(deliveries::created_at.lt(Time::from(to)));
        }
        let found: Vec<(i64, String, String)> = found.load(c)?;
        let lasts = |kind: &str, integration: &str| kind.starts_with("upload") || kind == "recording" || wanted.lasting.contains(&integration);
        let (history, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, kind, integration)| lasts(kind, integration));
        let mut integrations = Vec::new();
        for (rows, until) in [(others, popup_until), (history, history_until)] {
            let ids: Vec<i64> = rows.into_iter().map(|(id, _, _)| id).collect();
            for ids in ids.chunks(CHUNK) {
                let some: Vec<String> = diesel::update(
                    deliveries::table.filter(deliveries::id.eq_any(ids)).filter(deliveries::state.eq_any(states)),
                )
                .set(again(until))
                .returning(deliveries::integration)
                .get_results(c)?;
                integrations.extend(some);
            }
        }
        integrations
    }))
}

type Mine<'a> = diesel::dsl::And<
    diesel::dsl::Eq<deliveries::state, &'static str>,
    diesel::dsl::Eq<deliveries::lease_owner, &'a str>,
>;

fn mine(owner: &str) -> Mine<'_> {
    deliveries::state
        .eq("leased")
        .and(deliveries::lease_owner.eq(owner))
}

type GivenBack = (
    diesel::dsl::Eq<deliveries::state, &'static str>,
    diesel::dsl::Eq<deliveries::leased_until, Option<Time>>,
    diesel::dsl::Eq<deliveries::lease_owner, &'static str>,
);

fn given_back() -> GivenBack {
    (
        deliveries::state.eq("due"),
        deliveries::leased_until.eq(None),
        deliveries::lease_owner.eq(""),
    )
}
