//! One try of one delivery: rules, conversation, and what is to be written about it. Run by `actor.rs`, which owns
//! breaker and queue; nothing here is stored or retried. A request of the conversation is `exchange.rs`, tokens that
//! end are `renewal.rs`.
//!
//! ```text
//!   Delivery ──▶ forbidden? ──▶ connector.deliver ⇄ exchange, renewal ──▶ Tried { ended, exchanges }
//! ```

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::connector::{Answer, Connector, Delivered, Failed, Question, Step};
use super::dispatch::forbidden;
use super::exchange::Exchanges;
use super::http::Terms;
use super::keeper::Keeper;
use super::known::Known;
use super::limiter::Limiter;
use super::queue::is_history;
use super::request::Reply;
use crate::call::record::{Notice, NoticeKind, Record};
use crate::store::deliveries::Delivery;

/// Requests of one conversation at most: a connector that never ends one is broken.
const LONGEST_TALK: usize = 120;

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Delivered(Delivered),
    /// Nothing is to be said, for this reason.
    Nothing(String),
    /// It waited too long to be of use; not sent.
    TooLate,
    Failed(Failed),
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    pub ended: Ended,
    pub exchanges: Exchanges,
    /// For the log: the client's number and the extensions it was about.
    pub phone: String,
    pub extensions: String,
    /// It went in one request with another, which tells what the request says about the CRM.
    pub beside: bool,
}

/// What a try needs, shared by all tries of a link on its arbiter.
#[derive(Clone)]
pub struct Means {
    pub connector: Arc<dyn Connector>,
    pub limiter: Rc<RefCell<Limiter>>,
    pub terms: Terms,
    pub keeper: Keeper,
    /// Until then tokens are not renewed before their end: it came to nothing just now.
    pub renewal_rests: Rc<Cell<Option<DateTime<Utc>>>>,
    /// Whether the enterprise wants CRMs to be told of recordings.
    pub recordings: bool,
    /// Whatever of the settings is a secret: no answer and no words hold it, whoever repeats it.
    pub secrets: Arc<[SecretString]>,
}

impl Means {
    /// The notice of a row, without what the enterprise does not want to be told.
    pub(super) fn read(&self, payload: &str) -> serde_json::Result<Notice> {
        let mut notice: Notice = serde_json::from_str(payload)?;
        if !self.recordings {
            notice.record.recording.clear();
        }
        Ok(notice)
    }

    /// Tries one delivery.
    pub async fn deliver(&self, row: &Delivery) -> Tried {
        let mut tried = Tried {
            ended: Ended::TooLate,
            exchanges: Exchanges::default(),
            phone: String::new(),
            extensions: String::new(),
            beside: false,
        };
        let notice = match self.read(&row.payload) {
            Ok(notice) => notice,
            Err(error) => {
                let words = format!("the delivery's notice cannot be read: {error}");
                tried.ended = Ended::Failed(Failed::Refused { words });
                return tried;
            }
        };
        tried.phone = notice.record.phone.clone().unwrap_or_default();
        tried.extensions = notice.extensions.join(",");
        tried.ended = match self.superfluous(&notice).await {
            Err(failed) => Ended::Failed(failed),
            Ok(Some(reason)) => Ended::Nothing(reason.to_owned()),
            Ok(None) => {
                let step =
                    |known: &Known, heard: &[Reply]| self.connector.deliver(&notice, known, heard);
                let about = About {
                    record: Some(&notice.record),
                    history: is_history(&row.kind),
                    expires_at: row.expires_at,
                };
                let ended = self.talk(step, about, &mut tried.exchanges).await;
                match ended {
                    Talked::End(delivered) => Ended::Delivered(delivered),
                    Talked::Nothing(reason) => Ended::Nothing(reason),
                    Talked::Failed(failed) => Ended::Failed(failed),
                    Talked::TooLate => Ended::TooLate,
                }
            }
        };
        tried
    }

    /// Why there is nothing to say, whatever the CRM.
    async fn superfluous(&self, notice: &Notice) -> Result<Option<&'static str>, Failed> {
        if let Some(reason) = forbidden(notice) {
            return Ok(Some(reason));
        }
        let is_late = notice.kind == NoticeKind::Recording;
        let told = is_late && self.keeper.has_told_recording(&notice.record).await?;
        Ok(told.then_some("the history told of the recording already"))
    }

    /// Many history records in one request. `None` when the connector will not: then they go one by one.
    pub async fn deliver_many(&self, rows: &[Delivery]) -> Option<Vec<Tried>> {
        let notices: Vec<Notice> = rows
            .iter()
            .map(|row| self.read(&row.payload))
            .collect::<Result<_, _>>()
            .ok()?;
        if notices.iter().any(|notice| forbidden(notice).is_some()) {
            return None;
        }
        let all: Vec<&Notice> = notices.iter().collect();
        let request = caught(|| self.connector.deliver_many(&all))
            .ok()
            .flatten()?;
        let first = notices.first()?;
        let mut exchanges = Exchanges::default();
        let known = Known::default();
        // History without an end of its own here: each row's was looked at when it was taken.
        let reply = self.exchange(&request, true, None, &mut exchanges).await?;
        let tried = |notice: &Notice| {
            let ended = match &reply {
                Err(failed) => Ended::Failed(failed.clone()),
                Ok(reply) => {
                    let heard = std::slice::from_ref(reply);
                    match caught(|| self.connector.deliver(notice, &known, heard)) {
                        Ok(Step::End(delivered)) => Ended::Delivered(delivered),
                        Ok(Step::Failed(failed)) => Ended::Failed(failed),
                        Ok(Step::Nothing(reason)) => Ended::Nothing(reason),
                        Ok(Step::Send(_) | Step::Keep(_)) | Err(()) => Ended::Failed(broken()),
                    }
                }
            };
            let mut exchanges = exchanges.clone();
            let beside = !std::ptr::eq(notice, first);
            if beside {
                exchanges.request =
                    format!("(sent in one request with {})", first.record.unique_id);
            }
            Tried {
                ended,
                exchanges,
                phone: notice.record.phone.clone().unwrap_or_default(),
                extensions: notice.extensions.join(","),
                beside,
            }
        };
        let outcomes: Vec<Tried> = notices.iter().map(tried).collect();
        // One bad record spoils the request for all: then each is told apart by going alone.
        let refused = outcomes
            .iter()
            .any(|one| matches!(one.ended, Ended::Failed(Failed::Refused { .. })));
        (!refused).then_some(outcomes)
    }

    /// Asks the CRM something.
    pub async fn ask(&self, question: &Question) -> (Result<Answer, Failed>, Exchanges) {
        let mut exchanges = Exchanges::default();
        let step = |known: &Known, heard: &[Reply]| self.connector.ask(question, known, heard);
        let outcome = match self.talk(step, About::default(), &mut exchanges).await {
            Talked::End(answer) => Ok(answer),
            Talked::Failed(failed) => Err(failed),
            Talked::Nothing(words) => Err(Failed::Refused { words }),
            Talked::TooLate => Err(Failed::Later {
                words: "too late".into(),
                after: None,
            }),
        };
        (outcome, exchanges)
    }

    /// A conversation to its end.
    async fn talk<T>(
        &self,
        step: impl Fn(&Known, &[Reply]) -> Step<T>,
        about: About<'_>,
        exchanges: &mut Exchanges,
    ) -> Talked<T> {
        let mut known = match self
            .keeper
            .known(about.record, self.connector.needs_tokens())
            .await
        {
            Ok(known) => known,
            Err(failed) => return Talked::Failed(failed),
        };
        known.talk = rand::random();
        if let Err(failed) = self.renew_ahead(&mut known, exchanges).await {
            return Talked::Failed(failed);
        }
        let mut heard = Vec::new();
        let mut renewed = false;
        for _ in 0..LONGEST_TALK {
            let request = match caught(|| step(&known, &heard)) {
                Ok(Step::Send(request)) => request,
                Ok(Step::Keep(memory)) => {
                    let Some(record) = about.record else {
                        return Talked::Failed(broken());
                    };
                    if let Err(failed) = self.keeper.keep(record, &memory).await {
                        return Talked::Failed(failed);
                    }
                    known.memory = memory;
                    heard.clear();
                    renewed = false;
                    continue;
                }
                Ok(Step::End(value)) => return Talked::End(value),
                Ok(Step::Nothing(reason)) => return Talked::Nothing(reason),
                Ok(Step::Failed(Failed::Expired { words })) if renewed => {
                    return Talked::Failed(Failed::Settings { words });
                }
                Ok(Step::Failed(Failed::Expired { .. })) => {
                    renewed = true;
                    heard.pop();
                    match self.renew(&mut known, exchanges).await {
                        Ok(()) => continue,
                        Err(failed) => return Talked::Failed(failed),
                    }
                }
                Ok(Step::Failed(failed)) => return Talked::Failed(failed),
                Err(()) => return Talked::Failed(broken()),
            };
            match self
                .exchange(&request, about.history, about.expires_at, exchanges)
                .await
            {
                Some(Ok(reply)) => heard.push(reply),
                Some(Err(failed)) => return Talked::Failed(failed),
                None => return Talked::TooLate,
            }
        }
        Talked::Failed(broken())
    }
}

/// What a conversation is about.
#[derive(Clone, Copy, Default)]
struct About<'a> {
    record: Option<&'a Record>,
    history: bool,
    expires_at: Option<DateTime<Utc>>,
}

enum Talked<T> {
    End(T),
    Nothing(String),
    Failed(Failed),
    TooLate,
}

/// A connector that panics hurts the one delivery it panicked over.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| ())
}

pub(super) fn broken() -> Failed {
    Failed::Refused {
        words: "the connector broke on this delivery; please report it".into(),
    }
}
