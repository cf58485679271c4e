//! A real write that changes nothing of meaning: how `/health` finds out whether the database writes. An empty
//! transaction would succeed on a full disk.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::kept;
use super::{Conn, StoreError};

const NAME: &str = "heartbeat";

/// Writes the time down. Call it inside `Store::write`, so that it goes the way of every event.
///
/// # Errors
/// The database's own.
pub fn beat(conn: &mut Conn, now: DateTime<Utc>) -> Result<(), StoreError> {
    let now = now.to_rfc3339();
    on!(conn, c => {
        diesel::insert_into(kept::table)
            .values((kept::name.eq(NAME), kept::value.eq(&now)))
            .on_conflict(kept::name)
            .do_update()
            .set(kept::value.eq(&now))
            .execute(c)?
    });
    Ok(())
}
