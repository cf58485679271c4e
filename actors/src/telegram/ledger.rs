//! What one bot reads and writes of the tables: whom it tells, what each chat shows, which last words are owed. A thin
//! layer over `store::telegram` and `store::owed`: the bot speaks in its own words, the store in rows.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::desk::{Completed, Turn};
use super::plan::Shown;
use super::present::Present;
use crate::call::record::{CallId, Record};
use crate::store::telegram::{self as table, NewMessage};
use crate::store::{CallState, Store, StoreError, Verdict, owed};

/// Ended calls taken from the table at once.
const PAGE: usize = 300;

/// One enterprise's part of the tables.
#[derive(Clone)]
pub struct Ledger {
    store: Store,
    enterprise: i64,
}

/// One look into the table.
#[derive(Debug, Default)]
pub struct Survey {
    /// Active subscribers.
    pub chats: Vec<i64>,
    /// Calls that are over and whose delivery is open.
    pub ended: Vec<Present>,
    /// Calls that go on, when they were asked for.
    pub live: Vec<CallId>,
}

/// Something to be written. The order of changes is kept.
#[derive(Clone, Debug)]
pub enum Change {
    /// A chat shows this for a call now.
    Shows {
        call: CallId,
        chat: i64,
        phone: String,
        shown: Shown,
        at: DateTime<Utc>,
    },
    /// A chat shows nothing for a call any more.
    Removed { call: CallId, chat: i64 },
    /// A chat has a new id.
    Moved { old: i64, new: i64 },
    /// A chat is closed to us.
    Closed { chat: i64, reason: String },
    /// A call's last word is told: its delivery is settled.
    Completed {
        completed: Completed,
        at: DateTime<Utc>,
    },
}

impl Change {
    /// What a turn changed in the table's eyes; `None` when nothing it keeps is different.
    pub fn of(turn: &Turn, before: &Shown, now: &Shown, at: DateTime<Utc>) -> Option<Change> {
        let kept = |s: &Shown| (s.message_id, s.text.clone(), s.last, s.note.clone());
        if kept(before) == kept(now) {
            return None;
        }
        let (call, chat) = (turn.call(), turn.chat);
        if turn.present.absorbed && now.message_id.is_none() {
            return Some(Change::Removed { call, chat });
        }
        let phone = turn.present.client_number().to_owned();
        Some(Change::Shows {
            call,
            chat,
            phone,
            shown: now.clone(),
            at,
        })
    }
}

impl Change {
    /// Whether a chat is subscribed no more under its id.
    pub fn closes(&self) -> bool {
        matches!(self, Change::Closed { .. } | Change::Moved { .. })
    }

    /// The message that this change shows in a chat about a number, unless it is this call's own.
    pub fn message_of(&self, chat: i64, phone: &str, besides: CallId) -> Option<i64> {
        match self {
            Change::Shows {
                chat: c,
                phone: p,
                call,
                shown,
                ..
            } if *c == chat && p == phone && *call != besides => shown.message_id,
            _ => None,
        }
    }
}

impl Ledger {
    pub fn new(store: Store, enterprise: i64) -> Self {
        Self { store, enterprise }
    }

    /// Subscribers and owed last words, as far as there is `room`. `live`: also calls that go on.
    ///
    /// # Errors
    /// The database's own.
    pub async fn survey(&self, live: bool, room: usize) -> Result<Survey, StoreError> {
        let (enterprise, page) = (self.enterprise, room.min(PAGE));
        self.store
            .read(move |conn| {
                let subscribers = table::subscribers(conn, enterprise)?;
                let chats = subscribers
                    .into_iter()
                    .filter(|s| s.active)
                    .map(|s| s.chat)
                    .collect();
                let mut survey = Survey {
                    chats,
                    ..Survey::default()
                };
                let limit = i64::try_from(page).unwrap_or(i64::MAX);
                for owed in owed::ended(conn, enterprise, limit)? {
                    // A call that is no call (any more) has no message.
                    let absorbed = owed.call.state != CallState::Ended;
                    let client =
                        Some(Arc::from(owed.client)).filter(|name: &Arc<str>| !name.is_empty());
                    let record: Arc<Record> = Arc::new(owed.call.record);
                    survey.ended.push(Present {
                        record,
                        client,
                        absorbed,
                        expires_at: owed.expires_at,
                        owed: true,
                    });
                }
                if live {
                    survey.live = owed::live(conn, enterprise, limit)?;
                }
                Ok(survey)
            })
            .await
    }

    /// What a chat shows for a call, and which message a new one would reply to: the newest of the same number since
    /// `since`.
    ///
    /// # Errors
    /// The database's own.
    pub async fn look(
        &self,
        call: CallId,
        chat: i64,
        phone: String,
        since: DateTime<Utc>,
    ) -> Result<Shown, StoreError> {
        let enterprise = self.enterprise;
        self.store
            .read(move |conn| {
                if let Some(row) = table::messages(conn, enterprise, call)?
                    .into_iter()
                    .find(|row| row.chat == chat)
                {
                    let table::Message {
                        message,
                        text,
                        last,
                        note,
                        ..
                    } = row;
                    return Ok(Shown {
                        message_id: message,
                        text,
                        last,
                        note,
                        ..Shown::default()
                    });
                }
                let reply_to = match phone.is_empty() {
                    true => None,
                    false => table::previous(conn, enterprise, chat, &phone, call, since)?,
                };
                Ok(Shown {
                    reply_to,
                    ..Shown::default()
                })
            })
            .await
    }

    /// Writes changes in one transaction.
    ///
    /// # Errors
    /// The database's own; nothing is written then.
    pub async fn save(&self, changes: Arc<[Change]>) -> Result<(), StoreError> {
        let enterprise = self.enterprise;
        self.store
            .write(move |conn| {
                for change in changes.iter() {
                    match change {
                        Change::Shows {
                            call,
                            chat,
                            phone,
                            shown,
                            at,
                        } => {
                            let message = NewMessage {
                                enterprise,
                                call: *call,
                                chat: *chat,
                                message: shown.message_id,
                                phone: phone.clone(),
                                text: shown.text.clone(),
                                last: shown.last,
                                note: shown.note.clone(),
                                at: *at,
                            };
                            table::save(conn, &message)?;
                        }
                        Change::Removed { call, chat } => {
                            owed::remove(conn, enterprise, *call, *chat)?
                        }
                        Change::Moved { old, new } => {
                            owed::move_chat(conn, enterprise, *old, *new)?
                        }
                        Change::Closed { chat, reason } => {
                            match table::set_active(conn, enterprise, *chat, false, reason) {
                                // Unsubscribed meanwhile: as good.
                                Ok(()) | Err(StoreError::NotFound) => {}
                                Err(error) => return Err(error),
                            }
                        }
                        Change::Completed { completed, at } => {
                            let (verdict, words) = verdict(completed);
                            owed::settle(
                                conn,
                                enterprise,
                                completed.call,
                                &verdict,
                                &words,
                                completed.events,
                                *at,
                            )?;
                        }
                    }
                }
                Ok(())
            })
            .await
    }
}

/// The delivery's end, and its words for people.
fn verdict(completed: &Completed) -> (Verdict, String) {
    let Completed {
        shown,
        notes,
        absorbed,
        ..
    } = completed;
    let reasons: Vec<String> = notes
        .iter()
        .map(|(chat, note)| format!("chat {chat}: {note}"))
        .collect();
    match (absorbed, shown, notes.len()) {
        (true, ..) => (
            Verdict::Withdrawn,
            "the call is a part of another one".into(),
        ),
        (_, 0, 0) => (Verdict::Withdrawn, "no subscriber is active".into()),
        (_, 0, _) => (Verdict::Failed, reasons.join("; ")),
        (_, 1, 0) => (Verdict::Done, "shown in 1 chat".into()),
        (_, _, 0) => (Verdict::Done, format!("shown in {shown} chats")),
        _ => (
            Verdict::Done,
            format!(
                "shown in {shown} of {} chats; {}",
                shown + notes.len(),
                reasons.join("; ")
            ),
        ),
    }
}
