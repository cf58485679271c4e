//! What the group-commit lane promises.

use std::time::Duration;

use super::*;
use crate::store::deliveries::{self, Delivery, DeliveryState};
use crate::store::logs::{self, NewLog};
use crate::store::testing::{TestDatabase, execute, number, wait};
use crate::store::{
    Commit, Committed, CustomerChange, Merge, Options, Settlement, StoreError, Verdict, WriteError,
    calls, customers, journal,
};

fn stored(outcome: Committed) -> (i64, Vec<Delivery>) {
    match outcome {
        Committed::Stored { event, deliveries } => (event, deliveries),
        Committed::Duplicate => panic!("a duplicate"),
    }
}

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

/// Runs jobs that are all taken in one batch: the lane's threads are held in closures until every job waits.
fn in_one_batch<T: Send + 'static>(
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

fn commit(
    store: &Store,
    commit: Commit,
) -> impl Future<Output = Result<Committed, WriteError>> + Send + use<> {
    let store = store.clone();
    async move { store.commit(commit).await }
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

fn a_delivery_nobody_tried_is_renewed_and_another_is_not(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let with = |event_type: &str, payload: &str| Commit {
        deliveries: vec![NewDelivery {
            payload: payload.into(),
            ..delivery(e, 1, "upload", 4)
        }],
        ..Commit::of(event(e, 1, event_type, "1.1"))
    };
    let (_, first) = stored(wait(store.commit(with("hangup", "one"))).unwrap());
    let (_, renewed) = stored(wait(store.commit(with("bridge_leave", "two"))).unwrap());
    assert_eq!(
        (renewed[0].id, renewed[0].payload.as_str()),
        (first[0].id, "two")
    );
    let claimed = wait(store.write(move |conn| {
        deliveries::claim(
            conn,
            e,
            "retailcrm",
            "us",
            noon(),
            noon() + Duration::from_secs(60),
            10,
        )
    }));
    assert_eq!(claimed.unwrap().len(), 1);
    let (_, none) = stored(wait(store.commit(with("dial", "three"))).unwrap());
    assert_eq!(none, []);
    let rows = wait(store.read(move |conn| deliveries::of_call(conn, e, CallId(1)))).unwrap();
    assert_eq!(
        rows.iter().map(|d| d.payload.as_str()).collect::<Vec<_>>(),
        ["two"]
    );
}

fn a_due_delivery_that_asks_for_it_is_leased_at_once(database: &TestDatabase) {
    let store = database.store_with(Options {
        owner: "us".into(),
        ..Options::default()
    });
    let e = enterprise(&store, "0367");
    let far = Utc::now() + Duration::from_secs(3600);
    let deliveries = vec![
        NewDelivery {
            lease: true,
            ..delivery(e, 1, "dial", 1)
        },
        NewDelivery {
            lease: true,
            not_before: far,
            ..delivery(e, 1, "upload", 4)
        },
        delivery(e, 1, "hangup", 3),
    ];
    let (_, written) = stored(
        wait(store.commit(Commit {
            deliveries,
            ..Commit::of(event(e, 1, "dial", "1.1"))
        }))
        .unwrap(),
    );
    let states: Vec<_> = written
        .iter()
        .map(|d| (d.kind.as_str(), d.state, d.lease_owner.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            ("dial", DeliveryState::Leased, "us"),
            ("upload", DeliveryState::Due, ""),
            ("hangup", DeliveryState::Due, "")
        ]
    );
    let mut rows = wait(store.read(move |conn| deliveries::of_call(conn, e, CallId(1)))).unwrap();
    rows.sort_by_key(|d| d.id);
    let mut sorted = written;
    sorted.sort_by_key(|d| d.id);
    assert_eq!(rows, sorted, "what the commit told is what the table has");
    assert_eq!(
        wait(store.write(|conn| deliveries::release(conn, "us"))).unwrap(),
        1
    );
}

fn what_is_withdrawn_is_not_sent(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let first = Commit {
        deliveries: vec![delivery(e, 1, "dial", 1), delivery(e, 1, "bridge", 2)],
        ..Commit::of(event(e, 1, "dial", "1.1"))
    };
    wait(store.commit(first)).unwrap();
    let second = Commit {
        withdraw: vec![("retailcrm".into(), "dial".into())],
        ..Commit::of(event(e, 1, "hangup", "1.1"))
    };
    wait(store.commit(second)).unwrap();
    let rows = wait(store.read(move |conn| deliveries::of_call(conn, e, CallId(1)))).unwrap();
    assert_eq!(
        rows.iter().map(|d| d.state).collect::<Vec<_>>(),
        [DeliveryState::Withdrawn, DeliveryState::Due]
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

fn one_bad_job_refuses_no_other(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    // Two calls with one uuid: the tables forbid it.
    let mut twin = record(e, 2, "2.1");
    twin.uuid = record(e, 1, "1.1").uuid;
    let rows = [record(e, 1, "1.1"), twin, record(e, 3, "3.1")];
    let jobs = rows.map(|record| {
        let event = event(e, record.call.0, "start", &record.unique_id);
        commit(
            &store,
            Commit {
                call: Some(row(record, CallState::Live)),
                ..Commit::of(event)
            },
        )
    });
    let outcomes = in_one_batch(&store, jobs.into());
    assert!(
        matches!(outcomes[0], Ok(Committed::Stored { .. })),
        "{outcomes:?}"
    );
    assert!(
        matches!(outcomes[1], Err(WriteError::Refused(_))),
        "{outcomes:?}"
    );
    assert!(
        matches!(outcomes[2], Ok(Committed::Stored { .. })),
        "{outcomes:?}"
    );
    assert_eq!(
        number(&mut database.connect(), "SELECT count(*) FROM call_events"),
        2,
        "all of a job or nothing"
    );
}

fn a_nul_in_a_text_harms_nobody(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let mut odd = record(e, 1, "1.1");
    odd.phone = Some("+375\u{0}296254070".into());
    odd.rung = vec!["15\u{0}0".into()];
    odd.line = "\0".into();
    let commit = Commit {
        call: Some(row(odd, CallState::Live)),
        deliveries: vec![NewDelivery {
            unique_id: "1\u{0}.1".into(),
            ..delivery(e, 1, "dial", 1)
        }],
        ..Commit::of(NewEvent {
            unique_id: "1\u{0}.1".into(),
            ..event(e, 1, "start", "1.1")
        })
    };
    stored(wait(store.commit(commit)).unwrap());
    let call = wait(store.read(move |conn| calls::by_id(conn, Some(e), CallId(1))))
        .unwrap()
        .unwrap();
    assert_eq!(call.record.phone.as_deref(), Some("+375296254070"));
    assert_eq!(
        (call.record.rung, call.record.line),
        (vec!["150".to_owned()], String::new())
    );
}

fn settled(delivery: i64, verdict: Verdict, attempts: i32) -> Settlement {
    let log = NewLog {
        integration: "retailcrm".into(),
        event_type: "dial".into(),
        status: "success".into(),
        delivery: Some(delivery),
        at: noon(),
        ..NewLog::default()
    };
    Settlement {
        delivery,
        verdict,
        attempts,
        words: "told".into(),
        at: noon(),
        log: Some(log),
    }
}

fn what_became_of_a_delivery_is_kept_with_its_log(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let kinds = ["dial", "bridge", "hangup", "upload", "message"];
    let deliveries = kinds.iter().zip(1..).map(|(kind, position)| NewDelivery {
        lease: true,
        ..delivery(e, 1, kind, position)
    });
    let (_, written) = stored(
        wait(store.commit(Commit {
            deliveries: deliveries.collect(),
            ..Commit::of(event(e, 1, "dial", "1.1"))
        }))
        .unwrap(),
    );
    let later = noon() + Duration::from_secs(300);
    let verdicts = [
        Verdict::Done,
        Verdict::Failed,
        Verdict::Missed,
        Verdict::Again(later),
        Verdict::Noted,
    ];
    let jobs = written.iter().zip(verdicts).map(|(delivery, verdict)| {
        let (store, settlement) = (store.clone(), settled(delivery.id, verdict, 2));
        async move { store.settle(settlement).await }
    });
    for outcome in in_one_batch(&store, jobs.collect()) {
        outcome.unwrap();
    }
    let rows = wait(store.read(move |conn| deliveries::of_call(conn, e, CallId(1)))).unwrap();
    let states: Vec<_> = rows
        .iter()
        .map(|d| {
            (
                d.state,
                d.finished_at.is_some(),
                d.attempts,
                d.lease_owner.is_empty(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            (DeliveryState::Done, true, 2, true),
            (DeliveryState::Failed, true, 2, true),
            (DeliveryState::Missed, true, 2, true),
            (DeliveryState::Due, false, 2, true),
            (DeliveryState::Leased, false, 2, false),
        ]
    );
    assert_eq!(rows[3].not_before, later);
    let ids: Vec<i64> = rows.iter().map(|d| d.id).collect();
    assert_eq!(
        number(
            &mut database.connect(),
            "SELECT count(*) FROM integration_logs WHERE status = 'success'"
        ),
        5
    );
    let of_none = wait(store.read(move |conn| logs::of_deliveries(conn, e, &ids))).unwrap();
    assert_eq!(of_none.len(), 0, "the log rows named no enterprise");
    // What is done is not opened again by a late verdict of somebody whose lease ran out.
    wait(store.settle(settled(rows[0].id, Verdict::Again(later), 3))).unwrap();
    let rows = wait(store.read(move |conn| deliveries::of_call(conn, e, CallId(1)))).unwrap();
    assert_eq!(rows[0].state, DeliveryState::Done);
}

fn a_telegram_row_keeps_the_message_it_knows(database: &TestDatabase) {
    use crate::store::telegram::{self, NewMessage};
    let store = database.store();
    let e = enterprise(&store, "0367");
    let new = |message: Option<i64>, text: &str| NewMessage {
        enterprise: e,
        call: CallId(1),
        chat: 77,
        message,
        phone: "+375296254070".into(),
        text: text.into(),
        last: false,
        note: String::new(),
        at: noon(),
    };
    let send = |message| {
        let store = store.clone();
        async move { store.message(message).await }
    };
    for outcome in in_one_batch(
        &store,
        vec![send(new(Some(5), "one")), send(new(None, "two"))],
    ) {
        outcome.unwrap();
    }
    let slow = new(None, "three");
    wait(store.write(move |conn| telegram::save(conn, &slow))).unwrap();
    let rows = wait(store.read(move |conn| telegram::messages(conn, e, CallId(1)))).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].text, "three");
    assert_eq!(rows[0].message, Some(5));
}

fn a_closure_that_fails_or_panics_hurts_no_other(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let add = |chat: i64, end: u8| {
        let store = store.clone();
        async move {
            let work = move |conn: &mut crate::store::Conn| {
                crate::store::telegram::subscribe(conn, e, chat, "x", noon())?;
                match end {
                    0 => Ok(()),
                    1 => Err(StoreError::NotFound),
                    _ => conn.transaction(|_| panic!("a test's panic")),
                }
            };
            store.write(work).await
        }
    };
    let outcomes = in_one_batch(&store, vec![add(1, 0), add(2, 1), add(3, 2), add(4, 0)]);
    assert_eq!(
        outcomes,
        [
            Ok(()),
            Err(StoreError::NotFound),
            Err(StoreError::Panicked),
            Ok(())
        ]
    );
    let chats = wait(store.read(move |conn| crate::store::telegram::subscribers(conn, e))).unwrap();
    assert_eq!(chats.iter().map(|s| s.chat).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(store.writer_state().panics, 1);
}

fn one_more_than_fits_is_refused_at_once(database: &TestDatabase) {
    let store = database.store_with(Options {
        queue: 2,
        postgres_writers: 1,
        ..Options::default()
    });
    let e = enterprise(&store, "0367");
    let outcomes = in_one_batch(
        &store,
        vec![
            commit(&store, Commit::of(event(e, 1, "start", "1.1"))),
            commit(&store, Commit::of(event(e, 2, "start", "2.1"))),
        ],
    );
    assert!(outcomes.iter().all(Result::is_ok));
    // The third finds the queue full while the lane is held.
    let full = std::thread::scope(|scope| {
        let (gate, opened) = std::sync::mpsc::channel::<()>();
        let (taken, is_taken) = std::sync::mpsc::channel();
        let held = scope.spawn(|| {
            wait(store.write(move |_| {
                taken.send(()).unwrap();
                opened.recv().unwrap_err();
                Ok(())
            }))
        });
        is_taken.recv().unwrap();
        let outcomes = wait(async {
            let jobs: Vec<_> = (3..6)
                .map(|call| {
                    tokio::spawn(commit(
                        &store,
                        Commit::of(event(e, call, "start", &format!("{call}.1"))),
                    ))
                })
                .collect();
            while store.writer_state().refused_full == 0 {
                tokio::task::yield_now().await;
            }
            drop(gate);
            let mut outcomes = Vec::new();
            for job in jobs {
                outcomes.push(job.await.unwrap());
            }
            outcomes
        });
        held.join().unwrap().unwrap();
        outcomes
    });
    assert_eq!(
        full.iter()
            .filter(|outcome| **outcome == Err(WriteError::Full))
            .count(),
        1
    );
    assert_eq!(full.iter().filter(|outcome| outcome.is_ok()).count(), 2);
}

fn the_last_handle_waits_for_what_was_asked(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    wait(async {
        let job = tokio::spawn(commit(&store, Commit::of(event(e, 1, "start", "1.1"))));
        tokio::task::yield_now().await;
        job.abort();
    });
    drop(store);
    assert_eq!(
        number(&mut database.connect(), "SELECT count(*) FROM call_events"),
        1
    );
}

fn a_full_disk_is_said_and_got_over(database: &TestDatabase) {
    if database.kind == crate::store::testing::Kind::Postgres {
        // Its own servers' word for it, which no test can provoke without filling a disk.
        return;
    }
    let store = database.store();
    let e = enterprise(&store, "0367");
    // The lane's connection is told that the file may not grow; the next one knows nothing of it.
    let full = |conn: &mut crate::store::Conn| conn.execute_batch("PRAGMA max_page_count = 1");
    wait(store.write(full)).unwrap();
    let big = |call: i64| {
        Commit::of(NewEvent {
            raw: "x".repeat(100_000),
            ..event(e, call, "start", &format!("{call}.1"))
        })
    };
    let refused = wait(store.commit(big(1)));
    assert!(
        matches!(&refused, Err(WriteError::Away(words)) if words.contains("full")),
        "{refused:?}"
    );
    assert!(!store.writer_state().trouble.is_empty());
    stored(wait(store.commit(big(1))).unwrap());
    assert!(store.writer_state().trouble.is_empty());
}

fn a_failing_disk_or_server_is_said_and_got_over(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    wait(store.commit(Commit::of(event(e, 1, "start", "1.1")))).unwrap();
    let mut conn = database.connect();
    match database.kind {
        crate::store::testing::Kind::Sqlite => {
            // Somebody else holds the database for longer than the writer waits.
            execute(&mut conn, "BEGIN IMMEDIATE");
            let refused = wait(store.commit(Commit::of(event(e, 2, "start", "2.1"))));
            assert!(matches!(refused, Err(WriteError::Away(_))), "{refused:?}");
            execute(&mut conn, "ROLLBACK");
        }
        crate::store::testing::Kind::Postgres => {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            execute(&mut conn, cut);
            let mut outcomes = Vec::new();
            for call in 2..8 {
                outcomes.push(wait(store.commit(Commit::of(event(
                    e,
                    call,
                    "start",
                    &format!("{call}.1"),
                )))));
                if outcomes.last().is_some_and(Result::is_ok) {
                    break;
                }
            }
            for outcome in &outcomes {
                assert!(
                    matches!(outcome, Ok(_) | Err(WriteError::Away(_))),
                    "{outcomes:?}"
                );
            }
            assert!(outcomes.last().is_some_and(Result::is_ok), "{outcomes:?}");
        }
    }
    wait(store.commit(Commit::of(event(e, 9, "start", "9.1")))).unwrap();
    assert!(store.writer_state().trouble.is_empty());
    // Readers and the finder come back too; what they had in hand may be lost once each.
    let back = (0..20).any(|_| wait(store.read(move |conn| journal::count(conn, Some(e)))).is_ok());
    assert!(back);
    assert!(
        (0..20).any(|_| wait(store.find(e, vec!["9.1".into()])).is_ok_and(|found| found.is_some()))
    );
}

crate::for_each_database!(
    an_event_is_there_after_its_commit,
    a_resend_changes_nothing,
    of_two_same_events_in_a_batch_the_second_is_the_duplicate,
    a_calls_last_row_of_a_batch_stands,
    a_row_changes_with_its_ids,
    a_clients_sums_add_up,
    a_delivery_nobody_tried_is_renewed_and_another_is_not,
    a_due_delivery_that_asks_for_it_is_leased_at_once,
    what_is_withdrawn_is_not_sent,
    merged_calls_are_one,
    one_bad_job_refuses_no_other,
    a_nul_in_a_text_harms_nobody,
    what_became_of_a_delivery_is_kept_with_its_log,
    a_telegram_row_keeps_the_message_it_knows,
    a_closure_that_fails_or_panics_hurts_no_other,
    one_more_than_fits_is_refused_at_once,
    the_last_handle_waits_for_what_was_asked,
    a_full_disk_is_said_and_got_over,
    a_failing_disk_or_server_is_said_and_got_over,
);
