//! What is said to a bot and to the registry, and what they tell of themselves.

use actix::prelude::*;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::answer::Answer;
use super::plan::Step;
use super::present::Present;

/// Calls of one enterprise as they stand now.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Nudge(pub Vec<Present>);

/// The inbox has something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// Look into the table now: a chat has joined.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Look;

/// Look who is to be listened to: a code was made, or a bot has another token.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Attend;

/// A chat has joined this enterprise's.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Joined(pub i64);

/// How a bot is doing.
#[derive(Message)]
#[rtype(result = "Observed")]
pub struct Observe;

/// How all bots are doing.
#[derive(Message)]
#[rtype(result = "Vec<Observed>")]
pub struct ObserveAll;

/// Finish what is under way, begin nothing; answered when it is written.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop(pub tokio::sync::oneshot::Sender<()>);

/// Stop every bot.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StopAll(pub tokio::sync::oneshot::Sender<()>);

/// A bot's actor is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Exited {
    pub enterprise: i64,
    pub panicked: bool,
}

/// Owned by a bot's actor: its drop tells the registry, however the actor ends.
pub struct ExitGuard {
    pub enterprise: i64,
    pub registry: Recipient<Exited>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        // Nothing here may fail: this may run while unwinding.
        self.registry.do_send(Exited {
            enterprise: self.enterprise,
            panicked: std::thread::panicking(),
        });
    }
}

/// A bot's observable state, for the system page, `/metrics` and tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Observed {
    pub enterprise: i64,
    /// The enterprise's number.
    pub number: String,
    /// Why the bot does nothing; empty while it works.
    pub stopped: String,
    pub chats: usize,
    /// Calls in memory.
    pub calls: usize,
    /// Turns that wait, and for how long the oldest does. Milliseconds.
    pub backlog: usize,
    pub oldest_ms: u64,
    pub under_way: usize,
    /// Changes on their way to the table.
    pub unsaved: usize,
    pub sent: u64,
    pub edited: u64,
    pub deleted: u64,
    /// Answers "too many requests".
    pub held: u64,
    /// Nudges for which there was no room.
    pub left_to_table: u64,
    pub errors: u64,
    pub last_error: String,
    pub last_error_at: Option<DateTime<Utc>>,
    /// How often the actor was started again after a panic.
    pub restarts: u32,
}

impl Observed {
    /// Counts what an answer achieved.
    pub(super) fn count(&mut self, step: &Step, answer: &Answer) {
        if let Answer::Done { .. } = answer {
            match step {
                Step::Send { .. } => self.sent += 1,
                Step::Edit { .. } => self.edited += 1,
                Step::Delete { .. } => self.deleted += 1,
                Step::Nothing => {}
            }
        }
    }
}
