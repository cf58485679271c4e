//! The writer's thread: takes batches, decides what a failure means, answers. The rows themselves are `sqlite/`'s
//! and `postgres/`'s.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::postgres::Pipe;
use super::rows::{Done, Hot};
use super::sqlite::Numbers;
use super::{Answer, Job, Queue, Work, sqlite};
use crate::store::conn::{Conn, Place};
use crate::store::writer::job::Committed;
use crate::store::{Options, StoreError};

/// Who takes leases, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub owner: String,
    pub length: Duration,
}

/// One thread's belongings. PostgreSQL has two of them, so that one batch is on its way to the disk while the next is
/// made; SQLite has one writer and so one thread.
pub(crate) struct Lane {
    place: Place,
    queue: Arc<Queue>,
    batch: usize,
    lease: Lease,
    /// For closures, and for everything on SQLite.
    conn: Option<Conn>,
    /// The last numbers given to rows on SQLite.
    numbers: Option<Numbers>,
    /// For the hot jobs on PostgreSQL.
    pipe: Option<Pipe>,
    /// When the pipe was last seen to work.
    rested: Instant,
}

/// A PostgreSQL connection that did nothing for this long is asked whether it lives.
const REST: Duration = Duration::from_millis(250);

/// Who waits for a hot job.
enum Waiter {
    Committed(Answer<Committed>),
    Plain(Answer<()>),
}

impl Lane {
    pub(crate) fn new(place: Place, queue: Arc<Queue>, options: &Options) -> Lane {
        let lease = Lease {
            owner: options.owner.clone(),
            length: options.lease,
        };
        Lane {
            place,
            queue,
            batch: options.batch.max(1),
            lease,
            conn: None,
            numbers: None,
            pipe: None,
            rested: Instant::now(),
        }
    }

    /// Runs until the store is closed and nothing waits.
    pub(crate) fn run(mut self) {
        while let Some(jobs) = self.queue.take(self.batch) {
            // A panic in here is a fault of ours: the jobs' answers are dropped with it, which their askers read as an
            // error, the connections are thrown away, and the lane goes on.
            if catch_unwind(AssertUnwindSafe(|| self.serve(jobs))).is_err() {
                self.queue.counters.panics.fetch_add(1, Relaxed);
                log::error!("a batch of writes panicked; its jobs were answered with an error");
                self.conn = None;
                self.pipe = None;
            }
        }
    }

    fn serve(&mut self, jobs: Vec<Job>) {
        let started = Instant::now();
        let count = jobs.len();
        let mut hot = Vec::with_capacity(count);
        let mut waiters = Vec::with_capacity(count);
        let mut works = Vec::new();
        for job in jobs {
            match job {
                Job::Commit(commit, answer) => {
                    hot.push(Hot::Commit(commit));
                    waiters.push(Waiter::Committed(answer));
                }
                Job::Settle(settlement, answer) => {
                    hot.push(Hot::Settle(settlement));
                    waiters.push(Waiter::Plain(answer));
                }
                Job::Work(work) => works.push(work),
            }
        }
        if !hot.is_empty() {
            let outcomes = self.together_or_singly(&hot);
            let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.queue.counters.last_commit_us.store(micros, Relaxed);
            metrics::histogram!("patchbay_store_commit_seconds")
                .record(started.elapsed().as_secs_f64());
            for (outcome, waiter) in outcomes.into_iter().zip(waiters) {
                self.answer(outcome, waiter);
            }
        }
        if !works.is_empty() {
            self.works(works);
        }
        self.queue.counters.batches.fetch_add(1, Relaxed);
        self.queue.counters.last_batch.store(count as u64, Relaxed);
    }

    fn answer(&self, outcome: Result<Done, StoreError>, waiter: Waiter) {
        let counters = &self.queue.counters;
        match &outcome {
            Ok(Done::Committed(Committed::Stored { .. })) => counters.events.fetch_add(1, Relaxed),
            Ok(Done::Committed(Committed::Duplicate)) => counters.duplicates.fetch_add(1, Relaxed),
            Ok(Done::Plain) => counters.others.fetch_add(1, Relaxed),
            Err(_) => counters.errors.fetch_add(1, Relaxed),
        };
        // An asker that went away is no error: what it asked for is durable all the same.
        match (waiter, outcome) {
            (Waiter::Committed(answer), Ok(Done::Committed(committed))) => {
                drop(answer.send(Ok(committed)))
            }
            (Waiter::Committed(answer), Err(error)) => drop(answer.send(Err(error.into()))),
            (Waiter::Plain(answer), outcome) => {
                drop(answer.send(outcome.map(|_| ()).map_err(Into::into)))
            }
            (Waiter::Committed(_), Ok(Done::Plain)) => {}
        }
    }

    /// All jobs in one transaction; when that fails for a reason that one of them may have caused, each in its own,
    /// so that a bad one refuses no other. When the database is away no job is tried twice.
    fn together_or_singly(&mut self, jobs: &[Hot]) -> Vec<Result<Done, StoreError>> {
        match self.apply(jobs) {
            Ok(done) => return done.into_iter().map(Ok).collect(),
            Err(error @ StoreError::Away(_)) => {
                return jobs.iter().map(|_| Err(error.clone())).collect();
            }
            Err(error) if jobs.len() == 1 => return vec![Err(error)],
            Err(error) => log::warn!(
                "a batch of {} was refused ({error}); each job is tried alone",
                jobs.len()
            ),
        }
        let mut outcomes: Vec<Result<Done, StoreError>> = Vec::with_capacity(jobs.len());
        for job in jobs {
            if let Some(Err(away @ StoreError::Away(_))) = outcomes.last() {
                let away = away.clone();
                outcomes.push(Err(away));
                continue;
            }
            let one = self.apply(std::slice::from_ref(job));
            outcomes.push(one.and_then(|done| done.into_iter().next().ok_or(StoreError::Panicked)));
        }
        outcomes
    }

    /// Writes hot jobs in one transaction.
    fn apply(&mut self, jobs: &[Hot]) -> Result<Vec<Done>, StoreError> {
        let lease = self.lease.clone();
        let outcome = match &self.place {
            Place::Sqlite(_) => {
                // Taken out, so that a failure leaves none and the next batch reads them anew.
                let known = self.numbers.take();
                let written = self.in_transaction(|conn| match conn {
                    Conn::Sqlite(c) => {
                        let mut numbers = known.map_or_else(|| Numbers::read(c), Ok)?;
                        let done = sqlite::apply(c, &mut numbers, jobs, &lease, Utc::now())?;
                        Ok((done, numbers))
                    }
                    Conn::Postgres(_) => Err(StoreError::Panicked),
                });
                written.map(|(done, numbers)| {
                    self.numbers = Some(numbers);
                    done
                })
            }
            Place::Postgres(url) => {
                let pipe = match self.pipe.take() {
                    // A connection that rested is asked first: what broke while nobody wrote need refuse no event.
                    Some(pipe) if self.rested.elapsed() < REST || pipe.answers() => Ok(pipe),
                    _ => Pipe::connect(url),
                };
                pipe.and_then(|pipe| {
                    let outcome = pipe.apply(jobs, &lease, Utc::now());
                    match outcome {
                        // Nothing of it reached the server, so a second try cannot be a second time.
                        Err(StoreError::Away(_)) if pipe.is_untouched() => {
                            let pipe = Pipe::connect(url)?;
                            let outcome = pipe.apply(jobs, &lease, Utc::now());
                            Ok((pipe, outcome))
                        }
                        outcome => Ok((pipe, outcome)),
                    }
                })
                .and_then(|(pipe, outcome)| {
                    // After "away" the state of the connection is not known.
                    if !matches!(outcome, Err(StoreError::Away(_))) {
                        self.pipe = Some(pipe);
                        self.rested = Instant::now();
                    }
                    outcome
                })
            }
        };
        self.note(&outcome);
        outcome
    }

    /// Closures share one transaction, each in a savepoint, and are answered after it.
    fn works(&mut self, works: Vec<Work>) {
        let queue = Arc::clone(&self.queue);
        let mut answers = Vec::with_capacity(works.len());
        let mut waiting = works.into_iter();
        let outcome = self.in_transaction(|conn| {
            for work in waiting.by_ref() {
                // A closure that panics loses its own savepoint; its answer is dropped, which the asker reads as
                // `Panicked`; the others' work stays.
                match catch_unwind(AssertUnwindSafe(|| work(Ok(conn)))) {
                    Ok(answer) => answers.push(answer),
                    Err(_) => {
                        queue.counters.panics.fetch_add(1, Relaxed);
                        log::error!("a storage write panicked; it was rolled back");
                        conn.rollback_to(1)?;
                    }
                }
            }
            Ok(())
        });
        self.note(&outcome);
        self.queue
            .counters
            .others
            .fetch_add(answers.len() as u64, Relaxed);
        for answer in answers {
            answer(outcome.clone());
        }
        for work in waiting {
            let error = outcome.clone().err().unwrap_or(StoreError::Panicked);
            work(Err(error))(Ok(()));
        }
    }

    fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let outcome = self.connection().and_then(|conn| conn.transaction(work));
        // After a lost connection, a full disk or an unknown state a new connection is the only sure one.
        if matches!(outcome, Err(StoreError::Away(_)))
            || self.conn.as_mut().is_some_and(Conn::is_broken)
        {
            self.conn = None;
        }
        outcome
    }

    fn connection(&mut self) -> Result<&mut Conn, StoreError> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.place.connect()?,
        };
        Ok(self.conn.insert(conn))
    }

    /// Keeps what the last transaction came to, for `/health`.
    fn note<T>(&self, outcome: &Result<T, StoreError>) {
        match outcome {
            Ok(_) => self.queue.counters.set_trouble(""),
            Err(error) => self.queue.counters.set_trouble(&error.to_string()),
        }
    }
}
