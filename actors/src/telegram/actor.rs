//! One enterprise's bot: the wiring between its desk, its limiter, the Bot API and the table. Started and watched by
//! `registry`; told of calls by nudges, and looking into the table itself every few seconds.
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
use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};

use super::answer::Answer;
use super::api::Api;
use super::desk::{Desk, Next};
use super::job::{Finished, Job};
use super::ledger::{Change, Ledger};
use super::limiter::Limiter;
use super::messages::{ExitGuard, Look, Nudge, Observe, Observed, Stop};
use super::plan::{self, After};
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
    enterprise: Arc<Enterprise>,
    pub(super) world: Surroundings,
    client: awc::Client,
    pub(super) ledger: Ledger,
    pub(super) api: Option<Api>,
    token: String,
    pub(super) desk: Desk,
    pub(super) limiter: Limiter,
    pub(super) mode: Mode,
    pub(super) jobs: usize,
    failures: u32,
    pub(super) unsaved: Vec<Change>,
    /// Changes that are being written.
    pub(super) saving: Option<Arc<[Change]>>,
    pub(super) surveying: bool,
    pub(super) surveyed: bool,
    /// Chats that were closed or moved, and are so in the table too.
    pub(super) closings: u32,
    wake: Option<SpawnHandle>,
    stopping: Vec<tokio::sync::oneshot::Sender<()>>,
    counts: Observed,
    /// False when the registry that started this bot is gone: another one will start another bot.
    parent: Arc<AtomicBool>,
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

    /// Begins whatever may be begun now, and sets the alarm for what may be begun later.
    pub(super) fn pump(&mut self, ctx: &mut Context<Self>) {
        if let Some(handle) = self.wake.take() {
            ctx.cancel_future(handle);
        }
        if !self.parent.load(Ordering::Acquire) {
            return ctx.stop();
        }
        // Before the first survey nobody knows the chats.
        if self.mode != Mode::Working || !self.surveyed {
            return;
        }
        // Without a token there is no chat either: what is open is completed by the survey.
        let Some(api) = self.api.clone() else { return };
        while self.jobs < self.world.settings.requests_at_once {
            let now = now();
            match self.desk.next(now, |chat| self.limiter.opens(chat, now)) {
                Next::Nothing => return,
                Next::Wait(at) => {
                    self.wake = Some(ctx.run_later(
                        at.saturating_duration_since(now),
                        |bot, ctx| {
                            bot.wake = None;
                            bot.pump(ctx);
                        },
                    ));
                    return;
                }
                Next::Chat(chat) => {
                    let Some(turn) = self.desk.begin(chat) else {
                        return;
                    };
                    if !self.limiter.take(chat, now) {
                        log::debug!("chat {chat} opened and was shut at once");
                    }
                    // A message of the same number whose row is still on its way to the table.
                    let unsaved_reply =
                        self.unsaved_reply(chat, turn.present.client_number(), turn.call());
                    let job = Job {
                        turn,
                        enterprise: Arc::clone(&self.enterprise),
                        settings: Arc::clone(&self.world.settings),
                        ledger: self.ledger.clone(),
                        api: api.clone(),
                        unsaved_reply,
                    };
                    self.jobs += 1;
                    let finish = job
                        .run()
                        .into_actor(self)
                        .map(|finished, bot, ctx| bot.finish(finished, ctx));
                    ctx.spawn(finish);
                }
            }
        }
    }

    fn unsaved_reply(&self, chat: i64, phone: &str, call: CallId) -> Option<i64> {
        if phone.is_empty() {
            return None;
        }
        let writing = self.saving.iter().flat_map(|batch| batch.iter());
        writing
            .chain(&self.unsaved)
            .rev()
            .find_map(|change| change.message_of(chat, phone, call))
    }

    /// Takes what a job brought.
    fn finish(&mut self, finished: Finished, ctx: &mut Context<Self>) {
        self.jobs -= 1;
        let now = now();
        let Finished {
            turn,
            wanted,
            mut shown,
            step,
            answer,
        } = finished;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                // The table could not be asked: the chat waits a little, its order stays.
                self.note(format!("the database: {error}"));
                self.limiter.hold(turn.chat, now + Duration::from_secs(1));
                self.desk.end(&turn, &wanted, None, now);
                return self.settle_down(ctx);
            }
        };
        self.counts.count(&step, &answer);
        let before = shown.clone();
        let after = plan::heed(&mut shown, &step, answer);
        if let Some(change) = Change::of(&turn, &before, &shown, Utc::now()) {
            self.unsaved.push(change);
        }
        self.desk.end(&turn, &wanted, Some(shown), now);
        match after {
            After::Next => self.failures = 0,
            After::HoldChat { pause } => {
                // A little more than asked for, so that clocks need not agree.
                self.limiter
                    .hold(turn.chat, now + pause + Duration::from_millis(250));
                self.counts.held += 1;
            }
            After::BackOff { reason } => {
                self.failures = self.failures.saturating_add(1);
                let pause = self.world.settings.pause(plan::back_off(self.failures));
                self.limiter.hold_all(now + pause);
                self.note(reason);
            }
            After::MoveChat { chat_id } => {
                log::info!(
                    "telegram of {}: chat {} is {chat_id} now",
                    self.enterprise.number,
                    turn.chat
                );
                self.desk.rename(turn.chat, chat_id, now);
                self.unsaved.push(Change::Moved {
                    old: turn.chat,
                    new: chat_id,
                });
            }
            After::CloseChat { reason } => {
                log::warn!(
                    "telegram of {}: chat {} is switched off: {reason}",
                    self.enterprise.number,
                    turn.chat
                );
                self.note(reason.clone());
                self.desk.close(turn.chat);
                self.unsaved.push(Change::Closed {
                    chat: turn.chat,
                    reason,
                });
                self.complete_all();
            }
            After::StopBot { reason } => {
                log::error!(
                    "telegram of {}: the bot is stopped: {reason}",
                    self.enterprise.number
                );
                self.note(reason.clone());
                self.mode = Mode::Stopped { reason, since: now };
            }
        }
        if let Some(completed) = self.desk.complete(turn.call()) {
            self.unsaved.push(Change::Completed {
                completed,
                at: Utc::now(),
            });
        }
        self.settle_down(ctx);
    }

    pub(super) fn complete_all(&mut self) {
        let at = Utc::now();
        let completed = self
            .desk
            .complete_all()
            .into_iter()
            .map(|completed| Change::Completed { completed, at });
        self.unsaved.extend(completed);
    }

    pub(super) fn settle_down(&mut self, ctx: &mut Context<Self>) {
        self.save(ctx);
        self.pump(ctx);
        if self.mode == Mode::Ending
            && self.jobs == 0
            && self.saving.is_none()
            && self.unsaved.is_empty()
        {
            for waiting in self.stopping.drain(..) {
                let _ = waiting.send(());
            }
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

    pub(super) fn note(&mut self, error: String) {
        log::debug!("telegram of {}: {error}", self.enterprise.number);
        self.counts.errors += 1;
        self.counts.last_error = error;
        self.counts.last_error_at = Some(Utc::now());
    }
}

/// The clock that tests can pause.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
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
