//! The parent of all bots: starts one when its enterprise first has something to tell, hands on what the inbox holds,
//! and starts a bot anew that died. On an arbiter of its own, with the one HTTP client of all bots.
//!
//! ```text
//!   Telegram::nudge ──► Inbox (the latest of each call) ──► Wake ──► registry ──► Nudge ──► bot
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::Utc;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::actor::{Bot, Surroundings};
use super::api;
use super::inbox::Inbox;
use super::ledger::Ledger;
use super::listener::{Listener, Listeners};
use super::messages::{
    Attend, ExitGuard, Exited, Joined, Look, Nudge, Observe, ObserveAll, Observed, Stop, StopAll,
    Wake,
};
use super::present::Present;
use crate::store::{Store, deliveries, invitations};

/// Deaths are forgiven after this time.
const FORGIVEN: Duration = Duration::from_secs(600);

/// Owned by the registry: its drop tells the bots that nobody hands on nudges any more, and after a panic starts a new
/// registry, which finds in the table what this one did not hand on.
pub struct Watch {
    pub alive: Arc<AtomicBool>,
    pub restart: Box<dyn Fn() + Send>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Release);
        if std::thread::panicking() {
            (self.restart)();
        }
    }
}

pub struct Registry {
    watch: Watch,
    store: Store,
    world: Surroundings,
    inbox: Arc<Inbox>,
    client: awc::Client,
    /// Its connections wait for people to write, half a minute each: they take none from messages.
    listening: awc::Client,
    bots: HashMap<i64, Addr<Bot>>,
    listeners: Listeners,
    deaths: HashMap<i64, VecDeque<Instant>>,
    restarts: HashMap<i64, u32>,
    ending: bool,
}

impl Registry {
    /// To be called on the arbiter on which it shall live.
    pub fn new(store: Store, world: Surroundings, inbox: Arc<Inbox>, watch: Watch) -> Self {
        let client = api::client(world.settings.connections);
        let listening = api::client(world.settings.connections);
        Self {
            watch,
            store,
            world,
            inbox,
            client,
            listening,
            bots: HashMap::new(),
            listeners: Listeners::default(),
            deaths: HashMap::new(),
            restarts: HashMap::new(),
            ending: false,
        }
    }

    /// The enterprise's bot, started when it is not there. `None`: the enterprise is not known, or the process ends.
    fn bot(&mut self, enterprise: i64, ctx: &mut Context<Self>) -> Option<Addr<Bot>> {
        if let Some(bot) = self.bots.get(&enterprise) {
            return Some(bot.clone());
        }
        if self.ending || self.is_worn_out(enterprise) {
            return None;
        }
        let known = self.world.cache.by_id(enterprise)?;
        let guard = ExitGuard {
            enterprise,
            registry: ctx.address().recipient(),
        };
        let ledger = Ledger::new(self.store.clone(), enterprise);
        let restarts = self.restarts.get(&enterprise).copied().unwrap_or(0);
        let parent = Arc::clone(&self.watch.alive);
        let bot = Bot::new(
            known,
            self.world.clone(),
            self.client.clone(),
            ledger,
            restarts,
            parent,
            guard,
        )
        .start();
        self.bots.insert(enterprise, bot.clone());
        Some(bot)
    }

    /// Whether a bot died so often that it stays away for a while; the table keeps what it has to tell.
    fn is_worn_out(&mut self, enterprise: i64) -> bool {
        let Some(deaths) = self.deaths.get_mut(&enterprise) else {
            return false;
        };
        while deaths.front().is_some_and(|at| at.elapsed() > FORGIVEN) {
            deaths.pop_front();
        }
        deaths.len() > self.world.settings.restarts as usize
    }

    fn deliver(&mut self, ctx: &mut Context<Self>) {
        let mut of: HashMap<i64, Vec<Present>> = HashMap::new();
        for present in self.inbox.empty() {
            of.entry(present.record.enterprise)
                .or_default()
                .push(present);
        }
        for (enterprise, calls) in of {
            if let Some(bot) = self.bot(enterprise, ctx) {
                bot.do_send(Nudge(calls));
            }
        }
    }

    /// Starts the bots that owe something: after a restart, and should a nudge have been lost.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let store = self.store.clone();
        let read = async move { store.read(deliveries::open).await }.into_actor(self);
        ctx.spawn(read.map(|open, registry, ctx| {
            match open {
                Ok(open) => {
                    for (enterprise, _) in open
                        .into_iter()
                        .filter(|(_, integration)| integration == super::INTEGRATION)
                    {
                        registry.bot(enterprise, ctx);
                    }
                }
                Err(error) => log::warn!("telegram: open deliveries cannot be read: {error}"),
            }
        }));
        self.attend(ctx);
    }

    /// Listens to the bots by which chats may join, and to no others: most of the time nobody is expected.
    fn attend(&mut self, ctx: &mut Context<Self>) {
        let store = self.store.clone();
        let read = async move {
            store
                .read(|conn| invitations::awaited(conn, Utc::now()))
                .await
        }
        .into_actor(self);
        ctx.spawn(read.map(|awaited, registry, ctx| match awaited {
            Ok(_) if registry.ending => {}
            Ok(awaited) => {
                let cache = &registry.world.cache;
                let bots = awaited.into_iter().filter_map(|id| cache.by_id(id));
                let listener = Listener::new(
                    registry.store.clone(),
                    registry.world.clone(),
                    registry.listening.clone(),
                    ctx.address().recipient(),
                );
                registry.listeners.attend(bots, &listener);
            }
            Err(error) => log::warn!("telegram: joining codes cannot be read: {error}"),
        }));
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.inbox.awaken(ctx.address());
        self.look(ctx);
        self.deliver(ctx);
        ctx.run_interval(self.world.settings.look_every * 3, Self::look);
    }
}

impl Handler<Wake> for Registry {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.deliver(ctx);
    }
}

impl Handler<Attend> for Registry {
    type Result = ();

    fn handle(&mut self, _: Attend, ctx: &mut Self::Context) {
        self.attend(ctx);
    }
}

impl Handler<Joined> for Registry {
    type Result = ();

    fn handle(&mut self, Joined(enterprise): Joined, _: &mut Self::Context) {
        // A bot that is not there looks when it is started.
        if let Some(bot) = self.bots.get(&enterprise) {
            bot.do_send(Look);
        }
    }
}

impl Handler<Exited> for Registry {
    type Result = ();

    fn handle(
        &mut self,
        Exited {
            enterprise,
            panicked,
        }: Exited,
        ctx: &mut Self::Context,
    ) {
        self.bots.remove(&enterprise);
        if !panicked {
            return;
        }
        log::error!("telegram: the bot of enterprise {enterprise} broke; it is started anew");
        self.deaths
            .entry(enterprise)
            .or_default()
            .push_back(Instant::now());
        *self.restarts.entry(enterprise).or_default() += 1;
        let deaths = self.deaths.get(&enterprise).map_or(1, VecDeque::len);
        let pause = Duration::from_secs(1 << deaths.min(6)) / 2;
        ctx.run_later(pause, move |registry, ctx| {
            registry.bot(enterprise, ctx);
        });
    }
}

impl Handler<ObserveAll> for Registry {
    type Result = ResponseFuture<Vec<Observed>>;

    fn handle(&mut self, _: ObserveAll, _: &mut Self::Context) -> Self::Result {
        let asked: Vec<_> = self.bots.values().map(|bot| bot.send(Observe)).collect();
        Box::pin(async move {
            let mut all: Vec<Observed> = join_all(asked).await.into_iter().flatten().collect();
            all.sort_by(|a, b| a.number.cmp(&b.number));
            all
        })
    }
}

impl Handler<StopAll> for Registry {
    type Result = ();

    fn handle(&mut self, StopAll(done): StopAll, ctx: &mut Self::Context) {
        self.deliver(ctx);
        self.ending = true;
        self.listeners.end();
        let mut waiting = Vec::new();
        for bot in self.bots.values() {
            let (tell, told) = oneshot::channel();
            bot.do_send(Stop(tell));
            waiting.push(told);
        }
        let all = async move {
            join_all(waiting).await;
            let _ = done.send(());
        };
        ctx.spawn(all.into_actor(self));
    }
}
