//! One enterprise's bot: its state, and the messages it hears. Started and watched by `registry`; told of calls by nudges, and
//! looking into the table itself every few seconds. How what is to be told flows is `flow`, the table's side `books`.
//!
//! ```text
//!   Nudge ──► desk ──► limiter opens ──► job: look into the table, plan, ask Telegram ──► heed the answer
//!               ▲                                                                           │
//!               └── survey: subscribers, ended calls with an open delivery ◄── table ◄── rows, settled deliveries
//! ```
//!
//! It decides nothing about texts or answers (`text`, `plan`), and holds nothing that the table does not know or that
//! the next nudge would not tell again: when it dies, a new one goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use actix::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::answer::Answer;
use super::api::Api;
use super::desk::Desk;
use super::flow::now;
use super::ledger::{Change, Ledger};
use super::limiter::Limiter;
use super::messages::{ExitGuard, Look, Nudge, Observe, Observed, Stop};
use super::settings::Settings;
use crate::cache::handle::Cache;
use crate::cache::snapshot::Enterprise;
use crate::call::record::{CallId, Record};

/// Asks for a live call as it stands now, with its client's name: the live page's board.
pub type Board = Arc<dyn Fn(CallId) -> Option<(Arc<Record>, Option<Arc<str>>)> + Send + Sync>;

/// What a bot needs of the world. One for all bots.
#[derive(Clone)]
pub struct Surroundings {
    pub settings: Arc<Settings>,
    pub cache: Cache,
    pub board: Board,
}

/// Whether the bot works.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mode {
    Working,
    /// Its token is not accepted.
    Stopped {
        reason: String,
        since: Instant,
    },
    /// The process ends: what is under way is finished, nothing is begun.
    Ending,
}

pub struct Bot {
    pub(super) enterprise: Arc<Enterprise>,
    pub(super) world: Surroundings,
    client: awc::Client,
    pub(super) ledger: Ledger,
    pub(super) api: Option<Api>,
    token: String,
    pub(super) desk: Desk,
    pub(super) limiter: Limiter,
    pub(super) mode: Mode,
    pub(super) jobs: usize,
    pub(super) failures: u32,
    pub(super) unsaved: Vec<Change>,
    /// Changes that are being written.
    pub(super) saving: Option<Arc<[Change]>>,
    pub(super) surveying: bool,
    pub(super) surveyed: bool,
    /// Chats that were closed or moved, and are so in the table too.
    pub(super) closings: u32,
    pub(super) wake: Option<SpawnHandle>,
    pub(super) stopping: Vec<tokio::sync::oneshot::Sender<()>>,
    pub(super) counts: Observed,
    /// False when the registry that started this bot is gone: another one will start another bot.
    pub(super) parent: Arc<AtomicBool>,
    _guard: ExitGuard,
}

impl Bot {
    pub fn new(
        enterprise: Arc<Enterprise>,
        world: Surroundings,
        client: awc::Client,
        ledger: Ledger,
        restarts: u32,
        parent: Arc<AtomicBool>,
        guard: ExitGuard,
    ) -> Self {
        let settings = &world.settings;
        Self {
            desk: Desk::new(settings.calls_kept),
            limiter: Limiter::new(settings.limits),
            counts: Observed {
                enterprise: enterprise.id,
                number: enterprise.number.clone(),
                restarts,
                ..Observed::default()
            },
            enterprise,
            world,
            client,
            ledger,
            api: None,
            token: String::new(),
            mode: Mode::Working,
            jobs: 0,
            failures: 0,
            unsaved: Vec::new(),
            saving: None,
            surveying: false,
            surveyed: false,
            closings: 0,
            wake: None,
            stopping: Vec::new(),
            parent,
            _guard: guard,
        }
    }

    /// Takes the enterprise's present configuration; a new token begins a new life.
    fn refresh(&mut self) {
        if let Some(enterprise) = self.world.cache.by_id(self.enterprise.id) {
            self.enterprise = enterprise;
        }
        let token = self
            .enterprise
            .bot_token
            .as_ref()
            .map(|t| t.expose_secret().to_owned())
            .unwrap_or_default();
        if token == self.token {
            return;
        }
        let settings = &self.world.settings;
        self.api = (!token.is_empty()).then(|| {
            let secret = SecretString::from(token.clone());
            Api::new(
                self.client.clone(),
                &settings.base_url,
                secret,
                settings.timeout,
            )
        });
        self.token = token;
        self.failures = 0;
        self.limiter = Limiter::new(settings.limits);
        if self.mode != Mode::Ending {
            self.mode = Mode::Working;
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        if !self.parent.load(Ordering::Acquire) {
            return ctx.stop();
        }
        self.refresh();
        self.survey(ctx);
        if let Mode::Stopped { since, .. } = &self.mode
            && since.elapsed() >= self.world.settings.ask_again
            && let Some(api) = self.api.clone()
        {
            // A server that was set up anew may know the token again.
            self.mode = Mode::Stopped {
                reason: self.counts.last_error.clone(),
                since: now(),
            };
            let ask = async move { api.introduce().await }.into_actor(self);
            ctx.spawn(ask.map(|answer, bot, ctx| {
                if matches!(answer, Answer::Done { .. }) && matches!(bot.mode, Mode::Stopped { .. })
                {
                    bot.mode = Mode::Working;
                    bot.pump(ctx);
                }
            }));
        }
    }
}

impl Actor for Bot {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.refresh();
        self.survey(ctx);
        ctx.run_interval(self.world.settings.look_every, Self::tick);
    }
}

impl Handler<Nudge> for Bot {
    type Result = ();

    fn handle(&mut self, Nudge(calls): Nudge, ctx: &mut Self::Context) {
        let now = now();
        self.refresh();
        for present in calls {
            if !self.desk.want(present, now) {
                self.counts.left_to_table += 1;
            }
        }
        if self.surveyed && self.desk.chats() == 0 {
            self.complete_all();
            self.save(ctx);
        }
        self.pump(ctx);
    }
}

impl Handler<Look> for Bot {
    type Result = ();

    fn handle(&mut self, _: Look, ctx: &mut Self::Context) {
        self.survey(ctx);
    }
}

impl Handler<Observe> for Bot {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let (backlog, oldest) = self.desk.backlog();
        let mut observed = self.counts.clone();
        observed.chats = self.desk.chats();
        observed.calls = self.desk.calls();
        observed.backlog = backlog;
        observed.oldest_ms = oldest.map_or(0, |at| {
            now().saturating_duration_since(at).as_millis() as u64
        });
        observed.under_way = self.jobs;
        observed.unsaved = self.unsaved.len();
        observed.stopped = match &self.mode {
            Mode::Stopped { reason, .. } => reason.clone(),
            Mode::Working | Mode::Ending => String::new(),
        };
        MessageResult(observed)
    }
}

impl Handler<Stop> for Bot {
    type Result = ();

    fn handle(&mut self, Stop(done): Stop, ctx: &mut Self::Context) {
        self.mode = Mode::Ending;
        self.stopping.push(done);
        self.settle_down(ctx);
    }
}
