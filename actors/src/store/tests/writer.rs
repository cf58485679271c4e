//! What the group-commit lane makes of a batch.

use super::*;
use crate::store::deliveries::DeliveryState;
use crate::store::testing::{TestDatabase, number, wait};
use crate::store::{
    Commit, Committed, CustomerChange, Merge, Options, calls, customers, deliveries, journal,
};

fn an_event_is_there_after_its_commit(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let mut commit = Commit::of(event(e, 1, "start", "1.1"));
    commit.call = Some(row(record(e, 1, "1.1"), CallState::Live));
    commit.deliveries = vec![delivery(e, 1, "dial", 1)];
    let (id, written) = stored(wait(store.commit(commit.clone())).unwrap());
    assert_eq!(written.len(), 1);
    let events = wait(store.read(move |conn| journal::of_call(conn, e, CallId(1)))).unwrap();
    assert_eq!(
        events.iter().map(|event| event.id).collect::<Vec<_>>(),
        [id]
    );
    assert_eq!(events[0].raw, r#"{"UniqueId": "1.1"}"#);
    assert_eq!(events[0].received_at, noon());
    assert_eq!(
        events[0].key,
        event(e, 1, "start", "1.1").key,
        "a call that is rebuilt knows its events by what they were known by"
    );
    let call = wait(store.read(move |conn| calls::by_id(conn, Some(e), CallId(1))))
        .unwrap()
        .unwrap();
    assert_eq!(call.record, record(e, 1, "1.1"));
    let rows = wait(store.read(move |conn| deliveries::of_call(conn, e, CallId(1)))).unwrap();
    assert_eq!(rows, written, "what the commit told is what the table has");
}

fn a_resend_changes_nothing(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    stored(wait(store.commit(Commit::of(event(e, 1, "start", "1.1")))).unwrap());
    let mut again = Commit::of(event(e, 1, "start", "1.1"));
    again.call = Some(row(record(e, 1, "1.1"), CallState::Live));
    again.deliveries = vec![delivery(e, 1, "dial", 1)];
    again.customer = vec![change(e, 1)];
    assert_eq!(wait(store.commit(again)).unwrap(), Committed::Duplicate);
    let mut conn = database.connect();
    for table in ["calls", "deliveries", "customers"] {
        assert_eq!(
            number(&mut conn, &format!("SELECT count(*) FROM {table}")),
            0,
            "{table}"
        );
    }
    assert_eq!(store.writer_state().duplicates, 1);
}

fn change(enterprise: i64, calls: i32) -> CustomerChange {
    CustomerChange {
        enterprise,
        phone: "+375296254070".into(),
        calls,
        answered: calls,
        missed: 0,
        talk_seconds: 30,
        at: noon(),
    }
}

fn of_two_same_events_in_a_batch_the_second_is_the_duplicate(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let same = || commit(&store, Commit::of(event(e, 1, "start", "1.1")));
    let other = || commit(&store, Commit::of(event(e, 2, "start", "2.1")));
    let outcomes = in_one_batch(&store, vec![same(), other(), same()]);
    let words: Vec<bool> = outcomes
        .into_iter()
        .map(|outcome| matches!(outcome.unwrap(), Committed::Stored { .. }))
        .collect();
    assert_eq!(words, [true, true, false]);
    // And again, when all of them are in the journal but one.
    let new = commit(
        &store,
        Commit {
            call: Some(row(record(e, 3, "3.1"), CallState::Live)),
            ..Commit::of(event(e, 3, "start", "3.1"))
        },
    );
    let outcomes = in_one_batch(&store, vec![same(), other(), new]);
    let words: Vec<bool> = outcomes
        .into_iter()
        .map(|outcome| matches!(outcome.unwrap(), Committed::Stored { .. }))
        .collect();
    assert_eq!(words, [false, false, true]);
    assert_eq!(
        number(&mut database.connect(), "SELECT count(*) FROM call_events"),
        3
    );
    assert_eq!(
        number(&mut database.connect(), "SELECT count(*) FROM calls"),
        1
    );
}

fn a_calls_last_row_of_a_batch_stands(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let step = |event_type: &str, events_count: i32, state: CallState| {
        let record = Record {
            events_count,
            ..record(e, 1, "1.1")
        };
        commit(
            &store,
            Commit {
                call: Some(row(record, state)),
                ..Commit::of(event(e, 1, event_type, "1.1"))
            },
        )
    };
    in_one_batch(
        &store,
        vec![
            step("start", 1, CallState::Live),
            step("hangup", 2, CallState::Ended),
        ],
    );
    let call = wait(store.read(move |conn| calls::by_id(conn, Some(e), CallId(1))))
        .unwrap()
        .unwrap();
    assert_eq!(
        (call.record.events_count, call.state),
        (2, CallState::Ended)
    );
}

fn a_row_changes_with_its_ids(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let first = Commit {
        call: Some(row(record(e, 1, "1.1"), CallState::Live)),
        ..Commit::of(event(e, 1, "start", "1.1"))
    };
    stored(wait(store.commit(first)).unwrap());
    let mut later = record(e, 1, "1.1");
    later.linked_id = "1.0".into();
    later.received_at = at("2026-11-20T11:59:00Z");
    later.events_count = 2;
    later.talked = vec!["150".into()];
    let second = Commit {
        call: Some(row(later.clone(), CallState::Live)),
        ..Commit::of(event(e, 1, "dial", "1.1"))
    };
    stored(wait(store.commit(second)).unwrap());
    let call = wait(store.read(move |conn| calls::by_id(conn, Some(e), CallId(1))))
        .unwrap()
        .unwrap();
    assert_eq!(
        (&call.record.linked_id, call.record.received_at),
        (&later.linked_id, later.received_at)
    );
    assert_eq!(call.record.talked, later.talked);
    let found = wait(store.find(e, vec!["1.0".into()])).unwrap().unwrap();
    assert_eq!(found.call, CallId(1));
}

fn a_clients_sums_add_up(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let ended = |call: i64, calls: i32| {
        commit(
            &store,
            Commit {
                customer: vec![change(e, calls)],
                ..Commit::of(event(e, call, "hangup", &format!("{call}.1")))
            },
        )
    };
    in_one_batch(&store, vec![ended(1, 1), ended(2, 1), ended(3, -1)]);
    wait(ended(4, 1)).unwrap();
    let customer = wait(store.read(move |conn| customers::by_phone(conn, e, "+375296254070")))
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            customer.calls_count,
            customer.answered_count,
            customer.talk_seconds
        ),
        (2, 2, 120)
    );
}

fn merged_calls_are_one(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    for (call, unique_id) in [(1, "1.1"), (2, "2.1")] {
        let begun = Commit {
            call: Some(row(record(e, call, unique_id), CallState::Live)),
            deliveries: vec![delivery(e, call, "dial", 1)],
            ..Commit::of(event(e, call, "dial", unique_id))
        };
        wait(store.commit(begun)).unwrap();
    }
    let only_theirs = Commit {
        deliveries: vec![delivery(e, 2, "dial:151", 2)],
        ..Commit::of(event(e, 2, "bridge", "2.1"))
    };
    wait(store.commit(only_theirs)).unwrap();
    let joined = Commit {
        merge: Some(Merge {
            from: CallId(2),
            into: CallId(1),
        }),
        call: Some(row(
            Record {
                events_count: 4,
                ..record(e, 1, "1.1")
            },
            CallState::Live,
        )),
        ..Commit::of(event(e, 1, "bridge", "1.1"))
    };
    wait(store.commit(joined)).unwrap();
    let events = wait(store.read(move |conn| journal::of_call(conn, e, CallId(1)))).unwrap();
    assert_eq!(
        events
            .iter()
            .map(|event| event.unique_id.as_str())
            .collect::<Vec<_>>(),
        ["1.1", "2.1", "2.1", "1.1"]
    );
    let absorbed = wait(store.read(move |conn| calls::by_id(conn, Some(e), CallId(2))))
        .unwrap()
        .unwrap();
    assert_eq!(
        (absorbed.state, absorbed.merged_into),
        (CallState::Merged, Some(CallId(1)))
    );
    let rows = wait(store.read(move |conn| deliveries::of_call(conn, e, CallId(1)))).unwrap();
    assert_eq!(
        rows.iter().map(|d| d.kind.as_str()).collect::<Vec<_>>(),
        ["dial", "dial:151"]
    );
    let rows = wait(store.read(move |conn| deliveries::of_call(conn, e, CallId(2)))).unwrap();
    assert_eq!(
        rows.iter().map(|d| d.state).collect::<Vec<_>>(),
        [DeliveryState::Withdrawn]
    );
    for id in ["2.1", "1.1"] {
        assert_eq!(
            wait(store.find(e, vec![id.into()])).unwrap().unwrap().call,
            CallId(1),
            "{id}"
        );
    }
}

fn a_busy_moment_costs_one_commit_and_a_pause_no_wait(database: &TestDatabase) {
    let e = enterprise(&database.store(), "0367");
    // With a pace of an hour only a full half batch, never the clock, ends the gathering.
    let store = database.store_with(Options {
        pace: std::time::Duration::from_secs(3600),
        batch: 8,
        postgres_writers: 1,
        ..Options::default()
    });
    let commit = |number: i64| {
        let event = event(e, number, "start", &format!("{number}.1"));
        let store = store.clone();
        async move { store.commit(Commit::of(event)).await }
    };
    stored(wait(commit(1)).unwrap());
    // Answers go out before the count is made.
    let counted = |batches: u64| {
        wait(async {
            while store.writer_state().batches < batches {
                tokio::task::yield_now().await;
            }
        });
        store.writer_state().batches
    };
    assert_eq!(counted(1), 1, "after a pause: at once");
    wait(async {
        let early: Vec<_> = (2..=4).map(|number| tokio::spawn(commit(number))).collect();
        while store.writer_state().waiting < early.len() {
            tokio::task::yield_now().await;
        }
        stored(commit(5).await.unwrap());
        for one in early {
            stored(one.await.unwrap().unwrap());
        }
    });
    assert_eq!(counted(2), 2, "four events, one commit");
}

crate::for_each_database!(
    a_busy_moment_costs_one_commit_and_a_pause_no_wait,
    an_event_is_there_after_its_commit,
    a_resend_changes_nothing,
    of_two_same_events_in_a_batch_the_second_is_the_duplicate,
    a_calls_last_row_of_a_batch_stands,
    a_row_changes_with_its_ids,
    a_clients_sums_add_up,
    merged_calls_are_one,
);
