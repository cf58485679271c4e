//! A link's life: paused, switched off, killed, ended in order, dead, idle.

use serde_json::json;
use simulators::retailcrm;
use simulators::script::Behaviour;

use super::world::{World, fast};
use crate::call::record::NoticeKind::{Dial, Hangup, Upload};
use crate::integration::actor::Order;
use crate::integration::sample;
use crate::integration::settings::Settings;
use crate::store::testing::{self, TestDatabase};

crate::for_each_database!(
    a_killed_process_delivers_after_its_start,
    a_paused_link_waits_and_resumes,
    a_pause_outlives_the_process,
    a_graceful_end_leaves_nothing_half_done,
    an_integration_switched_off_keeps_its_history_for_later,
    a_link_that_dies_is_started_again_and_loses_nothing,
    an_idle_link_is_put_away_and_comes_back,
);

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
