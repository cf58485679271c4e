//! The few statements of the hot lane on SQLite, written out. diesel keeps no upsert and no UPDATE of its own prepared,
//! and parsing them again was a third of the writer's time; each of these has a static query id, which makes it keep
//! them. Bound and run only by this folder's `mod.rs`.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text, Timestamp};
use diesel::sqlite::{Sqlite, SqliteConnection};

use crate::store::time::Time;

/// A statement with a fixed text: pieces of SQL, each followed by a bound value.
macro_rules! statement {
    ($name:ident<$life:lifetime> -> $answer:ty { $($sql:literal $field:ident: $rust:ty as $type:ty),+ $(,)? } $tail:literal) => {
        pub(super) struct $name<$life> { $(pub(super) $field: $rust,)+ pub(super) _life: std::marker::PhantomData<&$life ()> }

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

statement!(Withdraw<'a> -> Silent {
    "UPDATE deliveries SET state = 'withdrawn', finished_at = " now: Time as Timestamp,
    " WHERE call_id = " call: i64 as BigInt,
    " AND integration = " integration: &'a str as Text,
    " AND kind = " kind: &'a str as Text,
} " AND state = 'due'");
