//! Who is logged in. Called by `src/web/session`. Keeps only hashes of session tokens, so that a copy of the
//! database logs nobody in.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::{sessions, users};
use super::time::Time;
use super::users::User;
use super::{Conn, StoreError};

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The vault's fingerprint of the cookie's token.
    pub token_hash: String,
    pub user: i64,
    pub csrf: String,
    pub address: String,
    pub agent: String,
    pub expires_at: DateTime<Utc>,
}

/// An open session.
#[derive(Clone, Queryable)]
pub struct Session {
    pub id: i64,
    pub token_hash: String,
    pub user: i64,
    pub csrf: String,
    pub address: String,
    pub agent: String,
    #[diesel(deserialize_as = Time)]
    pub created_at: DateTime<Utc>,
    #[diesel(deserialize_as = Time)]
    pub last_seen_at: DateTime<Utc>,
    #[diesel(deserialize_as = Time)]
    pub expires_at: DateTime<Utc>,
}

/// Opens a session; gives its id.
///
/// # Errors
/// The database's own.
pub fn add(conn: &mut Conn, new: &NewSession, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let now = Time::from(now);
    Ok(on!(conn, c => {
        diesel::insert_into(sessions::table)
            .values((
                sessions::token_hash.eq(&new.token_hash),
                sessions::user_id.eq(new.user),
                sessions::csrf.eq(&new.csrf),
                sessions::address.eq(&new.address),
                sessions::agent.eq(&new.agent),
                sessions::created_at.eq(now),
                sessions::last_seen_at.eq(now),
                sessions::expires_at.eq(Time::from(new.expires_at)),
            ))
            .returning(sessions::id)
            .get_result(c)?
    }))
}

/// The session of a token's fingerprint and its person, while neither has expired or been switched off.
///
/// # Errors
/// The database's own.
pub fn find(
    conn: &mut Conn,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<(Session, User)>, StoreError> {
    Ok(on!(conn, c => {
        sessions::table
            .inner_join(users::table.on(users::id.eq(sessions::user_id)))
            .filter(sessions::token_hash.eq(token_hash))
            .filter(sessions::expires_at.gt(Time::from(now)))
            .filter(users::active.eq(true))
            .select((sessions::all_columns, users::all_columns))
            .first(c)
            .optional()?
    }))
}

/// Notes that a session was used. Not for every request: a minute's precision is enough.
///
/// # Errors
/// The database's own.
pub fn touch(conn: &mut Conn, session: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
    on!(conn, c => {
        diesel::update(sessions::table.filter(sessions::id.eq(session))).set(sessions::last_seen_at.eq(Time::from(now))).execute(c)?
    });
    Ok(())
}

/// Ends one session of a person; whether there was one.
///
/// # Errors
/// The database's own.
pub fn delete(conn: &mut Conn, user: i64, session: i64) -> Result<bool, StoreError> {
    let ended = on!(conn, c => {
        diesel::delete(sessions::table.filter(sessions::id.eq(session)).filter(sessions::user_id.eq(user))).execute(c)?
    });
    Ok(ended > 0)
}

/// Ends every session of a person; gives how many.
///
/// # Errors
/// The database's own.
pub fn delete_all(conn: &mut Conn, user: i64) -> Result<usize, StoreError> {
    Ok(
        on!(conn, c => diesel::delete(sessions::table.filter(sessions::user_id.eq(user))).execute(c)?),
    )
}

/// Open sessions of a person, latest use first.
///
/// # Errors
/// The database's own.
pub fn list(conn: &mut Conn, user: i64, now: DateTime<Utc>) -> Result<Vec<Session>, StoreError> {
    Ok(on!(conn, c => {
        sessions::table
            .filter(sessions::user_id.eq(user))
            .filter(sessions::expires_at.gt(Time::from(now)))
            .order((sessions::last_seen_at.desc(), sessions::id.desc()))
            .load(c)?
    }))
}

/// Removes expired sessions; gives how many.
///
/// # Errors
/// The database's own.
pub fn sweep(conn: &mut Conn, now: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(
        on!(conn, c => diesel::delete(sessions::table.filter(sessions::expires_at.le(Time::from(now)))).execute(c)?),
    )
}
