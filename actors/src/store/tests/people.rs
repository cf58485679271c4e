//! People, sessions, Telegram's subscribers and messages, refusals, the audit log.

use std::time::Duration;

use super::*;
use crate::store::audit::{self, NewEntry};
use crate::store::refusals::{self, NewRefusal};
use crate::store::sessions::{self, NewSession};
use crate::store::telegram::{self, NewMessage};
use crate::store::testing::{TestDatabase, wait};
use crate::store::users::{self, NewUser};
use crate::store::{Conn, StoreError};
use serde_json::json;

fn write<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
) -> T {
    wait(store.write(work)).unwrap()
}

fn user(enterprise: Option<i64>, login: &str) -> NewUser {
    NewUser {
        enterprise,
        login: login.into(),
        full_name: format!("name of {login}"),
        role: "admin".into(),
        password_hash: "$argon2id$".into(),
        password_once: false,
        language: String::new(),
    }
}

fn people_log_in(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    let id = write(&store, move |conn| {
        users::add(conn, &user(Some(e), "ivan"), noon())
    });
    let twice = wait(store.write(move |conn| users::add(conn, &user(None, "ivan"), noon())));
    assert!(matches!(twice, Err(StoreError::Taken(_))));
    write(&store, move |conn| {
        users::set_password(conn, id, "$argon2id$2", true, noon())
    });
    let found = wait(store.read(|conn| users::by_login(conn, "ivan")))
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.id, found.password_hash.as_str(), found.enterprise),
        (id, "$argon2id$2", Some(e))
    );
    assert!(!format!("{found:?}").contains("argon"));
    assert!(
        wait(store.read(move |conn| users::by_id(conn, Some(other), id)))
            .unwrap()
            .is_none()
    );
    assert_eq!(
        wait(store.read(move |conn| users::list(conn, Some(e))))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(wait(store.read(users::count)).unwrap(), 1);
}

fn a_session_lives_until_it_expires(database: &TestDatabase) {
    let store = database.store();
    let id = write(&store, |conn| users::add(conn, &user(None, "root"), noon()));
    let hour = Duration::from_secs(3600);
    let open = move |conn: &mut Conn, token: &str| {
        let new = NewSession {
            token_hash: token.into(),
            user: id,
            csrf: "c".into(),
            address: "::1".into(),
            agent: "test".into(),
            expires_at: noon() + hour,
        };
        sessions::add(conn, &new, noon())
    };
    let first = write(&store, move |conn| open(conn, "one"));
    write(&store, move |conn| open(conn, "two"));
    let find = |token: &'static str, at: DateTime<Utc>| {
        wait(store.read(move |conn| sessions::find(conn, token, at))).unwrap()
    };
    let (session, person) = find("one", noon()).unwrap();
    assert_eq!((session.id, person.login.as_str()), (first, "root"));
    assert!(find("one", noon() + hour).is_none());
    assert!(find("three", noon()).is_none());
    write(&store, move |conn| {
        sessions::touch(conn, first, noon() + hour / 2)
    });
    let list = wait(store.read(move |conn| sessions::list(conn, id, noon()))).unwrap();
    assert_eq!(
        list.iter()
            .map(|s| s.token_hash.as_str())
            .collect::<Vec<_>>(),
        ["one", "two"]
    );
    write(&store, move |conn| sessions::delete(conn, id + 1, first));
    assert!(
        find("one", noon()).is_some(),
        "only one's own session can be ended"
    );
    write(&store, move |conn| sessions::delete(conn, id, first));
    assert!(find("one", noon()).is_none());
    assert_eq!(
        write(&store, move |conn| sessions::sweep(conn, noon() + hour)),
        1
    );
    write(&store, move |conn| open(conn, "four"));
    assert_eq!(write(&store, move |conn| sessions::delete_all(conn, id)), 1);
}

fn subscribers_come_and_go(database: &TestDatabase) {
    let store = database.store();
    let (e, other) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
    write(&store, move |conn| {
        telegram::subscribe(conn, e, 77, "one", noon())
    });
    write(&store, move |conn| {
        telegram::set_active(conn, e, 77, false, "the bot was blocked")
    });
    assert_eq!(
        wait(store.write(move |conn| telegram::set_active(conn, other, 77, true, ""))),
        Err(StoreError::NotFound)
    );
    let list = wait(store.read(move |conn| telegram::subscribers(conn, e))).unwrap();
    assert_eq!(
        (list[0].active, list[0].disabled_reason.as_str()),
        (false, "the bot was blocked")
    );
    write(&store, move |conn| {
        telegram::subscribe(conn, e, 77, "again", noon())
    });
    let list = wait(store.read(move |conn| telegram::subscribers(conn, e))).unwrap();
    assert_eq!(
        (list.len(), list[0].active, list[0].name.as_str()),
        (1, true, "again")
    );
    write(&store, move |conn| telegram::unsubscribe(conn, e, 77));
    assert!(
        wait(store.read(move |conn| telegram::subscribers(conn, e)))
            .unwrap()
            .is_empty()
    );
}

fn a_message_knows_the_one_before(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let message = |call: i64, message: Option<i64>, seconds: u64| NewMessage {
        enterprise: e,
        call: CallId(call),
        chat: 77,
        message,
        phone: "+375296254070".into(),
        text: "📞".into(),
        last: true,
        note: String::new(),
        at: noon() + Duration::from_secs(seconds),
    };
    for new in [
        message(1, Some(11), 1),
        message(2, Some(12), 2),
        message(3, None, 3),
    ] {
        write(&store, move |conn| telegram::save(conn, &new));
    }
    // A later row that knows less does not make the message forgotten.
    let again = NewMessage {
        text: "✅".into(),
        ..message(1, None, 4)
    };
    write(&store, move |conn| telegram::save(conn, &again));
    let first = wait(store.read(move |conn| telegram::messages(conn, e, CallId(1)))).unwrap();
    assert_eq!(
        (first[0].message, first[0].text.as_str(), first[0].sent_at),
        (Some(11), "✅", noon() + Duration::from_secs(1))
    );
    let previous = |call: i64, since: u64| {
        let since = noon() + Duration::from_secs(since);
        wait(store.read(move |conn| {
            telegram::previous(conn, e, 77, "+375296254070", CallId(call), since)
        }))
        .unwrap()
    };
    assert_eq!(
        previous(4, 0),
        Some(12),
        "the latest that Telegram confirmed"
    );
    assert_eq!(previous(2, 0), Some(11), "not the call's own");
    assert_eq!(previous(4, 5), None, "not an old one");
    assert_eq!(
        wait(store.read(move |conn| telegram::messages_of(conn, e, &[CallId(1), CallId(3)])))
            .unwrap()
            .len(),
        2
    );
}

fn refusals_are_counted(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    let many: Vec<NewRefusal> = (0..1200)
        .map(|number| NewRefusal {
            enterprise: (number % 2 == 0).then_some(e),
            event_type: "start".into(),
            reason: if number % 3 == 0 { "token" } else { "json" }.into(),
            detail: format!("\u{0}{number}"),
            address: "::1".into(),
            body: "\u{0}{".into(),
            at: noon(),
        })
        .collect();
    write(&store, move |conn| refusals::add(conn, &many));
    let mine = wait(store.read(move |conn| refusals::recent(conn, Some(e), 5))).unwrap();
    assert_eq!(
        mine.iter().map(|r| r.detail.as_str()).collect::<Vec<_>>(),
        ["1198", "1196", "1194", "1192", "1190"]
    );
    assert_eq!(
        wait(store.read(|conn| refusals::recent(conn, None, 5)))
            .unwrap()
            .len(),
        5
    );
    let counts = wait(store.read(|conn| refusals::counts(conn, noon()))).unwrap();
    assert_eq!(
        counts,
        [("json".to_owned(), 800), ("token".to_owned(), 400)]
    );
}

fn changes_are_audited(database: &TestDatabase) {
    let store = database.store();
    let e = enterprise(&store, "0367");
    for enterprise in [Some(e), None] {
        let new = NewEntry {
            enterprise,
            user: None,
            who: "root".into(),
            action: "login".into(),
            what: json!({"from": "::1"}),
        };
        write(&store, move |conn| audit::add(conn, &new, noon()));
    }
    assert_eq!(
        wait(store.read(move |conn| audit::page(conn, Some(e), 0, 10)))
            .unwrap()
            .len(),
        1
    );
    let all = wait(store.read(|conn| audit::page(conn, None, 0, 10))).unwrap();
    assert_eq!((all.len(), all[0].what.as_str()), (2, r#"{"from":"::1"}"#));
}

crate::for_each_database!(
    people_log_in,
    a_session_lives_until_it_expires,
    subscribers_come_and_go,
    a_message_knows_the_one_before,
    refusals_are_counted,
    changes_are_audited,
);
