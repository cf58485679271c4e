//! A recording that becomes known after the hangup, on both databases: told once to whoever wants it, after a history that
//! could not hold it, and not at all where the history did.

use serde_json::json;
use simulators::retailcrm;
use simulators::webhook;

use super::super::sample;
use super::super::settings::Settings;
use super::world::{World, fast};
use crate::call::record::NoticeKind::{Hangup, Recording, Upload};
use crate::call::record::Record;
use crate::store::testing::TestDatabase;

crate::for_each_database!(
    history_that_went_without_it_is_followed_by_it,
    history_that_holds_it_is_enough,
    history_that_waits_is_renewed_and_tells_it_alone,
);

const TOLD: &str = "recording withdrawn: the history told of the recording already";

fn unrecorded(call: i64) -> Record {
    Record {
        recording: String::new(),
        ..sample::answered(call)
    }
}

/// RetailCRM, and beside it a receiver of events.
fn world(database: &TestDatabase, receiver: &str, settings: Settings) -> World {
    let settings = Settings {
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..settings
    };
    let crm = retailcrm::Settings::default().without_limits();
    let mut world = World::with(database, 1, settings, crm);
    let retailcrm = json!({"domain": world.crm.base_url, "api_key": "demo-key", "client_id": "c1-7f3a",
        "user_extensions": {"16": "150", "17": "151"}});
    let hook = json!({"url": receiver, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"});
    world.connect_all(0, &[("retailcrm", retailcrm), ("webhook", hook)]);
    world
}

fn told(receiver: &webhook::State) -> usize {
    let messages = receiver.messages();
    let ready = messages
        .iter()
        .filter(|message| message.kind() == "recording.ready");
    ready.count()
}

fn uploads(world: &World) -> u64 {
    let requests = world.account(0).counts().requests;
    requests["telephony/calls/upload"]
}

/// "upload done" … of one integration.
fn states(world: &World, integration: &str) -> Vec<String> {
    let rows = world.rows(0, 1);
    let own = rows.iter().filter(|row| row.integration == integration);
    own.map(|row| format!("{} {}: {}", row.kind, row.state.as_str(), row.outcome))
        .collect()
}

fn history_that_went_without_it_is_followed_by_it(database: &TestDatabase) {
    let receiver = webhook::start_in_thread("127.0.0.1:0", webhook::Settings::default()).unwrap();
    let world = world(database, &receiver.base_url, fast());
    world.tell(0, unrecorded(1), &[Hangup, Upload]);
    world.settled(0, 1);
    assert_eq!((world.in_history(0, 1), told(&receiver.state)), (1, 0));
    world.tell(0, sample::answered(1), &[Upload, Recording]);
    world.settled(0, 1);
    assert_eq!(
        (world.in_history(0, 1), told(&receiver.state)),
        (1, 1),
        "no second record, and one event"
    );
    let said = "RetailCRM had the call already; whether it takes the recording it does not say";
    assert_eq!(
        states(&world, "retailcrm"),
        [
            "hangup done: ".into(),
            "upload done: ".into(),
            format!("recording done: {said}")
        ]
    );
    // To a receiver there was nothing to say before: the history, renewed, is its event.
    assert_eq!(
        states(&world, "webhook"),
        ["hangup done: ", "upload done: ", TOLD]
    );
    assert_eq!(uploads(&world), 2, "the same call was uploaded again");
}

fn history_that_holds_it_is_enough(database: &TestDatabase) {
    let receiver = webhook::start_in_thread("127.0.0.1:0", webhook::Settings::default()).unwrap();
    let world = world(database, &receiver.base_url, fast());
    world.tell(0, sample::answered(1), &[Hangup, Upload, Recording]);
    world.settled(0, 1);
    assert_eq!((uploads(&world), told(&receiver.state)), (1, 1));
    for integration in ["retailcrm", "webhook"] {
        assert_eq!(
            states(&world, integration),
            ["hangup done: ", "upload done: ", TOLD],
            "{integration}"
        );
    }
}

fn history_that_waits_is_renewed_and_tells_it_alone(database: &TestDatabase) {
    let receiver = webhook::start_in_thread("127.0.0.1:0", webhook::Settings::default()).unwrap();
    // Long enough for both commits, whatever else the machine does.
    let settings = Settings {
        settle_ms: 1_500,
        ..fast()
    };
    let world = world(database, &receiver.base_url, settings);
    world.tell(0, unrecorded(1), &[Hangup, Upload]);
    world.tell(0, sample::answered(1), &[Upload, Recording]);
    world.settled(0, 1);
    assert_eq!((uploads(&world), told(&receiver.state)), (1, 1));
    let call = &world.account(0).calls()[0];
    assert!(call.record_url.is_some(), "{call:?}");
}
