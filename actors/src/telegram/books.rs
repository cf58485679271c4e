//! The bot's dealings with the table: writing what changed, looking for what is owed. A part of `actor`, kept apart
//! because it is the part that survives a restart.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::actor::{Bot, Mode};
use super::flow::now;
use super::ledger::{Change, Survey};
use super::present::Present;
use crate::store::StoreError;

impl Bot {
    /// Writes everything that changed since, in one transaction; one at a time, so that batches form by themselves.
    pub(super) fn save(&mut self, ctx: &mut Context<Self>) {
        if self.saving.is_some() || self.unsaved.is_empty() {
            return;
        }
        let batch: Arc<[Change]> = std::mem::take(&mut self.unsaved).into();
        self.saving = Some(Arc::clone(&batch));
        let ledger = self.ledger.clone();
        let write = async move { ledger.save(batch).await }.into_actor(self);
        ctx.spawn(write.map(|outcome, bot, ctx| bot.saved(outcome, ctx)));
    }

    fn saved(&mut self, outcome: Result<(), StoreError>, ctx: &mut Context<Self>) {
        let Some(batch) = self.saving.take() else {
            return;
        };
        match outcome {
            Ok(()) => {
                for change in batch.iter() {
                    if let Change::Completed { completed, .. } = change {
                        self.desk.forget(completed.call);
                    }
                    self.closings += u32::from(change.closes());
                }
                self.settle_down(ctx);
            }
            Err(error) => {
                self.note(format!("the database: {error}"));
                // Nothing newer overtakes it.
                self.saving = Some(batch);
                ctx.run_later(Duration::from_secs(1), |bot, ctx| {
                    // Older changes go first when it is tried again.
                    let batch = bot
                        .saving
                        .take()
                        .map(|batch| batch.to_vec())
                        .unwrap_or_default();
                    let newer = std::mem::replace(&mut bot.unsaved, batch);
                    bot.unsaved.extend(newer);
                    bot.settle_down(ctx);
                });
            }
        }
    }

    /// Looks into the table: who is subscribed, which calls ended without their last word having been told.
    pub(super) fn survey(&mut self, ctx: &mut Context<Self>) {
        if self.surveying || self.mode == Mode::Ending {
            return;
        }
        self.surveying = true;
        let (ledger, first, room) = (self.ledger.clone(), !self.surveyed, self.desk.room());
        let closings = self.closings;
        let read = async move { ledger.survey(first, room).await }.into_actor(self);
        ctx.spawn(read.map(move |survey, bot, ctx| {
            bot.surveying = false;
            match survey {
                Ok(survey) => bot.surveyed(survey, closings, ctx),
                Err(error) => bot.note(format!("the database: {error}")),
            }
        }));
    }

    fn surveyed(&mut self, survey: Survey, closings: u32, ctx: &mut Context<Self>) {
        let now = now();
        // A chat that was closed while the table was read may still be open in what was read.
        let waiting = self.saving.iter().flat_map(|batch| batch.iter());
        let closes = waiting.chain(&self.unsaved).any(Change::closes);
        if !self.surveyed || !(closes || closings != self.closings) {
            let none: &[i64] = &[];
            let chats = self.api.as_ref().map_or(none, |_| &survey.chats);
            self.desk.set_chats(chats, now);
        }
        self.surveyed = true;
        for present in survey.ended {
            // What a nudge told is seldom older than the table.
            if self.desk.is_news(&present) {
                self.desk.want(present, now);
            }
        }
        for call in survey.live {
            if !self.desk.knows(call)
                && let Some((record, client)) = (self.world.board)(call)
            {
                let mut present = Present::new(record, client);
                present.owed = true;
                self.desk.want(present, now);
            }
        }
        self.limiter.forget(now);
        if self.desk.chats() == 0 {
            self.complete_all();
        }
        self.settle_down(ctx);
    }
}
