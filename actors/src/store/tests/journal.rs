//! The journal read back: calls rebuilt, ids found, old events removed.

use super::*;
use crate::store::testing::{TestDatabase, execute, number, wait};
use crate::store::{Commit, Conn, StoreError, calls, journal, retention, schema};

fn read<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
) -> T {
    wait(store.read(work)).unwrap()
}

fn put(store: &Store, commit: Commit) {
    wait(store.commit(commit)).unwrap();
}

fn every_table_and_column_exists(database: &TestDatabase) {
    use diesel::prelude::*;
    let mut conn = database.connect();
    macro_rules! empty {
        ($($table:ident),+) => {
            $(let count = crate::store::conn::on!(&mut conn, c => {
                // Selecting every column by name fails where one is missing; counting rows makes it run.
                diesel::select(diesel::dsl::exists(schema::$table::table.select(schema::$table::all_columns)))
                    .get_result::<bool>(c)
            });
            assert!(count.is_ok(), "{}: {count:?}", stringify!($table));)+
        };
    }
    empty!(
        enterprises,
        users,
        user_internal_phones,
        sessions,
        audit_log,
        lines,
        call_events,
        calls,
        customers,
        deliveries,
        integration_logs,
        telegram_users,
        telegram_messages,
        refusals,
        kept,
        call_requests,
        manager_statuses,
        memories,
        crm_tokens,
        telegram_invitations,
        telegram_listeners
    );
    let tables = match database.kind {
        crate::store::testing::Kind::Sqlite => {
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'"
        }
        crate::store::testing::Kind::Postgres => {
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%'"
        }
    };
    assert_eq!(
        number(&mut conn, tables),
        21,
        "a table of the migrations is missing above"
    );
}

fn a_call_is_read_with_the_bridges_it_names(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    let bridge_only = |enterprise: i64, kind: &str| NewEvent {
        call: None,
        bridge_id: "b1".into(),
        unique_id: String::new(),
        linked_id: String::new(),
        ..event(enterprise, 0, kind, "")
    };
    put(&store, Commit::of(event(e, 1, "start", "1.1")));
    put(&store, Commit::of(bridge_only(e, "bridge_create")));
    put(&store, Commit::of(bridge_only(other, "bridge_create")));
    put(&store, Commit::of(event(e, 2, "start", "2.1")));
    put(
        &store,
        Commit::of(NewEvent {
            bridge_id: "b1".into(),
            ..event(e, 1, "bridge", "1.1")
        }),
    );
    put(&store, Commit::of(bridge_only(e, "bridge_destroy")));
    let events = read(&store, move |conn| journal::of_call(conn, e, CallId(1)));
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    assert_eq!(
        kinds,
        ["start", "bridge_create", "bridge", "bridge_destroy"]
    );
    assert!(events.windows(2).all(|pair| pair[0].id < pair[1].id));
    assert!(read(&store, move |conn| journal::of_call(conn, other, CallId(1))).is_empty());
    let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
    assert_eq!(
        read(&store, {
            let ids = ids.clone();
            move |conn| journal::by_ids(conn, e, &ids)
        }),
        events
    );
    assert!(read(&store, move |conn| journal::by_ids(conn, other, &ids)).is_empty());
    assert_eq!(read(&store, move |conn| journal::count(conn, Some(e))), 5);
    assert_eq!(read(&store, |conn| journal::count(conn, None)), 6);
}

fn unfinished_calls_come_back_in_order(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    for (call, state) in [
        (3, CallState::Live),
        (1, CallState::Live),
        (2, CallState::Ended),
    ] {
        for kind in ["start", "dial"] {
            let id = format!("{call}.1");
            put(
                &store,
                Commit {
                    call: Some(row(record(e, call, &id), state)),
                    ..Commit::of(event(e, call, kind, &id))
                },
            );
        }
    }
    let open = read(&store, journal::unfinished);
    assert_eq!(open, [(e, CallId(1)), (e, CallId(3))]);
    let wanted: Vec<CallId> = open.into_iter().map(|(_, call)| call).collect();
    let events = read(&store, move |conn| journal::of_calls(conn, &wanted));
    let order: Vec<_> = events
        .iter()
        .map(|event| (event.call.unwrap().0, event.event_type.as_str()))
        .collect();
    assert_eq!(
        order,
        [(1, "start"), (1, "dial"), (3, "start"), (3, "dial")]
    );
    assert_eq!(read(&store, |conn| calls::count_live(conn, None)), 2);
}

fn a_parked_event_stays_with_its_note(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    put(&store, Commit::of(event(e, 1, "start", "1.1")));
    let events = read(&store, move |conn| journal::by_unique_id(conn, e, "1.1"));
    let id = events[0].id;
    wait(store.write(move |conn| journal::park(conn, e, id, true, "broke its call"))).unwrap();
    let refused = wait(store.write(move |conn| journal::park(conn, e + 1, id, true, "")));
    assert_eq!(
        refused,
        Err(StoreError::NotFound),
        "another enterprise's event"
    );
    let events = read(&store, move |conn| journal::by_unique_id(conn, e, "1.1"));
    assert_eq!(
        (events[0].parked, events[0].note.as_str()),
        (true, "broke its call")
    );
}

fn an_id_leads_to_its_call(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    let mut begun = record(e, 1, "1.1");
    begun.linked_id = "1.0".into();
    put(
        &store,
        Commit {
            call: Some(row(begun, CallState::Live)),
            ..Commit::of(event(e, 1, "start", "1.1"))
        },
    );
    put(
        &store,
        Commit::of(NewEvent {
            linked_id: "1.1".into(),
            ..event(e, 1, "dial", "1.2")
        }),
    );
    let mut over = record(e, 9, "9.1");
    over.ended_at = Some(noon());
    put(
        &store,
        Commit {
            call: Some(row(over, CallState::Ended)),
            ..Commit::of(event(e, 9, "hangup", "9.1"))
        },
    );
    let find = |enterprise: i64, ids: &[&str]| {
        wait(store.find(enterprise, ids.iter().map(|id| (*id).to_owned()).collect())).unwrap()
    };
    for id in ["1.0", "1.1", "1.2"] {
        assert_eq!(
            find(e, &[id]).map(|found| (found.call, found.state)),
            Some((CallId(1), CallState::Live)),
            "{id}"
        );
    }
    assert_eq!(
        find(e, &["9.1"]).map(|found| (found.state, found.ended_at)),
        Some((CallState::Ended, Some(noon())))
    );
    assert_eq!(
        find(e, &["7.7", "1.2", "9.1"]).map(|found| found.call),
        Some(CallId(1)),
        "the first known id decides"
    );
    assert_eq!(find(e, &["7.7", ""]), None);
    assert_eq!(find(other, &["1.1"]), None, "another enterprise's");
    // Many at once, as in a rush.
    let all = wait(async {
        let look_ups: Vec<_> = (0..500)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.find(e, vec!["1.2".into()]).await })
            })
            .collect();
        let mut found = 0;
        for look_up in look_ups {
            found += usize::from(look_up.await.unwrap().unwrap().is_some());
        }
        found
    });
    assert_eq!(all, 500);
}

fn what_is_old_is_removed_and_what_lives_stays(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    for (call, state) in [
        (1, CallState::Ended),
        (2, CallState::Live),
        (3, CallState::Ended),
    ] {
        let id = format!("{call}.1");
        let deliveries = vec![delivery(e, call, "dial", 1)];
        put(
            &store,
            Commit {
                call: Some(row(record(e, call, &id), state)),
                deliveries,
                ..Commit::of(event(e, call, "start", &id))
            },
        );
    }
    execute(
        &mut database.connect(),
        "UPDATE deliveries SET state = 'done', created_at = '2020-01-01 00:00:00' WHERE call_id = 1",
    );
    let seen: Vec<i64> = read(&store, |conn| retention::events(conn, 0, 10))
        .into_iter()
        .map(|one| one.id)
        .collect();
    let next = read(&store, {
        let first = seen[0];
        move |conn| retention::events(conn, first, 1)
    });
    assert_eq!(
        (seen.len(), next[0].id),
        (2, seen[1]),
        "those of calls that are over"
    );
    let all: Vec<i64> = (1..=3).collect();
    let removed = wait(store.write(move |conn| retention::remove_events(conn, &all))).unwrap();
    assert_eq!(removed, 2);
    assert_eq!(
        read(&store, move |conn| journal::of_call(conn, e, CallId(2))).len(),
        1,
        "a live call's events stay"
    );
    assert_eq!(
        wait(store.write(move |conn| retention::logs(conn, noon(), 10))).unwrap(),
        1
    );
    assert_eq!(
        number(&mut database.connect(), "SELECT count(*) FROM deliveries"),
        2
    );
}

crate::for_each_database!(
    every_table_and_column_exists,
    a_call_is_read_with_the_bridges_it_names,
    unfinished_calls_come_back_in_order,
    a_parked_event_stays_with_its_note,
    an_id_leads_to_its_call,
    what_is_old_is_removed_and_what_lives_stays,
);
