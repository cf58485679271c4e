//! How what is to be told flows through a bot: from the desk past the limiter to Telegram, and what its answer means for both.
//! The inner half of `actor`, which holds the state and hears the messages; what is written and read is `books`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::Utc;

use super::actor::{Bot, Mode};
use super::desk::Next;
use super::job::{Finished, Job};
use super::ledger::Change;
use super::plan::{self, After};
use crate::call::record::CallId;

impl Bot {
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
