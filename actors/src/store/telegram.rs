//! Subscribers of an enterprise's bot and the messages they were shown. Called by `actors/src/telegram` and the
//! administration pages. A message's row is written before its text is sent, so that a restart knows of it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::conn::on;
use super::schema::{telegram_messages, telegram_users};
use super::time::Time;
use super::{Conn, StoreError};
use crate::call::record::CallId;

/// A chat that follows an enterprise's calls.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Subscriber {
    pub id: i64,
    pub enterprise: i64,
    pub chat: i64,
    pub name: String,
    pub active: bool,
    /// Why it was switched off, in words.
    pub disabled_reason: String,
    #[diesel(deserialize_as = Time)]
    pub created_at: DateTime<Utc>,
}

/// What one chat is shown of one call; one row per (call, chat).
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Message {
    pub id: i64,
    pub enterprise: i64,
    pub call: i64,
    pub chat: i64,
    /// `None`: being sent, or Telegram never told.
    pub message: Option<i64>,
    /// The client's number, for replies to the previous message about it.
    pub phone: String,
    pub text: String,
    /// Whether the text is the call's last word.
    pub last: bool,
    pub note: String,
    #[diesel(deserialize_as = Time)]
    pub sent_at: DateTime<Utc>,
    #[diesel(deserialize_as = Time)]
    pub updated_at: DateTime<Utc>,
}

/// A message's row as it is to be from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    pub enterprise: i64,
    pub call: CallId,
    pub chat: i64,
    pub message: Option<i64>,
    pub phone: String,
    pub text: String,
    pub last: bool,
    pub note: String,
    pub at: DateTime<Utc>,
}

/// Subscribes a chat, or switches it on again under a new name; gives its row's id.
///
/// # Errors
/// The database's own.
pub fn subscribe(
    conn: &mut Conn,
    enterprise: i64,
    chat: i64,
    name: &str,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    use telegram_users::dsl as t;
    Ok(on!(conn, c => {
        diesel::insert_into(telegram_users::table)
            .values((
                t::enterprise_id.eq(enterprise),
                t::chat_id.eq(chat),
                t::name.eq(name),
                t::active.eq(true),
                t::disabled_reason.eq(""),
                t::created_at.eq(Time::from(now)),
            ))
            .on_conflict((t::enterprise_id, t::chat_id))
            .do_update()
            .set((t::name.eq(excluded(t::name)), t::active.eq(true), t::disabled_reason.eq("")))
            .returning(t::id)
            .get_result(c)?
    }))
}

/// Switches a subscriber off (its bot was blocked) or on, with the reason in words.
///
/// # Errors
/// `NotFound` when the enterprise has no such chat.
pub fn set_active(
    conn: &mut Conn,
    enterprise: i64,
    chat: i64,
    active: bool,
    reason: &str,
) -> Result<(), StoreError> {
    use telegram_users::dsl as t;
    let changed = on!(conn, c => {
        diesel::update(t::telegram_users.filter(t::enterprise_id.eq(enterprise)).filter(t::chat_id.eq(chat)))
            .set((t::active.eq(active), t::disabled_reason.eq(reason)))
            .execute(c)?
    });
    if changed == 0 {
        Err(StoreError::NotFound)
    } else {
        Ok(())
    }
}

/// Removes a subscriber; whether there was one.
///
/// # Errors
/// The database's own.
pub fn unsubscribe(conn: &mut Conn, enterprise: i64, chat: i64) -> Result<bool, StoreError> {
    use telegram_users::dsl as t;
    let gone = on!(conn, c => {
        diesel::delete(t::telegram_users.filter(t::enterprise_id.eq(enterprise)).filter(t::chat_id.eq(chat)))
            .execute(c)?
    });
    Ok(gone > 0)
}

/// Subscribers of the enterprise, those switched off included, in order of subscription.
///
/// # Errors
/// The database's own.
pub fn subscribers(conn: &mut Conn, enterprise: i64) -> Result<Vec<Subscriber>, StoreError> {
    use telegram_users::dsl as t;
    Ok(
        on!(conn, c => t::telegram_users.filter(t::enterprise_id.eq(enterprise)).order(t::id).load(c)?),
    )
}

/// What every chat is shown of one call.
///
/// # Errors
/// The database's own.
pub fn messages(
    conn: &mut Conn,
    enterprise: i64,
    call: CallId,
) -> Result<Vec<Message>, StoreError> {
    use telegram_messages::dsl as m;
    Ok(on!(conn, c => {
        m::telegram_messages
            .filter(m::call_id.eq(call.0))
            .filter(m::enterprise_id.eq(enterprise))
            .order(m::id)
            .load(c)?
    }))
}

/// The same for many calls at once, for an actor that starts.
///
/// # Errors
/// The database's own.
pub fn messages_of(
    conn: &mut Conn,
    enterprise: i64,
    calls: &[CallId],
) -> Result<Vec<Message>, StoreError> {
    use telegram_messages::dsl as m;
    let calls: Vec<i64> = calls.iter().map(|call| call.0).collect();
    Ok(on!(conn, c => {
        m::telegram_messages
            .filter(m::call_id.eq_any(&calls))
            .filter(m::enterprise_id.eq(enterprise))
            .order(m::id)
            .load(c)?
    }))
}

/// The latest message that a chat got about a number since a time, of another call than this: what a new message
/// replies to. A message that Telegram never confirmed cannot be replied to.
///
/// # Errors
/// The database's own.
pub fn previous(
    conn: &mut Conn,
    enterprise: i64,
    chat: i64,
    phone: &str,
    call: CallId,
    since: DateTime<Utc>,
) -> Result<Option<i64>, StoreError> {
    use telegram_messages::dsl as m;
    let found: Option<Option<i64>> = on!(conn, c => {
        m::telegram_messages
            .filter(m::enterprise_id.eq(enterprise))
            .filter(m::chat_id.eq(chat))
            .filter(m::phone.eq(phone))
            .filter(m::call_id.ne(call.0))
            .filter(m::message_id.is_not_null())
            .filter(m::sent_at.ge(Time::from(since)))
            .order(m::id.desc())
            .select(m::message_id)
            .first(c)
            .optional()?
    });
    Ok(found.flatten())
}

/// Writes a message's row, new or changed. A message id that is known is not forgotten by a later row without one,
/// and the time of sending stays the first.
///
/// # Errors
/// The database's own.
pub fn save(conn: &mut Conn, new: &NewMessage) -> Result<(), StoreError> {
    use telegram_messages::dsl as m;
    let at = Time::from(new.at);
    on!(conn, c => {
        diesel::insert_into(telegram_messages::table)
            .values((
                m::enterprise_id.eq(new.enterprise),
                m::call_id.eq(new.call.0),
                m::chat_id.eq(new.chat),
                m::message_id.eq(new.message),
                m::phone.eq(&new.phone),
                m::text.eq(new.text.replace('\0', "")),
                m::is_final.eq(new.last),
                m::note.eq(&new.note),
                m::sent_at.eq(at),
                m::updated_at.eq(at),
            ))
            .on_conflict((m::call_id, m::chat_id))
            .do_update()
            .set((
                m::phone.eq(excluded(m::phone)),
                m::text.eq(excluded(m::text)),
                m::is_final.eq(excluded(m::is_final)),
                m::note.eq(excluded(m::note)),
                m::updated_at.eq(excluded(m::updated_at)),
            ))
            .execute(c)?;
        if let Some(message) = new.message {
            diesel::update(m::telegram_messages.filter(m::call_id.eq(new.call.0)).filter(m::chat_id.eq(new.chat)))
                .set(m::message_id.eq(message))
                .execute(c)?;
        }
    });
    Ok(())
}
