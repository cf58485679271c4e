//! The hot lane's rows on PostgreSQL: arrays through `unnest`, so that one prepared statement serves a batch of any
//! size, and the statements of a transaction sent one after the other without waiting for answers. Over diesel's
//! blocking wrapper each statement waits for its round trip, which cost two thirds of the rate; therefore this one file
//! talks to the server itself. Used only by the lane, on its own thread and runtime.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

use super::job::{Committed, CustomerChange, Settlement, Verdict};
use super::lane::Lease;
use super::rows::{CallColumns, Done, Hot, Prepared, as_written, leased, merge_sql};
use crate::store::StoreError;
use crate::store::conn::POSTGRES_SETUP;
use crate::store::deliveries::NewDelivery;
use crate::store::logs::NewLog;
use crate::store::telegram::NewMessage;
use crate::store::time::{Time, maybe};

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

struct Statements {
    events: Statement,
    events_careful: Statement,
    calls: Statement,
    customers: Statement,
    withdraw: Statement,
    deliveries: Statement,
    settle: Statement,
    logs: Statement,
    messages: Statement,
}

const EVENTS: &str = "INSERT INTO call_events (enterprise_id, call_id, event_type, unique_id, linked_id, bridge_id, \
    event_timestamp, received_at, event_key, host_event_id, raw_data, data_source, parked, note) \
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamp[], \
    $8::timestamp[], $9::bytea[], $10::text[], $11::text[], $12::text[], $13::boolean[], $14::text[])";

const CALLS: &str = "INSERT INTO calls (id, uuid, enterprise_id, unique_id, linked_id, state, phone, raw_phone, \
    extension, rung, talked, made_by, line, direction, result, received_at, answered_at, ended_at, wait_seconds, \
    talk_seconds, recording, hung_up_by, request_id, events_count, data_source, fault, updated_at) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], \
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], \
    $16::timestamp[], $17::timestamp[], $18::timestamp[], $19::integer[], $20::integer[], $21::text[], $22::text[], \
    $23::text[], $24::integer[], $25::text[], $26::text[], $27::timestamp[]) \
    ON CONFLICT (id) DO UPDATE SET unique_id = excluded.unique_id, linked_id = excluded.linked_id, \
    state = excluded.state, phone = excluded.phone, raw_phone = excluded.raw_phone, extension = excluded.extension, \
    rung = excluded.rung, talked = excluded.talked, made_by = excluded.made_by, line = excluded.line, \
    direction = excluded.direction, result = excluded.result, received_at = excluded.received_at, \
    answered_at = excluded.answered_at, ended_at = excluded.ended_at, wait_seconds = excluded.wait_seconds, \
    talk_seconds = excluded.talk_seconds, recording = excluded.recording, hung_up_by = excluded.hung_up_by, \
    request_id = excluded.request_id, events_count = excluded.events_count, data_source = excluded.data_source, \
    fault = excluded.fault, updated_at = excluded.updated_at";

const CUSTOMERS: &str = "INSERT INTO customers (enterprise_id, phone, calls_count, answered_count, missed_count, \
    talk_seconds, first_call_at, last_call_at) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::bigint[], \
    $7::timestamp[], $8::timestamp[]) \
    ON CONFLICT (enterprise_id, phone) DO UPDATE SET calls_count = customers.calls_count + excluded.calls_count, \
    answered_count = customers.answered_count + excluded.answered_count, \
    missed_count = customers.missed_count + excluded.missed_count, \
    talk_seconds = customers.talk_seconds + excluded.talk_seconds, \
    first_call_at = least(customers.first_call_at, excluded.first_call_at), \
    last_call_at = greatest(customers.last_call_at, excluded.last_call_at)";

const WITHDRAW: &str = "UPDATE deliveries AS d SET state = 'withdrawn', finished_at = $4 \
    FROM unnest($1::bigint[], $2::text[], $3::text[]) AS v (call_id, integration, kind) \
    WHERE d.call_id = v.call_id AND d.integration = v.integration AND d.kind = v.kind AND d.state = 'due'";

const DELIVERIES: &str = "INSERT INTO deliveries (enterprise_id, integration, call_id, unique_id, kind, position, state, \
    payload, attempts, not_before, expires_at, leased_until, lease_owner, created_at) \
    SELECT v.enterprise, v.integration, v.call, v.unique_id, v.kind, v.position, v.state, v.payload, 0, v.not_before, \
    v.expires_at, v.leased_until, v.lease_owner, $13 \
    FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::text[], \
    $9::timestamp[], $10::timestamp[], $11::timestamp[], $12::text[]) \
    AS v (enterprise, integration, call, unique_id, kind, position, state, payload, not_before, expires_at, \
    leased_until, lease_owner) \
    ON CONFLICT (call_id, integration, kind) DO UPDATE SET payload = excluded.payload, position = excluded.position, \
    state = excluded.state, not_before = excluded.not_before, expires_at = excluded.expires_at, \
    leased_until = excluded.leased_until, lease_owner = excluded.lease_owner, outcome = '', finished_at = NULL \
    WHERE deliveries.state IN ('due', 'withdrawn') AND deliveries.attempts = 0 \
    RETURNING id, created_at, call_id, integration, kind";

const SETTLE: &str = "UPDATE deliveries AS d SET state = coalesce(v.state, d.state), attempts = v.attempts, \
    outcome = v.words, not_before = coalesce(v.not_before, d.not_before), finished_at = v.finished_at, \
    leased_until = CASE WHEN v.keeps THEN d.leased_until END, \
    lease_owner = CASE WHEN v.keeps THEN d.lease_owner ELSE '' END \
    FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::timestamp[], $6::timestamp[], $7::boolean[]) \
    AS v (id, state, attempts, words, not_before, finished_at, keeps) \
    WHERE d.id = v.id AND d.state IN ('due', 'leased')";

const LOGS: &str = "INSERT INTO integration_logs (enterprise_id, enterprise_number, integration_type, event_type, \
    delivery_id, call_unique_id, phone_number, internal_extension, request_data, response_data, status, \
    error_message, response_time_ms, created_at, updated_at) \
    SELECT v.*, v.at FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], \
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::integer[], $14::timestamp[]) \
    AS v (a, b, c, d, e, f, g, h, i, j, k, l, m, at)";

const MESSAGES: &str = "INSERT INTO telegram_messages (enterprise_id, call_id, chat_id, message_id, phone, text, final, \
    note, sent_at, updated_at) \
    SELECT v.*, v.at FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], \
    $7::boolean[], $8::text[], $9::timestamp[]) AS v (a, b, c, d, e, f, g, h, at) \
    ON CONFLICT (call_id, chat_id) DO UPDATE SET \
    message_id = coalesce(excluded.message_id, telegram_messages.message_id), phone = excluded.phone, \
    text = excluded.text, final = excluded.final, note = excluded.note, updated_at = excluded.updated_at";

/// One column of a batch.
macro_rules! column {
    ($rows:expr, $row:pat => $value:expr) => {
        &$rows.iter().map(|$row| $value).collect::<Vec<_>>() as &(dyn ToSql + Sync)
    };
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
        let mut messages: BTreeMap<(i64, i64), (Option<i64>, &NewMessage)> = BTreeMap::new();
        for job in jobs {
            if let Hot::Message(new) = job {
                let (known, last) = messages
                    .entry((new.call.0, new.chat))
                    .or_insert((None, new));
                (*known, *last) = (new.message.or(*known), new);
            }
        }
        let messages: Vec<(Option<i64>, &NewMessage)> = messages.into_values().collect();
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
            let (rest, ended) = tokio::join!(
                self.rest(&new, &settlements, &messages, lease, now),
                self.end()
            );
            let rest = rest?;
            ended?;
            (written, rest)
        } else {
            // Polled in this order, so sent in this order.
            let (begun, events, rest, ended) = tokio::join!(
                self.begin(),
                self.events(&commits, false),
                self.rest(&commits, &settlements, &messages, lease, now),
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

    /// Ids of the events that were written, by key.
    async fn events(
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

    /// Everything but the events. Gives the rows of deliveries that were written.
    async fn rest(
        &self,
        commits: &[&Prepared],
        settlements: &[&Settlement],
        messages: &[(Option<i64>, &NewMessage)],
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
        let (merged, called, summed, withdrawn, delivered, settled, logged, noted) = tokio::join!(
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
            self.messages(messages),
        );
        merged?;
        called?;
        summed?;
        withdrawn?;
        let delivered = delivered?;
        settled?;
        logged?;
        noted?;
        Ok(delivered)
    }

    async fn calls(&self, calls: &[&CallColumns]) -> Result<(), tokio_postgres::Error> {
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

    async fn customers(&self, customers: &[CustomerSum<'_>]) -> Result<(), tokio_postgres::Error> {
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

    async fn withdraw(
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

    async fn deliveries(
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

    async fn settle(&self, settlements: &[&Settlement]) -> Result<(), tokio_postgres::Error> {
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

    async fn logs(&self, settlements: &[&Settlement]) -> Result<(), tokio_postgres::Error> {
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

    async fn messages(
        &self,
        messages: &[(Option<i64>, &NewMessage)],
    ) -> Result<(), tokio_postgres::Error> {
        if messages.is_empty() {
            return Ok(());
        }
        let values = [
            column!(messages, (_, m) => m.enterprise),
            column!(messages, (_, m) => m.call.0),
            column!(messages, (_, m) => m.chat),
            column!(messages, (known, _) => *known),
            column!(messages, (_, m) => m.phone.as_str()),
            column!(messages, (_, m) => m.text.as_str()),
            column!(messages, (_, m) => m.last),
            column!(messages, (_, m) => m.note.as_str()),
            column!(messages, (_, m) => Time::from(m.at)),
        ];
        self.execute(&self.prepared.messages, &values).await
    }
}

async fn prepare(client: &Client) -> Result<Statements, tokio_postgres::Error> {
    let careful = format!("{EVENTS} ON CONFLICT (event_key) DO NOTHING RETURNING id, event_key");
    let quick = format!("{EVENTS} RETURNING id, event_key");
    Ok(Statements {
        events: client.prepare(&quick).await?,
        events_careful: client.prepare(&careful).await?,
        calls: client.prepare(CALLS).await?,
        customers: client.prepare(CUSTOMERS).await?,
        withdraw: client.prepare(WITHDRAW).await?,
        deliveries: client.prepare(DELIVERIES).await?,
        settle: client.prepare(SETTLE).await?,
        logs: client.prepare(LOGS).await?,
        messages: client.prepare(MESSAGES).await?,
    })
}

/// What a batch adds to one client's sums.
struct CustomerSum<'a> {
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
fn sums<'a>(commits: &[&'a Prepared]) -> Vec<CustomerSum<'a>> {
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
