//! What a round removes and what it leaves, in both databases.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::*;
use crate::call::record::CallId;
use crate::store::audit::{self, NewEntry};
use crate::store::enterprises::{self, NewEnterprise};
use crate::store::journal::NewEvent;
use crate::store::testing::{TestDatabase, execute, number, wait};
use crate::store::{Commit, Store};

crate::for_each_database!(
    each_enterprise_keeps_its_events_as_long_as_it_wants,
    logs_refusals_and_the_audit_go_by_the_server_s_settings,
    a_round_is_begun_once_a_day_by_one_process,
);

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn enterprise(store: &Store, number: &str, settings: serde_json::Value) -> i64 {
    let new = NewEnterprise {
        number: number.into(),
        name: number.into(),
        token: number.into(),
        settings,
        ..NewEnterprise::default()
    };
    let vault = store.vault().clone();
    wait(store.write(move |conn| enterprises::add(conn, &vault, &new, now()))).unwrap()
}

/// An event of a call of its own that came so many days ago.
fn event(store: &Store, enterprise: i64, days: i64) {
    let key = format!("{enterprise}/{days}");
    let event = NewEvent {
        enterprise,
        call: Some(CallId(enterprise * 10_000 + days)),
        event_type: "start".into(),
        unique_id: key.clone(),
        linked_id: String::new(),
        bridge_id: String::new(),
        event_timestamp: now() - TimeDelta::days(days),
        received_at: now() - TimeDelta::days(days),
        key: key.into_bytes(),
        host_event_id: String::new(),
        raw: "{}".into(),
        data_source: "live".into(),
        parked: false,
        note: String::new(),
    };
    wait(store.commit(Commit::of(event))).unwrap();
}

fn go(store: &Store, terms: Terms) -> Removed {
    let store = store.clone();
    actix_rt::System::new().block_on(async move { round(&store, terms, now()).await.unwrap() })
}

fn each_enterprise_keeps_its_events_as_long_as_it_wants(database: &TestDatabase) {
    let store = database.store();
    let month = enterprise(&store, "0001", json!({"events_days": 30}));
    let for_ever = enterprise(&store, "0002", json!({"events_days": 0}));
    let as_the_server = enterprise(&store, "0003", json!({}));
    for days in [400, 100, 31, 29, 1] {
        for one in [month, for_ever, as_the_server] {
            event(&store, one, days);
        }
    }
    // The call of one old event goes on still.
    execute(
        &mut database.connect(),
        &format!(
            "INSERT INTO calls (id, uuid, enterprise_id, unique_id, linked_id, state, received_at, updated_at) VALUES \
             ({}, 'u', {month}, 'x', 'x', 'live', '2026-01-01 00:00:00', '2026-01-01 00:00:00')",
            month * 10_000 + 400
        ),
    );
    let left = |enterprise: i64| {
        let sql = format!("SELECT count(*) FROM call_events WHERE enterprise_id = {enterprise}");
        number(&mut database.connect(), &sql)
    };
    let terms = Terms {
        events: 90,
        ..Terms::default()
    };
    assert_eq!(go(&store, terms).events, 2 + 2);
    assert_eq!(
        (left(month), left(for_ever), left(as_the_server)),
        (3, 5, 3)
    );
    assert_eq!(go(&store, terms), Removed::default(), "nothing more");
    assert_eq!(go(&store, Terms::default()), Removed::default());
}

fn logs_refusals_and_the_audit_go_by_the_server_s_settings(database: &TestDatabase) {
    let store = database.store();
    let june = enterprise(&store, "0367", json!({}));
    for (days, action) in [(800, "old"), (10, "new")] {
        let entry = NewEntry {
            enterprise: Some(june),
            user: None,
            who: "anna".into(),
            action: action.into(),
            what: json!({}),
        };
        let at = now() - TimeDelta::days(days);
        wait(store.write(move |conn| audit::add(conn, &entry, at))).unwrap();
        execute(
            &mut database.connect(),
            &format!(
                "INSERT INTO refusals (enterprise_id, event_type, reason, created_at) VALUES \
                 ({june}, 'start', '{action}', '{}')",
                at.format("%Y-%m-%d %H:%M:%S")
            ),
        );
    }
    let terms = Terms {
        logs: 90,
        refusals: 14,
        audit: 730,
        ..Terms::default()
    };
    assert_eq!(go(&store, terms).rest, 2);
    let count = |sql: &str| number(&mut database.connect(), sql);
    assert_eq!(
        count("SELECT count(*) FROM audit_log WHERE action = 'new'"),
        1
    );
    assert_eq!(
        count("SELECT count(*) FROM refusals WHERE reason = 'new'"),
        1
    );
    assert_eq!(go(&store, terms).rest, 0);
}

fn a_round_is_begun_once_a_day_by_one_process(database: &TestDatabase) {
    let store = database.store();
    let begun = |at: DateTime<Utc>| wait(begin(&store, at)).unwrap();
    assert!(begun(now()));
    assert!(!begun(now()), "another process is at it");
    assert!(!begun(now() + TimeDelta::hours(23)));
    assert!(begun(now() + TimeDelta::hours(24)));
}
