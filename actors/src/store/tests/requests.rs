//! What the table of click-to-call requests promises, and the host's part of an enterprise.

use chrono::TimeDelta;

use super::{enterprise, noon};
use crate::cache::snapshot::HostKind;
use crate::call::record::CallId;
use crate::store::enterprises::{self, Key};
use crate::store::requests::{self, ManagerStatus, NewRequest, RequestState};
use crate::store::testing::{databases, wait};
use secrecy::ExposeSecret;

fn click(enterprise: i64, id: &str, seconds: i64) -> NewRequest {
    NewRequest {
        id: id.into(),
        enterprise,
        extension: "150".into(),
        number: "+375296254070".into(),
        source: "retailcrm".into(),
        memory: serde_json::Value::Null,
        at: noon() + TimeDelta::seconds(seconds),
    }
}

#[test]
fn the_same_click_within_seconds_is_one_request() {
    for database in databases() {
        let store = database.store();
        let (june, july) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
        let within = TimeDelta::seconds(3);
        let mut conn = database.connect();
        let mut add = |new: NewRequest| requests::add(&mut conn, &new, within).unwrap();
        assert_eq!(add(click(june, "r1", 0)), None);
        assert_eq!(add(click(june, "r2", 2)), Some("r1".into()));
        assert_eq!(
            add(click(july, "r3", 2)),
            None,
            "another enterprise's click is another"
        );
        assert_eq!(add(click(june, "r4", 4)), None, "later it is meant");
        requests::advance(
            &mut database.connect(),
            june,
            "r4",
            RequestState::Failed,
            None,
            "down",
            noon(),
        )
        .unwrap();
        assert_eq!(
            add(click(june, "r5", 5)),
            None,
            "what failed may be tried again at once"
        );
    }
}

#[test]
fn a_click_that_the_crm_tells_again_is_one_request_however_late() {
    for database in databases() {
        let store = database.store();
        let june = enterprise(&store, "0367");
        let mut conn = database.connect();
        let mut add = |id: &str, seconds, call: &str| {
            let mut new = click(june, id, seconds);
            new.memory = serde_json::json!({ "call_id": call });
            requests::add(&mut conn, &new, TimeDelta::seconds(3)).unwrap()
        };
        assert_eq!(add("r1", 0, "a"), None);
        assert_eq!(add("r2", 100, "a"), Some("r1".into()));
        assert_eq!(add("r3", 101, "b"), None, "the client is called again");
    }
}

#[test]
fn a_request_is_followed_to_its_end_within_its_enterprise() {
    for database in databases() {
        let store = database.store();
        let (june, july) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
        let mut conn = database.connect();
        let conn = &mut conn;
        requests::add(conn, &click(june, "r1", 0), TimeDelta::zero()).unwrap();
        let call = CallId(5_000_000_000_000_007);
        let advance = |conn: &mut _, whose, state, call| {
            requests::advance(conn, whose, "r1", state, call, "", noon()).unwrap()
        };
        assert!(
            !advance(conn, july, RequestState::Talking, Some(call)),
            "not theirs"
        );
        assert!(advance(conn, june, RequestState::Talking, Some(call)));
        assert!(advance(conn, june, RequestState::Ended, None));
        let kept = requests::of_call(conn, june, call).unwrap().unwrap();
        assert_eq!((kept.state, kept.call), (RequestState::Ended, Some(call)));
        assert_eq!(requests::of_call(conn, july, call).unwrap(), None);
        assert_eq!(requests::by_id(conn, Some(july), "r1").unwrap(), None);
        assert_eq!(requests::recent(conn, Some(june), 9).unwrap(), vec![kept]);
    }
}

#[test]
fn of_what_nothing_is_heard_the_manager_did_not_pick_up() {
    for database in databases() {
        let store = database.store();
        let june = enterprise(&store, "0367");
        let mut conn = database.connect();
        let conn = &mut conn;
        for (id, seconds) in [("old", 0), ("heard", 1), ("new", 50)] {
            requests::add(conn, &click(june, id, seconds), TimeDelta::zero()).unwrap();
        }
        requests::advance(conn, june, "heard", RequestState::Ringing, None, "", noon()).unwrap();
        let gone = requests::give_up(conn, noon() + TimeDelta::seconds(20), noon()).unwrap();
        assert_eq!(gone, 1);
        let mut state = |id| requests::by_id(conn, None, id).unwrap().unwrap().state;
        assert_eq!(state("old"), RequestState::AgentMissed);
        assert_eq!(state("heard"), RequestState::Ringing);
        assert_eq!(state("new"), RequestState::Accepted);
    }
}

#[test]
fn a_managers_status_is_the_last_one_told() {
    for database in databases() {
        let store = database.store();
        let june = enterprise(&store, "0367");
        let mut conn = database.connect();
        let told = |status: &str| ManagerStatus {
            integration: "retailcrm".into(),
            manager: "16".into(),
            status: status.into(),
            at: noon(),
        };
        for status in ["free", "busy"] {
            requests::save_status(&mut conn, june, &told(status)).unwrap();
        }
        assert_eq!(
            requests::statuses(&mut conn, june).unwrap(),
            vec![told("busy")]
        );
    }
}

#[test]
fn a_hosts_key_is_sealed_in_the_table_and_open_in_the_snapshot() {
    for database in databases() {
        let store = database.store();
        let june = enterprise(&store, "0367");
        let vault = store.vault().clone();
        let loaded = wait(store.write(move |conn| {
            let mut new = enterprises::details(conn, &vault, june)?.unwrap();
            new.host_address = "10.0.0.5".into();
            new.host_kind = HostKind::Plain;
            new.ssh_key = Some("-----BEGIN OPENSSH PRIVATE KEY-----".into());
            enterprises::update(conn, &vault, june, &new, noon())?;
            enterprises::load(conn, &vault, &Key::Id(june))
        }))
        .unwrap()
        .unwrap();
        let key = loaded.host.key.as_ref().unwrap();
        assert!(key.expose_secret().starts_with("-----BEGIN"));
        assert_eq!(
            (loaded.host.kind, loaded.host.address.as_str()),
            (HostKind::Plain, "10.0.0.5")
        );
        assert!(!format!("{loaded:?}").contains("BEGIN"));
        use diesel::prelude::*;
        let sealed: String = crate::store::conn::on!(&mut database.connect(), c => {
            crate::store::schema::enterprises::table.select(crate::store::schema::enterprises::ssh_key).first(c).unwrap()
        });
        assert!(
            sealed.starts_with("v1:") && !sealed.contains("BEGIN"),
            "{sealed}"
        );
    }
}
