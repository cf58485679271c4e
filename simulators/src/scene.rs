//! What every stand-in of one account is: how it behaves, what it holds, and the trouble it is told to make. Each `state.rs`
//! says what its book holds and what a person may do with it; shared by the server's worker and by tests in other threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::script::{Behaviour, Script};
use crate::tally::{Counts, Tally};

/// What a stand-in holds.
pub trait Book: Sized + Send + 'static {
    /// How it behaves.
    type Settings: Send + Sync + 'static;

    /// As it is when nothing has happened yet.
    fn fresh(settings: &Self::Settings) -> Self;

    /// What it counts.
    fn tally(&mut self) -> &mut Tally;

    /// An object with everything a person would ask for; counts and script are added to it.
    fn shown(&self) -> Value;
}

/// See the module's head.
#[derive(Debug)]
pub struct Scene<B: Book> {
    /// How it behaves.
    pub settings: B::Settings,
    /// Misbehaviour on request; what its targets and endpoints are called is in each `entry.rs`.
    pub script: Script,
    book: Mutex<B>,
}

impl<B: Book> Scene<B> {
    /// One in which nothing has happened yet.
    pub fn new(settings: B::Settings) -> Self {
        Self {
            book: Mutex::new(B::fresh(&settings)),
            script: Script::default(),
            settings,
        }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, B> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line to the script.
    pub fn behave(&self, behaviour: Behaviour) {
        self.script.set(behaviour);
    }

    /// Counts and refusals.
    pub fn counts(&self) -> Counts {
        self.book().tally().counts()
    }

    /// How many requests broke a rule.
    pub fn refused(&self) -> u64 {
        self.book().tally().refused()
    }

    /// Begins anew: without a script, and with nothing that happened.
    pub fn reset(&self) {
        self.script.clear();
        *self.book() = B::fresh(&self.settings);
    }

    /// Everything a person would ask for.
    pub fn shown(&self) -> Value {
        let mut shown = self.book().shown();
        let counts = self.counts();
        shown["refused"] = counts.refused.into();
        shown["counts"] = json!(counts);
        shown["behaviour"] = json!(self.script.lines());
        shown
    }
}
