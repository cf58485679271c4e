//! `audit_log`: who changed what, when. A page's change and its audit row go into one `Store::write`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use super::conn::on;
use super::schema::audit_log;
use super::time::Time;
use super::{Conn, StoreError};

/// A change to be noted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEntry {
    /// `None` for what belongs to no enterprise.
    pub enterprise: Option<i64>,
    pub user: Option<i64>,
    /// The login, or "command line"; stays readable when the person is gone.
    pub who: String,
    /// "enterprise.save", "login", …
    pub action: String,
    /// What changed; secrets masked.
    pub what: Value,
}

/// A change as the table has it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Entry {
    pub id: i64,
    pub enterprise: Option<i64>,
    pub user: Option<i64>,
    pub who: String,
    pub action: String,
    /// JSON.
    pub what: String,
    #[diesel(deserialize_as = Time)]
    pub at: DateTime<Utc>,
}

/// Notes a change.
///
/// # Errors
/// The database's own.
pub fn add(conn: &mut Conn, new: &NewEntry, now: DateTime<Utc>) -> Result<(), StoreError> {
    on!(conn, c => {
        diesel::insert_into(audit_log::table)
            .values((
                audit_log::enterprise_id.eq(new.enterprise),
                audit_log::user_id.eq(new.user),
                audit_log::who.eq(&new.who),
                audit_log::action.eq(&new.action),
                audit_log::what.eq(new.what.to_string()),
                audit_log::created_at.eq(Time::from(now)),
            ))
            .execute(c)?
    });
    Ok(())
}

/// A page of changes, latest first, of one enterprise or (for superadmins) of all; `page` counts from 0.
///
/// # Errors
/// The database's own.
pub fn page(
    conn: &mut Conn,
    enterprise: Option<i64>,
    page: i64,
    size: i64,
) -> Result<Vec<Entry>, StoreError> {
    Ok(on!(conn, c => {
        let mut query =
            audit_log::table.order(audit_log::id.desc()).limit(size).offset(page.max(0) * size).into_boxed();
        if let Some(enterprise) = enterprise {
            query = query.filter(audit_log::enterprise_id.eq(enterprise));
        }
        query.load(c)?
    }))
}
