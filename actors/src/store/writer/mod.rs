//! The group-commit lane: a thread takes whatever waits, commits it as one transaction, answers all (on PostgreSQL two
//! threads, so that one batch is made while the other goes to the disk). A job that comes after a pause is
//! committed at once; while jobs come thick, batches are at least a pace apart, because a commit costs far more than a row. Used through `Store::{commit, settle, write}`.
//!
//! ```text
//!   callers ──► queue (bounded; full is refused) ──► thread: begin · rows of all jobs · commit · answer all
//!                                                      │ one job spoils it: each job in a transaction of its own
//!                                                      │ database away: every job is answered so, connection made anew
//!                                                      └ panic: caught, the batch answered with an error, goes on
//! ```

pub mod job;
mod lane;
mod postgres;
mod rows;
pub(crate) use rows::KEY_PREFIX;
mod sqlite;
pub mod state;

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::conn::{Conn, Place};
use super::{Options, StoreError, WriteError};
use job::{Commit, Committed, Settlement};
use rows::{Prepared, strip};
use state::{Counters, Observed};

pub(crate) type Answer<T> = oneshot::Sender<Result<T, WriteError>>;
type Work = Box<
    dyn FnOnce(Result<&mut Conn, StoreError>) -> Box<dyn FnOnce(Result<(), StoreError>) + Send>
        + Send,
>;

/// One thing that waits.
pub(crate) enum Job {
    Commit(Box<Prepared>, Answer<Committed>),
    Settle(Box<Settlement>, Answer<()>),
    /// Runs in a savepoint, then gets told whether the transaction held.
    Work(Work),
}

/// What waits, shared by callers and the thread.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    some: Condvar,
    capacity: usize,
    gather: Gather,
    pub(crate) counters: Counters,
}

/// How long jobs gather, so that a busy moment costs few commits. A job that comes after a pause waits for nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gather {
    /// From one batch to the next at least.
    pace: Duration,
    /// How long settlements of deliveries wait for company: nobody waits for them.
    settlements: Duration,
    /// So many jobs are written at once.
    enough: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<(Instant, Job)>,
    /// How many of them somebody waits for: all but settlements.
    hurried: usize,
    closed: bool,
    /// When a batch was last taken.
    taken: Option<Instant>,
    /// Threads that wait for any job, for a hurried one, and for enough of them. Only they are woken: a wake-up costs more
    /// than a row.
    idle: usize,
    dozing: usize,
    gathering: usize,
}

impl Waiting {
    /// Until when more jobs may gather before these are written; `None` when nothing waits.
    fn due(&self, gather: &Gather) -> Option<Instant> {
        let (oldest, _) = self.jobs.front()?;
        if self.closed || self.jobs.len() >= gather.enough {
            return Some(*oldest);
        }
        Some(if self.hurried > 0 {
            self.taken.map_or(*oldest, |taken| taken + gather.pace)
        } else {
            *oldest + gather.settlements
        })
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> bool {
        let mut waiting = self.lock();
        if waiting.closed || waiting.jobs.len() >= self.capacity {
            drop(waiting);
            self.counters.refused_full.fetch_add(1, Relaxed);
            return false;
        }
        let hurried = !matches!(job, Job::Settle(..));
        waiting.hurried += usize::from(hurried);
        waiting.jobs.push_back((Instant::now(), job));
        let wake = waiting.idle > 0
            || waiting.dozing > 0 && hurried
            || waiting.gathering > 0 && waiting.jobs.len() == self.gather.enough;
        drop(waiting);
        if wake {
            self.some.notify_one();
        }
        true
    }

    /// Waits for jobs, lets more gather, and takes at most `limit`; `None` when the store is closed and nothing is left.
    pub(crate) fn take(&self, limit: usize) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        loop {
            let Some(due) = waiting.due(&self.gather) else {
                if waiting.closed {
                    return None;
                }
                waiting.idle += 1;
                waiting = self
                    .some
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
                waiting.idle -= 1;
                continue;
            };
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let doze = waiting.hurried == 0;
            waiting.dozing += usize::from(doze);
            waiting.gathering += 1;
            waiting = self
                .some
                .wait_timeout(waiting, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            waiting.dozing -= usize::from(doze);
            waiting.gathering -= 1;
        }
        waiting.taken = Some(Instant::now());
        let count = waiting.jobs.len().min(limit);
        let jobs: Vec<Job> = waiting.jobs.drain(..count).map(|(_, job)| job).collect();
        let hurried = jobs.iter().filter(|job| !matches!(job, Job::Settle(..)));
        waiting.hurried -= hurried.count();
        // Another thread may have slept through what is left.
        let more = !waiting.jobs.is_empty() && waiting.idle > 0;
        drop(waiting);
        if more {
            self.some.notify_one();
        }
        Some(jobs)
    }
}

/// The writer's handle. Dropping it lets the thread finish what waits and end.
pub(crate) struct Writer {
    queue: Arc<Queue>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(place: Place, options: &Options) -> Result<Writer, StoreError> {
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            some: Condvar::new(),
            capacity: options.queue,
            gather: Gather {
                pace: options.pace,
                settlements: options.settlements,
                enough: options.batch.div_ceil(2),
            },
            counters: Counters::default(),
        });
        let count = if place.is_sqlite() {
            1
        } else {
            options.postgres_writers.max(1)
        };
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let lane = lane::Lane::new(place.clone(), Arc::clone(&queue), options);
            let thread = std::thread::Builder::new()
                .name(format!("store-write-{number}"))
                .spawn(move || lane.run());
            threads.push(thread.map_err(|e| StoreError::Away(e.to_string()))?);
        }
        Ok(Writer { queue, threads })
    }

    pub(crate) async fn commit(&self, commit: Commit) -> Result<Committed, WriteError> {
        // Made here, in the caller's task: the writer's thread only binds it.
        let prepared = Box::new(Prepared::from(commit));
        self.ask(|answer| Job::Commit(prepared, answer)).await
    }

    pub(crate) async fn settle(&self, mut settlement: Settlement) -> Result<(), WriteError> {
        strip(&mut settlement.words);
        if let Some(log) = &mut settlement.log {
            // What a CRM answers is as untrusted as what a host sends.
            for text in [
                &mut log.request,
                &mut log.response,
                &mut log.error,
                &mut log.phone,
                &mut log.unique_id,
            ] {
                strip(text);
            }
        }
        self.ask(|answer| Job::Settle(Box::new(settlement), answer))
            .await
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Work = Box::new(move |conn| {
            let outcome = conn.and_then(|conn| conn.transaction(work));
            // Answered only after the commit: a promise about durability before it would be a lie.
            Box::new(move |committed| {
                let _ = answer.send(outcome.and_then(|value| committed.map(|()| value)));
            })
        });
        if !self.queue.push(Job::Work(job)) {
            return Err(StoreError::Full);
        }
        answered.await.unwrap_or(Err(StoreError::Panicked))
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, WriteError> {
        let (answer, answered) = oneshot::channel();
        if !self.queue.push(job(answer)) {
            return Err(WriteError::Full);
        }
        answered
            .await
            .unwrap_or_else(|_| Err(WriteError::Away("the writer dropped the job".into())))
    }

    pub(crate) fn observed(&self) -> Observed {
        let waiting = self.queue.lock();
        let (length, oldest) = (
            waiting.jobs.len(),
            waiting.jobs.front().map(|(since, _)| since.elapsed()),
        );
        drop(waiting);
        self.queue.counters.observed(
            length,
            oldest.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.some.notify_all();
        for thread in self.threads.drain(..) {
            // The last handle may be dropped by a closure on the lane itself.
            if thread.thread().id() != std::thread::current().id() {
                // What waits is written before the last handle is gone.
                let _ = thread.join();
            }
        }
    }
}
