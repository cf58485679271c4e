//! A conversation written straight down, for connectors whose conversations are longer than a match on what was heard: each
//! answer is taken with `?`, and where one was not heard yet the conversation halts with the request for it. Every step
//! runs it again from its beginning, over one answer more. Pure.

use serde_json::Value;

use super::connector::{Failed, Step};
use super::request::{Reply, Request};

/// Why a conversation does not go on by itself.
#[derive(Debug)]
pub enum Halt {
    /// This is to be sent first.
    Send(Box<Request>),
    /// This is to be kept first.
    Keep(Value),
    Nothing(String),
    Failed(Failed),
}

impl Halt {
    /// There is nothing to say, for this reason.
    pub fn nothing(reason: &str) -> Self {
        Halt::Nothing(reason.to_owned())
    }
}

impl From<Failed> for Halt {
    fn from(failed: Failed) -> Self {
        Halt::Failed(failed)
    }
}

impl<T> From<Result<T, Halt>> for Step<T> {
    fn from(talked: Result<T, Halt>) -> Self {
        match talked {
            Ok(end) => Step::End(end),
            Err(Halt::Send(request)) => Step::Send(*request),
            Err(Halt::Keep(memory)) => Step::Keep(memory),
            Err(Halt::Nothing(reason)) => Step::Nothing(reason),
            Err(Halt::Failed(failed)) => Step::Failed(failed),
        }
    }
}

/// The answers of a conversation, read in order.
#[derive(Clone, Debug)]
pub struct Heard<'a>(std::slice::Iter<'a, Reply>);

impl<'a> Heard<'a> {
    /// All that was heard so far.
    pub fn new(heard: &'a [Reply]) -> Self {
        Heard(heard.iter())
    }

    /// The next answer.
    ///
    /// # Errors
    /// It was not heard yet: this is asked.
    pub fn next(&mut self, ask: impl FnOnce() -> Request) -> Result<&'a Reply, Halt> {
        self.0.next().ok_or_else(|| Halt::Send(Box::new(ask())))
    }
}
