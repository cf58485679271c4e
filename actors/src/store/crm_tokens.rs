//! `crm_tokens`: the pair of tokens a CRM gave, sealed. A renewed pair is stored before it is used, and one process at a
//! time renews it: a refresh token is good for one use. Called by `integration::keeper` and by the page on which a
//! person lets us in. Tokens leave only inside `SecretString`.
//!
//! ```text
//!   version 3 ──take_turn(3)──▶ leased ──the CRM answers──▶ save: version 4, the lease ends
//!       ▲                         │ it refused, or the lease ran out
//!       └────────end_turn─────────┘
//! ```

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::crm_tokens;
use super::time::Time;
use super::{Conn, StoreError, Vault};
use crate::integration::known::Tokens;

/// The pair of one link and its version.
///
/// # Errors
/// The database's own, or the key is not the one they were sealed with.
pub fn read(
    conn: &mut Conn,
    vault: &Vault,
    enterprise: i64,
    integration: &str,
) -> Result<Option<(i64, Tokens)>, StoreError> {
    use crm_tokens::dsl as t;
    let row: Option<(i64, String)> = on!(conn, c => {
        t::crm_tokens
            .filter(t::enterprise_id.eq(enterprise))
            .filter(t::integration.eq(integration))
            .select((t::version, t::tokens))
            .first(c)
            .optional()?
    });
    let Some((version, sealed)) = row else {
        return Ok(None);
    };
    Ok(Tokens::parse(&vault.open(&sealed)?).map(|tokens| (version, tokens)))
}

/// Stores a pair as the next version and ends whoever's turn it was.
///
/// # Errors
/// The database's own.
pub fn save(
    conn: &mut Conn,
    vault: &Vault,
    enterprise: i64,
    integration: &str,
    tokens: &Tokens,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use crm_tokens::dsl as t;
    let sealed = vault.seal(&tokens.text());
    on!(conn, c => {
        diesel::insert_into(t::crm_tokens)
            .values((
                t::enterprise_id.eq(enterprise),
                t::integration.eq(integration),
                t::tokens.eq(&sealed),
                t::version.eq(1),
                t::updated_at.eq(Time::from(now)),
            ))
            .on_conflict((t::enterprise_id, t::integration))
            .do_update()
            .set((
                t::tokens.eq(&sealed),
                t::version.eq(t::version + 1),
                t::lease_owner.eq(""),
                t::leased_until.eq(None::<Time>),
                t::updated_at.eq(Time::from(now)),
            ))
            .execute(c)?
    });
    Ok(())
}

/// Takes the turn to renew this version. False when it is renewed already, or somebody is at it.
///
/// # Errors
/// The database's own.
pub fn take_turn(
    conn: &mut Conn,
    (enterprise, integration): (i64, &str),
    version: i64,
    owner: &str,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, StoreError> {
    use crm_tokens::dsl as t;
    Ok(on!(conn, c => {
        let free = t::leased_until.is_null().or(t::leased_until.lt(Some(Time::from(now))));
        let row = t::crm_tokens
            .filter(t::enterprise_id.eq(enterprise))
            .filter(t::integration.eq(integration))
            .filter(t::version.eq(version))
            .filter(free.assume_not_null());
        let taken = diesel::update(row)
            .set((t::lease_owner.eq(owner), t::leased_until.eq(Some(Time::from(until)))))
            .execute(c)?;
        taken > 0
    }))
}

/// Gives the turn back: nothing came of it.
///
/// # Errors
/// The database's own.
pub fn end_turn(
    conn: &mut Conn,
    enterprise: i64,
    integration: &str,
    owner: &str,
) -> Result<(), StoreError> {
    use crm_tokens::dsl as t;
    on!(conn, c => {
        let row = t::crm_tokens
            .filter(t::enterprise_id.eq(enterprise))
            .filter(t::integration.eq(integration))
            .filter(t::lease_owner.eq(owner));
        diesel::update(row)
            .set((t::lease_owner.eq(""), t::leased_until.eq(None::<Time>)))
            .execute(c)?
    });
    Ok(())
}

/// Gives back every turn of a process that ended in the middle of one.
///
/// # Errors
/// The database's own.
pub fn end_turns(conn: &mut Conn, owner: &str) -> Result<usize, StoreError> {
    use crm_tokens::dsl as t;
    Ok(on!(conn, c => {
        diesel::update(t::crm_tokens.filter(t::lease_owner.eq(owner)))
            .set((t::lease_owner.eq(""), t::leased_until.eq(None::<Time>)))
            .execute(c)?
    }))
}

/// Forgets a pair: the integration was taken away.
///
/// # Errors
/// The database's own.
pub fn remove(conn: &mut Conn, enterprise: i64, integration: &str) -> Result<(), StoreError> {
    use crm_tokens::dsl as t;
    on!(conn, c => {
        let row = t::crm_tokens
            .filter(t::enterprise_id.eq(enterprise))
            .filter(t::integration.eq(integration));
        diesel::delete(row).execute(c)?
    });
    Ok(())
}
