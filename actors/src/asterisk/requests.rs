//! Click-to-call from the click to the end of the talk: one request per click, given to the host, joined to the call that
//! follows, given up when nobody picks up. Asterisk says nothing about a command, so what became of it is what the
//! call's events show. `click` is called by handlers, `heard` by whoever is told of every change of a call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;

use super::command::Command;
use super::error::HostError;
use super::host::Hosts;
use super::words::{Extension, Number, RequestId};
use crate::cache::snapshot::{Enterprise, HostKind};
use crate::call::number;
use crate::call::record::{CallId, Direction, Phase, Record};
use crate::store::logs::{self, NewLog};
use crate::store::requests::{self, NewRequest, RequestState};
use crate::store::{Store, StoreError};

/// How clicks are taken.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The same click within this time is the same request.
    pub repeated_within: Duration,
    /// A manager who has not picked up after this time did not.
    pub agent_answers_within: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            repeated_within: Duration::from_secs(3),
            agent_answers_within: Duration::from_secs(60),
        }
    }
}

/// A click that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub id: String,
    /// It was taken before, and the host was not told again.
    pub repeated: bool,
}

/// Why a click came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClickError {
    #[error("{0}")]
    Host(#[from] HostError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the request was broken off")]
    BrokenOff,
}

/// See the module's head. Cheap to clone.
#[derive(Clone)]
pub struct Requests {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    hosts: Hosts,
    times: Times,
    book: Mutex<Book>,
    /// Changes to be written, in the order in which they were heard.
    tell: mpsc::UnboundedSender<Change>,
}

#[derive(Default)]
struct Book {
    /// Enterprise, extension and number of the last seconds' clicks.
    recent: HashMap<(i64, String, String), (Instant, String)>,
    /// Plain hosts say no request's id: their calls are known by extension and number.
    unnamed: Vec<Unnamed>,
    /// Calls that were joined to a request and how far it was; until they end.
    joined: HashMap<CallId, (String, RequestState)>,
}

/// A request to a plain host.
struct Unnamed {
    enterprise: i64,
    id: String,
    extension: String,
    /// E.164 where it is such a number.
    number: String,
    since: Instant,
}

struct Change {
    enterprise: i64,
    id: String,
    state: RequestState,
    call: CallId,
    words: String,
}

impl Requests {
    /// Starts to write what is heard and to give up what is not. Runs inside an actix system; ends with its last clone.
    pub fn start(store: Store, hosts: Hosts, times: Times) -> Requests {
        let (tell, mut told) = mpsc::unbounded_channel::<Change>();
        let requests = Requests {
            inner: Arc::new(Inner {
                store: store.clone(),
                hosts,
                times,
                book: Mutex::default(),
                tell,
            }),
        };
        actix_rt::spawn(async move {
            let mut look = tokio::time::interval(Duration::from_secs(2));
            look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let done = tokio::select! {
                    change = told.recv() => match change {
                        Some(change) => write(&store, change).await,
                        None => return,
                    },
                    _ = look.tick() => give_up(&store, times.agent_answers_within).await,
                };
                if let Err(error) = done {
                    log::warn!("what became of a click-to-call is not written: {error}");
                }
            }
        });
        requests
    }

    /// Has the host ring the extension and then call the number. `memory` is what the CRM's connector is to know of the
    /// call that follows, `Null` for nothing.
    ///
    /// # Errors
    /// The host did not take it, or the database is away. Both are logged.
    pub async fn click(
        &self,
        enterprise: Arc<Enterprise>,
        extension: Extension,
        number: Number,
        source: &'static str,
        memory: Value,
    ) -> Result<Accepted, ClickError> {
        let requests = self.clone();
        // A caller who hangs up must not leave half a request behind.
        actix_rt::spawn(async move {
            requests
                .accept(&enterprise, extension, number, source, memory)
                .await
        })
        .await
        .unwrap_or(Err(ClickError::BrokenOff))
    }

    async fn accept(
        &self,
        enterprise: &Enterprise,
        extension: Extension,
        number: Number,
        source: &'static str,
        memory: Value,
    ) -> Result<Accepted, ClickError> {
        let id = RequestId::new();
        let key = (enterprise.id, extension.to_string(), number.to_string());
        if let Some(same) = self.seen(&key, &id) {
            return Ok(Accepted {
                id: same,
                repeated: true,
            });
        }
        let new = NewRequest {
            id: id.to_string(),
            enterprise: enterprise.id,
            extension: extension.to_string(),
            number: number.to_string(),
            source: source.to_owned(),
            memory,
            at: Utc::now(),
        };
        let within = delta(self.inner.times.repeated_within);
        let log = new_log(enterprise, &new);
        // Another process may have had the first click.
        let added = self
            .inner
            .store
            .write(move |conn| requests::add(conn, &new, within))
            .await;
        match added {
            Ok(None) => {}
            Ok(Some(same)) => {
                return Ok(Accepted {
                    id: same,
                    repeated: true,
                });
            }
            Err(error) => {
                self.book().recent.remove(&key);
                return Err(error.into());
            }
        }
        if enterprise.host.kind == HostKind::Plain {
            self.expect(enterprise, &id, &extension, &number);
        }
        let began = Instant::now();
        let command = Command::Originate {
            extension,
            number,
            request: id.clone(),
        };
        let said = self.inner.hosts.run(enterprise, &command).await;
        if said.is_err() {
            let mut book = self.book();
            book.recent.remove(&key);
            book.unnamed.retain(|one| one.id != id.as_str());
        }
        self.note(log, began.elapsed(), &id, &said);
        said?;
        Ok(Accepted {
            id: id.to_string(),
            repeated: false,
        })
    }

    /// The request of the same click a moment ago; else remembers this one.
    fn seen(&self, key: &(i64, String, String), id: &RequestId) -> Option<String> {
        let within = self.inner.times.repeated_within;
        let mut book = self.book();
        book.recent.retain(|_, (at, _)| at.elapsed() < within);
        if let Some((_, same)) = book.recent.get(key) {
            return Some(same.clone());
        }
        book.recent
            .insert(key.clone(), (Instant::now(), id.to_string()));
        None
    }

    fn expect(
        &self,
        enterprise: &Enterprise,
        id: &RequestId,
        extension: &Extension,
        number: &Number,
    ) {
        let number = number::to_e164(number.as_str(), &enterprise.country)
            .unwrap_or_else(|| number.to_string());
        self.book().unnamed.push(Unnamed {
            enterprise: enterprise.id,
            id: id.to_string(),
            extension: extension.to_string(),
            number,
            since: Instant::now(),
        });
    }

    /// Writes how the host took it: the log's row, and the request's own when it failed. Nobody waits for it.
    fn note(
        &self,
        mut log: NewLog,
        took: Duration,
        id: &RequestId,
        said: &Result<String, HostError>,
    ) {
        log.milliseconds = i32::try_from(took.as_millis()).unwrap_or(i32::MAX);
        log.at = Utc::now();
        match said {
            Ok(words) => {
                log.status = "success".into();
                log.response = words.clone();
            }
            Err(error) => {
                log.status = "error".into();
                log.error = error.to_string();
                log.response = error.word().into();
            }
        }
        let failed = said.as_ref().err().map(ToString::to_string);
        let (store, id) = (self.inner.store.clone(), id.to_string());
        actix_rt::spawn(async move {
            let written = store.write(move |conn| {
                if let Some(words) = failed {
                    let (whose, now) = (log.enterprise, log.at);
                    requests::advance(conn, whose, &id, RequestState::Failed, None, &words, now)?;
                }
                logs::add(conn, &log)
            });
            if let Err(error) = written.await {
                log::warn!("a click-to-call is not logged: {error}");
            }
        });
    }

    /// A call changed. Cheap for the many calls that nobody clicked.
    pub fn heard(&self, record: &Record) {
        let mut book = self.book();
        let patience = self.inner.times.agent_answers_within;
        let known = book.joined.get(&record.call).cloned();
        let id = match &known {
            Some((id, _)) => id.clone(),
            None if !record.request_id.is_empty() => record.request_id.clone(),
            None if book.unnamed.is_empty() => return,
            None => {
                book.unnamed.retain(|one| one.since.elapsed() < patience);
                let Some(at) = book.unnamed.iter().position(|one| one.is(record)) else {
                    return;
                };
                book.unnamed.swap_remove(at).id
            }
        };
        let state = stand(record);
        if known.is_some_and(|(_, before)| before == state) {
            return;
        }
        if record.phase == Phase::Ended {
            book.joined.remove(&record.call);
        } else {
            book.joined.insert(record.call, (id.clone(), state));
        }
        let words = match (record.phase, record.outcome) {
            (Phase::Ended, Some(outcome)) => outcome.as_str(),
            _ => "",
        };
        let _the_writer_ends_with_the_server = self.inner.tell.send(Change {
            enterprise: record.enterprise,
            id,
            state,
            call: record.call,
            words: words.to_owned(),
        });
    }

    /// A call turned out to be a part of another.
    pub fn absorbed(&self, call: CallId, survivor: CallId) {
        let mut book = self.book();
        if let Some(joined) = book.joined.remove(&call) {
            book.joined.entry(survivor).or_insert(joined);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.inner
            .book
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unnamed {
    /// Whether this is the call: the manager's phone rings, or the manager calls the number.
    fn is(&self, record: &Record) -> bool {
        let phone = record.phone.as_deref().unwrap_or_default();
        self.enterprise == record.enterprise
            && match record.direction {
                Direction::Internal => phone == self.extension && record.made_by.is_none(),
                Direction::Out => {
                    phone == self.number
                        && record.made_by.as_deref() == Some(self.extension.as_str())
                }
                _ => false,
            }
    }
}

/// How far a request is whose call stands like this.
fn stand(record: &Record) -> RequestState {
    // A plain host's call is internal for as long as only the manager's phone is in it.
    let only_agent = record.direction == Direction::Internal;
    match record.phase {
        Phase::Ended if only_agent && record.talked.is_empty() => RequestState::AgentMissed,
        Phase::Ended => RequestState::Ended,
        Phase::Talking | Phase::Held if !only_agent => RequestState::Talking,
        _ => RequestState::Ringing,
    }
}

fn new_log(enterprise: &Enterprise, new: &NewRequest) -> NewLog {
    NewLog {
        enterprise: enterprise.id,
        enterprise_number: enterprise.number.clone(),
        integration: new.source.clone(),
        event_type: "make_call".into(),
        phone: new.number.clone(),
        extension: new.extension.clone(),
        request: json!({"extension": new.extension, "number": new.number, "request": new.id})
            .to_string(),
        ..NewLog::default()
    }
}

async fn write(store: &Store, change: Change) -> Result<(), StoreError> {
    store
        .write(move |conn| {
            requests::advance(
                conn,
                change.enterprise,
                &change.id,
                change.state,
                Some(change.call),
                &change.words,
                Utc::now(),
            )
            .map(drop)
        })
        .await
}

async fn give_up(store: &Store, patience: Duration) -> Result<(), StoreError> {
    let now = Utc::now();
    let before = now - delta(patience);
    // Looking costs no write; mostly there is nothing.
    let any = store
        .read(move |conn| requests::any_silent(conn, before))
        .await?;
    if any {
        store
            .write(move |conn| requests::give_up(conn, before, now))
            .await?;
    }
    Ok(())
}

fn delta(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::days(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::record::Outcome;
    use crate::integration::sample;

    fn record(direction: Direction, phase: Phase) -> Record {
        Record {
            direction,
            phase,
            talked: Vec::new(),
            ..sample::ringing(7)
        }
    }

    #[test]
    fn how_far_a_request_is_follows_from_its_call() {
        use Direction::{Internal, Out};
        for (direction, phase, talked, state) in [
            // A plain host: the manager's phone first.
            (Internal, Phase::Ringing, false, RequestState::Ringing),
            (Internal, Phase::Talking, true, RequestState::Ringing),
            (Internal, Phase::Ended, false, RequestState::AgentMissed),
            (Internal, Phase::Ended, true, RequestState::Ended),
            (Out, Phase::Ringing, false, RequestState::Ringing),
            (Out, Phase::Talking, true, RequestState::Talking),
            (Out, Phase::Held, true, RequestState::Talking),
            (Out, Phase::Ended, false, RequestState::Ended),
        ] {
            let mut record = record(direction, phase);
            if talked {
                record.talked.push("150".into());
            }
            assert_eq!(stand(&record), state, "{direction:?} {phase:?} {talked}");
        }
    }

    #[test]
    fn a_plain_hosts_call_is_known_by_extension_and_number() {
        let request = Unnamed {
            enterprise: 1,
            id: "r1".into(),
            extension: "150".into(),
            number: "+375296254070".into(),
            since: Instant::now(),
        };
        let call = |enterprise, direction, phone: &str, made_by: Option<&str>| Record {
            enterprise,
            phone: Some(phone.into()),
            made_by: made_by.map(str::to_owned),
            outcome: Some(Outcome::Missed),
            ..record(direction, Phase::Ringing)
        };
        use Direction::{In, Internal, Out};
        for (call, is) in [
            (call(1, Internal, "150", None), true),
            (call(1, Out, "+375296254070", Some("150")), true),
            (call(1, Internal, "150", Some("151")), false),
            (call(1, Internal, "151", None), false),
            (call(1, Out, "+375296254070", Some("151")), false),
            (call(1, Out, "+375296254071", Some("150")), false),
            (call(1, In, "+375296254070", None), false),
            (call(2, Internal, "150", None), false),
        ] {
            assert_eq!(request.is(&call), is, "{call:?}");
        }
    }
}
