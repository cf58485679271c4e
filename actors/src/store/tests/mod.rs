//! One list of tests, run on SQLite and on PostgreSQL; here are the values they share.

mod outbox;
mod people;
mod reading;
mod requests;
mod writer;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::deliveries::NewDelivery;
use super::enterprises::{self, NewEnterprise};
use super::journal::NewEvent;
use super::{CallRow, CallState, Store};
use crate::call::record::{CallId, Direction, Phase, Record};

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn noon() -> DateTime<Utc> {
    at("2026-11-20T12:00:00Z")
}

/// An enterprise with this number; gives its id.
pub(super) fn enterprise(store: &Store, number: &str) -> i64 {
    let new = NewEnterprise {
        number: number.into(),
        name: format!("e{number}"),
        token: format!("t{number}").into(),
        ..Default::default()
    };
    let vault = store.vault().clone();
    super::testing::wait(store.write(move |conn| enterprises::add(conn, &vault, &new, noon())))
        .unwrap()
}

pub(super) fn event(enterprise: i64, call: i64, event_type: &str, unique_id: &str) -> NewEvent {
    NewEvent {
        enterprise,
        call: Some(CallId(call)),
        event_type: event_type.into(),
        unique_id: unique_id.into(),
        linked_id: unique_id.into(),
        bridge_id: String::new(),
        event_timestamp: noon(),
        received_at: noon(),
        key: format!("{enterprise}/{event_type}/{unique_id}").into_bytes(),
        host_event_id: String::new(),
        raw: format!(r#"{{"UniqueId": "{unique_id}"}}"#),
        data_source: "live".into(),
        parked: false,
        note: String::new(),
    }
}

pub(super) fn record(enterprise: i64, call: i64, unique_id: &str) -> Record {
    Record {
        call: CallId(call),
        enterprise,
        uuid: uuid::Uuid::from_u128(u128::from(call.unsigned_abs())),
        unique_id: unique_id.into(),
        linked_id: unique_id.into(),
        direction: Direction::In,
        phase: Phase::Ringing,
        outcome: None,
        phone: Some("+375296254070".into()),
        raw_phone: "80296254070".into(),
        line: "0001367".into(),
        rung: Vec::new(),
        talked: Vec::new(),
        talking: None,
        made_by: None,
        received_at: noon(),
        answered_at: None,
        ended_at: None,
        wait_seconds: 0,
        talk_seconds: 0,
        recording: String::new(),
        hung_up_by: String::new(),
        request_id: String::new(),
        events_count: 1,
        data_source: "live".into(),
    }
}

pub(super) fn row(record: Record, state: CallState) -> CallRow {
    CallRow {
        record: Arc::new(record),
        state,
        fault: String::new(),
        at: noon(),
    }
}

pub(super) fn delivery(enterprise: i64, call: i64, kind: &str, position: i32) -> NewDelivery {
    NewDelivery {
        enterprise,
        integration: "retailcrm".into(),
        call: CallId(call),
        unique_id: format!("{call}.0"),
        kind: kind.into(),
        position,
        payload: format!(r#"{{"kind":"{kind}"}}"#),
        not_before: noon(),
        expires_at: None,
        lease: false,
    }
}
