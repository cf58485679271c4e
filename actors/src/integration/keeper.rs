//! Reads and keeps, for one link, what its connector knows beside the settings: memories of calls and tokens. Asked by
//! `attempt.rs` before and within a conversation. A renewed pair of tokens is in the database before anything is sent
//! with it; who renews has taken a turn, for the refresh token is good for one use.

use std::time::Duration;

use chrono::Utc;
use serde_json::Value;

use super::connector::{Failed, Kind};
use super::known::{Known, Tokens};
use crate::call::record::{Notice, NoticeKind, Record};
use crate::store::deliveries::{self, DeliveryState};
use crate::store::{Store, StoreError, crm_tokens, memories};

/// For how long a renewal may take before another may begin one.
const TURN: Duration = Duration::from_secs(30);
/// Between two looks whether the other process has renewed.
const LOOK: Duration = Duration::from_millis(100);

/// See the module's head.
#[derive(Clone)]
pub struct Keeper {
    pub store: Store,
    pub enterprise: i64,
    pub kind: &'static Kind,
}

/// How a renewal is to be gone about.
pub enum Renewal {
    /// Somebody renewed meanwhile: these are the tokens.
    Done(Tokens),
    /// It is ours to renew.
    Turn,
    /// Nobody has let us in.
    NoTokens,
}

impl Keeper {
    /// What is known for a conversation about this call, or about none; the tokens only when they are `wanted`. A kind
    /// that keeps nothing costs no query.
    ///
    /// # Errors
    /// Our database is away: later.
    pub async fn known(&self, record: Option<&Record>, wanted: bool) -> Result<Known, Failed> {
        let wanted = wanted && self.kind.authorizes;
        let names = match record.filter(|_| self.kind.remembers) {
            Some(record) if record.request_id.is_empty() => vec![record.unique_id.clone()],
            Some(record) => vec![
                record.unique_id.clone(),
                memories::of_request(&record.request_id),
            ],
            None => Vec::new(),
        };
        if names.is_empty() && !wanted {
            return Ok(Known::default());
        }
        let (enterprise, kind) = (self.enterprise, self.kind);
        let vault = self.store.vault().clone();
        let read = self
            .store
            .read(move |conn| {
                let memory = match names.is_empty() {
                    true => Value::Null,
                    false => memories::read(conn, enterprise, kind.name, &names)?,
                };
                let tokens = match wanted {
                    true => crm_tokens::read(conn, &vault, enterprise, kind.name)?,
                    false => None,
                };
                Ok((memory, tokens))
            })
            .await;
        let (memory, tokens) = read.map_err(|error| away(&error))?;
        Ok(Known {
            memory,
            tokens: tokens.map(|(_, tokens)| tokens),
            ..Known::default()
        })
    }

    /// Whether the CRM was told of the call's recording with its history. Nothing but the row says so: it may have been
    /// renewed, or gone out just before it would have been.
    ///
    /// # Errors
    /// Our database is away: later.
    pub async fn has_told_recording(&self, record: &Record) -> Result<bool, Failed> {
        let (enterprise, kind, call) = (self.enterprise, self.kind.name, record.call);
        let rows = self
            .store
            .read(move |conn| deliveries::of_call(conn, enterprise, call))
            .await
            .map_err(|error| away(&error))?;
        let history = rows
            .iter()
            .find(|row| row.integration == kind && row.kind == NoticeKind::Upload.as_str());
        Ok(history.is_some_and(|row| {
            row.state == DeliveryState::Done
                && serde_json::from_str::<Notice>(&row.payload)
                    .is_ok_and(|told| !told.record.recording.is_empty())
        }))
    }

    /// Keeps what the connector wants to know of the call when it is asked again.
    ///
    /// # Errors
    /// Our database is away: later.
    pub async fn keep(&self, record: &Record, memory: &Value) -> Result<(), Failed> {
        let (enterprise, kind, name) = (self.enterprise, self.kind.name, record.unique_id.clone());
        let memory = memory.clone();
        self.store
            .write(move |conn| memories::keep(conn, enterprise, kind, &name, &memory, Utc::now()))
            .await
            .map_err(|error| away(&error))
    }

    /// Whether we are to renew these tokens, which were refused or are at their end. Waits for another who is at it.
    ///
    /// # Errors
    /// Our database is away, or the other takes too long: later.
    pub async fn renewal(&self, used: &Tokens) -> Result<Renewal, Failed> {
        let begun = tokio::time::Instant::now();
        loop {
            let (enterprise, kind) = (self.enterprise, self.kind.name);
            let (vault, owner) = (self.store.vault().clone(), self.owner());
            let used = used.text();
            let looked = self
                .store
                .write(move |conn| {
                    let Some((version, tokens)) = crm_tokens::read(conn, &vault, enterprise, kind)?
                    else {
                        return Ok(Some(Renewal::NoTokens));
                    };
                    if tokens.text() != used {
                        return Ok(Some(Renewal::Done(tokens)));
                    }
                    let now = Utc::now();
                    let taken = crm_tokens::take_turn(
                        conn,
                        (enterprise, kind),
                        version,
                        &owner,
                        (now, now + TURN),
                    )?;
                    Ok(taken.then_some(Renewal::Turn))
                })
                .await
                .map_err(|error| away(&error))?;
            match looked {
                Some(renewal) => return Ok(renewal),
                None if begun.elapsed() > TURN => {
                    return Err(Failed::Later {
                        words: "the access is being renewed, and that takes too long".into(),
                        after: None,
                    });
                }
                None => actix_rt::time::sleep(LOOK).await,
            }
        }
    }

    /// Stores renewed tokens, however long the database is away: the former refresh token is used up.
    pub async fn save(&self, tokens: &Tokens) {
        loop {
            let (enterprise, kind) = (self.enterprise, self.kind.name);
            let (vault, tokens) = (self.store.vault().clone(), tokens.clone());
            let saved = self
                .store
                .write(move |conn| {
                    crm_tokens::save(conn, &vault, enterprise, kind, &tokens, Utc::now())
                })
                .await;
            match saved {
                Ok(()) => return,
                Err(error) => log::error!(
                    "{kind} of enterprise {enterprise}: renewed tokens cannot be stored yet: {error}"
                ),
            }
            actix_rt::time::sleep(LOOK).await;
        }
    }

    /// Nothing came of our turn. A failure here is harmless: turns run out.
    pub async fn end_turn(&self) {
        let (enterprise, kind, owner) = (self.enterprise, self.kind.name, self.owner());
        let ended = self
            .store
            .write(move |conn| crm_tokens::end_turn(conn, enterprise, kind, &owner))
            .await;
        if let Err(error) = ended {
            log::warn!("{kind} of enterprise {enterprise}: {error}");
        }
    }

    fn owner(&self) -> String {
        self.store.options().owner.clone()
    }
}

fn away(error: &StoreError) -> Failed {
    Failed::Later {
        words: format!("our own database: {error}"),
        after: None,
    }
}
