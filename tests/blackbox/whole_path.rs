//! One call from the host's first event to everything that comes of it: journal, record, CRM, Telegram, live page.

use std::time::Duration;

use actors::store::testing::Kind;
use serde_json::{Value, json};

use crate::world::{
    API_KEY, JULY, JUNE, World, journal, on_both_databases, story, until, until_within,
};

on_both_databases!(
    an_answered_call_reaches_everyone,
    calls_of_every_kind_come_to_what_the_contract_says,
    a_call_that_hears_no_hangup_is_closed_as_lost,
    a_stop_in_the_middle_loses_nothing,
    a_hangup_without_dial_shows_the_pop_up_first,
);

/// The live page's JSON as june's supervisor sees it.
fn live(world: &World) -> Value {
    world.person("supervisor@june").get("/api/live").json()
}

/// The phase of this call on the live page, "" where it is not there.
fn phase(world: &World, unique_id: &str) -> String {
    let live = live(world);
    let all = [&live["live"], &live["ended"]]
        .into_iter()
        .filter_map(Value::as_array)
        .flatten();
    let mut found = all.filter(|call| call["unique_id"] == unique_id);
    found
        .next()
        .and_then(|call| call["phase"].as_str())
        .unwrap_or_default()
        .to_owned()
}

fn an_answered_call_reaches_everyone(kind: Kind) {
    let world = World::on(kind).start();
    let host = world.host(&JUNE);
    let story = story::answered("1759230684.16", "375296254070", &["150", "151"], "150");
    let expected = ["ringing", "dialing", "talking", "ended"];
    for ((event, body), expected) in story.iter().zip(expected) {
        assert_eq!(host.post(event, body).status, 200);
        assert_eq!(
            phase(&world, "1759230684.16"),
            expected,
            "the live page after {event}"
        );
        if *event == "dial" {
            // The pop-up is there while the phones ring.
            until("the pop-up is shown", || {
                let cards = world.account(&JUNE).cards();
                (cards.len() == 2 && cards.iter().all(|card| card.closed.is_none())).then_some(())
            });
        }
    }
    world.settle();

    // RetailCRM: a card on both screens, closed; one history record.
    let cards = world.account(&JUNE).cards();
    let screens: Vec<_> = cards
        .iter()
        .map(|card| card.code.as_deref().unwrap_or_default())
        .collect();
    assert_eq!(screens, ["150", "151"]);
    for card in &cards {
        assert_eq!((card.kind, card.phone.as_str()), ("in", "+375296254070"));
        assert_eq!(card.call.as_deref(), Some("1759230684.16"));
        assert!(card.closed.is_some(), "the hang-up closes the pop-up");
    }
    let history = world.account(&JUNE).calls();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].external_id, "1759230684.16");
    assert_eq!(
        (history[0].kind.as_str(), history[0].result.as_str()),
        ("in", "answered")
    );
    assert_eq!(history[0].phone.trim_start_matches('+'), "375296254070");
    assert_eq!(
        world.account(&JUNE).counts().refused,
        0,
        "nothing was sent that the CRM refuses"
    );

    // Telegram: one message that went through the call to its end.
    let messages = world.bot(&JUNE).chat(JUNE.chat).expect("the chat").messages;
    assert_eq!(messages.len(), 1, "one message per call");
    let texts: Vec<&str> = messages[0]
        .versions
        .iter()
        .map(|version| version.text.as_str())
        .collect();
    assert!(texts.last().expect("a text").starts_with('✅'), "{texts:?}");

    // The journal and the record.
    assert_eq!(journal::raw_bodies(&world.store, "1759230684.16").len(), 4);
    let calls = world.person("admin@june").get("/api/calls").json();
    let call = &calls["calls"][0];
    for (field, value) in [
        ("unique_id", json!("1759230684.16")),
        ("direction", json!("in")),
        ("result", json!("answered")),
        ("phone", json!("+375296254070")),
        ("rung", json!(["150", "151"])),
        ("talked", json!(["150"])),
        ("line", json!("0001367")),
        ("phase", json!("ended")),
        ("events_count", json!(4)),
    ] {
        assert_eq!(call[field], value, "{field} in {call}");
    }

    // The call's page: its events with bodies, deliveries with what was asked and answered, no secret, and the answer.
    let id = call["id"].as_str().expect("an id");
    let page = world.person("admin@june").get(&format!("/api/calls/{id}"));
    let told = page.json();
    let kinds: Vec<&str> = told["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["event_type"].as_str())
        .collect();
    assert_eq!(kinds, ["start", "dial", "bridge", "hangup"]);
    let deliveries = told["deliveries"].as_array().expect("deliveries");
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery["state"] == "done"),
        "{deliveries:?}"
    );
    assert_eq!(told["popup"][0]["verdict"], "shown");
    for secret in [JUNE.token, "key-of-june", JUNE.bot] {
        assert!(
            !page.body.contains(secret),
            "{secret} is on the call's page"
        );
        assert!(!world.server.said(secret), "{secret} is in the log");
    }
    // And nobody else heard of it.
    assert!(world.account(&JULY).events().is_empty());
    assert!(
        world
            .bot(&JULY)
            .chat(JULY.chat)
            .expect("the chat")
            .messages
            .is_empty()
    );
}

fn calls_of_every_kind_come_to_what_the_contract_says(kind: Kind) {
    let world = World::on(kind).start();
    let host = world.host(&JUNE);
    host.tell(&story::missed("2.1", "80296254070", &["150", "151", "152"]));
    host.tell(&story::outgoing("2.2", "+375 29 111 22 33"));
    host.tell(&story::internal("2.3"));
    let mut backwards = story::answered("2.4", "375291112244", &["151"], "151");
    backwards.reverse();
    host.tell(&backwards);
    let mut busy = story::missed("2.5", "375291112255", &["150"]);
    busy[2].1["DialStatus"] = json!("BUSY");
    busy[2].1["HangupCause"] = json!("17");
    host.tell(&busy);
    world.settle();

    let key = [("x-api-key", API_KEY)];
    let told = crate::world::Person::stranger(&world.server)
        .request("GET", "/api/calls?size=50", &key, "")
        .json();
    let mut rows: Vec<String> = told["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| {
            let text = |field: &str| call[field].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {} rung {} talked {}",
                text("unique_id"),
                text("direction"),
                text("phone"),
                text("result"),
                call["rung"],
                call["talked"]
            )
        })
        .collect();
    rows.sort();
    assert_eq!(
        rows,
        [
            r#"2.1 in +375296254070 missed rung ["150","151","152"] talked []"#,
            r#"2.2 out +375291112233 answered rung [] talked ["150"]"#,
            r#"2.3 internal 151 answered rung ["151"] talked ["151"]"#,
            r#"2.4 in +375291112244 answered rung ["151"] talked ["151"]"#,
            r#"2.5 in +375291112255 busy rung ["150"] talked []"#,
        ]
    );
    let mut history: Vec<String> = world
        .account(&JUNE)
        .calls()
        .iter()
        .map(|call| format!("{} {} {}", call.external_id, call.kind, call.result))
        .collect();
    history.sort();
    assert_eq!(
        history,
        [
            "2.1 in no answer",
            "2.2 out answered",
            "2.4 in answered",
            "2.5 in busy"
        ],
        "internal calls are nobody else's business"
    );
    let mut ends: Vec<String> = world
        .bot(&JUNE)
        .chat(JUNE.chat)
        .expect("the chat")
        .messages
        .iter()
        .map(|message| message.text().chars().take(1).collect())
        .collect();
    ends.sort();
    assert_eq!(ends, ["✅", "✅", "✅", "❌", "❌"]);
}

fn a_call_that_hears_no_hangup_is_closed_as_lost(kind: Kind) {
    let world = World::on(kind).set("calls.lost_after", "1m").start();
    let story = story::answered("3.1", "375296254070", &["150"], "150");
    world.host(&JUNE).tell(&story[..3]);
    let root = world.person("root");
    let call = until_within(Duration::from_secs(100), || {
        let calls = root.get("/api/calls").json();
        calls["calls"]
            .as_array()
            .and_then(|calls| calls.first().cloned())
    })
    .expect("the call is closed within its time");
    assert_eq!(call["result"], "lost", "{call}");
    assert_eq!(phase(&world, "3.1"), "ended");
    // Its hangup comes after all: the record says what really was.
    world.host(&JUNE).tell(&story[3..]);
    let result = until("the late hangup counts", || {
        let calls = root.get("/api/calls").json();
        let result = calls["calls"][0]["result"].as_str()?.to_owned();
        (result != "lost").then_some(result)
    });
    assert_eq!(result, "answered");
}

fn a_stop_in_the_middle_loses_nothing(kind: Kind) {
    let mut world = World::on(kind).start();
    let host = world.host(&JUNE);
    let story = story::answered("4.1", "375296254070", &["150", "151"], "151");
    for (number, (event, body)) in story.iter().enumerate() {
        assert_eq!(host.post(event, body).status, 200);
        if number % 2 == 0 {
            assert!(
                world.server.stop(),
                "a stop ends well: {}",
                world.server.last_words(20)
            );
        } else {
            world.server.kill();
        }
        world.server.start_again();
    }
    world.settle();
    assert_eq!(phase(&world, "4.1"), "ended");
    assert_eq!(
        world.number("SELECT COUNT(*) FROM calls WHERE result = 'answered' AND events_count = 4"),
        1
    );
    assert_eq!(world.account(&JUNE).calls().len(), 1);
    let messages = world.bot(&JUNE).chat(JUNE.chat).expect("the chat").messages;
    assert!(
        messages
            .iter()
            .any(|message| message.text().starts_with('✅'))
    );
}

fn a_hangup_without_dial_shows_the_pop_up_first(kind: Kind) {
    let world = World::on(kind).start();
    let story = story::answered("5.1", "375296254070", &["150"], "150");
    world
        .host(&JUNE)
        .tell(&[story[0].clone(), story[3].clone()]);
    world.settle();
    let kinds: Vec<&str> = world
        .account(&JUNE)
        .events()
        .iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds, ["in", "hangup"]);
    assert_eq!(world.account(&JUNE).calls().len(), 1);
}
