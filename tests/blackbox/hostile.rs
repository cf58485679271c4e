//! Bodies that nobody would write on purpose: many thousands through the reader, some hundreds through HTTP and the
//! whole house behind it. None may crash anything, none may be answered with a failure of ours.

use actors::call::event::{Body, EventKind};
use actors::store::testing::Kind;
use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::world::{JUNE, World, on_both_databases};

on_both_databases!(hundreds_of_strange_bodies_leave_the_server_well);

const FIELDS: [&str; 28] = [
    "UniqueId",
    "LinkedId",
    "ParentUniqueId",
    "ChannelUniqueId",
    "BridgeUniqueId",
    "BridgeNumChannels",
    "Phone",
    "CallerIDNum",
    "CallerIDName",
    "ConnectedLineNum",
    "Extensions",
    "CallType",
    "CallStatus",
    "Trunk",
    "ExternalInitiated",
    "EventId",
    "StartTime",
    "DateReceived",
    "EndTime",
    "AnswerTime",
    "Duration",
    "BillSec",
    "HangupCause",
    "DialStatus",
    "RecordFile",
    "RequestId",
    "LastConnected",
    "Whatever",
];

/// Texts that have hurt somebody before.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9+ ()-]{0,20}",
        "[0-9]{1,90}",
        "[0-9]{9,10}\\.[0-9]{1,6}",
        prop::sample::select(vec![
            "150",
            "375296254070",
            "+375 (29) 625-40-70",
            "anonymous",
            "",
            "0",
            "2",
            "-1",
            "NaN",
            "1e999",
            "2026-13-45 25:61:61",
            "2026-03-29 02:30:00",
            "0001-01-01 00:00:00",
            "'; DROP TABLE calls; --",
            "$(id)",
            "`id`",
            "<script>alert(1)</script>",
            "{{7*7}}",
            "%s%n",
            "\u{0}",
            "\u{202e}",
            "1\r\nSet-Cookie: x",
            "../../etc/passwd",
            "9999999999999999-1",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((text(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// An object with the contract's fields holding anything at all; it always has an id.
fn event_body() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(FIELDS.to_vec());
    (0..8_u8, vec((field, any_json()), 0..20)).prop_map(|(call, fields)| {
        let mut body: Map<String, Value> = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        // Few calls, so that strange events meet each other.
        let id = body
            .get("UniqueId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if id.is_empty() || id.len() > 150 {
            body.insert("UniqueId".into(), json!(format!("7.{call}")));
        }
        Value::Object(body)
    })
}

fn read(bytes: &[u8], kind: EventKind) {
    if let Ok(body) = Body::read(bytes) {
        let now: DateTime<Utc> = DateTime::from_timestamp(1_790_000_000, 0).expect("a time");
        let event = body.into_event(kind, 1, chrono_tz::Europe::Minsk, None, now);
        // What is taken can be kept: bounded, and without what PostgreSQL refuses.
        for text in [
            &event.unique_id,
            &event.linked_id,
            &event.phone,
            &event.caller,
            &event.line,
            &event.recording,
        ] {
            assert!(
                text.chars().count() <= 200 && !text.contains('\0'),
                "{text:?}"
            );
        }
        assert!(event.extensions.len() <= 256);
        // A host's clock is believed from 2015 to a day ahead of ours; a spool may be old.
        assert!(
            (1_420_070_400_000_000..=event.received + 86_400_000_000).contains(&event.at),
            "a time that nobody can mean: {}",
            event.at
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..400), kind in 0..8_usize) {
        read(&bytes, EventKind::ALL[kind]);
    }

    #[test]
    fn any_object_is_read_or_refused(body in event_body(), kind in 0..8_usize) {
        read(body.to_string().as_bytes(), EventKind::ALL[kind]);
    }

    #[test]
    fn a_good_body_with_any_byte_changed_is_read_or_refused(at in 0..200_usize, byte in any::<u8>()) {
        let mut body = br#"{"UniqueId":"1759230684.16","Phone":"375296254070","Extensions":["150","151"],"CallType":0,"StartTime":"2025-09-30 11:14:40","LinkedId":"1759230684.16","CallStatus":"2","BillSec":17}"#.to_vec();
        let at = at % body.len();
        body[at] = byte;
        read(&body, EventKind::Start);
        read(&body[..at], EventKind::Start);
    }
}

fn hundreds_of_strange_bodies_leave_the_server_well(kind: Kind) {
    let world = World::on(kind).start();
    let host = world.host(&JUNE);
    let mut runner = TestRunner::deterministic();
    let mut taken = 0;
    for number in 0..600 {
        let event = EventKind::ALL[number % 8].as_str();
        let body = event_body()
            .new_tree(&mut runner)
            .expect("a body")
            .current();
        let answer = host.post(event, &body);
        assert!(
            matches!(answer.status, 200 | 400),
            "/{event} {body}: {} {}",
            answer.status,
            answer.body
        );
        if answer.status == 200 && answer.json().get("duplicate").is_none() {
            taken += 1;
        } else if answer.status == 400 {
            assert!(!answer.message().is_empty());
        }
        let bytes = vec(any::<u8>(), 0..300)
            .new_tree(&mut runner)
            .expect("bytes")
            .current();
        let answer = host.post_raw(event, &bytes).expect("an answer");
        assert_eq!(answer.status, 400, "{bytes:?}: {}", answer.body);
    }
    assert!(taken > 500, "only {taken} bodies were read");
    assert_eq!(
        world.number("SELECT COUNT(*) FROM call_events WHERE event_type <> 'lost'"),
        taken
    );
    assert_eq!(
        world.number("SELECT COUNT(*) FROM call_events WHERE parked"),
        0,
        "an event broke its call"
    );
    assert!(
        !world.server.said("panicked"),
        "{}",
        world.server.last_words(40)
    );
    // Everything that came of it can be looked at.
    let root = world.person("root");
    for call in root.get("/api/calls?size=500").json()["calls"]
        .as_array()
        .expect("calls")
    {
        let id = call["id"].as_str().expect("an id");
        assert_eq!(root.get(&format!("/api/calls/{id}")).status, 200);
        assert_eq!(root.open(&format!("/calls/{id}")).status, 200);
    }
    assert_eq!(root.open("/live").status, 200);
}
