//! A link to a receiver of events, on both databases: what arrives there when things go well and when they do not, and
//! that the recorded calls of real hosts come to the same events whatever keeps them.

use serde_json::{Value, json};
use simulators::script::{Behaviour, Fault};
use simulators::server::Running;
use simulators::webhook::{self, Message, State};

use super::super::connector::{Answer, Question};
use super::super::sample;
use super::super::settings::Settings;
use super::world::{World, fast};
use crate::call::record::NoticeKind::{self, Bridge, Dial, Hangup, Start, Upload};
use crate::call::tests::{notices_of, scenarios};
use crate::crm::webhook::SCHEMA;
use crate::store::enterprises;
use crate::store::outbox::Again;
use crate::store::testing::{self, TestDatabase};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

crate::for_each_database!(
    each_moment_arrives_signed_and_in_order,
    nothing_grows_stale_while_a_receiver_is_down,
    an_event_whose_answer_was_lost_comes_again_as_the_same,
    a_private_address_is_reached_only_when_the_operator_allows_it,
    a_redirect_is_not_followed,
    a_secret_is_exchanged_without_a_gap,
    what_was_taken_can_be_replayed,
    a_dead_receiver_is_switched_off_with_a_notice,
    a_killed_process_tells_after_its_start,
    recorded_calls_come_to_these_events,
);

fn open() -> Settings {
    Settings {
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        // A webhook's events live by other rules; these would show if they did not.
        popup_life_ms: 1,
        hangup_life_ms: 1,
        ..fast()
    }
}

fn receiver() -> Running<State> {
    webhook::start_in_thread("127.0.0.1:0", webhook::Settings::default()).unwrap()
}

fn settings(receiver: &Running<State>) -> Value {
    json!({"url": format!("{}/events?of=0367", receiver.base_url), "secret": SECRET})
}

fn world(database: &TestDatabase, receiver: &Running<State>) -> World {
    let crm = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, open(), crm);
    world.connect(0, "webhook", settings(receiver));
    world
}

fn play(world: &World, call: i64) {
    world.tell(0, sample::ringing(call), &[Start, Dial]);
    let answered = crate::call::record::Record {
        talked: vec!["151".into()],
        talking: Some("151".into()),
        answered_at: Some(sample::morning()),
        ..sample::ringing(call)
    };
    world.tell(0, answered, &[Bridge]);
    world.tell(0, sample::answered(call), &[Hangup, Upload]);
}

const WHOLE: [&str; 5] = [
    "call.started",
    "call.ringing",
    "call.answered",
    "call.ended",
    "recording.ready",
];

fn kinds(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(Message::kind).collect()
}

fn assert_all_valid(messages: &[Message]) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    for message in messages {
        let faults: Vec<String> = validator
            .iter_errors(&message.body)
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{:#}\n{faults:#?}", message.body);
    }
}

fn each_moment_arrives_signed_and_in_order(database: &TestDatabase) {
    let receiver = receiver();
    let world = world(database, &receiver);
    for call in 1..=10 {
        play(&world, call);
    }
    for call in 1..=10 {
        world.settled(0, call);
        let unique_id = format!("1772363109.{call}");
        let mut messages = receiver.state.messages();
        messages.retain(|message| message.text("unique_id") == unique_id);
        assert_eq!(kinds(&messages), WHOLE);
    }
    let messages = receiver.state.messages();
    assert_all_valid(&messages);
    assert!(
        messages
            .iter()
            .all(|message| message.path == "/events?of=0367")
    );
    assert_eq!(receiver.state.refused(), 0);
    let secrets = "SELECT count(*) FROM integration_logs WHERE request_data LIKE '%MfKQ9r8G%'";
    assert_eq!(testing::number(&mut database.connect(), secrets), 0);
    let answer = testing::wait(world.integrations().ask(
        world.enterprise(0).id,
        "webhook",
        Question::Test,
    ));
    assert_eq!(
        answer,
        Ok(Answer::Works(
            "the receiver took the test event (204)".into()
        ))
    );
    assert_all_valid(&receiver.state.messages());
}

fn nothing_grows_stale_while_a_receiver_is_down(database: &TestDatabase) {
    let receiver = receiver();
    let world = world(database, &receiver);
    receiver
        .state
        .behave(Behaviour::fault(Fault::Down).times(4));
    receiver.state.behave(Behaviour::status(404).times(2));
    receiver.state.behave(Behaviour::status(401).times(2));
    receiver.state.behave(Behaviour::status(410).times(1));
    receiver.state.behave(Behaviour::status(503).times(3));
    receiver
        .state
        .behave(Behaviour::fault(Fault::Hang).times(1));
    play(&world, 1);
    world.settled(0, 1);
    assert_eq!(kinds(&receiver.state.events()), WHOLE);
    assert!(
        world
            .states(0, 1)
            .iter()
            .all(|state| state.ends_with("done"))
    );
}

fn an_event_whose_answer_was_lost_comes_again_as_the_same(database: &TestDatabase) {
    let receiver = receiver();
    let world = world(database, &receiver);
    receiver
        .state
        .behave(Behaviour::fault(Fault::Drop).after().times(2));
    play(&world, 1);
    world.settled(0, 1);
    assert_eq!(kinds(&receiver.state.events()), WHOLE, "each once");
    let again = receiver
        .state
        .messages()
        .iter()
        .filter(|one| one.again)
        .count();
    assert_eq!(again, 2, "and told again under the same id");
}

fn a_private_address_is_reached_only_when_the_operator_allows_it(database: &TestDatabase) {
    let receiver = receiver();
    let port = receiver.addr.port();
    let crm = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, fast(), crm);
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0.0.0.0",
    ] {
        let to = json!({"url": format!("http://{host}:{port}/"), "secret": SECRET});
        world.connect(0, "webhook", to);
        let id = world.enterprise(0).id;
        let asked = world.integrations().ask(id, "webhook", Question::Test);
        let words = testing::wait(asked).unwrap_err().to_string();
        assert!(
            words.contains("private or reserved address"),
            "{host}: {words}"
        );
    }
    let counts = receiver.state.counts();
    assert!(counts.requests.is_empty(), "nothing came: {counts:?}");
}

fn a_redirect_is_not_followed(database: &TestDatabase) {
    let receiver = receiver();
    let world = world(database, &receiver);
    receiver.state.behave(Behaviour::status(302).times(1));
    play(&world, 1);
    world.settled(0, 1);
    let errors = "SELECT count(*) FROM integration_logs WHERE status = 'error' AND error_message LIKE '%302%'";
    assert_eq!(testing::number(&mut database.connect(), errors), 1);
    assert_eq!(kinds(&receiver.state.events()), WHOLE);
}

fn a_secret_is_exchanged_without_a_gap(database: &TestDatabase) {
    let receiver = receiver();
    let mut world = world(database, &receiver);
    let url = settings(&receiver)["url"].clone();
    let until = chrono::Utc::now() + chrono::Duration::hours(24);
    let overlap = json!({"url": url, "secret": NEW, "former_secret": SECRET, "former_secret_until": until.to_rfc3339()});
    world.connect(0, "webhook", overlap);
    play(&world, 1);
    world.settled(0, 1);
    receiver.state.set_secrets(vec![NEW.into()]);
    play(&world, 2);
    world.settled(0, 2);
    let messages = receiver.state.events();
    assert_eq!(messages.len(), 2 * WHOLE.len());
    assert!(messages.iter().all(|message| message.signatures == 2));
    assert_eq!(receiver.state.refused(), 0);
}

fn what_was_taken_can_be_replayed(database: &TestDatabase) {
    let receiver = receiver();
    let world = world(database, &receiver);
    play(&world, 1);
    world.settled(0, 1);
    let id = world.enterprise(0).id;
    let resend = |delivered| {
        testing::wait(world.integrations().resend(
            id,
            Again {
                delivered,
                ..Again::default()
            },
        ))
    };
    assert_eq!(resend(false), Ok(0), "nothing failed");
    assert_eq!(resend(true), Ok(5));
    world.until("all came again", |_| receiver.state.messages().len() == 10);
    world.settled(0, 1);
    assert_eq!(
        receiver.state.events().len(),
        5,
        "a receiver knows what it has"
    );
    let messages = receiver.state.messages();
    assert_eq!(kinds(&messages[5..]), WHOLE);
}

fn a_dead_receiver_is_switched_off_with_a_notice(database: &TestDatabase) {
    let receiver = receiver();
    let crm = simulators::retailcrm::Settings::default();
    let patience = Settings {
        switch_off_after_hours: 0,
        ..open()
    };
    let mut world = World::with(database, 1, patience, crm);
    world.connect(0, "webhook", settings(&receiver));
    let id = world.enterprise(0).id;
    let vault = world.store.vault().clone();
    let saved = json!({"webhook": {"enabled": true, "url": "x"}});
    let save = world.store.write(move |conn| {
        enterprises::save_integrations(conn, &vault, id, &saved, chrono::Utc::now())
    });
    testing::wait(save).unwrap();
    receiver.state.behave(Behaviour::status(500).times(1));
    play(&world, 1);
    world.settled(0, 1);
    let vault = world.store.vault().clone();
    let read = move |conn: &mut crate::store::Conn| enterprises::integrations(conn, &vault, id);
    let document = testing::wait(world.store.read(read)).unwrap();
    assert_eq!(document["webhook"]["enabled"], false);
    assert_eq!(
        document["webhook"]["switched_off"]["words"],
        "the receiver answered 500"
    );
    for (what, count) in [
        (
            "SELECT count(*) FROM integration_logs WHERE event_type = 'switched_off'",
            1,
        ),
        (
            "SELECT count(*) FROM audit_log WHERE action = 'integration.switched_off'",
            1,
        ),
    ] {
        assert_eq!(
            testing::number(&mut database.connect(), what),
            count,
            "{what}"
        );
    }
}

fn a_killed_process_tells_after_its_start(database: &TestDatabase) {
    let receiver = receiver();
    let mut world = world(database, &receiver);
    world.tell_quietly(0, sample::ringing(1), &[Start, Dial]);
    world.tell_quietly(0, sample::answered(1), &[Hangup, Upload]);
    world.kill();
    world.start(open());
    world.settled(0, 1);
    assert_eq!(
        kinds(&receiver.state.events()),
        [
            "call.started",
            "call.ringing",
            "call.ended",
            "recording.ready"
        ]
    );
}

fn recorded_calls_come_to_these_events(database: &TestDatabase) {
    let receiver = receiver();
    let world = world(database, &receiver);
    let mut text = String::new();
    for (index, scenario) in scenarios().keys().enumerate() {
        let from = i64::try_from(index).unwrap() * 100 + 1;
        let mut calls = Vec::new();
        for planned in notices_of(scenario, from) {
            let call = planned.notice.record.call.0;
            let silent = super::super::dispatch::forbidden(&planned.notice).is_some();
            if !silent && !calls.contains(&call) {
                calls.push(call);
            }
            world.tell_planned(0, planned);
        }
        text.push_str(&format!("{scenario}\n"));
        for call in calls {
            world.settled(0, call);
        }
        let mut messages = receiver.state.messages();
        assert_all_valid(&messages);
        // Calls go on side by side; only within one is there an order.
        messages.sort_by(|one, other| one.text("unique_id").cmp(other.text("unique_id")));
        for message in messages {
            text.push_str(&line(&message));
        }
        assert_eq!(receiver.state.refused(), 0);
        receiver.state.reset();
    }
    insta::assert_snapshot!("captures", text);
}

/// An event as a person reads it.
fn line(message: &Message) -> String {
    let data = &message.body["data"];
    let words = |name: &str| -> String {
        let list = data[name].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
    };
    let mut line = format!(
        "  {} {} {} {}",
        message.text("unique_id"),
        message.text("direction"),
        message.text("phone"),
        message.kind()
    );
    match message.kind() {
        "call.transferred" => line.push_str(&format!(
            " {} from {}",
            words("extensions"),
            message.text("transferred_from")
        )),
        "call.ended" => line.push_str(&format!(
            " {} talked [{}] {} s",
            message.text("outcome"),
            words("talked"),
            data["talk_seconds"]
        )),
        "recording.ready" => line.push_str(&format!(" {}", message.text("recording_url"))),
        _ => line.push_str(&format!(" {}", words("extensions"))),
    }
    format!("{}\n", line.trim_end())
}

/// A kind of notice that nobody asked for makes no row: a CRM is told what it was told before.
#[test]
fn a_crm_hears_nothing_of_a_calls_beginning() {
    assert!(
        !crate::crm::retailcrm::KIND
            .wants
            .contains(&NoticeKind::Start)
    );
}
