//! The parent of call actors: finds the call of an event, starts an actor for a new one, rebuilds an old one
//! from the journal, has two that turn out to be one brought together (`merge.rs`), closes the lost, retires the
//! ended, and hears of every death. One registry per shard of enterprises, each on an arbiter of its own; it never
//! waits for one call while another has an event.
//!
//! ```text
//!   Take ─▶ known id? ── yes ─▶ its actor            ┌─▶ in the journal: rebuild, then its actor
//!              │  two calls ─▶ merge, then survivor   │
//!              └─ no ─▶ look into the journal ────────┴─▶ nowhere: a new call
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use actix::prelude::*;
use chrono::{DateTime, Utc};

use super::actor::{Apply, CallActor, Followed, GiveUp, Retire};
use super::aliases::Aliases;
use super::intake::{Deps, Refused, Take, Taken};
use super::lookups::Lookups;
use super::rebuild;
use super::record::{CallId, Phase};
use super::state::CallState;
use crate::store::finder::Found;
use crate::store::{self, Commit, Committed, StoreError};

/// An event that panics its call this often is set aside.
const PANICS_ALLOWED: u8 = 2;

/// See the module's head.
pub struct Registry {
    deps: Arc<Deps>,
    pub(super) aliases: Aliases,
    pub(super) calls: HashMap<CallId, Entry>,
    lookups: Lookups,
    /// How often an event broke its call, by the event's key.
    broken: HashMap<[u8; 16], u8>,
}

pub(super) struct Entry {
    pub addr: Addr<CallActor>,
    pub hashes: Vec<u64>,
    /// Milliseconds since 1970 of the last event.
    touched: i64,
    ended: bool,
    /// It is being asked whether it is a part of another call; its end is then no news.
    pub merging: bool,
}

/// A child is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Exited {
    pub call: CallId,
    pub panicked: bool,
}

/// A child's call ended, or is live after all.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stirred {
    pub call: CallId,
    pub ended: bool,
}

/// An event made its call's machine panic; the child is ending.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Broken {
    pub call: CallId,
    pub take: Box<Take>,
}

/// A call rebuilt at start-up.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Adopt(pub Vec<rebuild::Rebuilt>);

impl Registry {
    /// A registry without calls; start it on an arbiter of its own.
    pub fn new(deps: Arc<Deps>) -> Registry {
        Registry {
            deps,
            aliases: Aliases::default(),
            calls: HashMap::new(),
            lookups: Lookups::default(),
            broken: HashMap::new(),
        }
    }

    fn route(&mut self, take: Box<Take>, ctx: &mut Context<Self>) {
        let found = self.aliases.find(take.enterprise.id, &take.event);
        match found.as_slice() {
            [] => self.look_up(take, ctx),
            [call] => self.hand(*call, take, None),
            [first, second, ..] => self.merge(*first, *second, take, ctx),
        }
    }

    /// Hands an event to a call's actor; its ids lead there from now on.
    pub(super) fn hand(&mut self, call: CallId, take: Box<Take>, absorbed: Option<Box<Followed>>) {
        let learned = self.aliases.learn(take.enterprise.id, &take.event, call);
        match self.calls.get_mut(&call) {
            Some(entry) => {
                if entry.hashes.is_empty() {
                    entry.hashes = learned;
                } else {
                    entry.hashes.extend(learned);
                }
                entry.touched = Utc::now().timestamp_millis();
                entry.addr.do_send(Apply { take, absorbed });
            }
            None => {
                self.aliases.forget(&learned);
                take.answer(Err(Refused::Away("its call is being restarted".into())));
            }
        }
    }

    /// Asks the journal whose event this is; events with the same ids wait for the same answer.
    fn look_up(&mut self, take: Box<Take>, ctx: &mut Context<Self>) {
        let enterprise = take.enterprise.id;
        let ids: Vec<String> = Aliases::ids(&take.event).map(str::to_owned).collect();
        let hashes: Vec<u64> = ids
            .iter()
            .map(|id| self.aliases.hash(enterprise, id))
            .collect();
        let Some(number) = self.lookups.wait(&hashes, take) else {
            return;
        };
        let deps = self.deps.clone();
        let looking = async move {
            match deps.store.find(enterprise, ids).await? {
                None => Ok(None),
                Some(Found { call, .. }) => rebuild::one(&deps, enterprise, call).await,
            }
        };
        ctx.spawn(
            looking
                .into_actor(self)
                .map(move |found, registry, ctx| registry.looked_up(number, found, ctx)),
        );
    }

    fn looked_up(
        &mut self,
        number: u64,
        found: Result<Option<rebuild::Rebuilt>, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        let takes = self.lookups.end(number);
        let rebuilt = match found {
            Ok(rebuilt) => rebuilt,
            Err(error) => {
                log::warn!("an event's call could not be looked up: {error}");
                for take in takes {
                    take.answer(Err(Refused::Away(error.to_string())));
                }
                return;
            }
        };
        if let Some(rebuilt) = rebuilt {
            self.deps.counters.rebuilt.fetch_add(1, Relaxed);
            self.adopt(rebuilt, ctx);
        }
        for take in takes {
            // Each may have become known with the one before it.
            if self
                .aliases
                .find(take.enterprise.id, &take.event)
                .is_empty()
            {
                self.open(take, ctx);
            } else {
                self.route(take, ctx);
            }
        }
    }

    /// Starts a new call with its first event, or keeps an event of no call as such.
    fn open(&mut self, take: Box<Take>, ctx: &mut Context<Self>) {
        if !take.can_open() {
            self.keep_apart(take, None, ctx);
            return;
        }
        let id = store::new_call_id(take.event.received_time());
        let mut state = CallState::new(
            id,
            take.enterprise.id,
            public_id(take.event.received_time()),
        );
        state.recovered = take.source == "recovery";
        let followed = Followed::new(state, take.enterprise.clone());
        self.launch(followed, Vec::new(), false, ctx);
        self.hand(id, take, None);
    }

    fn launch(
        &mut self,
        followed: Followed,
        hashes: Vec<u64>,
        ended: bool,
        ctx: &mut Context<Self>,
    ) {
        let id = followed.state.id;
        let touched = followed.record.as_ref().map_or_else(Utc::now, |record| {
            record.ended_at.unwrap_or(record.received_at)
        });
        let addr = CallActor::launch(followed, ctx.address(), self.deps.clone());
        self.calls.insert(
            id,
            Entry {
                addr,
                hashes,
                touched: touched.timestamp_millis(),
                ended,
                merging: false,
            },
        );
        self.deps.counters.in_memory.fetch_add(1, Relaxed);
    }

    fn adopt(&mut self, rebuilt: rebuild::Rebuilt, ctx: &mut Context<Self>) {
        let rebuild::Rebuilt {
            followed,
            events,
            last_heard,
            open,
        } = rebuilt;
        let id = followed.state.id;
        if self.calls.contains_key(&id) {
            return;
        }
        let mut hashes = Vec::new();
        for event in &events {
            hashes.extend(self.aliases.learn(followed.state.enterprise, event, id));
        }
        let ended = followed
            .record
            .as_ref()
            .is_some_and(|record| record.phase == Phase::Ended);
        // An ended call is news to a board that still shows it: the database's answer to its hangup was lost.
        let is_news = !ended || self.deps.board.view(id).is_some();
        if let Some(record) = followed.record.as_ref().filter(|_| is_news) {
            self.deps.board.publish(record.clone());
            if !open.is_empty() {
                // Rows whose commit was never answered stand in the table: nothing of the call may overtake them.
                self.deps
                    .outlets
                    .changed(&followed.enterprise, record.clone(), open, None);
            }
        }
        self.launch(followed, hashes, ended, ctx);
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.touched = if ended {
                Utc::now().timestamp_millis()
            } else {
                last_heard
            };
        }
    }

    pub(super) fn remove(&mut self, call: CallId) -> Option<Entry> {
        let entry = self.calls.remove(&call)?;
        self.deps.counters.in_memory.fetch_sub(1, Relaxed);
        Some(entry)
    }

    pub(super) fn forget(&mut self, call: CallId) {
        if let Some(entry) = self.remove(call) {
            self.aliases.forget(&entry.hashes);
        }
    }

    /// Writes an event to the journal without a call: it belongs to none, or it was set aside.
    fn keep_apart(&self, take: Box<Take>, note: Option<String>, ctx: &mut Context<Self>) {
        let mut row = take.row(None);
        row.parked = note.is_some();
        row.note = note.unwrap_or_default();
        let store = self.deps.store.clone();
        let keeping = async move {
            let outcome = store.commit(Commit::of(row)).await;
            take.answer(
                outcome
                    .map_err(Refused::from)
                    .map(|committed| match committed {
                        Committed::Stored { event, .. } => Taken {
                            event,
                            call: None,
                            duplicate: false,
                        },
                        Committed::Duplicate => Taken {
                            event: 0,
                            call: None,
                            duplicate: true,
                        },
                    }),
            );
        };
        ctx.spawn(keeping.into_actor(self));
    }

    fn sweep(&mut self) {
        let now = Utc::now().timestamp_millis();
        let millis =
            |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let (lost_after, retire_after) = (
            millis(self.deps.times.lost_after),
            millis(self.deps.times.retire_after),
        );
        let mut retired = Vec::new();
        for (call, entry) in &mut self.calls {
            let idle = now.saturating_sub(entry.touched);
            if entry.ended && idle >= retire_after {
                entry.addr.do_send(Retire);
                retired.push(*call);
            } else if !entry.ended && idle >= lost_after {
                entry.touched = now;
                entry.addr.do_send(GiveUp);
                self.deps.counters.lost.fetch_add(1, Relaxed);
            }
        }
        for call in retired {
            self.forget(call);
        }
        if self.broken.len() > 10_000 {
            self.broken.clear();
        }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.deps.times.sweep_every, |registry, _| registry.sweep());
    }
}

impl Handler<Take> for Registry {
    type Result = ();

    fn handle(&mut self, take: Take, ctx: &mut Self::Context) {
        self.route(Box::new(take), ctx);
    }
}

impl Handler<Adopt> for Registry {
    type Result = ();

    fn handle(&mut self, Adopt(calls): Adopt, ctx: &mut Self::Context) {
        for rebuilt in calls {
            self.adopt(rebuilt, ctx);
        }
    }
}

impl Handler<Stirred> for Registry {
    type Result = ();

    fn handle(&mut self, Stirred { call, ended }: Stirred, _: &mut Self::Context) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.ended = ended;
        }
    }
}

impl Handler<Exited> for Registry {
    type Result = ();

    fn handle(&mut self, Exited { call, panicked }: Exited, _: &mut Self::Context) {
        if panicked {
            self.deps.counters.panics.fetch_add(1, Relaxed);
            log::error!(
                "the actor of call {} died of a panic; it will be rebuilt from the journal",
                call.0
            );
        }
        // A call that was adopted anew under the same id in between has a mailbox that is open.
        if self
            .calls
            .get(&call)
            .is_some_and(|entry| !entry.merging && !entry.addr.connected())
        {
            self.forget(call);
        }
    }
}

impl Handler<Broken> for Registry {
    type Result = ();

    fn handle(&mut self, Broken { call, take }: Broken, ctx: &mut Self::Context) {
        self.deps.counters.panics.fetch_add(1, Relaxed);
        self.forget(call);
        let times = self.broken.entry(take.event.key).or_insert(0);
        *times += 1;
        if *times >= PANICS_ALLOWED {
            self.broken.remove(&take.event.key);
            self.deps.counters.parked.fetch_add(1, Relaxed);
            log::error!(
                "a {} event of call {} broke its call twice and is set aside",
                take.event.kind.as_str(),
                call.0
            );
            let note = format!("broke call {} twice; kept, not applied", call.0);
            self.keep_apart(take, Some(note), ctx);
        } else {
            self.route(take, ctx);
        }
    }
}

/// The public id of a new call: 74 random bits that nobody guesses, after the millisecond, so that the ids of calls of
/// about one time stand together in their index.
fn public_id(now: DateTime<Utc>) -> uuid::Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid()
}
