//! `customers`: sums per client, added up by the writer when calls end, and the name an integration told. Read by
//! pages and by Telegram's texts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::calls::escaped;
use super::conn::on;
use super::schema::customers;
use super::time::Time;
use super::{Conn, StoreError};

/// A client of an enterprise, by number.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Customer {
    pub id: i64,
    pub enterprise: i64,
    /// E.164 with `+`.
    pub phone: String,
    pub name: String,
    /// The integration that told the name.
    pub name_source: String,
    pub calls_count: i32,
    pub answered_count: i32,
    pub missed_count: i32,
    pub talk_seconds: i64,
    #[diesel(deserialize_as = Time)]
    pub first_call_at: DateTime<Utc>,
    #[diesel(deserialize_as = Time)]
    pub last_call_at: DateTime<Utc>,
}

/// The client of a number.
///
/// # Errors
/// The database's own.
pub fn by_phone(
    conn: &mut Conn,
    enterprise: i64,
    phone: &str,
) -> Result<Option<Customer>, StoreError> {
    use customers::dsl as u;
    Ok(on!(conn, c => {
        u::customers.filter(u::enterprise_id.eq(enterprise)).filter(u::phone.eq(phone)).first(c).optional()?
    }))
}

/// Names of many clients at once: (enterprise, phone, name). Asks for phones of several enterprises together, so the
/// caller must match both.
///
/// # Errors
/// The database's own.
pub fn names(
    conn: &mut Conn,
    enterprises: &[i64],
    phones: &[String],
) -> Result<Vec<(i64, String, String)>, StoreError> {
    use customers::dsl as u;
    Ok(on!(conn, c => {
        u::customers
            .filter(u::enterprise_id.eq_any(enterprises))
            .filter(u::phone.eq_any(phones))
            .filter(u::name.ne(""))
            .select((u::enterprise_id, u::phone, u::name))
            .load(c)?
    }))
}

/// A page of clients whose number or name contains `part`, latest caller first; `page` counts from 0.
///
/// # Errors
/// The database's own.
pub fn page(
    conn: &mut Conn,
    enterprise: i64,
    part: &str,
    page: i64,
    size: i64,
) -> Result<Vec<Customer>, StoreError> {
    use customers::dsl as u;
    let part = format!("%{}%", escaped(part));
    Ok(on!(conn, c => {
        u::customers
            .filter(u::enterprise_id.eq(enterprise))
            .filter(u::phone.like(part.clone()).escape('\\').or(u::name.like(part).escape('\\')))
            .order((u::last_call_at.desc(), u::id.desc()))
            .limit(size)
            .offset(page.max(0) * size)
            .load(c)?
    }))
}

/// Keeps the name that an integration told of a number, for a client that is known already or not yet.
///
/// # Errors
/// The database's own.
pub fn set_name(
    conn: &mut Conn,
    enterprise: i64,
    phone: &str,
    name: &str,
    source: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use customers::dsl as u;
    let now = Time::from(now);
    on!(conn, c => {
        diesel::insert_into(customers::table)
            .values((
                u::enterprise_id.eq(enterprise),
                u::phone.eq(phone),
                u::name.eq(name),
                u::name_source.eq(source),
                u::first_call_at.eq(now),
                u::last_call_at.eq(now),
            ))
            .on_conflict((u::enterprise_id, u::phone))
            .do_update()
            .set((u::name.eq(name), u::name_source.eq(source)))
            .execute(c)?
    });
    Ok(())
}
