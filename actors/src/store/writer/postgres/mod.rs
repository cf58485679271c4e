//! The hot lane's rows on PostgreSQL: arrays through `unnest`, so that one prepared statement serves a batch of any
//! size, and the statements of a transaction sent one after the other without waiting for answers. Over diesel's
//! blocking wrapper each statement waits for its round trip, which cost two thirds of the rate; therefore this one file
//! talks to the server itself. Used only by the lane, on its own thread and runtime.

mod columns;
mod statements;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

use columns::sums;
use statements::{Statements, prepare};

use super::job::{Committed, Settlement};
use super::lane::Lease;
use super::rows::{CallColumns, Done, Hot, Prepared, as_written, merge_sql};
use crate::store::StoreError;
use crate::store::conn::POSTGRES_SETUP;
use crate::store::deliveries::NewDelivery;
use crate::store::time::Time;

/// A connection of the lane's own, with its statements prepared.
pub(super) struct Pipe {
    runtime: tokio::runtime::Runtime,
    client: Client,
    prepared: Statements,
    /// A statement of the transaction in hand failed: it must not be committed, whatever the server thinks. It would
    /// think well of a transaction of which one statement could not even be sent.
    broken: Cell<bool>,
    /// The transaction in hand never began.
    untouched: Cell<bool>,
}

impl Pipe {
    /// Connects and prepares.
    pub(super) fn connect(url: &str) -> Result<Pipe, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| StoreError::Away(e.to_string()))?;
        let (client, prepared) = runtime.block_on(async {
            let (client, connection) =
                tokio_postgres::connect(url, NoTls).await.map_err(refusal)?;
            tokio::spawn(async move {
                // What ends it is told to every query that waits, so nothing is lost by not looking here.
                let _ = connection.await;
            });
            client
                .batch_execute(POSTGRES_SETUP)
                .await
                .map_err(refusal)?;
            let prepared = prepare(&client).await.map_err(refusal)?;
            Ok::<_, StoreError>((client, prepared))
        })?;
        Ok(Pipe {
            runtime,
            client,
            prepared,
            broken: Cell::new(false),
            untouched: Cell::new(false),
        })
    }

    /// Whether the connection still answers. After a rest it may be long gone without anybody having looked.
    pub(super) fn answers(&self) -> bool {
        !self.client.is_closed() && self.runtime.block_on(self.client.batch_execute("")).is_ok()
    }

    /// Whether the last batch failed before its transaction began, so that it may be tried again without a doubt.
    pub(super) fn is_untouched(&self) -> bool {
        self.untouched.get()
    }

    /// Writes every job of a batch in a transaction of its own; what became of each, in order.
    pub(super) fn apply(
        &self,
        jobs: &[Hot],
        lease: &Lease,
        now: DateTime<Utc>,
    ) -> Result<Vec<Done>, StoreError> {
        self.runtime.block_on(async {
            match Box::pin(self.write(jobs, lease, now, false)).await {
                // An event of the batch is in the journal already: the same again, leaving out what is there.
                Err(error) if is_duplicate(&error) => {
                    Box::pin(self.write(jobs, lease, now, true)).await
                }
                outcome => outcome,
            }
            .map_err(refusal)
        })
    }

    /// Without `careful`, everything is sent at once and an event that is there already breaks the transaction. With
    /// it, the answer about the events is waited for, and only what belongs to new ones is written.
    async fn write(
        &self,
        jobs: &[Hot],
        lease: &Lease,
        now: DateTime<Utc>,
        careful: bool,
    ) -> Result<Vec<Done>, tokio_postgres::Error> {
        let mut seen = HashSet::with_capacity(jobs.len());
        let commits: Vec<&Prepared> = jobs
            .iter()
            .filter_map(|job| match job {
                Hot::Commit(commit) if seen.insert(commit.event.key.as_slice()) => Some(&**commit),
                _ => None,
            })
            .collect();
        let settlements: Vec<&Settlement> = jobs
            .iter()
            .filter_map(|job| match job {
                Hot::Settle(settlement) => Some(&**settlement),
                _ => None,
            })
            .collect();
        let (events, rest) = if careful {
            let (begun, events) = tokio::join!(self.begin(), self.events(&commits, true));
            let written = match begun.and(events) {
                Ok(written) => written,
                Err(error) => {
                    self.end().await?;
                    return Err(error);
                }
            };
            let is_new = |commit: &&Prepared| written.contains_key(commit.event.key.as_slice());
            let new: Vec<&Prepared> = commits.iter().copied().filter(is_new).collect();
            let (rest, ended) = tokio::join!(self.rest(&new, &settlements, lease, now), self.end());
            let rest = rest?;
            ended?;
            (written, rest)
        } else {
            // Polled in this order, so sent in this order.
            let (begun, events, rest, ended) = tokio::join!(
                self.begin(),
                self.events(&commits, false),
                self.rest(&commits, &settlements, lease, now),
                self.end(),
            );
            // The first error is the one that tells: what follows it in a broken transaction only says so. A COMMIT of
            // a broken transaction is a ROLLBACK and no error.
            begun?;
            let events = events?;
            let rest = rest?;
            ended?;
            (events, rest)
        };
        Ok(answers(jobs, &events, &rest, lease, now))
    }

    async fn begin(&self) -> Result<(), tokio_postgres::Error> {
        self.broken.set(false);
        self.untouched.set(false);
        let begun = self.noticed(self.client.batch_execute("BEGIN")).await;
        self.untouched.set(begun.is_err());
        begun
    }

    /// Commits, unless a statement is known to have failed.
    async fn end(&self) -> Result<(), tokio_postgres::Error> {
        let sql = if self.broken.get() {
            "ROLLBACK"
        } else {
            "COMMIT"
        };
        self.client.batch_execute(sql).await
    }

    /// Remembers a failure.
    async fn noticed<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, tokio_postgres::Error> {
        let outcome = statement.await;
        if outcome.is_err() {
            self.broken.set(true);
        }
        outcome
    }

    async fn execute(
        &self,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<(), tokio_postgres::Error> {
        self.noticed(self.client.execute(statement, values))
            .await
            .map(drop)
    }

    async fn query(
        &self,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.noticed(self.client.query(statement, values)).await
    }

    /// Everything but the events. Gives the rows of deliveries that were written.
    async fn rest(
        &self,
        commits: &[&Prepared],
        settlements: &[&Settlement],
        lease: &Lease,
        now: DateTime<Utc>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        // A call twice in a batch: the later row is the newer one. In order of ids, so that two transactions lock in the
        // same order.
        let calls: BTreeMap<i64, &CallColumns> = commits
            .iter()
            .filter_map(|commit| commit.call.as_ref())
            .map(|columns| (columns.record.call.0, columns))
            .collect();
        let calls: Vec<&CallColumns> = calls.into_values().collect();
        let customers = sums(commits);
        let deliveries: Vec<&NewDelivery> = commits
            .iter()
            .flat_map(|commit| &commit.deliveries)
            .collect();
        let merges: String = commits
            .iter()
            .filter_map(|commit| commit.merge.as_ref())
            .map(|merge| merge_sql(merge, now))
            .collect();
        let (merged, called, summed, withdrawn, delivered, settled, logged) = tokio::join!(
            async {
                if merges.is_empty() {
                    Ok(())
                } else {
                    self.noticed(self.client.batch_execute(&merges)).await
                }
            },
            self.calls(&calls),
            self.customers(&customers),
            self.withdraw(commits, now),
            self.deliveries(&deliveries, lease, now),
            self.settle(settlements),
            self.logs(settlements),
        );
        merged?;
        called?;
        summed?;
        withdrawn?;
        let delivered = delivered?;
        settled?;
        logged?;
        Ok(delivered)
    }
}

/// Puts what the database gave beside the jobs that asked for it.
fn answers(
    jobs: &[Hot],
    events: &HashMap<Vec<u8>, i64>,
    rows: &[Row],
    lease: &Lease,
    now: DateTime<Utc>,
) -> Vec<Done> {
    let written: HashMap<(i64, &str, &str), (i64, Time)> = rows
        .iter()
        .map(|row| {
            (
                (row.get(2), row.get(3), row.get(4)),
                (row.get(0), row.get(1)),
            )
        })
        .collect();
    let mut taken = HashSet::with_capacity(events.len());
    jobs.iter()
        .map(|job| match job {
            Hot::Commit(commit) => Done::Committed(match events.get(&commit.event.key) {
                // The second of two same events in a batch is the duplicate.
                Some(id) if taken.insert(*id) => {
                    let deliveries = commit.deliveries.iter().filter_map(|new| {
                        let (id, created_at) =
                            written.get(&(new.call.0, &*new.integration, &*new.kind))?;
                        Some(as_written(new, *id, created_at.0, lease, now))
                    });
                    Committed::Stored {
                        event: *id,
                        deliveries: deliveries.collect(),
                    }
                }
                _ => Committed::Duplicate,
            }),
            _ => Done::Plain,
        })
        .collect()
}

/// Whether it is only an event that came before.
fn is_duplicate(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        *error.code() == SqlState::UNIQUE_VIOLATION && error.table() == Some("call_events")
    })
}

/// The database's refusal in the store's words. Classes 08, 40, 53, 55, 57, 58 and XX are the server's trouble, not
/// the data's.
fn refusal(error: tokio_postgres::Error) -> StoreError {
    let Some(db) = error.as_db_error() else {
        let cause = std::error::Error::source(&error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        // A value that cannot be encoded is the only other thing that is not the connection's trouble.
        return if error.is_closed() || !error.to_string().contains("serializing") {
            StoreError::Away(format!("{error}{cause}"))
        } else {
            StoreError::Refused(format!("{error}{cause}"))
        };
    };
    let words = db.message().to_owned();
    match db.code().code().get(..2) {
        Some("08" | "40" | "53" | "55" | "57" | "58" | "XX" | "25") => StoreError::Away(words),
        _ if *db.code() == SqlState::UNIQUE_VIOLATION => StoreError::Taken(words),
        _ => StoreError::Refused(words),
    }
}
