//! Click-to-call from the click to the end of the talk: one request per click, given to the host, joined to the call that
//! follows, given up when nobody picks up. Asterisk says nothing about a command, so what became of it is what the
//! call's events show: `book.rs` tells which call that is. `click` is called by handlers, `heard` by whoever is told of
//! every change of a call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;

use super::book::{Book, Change};
use super::command::Command;
use super::error::HostError;
use super::host::Hosts;
use super::words::{Extension, Number, RequestId};
use crate::cache::snapshot::{Enterprise, HostKind};
use crate::call::record::{CallId, Record};
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
        let within = self.inner.times.repeated_within;
        if let Some(same) = self.book().seen(&key, id.as_str(), within) {
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
        let within = delta(within);
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
                self.book().forget(&key);
                return Err(error.into());
            }
        }
        if enterprise.host.kind == HostKind::Plain {
            self.book()
                .expect(enterprise, id.as_str(), extension.as_str(), number.as_str());
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
            book.forget(&key);
            book.expect_no_more(id.as_str());
        }
        self.note(log, began.elapsed(), &id, &said);
        said?;
        Ok(Accepted {
            id: id.to_string(),
            repeated: false,
        })
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
        let change = self
            .book()
            .heard(record, self.inner.times.agent_answers_within);
        if let Some(change) = change {
            let _the_writer_ends_with_the_server = self.inner.tell.send(change);
        }
    }

    /// A call turned out to be a part of another.
    pub fn absorbed(&self, call: CallId, survivor: CallId) {
        self.book().absorbed(call, survivor);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.inner
            .book
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
