//! What the group-commit lane promises.

use super::*;
use crate::store::testing::{TestDatabase, number, wait};
use crate::store::{Commit, Committed, journal};

fn stored(outcome: Committed) -> i64 {
    match outcome {
        Committed::Stored { event, .. } => event,
        Committed::Duplicate => panic!("a duplicate"),
    }
}

fn an_event_is_there_after_its_commit(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let mut commit = Commit::of(event(e, 1, "start", "1.1"));
    commit.call = Some(row(record(e, 1, "1.1"), CallState::Live));
    commit.deliveries = vec![delivery(e, 1, "dial", 1)];
    let id = stored(wait(store.commit(commit.clone())).unwrap());
    let events = wait(store.read(move |conn| journal::of_call(conn, e, CallId(1)))).unwrap();
    assert_eq!(
        events.iter().map(|event| event.id).collect::<Vec<_>>(),
        [id]
    );
    assert_eq!(events[0].raw, r#"{"UniqueId": "1.1"}"#);
    assert_eq!(wait(store.commit(commit)).unwrap(), Committed::Duplicate);
    let call = wait(store.read(move |conn| crate::store::calls::by_id(conn, Some(e), CallId(1))))
        .unwrap()
        .unwrap();
    assert_eq!(call.record, record(e, 1, "1.1"));
    assert_eq!(
        number(&mut database.connect(), "SELECT count(*) FROM deliveries"),
        1
    );
}

crate::for_each_database!(an_event_is_there_after_its_commit);
