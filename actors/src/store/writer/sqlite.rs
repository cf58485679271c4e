//! The hot lane's rows on SQLite, one prepared statement a row. diesel keeps no upsert and no UPDATE of its own
//! prepared, and parsing them again was a third of the writer's time; so these few statements are written out, each
//! with a static query id, which makes diesel keep them. There is no round trip to save by larger statements.

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text, Timestamp};
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::job::{Committed, CustomerChange, Settlement, Verdict};
use super::lane::Lease;
use super::rows::{CallColumns, Done, Hot, Prepared, as_written, leased, merge_sql};
use crate::store::StoreError;
use crate::store::deliveries::{Delivery, NewDelivery};
use crate::store::journal::NewEvent;
use crate::store::logs::NewLog;
use crate::store::schema::{call_events, deliveries};
use crate::store::telegram::NewMessage;
use crate::store::time::{Time, maybe, truncate};

/// A statement with a fixed text: pieces of SQL, each followed by a bound value.
macro_rules! statement {
    ($name:ident<$life:lifetime> -> $answer:ty { $($sql:literal $field:ident: $rust:ty as $type:ty),+ $(,)? } $tail:literal) => {
        struct $name<$life> { $($field: $rust,)+ _life: std::marker::PhantomData<&$life ()> }

        impl<$life> QueryId for $name<$life> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl<$life> QueryFragment<Sqlite> for $name<$life> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                $(out.push_sql($sql); out.push_bind_param::<$type, _>(&self.$field)?;)+
                out.push_sql($tail);
                Ok(())
            }
        }

        impl<$life> Query for $name<$life> { type SqlType = $answer; }
        impl<$life> RunQueryDsl<SqliteConnection> for $name<$life> {}
    };
}

/// Nothing comes back but how many rows were touched.
type Silent = BigInt;

statement!(InsertEvent<'a> -> Silent {
    "INSERT INTO call_events (id, enterprise_id, call_id, event_type, unique_id, linked_id, bridge_id, event_timestamp, \
     received_at, event_key, host_event_id, raw_data, data_source, parked, note) VALUES (" id: i64 as BigInt,
    "," enterprise: i64 as BigInt,
    "," call: Option<i64> as Nullable<BigInt>,
    "," event_type: &'a str as Text,
    "," unique_id: &'a str as Text,
    "," linked_id: &'a str as Text,
    "," bridge_id: &'a str as Text,
    "," event_timestamp: Time as Timestamp,
    "," received_at: Time as Timestamp,
    "," key: &'a [u8] as Binary,
    "," host_event_id: &'a str as Text,
    "," raw: &'a str as Text,
    "," data_source: &'a str as Text,
    "," parked: bool as Bool,
    "," note: &'a str as Text,
} ") ON CONFLICT (event_key) DO NOTHING");

statement!(UpsertCall<'a> -> Silent {
    "INSERT INTO calls (id, uuid, enterprise_id, unique_id, linked_id, state, phone, raw_phone, extension, rung, \
     talked, made_by, line, direction, result, received_at, answered_at, ended_at, wait_seconds, talk_seconds, \
     recording, hung_up_by, request_id, events_count, data_source, fault, updated_at) VALUES (" id: i64 as BigInt,
    "," uuid: &'a str as Text,
    "," enterprise: i64 as BigInt,
    "," unique_id: &'a str as Text,
    "," linked_id: &'a str as Text,
    "," state: &'a str as Text,
    "," phone: Option<&'a str> as Nullable<Text>,
    "," raw_phone: &'a str as Text,
    "," extension: &'a str as Text,
    "," rung: &'a str as Text,
    "," talked: &'a str as Text,
    "," made_by: Option<&'a str> as Nullable<Text>,
    "," line: &'a str as Text,
    "," direction: &'a str as Text,
    "," result: Option<&'a str> as Nullable<Text>,
    "," received_at: Time as Timestamp,
    "," answered_at: Option<Time> as Nullable<Timestamp>,
    "," ended_at: Option<Time> as Nullable<Timestamp>,
    "," wait_seconds: i32 as Integer,
    "," talk_seconds: i32 as Integer,
    "," recording: &'a str as Text,
    "," hung_up_by: &'a str as Text,
    "," request_id: &'a str as Text,
    "," events_count: i32 as Integer,
    "," data_source: &'a str as Text,
    "," fault: &'a str as Text,
    "," updated_at: Time as Timestamp,
} ") ON CONFLICT (id) DO UPDATE SET unique_id = excluded.unique_id, linked_id = excluded.linked_id, \
   state = excluded.state, phone = excluded.phone, raw_phone = excluded.raw_phone, extension = excluded.extension, \
   rung = excluded.rung, talked = excluded.talked, made_by = excluded.made_by, line = excluded.line, \
   direction = excluded.direction, result = excluded.result, received_at = excluded.received_at, \
   answered_at = excluded.answered_at, ended_at = excluded.ended_at, wait_seconds = excluded.wait_seconds, \
   talk_seconds = excluded.talk_seconds, recording = excluded.recording, hung_up_by = excluded.hung_up_by, \
   request_id = excluded.request_id, events_count = excluded.events_count, data_source = excluded.data_source, \
   fault = excluded.fault, updated_at = excluded.updated_at");

// The same without the columns that stand in an index: SQLite writes every index whose columns are set, changed or
// not. It finds nothing when one of them did change, and then the upsert is used.
statement!(UpdateCall<'a> -> Silent {
    "UPDATE calls SET state = " state: &'a str as Text,
    ", phone = " phone: Option<&'a str> as Nullable<Text>,
    ", raw_phone = " raw_phone: &'a str as Text,
    ", extension = " extension: &'a str as Text,
    ", rung = " rung: &'a str as Text,
    ", talked = " talked: &'a str as Text,
    ", made_by = " made_by: Option<&'a str> as Nullable<Text>,
    ", line = " line: &'a str as Text,
    ", direction = " direction: &'a str as Text,
    ", result = " result: Option<&'a str> as Nullable<Text>,
    ", answered_at = " answered_at: Option<Time> as Nullable<Timestamp>,
    ", ended_at = " ended_at: Option<Time> as Nullable<Timestamp>,
    ", wait_seconds = " wait_seconds: i32 as Integer,
    ", talk_seconds = " talk_seconds: i32 as Integer,
    ", recording = " recording: &'a str as Text,
    ", hung_up_by = " hung_up_by: &'a str as Text,
    ", request_id = " request_id: &'a str as Text,
    ", events_count = " events_count: i32 as Integer,
    ", data_source = " data_source: &'a str as Text,
    ", fault = " fault: &'a str as Text,
    ", updated_at = " updated_at: Time as Timestamp,
    " WHERE id = " id: i64 as BigInt,
    " AND unique_id = " unique_id: &'a str as Text,
    " AND linked_id = " linked_id: &'a str as Text,
    " AND received_at = " received_at: Time as Timestamp,
} "");

statement!(UpsertCustomer<'a> -> Silent {
    "INSERT INTO customers (enterprise_id, phone, calls_count, answered_count, missed_count, talk_seconds, \
     first_call_at, last_call_at) VALUES (" enterprise: i64 as BigInt,
    "," phone: &'a str as Text,
    "," calls: i32 as Integer,
    "," answered: i32 as Integer,
    "," missed: i32 as Integer,
    "," talk_seconds: i64 as BigInt,
    "," first_call_at: Time as Timestamp,
    "," last_call_at: Time as Timestamp,
} ") ON CONFLICT (enterprise_id, phone) DO UPDATE SET calls_count = calls_count + excluded.calls_count, \
   answered_count = answered_count + excluded.answered_count, missed_count = missed_count + excluded.missed_count, \
   talk_seconds = talk_seconds + excluded.talk_seconds, first_call_at = min(first_call_at, excluded.first_call_at), \
   last_call_at = max(last_call_at, excluded.last_call_at)");

statement!(InsertDelivery<'a> -> Silent {
    "INSERT INTO deliveries (id, enterprise_id, integration, call_id, unique_id, kind, position, state, payload, \
     attempts, not_before, expires_at, leased_until, lease_owner, created_at) VALUES (" id: i64 as BigInt,
    "," enterprise: i64 as BigInt,
    "," integration: &'a str as Text,
    "," call: i64 as BigInt,
    "," unique_id: &'a str as Text,
    "," kind: &'a str as Text,
    "," position: i32 as Integer,
    "," state: &'a str as Text,
    "," payload: &'a str as Text,
    ",0," not_before: Time as Timestamp,
    "," expires_at: Option<Time> as Nullable<Timestamp>,
    "," leased_until: Option<Time> as Nullable<Timestamp>,
    "," lease_owner: &'a str as Text,
    "," created_at: Time as Timestamp,
} ") ON CONFLICT (call_id, integration, kind) DO NOTHING");

// For the few that are there already. RETURNING makes SQLite keep a journal of the statement and a table for the answer,
// so it stays out of the statements above.
statement!(RenewDelivery<'a> -> (BigInt, Timestamp) {
    "UPDATE deliveries SET payload = " payload: &'a str as Text,
    ", position = " position: i32 as Integer,
    ", state = " state: &'a str as Text,
    ", not_before = " not_before: Time as Timestamp,
    ", expires_at = " expires_at: Option<Time> as Nullable<Timestamp>,
    ", leased_until = " leased_until: Option<Time> as Nullable<Timestamp>,
    ", lease_owner = " lease_owner: &'a str as Text,
    ", outcome = '', finished_at = NULL WHERE call_id = " call: i64 as BigInt,
    " AND integration = " integration: &'a str as Text,
    " AND kind = " kind: &'a str as Text,
} " AND state IN ('due', 'withdrawn') AND attempts = 0 RETURNING id, created_at");

statement!(Settle<'a> -> Silent {
    "UPDATE deliveries SET state = coalesce(" state: Option<&'a str> as Nullable<Text>,
    ", state), attempts = " attempts: i32 as Integer,
    ", outcome = " words: &'a str as Text,
    ", not_before = coalesce(" not_before: Option<Time> as Nullable<Timestamp>,
    ", not_before), finished_at = " finished_at: Option<Time> as Nullable<Timestamp>,
    ", leased_until = CASE WHEN " keeps: bool as Bool,
    " THEN leased_until END, lease_owner = CASE WHEN " keeps_too: bool as Bool,
    " THEN lease_owner ELSE '' END WHERE id = " delivery: i64 as BigInt,
} " AND state IN ('due', 'leased')");

statement!(InsertLog<'a> -> Silent {
    "INSERT INTO integration_logs (enterprise_id, enterprise_number, integration_type, event_type, delivery_id, \
     call_unique_id, phone_number, internal_extension, request_data, response_data, status, error_message, \
     response_time_ms, created_at, updated_at) VALUES (" enterprise: i64 as BigInt,
    "," enterprise_number: &'a str as Text,
    "," integration: &'a str as Text,
    "," event_type: &'a str as Text,
    "," delivery: Option<i64> as Nullable<BigInt>,
    "," unique_id: &'a str as Text,
    "," phone: &'a str as Text,
    "," extension: &'a str as Text,
    "," request: &'a str as Text,
    "," response: &'a str as Text,
    "," status: &'a str as Text,
    "," error: &'a str as Text,
    "," milliseconds: i32 as Integer,
    "," created_at: Time as Timestamp,
    "," updated_at: Time as Timestamp,
} ")");

statement!(UpsertMessage<'a> -> Silent {
    "INSERT INTO telegram_messages (enterprise_id, call_id, chat_id, message_id, phone, text, final, note, sent_at, \
     updated_at) VALUES (" enterprise: i64 as BigInt,
    "," call: i64 as BigInt,
    "," chat: i64 as BigInt,
    "," message: Option<i64> as Nullable<BigInt>,
    "," phone: &'a str as Text,
    "," text: &'a str as Text,
    "," last: bool as Bool,
    "," note: &'a str as Text,
    "," sent_at: Time as Timestamp,
    "," updated_at: Time as Timestamp,
} ") ON CONFLICT (call_id, chat_id) DO UPDATE SET message_id = coalesce(excluded.message_id, message_id), \
   phone = excluded.phone, text = excluded.text, final = excluded.final, note = excluded.note, \
   updated_at = excluded.updated_at");

statement!(Withdraw<'a> -> Silent {
    "UPDATE deliveries SET state = 'withdrawn', finished_at = " now: Time as Timestamp,
    " WHERE call_id = " call: i64 as BigInt,
    " AND integration = " integration: &'a str as Text,
    " AND kind = " kind: &'a str as Text,
} " AND state = 'due'");

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
            Hot::Message(new) => message(batch.c, new).map(|()| Done::Plain),
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

/// Writes a Telegram message's row; `telegram::save` says what it keeps.
fn message(c: &mut SqliteConnection, new: &NewMessage) -> Result<(), StoreError> {
    let upsert = UpsertMessage {
        enterprise: new.enterprise,
        call: new.call.0,
        chat: new.chat,
        message: new.message,
        phone: &new.phone,
        text: &new.text,
        last: new.last,
        note: &new.note,
        sent_at: new.at.into(),
        updated_at: new.at.into(),
        _life: LIFE,
    };
    upsert.execute(c)?;
    Ok(())
}
