//! One turn of one chat from the look into the table to Telegram's answer. Made by the actor, run on its arbiter;
//! changes nothing but what Telegram shows.

use std::sync::Arc;

use chrono::Utc;

use super::answer::Answer;
use super::api::Api;
use super::desk::Turn;
use super::ledger::Ledger;
use super::plan::{self, Shown, Step, Wanted};
use super::settings::Settings;
use super::text::{self, Scene};
use crate::cache::snapshot::Enterprise;
use crate::store::StoreError;

/// Everything a turn needs.
pub struct Job {
    pub turn: Turn,
    pub enterprise: Arc<Enterprise>,
    pub settings: Arc<Settings>,
    pub ledger: Ledger,
    pub api: Api,
    /// The newest message of the same number that the table does not know yet.
    pub unsaved_reply: Option<i64>,
}

/// What came of it.
pub struct Finished {
    pub turn: Turn,
    pub wanted: Wanted,
    /// What the chat showed before the answer.
    pub shown: Shown,
    pub step: Step,
    /// `Err`: the table could not be asked, and so Telegram was not either.
    pub answer: Result<Answer, StoreError>,
}

impl Job {
    pub async fn run(self) -> Finished {
        let wanted = self.wanted();
        let shown = match self.turn.shown.clone() {
            Some(shown) => shown,
            None => {
                let (call, number) = (
                    self.turn.call(),
                    self.turn.present.client_number().to_owned(),
                );
                let since = Utc::now() - self.settings.reply_within;
                match self.ledger.look(call, self.turn.chat, number, since).await {
                    Ok(mut shown) => {
                        shown.reply_to = self.unsaved_reply.or(shown.reply_to);
                        shown.in_doubt = self.turn.present.owed;
                        shown
                    }
                    Err(error) => {
                        let shown = Shown::default();
                        return Finished {
                            turn: self.turn,
                            wanted,
                            shown,
                            step: Step::Nothing,
                            answer: Err(error),
                        };
                    }
                }
            }
        };
        let step = plan::next(&shown, &wanted);
        let late = self
            .turn
            .present
            .expires_at
            .is_some_and(|term| term < Utc::now());
        let answer = match &step {
            Step::Send { .. } if late => Answer::Refused {
                reason: "too late to be of use".into(),
            },
            step => self.api.carry_out(self.turn.chat, step).await,
        };
        Finished {
            turn: self.turn,
            wanted,
            shown,
            step,
            answer: Ok(answer),
        }
    }

    fn wanted(&self) -> Wanted {
        let present = &self.turn.present;
        if present.absorbed {
            return Wanted::Nothing {
                note: text::absorbed(&self.enterprise.language),
            };
        }
        let scene = Scene {
            enterprise: &self.enterprise,
            client: present.client.as_deref(),
            public_url: match self.enterprise.tells_recordings() {
                true => &self.settings.public_url,
                false => "",
            },
        };
        Wanted::Text {
            text: text::compose(&present.record, scene),
            last: present.over(),
        }
    }
}
