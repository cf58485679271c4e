//! A link as a whole, on both databases, against the strict RetailCRM: what a person would see in the CRM and in the
//! delivery's row when things go well and when they do not.

mod amocrm;
mod bitrix24;
mod known;
mod moysklad;
mod recording;
mod table;
mod uon;
mod webhook;
mod world;

use serde_json::json;
use simulators::retailcrm;
use simulators::script::{Behaviour, Fault};

use super::actor::Order;
use super::breaker::Position;
use super::connector::{Answer, Failed, Question};
use super::sample;
use super::settings::Settings;
use crate::call::record::NoticeKind::{Dial, Hangup, Upload};
use crate::store::deliveries::DeliveryState;
use crate::store::outbox::Again;
use crate::store::testing::{self, TestDatabase};
use world::{World, fast};

crate::for_each_database!(
    a_call_is_told_in_order_and_once,
    a_lost_nudge_costs_only_a_moment,
    an_error_is_tried_again_and_the_log_says_so,
    a_throttled_delivery_waits_as_long_as_it_is_told,
    a_refusal_stops_at_once_with_the_crms_words,
    a_wrong_key_pauses_the_link_until_it_is_mended,
    while_the_crm_is_down_history_waits_and_pop_ups_are_missed,
    a_late_pop_up_is_recorded_as_missed_and_not_sent,
    a_connection_lost_after_the_request_makes_no_second_history,
    a_killed_process_delivers_after_its_start,
    a_crm_that_hangs_touches_no_other_enterprise,
    a_backlog_goes_in_crowds,
    a_paused_link_waits_and_resumes,
    a_pause_outlives_the_process,
    more_than_fits_in_memory_waits_in_the_table,
    a_graceful_end_leaves_nothing_half_done,
    questions_are_answered_through_the_link,
    what_failed_can_be_sent_again,
    an_integration_switched_off_keeps_its_history_for_later,
    a_link_that_dies_is_started_again_and_loses_nothing,
    the_crms_limit_is_kept_without_being_told,
    an_idle_link_is_put_away_and_comes_back,
    one_failed_request_with_many_records_is_one_failure,
);

fn a_call_is_told_in_order_and_once(database: &TestDatabase) {
    let world = World::new(database);
    for call in 1..=20 {
        world.play(0, call);
    }
    for call in 1..=20 {
        world.settled(0, call);
        assert_eq!(world.heard(0, call), ["in", "hangup"]);
        assert_eq!(world.in_history(0, call), 1);
        assert_eq!(
            world.states(0, call),
            ["dial done", "hangup done", "upload done"]
        );
    }
    world.until("the link has settled all", |world| {
        world.integrations().observe()[0].is_idle()
    });
    let seen = &world.integrations().observe()[0];
    assert_eq!(
        (seen.done, seen.failed, seen.missed, seen.retried),
        (60, 0, 0, 0)
    );
    let cards = world.account(0).cards();
    assert!(
        cards
            .iter()
            .all(|card| card.closed.is_some() && card.hangup.as_deref() == Some("answered"))
    );
    let logs = "SELECT count(*) FROM integration_logs WHERE status = 'success' AND delivery_id IS NOT NULL";
    assert_eq!(testing::number(&mut database.connect(), logs), 60);
    let secrets = "SELECT count(*) FROM integration_logs WHERE request_data LIKE '%demo-key%' OR request_data LIKE '%c1-7f3a%'";
    assert_eq!(testing::number(&mut database.connect(), secrets), 0);
}

fn a_lost_nudge_costs_only_a_moment(database: &TestDatabase) {
    let mut world = World::new(database);
    world.tell_quietly(0, sample::ringing(1), &[Dial]);
    world.tell_quietly(0, sample::answered(1), &[Hangup, Upload]);
    // The rows are leased to a process that knows nothing of them, as after a crash between commit and nudge.
    world.kill();
    world.start(fast());
    world.settled(0, 1);
    assert_eq!(world.heard(0, 1), ["in", "hangup"]);
    assert_eq!(world.in_history(0, 1), 1);
}

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

fn a_killed_process_delivers_after_its_start(database: &TestDatabase) {
    let mut world = World::new(database);
    for round in 0..3 {
        // Slow enough that the kill meets requests in flight.
        world.crm.state.behave(Behaviour::delay(30));
        let begun = world.account(0).event_count();
        for call in 1..=10 {
            world.play(0, round * 10 + call);
        }
        world.until("some were sent", |world| {
            world.account(0).event_count() > begun + 3
        });
        world.kill();
        let killed = std::time::Instant::now();
        world.crm.state.script.clear();
        // No process starts within the moment in which requests and statements of the dead one are still on their way.
        world.until("what was under way has arrived", |_| {
            killed.elapsed() > std::time::Duration::from_millis(500)
        });
        world.start(fast());
    }
    for call in 1..=30 {
        world.settled(0, call);
        assert_eq!(world.in_history(0, call), 1, "call {call}");
        let heard = world.heard(0, call);
        assert_eq!(
            (heard.first(), heard.last()),
            (Some(&"in"), Some(&"hangup")),
            "call {call}: {heard:?}"
        );
        assert!(
            heard.is_sorted_by_key(|kind| *kind == "hangup"),
            "call {call}: {heard:?}"
        );
    }
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

fn a_backlog_goes_in_crowds(database: &TestDatabase) {
    let world = World::with(database, 1, fast(), retailcrm::Settings::default());
    assert!(testing::wait(world.integrations().order(
        world.enterprise(0).id,
        "retailcrm",
        Order::Pause
    )));
    for call in 1..=120 {
        world.tell(0, sample::answered(call), &[Upload]);
    }
    assert!(testing::wait(world.integrations().order(
        world.enterprise(0).id,
        "retailcrm",
        Order::Resume
    )));
    for call in 1..=120 {
        world.settled(0, call);
        assert_eq!(world.in_history(0, call), 1);
    }
    let requests = world.account(0).counts().requests["telephony/calls/upload"];
    assert!(requests < 40, "{requests} requests for 120 records");
}

fn a_paused_link_waits_and_resumes(database: &TestDatabase) {
    let world = World::new(database);
    let id = world.enterprise(0).id;
    world.play(0, 1);
    world.settled(0, 1);
    assert!(testing::wait(world.integrations().order(
        id,
        "retailcrm",
        Order::Pause
    )));
    world.play(0, 2);
    assert_eq!(world.states(0, 2), ["dial due", "hangup due", "upload due"]);
    assert!(world.integrations().observe()[0].paused);
    assert!(testing::wait(world.integrations().order(
        id,
        "retailcrm",
        Order::Resume
    )));
    world.settled(0, 2);
    assert_eq!(world.heard(0, 2), ["in", "hangup"]);
    assert!(!testing::wait(world.integrations().order(
        id,
        "no such thing",
        Order::Pause
    )));
}

fn a_pause_outlives_the_process(database: &TestDatabase) {
    let mut world = World::new(database);
    let with = |world: &World, paused: bool| {
        let mut settings = world.enterprise(0).integrations["retailcrm"]
            .settings
            .clone();
        settings["paused"] = paused.into();
        settings
    };
    let settings = with(&world, true);
    world.save(0, settings);
    world.kill();
    world.start(fast());
    world.play(0, 1);
    world.until("the link shows its pause", |world| {
        world
            .integrations()
            .observe()
            .iter()
            .any(|seen| seen.paused)
    });
    // What the link was handed before it knew of its pause goes back to the table.
    world.until("nothing is under way", |world| {
        world.states(0, 1) == ["dial due", "hangup due", "upload due"]
    });
    assert_eq!(world.heard(0, 1), [""; 0]);
    let settings = with(&world, false);
    world.save(0, settings);
    world.settled(0, 1);
    assert_eq!(world.heard(0, 1), ["in", "hangup"]);
}

fn more_than_fits_in_memory_waits_in_the_table(database: &TestDatabase) {
    let settings = Settings {
        queue: 4,
        concurrency: 2,
        ..fast()
    };
    let world = World::with(
        database,
        1,
        settings,
        retailcrm::Settings::default().without_limits(),
    );
    world.crm.state.behave(Behaviour::delay(5));
    for call in 1..=40 {
        world.play(0, call);
    }
    for call in 1..=40 {
        world.settled(0, call);
        assert_eq!(world.heard(0, call), ["in", "hangup"]);
        assert_eq!(world.in_history(0, call), 1);
    }
}

fn a_graceful_end_leaves_nothing_half_done(database: &TestDatabase) {
    let mut world = World::new(database);
    world.crm.state.behave(Behaviour::delay(20));
    for call in 1..=20 {
        world.play(0, call);
    }
    world.until("some were sent", |world| world.account(0).event_count() > 3);
    testing::wait(
        world
            .integrations()
            .finish(std::time::Duration::from_secs(10)),
    );
    let leased = "SELECT count(*) FROM deliveries WHERE state = 'leased'";
    assert_eq!(testing::number(&mut database.connect(), leased), 0);
    let heard: usize = (1..=20).map(|call| world.heard(0, call).len()).sum();
    let done = "SELECT count(*) FROM deliveries WHERE state = 'done' AND kind <> 'upload'";
    assert_eq!(
        testing::number(&mut database.connect(), done),
        i64::try_from(heard).unwrap(),
        "each that was sent is known to be"
    );
    world.kill();
    world.start(fast());
    for call in 1..=20 {
        world.settled(0, call);
        assert_eq!(world.heard(0, call), ["in", "hangup"]);
    }
}

fn questions_are_answered_through_the_link(database: &TestDatabase) {
    let world = World::new(database);
    let id = world.enterprise(0).id;
    let ask = |question| testing::wait(world.integrations().ask(id, "retailcrm", question));
    let phone = || "+375296254070".to_owned();
    assert!(matches!(ask(Question::Test), Ok(Answer::Works(_))));
    let Ok(Answer::Customer(Some(customer))) = ask(Question::Customer { phone: phone() }) else {
        panic!("no client")
    };
    assert_eq!(customer.name, "Сидоров Иван");
    let Ok(Answer::Responsible(Some(manager))) = ask(Question::Responsible { phone: phone() })
    else {
        panic!("no manager")
    };
    assert_eq!(
        (manager.id.as_str(), manager.extension.as_deref()),
        ("16", Some("150"))
    );
    assert_eq!(
        ask(Question::Customer {
            phone: "+375290000000".into()
        }),
        Ok(Answer::Customer(None))
    );
    let Ok(Answer::Managers(managers)) = ask(Question::Managers) else {
        panic!("no managers")
    };
    assert_eq!(managers.len(), 4);
    world
        .crm
        .state
        .account("demo")
        .unwrap()
        .revoke_key("demo-key");
    assert_eq!(
        ask(Question::Test),
        Err(Failed::Settings {
            words: "Wrong \"apiKey\" value.".into()
        })
    );
    world.crm.state.reset();
    let nowhere = testing::wait(world.integrations().ask(id, "nowhere", Question::Test));
    assert!(matches!(nowhere, Err(Failed::Settings { .. })));
}

fn what_failed_can_be_sent_again(database: &TestDatabase) {
    let world = World::new(database);
    let id = world.enterprise(0).id;
    world
        .crm
        .state
        .behave(Behaviour::status(400).at("telephony/calls/upload").times(3));
    for call in 1..=3 {
        world.play(0, call);
        world.settled(0, call);
        assert_eq!(world.states(0, call)[2], "upload failed");
    }
    let only = Again {
        ids: vec![world.rows(0, 1)[2].id],
        ..Again::default()
    };
    assert_eq!(testing::wait(world.integrations().resend(id, only)), Ok(1));
    world.until("one is there", |world| world.in_history(0, 1) == 1);
    let foreign = Again {
        integration: Some("retailcrm".into()),
        ..Again::default()
    };
    assert_eq!(
        testing::wait(world.integrations().resend(id + 1, foreign)),
        Ok(0),
        "another enterprise's are not touched"
    );
    let rest = Again {
        integration: Some("retailcrm".into()),
        kind: Some("upload".into()),
        ..Again::default()
    };
    assert_eq!(testing::wait(world.integrations().resend(id, rest)), Ok(2));
    for call in 1..=3 {
        world.until("all are there", |world| world.in_history(0, call) == 1);
        world.settled(0, call);
    }
}

fn an_integration_switched_off_keeps_its_history_for_later(database: &TestDatabase) {
    let mut world = World::new(database);
    let right = world.enterprise(0).integrations["retailcrm"]
        .settings
        .clone();
    world.tell(0, sample::ringing(1), &[Dial]);
    world.settled(0, 1);
    world.save(0, json!({"domain": ""}));
    world.tell(0, sample::answered(1), &[Hangup, Upload]);
    world.until("the link says why", |world| {
        world.integrations().observe()[0]
            .fault
            .contains("domain: must not be empty")
    });
    world.save(0, right);
    world.settled(0, 1);
    assert_eq!(
        world.states(0, 1),
        ["dial done", "hangup done", "upload done"]
    );
}

fn a_link_that_dies_is_started_again_and_loses_nothing(database: &TestDatabase) {
    let world = World::new(database);
    let id = world.enterprise(0).id;
    world.crm.state.behave(Behaviour::delay(20));
    for round in 0..4 {
        let begun = world.account(0).event_count();
        for call in 1..=10 {
            world.play(0, round * 10 + call);
        }
        world.until("some were sent", |world| {
            world.account(0).event_count() > begun + 2
        });
        // Requests of the link that died may still arrive: only its successor can die next.
        world.until("the link lives again", |world| {
            let links = world.integrations().observe();
            links.first().map(|link| link.deaths) == u32::try_from(round).ok()
        });
        world.integrations().crash(id, "retailcrm");
    }
    for call in 1..=40 {
        world.settled(0, call);
        assert_eq!(world.in_history(0, call), 1, "call {call}");
        assert!(
            world
                .heard(0, call)
                .is_sorted_by_key(|kind| *kind == "hangup"),
            "call {call}"
        );
    }
    assert_eq!(world.integrations().observe()[0].deaths, 4);
}

fn the_crms_limit_is_kept_without_being_told(database: &TestDatabase) {
    let world = World::with(database, 1, fast(), retailcrm::Settings::default());
    for call in 1..=60 {
        world.tell(0, sample::ringing(call), &[Dial]);
    }
    for call in 1..=60 {
        world.settled(0, call);
        assert_eq!(world.states(0, call), ["dial done"]);
    }
    assert_eq!(world.account(0).counts().limited, 0);
}

fn an_idle_link_is_put_away_and_comes_back(database: &TestDatabase) {
    let settings = Settings {
        idle_ms: 30,
        ..fast()
    };
    let world = World::with(database, 1, settings, retailcrm::Settings::default());
    world.play(0, 1);
    world.settled(0, 1);
    world.until("the link is away", |world| {
        world.integrations().observe().is_empty()
    });
    world.play(0, 2);
    world.settled(0, 2);
    assert_eq!(world.heard(0, 2), ["in", "hangup"]);
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
