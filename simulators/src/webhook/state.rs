//! What the receiver remembers, and how it behaves. Shared by the server's worker and by tests in other threads.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::kept::Kept;
use crate::scene::{self, Scene};
use crate::tally::Tally;

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
pub struct Book {
    pub secrets: Vec<String>,
    pub messages: Kept<Message>,
    pub known: HashSet<String>,
    pub tally: Tally,
}

impl scene::Book for Book {
    type Settings = Settings;

    fn fresh(settings: &Settings) -> Self {
        fresh(settings)
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    fn shown(&self) -> Value {
        json!({"messages": self.messages})
    }
}

/// One receiver.
pub type State = Scene<Book>;

impl State {
    /// Exchanges the secrets it knows.
    pub fn set_secrets(&self, secrets: Vec<String>) {
        self.book().secrets = secrets;
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
}

fn fresh(settings: &Settings) -> Book {
    Book {
        secrets: settings.secrets.clone(),
        messages: Kept::new(settings.keep),
        known: HashSet::new(),
        tally: Tally::new(settings.keep),
    }
}
