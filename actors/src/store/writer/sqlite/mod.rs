//! The hot lane's rows on SQLite, one prepared statement a row: there is no round trip to save by larger ones. Called by
//! the lane inside its transaction; begins and commits nothing.

mod statements;

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use statements::{
    InsertDelivery, InsertEvent, InsertLog, RenewDelivery, Settle, UpdateCall, UpsertCall,
    UpsertCustomer, Withdraw,
};

use super::job::{Committed, CustomerChange, Settlement, Verdict};
use super::lane::Lease;
use super::rows::{CallColumns, Done, Hot, Prepared, as_written, leased, merge_sql};
use crate::store::StoreError;
use crate::store::deliveries::{Delivery, NewDelivery};
use crate::store::journal::NewEvent;
use crate::store::logs::NewLog;
use crate::store::schema::{call_events, deliveries};
use crate::store::time::{Time, maybe, truncate};

/// Marks a statement as one that borrows.
const LIFE: std::marker::PhantomData<&()> = std::marker::PhantomData;

/// The last numbers given to rows. The lane numbers them itself, because asking SQLite for the number it gave costs
/// more than the row; nobody else writes these two tables. Read anew after every failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    event: i64,
    delivery: i64,
}

impl Numbers {
    /// Reads them from the tables.
    pub(super) fn read(c: &mut SqliteConnection) -> Result<Numbers, StoreError> {
        let event: Option<i64> = call_events::table
            .select(diesel::dsl::max(call_events::id))
            .first(c)?;
        let delivery: Option<i64> = deliveries::table
            .select(diesel::dsl::max(deliveries::id))
            .first(c)?;
        Ok(Numbers {
            event: event.unwrap_or(0),
            delivery: delivery.unwrap_or(0),
        })
    }
}

/// What every row of a batch needs.
struct Batch<'a> {
    c: &'a mut SqliteConnection,
    numbers: &'a mut Numbers,
    lease: &'a Lease,
    now: DateTime<Utc>,
}

/// Writes every job of a batch inside the open transaction; what became of each, in order.
pub(super) fn apply(
    c: &mut SqliteConnection,
    numbers: &mut Numbers,
    jobs: &[Hot],
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Vec<Done>, StoreError> {
    let mut batch = Batch {
        c,
        numbers,
        lease,
        now,
    };
    jobs.iter()
        .map(|job| match job {
            Hot::Commit(commit) => batch.commit(commit).map(Done::Committed),
            Hot::Settle(settlement) => settle(batch.c, settlement).map(|()| Done::Plain),
        })
        .collect()
}

impl Batch<'_> {
    fn commit(&mut self, commit: &Prepared) -> Result<Committed, StoreError> {
        let Some(id) = self.event(&commit.event)? else {
            return Ok(Committed::Duplicate);
        };
        if let Some(merge) = &commit.merge {
            self.c.batch_execute(&merge_sql(merge, self.now))?;
        }
        if let Some(columns) = &commit.call {
            call(self.c, columns)?;
        }
        for change in &commit.customer {
            customer(self.c, change)?;
        }
        if let Some(call) = commit.event.call {
            for (integration, kind) in &commit.withdraw {
                Withdraw {
                    now: self.now.into(),
                    call: call.0,
                    integration,
                    kind,
                    _life: LIFE,
                }
                .execute(self.c)?;
            }
        }
        let mut deliveries = Vec::with_capacity(commit.deliveries.len());
        for new in &commit.deliveries {
            deliveries.extend(self.delivery(new)?);
        }
        Ok(Committed::Stored {
            event: id,
            deliveries,
        })
    }

    /// The event's number, or `None` when it is there already.
    fn event(&mut self, event: &NewEvent) -> Result<Option<i64>, StoreError> {
        let id = self.numbers.event + 1;
        let insert = InsertEvent {
            id,
            enterprise: event.enterprise,
            call: event.call.map(|call| call.0),
            event_type: &event.event_type,
            unique_id: &event.unique_id,
            linked_id: &event.linked_id,
            bridge_id: &event.bridge_id,
            event_timestamp: event.event_timestamp.into(),
            received_at: event.received_at.into(),
            key: &event.key,
            host_event_id: &event.host_event_id,
            raw: &event.raw,
            data_source: &event.data_source,
            parked: event.parked,
            note: &event.note,
            _life: LIFE,
        };
        if insert.execute(self.c)? == 0 {
            return Ok(None);
        }
        self.numbers.event = id;
        Ok(Some(id))
    }

    fn delivery(&mut self, new: &NewDelivery) -> Result<Option<Delivery>, StoreError> {
        let (lease, now) = (self.lease, self.now);
        let leased = leased(new, now);
        let id = self.numbers.delivery + 1;
        let state = if leased { "leased" } else { "due" };
        let leased_until = leased.then(|| Time::from(now + lease.length));
        let lease_owner = if leased { lease.owner.as_str() } else { "" };
        let insert = InsertDelivery {
            id,
            enterprise: new.enterprise,
            integration: &new.integration,
            call: new.call.0,
            unique_id: &new.unique_id,
            kind: &new.kind,
            position: new.position,
            state,
            payload: &new.payload,
            not_before: new.not_before.into(),
            expires_at: maybe(new.expires_at),
            leased_until,
            lease_owner,
            created_at: now.into(),
            _life: LIFE,
        };
        if insert.execute(self.c)? > 0 {
            self.numbers.delivery = id;
            return Ok(Some(as_written(new, id, truncate(now), lease, now)));
        }
        let renew = RenewDelivery {
            payload: &new.payload,
            position: new.position,
            state,
            not_before: new.not_before.into(),
            expires_at: maybe(new.expires_at),
            leased_until,
            lease_owner,
            call: new.call.0,
            integration: &new.integration,
            kind: &new.kind,
            _life: LIFE,
        };
        let written: Option<(i64, Time)> = renew.get_result(self.c).optional()?;
        Ok(written.map(|(id, created_at)| as_written(new, id, created_at.0, lease, now)))
    }
}

fn call(c: &mut SqliteConnection, columns: &CallColumns) -> Result<(), StoreError> {
    let record = &*columns.record;
    let result = record.outcome.map(|outcome| outcome.as_str());
    if record.events_count > 1 {
        let update = UpdateCall {
            state: columns.state.as_str(),
            phone: record.phone.as_deref(),
            raw_phone: &record.raw_phone,
            extension: &columns.extension,
            rung: &columns.rung,
            talked: &columns.talked,
            made_by: record.made_by.as_deref(),
            line: &record.line,
            direction: record.direction.as_str(),
            result,
            answered_at: maybe(record.answered_at),
            ended_at: maybe(record.ended_at),
            wait_seconds: record.wait_seconds,
            talk_seconds: record.talk_seconds,
            recording: &record.recording,
            hung_up_by: &record.hung_up_by,
            request_id: &record.request_id,
            events_count: record.events_count,
            data_source: &record.data_source,
            fault: &columns.fault,
            updated_at: columns.at.into(),
            id: record.call.0,
            unique_id: &record.unique_id,
            linked_id: &record.linked_id,
            received_at: record.received_at.into(),
            _life: LIFE,
        };
        if update.execute(c)? > 0 {
            return Ok(());
        }
    }
    let upsert = UpsertCall {
        id: record.call.0,
        uuid: &columns.uuid,
        enterprise: record.enterprise,
        unique_id: &record.unique_id,
        linked_id: &record.linked_id,
        state: columns.state.as_str(),
        phone: record.phone.as_deref(),
        raw_phone: &record.raw_phone,
        extension: &columns.extension,
        rung: &columns.rung,
        talked: &columns.talked,
        made_by: record.made_by.as_deref(),
        line: &record.line,
        direction: record.direction.as_str(),
        result,
        received_at: record.received_at.into(),
        answered_at: maybe(record.answered_at),
        ended_at: maybe(record.ended_at),
        wait_seconds: record.wait_seconds,
        talk_seconds: record.talk_seconds,
        recording: &record.recording,
        hung_up_by: &record.hung_up_by,
        request_id: &record.request_id,
        events_count: record.events_count,
        data_source: &record.data_source,
        fault: &columns.fault,
        updated_at: columns.at.into(),
        _life: LIFE,
    };
    upsert.execute(c)?;
    Ok(())
}

fn customer(c: &mut SqliteConnection, change: &CustomerChange) -> Result<(), StoreError> {
    let upsert = UpsertCustomer {
        enterprise: change.enterprise,
        phone: &change.phone,
        calls: change.calls,
        answered: change.answered,
        missed: change.missed,
        talk_seconds: change.talk_seconds,
        first_call_at: change.at.into(),
        last_call_at: change.at.into(),
        _life: LIFE,
    };
    upsert.execute(c)?;
    Ok(())
}

fn settle(c: &mut SqliteConnection, settlement: &Settlement) -> Result<(), StoreError> {
    let keeps = settlement.verdict == Verdict::Noted;
    let finished = settlement.verdict.finishes();
    let update = Settle {
        state: settlement.verdict.state(),
        attempts: settlement.attempts,
        words: &settlement.words,
        not_before: settlement.verdict.not_before().map(Time::from),
        finished_at: finished.then(|| settlement.at.into()),
        keeps,
        keeps_too: keeps,
        delivery: settlement.delivery,
        _life: LIFE,
    };
    update.execute(c)?;
    settlement.log.as_ref().map_or(Ok(()), |new| log(c, new))
}

fn log(c: &mut SqliteConnection, new: &NewLog) -> Result<(), StoreError> {
    let insert = InsertLog {
        enterprise: new.enterprise,
        enterprise_number: &new.enterprise_number,
        integration: &new.integration,
        event_type: &new.event_type,
        delivery: new.delivery,
        unique_id: &new.unique_id,
        phone: &new.phone,
        extension: &new.extension,
        request: &new.request,
        response: &new.response,
        status: &new.status,
        error: &new.error,
        milliseconds: new.milliseconds,
        created_at: new.at.into(),
        updated_at: new.at.into(),
        _life: LIFE,
    };
    insert.execute(c)?;
    Ok(())
}
