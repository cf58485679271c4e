//! Deliveries as the writer keeps them, what became of them, and their log.

use std::time::Duration;

use super::*;
use crate::store::deliveries::{self, DeliveryState};
use crate::store::logs::{self, NewLog};
use crate::store::testing::{TestDatabase, number, wait};
use crate::store::{Commit, Conn, Options, Settlement, StoreError, Verdict, outbox};

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

fn read<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
) -> T {
    wait(store.read(work)).unwrap()
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
        outbox::claim_heads(
            conn,
            e,
            "retailcrm",
            "us",
            (noon(), noon() + Duration::from_secs(60)),
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
        wait(store.write(|conn| outbox::put_back_all(conn, "us", None))).unwrap(),
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

crate::for_each_database!(
    a_delivery_nobody_tried_is_renewed_and_another_is_not,
    a_due_delivery_that_asks_for_it_is_leased_at_once,
    what_is_withdrawn_is_not_sent,
    what_became_of_a_delivery_is_kept_with_its_log,
    logs_are_filtered,
);
