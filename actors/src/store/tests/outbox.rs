//! The outbox as links use it: order by claims, leases, what came too late, what is sent again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{delivery, enterprise, event, noon};
use crate::call::record::CallId;
use crate::store::deliveries::{self, Delivery, NewDelivery};
use crate::store::outbox::{self, Again};
use crate::store::testing::{TestDatabase, wait};
use crate::store::{Commit, Conn, Settlement, Store, StoreError, Verdict};

crate::for_each_database!(
    only_the_first_open_row_of_a_call_is_given_out,
    a_lease_that_ran_out_is_anybodys,
    what_is_put_back_is_due_again,
    what_came_too_late_is_closed_with_its_words,
    failed_and_missed_rows_can_be_sent_again,
    telegram_is_left_alone,
);

struct Box {
    store: Store,
    enterprise: i64,
}

impl Box {
    fn new(database: &TestDatabase) -> Box {
        let store = database.store();
        let enterprise = enterprise(&store, "0367");
        Box { store, enterprise }
    }

    fn put(&self, call: i64, kind: &str, position: i32, change: impl FnOnce(&mut NewDelivery)) {
        let mut row = delivery(self.enterprise, call, kind, position);
        row.integration = "retailcrm".into();
        row.lease = false;
        row.not_before = noon();
        change(&mut row);
        let mut commit = Commit::of(event(
            self.enterprise,
            call,
            kind,
            &format!("{call}.{kind}"),
        ));
        commit.deliveries = vec![row];
        wait(self.store.commit(commit)).unwrap();
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn, i64) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        let enterprise = self.enterprise;
        wait(self.store.write(move |conn| work(conn, enterprise))).unwrap()
    }

    fn claim(&self, owner: &'static str, now: DateTime<Utc>) -> Vec<String> {
        let until = now + Duration::from_secs(60);
        let rows = self.run(move |conn, id| {
            outbox::claim_heads(conn, id, "retailcrm", owner, (now, until), 10)
        });
        rows.iter().map(name).collect()
    }

    fn rows(&self, call: i64) -> Vec<Delivery> {
        self.run(move |conn, id| deliveries::of_call(conn, id, CallId(call)))
    }

    fn settle(&self, call: i64, kind: &str, verdict: Verdict) {
        let id = self
            .rows(call)
            .iter()
            .find(|row| row.kind == kind)
            .unwrap()
            .id;
        let settlement = Settlement {
            delivery: id,
            verdict,
            attempts: 1,
            words: "words".into(),
            at: noon(),
            log: None,
        };
        wait(self.store.settle(settlement)).unwrap();
    }

    fn states(&self, call: i64) -> Vec<String> {
        self.rows(call)
            .iter()
            .map(|row| format!("{} {}", row.kind, row.state.as_str()))
            .collect()
    }
}

fn name(row: &Delivery) -> String {
    format!("{}/{}", row.call.0, row.kind)
}

fn later(seconds: i64) -> DateTime<Utc> {
    noon() + chrono::Duration::seconds(seconds)
}

fn only_the_first_open_row_of_a_call_is_given_out(database: &TestDatabase) {
    let outbox = Box::new(database);
    outbox.put(1, "hangup", 2, |_| ());
    outbox.put(1, "dial", 1, |_| ());
    outbox.put(2, "dial", 1, |row| row.not_before = later(30));
    outbox.put(2, "hangup", 2, |_| ());
    outbox.put(3, "upload", 1_000, |_| ());
    assert_eq!(
        outbox.claim("a", later(1)),
        ["1/dial", "3/upload"],
        "2's dial is not due yet, and its hang-up waits for it"
    );
    assert_eq!(
        outbox.claim("b", later(1)),
        [""; 0],
        "leased rows hold up what follows them"
    );
    outbox.settle(1, "dial", Verdict::Again(later(20)));
    assert_eq!(outbox.claim("a", later(2)), [""; 0]);
    assert_eq!(outbox.claim("a", later(21)), ["1/dial"]);
    outbox.settle(1, "dial", Verdict::Missed);
    assert_eq!(outbox.claim("a", later(22)), ["1/hangup"]);
    assert_eq!(outbox.claim("a", later(40)), ["2/dial"]);
}

fn a_lease_that_ran_out_is_anybodys(database: &TestDatabase) {
    let outbox = Box::new(database);
    outbox.put(1, "dial", 1, |_| ());
    assert_eq!(outbox.claim("a", later(1)), ["1/dial"]);
    let reclaim = |at| outbox.run(move |conn, _| outbox::reclaim(conn, at));
    assert_eq!(reclaim(later(60)), 0);
    let id = outbox.rows(1)[0].id;
    assert_eq!(
        outbox.run(move |conn, _| outbox::renew(conn, "a", &[id], later(100))),
        1
    );
    assert_eq!(
        outbox.run(move |conn, _| outbox::renew(conn, "b", &[id], later(900))),
        0,
        "not b's to prolong"
    );
    assert_eq!(reclaim(later(62)), 0);
    assert_eq!(reclaim(later(101)), 1);
    assert_eq!(outbox.claim("b", later(102)), ["1/dial"]);
}

fn what_is_put_back_is_due_again(database: &TestDatabase) {
    let outbox = Box::new(database);
    for call in 1..=3 {
        outbox.put(call, "dial", 1, |_| ());
    }
    assert_eq!(outbox.claim("a", later(1)).len(), 3);
    let id = outbox.rows(1)[0].id;
    assert_eq!(
        outbox.run(move |conn, _| outbox::put_back(conn, "b", &[id])),
        0
    );
    assert_eq!(
        outbox.run(move |conn, _| outbox::put_back(conn, "a", &[id])),
        1
    );
    assert_eq!(outbox.claim("b", later(1)), ["1/dial"]);
    assert_eq!(
        outbox.run(|conn, id| outbox::put_back_all(conn, "a", Some((id + 1, "retailcrm")))),
        0
    );
    assert_eq!(
        outbox.run(|conn, _| outbox::put_back_all(conn, "a", None)),
        2
    );
    assert_eq!(
        outbox.run(|conn, _| outbox::waiting(conn, later(1))),
        [(outbox.enterprise, "retailcrm".to_owned())]
    );
    assert_eq!(
        outbox.run(|conn, _| outbox::backlog(conn)),
        [(outbox.enterprise, "retailcrm".to_owned(), 3)]
    );
}

fn what_came_too_late_is_closed_with_its_words(database: &TestDatabase) {
    let outbox = Box::new(database);
    for (call, kind) in [(1, "dial"), (2, "upload"), (3, "dial")] {
        outbox.put(call, kind, 1, |row| row.expires_at = Some(later(10)));
    }
    outbox.settle(3, "dial", Verdict::Again(later(1)));
    let close = |at| {
        outbox.run(move |conn, _| {
            let ids = outbox::overdue(conn, at, 100)?;
            outbox::close_overdue(conn, &ids, at)
        })
    };
    assert_eq!(close(later(9)), 0);
    assert_eq!(close(later(10)), 3);
    assert_eq!(
        [outbox.states(1), outbox.states(2), outbox.states(3)].concat(),
        ["dial missed", "upload failed", "dial missed"]
    );
    assert_eq!(outbox.rows(1)[0].outcome, "not sent in time to be of use");
    assert_eq!(
        outbox.rows(3)[0].outcome,
        "not sent in time to be of use; before that: words"
    );
    assert_eq!(outbox.rows(1)[0].finished_at, Some(later(10)));
}

fn failed_and_missed_rows_can_be_sent_again(database: &TestDatabase) {
    let outbox = Box::new(database);
    for (call, kind, verdict) in [
        (1, "dial", Verdict::Missed),
        (1, "upload", Verdict::Failed),
        (2, "dial:151", Verdict::Missed),
        (3, "dial", Verdict::Done),
    ] {
        outbox.put(call, kind, 1, |_| ());
        outbox.settle(call, kind, verdict);
    }
    let resend = |wanted: Again| {
        outbox
            .run(move |conn, id| {
                outbox::resend(conn, id, &wanted, later(1), (later(60), later(600)))
            })
            .len()
    };
    assert_eq!(
        resend(Again {
            integration: Some("bitrix24".into()),
            ..Again::default()
        }),
        0
    );
    assert_eq!(
        resend(Again {
            to: Some(DateTime::UNIX_EPOCH),
            ..Again::default()
        }),
        0
    );
    assert_eq!(
        resend(Again {
            kind: Some("dial".into()),
            ..Again::default()
        }),
        2
    );
    assert_eq!(resend(Again::default()), 1, "the history record is left");
    assert_eq!(resend(Again::default()), 0);
    let row = &outbox.rows(2)[0];
    assert_eq!(
        (
            row.state.as_str(),
            row.attempts,
            row.expires_at,
            row.finished_at
        ),
        ("due", 0, Some(later(60)), None)
    );
    assert_eq!(outbox.rows(1)[1].expires_at, Some(later(600)));
    assert_eq!(outbox.states(3), ["dial done"]);
}

fn telegram_is_left_alone(database: &TestDatabase) {
    let outbox = Box::new(database);
    outbox.put(1, "message", 1, |row| {
        row.integration = "telegram".into();
        row.expires_at = Some(later(1));
    });
    assert_eq!(outbox.run(|conn, _| outbox::waiting(conn, later(9))), []);
    assert_eq!(outbox.run(|conn, _| outbox::backlog(conn)), []);
    assert_eq!(
        outbox.run(|conn, _| outbox::overdue(conn, later(9), 9)),
        [0_i64; 0]
    );
}
