//! What goes out when all is well: in order, once, at the CRM's pace; and what a person asks or has sent again.

use simulators::retailcrm;
use simulators::script::Behaviour;

use super::world::{World, fast};
use crate::call::record::NoticeKind::{Dial, Hangup, Upload};
use crate::integration::actor::Order;
use crate::integration::connector::{Answer, Failed, Question};
use crate::integration::sample;
use crate::integration::settings::Settings;
use crate::store::outbox::Again;
use crate::store::testing::{self, TestDatabase};

crate::for_each_database!(
    a_call_is_told_in_order_and_once,
    a_lost_nudge_costs_only_a_moment,
    a_backlog_goes_in_crowds,
    more_than_fits_in_memory_waits_in_the_table,
    questions_are_answered_through_the_link,
    what_failed_can_be_sent_again,
    the_crms_limit_is_kept_without_being_told,
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
