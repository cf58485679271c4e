//! The event contract: what is taken, what is refused, with which status and in which words.

use std::io::{Read, Write};
use std::net::TcpStream;

use actors::store::testing::Kind;
use serde_json::{Value, json};

use crate::world::{JULY, JUNE, World, on_both_databases, story};

on_both_databases!(
    refusals_say_what_was_wrong,
    odd_but_readable_bodies_are_taken,
    the_same_event_again_is_answered_and_changes_nothing,
    the_body_is_kept_byte_for_byte,
);

const EVENTS: [&str; 8] = [
    "start",
    "dial",
    "bridge",
    "hangup",
    "bridge_create",
    "bridge_leave",
    "bridge_destroy",
    "new_callerid",
];

/// Body, status, the stable word, a part of the words.
fn refused() -> Vec<(&'static str, Vec<u8>, u16, &'static str, &'static str)> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    vec![
        ("no body", bytes(""), 400, "empty", "the body is empty"),
        (
            "blanks only",
            bytes(" \r\n\t "),
            400,
            "empty",
            "the body is empty",
        ),
        (
            "not JSON",
            bytes("UniqueId=1.1&Phone=375"),
            400,
            "not-json",
            "not JSON",
        ),
        (
            "cut off",
            bytes(r#"{"UniqueId":"1.1","Pho"#),
            400,
            "not-json",
            "not JSON",
        ),
        (
            "more behind it",
            bytes(r#"{"UniqueId":"1.1"} {}"#),
            400,
            "not-json",
            "not JSON",
        ),
        (
            "an array",
            bytes(r#"[{"UniqueId":"1.1"}]"#),
            400,
            "not-an-object",
            "not an object",
        ),
        (
            "a string",
            bytes(r#""UniqueId""#),
            400,
            "not-an-object",
            "not an object",
        ),
        (
            "a number",
            bytes("17"),
            400,
            "not-an-object",
            "not an object",
        ),
        ("null", bytes("null"), 400, "not-an-object", "not an object"),
        (
            "a hundred thousand deep and not closed",
            format!(
                "{{\"UniqueId\":\"1.1\",\"Extensions\":{}",
                "[".repeat(100_000)
            )
            .into_bytes(),
            400,
            "not-json",
            "not JSON",
        ),
        (
            "a megabyte",
            format!(r#"{{"UniqueId":"1.1","x":"{}"}}"#, "x".repeat(1 << 20)).into_bytes(),
            413,
            "too-large",
            "at most 262144",
        ),
        (
            "bad UTF-8",
            b"{\"UniqueId\":\"1.1\",\"CallerIDName\":\"\xd0\"}".to_vec(),
            400,
            "not-utf8",
            "offset 34",
        ),
        (
            "UTF-16",
            b"{\x00\"\x00U\x00n\x00i\x00q\x00".to_vec(),
            400,
            "not-json",
            "not JSON",
        ),
        (
            "no id",
            bytes(r#"{"Phone":"375296254070"}"#),
            400,
            "no-id",
            "neither UniqueId nor BridgeUniqueId",
        ),
        (
            "an empty id",
            bytes(r#"{"UniqueId":"","BridgeUniqueId":""}"#),
            400,
            "no-id",
            "neither UniqueId nor BridgeUniqueId",
        ),
        (
            "an id of null",
            bytes(r#"{"UniqueId":null}"#),
            400,
            "no-id",
            "neither UniqueId nor BridgeUniqueId",
        ),
        (
            "an endless id",
            format!(r#"{{"UniqueId":"{}"}}"#, "1".repeat(5000)).into_bytes(),
            400,
            "id-too-long",
            "longer than 200 characters",
        ),
    ]
}

fn refusals_say_what_was_wrong(kind: Kind) {
    let world = World::on(kind).start();
    let host = world.host(&JUNE);
    for event in EVENTS {
        for (what, body, status, word, words) in refused() {
            let answer = host.post_raw(event, &body).expect("an answer");
            assert_eq!(answer.status, status, "{what} at /{event}: {}", answer.body);
            assert_eq!(answer.json()["error"], word, "{what} at /{event}");
            assert!(
                answer.message().contains(words),
                "{what} at /{event}: {}",
                answer.message()
            );
            assert!(
                answer
                    .header("content-type")
                    .starts_with("application/json"),
                "{what}"
            );
        }
    }
    // Whose it is, is asked after the body could be read.
    let stranger = crate::world::Host::new(&world.server, "nobody");
    let good = json!({"UniqueId": "1.1"});
    let answer = stranger.post("start", &good);
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (403, Some("unknown-token"))
    );
    assert!(answer.message().contains("unknown token"));
    let answer = crate::world::Host::new(&world.server, "").post("start", &good);
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (403, Some("no-token"))
    );
    // The wrong method and the wrong place are no events.
    assert_eq!(world.person("root").get("/start").status, 405);
    assert_eq!(host.post("startle", &good).status, 404);
    assert_eq!(
        world.number("SELECT COUNT(*) FROM call_events"),
        0,
        "nothing refused is kept as an event"
    );
}

/// What must be taken, whatever one thinks of it.
fn taken() -> Vec<(&'static str, Value)> {
    let odd = |id: &str, more: Value| {
        let mut body = json!({"UniqueId": id});
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        body
    };
    vec![
        ("an id that is a number", json!({"UniqueId": 1759230684.16})),
        ("an id of any form", json!({"UniqueId": "crm-req-1"})),
        ("only the bridge's id", json!({"BridgeUniqueId": "b-1"})),
        (
            "numbers for strings",
            odd(
                "2.1",
                json!({"Phone": 375296254070_i64, "Extensions": 150, "CallStatus": 2, "CallType": "0"}),
            ),
        ),
        (
            "a string for the array",
            odd("2.2", json!({"Extensions": "150"})),
        ),
        (
            "a string of several",
            odd("2.3", json!({"Extensions": "150,151"})),
        ),
        (
            "an object for the array",
            odd("2.4", json!({"Extensions": {"0": "150"}})),
        ),
        (
            "nothing but nulls",
            odd(
                "2.5",
                json!({"Phone": null, "Extensions": null, "CallType": null, "StartTime": null}),
            ),
        ),
        (
            "empty texts",
            odd(
                "2.6",
                json!({"Phone": "", "Extensions": "", "CallType": "", "StartTime": "", "Trunk": ""}),
            ),
        ),
        (
            "wrong types all over",
            odd(
                "2.7",
                json!({"Phone": ["375"], "CallType": {"a": 1}, "Trunk": true, "ExternalInitiated": "yes", "StartTime": 17}),
            ),
        ),
        (
            "ten thousand extensions",
            odd(
                "2.8",
                json!({"Extensions": (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>()}),
            ),
        ),
        (
            "times before the epoch",
            odd(
                "2.9",
                json!({"StartTime": "-4713-11-24 00:00:00", "EndTime": "0000-00-00 00:00:00", "DateReceived": "1901-12-13 20:45:52"}),
            ),
        ),
        (
            "times after everything",
            odd(
                "2.10",
                json!({"StartTime": "9999-99-99 99:99:99", "DateReceived": "292277026596-12-04 15:30:08", "EventId": "99999999999999999999-1"}),
            ),
        ),
        (
            "negative and absurd numbers",
            odd(
                "2.11",
                json!({"Duration": -5, "BillSec": 1e308, "HangupCause": -1, "CallType": 99, "BridgeNumChannels": -7}),
            ),
        ),
        (
            "a number beyond numbers",
            odd("2.12", json!({"Phone": 123456789012345678901234567890_f64})),
        ),
        (
            "a name of HTML",
            odd(
                "2.13",
                json!({"CallerIDName": "<img src=x onerror=alert(1)><script>alert(2)</script>"}),
            ),
        ),
        (
            "a name of quotes",
            odd("2.14", json!({"CallerIDName": "\"'`\\\"\\'"})),
        ),
        (
            "a name for shells",
            odd(
                "2.15",
                json!({"CallerIDName": "$(touch /tmp/pwned) `id` ; rm -rf / | & \n"}),
            ),
        ),
        (
            "a name for SQL",
            odd(
                "2.16",
                json!({"CallerIDName": "'; DROP TABLE calls; --", "Phone": "1' OR '1'='1"}),
            ),
        ),
        (
            "zeros inside",
            odd(
                "2.17",
                json!({"CallerIDName": "a\u{0}b", "Phone": "375\u{0}29"}),
            ),
        ),
        (
            "control characters and other planes",
            odd(
                "2.18",
                json!({"CallerIDName": "\u{1b}[2J\u{202e}😀\u{ffff}"}),
            ),
        ),
        (
            "unknown fields",
            odd("2.19", json!({"Whatever": {"deep": [1, {"er": []}]}})),
        ),
    ]
}

fn odd_but_readable_bodies_are_taken(kind: Kind) {
    let world = World::on(kind).start();
    let host = world.host(&JUNE);
    for event in [
        "start",
        "dial",
        "bridge",
        "new_callerid",
        "bridge_create",
        "bridge_leave",
        "bridge_destroy",
        "hangup",
    ] {
        for (what, body) in taken() {
            let answer = host.post(event, &body);
            assert_eq!(answer.status, 200, "{what} at /{event}: {}", answer.body);
            assert_eq!(answer.json()["status"], "ok", "{what}");
        }
    }
    // However deep it is, it is one object with an id.
    for deep in [
        format!(
            "{{\"UniqueId\":\"3.3\",\"Extensions\":{}{}}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        ),
        format!(
            "{{\"UniqueId\":\"3.4\",\"Whatever\":{}1{}}}",
            "{\"a\":".repeat(30_000),
            "}".repeat(30_000)
        ),
    ] {
        let answer = host.post_raw("start", deep.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    // A name given twice is a name given; the body is kept as it came.
    let twice = host
        .post_raw(
            "start",
            br#"{"UniqueId":"3.1","UniqueId":"3.2","Phone":"1","Phone":"2"}"#,
        )
        .expect("an answer");
    assert_eq!(twice.status, 200, "{}", twice.body);
    let expected = (taken().len() * EVENTS.len() + 3) as i64;
    assert_eq!(
        world.number("SELECT COUNT(*) FROM call_events"),
        expected,
        "all of them are in the journal"
    );
    assert_eq!(
        world.number("SELECT COUNT(*) FROM call_events WHERE parked"),
        0,
        "none of them broke its call"
    );
    // And the pages of such calls can be read.
    let root = world.person("root");
    let calls = root.get("/api/calls?size=500").json();
    for call in calls["calls"].as_array().expect("calls") {
        let page = root.open(&format!("/calls/{}", call["id"].as_str().expect("an id")));
        assert_eq!(page.status, 200, "{call}");
        assert!(
            !page.body.contains("<img src=x") && !page.body.contains("<script>alert"),
            "hostile names stay text"
        );
    }
}

fn the_same_event_again_is_answered_and_changes_nothing(kind: Kind) {
    let world = World::on(kind).start();
    let host = world.host(&JUNE);
    let story = story::answered("10.1", "375296254070", &["150", "151"], "150");
    let mut nameless = story.clone();
    for (_, body) in &mut nameless {
        // Without an EventId the bytes of the body tell.
        body.as_object_mut().expect("an object").remove("EventId");
        body["UniqueId"] = json!("10.2");
        body["LinkedId"] = json!("10.2");
    }
    for (kind, body) in story.iter().chain(&nameless) {
        let first = host.post(kind, body);
        assert_eq!(first.json(), json!({"status": "ok"}));
        for _ in 0..3 {
            let again = host.post(kind, body);
            assert_eq!(
                (again.status, again.json()),
                (200, json!({"status": "ok", "duplicate": true})),
                "{kind}"
            );
        }
    }
    world.settle();
    assert_eq!(world.number("SELECT COUNT(*) FROM call_events"), 8);
    assert_eq!(
        world.number("SELECT COUNT(*) FROM calls WHERE result = 'answered'"),
        2
    );
    assert_eq!(
        world.account(&JUNE).calls().len(),
        2,
        "one history record for each"
    );
    assert_eq!(
        world
            .bot(&JUNE)
            .chat(JUNE.chat)
            .expect("the chat")
            .messages
            .len(),
        2,
        "one message for each"
    );
    // Another enterprise's call of the same unique id is another call.
    world.host(&JULY).tell(&story);
    world.settle();
    assert_eq!(
        world.number("SELECT COUNT(*) FROM calls WHERE result = 'answered'"),
        3
    );
    assert_eq!(world.account(&JULY).calls().len(), 1);
}

fn the_body_is_kept_byte_for_byte(kind: Kind) {
    let world = World::on(kind).start();
    let body = "{ \"UniqueId\" : \"11.1\",\r\n\t\"Phone\":\"+375 (29) 625-40-70\", \"é\\u00e9\":1.50, \"Token\":\"375293332255\" }  ";
    // The token may also come in the body alone, as a number, and in pieces on the wire.
    let mut wire = TcpStream::connect(world.server.address).expect("a connection");
    let head = format!(
        "POST /start HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    for piece in head.as_bytes().chunks(7).chain(body.as_bytes().chunks(3)) {
        wire.write_all(piece).expect("written");
        wire.flush().expect("sent");
    }
    let mut answer = String::new();
    wire.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let kept: Vec<String> = crate::world::journal::raw_bodies(&world.store, "11.1");
    // But for the token, which is no part of what happened.
    assert_eq!(kept, [body.replace("\"375293332255\"", "\"****\"")]);
    // A body that never comes whole is no event.
    let mut broken = TcpStream::connect(world.server.address).expect("a connection");
    broken.write_all(b"POST /start HTTP/1.1\r\nHost: x\r\nToken: 375293332255\r\nContent-Length: 99\r\n\r\n{\"UniqueId\":\"11.2\"").expect("sent");
    drop(broken);
    assert_eq!(
        world
            .host(&JUNE)
            .post("start", &json!({"UniqueId": "11.3"}))
            .status,
        200
    );
    assert_eq!(world.number("SELECT COUNT(*) FROM call_events"), 2);
}
