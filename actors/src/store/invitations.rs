//! Codes by which chats join an enterprise's subscribers, and who reads what is written to a bot. Called by the Telegram
//! page, which makes codes, and by `telegram::listener`, which hears them said. A code is known here by its keyed hash only.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::{telegram_invitations, telegram_listeners};
use super::time::Time;
use super::{Conn, StoreError};

/// How long after its end a code is still answered with words, and its row shown.
pub const REMEMBERED: TimeDelta = TimeDelta::days(3);

/// A code to be made.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    pub enterprise: i64,
    /// `Vault::fingerprint` of the code.
    pub code_hash: String,
    /// Its last characters, for people.
    pub hint: String,
    /// Only one chat joins by it.
    pub single: bool,
    /// The login of whoever made it.
    pub made_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// How a code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A chat may join by it.
    Open,
    /// The one chat that it was for has joined.
    Used,
    Expired,
    /// A person took it back.
    Ended,
}

impl Standing {
    /// The word of it, for texts of pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Open => "open",
            Standing::Used => "used",
            Standing::Expired => "expired",
            Standing::Ended => "ended",
        }
    }
}

/// A code as the table knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub id: i64,
    pub enterprise: i64,
    pub hint: String,
    pub single: bool,
    pub made_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// How many chats have joined by it.
    pub uses: i32,
    /// The chat that joined last.
    pub last_chat: Option<i64>,
    pub last_name: String,
    pub used_at: Option<DateTime<Utc>>,
}

impl Invitation {
    pub fn standing(&self, now: DateTime<Utc>) -> Standing {
        match self {
            _ if self.single && self.uses > 0 => Standing::Used,
            _ if self.ended_at.is_some() => Standing::Ended,
            _ if self.expires_at <= now => Standing::Expired,
            _ => Standing::Open,
        }
    }
}

#[derive(Queryable)]
struct Row {
    id: i64,
    enterprise: i64,
    _code_hash: String,
    hint: String,
    single: bool,
    made_by: String,
    created_at: Time,
    expires_at: Time,
    ended_at: Option<Time>,
    uses: i32,
    last_chat: Option<i64>,
    last_name: String,
    used_at: Option<Time>,
}

impl From<Row> for Invitation {
    fn from(row: Row) -> Self {
        Invitation {
            id: row.id,
            enterprise: row.enterprise,
            hint: row.hint,
            single: row.single,
            made_by: row.made_by,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            ended_at: row.ended_at.map(|at| at.0),
            uses: row.uses,
            last_chat: row.last_chat,
            last_name: row.last_name,
            used_at: row.used_at.map(|at| at.0),
        }
    }
}

/// Makes a code; gives its row's id.
///
/// # Errors
/// The database's own.
pub fn add(conn: &mut Conn, new: &NewInvitation) -> Result<i64, StoreError> {
    use telegram_invitations::dsl as t;
    Ok(on!(conn, c => {
        diesel::insert_into(telegram_invitations::table)
            .values((
                t::enterprise_id.eq(new.enterprise),
                t::code_hash.eq(&new.code_hash),
                t::hint.eq(&new.hint),
                t::single.eq(new.single),
                t::made_by.eq(&new.made_by),
                t::created_at.eq(Time::from(new.created_at)),
                t::expires_at.eq(Time::from(new.expires_at)),
            ))
            .returning(t::id)
            .get_result(c)?
    }))
}

/// The enterprise's codes that still count or did until lately, newest first.
///
/// # Errors
/// The database's own.
pub fn of(
    conn: &mut Conn,
    enterprise: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Invitation>, StoreError> {
    use telegram_invitations::dsl as t;
    let since = Time::from(now - REMEMBERED);
    let rows: Vec<Row> = on!(conn, c => {
        t::telegram_invitations
            .filter(t::enterprise_id.eq(enterprise))
            .filter(t::expires_at.gt(since))
            .order(t::id.desc())
            .load(c)?
    });
    Ok(rows.into_iter().map(Invitation::from).collect())
}

/// The code with this hash, whoever's it is.
///
/// # Errors
/// The database's own.
pub fn find(conn: &mut Conn, code_hash: &str) -> Result<Option<Invitation>, StoreError> {
    use telegram_invitations::dsl as t;
    let row: Option<Row> = on!(conn, c => {
        t::telegram_invitations.filter(t::code_hash.eq(code_hash)).first(c).optional()?
    });
    Ok(row.map(Invitation::from))
}

/// Notes that a chat joins by an open code. False when another chat was first, or the code has come to its end.
///
/// # Errors
/// The database's own.
pub fn take(
    conn: &mut Conn,
    id: i64,
    chat: i64,
    name: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    use telegram_invitations::dsl as t;
    let taken = on!(conn, c => {
        let open = t::telegram_invitations
            .filter(t::id.eq(id))
            .filter(t::ended_at.is_null())
            .filter(t::expires_at.gt(Time::from(now)))
            .filter(t::single.eq(false).or(t::uses.eq(0)));
        diesel::update(open)
            .set((
                t::uses.eq(t::uses + 1),
                t::last_chat.eq(Some(chat)),
                t::last_name.eq(name),
                t::used_at.eq(Some(Time::from(now))),
            ))
            .execute(c)?
    });
    Ok(taken > 0)
}

/// Takes an open code of the enterprise back.
///
/// # Errors
/// `NotFound` when the enterprise has no such code, or it has come to its end.
pub fn end(
    conn: &mut Conn,
    enterprise: i64,
    id: i64,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use telegram_invitations::dsl as t;
    let ended = on!(conn, c => {
        let open = t::telegram_invitations
            .filter(t::id.eq(id))
            .filter(t::enterprise_id.eq(enterprise))
            .filter(t::ended_at.is_null());
        diesel::update(open).set(t::ended_at.eq(Some(Time::from(now)))).execute(c)?
    });
    if ended == 0 {
        Err(StoreError::NotFound)
    } else {
        Ok(())
    }
}

/// The enterprises whose bots are to be listened to: those with a code that still counts or did until lately.
///
/// # Errors
/// The database's own.
pub fn awaited(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<i64>, StoreError> {
    use telegram_invitations::dsl as t;
    let since = Time::from(now - REMEMBERED);
    Ok(on!(conn, c => {
        t::telegram_invitations
            .filter(t::expires_at.gt(since))
            .select(t::enterprise_id)
            .distinct()
            .order(t::enterprise_id)
            .load(c)?
    }))
}

/// Removes codes that nobody is told of any more; gives how many.
///
/// # Errors
/// The database's own.
pub fn forget(conn: &mut Conn, now: DateTime<Utc>) -> Result<usize, StoreError> {
    use telegram_invitations::dsl as t;
    let since = Time::from(now - REMEMBERED);
    Ok(on!(conn, c => {
        diesel::delete(t::telegram_invitations.filter(t::expires_at.le(since))).execute(c)?
    }))
}

/// Takes or keeps the turn to read what is written to a bot, until a time. False when somebody else has it.
///
/// # Errors
/// The database's own.
pub fn listen(
    conn: &mut Conn,
    bot: i64,
    owner: &str,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, StoreError> {
    use telegram_listeners::dsl as t;
    Ok(on!(conn, c => {
        diesel::insert_into(telegram_listeners::table)
            .values((t::bot_id.eq(bot), t::updated_at.eq(Time::from(now))))
            .on_conflict(t::bot_id)
            .do_nothing()
            .execute(c)?;
        let free = t::leased_until.is_null().or(t::leased_until.lt(Some(Time::from(now))));
        let row = t::telegram_listeners
            .filter(t::bot_id.eq(bot))
            .filter(t::lease_owner.eq(owner).or(free.assume_not_null()));
        let taken = diesel::update(row)
            .set((t::lease_owner.eq(owner), t::leased_until.eq(Some(Time::from(until)))))
            .execute(c)?;
        taken > 0
    }))
}

/// Gives the turn back.
///
/// # Errors
/// The database's own.
pub fn leave(conn: &mut Conn, bot: i64, owner: &str) -> Result<(), StoreError> {
    use telegram_listeners::dsl as t;
    on!(conn, c => {
        diesel::update(t::telegram_listeners.filter(t::bot_id.eq(bot)).filter(t::lease_owner.eq(owner)))
            .set((t::lease_owner.eq(""), t::leased_until.eq(None::<Time>)))
            .execute(c)?
    });
    Ok(())
}

/// Notes why nothing is heard from a bot, or (empty) that all is well.
///
/// # Errors
/// The database's own.
pub fn note(
    conn: &mut Conn,
    bot: i64,
    trouble: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use telegram_listeners::dsl as t;
    on!(conn, c => {
        diesel::update(t::telegram_listeners.filter(t::bot_id.eq(bot)).filter(t::trouble.ne(trouble)))
            .set((t::trouble.eq(trouble), t::updated_at.eq(Time::from(now))))
            .execute(c)?
    });
    Ok(())
}

/// Why nothing is heard from a bot; empty while all is well.
///
/// # Errors
/// The database's own.
pub fn trouble(conn: &mut Conn, bot: i64) -> Result<String, StoreError> {
    use telegram_listeners::dsl as t;
    let found: Option<String> = on!(conn, c => {
        t::telegram_listeners.filter(t::bot_id.eq(bot)).select(t::trouble).first(c).optional()?
    });
    Ok(found.unwrap_or_default())
}
