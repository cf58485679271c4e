//! What is read back: journal, calls, deliveries, logs, customers.

use std::time::Duration;

use super::*;
use crate::call::record::Outcome;
use crate::store::deliveries::{self, DeliveryState, Resend};
use crate::store::logs::{self, NewLog};
use crate::store::testing::{TestDatabase, execute, number, wait};
use crate::store::{
    Commit, Conn, Settlement, StoreError, Verdict, calls, customers, journal, retention, schema,
};

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
        manager_statuses
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
        17,
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

fn claims_are_leases(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    for call in [2, 1] {
        let deliveries = vec![delivery(e, call, "hangup", 3), delivery(e, call, "dial", 1)];
        put(
            &store,
            Commit {
                deliveries,
                ..Commit::of(event(e, call, "dial", &format!("{call}.1")))
            },
        );
    }
    let claim = |owner: &'static str, now: DateTime<Utc>, limit: i64| {
        let work = move |conn: &mut Conn| {
            deliveries::claim(
                conn,
                e,
                "retailcrm",
                owner,
                now,
                now + Duration::from_secs(60),
                limit,
            )
        };
        wait(store.write(work)).unwrap()
    };
    assert!(
        claim("a", noon() - Duration::from_secs(1), 10).is_empty(),
        "not before their time"
    );
    let mine = claim("a", noon(), 3);
    let order: Vec<_> = mine
        .iter()
        .map(|d| (d.call.0, d.kind.as_str(), d.state))
        .collect();
    assert_eq!(
        order,
        [
            (1, "dial", DeliveryState::Leased),
            (1, "hangup", DeliveryState::Leased),
            (2, "dial", DeliveryState::Leased)
        ]
    );
    assert_eq!(
        claim("b", noon(), 10).len(),
        1,
        "what is leased is nobody else's"
    );
    assert_eq!(
        claim("b", noon() + Duration::from_secs(61), 10).len(),
        4,
        "until the lease runs out"
    );
    assert_eq!(
        wait(store.write(|conn| deliveries::release(conn, "a"))).unwrap(),
        0
    );
    assert_eq!(
        wait(store.write(|conn| deliveries::release(conn, "b"))).unwrap(),
        4
    );
    assert_eq!(
        read(&store, deliveries::open),
        [(e, "retailcrm".to_owned())]
    );
    let backlog = read(&store, |conn| deliveries::backlog(conn, None));
    assert_eq!(backlog.len(), 1);
    assert_eq!(
        (backlog[0].count, backlog[0].state),
        (4, DeliveryState::Due)
    );
}

fn failed_deliveries_are_sent_again(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    let deliveries = vec![
        delivery(e, 1, "dial", 1),
        delivery(e, 1, "hangup", 2),
        delivery(e, 1, "upload", 3),
    ];
    put(
        &store,
        Commit {
            deliveries,
            ..Commit::of(event(e, 1, "dial", "1.1"))
        },
    );
    let rows = read(&store, move |conn| deliveries::of_call(conn, e, CallId(1)));
    for (row, verdict) in rows
        .iter()
        .zip([Verdict::Missed, Verdict::Failed, Verdict::Done])
    {
        let settlement = Settlement {
            delivery: row.id,
            verdict,
            attempts: 3,
            words: "no".into(),
            at: noon(),
            log: None,
        };
        wait(store.settle(settlement)).unwrap();
    }
    let resend = |enterprise: i64, which: Resend| {
        wait(store.write(move |conn| deliveries::resend(conn, enterprise, &which, noon()))).unwrap()
    };
    let one = rows[0].id;
    assert_eq!(
        resend(
            other,
            Resend {
                delivery: Some(one),
                ..Resend::default()
            }
        ),
        0,
        "another enterprise's"
    );
    assert_eq!(
        resend(
            e,
            Resend {
                integration: "bitrix24".into(),
                ..Resend::default()
            }
        ),
        0
    );
    assert_eq!(
        resend(
            e,
            Resend {
                delivery: Some(one),
                ..Resend::default()
            }
        ),
        1
    );
    assert_eq!(
        resend(
            e,
            Resend {
                integration: "retailcrm".into(),
                ..Resend::default()
            }
        ),
        1
    );
    let rows = read(&store, move |conn| deliveries::of_call(conn, e, CallId(1)));
    let states: Vec<_> = rows.iter().map(|d| (d.state, d.attempts)).collect();
    assert_eq!(
        states,
        [
            (DeliveryState::Due, 0),
            (DeliveryState::Due, 0),
            (DeliveryState::Done, 3)
        ]
    );
    let found = |enterprise: Option<i64>| {
        read(&store, move |conn| deliveries::by_id(conn, enterprise, one)).is_some()
    };
    assert_eq!(
        (found(Some(e)), found(None), found(Some(other))),
        (true, true, false)
    );
    assert_eq!(
        read(&store, move |conn| deliveries::recent(
            conn,
            e,
            "retailcrm",
            2
        ))
        .len(),
        2
    );
}

fn logs_are_filtered(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    let log = |enterprise: i64, integration: &str, status: &str, call: &str, seconds: u64| NewLog {
        enterprise,
        integration: integration.into(),
        status: status.into(),
        unique_id: call.into(),
        delivery: Some(i64::try_from(seconds).unwrap()),
        at: noon() + Duration::from_secs(seconds),
        ..NewLog::default()
    };
    let all = [
        log(e, "retailcrm", "success", "1.1", 1),
        log(e, "retailcrm", "error", "1.1", 2),
        log(e, "bitrix24", "success", "2.1", 3),
        log(other, "retailcrm", "success", "1.1", 4),
    ];
    wait(store.write(move |conn| {
        all.iter()
            .try_for_each(|log| logs::add(conn, log).map(drop))
    }))
    .unwrap();
    let page = |filter: logs::Filter| -> Vec<i64> {
        let rows = read(&store, move |conn| logs::page(conn, &filter, 0, 10));
        rows.into_iter().map(|log| log.delivery.unwrap()).collect()
    };
    let mine = || logs::Filter {
        enterprise: Some(e),
        ..logs::Filter::default()
    };
    assert_eq!(page(mine()), [3, 2, 1]);
    assert_eq!(
        page(logs::Filter {
            integration: "retailcrm".into(),
            ..mine()
        }),
        [2, 1]
    );
    assert_eq!(
        page(logs::Filter {
            status: "success".into(),
            ..mine()
        }),
        [3, 1]
    );
    assert_eq!(
        page(logs::Filter {
            call: "1.1".into(),
            ..mine()
        }),
        [2, 1]
    );
    assert_eq!(
        page(logs::Filter {
            from: Some(noon() + Duration::from_secs(3)),
            ..mine()
        }),
        [3]
    );
    assert_eq!(
        page(logs::Filter {
            to: Some(noon() + Duration::from_secs(3)),
            ..mine()
        }),
        [2, 1]
    );
    assert_eq!(
        page(logs::Filter {
            delivery: Some(2),
            ..mine()
        }),
        [2]
    );
    assert_eq!(
        read(&store, move |conn| logs::of_deliveries(conn, e, &[1, 2, 4])).len(),
        2
    );
    let counts = read(&store, move |conn| logs::counts(conn, Some(e), noon()));
    let expected = [
        ("bitrix24", "success", 1),
        ("retailcrm", "error", 1),
        ("retailcrm", "success", 1),
    ];
    assert_eq!(
        counts,
        expected.map(|(i, s, n)| (i.to_owned(), s.to_owned(), n))
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
    let later = noon() + Duration::from_secs(1);
    let removed =
        |part: i64| wait(store.write(move |conn| retention::events(conn, e, later, part))).unwrap();
    assert_eq!((removed(1), removed(10), removed(10)), (1, 1, 0));
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

fn a_reader_that_panics_takes_nothing_with_it(database: &TestDatabase) {
    let store = database.store();
    let died =
        wait(store.read(|conn| -> Result<(), StoreError> {
            conn.transaction(|_| panic!("a test's panic"))
        }));
    assert_eq!(died, Err(StoreError::Panicked));
    for _ in 0..8 {
        assert_eq!(read(&store, |conn| journal::count(conn, None)), 0);
    }
}

crate::for_each_database!(
    every_table_and_column_exists,
    a_call_is_read_with_the_bridges_it_names,
    unfinished_calls_come_back_in_order,
    a_parked_event_stays_with_its_note,
    an_id_leads_to_its_call,
    a_page_of_calls_is_filtered,
    one_call_is_its_enterprises_alone,
    claims_are_leases,
    failed_deliveries_are_sent_again,
    logs_are_filtered,
    a_clients_name_is_kept,
    what_is_old_is_removed_and_what_lives_stays,
    a_reader_that_panics_takes_nothing_with_it,
);
