//! A CRM that fails, refuses, hangs or is away: what is tried again, what is given up, and who is not hurt by it.

use serde_json::json;
use simulators::retailcrm;
use simulators::script::{Behaviour, Fault};

use super::world::{World, fast};
use crate::call::record::NoticeKind::{Dial, Hangup, Upload};
use crate::integration::actor::Order;
use crate::integration::breaker::Position;
use crate::integration::sample;
use crate::integration::settings::Settings;
use crate::store::deliveries::DeliveryState;
use crate::store::testing::{self, TestDatabase};

crate::for_each_database!(
    an_error_is_tried_again_and_the_log_says_so,
    a_throttled_delivery_waits_as_long_as_it_is_told,
    a_refusal_stops_at_once_with_the_crms_words,
    a_wrong_key_pauses_the_link_until_it_is_mended,
    while_the_crm_is_down_history_waits_and_pop_ups_are_missed,
    a_late_pop_up_is_recorded_as_missed_and_not_sent,
    a_connection_lost_after_the_request_makes_no_second_history,
    a_crm_that_hangs_touches_no_other_enterprise,
    one_failed_request_with_many_records_is_one_failure,
);

fn an_error_is_tried_again_and_the_log_says_so(database: &TestDatabase) {
    let world = World::new(database);
    world
        .crm
        .state
        .behave(Behaviour::status(500).at("telephony/call/event").times(2));
    world.play(0, 1);
    world.settled(0, 1);
    let rows = world.rows(0, 1);
    assert_eq!(
        (rows[0].kind.as_str(), rows[0].state, rows[0].attempts),
        ("dial", DeliveryState::Done, 3)
    );
    assert_eq!(
        world.heard(0, 1),
        ["in", "hangup"],
        "the hang-up waited for its pop-up"
    );
    let errors = "SELECT count(*) FROM integration_logs WHERE status = 'error' AND event_type = 'dial' AND error_message LIKE '%500%'";
    assert_eq!(testing::number(&mut database.connect(), errors), 2);
}

fn a_throttled_delivery_waits_as_long_as_it_is_told(database: &TestDatabase) {
    let world = World::new(database);
    world.crm.state.behave(Behaviour {
        retry_after: Some(1),
        ..Behaviour::status(503).times(1)
    });
    let begun = std::time::Instant::now();
    world.play(0, 1);
    world.settled(0, 1);
    assert!(begun.elapsed().as_millis() >= 1_000);
    assert_eq!(
        world.states(0, 1),
        ["dial done", "hangup done", "upload done"]
    );
    assert_eq!(
        world.integrations().observe()[0].openings,
        0,
        "being throttled once is no failure"
    );
}

fn a_refusal_stops_at_once_with_the_crms_words(database: &TestDatabase) {
    let world = World::new(database);
    let words = json!({"success": false, "errorMsg": "Errors in the entity format", "errors": ["phone: bad"]});
    world.crm.state.behave(Behaviour {
        body: Some(words),
        ..Behaviour::status(400).at("telephony/call/event").times(1)
    });
    world.play(0, 1);
    world.settled(0, 1);
    assert_eq!(
        world.states(0, 1),
        ["dial failed", "hangup done", "upload done"]
    );
    let row = &world.rows(0, 1)[0];
    assert_eq!(
        (row.attempts, row.outcome.as_str()),
        (1, "Errors in the entity format (phone: bad)")
    );
    assert_eq!(world.integrations().observe()[0].breaker, Position::Closed);
}

fn a_wrong_key_pauses_the_link_until_it_is_mended(database: &TestDatabase) {
    let mut world = World::new(database);
    let settings = |key: &str, world: &World| json!({"domain": world.crm.base_url, "api_key": key});
    let wrong = settings("wrong-key", &world);
    world.save(0, wrong);
    world.tell(0, sample::ringing(1), &[Dial]);
    world.until("the pop-up has failed", |world| {
        world.states(0, 1) == ["dial failed"]
    });
    assert_eq!(world.rows(0, 1)[0].outcome, "Wrong \"apiKey\" value.");
    world.until("the link is paused", |world| {
        world.integrations().observe()[0].openings > 0
    });
    world.tell(0, sample::answered(1), &[Hangup, Upload]);
    world.until("tries go on now and then", |world| {
        world.integrations().observe()[0].openings >= 3
    });
    let seen = &world.integrations().observe()[0];
    assert_eq!(
        (seen.failed, seen.last_error.as_str()),
        (1, "Wrong \"apiKey\" value."),
        "trying costs no delivery"
    );
    let right = settings("demo-key", &world);
    world.save(0, right);
    world.settled(0, 1);
    assert_eq!(
        world.states(0, 1),
        ["dial failed", "hangup done", "upload done"]
    );
    assert_eq!(world.in_history(0, 1), 1);
    world.crm.state.reset(); // its refusals of the wrong key are what this test wanted
}

fn while_the_crm_is_down_history_waits_and_pop_ups_are_missed(database: &TestDatabase) {
    let settings = Settings {
        popup_life_ms: 1_500,
        hangup_life_ms: 1_500,
        ..fast()
    };
    let world = World::with(
        database,
        2,
        settings,
        retailcrm::Settings::default().without_limits(),
    );
    world
        .crm
        .state
        .behave(Behaviour::fault(Fault::Down).on("demo"));
    for call in 1..=15 {
        world.play(0, call);
        world.play(1, 100 + call);
    }
    world.until("the breaker opened", |world| {
        world.integrations().observe()[0].openings > 0
    });
    for call in 1..=15 {
        world.settled(1, 100 + call);
        assert_eq!(
            world.states(1, 100 + call),
            ["dial done", "hangup done", "upload done"],
            "the neighbour notices nothing"
        );
        world.until("its pop-ups are given up", |world| {
            world.states(0, call)[..2] == ["dial missed", "hangup missed"]
        });
    }
    assert_eq!(world.account(0).events().len(), 0);
    world.crm.state.script.clear();
    for call in 1..=15 {
        world.settled(0, call);
        assert_eq!(
            world.states(0, call),
            ["dial missed", "hangup missed", "upload done"]
        );
        assert_eq!(
            (world.in_history(0, call), world.heard(0, call).len()),
            (1, 0),
            "history came, late pop-ups did not"
        );
    }
    assert_eq!(world.integrations().observe()[0].breaker, Position::Closed);
}

fn a_late_pop_up_is_recorded_as_missed_and_not_sent(database: &TestDatabase) {
    let settings = Settings {
        popup_life_ms: 0,
        ..fast()
    };
    let world = World::with(database, 1, settings, retailcrm::Settings::default());
    world.tell(0, sample::ringing(1), &[Dial]);
    world.settled(0, 1);
    assert_eq!(world.states(0, 1), ["dial missed"]);
    assert_eq!(world.rows(0, 1)[0].outcome, "not sent in time to be of use");
    assert_eq!(world.account(0).events().len(), 0);
}

fn a_connection_lost_after_the_request_makes_no_second_history(database: &TestDatabase) {
    let world = World::new(database);
    world.crm.state.behave(
        Behaviour::fault(Fault::Drop)
            .at("telephony/calls/upload")
            .after()
            .times(2),
    );
    world.play(0, 1);
    world.settled(0, 1);
    assert_eq!(world.in_history(0, 1), 1);
    assert_eq!(
        world.states(0, 1),
        ["dial done", "hangup done", "upload done"]
    );
    assert_eq!(world.rows(0, 1)[2].outcome, "the CRM had it already");
    world.until("the link knows", |world| {
        world.integrations().observe()[0].duplicates == 1
    });
}

fn a_crm_that_hangs_touches_no_other_enterprise(database: &TestDatabase) {
    let settings = Settings {
        threads: 1,
        answer_timeout_ms: 3_000,
        ..fast()
    };
    let world = World::with(
        database,
        2,
        settings,
        retailcrm::Settings::default().without_limits(),
    );
    world
        .crm
        .state
        .behave(Behaviour::fault(Fault::Hang).on("demo"));
    for call in 1..=30 {
        world.tell(0, sample::ringing(call), &[Dial]);
    }
    world.until("its slots are taken", |world| {
        world.integrations().observe()[0].in_flight == 8
    });
    let begun = std::time::Instant::now();
    for call in 101..=130 {
        world.play(1, call);
    }
    for call in 101..=130 {
        world.settled(1, call);
    }
    assert!(begun.elapsed().as_millis() < 2_500, "{:?}", begun.elapsed());
    assert_eq!(
        world.integrations().observe()[0].in_flight,
        8,
        "the other still hangs"
    );
    world.crm.state.script.clear();
    for call in 1..=30 {
        world.settled(0, call);
    }
}

fn one_failed_request_with_many_records_is_one_failure(database: &TestDatabase) {
    let world = World::new(database);
    let id = world.enterprise(0).id;
    assert!(testing::wait(world.integrations().order(
        id,
        "retailcrm",
        Order::Pause
    )));
    for call in 1..=40 {
        world.tell(0, sample::answered(call), &[Upload]);
    }
    world
        .crm
        .state
        .behave(Behaviour::status(500).at("telephony/calls/upload").times(1));
    assert!(testing::wait(world.integrations().order(
        id,
        "retailcrm",
        Order::Resume
    )));
    for call in 1..=40 {
        world.settled(0, call);
        assert_eq!(world.in_history(0, call), 1);
    }
    assert_eq!(world.integrations().observe()[0].openings, 0);
}
