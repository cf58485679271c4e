//! What goes wrong: bad jobs, panics, full queues, full disks, servers that go away.

use super::*;
use crate::store::testing::{TestDatabase, execute, number, wait};
use crate::store::{Commit, Committed, Options, StoreError, WriteError, calls, journal};

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

fn a_reader_that_panics_takes_nothing_with_it(database: &TestDatabase) {
    let store = database.store();
    let died =
        wait(store.read(|conn| -> Result<(), StoreError> {
            conn.transaction(|_| panic!("a test's panic"))
        }));
    assert_eq!(died, Err(StoreError::Panicked));
    for _ in 0..8 {
        assert_eq!(wait(store.read(|conn| journal::count(conn, None))), Ok(0));
    }
}

crate::for_each_database!(
    one_bad_job_refuses_no_other,
    a_nul_in_a_text_harms_nobody,
    a_closure_that_fails_or_panics_hurts_no_other,
    one_more_than_fits_is_refused_at_once,
    the_last_handle_waits_for_what_was_asked,
    a_full_disk_is_said_and_got_over,
    a_failing_disk_or_server_is_said_and_got_over,
    a_reader_that_panics_takes_nothing_with_it,
);
