//! `memories`: what a connector keeps about a call from one delivery to the next. Written by `integration::keeper` in
//! the middle of a conversation, and with a click-to-call whose call the CRM knows already; removed by age. The text
//! is the connector's own: nothing here reads it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use super::conn::on;
use super::schema::memories;
use super::time::Time;
use super::{Conn, StoreError};

/// The name under which a memory waits for the call that follows a click.
pub fn of_request(request: &str) -> String {
    format!("request:{request}")
}

/// What is kept under the first of these names that has anything; `Null` when none has.
///
/// # Errors
/// The database's own.
pub fn read(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
    names: &[String],
) -> Result<Value, StoreError> {
    use memories::dsl as m;
    let found: Vec<(String, String)> = on!(conn, c => {
        m::memories
            .filter(m::enterprise_id.eq(enterprise))
            .filter(m::integration.eq(integration))
            .filter(m::name.eq_any(names))
            .select((m::name, m::memory))
            .load(c)?
    });
    let first = names
        .iter()
        .find_map(|name| found.iter().find(|(known, _)| known == name));
    Ok(first
        .and_then(|(_, memory)| serde_json::from_str(memory).ok())
        .unwrap_or(Value::Null))
}

/// Keeps a memory in place of the former one.
///
/// # Errors
/// The database's own.
pub fn keep(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
    name: &str,
    memory: &Value,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use diesel::upsert::excluded;
    use memories::dsl as m;
    on!(conn, c => {
        diesel::insert_into(m::memories)
            .values((
                m::enterprise_id.eq(enterprise),
                m::integration.eq(integration),
                m::name.eq(name),
                m::memory.eq(memory.to_string()),
                m::updated_at.eq(Time::from(now)),
            ))
            .on_conflict((m::enterprise_id, m::integration, m::name))
            .do_update()
            .set((m::memory.eq(excluded(m::memory)), m::updated_at.eq(excluded(m::updated_at))))
            .execute(c)?
    });
    Ok(())
}

/// The request that keeps this memory since then: a CRM that tells of one click twice says the same twice.
///
/// # Errors
/// The database's own.
pub fn request_with(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
    memory: &Value,
    since: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    use memories::dsl as m;
    let found: Option<String> = on!(conn, c => {
        m::memories
            .filter(m::enterprise_id.eq(enterprise))
            .filter(m::integration.eq(integration))
            .filter(m::name.like("request:%"))
            .filter(m::memory.eq(memory.to_string()))
            .filter(m::updated_at.gt(Time::from(since)))
            .select(m::name)
            .first(c)
            .optional()?
    });
    Ok(found.and_then(|name| name.strip_prefix(&of_request("")).map(str::to_owned)))
}

/// Removes what was not touched since; gives how many.
///
/// # Errors
/// The database's own.
pub fn forget(conn: &mut Conn, before: DateTime<Utc>) -> Result<usize, StoreError> {
    Ok(on!(conn, c => {
        diesel::delete(memories::table.filter(memories::updated_at.lt(Time::from(before)))).execute(c)?
    }))
}
