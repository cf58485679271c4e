//! What a CRM's folder implements. `KINDS` in `crm/mod.rs` lists the implementations; `attempt.rs` drives them; the
//! settings form is drawn from `Kind::fields`. Everything here is a value or a pure function: a connector decides
//! what to say and understands what it hears, it never sends, waits, stores or logs.

use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;

use super::fields::{Field, Input, SettingsFault, text};
use super::incoming::{Done, Incoming, Spoken, Wish};
use super::known::{Known, Tokens};
use super::limiter::Rate;
use super::registration::{Registered, Registration, Taken};
use super::request::{Reply, Request, mask};
use crate::cache::snapshot::Enterprise;
use crate::call::record::{Notice, NoticeKind};

/// One kind of CRM, described once: a `static` in its folder.
#[derive(Debug)]
pub struct Kind {
    /// The word in the integrations document, in `deliveries.integration` and in URLs: "retailcrm".
    pub name: &'static str,
    /// As people know it: "RetailCRM".
    pub title: &'static str,
    /// The settings form, top to bottom.
    pub fields: &'static [Field],
    /// What it can be told at all; other notices make no delivery.
    pub wants: &'static [NoticeKind],
    /// Every notice is history to it: none goes stale, each is tried for days. Not for a CRM, whose pop-ups are of use
    /// for seconds.
    pub lasting: bool,
    /// It keeps something about a call from one delivery to the next (`Step::Keep`).
    pub remembers: bool,
    /// It gives tokens that end and are renewed (`Known::tokens`).
    pub authorizes: bool,
    /// It sends us requests (`Connector::hear`): the dialog shows the address they come to.
    pub hears: bool,
    /// Checks one enterprise's settings and makes its connector.
    pub connect: fn(&Place<'_>, &Value) -> Connected,
}

impl Kind {
    /// Keys of the texts that its form shows, in each of the locales.
    pub fn texts(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for field in self.fields {
            let key = format!("integration-{}-{}", self.name, field.name);
            if let Input::Choice(words) = field.input {
                keys.extend(words.iter().map(|word| format!("{key}-{word}")));
            }
            keys.extend([format!("{key}-help"), key]);
        }
        if self.hears {
            keys.push(format!("integration-{}-address-help", self.name));
        }
        keys
    }
}

/// A connector, or the field that keeps it from being one.
pub type Connected = Result<Box<dyn Connector>, SettingsFault>;

/// Where a connector finds itself: our own address and the enterprise it works for.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Our address as the CRM and browsers reach it, without a slash at the end; empty when not configured.
    pub public_url: &'a str,
    pub enterprise: &'a Enterprise,
}

impl Place<'_> {
    /// Where this CRM reaches us, for a kind that hears and whose settings were saved: the address has a key of its own,
    /// so whoever knows it is the CRM.
    pub fn address(&self, kind: &str, settings: &Value) -> Option<String> {
        let key = text(settings, ADDRESS_KEY)?;
        Some(format!("{}/crm/{kind}/{key}", self.public_url))
    }
}

/// The setting that holds the key of the address, made when the settings of a kind that hears are saved.
pub const ADDRESS_KEY: &str = "address_key";

/// One enterprise's connector to one CRM, with its settings inside.
///
/// A conversation is driven by asking for the next step with all answers heard so far (since something was kept): the first call has none. So
/// a request may depend on the answer before it (register, then show), and the same answers always lead to the
/// same step.
pub trait Connector: Send + Sync {
    /// The CRM's rate limits, by lane.
    fn rates(&self) -> Vec<Rate>;

    /// Requests it takes at once, where that is fewer than the operator allows.
    fn at_once(&self) -> usize {
        usize::MAX
    }

    /// What to do next to tell the CRM of a notice. The common rules have been applied before: the call is not
    /// internal and its number is known.
    fn deliver(&self, notice: &Notice, known: &Known, heard: &[Reply]) -> Step<Delivered>;

    /// What to do next to answer a question of ours. Nothing is remembered of questions.
    fn ask(&self, question: &Question, known: &Known, heard: &[Reply]) -> Step<Answer>;

    /// Whether it can only work with tokens that somebody gave it: the dialog shows whether it has them.
    fn needs_tokens(&self) -> bool {
        false
    }

    /// The request that exchanges these tokens for new ones; `None` for a CRM whose tokens are not renewed.
    fn renew(&self, tokens: &Tokens) -> Option<Request> {
        let _ = tokens;
        None
    }

    /// What its answer holds.
    ///
    /// # Errors
    /// How it said no. `Settings`: somebody has to let us in again.
    fn renewed(&self, tokens: &Tokens, reply: &Reply) -> Result<Tokens, Failed> {
        let _ = (tokens, reply);
        Err(Failed::Settings {
            words: "this CRM's tokens cannot be renewed".into(),
        })
    }

    /// So long before their end tokens are renewed without being refused first; `None`: only after a refusal.
    fn renew_ahead(&self) -> Option<Duration> {
        None
    }

    /// What a request of the CRM wants. Whoever sent it knew the key of the address, no more is sure.
    ///
    /// # Errors
    /// Words for the CRM: why this cannot be taken.
    fn hear(&self, incoming: &Incoming, known: &Known) -> Result<Wish, String> {
        let _ = (incoming, known);
        Err("nothing is expected here".into())
    }

    /// How the CRM wants to be answered: what became of its wish, or a status and words.
    fn speak(&self, incoming: &Incoming, outcome: Result<&Done, (u16, &str)>) -> Spoken {
        let _ = incoming;
        Spoken::json(outcome)
    }

    /// Many history records in one request, for a backlog; `None` when the CRM has no such thing. The verdict of the
    /// one request holds for every record of it, so it is only used where a repetition does no harm.
    fn deliver_many(&self, notices: &[&Notice]) -> Option<Request> {
        let _ = notices;
        None
    }

    /// How many records `deliver_many` takes at most.
    fn many(&self) -> usize {
        1
    }
}

/// The next step of a conversation.
#[derive(Clone, Debug)]
pub enum Step<T> {
    /// Send this and come back with the answer.
    Send(Request),
    /// Keep this about the call, durably, in place of what was kept; then come back with nothing heard: what is kept tells
    /// how far the conversation is, and so it goes on the same way after a crash. Not for questions.
    Keep(Value),
    /// It is over, and well.
    End(T),
    /// There is nothing to say, for this reason (words for the call's page).
    Nothing(String),
    /// It is over, and not well.
    Failed(Failed),
}

/// How a delivery ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The CRM took it; its words, may be empty.
    Taken(String),
    /// The CRM had it already: a success, told apart for the statistics.
    Duplicate,
}

/// How a CRM said no. Decides what becomes of the delivery and of the link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// May succeed later: an error of the CRM's own, a timeout, no connection.
    #[error("{words}")]
    Later {
        words: String,
        after: Option<Duration>,
    },
    /// "Too many requests": later, and slower.
    #[error("{words}")]
    Throttled {
        words: String,
        after: Option<Duration>,
    },
    /// The CRM wants this kind of request later; others may go on meanwhile.
    #[error("{words}")]
    Postponed {
        words: String,
        after: Option<Duration>,
    },
    /// This one will never be taken; others may.
    #[error("{words}")]
    Refused { words: String },
    /// Key, address or rights are wrong: nothing will be taken until somebody changes the settings.
    #[error("{words}")]
    Settings { words: String },
    /// The access token has ended: the step is asked again with a renewed one and without this answer.
    #[error("{words}")]
    Expired { words: String },
    /// The CRM has shut us out, and asking more makes it worse: nothing is sent until somebody says so.
    #[error("{words}")]
    Blocked { words: String },
}

impl Failed {
    /// The same without these secrets in its words.
    #[must_use]
    pub fn masked(mut self, secrets: &[SecretString]) -> Failed {
        let (Failed::Later { words, .. }
        | Failed::Throttled { words, .. }
        | Failed::Postponed { words, .. }
        | Failed::Refused { words }
        | Failed::Settings { words }
        | Failed::Expired { words }
        | Failed::Blocked { words }) = &mut self;
        *words = mask(words, secrets);
        self
    }
}

/// What Patchbay asks a CRM.
#[derive(Clone, Debug)]
pub enum Question {
    /// Do address and key work?
    Test,
    /// Who calls from this number? E.164 with `+`.
    Customer { phone: String },
    /// Whose client calls from this number? E.164 with `+`.
    Responsible { phone: String },
    /// Who works there?
    Managers,
    /// Tokens for this code, by which somebody let us in.
    Authorize { code: SecretString },
    /// Hold this of us, instead of what you held.
    Register(Box<Registration>),
    /// What do you hold of us under this code?
    Registration { code: String },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Works(String),
    Customer(Option<Customer>),
    Responsible(Option<Manager>),
    Managers(Vec<Manager>),
    Tokens(Tokens),
    Taken(Taken),
    /// `None`: it holds nothing under that code.
    Registration(Option<Registered>),
}

/// How a pop-up's outcome begins when the CRM took it and then had nobody to show it to; extensions (or user ids)
/// follow, separated by ", ". The call's page reads it.
pub const KNOWS_NO_USER: &str = "taken, but the CRM knows no user with ";

/// A client as the CRM knows it. Untrusted text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Customer {
    pub name: String,
    /// Where a person opens it in the CRM, may be empty.
    pub link: String,
}

/// A user of the CRM. Untrusted text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manager {
    pub id: String,
    pub name: String,
    pub extension: Option<String>,
}

/// What most CRMs' status codes mean, for the connectors that have nothing special to say about one. `None` when
/// the status is a success and the body decides.
pub fn judge_status(reply: &Reply, words: String) -> Option<Failed> {
    match reply.status {
        200..=299 => None,
        300..=399 => Some(Failed::Settings {
            words: match &reply.location {
                Some(place) => format!("the address leads elsewhere: {place}"),
                None => words,
            },
        }),
        401 | 403 => Some(Failed::Settings { words }),
        429 => Some(Failed::Throttled {
            words,
            after: reply.retry_after,
        }),
        408 | 425 | 500.. => Some(Failed::Later {
            words,
            after: reply.retry_after,
        }),
        _ => Some(Failed::Refused { words }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_what_becomes_of_delivery_and_link() {
        let judge = |status| judge_status(&Reply::new(status, ""), "words".into());
        assert_eq!(judge(204), None);
        for (status, settings, later) in [
            (301, true, false),
            (401, true, false),
            (403, true, false),
            (404, false, false),
            (400, false, false),
            (500, false, true),
            (502, false, true),
            (408, false, true),
        ] {
            let failed = judge(status);
            assert_eq!(
                matches!(failed, Some(Failed::Settings { .. })),
                settings,
                "{status}"
            );
            assert_eq!(
                matches!(failed, Some(Failed::Later { .. })),
                later,
                "{status}"
            );
        }
        assert!(matches!(judge(429), Some(Failed::Throttled { .. })));
    }
}
