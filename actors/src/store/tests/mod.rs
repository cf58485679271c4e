//! One list of tests, run on SQLite and on PostgreSQL; here are the values they share.

mod deliveries;
mod faults;
mod invitations;
mod journal;
mod outbox;
mod owed;
mod pages;
mod people;
mod requests;
mod tenants;
mod writer;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::deliveries::{Delivery, NewDelivery};
use super::enterprises::{self, NewEnterprise};
use super::journal::NewEvent;
use super::testing::wait;
use super::{CallRow, CallState, Commit, Committed, Store, WriteError};
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

/// Runs jobs that are all taken in one batch: the lane's threads are held in closures until every job waits.
pub(super) fn in_one_batch<T: Send + 'static>(
    store: &Store,
    jobs: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let writers = if store.place().is_sqlite() {
        1
    } else {
        store.options().postgres_writers
    };
    wait(async {
        let mut held = Vec::new();
        for _ in 0..writers {
            let (gate, opened) = std::sync::mpsc::channel::<()>();
            let (taken, is_taken) = tokio::sync::oneshot::channel();
            let store = store.clone();
            let closure = async move {
                store
                    .write(move |_| {
                        taken.send(()).unwrap();
                        // Ends when the gate is dropped.
                        opened.recv().unwrap_err();
                        Ok(())
                    })
                    .await
            };
            held.push((gate, tokio::spawn(closure)));
            is_taken.await.unwrap();
        }
        let count = jobs.len();
        let running: Vec<_> = jobs.into_iter().map(tokio::spawn).collect();
        while store.writer_state().waiting < count {
            tokio::task::yield_now().await;
        }
        for (gate, closure) in held {
            drop(gate);
            closure.await.unwrap().unwrap();
        }
        let mut done = Vec::new();
        for job in running {
            done.push(job.await.unwrap());
        }
        done
    })
}

pub(super) fn commit(
    store: &Store,
    commit: Commit,
) -> impl Future<Output = Result<Committed, WriteError>> + Send + use<> {
    let store = store.clone();
    async move { store.commit(commit).await }
}

pub(super) fn stored(outcome: Committed) -> (i64, Vec<Delivery>) {
    match outcome {
        Committed::Stored { event, deliveries } => (event, deliveries),
        Committed::Duplicate => panic!("a duplicate"),
    }
}
