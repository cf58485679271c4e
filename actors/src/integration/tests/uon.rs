//! A link to U-ON.Travel, on both databases, against its strict stand-in: what people find in their cabinets when things
//! go well and when they do not, and that no call stands twice in the history though U-ON does not look.

use serde_json::{Value, json};
use simulators::script::{Behaviour, Fault};
use simulators::server::Running;
use simulators::uon::{self, Settings, State};

use super::super::connector::{Answer, Question};
use super::super::sample;
use super::world::{World, fast};
use crate::call::record::NoticeKind::{self, Dial, Hangup, Upload};
use crate::call::record::Record;
use crate::call::tests::{notices_of, scenarios};
use crate::store::testing::{self, TestDatabase};

crate::for_each_database!(
    a_call_is_shown_and_written_once,
    an_answer_that_was_lost_makes_no_second_row,
    a_row_that_cannot_be_known_again_is_told_again_and_that_is_said,
    a_pop_up_of_which_nobody_knows_is_shown_again_and_that_is_said,
    a_killed_process_makes_no_second_row,
    an_unknown_caller_becomes_a_client_once,
    trouble_of_a_moment_is_waited_out,
    a_wrong_key_is_for_a_person,
    its_own_limit_is_kept,
    questions_are_answered,
    recorded_calls_come_to_these_cabinets,
);

fn cabinet_with(change: impl FnOnce(&mut Settings)) -> Running<State> {
    let mut settings = Settings::default().without_limits();
    change(&mut settings);
    uon::start_in_thread("127.0.0.1:0", settings).unwrap()
}

fn cabinet() -> Running<State> {
    cabinet_with(|_| {})
}

fn settings(crm: &Running<State>) -> Value {
    json!({"api_url": crm.base_url, "api_key": "K0demo00000000000001", "cabinet": "id12345",
        "user_extensions": {"2": "150", "3": "151"}})
}

fn world_with(database: &TestDatabase, settings: Value) -> World {
    let other = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, fast(), other);
    world.connect(0, "uon", settings);
    world
}

fn world(database: &TestDatabase, crm: &Running<State>) -> World {
    world_with(database, settings(crm))
}

const ALL: &[NoticeKind] = &[Hangup, Upload];

/// The unique ids at the ends of the notes.
fn rows(crm: &Running<State>) -> Vec<String> {
    let last = |row: uon::CallRow| row.note.rsplit(" · ").next().map(str::to_owned);
    crm.state.calls().into_iter().filter_map(last).collect()
}

fn shown(crm: &Running<State>) -> Vec<i64> {
    let all = crm.state.notifications();
    all.iter().map(|one| one.manager).collect()
}

fn words(world: &World, call: i64, kind: &str) -> String {
    let rows = world.rows(0, call);
    let row = rows.iter().find(|row| row.kind == kind).unwrap();
    row.outcome.clone()
}

fn a_call_is_shown_and_written_once(database: &TestDatabase) {
    let crm = cabinet();
    let world = world(database, &crm);
    world.tell(0, sample::ringing(1), &[Dial]);
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    assert_eq!(shown(&crm), [2, 3]);
    let text = &crm.state.notifications()[0].text;
    assert!(
        text.contains("client_id=5") && text.contains("Петров Иван"),
        "{text}"
    );
    assert_eq!(rows(&crm), ["1772363109.1"]);
    let row = &crm.state.calls()[0];
    assert_eq!(
        (row.client, row.manager, row.direction, row.duration),
        (Some(5), Some(3), 2, 62)
    );
    assert_eq!(crm.state.refused(), 0);
    let secrets = "SELECT count(*) FROM integration_logs WHERE request_data LIKE '%K0demo%' \
                   OR response_data LIKE '%K0demo%' OR error_message LIKE '%K0demo%'";
    assert_eq!(testing::number(&mut database.connect(), secrets), 0);
}

fn an_answer_that_was_lost_makes_no_second_row(database: &TestDatabase) {
    for newest_first in [false, true] {
        let database = &TestDatabase::new(database.kind);
        let crm = cabinet_with(|settings| settings.newest_first = newest_first);
        let world = world(database, &crm);
        // The history is long, and which end of it is new is not known.
        for call in 0..130 {
            crm.state
                .add_call("375296254070", &format!("old · 1600000000.{call}"));
        }
        for (call, fault) in [(1, Fault::Drop), (2, Fault::Hang)] {
            let lost = Behaviour::fault(fault).after().times(1);
            crm.state.behave(lost.at("call_history/create"));
            world.tell(0, sample::answered(call), ALL);
            world.settled(0, call);
            assert_eq!(words(&world, call, "upload"), "the CRM had it already");
        }
        assert_eq!(rows(&crm)[130..], ["1772363109.1", "1772363109.2"]);
        assert_eq!(crm.state.refused(), 0);
    }
}

fn a_row_that_cannot_be_known_again_is_told_again_and_that_is_said(database: &TestDatabase) {
    let crm = cabinet();
    let world = world(database, &crm);
    // Refused before it was taken: the history does not hold it, so it is told again, once.
    let lost = Behaviour::status(500).times(1);
    crm.state.behave(lost.at("call_history/create"));
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    assert_eq!(rows(&crm), ["1772363109.1"]);
    let said = words(&world, 1, "upload");
    assert!(
        said.contains("did not hold the call, so it was told again"),
        "{said}"
    );
}

fn a_pop_up_of_which_nobody_knows_is_shown_again_and_that_is_said(database: &TestDatabase) {
    let crm = cabinet();
    let world = world(database, &crm);
    // The first manager's is answered, the second's answer is lost.
    crm.state.behave(
        Behaviour::fault(Fault::Drop)
            .after()
            .times(1)
            .at("notification/create"),
    );
    world.tell(0, sample::ringing(1), &[Dial]);
    world.settled(0, 1);
    assert_eq!(shown(&crm), [2, 2, 3], "who had it has it once");
    let said = words(&world, 1, "dial");
    assert!(said.contains("may have been shown twice to 2"), "{said}");
}

fn a_killed_process_makes_no_second_row(database: &TestDatabase) {
    let crm = cabinet();
    let mut world = world(database, &crm);
    crm.state.behave(
        Behaviour::fault(Fault::Hang)
            .after()
            .at("call_history/create")
            .times(1),
    );
    world.tell(0, sample::answered(1), ALL);
    world.until("U-ON has it", |_| !crm.state.calls().is_empty());
    world.kill();
    world.start(fast());
    world.settled(0, 1);
    assert_eq!(rows(&crm), ["1772363109.1"]);
    assert_eq!(words(&world, 1, "upload"), "the CRM had it already");
}

fn an_unknown_caller_becomes_a_client_once(database: &TestDatabase) {
    // Found by his number only after an hour, which is longer than any try.
    let crm = cabinet_with(|settings| settings.index_delay_ms = 3_600_000);
    let mut told = settings(&crm);
    told["unknown"] = json!("contact");
    let world = world_with(database, told);
    let before = crm.state.clients().len();
    let lost = Behaviour::fault(Fault::Drop).after().times(1);
    crm.state.behave(lost.at("call_history/create"));
    let stranger = |call, phone: &str| Record {
        phone: Some(phone.into()),
        ..sample::answered(call)
    };
    world.tell(0, stranger(1, "+375331234567"), ALL);
    world.settled(0, 1);
    let clients = crm.state.clients();
    assert_eq!(clients.len(), before + 1);
    assert_eq!(clients[before].phones[0], "375331234567");
    assert_eq!(clients[before].manager, 3, "whoever answered");
    assert_eq!(rows(&crm), ["1772363109.1"]);
    // One of the enterprise's own numbers is nobody's client.
    world.tell(0, stranger(2, "+375172000000"), ALL);
    world.settled(0, 2);
    assert_eq!(world.states(0, 2), ["upload withdrawn"]);
    assert_eq!(crm.state.clients().len(), before + 1);
    assert_eq!(crm.state.refused(), 0);
}

fn trouble_of_a_moment_is_waited_out(database: &TestDatabase) {
    let crm = cabinet();
    let world = world(database, &crm);
    for (line, at) in [
        (Behaviour::status(500).times(1), "user/phone"),
        (Behaviour::status(429).times(1), "user/phone"),
        (Behaviour::status(200).times(1), "user/phone"),
        (Behaviour::delay(2_000).times(1), "user/phone"),
        (
            Behaviour::fault(Fault::Down).times(1),
            "call_history/create",
        ),
        (Behaviour::status(429).times(1), "call_history/create"),
    ] {
        crm.state.behave(line.at(at));
    }
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    assert_eq!(rows(&crm), ["1772363109.1"]);
    assert_eq!(crm.state.refused(), 0);
}

fn a_wrong_key_is_for_a_person(database: &TestDatabase) {
    for wrong_key in [401, 403, 404] {
        let database = &TestDatabase::new(database.kind);
        let crm = cabinet_with(|settings| settings.wrong_key = wrong_key);
        let mut told = settings(&crm);
        told["api_key"] = json!("K0wrong");
        let world = world_with(database, told);
        let id = world.enterprise(0).id;
        let said = testing::wait(world.integrations().ask(id, "uon", Question::Test));
        assert!(said.is_err(), "{wrong_key}: {said:?}");
    }
    // A key that may only read.
    let crm = cabinet();
    crm.state.permit(true, false);
    let world = world(database, &crm);
    world.tell(0, sample::answered(1), ALL);
    world.until("it says what is wrong", |world| {
        words(world, 1, "upload").contains("GET and POST are allowed apart")
    });
    assert_eq!(world.states(0, 1), ["upload due"]);
    crm.state.permit(true, true);
    world.settled(0, 1);
    assert_eq!(rows(&crm), ["1772363109.1"]);
}

fn its_own_limit_is_kept(database: &TestDatabase) {
    let crm = cabinet_with(|settings| settings.per_second = Some(10));
    let world = world(database, &crm);
    for call in 1..=8 {
        world.tell(0, sample::answered(call), ALL);
    }
    for call in 1..=8 {
        world.settled(0, call);
    }
    let mut seen = rows(&crm);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 8);
    assert_eq!(crm.state.calls().len(), 8);
    assert_eq!(
        crm.state.counts().limited,
        0,
        "it was never asked too often"
    );
}

fn questions_are_answered(database: &TestDatabase) {
    for empty_is_404 in [true, false] {
        let database = &TestDatabase::new(database.kind);
        let crm = cabinet_with(|settings| settings.empty_is_404 = empty_is_404);
        let world = world(database, &crm);
        let ask = |question| {
            let id = world.enterprise(0).id;
            testing::wait(world.integrations().ask(id, "uon", question)).unwrap()
        };
        let works = Answer::Works("the key works; managers: 3".into());
        assert_eq!(ask(Question::Test), works);
        let customer = |phone: &str| {
            let phone = phone.to_owned();
            match ask(Question::Customer { phone }) {
                Answer::Customer(customer) => customer.map(|one| one.name),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(customer("+375296254070").as_deref(), Some("Петров Иван"));
        assert_eq!(customer("+375330000000"), None);
        let phone = "+375296254070".to_owned();
        let Answer::Responsible(Some(manager)) = ask(Question::Responsible { phone }) else {
            panic!("nobody");
        };
        assert_eq!(manager.id, "2");
        let Answer::Managers(all) = ask(Question::Managers) else {
            panic!("no list");
        };
        let phones: Vec<_> = all.iter().map(|one| one.extension.as_deref()).collect();
        assert_eq!(
            phones,
            [Some("150"), Some("151"), None],
            "who left is not among them"
        );
        assert_eq!(crm.state.refused(), 0);
    }
}

fn recorded_calls_come_to_these_cabinets(database: &TestDatabase) {
    let crm = cabinet();
    let world = world(database, &crm);
    let mut text = String::new();
    for (index, scenario) in scenarios().keys().enumerate() {
        let from = i64::try_from(index).unwrap() * 100 + 1;
        let before = (crm.state.notifications().len(), crm.state.calls().len());
        let mut calls = Vec::new();
        for planned in notices_of(scenario, from) {
            let call = planned.notice.record.call.0;
            let silent = super::super::dispatch::forbidden(&planned.notice).is_some();
            let wanted = matches!(planned.notice.kind, Dial | Upload);
            if !silent && wanted && !calls.contains(&call) {
                calls.push(call);
            }
            world.tell_planned(0, planned);
        }
        for call in calls {
            world.settled(0, call);
        }
        let mut lines = Vec::new();
        for one in crm.state.notifications().iter().skip(before.0) {
            let head = one
                .text
                .split("<br/>")
                .take(3)
                .collect::<Vec<_>>()
                .join(" ");
            lines.push(format!("  pop-up for {}: {head}\n", one.manager));
        }
        for one in crm.state.calls().iter().skip(before.1) {
            let note = one.note.rsplit_once(" · ").map_or("", |(note, _)| note);
            let (client, manager) = (one.client.unwrap_or(0), one.manager.unwrap_or(0));
            let way = if one.direction == 2 { "in" } else { "out" };
            lines.push(format!(
                "  history {way} {} of {client} by {manager}, {} s: {note}\n",
                one.phone, one.duration
            ));
        }
        // Calls that go on at the same time end in no order.
        lines.sort_unstable();
        text.push_str(&format!("{scenario}\n{}", lines.concat()));
    }
    assert_eq!(crm.state.refused(), 0);
    insta::assert_snapshot!("recorded_calls_in_uon", text);
}
