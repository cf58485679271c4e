//! The writer's thread: takes batches, decides what a failure means, answers. The rows themselves are `apply.rs`'s.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::job::{Commit, Committed, Settlement};
use super::{Answer, Job, Queue, Work, apply};
use crate::store::conn::{Conn, Place};
use crate::store::{Options, StoreError};

/// Who takes leases, and until when from now.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub owner: String,
    pub length: Duration,
}

pub(crate) struct Lane {
    place: Place,
    queue: Arc<Queue>,
    batch: usize,
    lease: Lease,
    conn: Option<Conn>,
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
        }
    }

    /// Runs until the store is closed and nothing waits.
    pub(crate) fn run(mut self) {
        while let Some(jobs) = self.queue.take(self.batch) {
            // A panic in here is a fault of ours: the jobs' answers are dropped with it, which their askers read as an
            // error, the connection is thrown away, and the lane goes on.
            if catch_unwind(AssertUnwindSafe(|| self.serve(jobs))).is_err() {
                self.queue.counters.panics.fetch_add(1, Relaxed);
                log::error!("a batch of writes panicked; its jobs were answered with an error");
                self.conn = None;
            }
        }
    }

    fn serve(&mut self, jobs: Vec<Job>) {
        let started = Instant::now();
        let count = jobs.len();
        let mut commits = Vec::with_capacity(count);
        let mut commit_answers = Vec::with_capacity(count);
        let mut settlements = Vec::new();
        let mut settle_answers = Vec::new();
        let mut works = Vec::new();
        for job in jobs {
            match job {
                Job::Commit(commit, answer) => {
                    commits.push(commit);
                    commit_answers.push(answer);
                }
                Job::Settle(settlement, answer) => {
                    settlements.push(settlement);
                    settle_answers.push(answer);
                }
                Job::Work(work) => works.push(work),
            }
        }
        if !commits.is_empty() {
            self.commits(&commits, commit_answers);
        }
        if !settlements.is_empty() {
            self.settlements(&settlements, settle_answers);
        }
        if !works.is_empty() {
            self.works(works);
        }
        let counters = &self.queue.counters;
        counters.batches.fetch_add(1, Relaxed);
        counters.last_batch.store(count as u64, Relaxed);
        counters.last_commit_us.store(
            u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            Relaxed,
        );
    }

    fn commits(&mut self, commits: &[Box<Commit>], answers: Vec<Answer<Committed>>) {
        let lease = self.lease.clone();
        let outcomes = self.together_or_singly(commits, |conn, commits| {
            apply::commits(conn, commits, &lease, Utc::now())
        });
        let counters = &self.queue.counters;
        for (outcome, answer) in outcomes.into_iter().zip(answers) {
            match &outcome {
                Ok(Committed::Stored { .. }) => counters.events.fetch_add(1, Relaxed),
                Ok(Committed::Duplicate) => counters.duplicates.fetch_add(1, Relaxed),
                Err(_) => counters.errors.fetch_add(1, Relaxed),
            };
            // An asker that went away is no error: the event is durable all the same.
            let _ = answer.send(outcome.map_err(Into::into));
        }
    }

    fn settlements(&mut self, settlements: &[Box<Settlement>], answers: Vec<Answer<()>>) {
        let outcomes = self.together_or_singly(settlements, |conn, settlements| {
            apply::settlements(conn, settlements)?;
            Ok(vec![(); settlements.len()])
        });
        for (outcome, answer) in outcomes.into_iter().zip(answers) {
            self.queue.counters.others.fetch_add(1, Relaxed);
            if outcome.is_err() {
                self.queue.counters.errors.fetch_add(1, Relaxed);
            }
            let _ = answer.send(outcome.map_err(Into::into));
        }
    }

    /// All jobs in one transaction; when that fails for a reason that one of them may have caused, each in its own,
    /// so that a bad one refuses no other. When the database is away no job is tried twice.
    fn together_or_singly<J, T>(
        &mut self,
        jobs: &[J],
        work: impl Fn(&mut Conn, &[J]) -> Result<Vec<T>, StoreError>,
    ) -> Vec<Result<T, StoreError>> {
        match self.in_transaction(|conn| work(conn, jobs)) {
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
        let mut outcomes: Vec<Result<T, StoreError>> = Vec::with_capacity(jobs.len());
        for job in jobs {
            if let Some(Err(away @ StoreError::Away(_))) = outcomes.last() {
                let away = away.clone();
                outcomes.push(Err(away));
                continue;
            }
            let one = self.in_transaction(|conn| work(conn, std::slice::from_ref(job)));
            outcomes.push(one.and_then(|done| done.into_iter().next().ok_or(StoreError::Panicked)));
        }
        outcomes
    }

    /// Closures share one transaction, each in a savepoint, and are answered after it.
    fn works(&mut self, works: Vec<Work>) {
        let counters = Arc::clone(&self.queue);
        let mut answers = Vec::with_capacity(works.len());
        let mut waiting = works.into_iter();
        let outcome = self.in_transaction(|conn| {
            for work in waiting.by_ref() {
                // A closure that panics loses its own savepoint: its answer is dropped, which the asker reads as
                // `Panicked`, and the others' work is done again by nobody, so the transaction is kept.
                match catch_unwind(AssertUnwindSafe(|| work(Ok(conn)))) {
                    Ok(answer) => answers.push(answer),
                    Err(_) => {
                        counters.counters.panics.fetch_add(1, Relaxed);
                        log::error!("a storage write panicked; it was rolled back");
                        conn.rollback_to(1)?;
                    }
                }
            }
            Ok(())
        });
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
        match &outcome {
            Ok(_) => self.queue.counters.set_trouble(""),
            Err(error) => {
                self.queue.counters.set_trouble(&error.to_string());
                // After a lost connection, a full disk or an unknown state a new connection is the only sure one.
                if matches!(error, StoreError::Away(_))
                    || self.conn.as_mut().is_some_and(Conn::is_broken)
                {
                    self.conn = None;
                }
            }
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
}
