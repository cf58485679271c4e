//! The patterns as tables of what a host would send, and rules that hold for each.

use std::fmt::Write as _;

use chrono::TimeZone;
use proptest::prelude::*;

use super::*;

fn plan(pattern: Pattern, seed: u64) -> Plan {
    Plan {
        pattern,
        phone: "375291234567".into(),
        extensions: vec!["150".into(), "151".into(), "152".into()],
        line: "0001367".into(),
        ring: Duration::from_secs(4),
        talk: Duration::from_secs(20),
        began: Utc.with_ymd_and_hms(2026, 11, 20, 14, 2, 33).unwrap(),
        zone: chrono_tz::Europe::Minsk,
        seed,
    }
}

fn events(pattern: Pattern) -> Vec<Event> {
    compose(&plan(pattern, 1)).unwrap().1
}

#[test]
fn what_each_pattern_sends() {
    let mut table = String::new();
    for pattern in Pattern::ALL {
        let _ = writeln!(table, "{}", pattern.as_str());
        for event in events(pattern) {
            let said = |key: &str| {
                event
                    .body
                    .get(key)
                    .map(|v| format!(" {key}={v}"))
                    .unwrap_or_default()
            };
            let words: String = [
                "CallType",
                "Extensions",
                "CallStatus",
                "DialStatus",
                "BillSec",
                "DateReceived",
            ]
            .map(said)
            .concat();
            let _ = writeln!(
                table,
                "  {:>6.2} {}{words}",
                event.at.as_secs_f64(),
                event.path
            );
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_call_field_by_field() {
    insta::assert_json_snapshot!(
        events(Pattern::IncomingAnswered)
            .iter()
            .map(|e| (e.path, &e.body))
            .collect::<Vec<_>>()
    );
}

/// What real hosts sent, from the captures of a real Asterisk.
#[test]
fn the_fields_are_those_of_a_real_host() {
    let real = [
        (
            "/start",
            "CallType CallerIDNum Channel ChannelUniqueId ConnectedLineNum DateReceived EventId ExternalInitiated LinkedId Phone StartTime Trunk UniqueId",
        ),
        (
            "/dial",
            "CallType CallerIDNum Channel ChannelUniqueId ConnectedLineNum DateReceived EventId Extensions ExternalInitiated LinkedId Phone StartTime Trunk UniqueId",
        ),
        (
            "/bridge",
            "CallStatus CallType CallerIDNum Channel ChannelUniqueId ConnectedLineNum DateReceived EventId Extensions ExternalInitiated LinkedId Phone StartTime Trunk UniqueId",
        ),
        (
            "/bridge_create",
            "BridgeNumChannels BridgeTechnology BridgeType BridgeUniqueId DateReceived",
        ),
        (
            "/bridge_leave",
            "BridgeNumChannels BridgeTechnology BridgeType BridgeUniqueId CallerIDNum Channel ConnectedLineNum DateReceived LinkedId UniqueId",
        ),
        (
            "/bridge_destroy",
            "BridgeNumChannels BridgeTechnology BridgeType BridgeUniqueId DateReceived",
        ),
        (
            "/new_callerid",
            "CallerIDNum Channel ConnectedLineNum DateReceived LinkedId UniqueId",
        ),
        (
            "/hangup",
            "AnswerTime BillSec CallStatus CallType CallerIDNum Channel ChannelUniqueId ConnectedLineNum DateReceived DialStatus Duration EndTime EventId Extensions ExternalInitiated HangupCause LastConnected LinkedId Phone RecordFile StartTime Trunk UniqueId",
        ),
    ];
    for event in Pattern::ALL.into_iter().flat_map(events) {
        let mut keys: Vec<&str> = event.body.keys().map(String::as_str).collect();
        keys.sort_unstable();
        let (_, wanted) = real.iter().find(|(path, _)| *path == event.path).unwrap();
        assert_eq!(keys.join(" "), *wanted, "{}", event.path);
    }
}

#[test]
fn what_a_pattern_cannot_be_played_with() {
    let few = Plan {
        extensions: vec!["150".into()],
        ..plan(Pattern::Internal, 1)
    };
    assert_eq!(compose(&few), Err(BadPlan::FewExtensions(2)));
    let none = Plan {
        extensions: vec![],
        ..plan(Pattern::IncomingBusy, 1)
    };
    assert_eq!(compose(&none), Err(BadPlan::FewExtensions(1)));
    let long = Plan {
        talk: Duration::from_secs(100_000),
        ..plan(Pattern::Internal, 1)
    };
    assert_eq!(compose(&long), Err(BadPlan::TooLong));
}

fn patterns() -> impl Strategy<Value = Pattern> {
    prop::sample::select(&Pattern::ALL[..])
}

proptest! {
    #[test]
    fn the_same_seed_is_the_same_call_and_another_seed_another(pattern in patterns(), seed in any::<u64>()) {
        prop_assert_eq!(compose(&plan(pattern, seed)), compose(&plan(pattern, seed)));
        let other = compose(&plan(pattern, seed.wrapping_add(1))).unwrap().0;
        prop_assert_ne!(compose(&plan(pattern, seed)).unwrap().0, other);
    }

    #[test]
    fn every_event_of_a_call_leads_to_it(pattern in patterns(), seed in any::<u64>()) {
        let (unique_id, events) = compose(&plan(pattern, seed)).unwrap();
        prop_assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at), "sent in time's order");
        for event in &events {
            let of_bridge = matches!(event.path, "/bridge_create" | "/bridge_destroy");
            let leads = event.body.get("LinkedId").is_some_and(|id| *id == unique_id.as_str());
            prop_assert!(of_bridge || leads);
            prop_assert_eq!(event.event_id.is_some(), event.body.contains_key("EventId"));
        }
        let hangups = events.iter().filter(|event| event.path == "/hangup").count();
        prop_assert_eq!(hangups, if pattern == Pattern::Duplicated { 2 } else { 1 });
    }

    /// However fast it is played, no event comes before it happened.
    #[test]
    fn no_event_tells_of_the_future(pattern in patterns(), seed in any::<u64>(), speed in 0.5..200.0f64) {
        use crate::emulator::player::{head_start, scaled};
        let (_, events) = compose(&plan(pattern, seed)).unwrap();
        let earlier = head_start(&events, speed);
        for event in events {
            prop_assert!(event.happened <= earlier + scaled(event.at, speed));
        }
    }

    #[test]
    fn disorder_is_the_same_events_in_another_order(seed in any::<u64>()) {
        let path = |events: &[Event]| events.iter().map(|e| e.path).collect::<Vec<_>>();
        let tidy = path(&compose(&plan(Pattern::IncomingAnswered, seed)).unwrap().1);
        let mixed = path(&compose(&plan(Pattern::OutOfOrder, seed)).unwrap().1);
        prop_assert_ne!(&mixed, &tidy);
        let sorted = |mut list: Vec<&'static str>| { list.sort_unstable(); list };
        prop_assert_eq!(sorted(mixed), sorted(tidy));
    }

    #[test]
    fn each_event_has_an_identity_of_its_own(pattern in patterns(), seed in any::<u64>()) {
        let (_, events) = compose(&plan(pattern, seed)).unwrap();
        let mut ids: Vec<_> = events.iter().filter_map(|event| event.event_id.clone()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), if pattern == Pattern::Duplicated { count / 2 } else { count });
    }
}
