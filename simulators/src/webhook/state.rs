//! What the receiver remembers, and how it behaves. Shared by the server's worker and by tests in other threads.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

use crate::kept::Kept;
use crate::script::{Behaviour, Script};
use crate::tally::{Counts, Tally};

/// How the receiver behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Secrets it knows; the first is the current one.
    pub secrets: Vec<String>,
    /// How many messages it keeps.
    pub keep: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()],
            keep: 10_000,
        }
    }
}

/// A message that was believed.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// When it came, in epoch milliseconds.
    pub at: i64,
    /// Where it was sent to.
    pub path: String,
    pub id: String,
    pub timestamp: i64,
    /// How many signatures it bore, and which of our secrets they were of.
    pub signatures: usize,
    pub signed_with: Vec<usize>,
    /// It came before under the same id, and nothing was done with it.
    pub again: bool,
    pub body: Value,
}

impl Message {
    /// The event's type.
    pub fn kind(&self) -> &str {
        self.body
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A text of the event's data.
    pub fn text(&self, name: &str) -> &str {
        self.body
            .pointer(&format!("/data/{name}"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

#[derive(Debug)]
pub(crate) struct Book {
    pub secrets: Vec<String>,
    pub messages: Kept<Message>,
    pub known: HashSet<String>,
    pub tally: Tally,
}

/// See above.
#[derive(Debug)]
pub struct State {
    settings: Settings,
    /// Misbehaviour on request; the target is a path.
    pub script: Script,
    book: Mutex<Book>,
}

impl State {
    /// A receiver that has heard nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            book: Mutex::new(fresh(&settings)),
            script: Script::default(),
            settings,
        }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exchanges the secrets it knows.
    pub fn set_secrets(&self, secrets: Vec<String>) {
        self.book().secrets = secrets;
    }

    /// Adds a line to the script.
    pub fn behave(&self, behaviour: Behaviour) {
        self.script.set(behaviour);
    }

    /// What was believed, oldest first; repetitions among it.
    pub fn messages(&self) -> Vec<Message> {
        self.book().messages.iter().cloned().collect()
    }

    /// What was believed and new.
    pub fn events(&self) -> Vec<Message> {
        let mut all = self.messages();
        all.retain(|message| !message.again);
        all
    }

    /// Counts and refusals.
    pub fn counts(&self) -> Counts {
        self.book().tally.counts()
    }

    /// How many requests were not believed.
    pub fn refused(&self) -> u64 {
        self.book().tally.refused()
    }

    /// Forgets everything.
    pub fn reset(&self) {
        self.script.clear();
        *self.book() = fresh(&self.settings);
    }
}

fn fresh(settings: &Settings) -> Book {
    Book {
        secrets: settings.secrets.clone(),
        messages: Kept::new(settings.keep),
        known: HashSet::new(),
        tally: Tally::new(settings.keep),
    }
}
