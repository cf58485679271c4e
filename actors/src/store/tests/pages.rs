//! What pages ask for: ended calls and clients.

use std::time::Duration;

use super::*;
use crate::call::record::Outcome;
use crate::store::testing::{TestDatabase, wait};
use crate::store::{Commit, Conn, StoreError, calls, customers};

fn read<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
) -> T {
    wait(store.read(work)).unwrap()
}

fn put(store: &Store, commit: Commit) {
    wait(store.commit(commit)).unwrap();
}

fn ended(store: &Store, e: i64, call: i64, change: impl FnOnce(&mut Record)) {
    let id = format!("{call}.1");
    let mut record = record(e, call, &id);
    record.outcome = Some(Outcome::Answered);
    record.phase = Phase::Ended;
    record.received_at = noon() + Duration::from_secs(call.unsigned_abs());
    change(&mut record);
    put(
        store,
        Commit {
            call: Some(row(record, CallState::Ended)),
            ..Commit::of(event(e, call, "hangup", &id))
        },
    );
}

fn a_page_of_calls_is_filtered(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    ended(&store, e, 1, |r| r.rung = vec!["150".into(), "151".into()]);
    ended(&store, e, 2, |r| {
        r.outcome = Some(Outcome::Missed);
        r.phone = Some("+375331112233".into());
        r.raw_phone = "100%".into();
    });
    ended(&store, e, 3, |r| {
        r.direction = Direction::Out;
        r.made_by = Some("15".into());
    });
    ended(&store, other, 4, |_| ());
    let page = |filter: calls::Filter, page: i64, size: i64| -> Vec<i64> {
        let found = read(&store, move |conn| calls::page(conn, &filter, page, size));
        found.into_iter().map(|call| call.record.call.0).collect()
    };
    let mine = || calls::Filter {
        enterprise: Some(e),
        ..calls::Filter::default()
    };
    assert_eq!(page(mine(), 0, 10), [3, 2, 1]);
    assert_eq!(page(mine(), 1, 2), [1]);
    assert_eq!(page(calls::Filter::default(), 0, 10), [4, 3, 2, 1]);
    assert_eq!(
        page(
            calls::Filter {
                phone: "331112".into(),
                ..mine()
            },
            0,
            10
        ),
        [2]
    );
    assert_eq!(
        page(
            calls::Filter {
                phone: "0%".into(),
                ..mine()
            },
            0,
            10
        ),
        [2],
        "a pattern's characters mean themselves"
    );
    assert_eq!(
        page(
            calls::Filter {
                phone: "_".into(),
                ..mine()
            },
            0,
            10
        ),
        [0i64; 0]
    );
    assert_eq!(
        page(
            calls::Filter {
                extension: "150".into(),
                ..mine()
            },
            0,
            10
        ),
        [1]
    );
    assert_eq!(
        page(
            calls::Filter {
                extension: "15".into(),
                ..mine()
            },
            0,
            10
        ),
        [3],
        "15 is not part of 150"
    );
    assert_eq!(
        page(
            calls::Filter {
                outcome: Some(Outcome::Missed),
                ..mine()
            },
            0,
            10
        ),
        [2]
    );
    assert_eq!(
        page(
            calls::Filter {
                direction: Some(Direction::Out),
                ..mine()
            },
            0,
            10
        ),
        [3]
    );
    let from = Some(noon() + Duration::from_secs(2));
    assert_eq!(page(calls::Filter { from, ..mine() }, 0, 10), [3, 2]);
    assert_eq!(page(calls::Filter { to: from, ..mine() }, 0, 10), [1]);
    let counts = read(&store, {
        let mine = mine();
        move |conn| calls::counts(conn, &mine)
    });
    assert_eq!(counts, [(Outcome::Answered, 2), (Outcome::Missed, 1)]);
}

fn one_call_is_its_enterprises_alone(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    ended(&store, e, 1, |_| ());
    let by = |enterprise: Option<i64>| {
        read(&store, move |conn| {
            calls::by_id(conn, enterprise, CallId(1))
        })
        .is_some()
    };
    assert_eq!(
        (by(Some(e)), by(None), by(Some(other))),
        (true, true, false)
    );
    let uuid = record(e, 1, "").uuid;
    assert!(read(&store, move |conn| calls::by_uuid(conn, uuid)).is_some());
    assert!(read(&store, |conn| calls::by_uuid(conn, uuid::Uuid::nil())).is_none());
    assert_eq!(
        read(&store, |conn| calls::by_ids(conn, &[CallId(1), CallId(5)])).len(),
        1
    );
}

fn a_clients_name_is_kept(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    wait(store.write(move |conn| {
        customers::set_name(conn, e, "+375296254070", "Мария", "retailcrm", noon())
    }))
    .unwrap();
    wait(store.write(move |conn| {
        customers::set_name(conn, e, "+375296254070", "Мария И.", "retailcrm", noon())
    }))
    .unwrap();
    let found = read(&store, move |conn| customers::page(conn, e, "6254", 0, 10));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.as_str(), found[0].calls_count),
        ("Мария И.", 0)
    );
}

crate::for_each_database!(
    a_page_of_calls_is_filtered,
    one_call_is_its_enterprises_alone,
    a_clients_name_is_kept,
);
