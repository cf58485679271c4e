//! Events that were refused, so that an operator sees what a host sends wrongly. Written a batch at a time by
//! whoever collects them at the door; losing some in a crash is allowed, delaying an answer is not.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::refusals;
use super::time::Time;
use super::{Conn, StoreError};

/// A refusal to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRefusal {
    /// `None` when the token told of no enterprise.
    pub enterprise: Option<i64>,
    /// "start", …, as the URL named it.
    pub event_type: String,
    /// A short fixed word, for counting.
    pub reason: String,
    /// What was wrong, in words.
    pub detail: String,
    pub address: String,
    /// The first kilobytes, tokens masked.
    pub body: String,
    pub at: DateTime<Utc>,
}

/// A refusal as the table has it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Refusal {
    pub id: i64,
    pub enterprise: Option<i64>,
    pub event_type: String,
    pub reason: String,
    pub detail: String,
    pub address: String,
    pub body: String,
    #[diesel(deserialize_as = Time)]
    pub at: DateTime<Utc>,
}

/// Rows of one statement: PostgreSQL's wire holds 65,535 values, SQLite's statement 32,766.
const TOGETHER: usize = 500;

/// Writes many at once.
///
/// # Errors
/// The database's own.
pub fn add(conn: &mut Conn, new: &[NewRefusal]) -> Result<(), StoreError> {
    for part in new.chunks(TOGETHER) {
        let rows: Vec<_> = part
            .iter()
            .map(|refusal| {
                (
                    refusals::enterprise_id.eq(refusal.enterprise),
                    refusals::event_type.eq(refusal.event_type.replace('\0', "")),
                    refusals::reason.eq(&refusal.reason),
                    refusals::detail.eq(refusal.detail.replace('\0', "")),
                    refusals::address.eq(&refusal.address),
                    refusals::body.eq(refusal.body.replace('\0', "")),
                    refusals::created_at.eq(Time::from(refusal.at)),
                )
            })
            .collect();
        on!(conn, c => diesel::insert_into(refusals::table).values(&rows).execute(c)?);
    }
    Ok(())
}

/// The latest refusals; of one enterprise, or (for superadmins) of all and of nobody's.
///
/// # Errors
/// The database's own.
pub fn recent(
    conn: &mut Conn,
    enterprise: Option<i64>,
    limit: i64,
) -> Result<Vec<Refusal>, StoreError> {
    Ok(on!(conn, c => {
        let mut query = refusals::table.order(refusals::id.desc()).limit(limit).into_boxed();
        if let Some(enterprise) = enterprise {
            query = query.filter(refusals::enterprise_id.eq(enterprise));
        }
        query.load(c)?
    }))
}

/// How many there are of each reason since a time, most first.
///
/// # Errors
/// The database's own.
pub fn counts(conn: &mut Conn, since: DateTime<Utc>) -> Result<Vec<(String, i64)>, StoreError> {
    let mut counts: Vec<(String, i64)> = on!(conn, c => {
        refusals::table
            .filter(refusals::created_at.ge(Time::from(since)))
            .group_by(refusals::reason)
            .select((refusals::reason, diesel::dsl::count_star()))
            .load(c)?
    });
    counts.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    Ok(counts)
}
