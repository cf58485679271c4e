//! The only one who loads configuration. Asked by `cache::handle`; answers every asker of a key from one
//! load; refreshes everything now and then; never forgets what it knows because the database is away.
//!
//! Loads are numbered as they begin. What a load brings is put in place entry by entry unless a load that
//! began later was there first, so a save that is followed by `Invalidate` is never overwritten by an
//! older answer that came late.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use chrono::Utc;
use futures_util::future::BoxFuture;
use rand::RngExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::handle::Unavailable;
use super::messages::{Find, Found, Invalidate, Key, Refresh, Reload};
use super::shared::{Shared, UnknownKey};
use super::snapshot::Enterprise;
use super::source::{Source, SourceError, Which};
use super::tokens::Tokens;

type Loaded = Result<Vec<Enterprise>, SourceError>;

/// How a flight ended, to those who wait for it.
type Landing = Result<(), Unavailable>;

/// A load under way. Who asks for newer than it can know waits for the next one.
#[derive(Default)]
struct Flight {
    waiting: Vec<oneshot::Sender<Landing>>,
    next: Option<Vec<oneshot::Sender<Landing>>>,
}

pub(super) struct CacheActor {
    pub(super) shared: Arc<Shared>,
    source: Arc<dyn Source>,
    flights: HashMap<Key, Flight>,
    pub(super) tokens: Tokens,
    order: u64,
    /// Enterprises found missing, by the number of the load that missed them.
    gone: HashMap<i64, u64>,
    retrying: bool,
    _exit: Exit,
}

/// Starts a new actor when this one dies of a panic; the table and its readers outlive both.
struct Exit(Arc<Shared>);

impl Drop for Exit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .restarts
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            CacheActor::launch(&self.0);
        }
    }
}

impl CacheActor {
    /// Starts the actor on the arbiter of `shared`; the handles use it from now on.
    pub fn launch(shared: &Arc<Shared>) {
        let (Some(source), Some(arbiter)) = (shared.source.clone(), shared.arbiter.as_ref()) else {
            return;
        };
        let inner = shared.clone();
        let address = CacheActor::start_in_arbiter(arbiter, move |_| CacheActor {
            _exit: Exit(inner.clone()),
            shared: inner,
            source,
            flights: HashMap::new(),
            tokens: Tokens::default(),
            order: 0,
            gone: HashMap::new(),
            retrying: false,
        });
        shared.actor.store(Some(Arc::new(address)));
    }

    /// Joins the flight of `key`, or starts it. `newer`: a load that is under way already will not do.
    fn board(
        &mut self,
        key: Key,
        newer: bool,
        waiter: Option<oneshot::Sender<Landing>>,
        ctx: &mut Context<Self>,
    ) {
        if let Some(flight) = self.flights.get_mut(&key) {
            if newer {
                flight.next.get_or_insert_default().extend(waiter);
            } else {
                flight.waiting.extend(waiter);
            }
            return;
        }
        self.flights.insert(
            key.clone(),
            Flight {
                waiting: waiter.into_iter().collect(),
                next: None,
            },
        );
        self.take_off(key, ctx);
    }

    fn take_off(&mut self, key: Key, ctx: &mut Context<Self>) {
        let which = match &key {
            Key::All => Which::All,
            Key::Id(id) => Which::Ids(vec![*id]),
            Key::Number(number) => Which::Numbers(vec![number.clone()]),
            Key::Name(name) => Which::Names(vec![name.clone()]),
        };
        let (load, order) = self.load(which);
        ctx.spawn(
            load.into_actor(self)
                .map(move |(loaded, took), actor, ctx| {
                    actor.land(key, order, loaded, took, ctx);
                }),
        );
    }

    /// A load with its deadline and its number.
    pub(super) fn load(&mut self, which: Which) -> (BoxFuture<'static, (Loaded, Duration)>, u64) {
        self.order += 1;
        let deadline = Duration::from_millis(self.shared.times.load_deadline_ms);
        let (source, began) = (self.source.clone(), Instant::now());
        let load = async move {
            let loaded = match tokio::time::timeout(deadline, source.load(which)).await {
                Ok(loaded) => loaded,
                Err(_elapsed) => Err(SourceError(format!(
                    "no answer within {} ms",
                    deadline.as_millis()
                ))),
            };
            (loaded, began.elapsed())
        };
        (Box::pin(load), self.order)
    }

    fn land(
        &mut self,
        key: Key,
        order: u64,
        loaded: Loaded,
        took: Duration,
        ctx: &mut Context<Self>,
    ) {
        let landing = self.keep(&key, order, loaded, took, ctx);
        let Some(flight) = self.flights.remove(&key) else {
            return;
        };
        for waiter in flight.waiting {
            // A waiter that went away needs no answer.
            let _gone = waiter.send(landing.clone());
        }
        if let Some(waiting) = flight.next {
            self.flights.insert(
                key.clone(),
                Flight {
                    waiting,
                    next: None,
                },
            );
            self.take_off(key, ctx);
        }
    }

    /// Puts what was loaded in place, and takes out what was asked for and is not there any more.
    fn keep(
        &mut self,
        key: &Key,
        order: u64,
        loaded: Loaded,
        took: Duration,
        ctx: &mut Context<Self>,
    ) -> Landing {
        let loaded = self.tally(loaded, took, ctx)?;
        let found: HashSet<i64> = loaded.iter().map(|enterprise| enterprise.id).collect();
        let table = self.shared.table.load();
        let missing: Vec<i64> = match key {
            Key::All => table
                .entries()
                .map(|entry| entry.enterprise.id)
                .filter(|id| !found.contains(id))
                .collect(),
            Key::Id(id) => Some(*id)
                .filter(|id| !found.contains(id))
                .into_iter()
                .collect(),
            // Under another number or name it may live on: ask by what does not change.
            Key::Number(_) | Key::Name(_) => {
                let known = match key {
                    Key::Number(number) => table.by_number(number),
                    Key::Name(name) => table.by_name(name),
                    Key::All | Key::Id(_) => None,
                };
                if let Some(entry) = known.filter(|entry| !found.contains(&entry.enterprise.id)) {
                    self.board(Key::Id(entry.enterprise.id), true, None, ctx);
                }
                if found.is_empty() {
                    self.shared
                        .remember_unknown(std::iter::once(UnknownKey::Other(key.clone())));
                }
                Vec::new()
            }
        };
        drop(table);
        self.install(loaded, missing, order);
        if *key == Key::All {
            self.gone.retain(|_, at| *at > order);
            let mut tally = self
                .shared
                .tally
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            tally.last_full = Some(Utc::now());
        }
        Ok(())
    }

    pub(super) fn install(&mut self, mut loaded: Vec<Enterprise>, missing: Vec<i64>, order: u64) {
        loaded.retain(|enterprise| self.gone.get(&enterprise.id).is_none_or(|at| *at < order));
        for enterprise in &loaded {
            self.gone.remove(&enterprise.id);
        }
        self.shared.install(loaded, &missing, order);
        self.gone.extend(missing.into_iter().map(|id| (id, order)));
    }

    /// Counts a load; after a failure sees to another try, and says so once in the log.
    pub(super) fn tally(
        &mut self,
        loaded: Loaded,
        took: Duration,
        ctx: &mut Context<Self>,
    ) -> Result<Vec<Enterprise>, Unavailable> {
        let mut tally = self
            .shared
            .tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tally.loads += 1;
        tally.total += took;
        tally.last = took;
        tally.longest = tally.longest.max(took);
        match loaded {
            Ok(loaded) => {
                if tally.error.take().is_some() {
                    log::info!("configuration can be loaded again");
                }
                Ok(loaded)
            }
            Err(error) => {
                tally.failures += 1;
                if tally.error.replace(error.0.clone()).is_none() {
                    log::error!("{error}; the last known configuration stays in use");
                }
                drop(tally);
                if !self.retrying {
                    self.retrying = true;
                    ctx.run_later(
                        Duration::from_secs(self.shared.times.retry_seconds),
                        |actor, ctx| {
                            actor.retrying = false;
                            actor.board(Key::All, false, None, ctx);
                        },
                    );
                }
                Err(Unavailable(error.0))
            }
        }
    }

    /// The next full refresh: every `refresh` give or take the jitter.
    fn schedule_refresh(&mut self, ctx: &mut Context<Self>) {
        let times = &self.shared.times;
        let least = times
            .refresh_seconds
            .saturating_sub(times.refresh_jitter_seconds)
            .max(1)
            * 1000;
        let most = (times.refresh_seconds + times.refresh_jitter_seconds) * 1000;
        let pause = Duration::from_millis(rand::rng().random_range(least..=most.max(least)));
        {
            let mut tally = self
                .shared
                .tally
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            tally.next_full = Some(Utc::now() + pause);
        }
        ctx.run_later(pause, |actor, ctx| {
            actor.board(Key::All, false, None, ctx);
            actor.schedule_refresh(ctx);
        });
    }

    /// Loads what has expired, all of it in one question. Nothing that exists is dropped: a page or a delivery
    /// that looks an idle enterprise up must find it.
    fn sweep(&mut self, ctx: &mut Context<Self>) {
        self.shared.drop_expired_unknown();
        let lifetime = self.shared.lifetime();
        let expired: Vec<i64> = {
            let table = self.shared.table.load();
            let old = table
                .entries()
                .filter(|entry| entry.loaded.elapsed() > lifetime);
            old.map(|entry| entry.enterprise.id).collect()
        };
        match expired[..] {
            [] => (),
            [id] => self.board(Key::Id(id), false, None, ctx),
            _ => self.board(Key::All, false, None, ctx),
        }
    }
}

impl Actor for CacheActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(4096);
        // After a restart the numbering goes on where the table is.
        self.order = self
            .shared
            .table
            .load()
            .entries()
            .map(|entry| entry.order)
            .max()
            .unwrap_or_default();
        self.schedule_refresh(ctx);
        ctx.run_interval(
            Duration::from_secs(self.shared.times.sweep_seconds.max(1)),
            |actor, ctx| actor.sweep(ctx),
        );
    }
}

impl Handler<Find> for CacheActor {
    type Result = ResponseFuture<Found>;

    fn handle(&mut self, find: Find, ctx: &mut Self::Context) -> Self::Result {
        let key = match find {
            Find::Token(key, token) => return self.find_token(key, token, ctx),
            Find::Key(key) => key,
        };
        if let Some(enterprise) = look_up(&self.shared, &key) {
            return ready(Ok(Some(enterprise)));
        }
        let (tell, told) = oneshot::channel();
        self.board(key.clone(), false, Some(tell), ctx);
        let shared = self.shared.clone();
        Box::pin(async move {
            told.await.unwrap_or_else(|_dropped| Err(interrupted()))?;
            Ok(look_up(&shared, &key))
        })
    }
}

impl Handler<Invalidate> for CacheActor {
    type Result = ResponseFuture<Result<bool, Unavailable>>;

    fn handle(&mut self, Invalidate(number): Invalidate, ctx: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.board(Key::Number(number.clone()), true, Some(tell), ctx);
        let shared = self.shared.clone();
        Box::pin(async move {
            told.await.unwrap_or_else(|_dropped| Err(interrupted()))?;
            Ok(shared.table.load().by_number(&number).is_some())
        })
    }
}

impl Handler<Refresh> for CacheActor {
    type Result = ResponseFuture<Result<(), Unavailable>>;

    fn handle(&mut self, _: Refresh, ctx: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.board(Key::All, true, Some(tell), ctx);
        Box::pin(async move { told.await.unwrap_or_else(|_dropped| Err(interrupted())) })
    }
}

impl Handler<Reload> for CacheActor {
    type Result = ();

    fn handle(&mut self, Reload(keys): Reload, ctx: &mut Self::Context) {
        for key in keys {
            self.board(key, true, None, ctx);
        }
    }
}

fn look_up(shared: &Shared, key: &Key) -> Option<Arc<Enterprise>> {
    let table = shared.table.load();
    let entry = match key {
        Key::All => None,
        Key::Id(id) => table.by_id(*id),
        Key::Number(number) => table.by_number(number),
        Key::Name(name) => table.by_name(name),
    };
    entry.map(|entry| entry.enterprise.clone())
}

pub(super) fn ready<T: 'static>(value: T) -> ResponseFuture<T> {
    Box::pin(std::future::ready(value))
}

pub(super) fn interrupted() -> Unavailable {
    Unavailable("the load was interrupted".to_owned())
}
