//! When a call's last word counts as told.

use super::*;
use crate::store::deliveries::{self, DeliveryState};
use crate::store::testing::{TestDatabase, wait};
use crate::store::{Commit, Verdict, owed};

crate::for_each_database!(a_call_that_went_on_owes_another_last_word);

/// A call as it stands after so many events, with a message owed.
fn put(store: &Store, enterprise: i64, events: i32, state: CallState, kind: &str) {
    let mut commit = Commit::of(event(enterprise, 1, &format!("event {events}"), "1.1"));
    let record = Record {
        events_count: events,
        ..record(enterprise, 1, "1.1")
    };
    commit.call = Some(row(record, state));
    commit.deliveries = vec![NewDelivery {
        integration: "telegram".into(),
        ..delivery(enterprise, 1, kind, 1)
    }];
    wait(store.commit(commit)).unwrap();
}

fn a_call_that_went_on_owes_another_last_word(database: &TestDatabase) {
    let store = database.store();
    let enterprise = enterprise(&store, "0367");
    let told = |events: i32| {
        wait(store.write(move |conn| {
            owed::settle(
                conn,
                enterprise,
                CallId(1),
                &Verdict::Done,
                "told",
                events,
                noon(),
            )
        }))
        .unwrap();
        let rows =
            wait(store.read(move |conn| deliveries::of_call(conn, enterprise, CallId(1)))).unwrap();
        rows.iter()
            .filter(|row| row.state == DeliveryState::Due)
            .count()
    };
    put(&store, enterprise, 1, CallState::Ended, "message");
    // A leg came while the last word was on its way.
    put(&store, enterprise, 2, CallState::Live, "message:2");
    assert_eq!(told(1), 2, "it is not over");
    put(&store, enterprise, 3, CallState::Ended, "message:2");
    assert_eq!(told(1), 2, "that was not its last word");
    assert_eq!(told(3), 0);
}
