//! The columns of a batch, table by table, handed to the pipe's prepared statements. Decides nothing: what is written
//! and in which order says this folder's `mod.rs`.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Pipe;
use crate::store::deliveries::NewDelivery;
use crate::store::logs::NewLog;
use crate::store::time::{Time, maybe};
use crate::store::writer::job::{CustomerChange, Settlement, Verdict};
use crate::store::writer::lane::Lease;
use crate::store::writer::rows::{CallColumns, Prepared, leased};

/// One column of a batch.
macro_rules! column {
    ($rows:expr, $row:pat => $value:expr) => {
        &$rows.iter().map(|$row| $value).collect::<Vec<_>>() as &(dyn ToSql + Sync)
    };
}

impl Pipe {
    /// Ids of the events that were written, by key.
    pub(super) async fn events(
        &self,
        commits: &[&Prepared],
        careful: bool,
    ) -> Result<HashMap<Vec<u8>, i64>, tokio_postgres::Error> {
        if commits.is_empty() {
            return Ok(HashMap::new());
        }
        let statement = if careful {
            &self.prepared.events_careful
        } else {
            &self.prepared.events
        };
        let rows = self
            .query(
                statement,
                &[
                    column!(commits, c => c.event.enterprise),
                    column!(commits, c => c.event.call.map(|call| call.0)),
                    column!(commits, c => c.event.event_type.as_str()),
                    column!(commits, c => c.event.unique_id.as_str()),
                    column!(commits, c => c.event.linked_id.as_str()),
                    column!(commits, c => c.event.bridge_id.as_str()),
                    column!(commits, c => Time::from(c.event.event_timestamp)),
                    column!(commits, c => Time::from(c.event.received_at)),
                    column!(commits, c => c.event.key.as_slice()),
                    column!(commits, c => c.event.host_event_id.as_str()),
                    column!(commits, c => c.event.raw.as_str()),
                    column!(commits, c => c.event.data_source.as_str()),
                    column!(commits, c => c.event.parked),
                    column!(commits, c => c.event.note.as_str()),
                ],
            )
            .await?;
        Ok(rows.iter().map(|row| (row.get(1), row.get(0))).collect())
    }

    pub(super) async fn calls(&self, calls: &[&CallColumns]) -> Result<(), tokio_postgres::Error> {
        if calls.is_empty() {
            return Ok(());
        }
        let values = [
            column!(calls, c => c.record.call.0),
            column!(calls, c => c.uuid.as_str()),
            column!(calls, c => c.record.enterprise),
            column!(calls, c => c.record.unique_id.as_str()),
            column!(calls, c => c.record.linked_id.as_str()),
            column!(calls, c => c.state.as_str()),
            column!(calls, c => c.record.phone.as_deref()),
            column!(calls, c => c.record.raw_phone.as_str()),
            column!(calls, c => c.extension.as_str()),
            column!(calls, c => c.rung.as_str()),
            column!(calls, c => c.talked.as_str()),
            column!(calls, c => c.record.made_by.as_deref()),
            column!(calls, c => c.record.line.as_str()),
            column!(calls, c => c.record.direction.as_str()),
            column!(calls, c => c.record.outcome.map(|outcome| outcome.as_str())),
            column!(calls, c => Time::from(c.record.received_at)),
            column!(calls, c => maybe(c.record.answered_at)),
            column!(calls, c => maybe(c.record.ended_at)),
            column!(calls, c => c.record.wait_seconds),
            column!(calls, c => c.record.talk_seconds),
            column!(calls, c => c.record.recording.as_str()),
            column!(calls, c => c.record.hung_up_by.as_str()),
            column!(calls, c => c.record.request_id.as_str()),
            column!(calls, c => c.record.events_count),
            column!(calls, c => c.record.data_source.as_str()),
            column!(calls, c => c.fault.as_str()),
            column!(calls, c => Time::from(c.at)),
        ];
        self.execute(&self.prepared.calls, &values).await
    }

    pub(super) async fn customers(
        &self,
        customers: &[CustomerSum<'_>],
    ) -> Result<(), tokio_postgres::Error> {
        if customers.is_empty() {
            return Ok(());
        }
        let values = [
            column!(customers, s => s.enterprise),
            column!(customers, s => s.phone),
            column!(customers, s => s.calls),
            column!(customers, s => s.answered),
            column!(customers, s => s.missed),
            column!(customers, s => s.talk_seconds),
            column!(customers, s => Time::from(s.first)),
            column!(customers, s => Time::from(s.last)),
        ];
        self.execute(&self.prepared.customers, &values).await
    }

    pub(super) async fn withdraw(
        &self,
        commits: &[&Prepared],
        now: DateTime<Utc>,
    ) -> Result<(), tokio_postgres::Error> {
        let wanted: Vec<(i64, &str, &str)> = commits
            .iter()
            .filter_map(|commit| Some((commit.event.call?, &commit.withdraw)))
            .flat_map(|(call, kinds)| {
                kinds
                    .iter()
                    .map(move |(i, k)| (call.0, i.as_str(), k.as_str()))
            })
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let values = [
            column!(wanted, (call, _, _) => *call),
            column!(wanted, (_, integration, _) => *integration),
            column!(wanted, (_, _, kind) => *kind),
            &Time::from(now),
        ];
        self.execute(&self.prepared.withdraw, &values).await
    }

    pub(super) async fn deliveries(
        &self,
        deliveries: &[&NewDelivery],
        lease: &Lease,
        now: DateTime<Utc>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        if deliveries.is_empty() {
            return Ok(Vec::new());
        }
        let until = Time::from(now + lease.length);
        let values = [
            column!(deliveries, d => d.enterprise),
            column!(deliveries, d => d.integration.as_str()),
            column!(deliveries, d => d.call.0),
            column!(deliveries, d => d.unique_id.as_str()),
            column!(deliveries, d => d.kind.as_str()),
            column!(deliveries, d => d.position),
            column!(deliveries, d => if leased(d, now) { "leased" } else { "due" }),
            column!(deliveries, d => d.payload.as_str()),
            column!(deliveries, d => Time::from(d.not_before)),
            column!(deliveries, d => maybe(d.expires_at)),
            column!(deliveries, d => leased(d, now).then_some(until)),
            column!(deliveries, d => if leased(d, now) { lease.owner.as_str() } else { "" }),
            &Time::from(now),
        ];
        self.query(&self.prepared.deliveries, &values).await
    }

    pub(super) async fn settle(
        &self,
        settlements: &[&Settlement],
    ) -> Result<(), tokio_postgres::Error> {
        if settlements.is_empty() {
            return Ok(());
        }
        let values = [
            column!(settlements, s => s.delivery),
            column!(settlements, s => s.verdict.state()),
            column!(settlements, s => s.attempts),
            column!(settlements, s => s.words.as_str()),
            column!(settlements, s => maybe(s.verdict.not_before())),
            column!(settlements, s => s.verdict.finishes().then(|| Time::from(s.at))),
            column!(settlements, s => s.verdict == Verdict::Noted),
        ];
        self.execute(&self.prepared.settle, &values).await
    }

    pub(super) async fn logs(
        &self,
        settlements: &[&Settlement],
    ) -> Result<(), tokio_postgres::Error> {
        let logs: Vec<&NewLog> = settlements
            .iter()
            .filter_map(|settlement| settlement.log.as_ref())
            .collect();
        if logs.is_empty() {
            return Ok(());
        }
        let values = [
            column!(logs, l => l.enterprise),
            column!(logs, l => l.enterprise_number.as_str()),
            column!(logs, l => l.integration.as_str()),
            column!(logs, l => l.event_type.as_str()),
            column!(logs, l => l.delivery),
            column!(logs, l => l.unique_id.as_str()),
            column!(logs, l => l.phone.as_str()),
            column!(logs, l => l.extension.as_str()),
            column!(logs, l => l.request.as_str()),
            column!(logs, l => l.response.as_str()),
            column!(logs, l => l.status.as_str()),
            column!(logs, l => l.error.as_str()),
            column!(logs, l => l.milliseconds),
            column!(logs, l => Time::from(l.at)),
        ];
        self.execute(&self.prepared.logs, &values).await
    }
}

/// What a batch adds to one client's sums.
pub(super) struct CustomerSum<'a> {
    enterprise: i64,
    phone: &'a str,
    calls: i32,
    answered: i32,
    missed: i32,
    talk_seconds: i64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

/// One row per client, in the order of their keys.
pub(super) fn sums<'a>(commits: &[&'a Prepared]) -> Vec<CustomerSum<'a>> {
    let mut sums: BTreeMap<(i64, &str), CustomerSum<'a>> = BTreeMap::new();
    for change in commits.iter().flat_map(|commit| &commit.customer) {
        let CustomerChange {
            enterprise,
            phone,
            calls,
            answered,
            missed,
            talk_seconds,
            at,
        } = change;
        sums.entry((*enterprise, phone))
            .and_modify(|sum| {
                sum.calls += calls;
                sum.answered += answered;
                sum.missed += missed;
                sum.talk_seconds += talk_seconds;
                sum.first = sum.first.min(*at);
                sum.last = sum.last.max(*at);
            })
            .or_insert(CustomerSum {
                enterprise: *enterprise,
                phone,
                calls: *calls,
                answered: *answered,
                missed: *missed,
                talk_seconds: *talk_seconds,
                first: *at,
                last: *at,
            });
    }
    sums.into_values().collect()
}
