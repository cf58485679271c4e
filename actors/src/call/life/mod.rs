//! The life of calls with their actors, on both databases: restarts, panics, events set aside, merges, calls closed
//! as lost, a store that fails. Every test ends with the journal holding what was answered.

mod house;

use std::time::Duration;

use serde_json::{Value, json};

use super::event::{Event, EventKind};
use super::intake::Times;
use super::record::{Outcome, Phase};
use crate::store::journal;
use house::{House, on_both};

/// The machine panics on this in tests; nothing a host sends can make it.
pub fn break_if_poisonous(event: &Event) {
    assert!(event.request_id != "poison", "a poisonous event");
}

fn leg(more: Value) -> Value {
    let mut body = json!({"UniqueId": "1.1", "LinkedId": "1.1", "CallType": 0, "Phone": "375291234567", "CallerIDNum": "375291234567"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn a_call_is_followed_from_start_to_end() {
    on_both(async |database, id| {
        let house = House::open(database.store(), id, Times::default()).await;
        house.send(EventKind::Start, leg(json!({}))).await.unwrap();
        house
            .send(EventKind::Dial, leg(json!({"Extensions": ["150"]})))
            .await
            .unwrap();
        house
            .send(EventKind::Bridge, leg(json!({"Extensions": ["150"]})))
            .await
            .unwrap();
        house
            .until("the board shows the talk", |house| {
                house.board.snapshot(None).live[0].record.phase == Phase::Talking
            })
            .await;
        house
            .send(EventKind::Hangup, leg(json!({"CallStatus": "2"})))
            .await
            .unwrap();
        let rows = house.rows().await;
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].outcome, rows[0].talked.as_slice()),
            (Some(Outcome::Answered), &["150".to_owned()][..])
        );
        assert_eq!(
            house.kinds(&rows[0]).await,
            ["dial", "bridge:150", "hangup", "upload"]
        );
        house
            .until("the board is empty", |house| house.board.live_count() == 0)
            .await;
    });
}

#[test]
fn a_resend_is_answered_and_has_no_second_effect() {
    on_both(async |database, id| {
        let house = House::open(database.store(), id, Times::default()).await;
        let hangup = leg(json!({"CallStatus": "2", "Extensions": ["150"]}));
        assert!(
            !house
                .send(EventKind::Hangup, hangup.clone())
                .await
                .unwrap()
                .duplicate
        );
        assert!(
            house
                .send(EventKind::Hangup, hangup.clone())
                .await
                .unwrap()
                .duplicate
        );
        // Also when nothing of the call is in memory any more.
        let again = House::open(house.store.clone(), id, Times::default()).await;
        assert!(
            again
                .send(EventKind::Hangup, hangup)
                .await
                .unwrap()
                .duplicate
        );
        assert_eq!(house.journal().await, 1);
        assert_eq!(
            house.kinds(&house.rows().await[0]).await,
            ["dial", "hangup", "upload"]
        );
    });
}

/// Its call has no row yet, and no event of the journal carries the unique id that the next one has.
#[test]
fn a_leg_that_came_first_leads_to_its_call_after_a_restart_too() {
    on_both(async |database, id| {
        let house = House::open(database.store(), id, Times::default()).await;
        let agent = json!({"UniqueId": "1.2", "LinkedId": "1.1", "CallerIDNum": "150"});
        house.send(EventKind::BridgeLeave, agent).await.unwrap();
        let house = House::open(house.store.clone(), id, Times::default()).await;
        house
            .send(EventKind::Hangup, leg(json!({"CallStatus": "2"})))
            .await
            .unwrap();
        let rows = house.rows().await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].events_count, 2, "both events are one call's");
    });
}

#[test]
fn a_restart_in_the_middle_changes_nothing() {
    on_both(async |database, id| {
        let store = database.store();
        let house = House::open(store.clone(), id, Times::default()).await;
        house.send(EventKind::Start, leg(json!({}))).await.unwrap();
        house
            .send(EventKind::Dial, leg(json!({"Extensions": ["150"]})))
            .await
            .unwrap();
        let uuid = house.board.snapshot(None).live[0].record.uuid;
        let house = House::open(store.clone(), id, Times::default()).await;
        house
            .until("the call is back", |house| house.board.live_count() == 1)
            .await;
        house
            .send(EventKind::Bridge, leg(json!({"Extensions": ["150"]})))
            .await
            .unwrap();
        let house = House::open(store, id, Times::default()).await;
        house
            .send(EventKind::Hangup, leg(json!({"CallStatus": "2"})))
            .await
            .unwrap();
        let rows = house.rows().await;
        assert_eq!(
            (rows.len(), rows[0].uuid, rows[0].events_count),
            (1, uuid, 4)
        );
        assert_eq!(
            house.kinds(&rows[0]).await,
            ["dial", "bridge:150", "hangup", "upload"]
        );
    });
}

#[test]
fn an_event_for_a_retired_call_finds_it_in_the_journal() {
    on_both(async |database, id| {
        let times = Times {
            retire_after: Duration::ZERO,
            sweep_every: Duration::from_millis(5),
            ..Times::default()
        };
        let house = House::open(database.store(), id, times).await;
        house
            .send(EventKind::Hangup, leg(json!({"CallStatus": "0"})))
            .await
            .unwrap();
        house
            .until("the call is retired", |house| {
                house
                    .calls
                    .deps()
                    .counters
                    .in_memory
                    .load(std::sync::atomic::Ordering::Relaxed)
                    == 0
            })
            .await;
        house
            .send(EventKind::Bridge, leg(json!({"Extensions": ["150"]})))
            .await
            .unwrap();
        let rows = house.rows().await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].talked, ["150"]);
        assert_eq!(rows[0].outcome, Some(Outcome::Answered));
    });
}

#[test]
fn an_event_that_breaks_its_call_twice_is_set_aside_and_the_call_goes_on() {
    on_both(async |database, id| {
        let house = House::open(database.store(), id, Times::default()).await;
        house.send(EventKind::Start, leg(json!({}))).await.unwrap();
        let taken = house
            .send(EventKind::Dial, leg(json!({"RequestId": "poison"})))
            .await
            .unwrap();
        assert_eq!(taken.call, None);
        house
            .send(EventKind::Hangup, leg(json!({"CallStatus": "0"})))
            .await
            .unwrap();
        let counters = &house.calls.deps().counters;
        assert_eq!(
            counters.parked.load(std::sync::atomic::Ordering::Relaxed),
            1
        );
        let rows = house.rows().await;
        assert_eq!(
            (rows.len(), rows[0].outcome, rows[0].events_count),
            (1, Some(Outcome::Missed), 2)
        );
        assert_eq!(house.journal().await, 3, "the broken one is kept too");
        let parked = house
            .store
            .read(move |conn| journal::by_unique_id(conn, id, "1.1"))
            .await
            .unwrap();
        assert_eq!(
            parked
                .iter()
                .filter(|event| event.parked && event.note.contains("broke"))
                .count(),
            1
        );
        // And it does not break the next start either.
        let again = House::open(house.store.clone(), id, Times::default()).await;
        assert!(
            again
                .send(EventKind::Start, leg(json!({})))
                .await
                .unwrap()
                .duplicate
        );
    });
}

#[test]
fn two_calls_that_turn_out_to_be_one_leave_one() {
    on_both(async |database, id| {
        let house = House::open(database.store(), id, Times::default()).await;
        house.send(EventKind::Start, leg(json!({}))).await.unwrap();
        let consultation = |more: Value| {
            let mut body = json!({"UniqueId": "1.3", "LinkedId": "1.3", "CallType": 2, "Phone": "151", "CallerIDNum": "150"});
            body.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            body
        };
        house
            .send(EventKind::Start, consultation(json!({})))
            .await
            .unwrap();
        house
            .send(
                EventKind::Bridge,
                consultation(json!({"Extensions": ["151"], "ChannelUniqueId": "1.4"})),
            )
            .await
            .unwrap();
        house
            .until("both are shown", |house| house.board.live_count() == 2)
            .await;
        let leave = json!({"UniqueId": "1.4", "LinkedId": "1.1", "CallerIDNum": "151", "BridgeUniqueId": "b"});
        house.send(EventKind::BridgeLeave, leave).await.unwrap();
        house
            .until("one is shown", |house| house.board.live_count() == 1)
            .await;
        house
            .send(EventKind::Hangup, consultation(json!({"CallStatus": "2"})))
            .await
            .unwrap();
        house
            .send(
                EventKind::Hangup,
                leg(json!({"CallStatus": "2", "Extensions": ["150"]})),
            )
            .await
            .unwrap();
        let rows = house.rows().await;
        assert_eq!(rows.len(), 1, "{rows:#?}");
        assert_eq!(
            (rows[0].events_count, rows[0].phone.as_deref()),
            (6, Some("+375291234567"))
        );
        let call = rows[0].call;
        let events = house
            .store
            .read(move |conn| journal::of_calls(conn, &[call]))
            .await
            .unwrap();
        assert_eq!(
            events.len(),
            6,
            "the absorbed call's events are its survivor's"
        );
    });
}

#[test]
fn a_call_without_a_hangup_is_closed_as_lost_and_a_late_hangup_corrects_it() {
    on_both(async |database, id| {
        let times = Times {
            lost_after: Duration::ZERO,
            sweep_every: Duration::from_millis(5),
            ..Times::default()
        };
        let house = House::open(database.store(), id, times).await;
        house.send(EventKind::Start, leg(json!({}))).await.unwrap();
        house
            .send(EventKind::Bridge, leg(json!({"Extensions": ["150"]})))
            .await
            .unwrap();
        let mut patience = 2_000;
        // Each event opens the call again and each sweep closes it: closed as lost with both is how it must end up.
        while !house
            .rows()
            .await
            .iter()
            .any(|row| row.outcome == Some(Outcome::Lost) && row.talked == ["150"])
        {
            patience -= 1;
            assert!(
                patience > 0,
                "waited in vain until it is closed: {:?}",
                house.rows().await
            );
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
        house
            .send(EventKind::Hangup, leg(json!({"CallStatus": "2"})))
            .await
            .unwrap();
        let rows = house.rows().await;
        assert_eq!((rows.len(), rows[0].outcome), (1, Some(Outcome::Answered)));
        assert_eq!(
            house
                .kinds(&rows[0])
                .await
                .iter()
                .filter(|kind| *kind == "upload")
                .count(),
            1
        );
    });
}

#[test]
fn many_events_at_once_of_one_new_call_make_one_call() {
    on_both(async |database, id| {
        let house = House::open(database.store(), id, Times::default()).await;
        let sending = (0..40).map(|number| {
            house.send(
                EventKind::Dial,
                leg(json!({"Extensions": [format!("{}", 100 + number)]})),
            )
        });
        for taken in futures_util::future::join_all(sending).await {
            taken.unwrap();
        }
        house
            .send(EventKind::Hangup, leg(json!({"CallStatus": "0"})))
            .await
            .unwrap();
        let rows = house.rows().await;
        assert_eq!(
            (rows.len(), rows[0].rung.len(), house.journal().await),
            (1, 40, 41)
        );
        assert!(house.cache.by_id(id).is_some());
    });
}
