//! A link to MoySklad, on both databases, against its strict stand-in: what employees see on their screens and what stands
//! in the history when things go well and when they do not, and that no call stands there twice though nobody knows
//! whether MoySklad looks.

use serde_json::{Value, json};
use simulators::moysklad::{self, Call, Settings, Shown, State};
use simulators::script::{Behaviour, Fault};
use simulators::server::Running;

use super::super::connector::{Answer, Question};
use super::super::sample;
use super::world::{World, fast};
use crate::call::record::NoticeKind::{self, Bridge, Dial, Hangup, Recording, Upload};
use crate::call::record::{Phase, Record};
use crate::call::tests::{notices_of, scenarios};
use crate::store::testing::{self, TestDatabase};

crate::for_each_database!(
    a_call_is_one_from_its_ring_to_its_recording,
    an_answer_that_was_lost_makes_no_second_call,
    a_link_whose_answer_was_lost_stands_there_once,
    a_recording_that_comes_later_is_added_to_its_call,
    an_unknown_caller_becomes_a_client_once,
    trouble_of_a_moment_is_waited_out,
    a_revoked_key_waits_for_a_person,
    a_killed_process_makes_no_second_call,
    no_more_is_asked_at_once_than_is_allowed,
    questions_are_answered,
    recorded_calls_come_to_these_histories,
);

fn crm() -> Running<State> {
    moysklad::start_in_thread("127.0.0.1:0", Settings::default().without_limits()).unwrap()
}

fn settings(crm: &Running<State>) -> Value {
    json!({"api_address": crm.base_url, "token": "demo-phone-key", "access_token": "demo-token"})
}

fn world(database: &TestDatabase, settings: Value) -> World {
    let other = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, fast(), other);
    world.connect(0, "ms", settings);
    world
}

const ALL: &[NoticeKind] = &[Hangup, Upload];

fn talking(call: i64) -> Record {
    Record {
        phase: Phase::Talking,
        talked: vec!["151".into()],
        talking: Some("151".into()),
        events_count: 3,
        ..sample::ringing(call)
    }
}

fn ids(crm: &Running<State>) -> Vec<String> {
    let calls = crm.state.calls();
    calls.into_iter().map(|call| call.external_id).collect()
}

fn only(crm: &Running<State>) -> Call {
    let calls = crm.state.calls();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    calls[0].clone()
}

fn a_call_is_one_from_its_ring_to_its_recording(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, settings(&crm));
    let cards = || -> Vec<Shown> {
        let cards = crm.state.cards("1772363109.1");
        cards.into_iter().map(|(_, shown)| shown).collect()
    };
    world.tell(0, sample::ringing(1), &[Dial]);
    world.settled(0, 1);
    assert_eq!(cards(), [Shown::Open, Shown::Open]);
    world.tell(0, talking(1), &[Bridge]);
    world.settled(0, 1);
    assert_eq!(cards(), [Shown::Closed, Shown::Talking]);
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    assert_eq!(cards(), [Shown::Closed, Shown::Closed]);
    let call = only(&crm);
    assert_eq!(call.extension.as_deref(), Some("151"));
    assert_eq!(call.start.to_string(), "2026-03-01 14:05:09");
    assert_eq!(call.duration, Some(71_000));
    assert_eq!(call.record_urls.len(), 1);
    assert!(call.counterparty.is_some(), "its client has the number");
    assert_eq!(crm.state.refused(), 0);
    for secret in ["demo-phone-key", "demo-token"] {
        let shown = format!(
            "SELECT count(*) FROM integration_logs WHERE request_data LIKE '%{secret}%' OR response_data LIKE '%{secret}%'"
        );
        assert_eq!(testing::number(&mut database.connect(), &shown), 0);
    }
}

fn an_answer_that_was_lost_makes_no_second_call(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, settings(&crm));
    for (call, fault) in [(1, Fault::Drop), (2, Fault::Hang)] {
        let lost = Behaviour::fault(fault).after().times(1);
        crm.state.behave(lost.at("call/create"));
        world.tell(0, sample::ringing(call), &[Dial]);
        world.settled(0, call);
        world.tell(0, sample::answered(call), ALL);
        world.settled(0, call);
    }
    // History by itself, when no card was to be shown.
    let lost = Behaviour::fault(Fault::Drop).after().times(2);
    crm.state.behave(lost.at("call/create"));
    world.tell(0, sample::answered(3), &[Upload]);
    world.settled(0, 3);
    assert_eq!(ids(&crm), ["1772363109.1", "1772363109.2", "1772363109.3"]);
    for call in crm.state.calls() {
        assert!(call.end.is_some(), "{call:?}");
        assert_eq!(call.record_urls.len(), 1, "{call:?}");
    }
    assert_eq!(crm.state.refused(), 0, "it was asked, not tried");
}

fn a_link_whose_answer_was_lost_stands_there_once(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, settings(&crm));
    world.tell(0, sample::ringing(1), &[Dial]);
    world.settled(0, 1);
    // The newest line comes first: the end is served, the answer to the link is lost.
    let lost = Behaviour::fault(Fault::Drop).after().times(1);
    crm.state.behave(lost.at("call/update"));
    crm.state
        .behave(Behaviour::delay(1).times(1).at("call/update"));
    world.tell(0, sample::answered(1), &[Upload]);
    world.settled(0, 1);
    assert_eq!(only(&crm).record_urls.len(), 1);
    assert_eq!(crm.state.counts().scripted, 1);
}

fn a_recording_that_comes_later_is_added_to_its_call(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, settings(&crm));
    let without = Record {
        recording: String::new(),
        ..sample::answered(1)
    };
    world.tell(0, sample::ringing(1), &[Dial]);
    world.tell(0, without, ALL);
    world.settled(0, 1);
    assert!(only(&crm).record_urls.is_empty());
    let lost = Behaviour::fault(Fault::Drop).after().times(1);
    crm.state.behave(lost.at("call/update"));
    world.tell(0, sample::answered(1), &[Recording]);
    world.settled(0, 1);
    assert_eq!(only(&crm).record_urls.len(), 1);
}

fn an_unknown_caller_becomes_a_client_once(database: &TestDatabase) {
    let crm = crm();
    let mut asked = settings(&crm);
    asked["unknown"] = json!("contact");
    let world = world(database, asked);
    let before = crm.state.counterparties().len();
    let lost = Behaviour::fault(Fault::Drop).after().times(1);
    crm.state.behave(lost.at("remap/add"));
    let stranger = |call, phone: &str| Record {
        phone: Some(phone.into()),
        ..sample::answered(call)
    };
    world.tell(0, stranger(1, "+375331234567"), ALL);
    world.settled(0, 1);
    // One of the enterprise's own numbers is nobody's client.
    world.tell(0, stranger(2, "+375172000000"), ALL);
    world.settled(0, 2);
    let clients = crm.state.counterparties();
    assert_eq!(clients.len(), before + 1);
    assert_eq!(clients[before].phone, "+375331234567");
    let whose = &crm.state.employees()[1];
    assert_eq!(clients[before].owner, whose.id, "of who answered");
    let calls = crm.state.calls();
    assert_eq!(calls[0].counterparty.as_ref(), Some(&clients[before].id));
    assert_eq!(calls[1].counterparty, None);
    assert_eq!(crm.state.refused(), 0);
}

fn trouble_of_a_moment_is_waited_out(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, settings(&crm));
    for line in [
        Behaviour::status(500).times(1),
        Behaviour::status(429).times(1),
        Behaviour::status(200).times(1),
        Behaviour::fault(Fault::Down).times(1),
        Behaviour::fault(Fault::Hang).times(1),
    ] {
        crm.state.behave(line.at("call"));
    }
    world.tell(0, sample::answered(1), &[Upload]);
    world.settled(0, 1);
    assert_eq!(world.states(0, 1), ["upload done"]);
    assert!(only(&crm).end.is_some());
    // Slow, but within the time that is given.
    crm.state.behave(Behaviour::delay(150).at("call"));
    world.tell(0, sample::ringing(2), &[Dial]);
    world.settled(0, 2);
    assert_eq!(world.states(0, 2), ["dial done"]);
}

fn a_revoked_key_waits_for_a_person(database: &TestDatabase) {
    let crm = crm();
    let mut world = world(database, settings(&crm));
    let mut wrong = settings(&crm);
    wrong["token"] = json!("another-key");
    world.connect(0, "ms", wrong);
    world.tell(0, sample::answered(1), &[Upload]);
    world.until("it says what is wrong", |world| {
        let seen = world.integrations().observe();
        format!("{seen:?}").contains("the key or the token is wrong")
    });
    assert!(crm.state.calls().is_empty());
    world.connect(0, "ms", settings(&crm));
    world.settled(0, 1);
    assert_eq!(world.states(0, 1), ["upload done"]);
    assert_eq!(ids(&crm), ["1772363109.1"]);
}

fn a_killed_process_makes_no_second_call(database: &TestDatabase) {
    let crm = crm();
    let mut world = world(database, settings(&crm));
    let hang = Behaviour::fault(Fault::Hang).after().times(1);
    crm.state.behave(hang.at("call/create"));
    world.tell(0, sample::ringing(1), &[Dial]);
    world.until("the CRM has it", |_| !crm.state.calls().is_empty());
    world.kill();
    world.start(fast());
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    let call = only(&crm);
    assert!(
        call.end.is_some() && call.record_urls.len() == 1,
        "{call:?}"
    );
    let open = crm.state.cards("1772363109.1");
    assert!(
        open.iter().all(|(_, shown)| *shown == Shown::Closed),
        "{open:?}"
    );
}

fn no_more_is_asked_at_once_than_is_allowed(database: &TestDatabase) {
    let crm = moysklad::start_in_thread("127.0.0.1:0", Settings::default()).unwrap();
    let world = world(database, settings(&crm));
    crm.state.behave(Behaviour::delay(30).at("call"));
    for call in 1..=20 {
        world.tell(0, sample::ringing(call), &[Dial]);
        world.tell(0, sample::answered(call), ALL);
    }
    for call in 1..=20 {
        world.settled(0, call);
    }
    assert_eq!(ids(&crm).len(), 20);
    assert_eq!(crm.state.counts().limited, 0);
}

fn questions_are_answered(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, settings(&crm));
    let ask = |question| {
        let id = world.enterprise(0).id;
        testing::wait(world.integrations().ask(id, "ms", question)).unwrap()
    };
    let works = "the key works: 2 employees have an extension; the token works: Смирнова А. П.";
    assert_eq!(ask(Question::Test), Answer::Works(works.into()));
    for (phone, name, extension) in [
        ("+375296254070", "Иван Петров", "151"),
        ("+375291112233", "ООО «Ромашка», Ольга Сергеевна", "150"),
    ] {
        let phone = phone.to_owned();
        let Answer::Customer(Some(customer)) = ask(Question::Customer {
            phone: phone.clone(),
        }) else {
            panic!("nobody has {phone}");
        };
        assert_eq!(customer.name, name);
        assert!(
            customer
                .link
                .starts_with("https://online.moysklad.ru/app/#company/edit?id=")
        );
        let Answer::Responsible(Some(manager)) = ask(Question::Responsible { phone }) else {
            panic!("nobody");
        };
        assert_eq!(manager.extension.as_deref(), Some(extension));
    }
    // Who was made of a number has no name; who is not there, neither.
    crm.state
        .add_counterparty("+375 33 765-43-21", "+375337654321");
    for phone in ["+375337654321", "+375330000000"] {
        let phone = phone.to_owned();
        assert_eq!(ask(Question::Customer { phone }), Answer::Customer(None));
    }
    let Answer::Managers(all) = ask(Question::Managers) else {
        panic!("no list");
    };
    let told: Vec<_> = all
        .iter()
        .map(|one| (one.name.as_str(), one.extension.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("Смирнова А. П.", Some("150")),
            ("Котов Б. И.", Some("151")),
            ("Кладовщик В.", None)
        ]
    );
    assert_eq!(crm.state.refused(), 0);
}

fn recorded_calls_come_to_these_histories(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, settings(&crm));
    let mut text = String::new();
    for (index, scenario) in scenarios().keys().enumerate() {
        let from = i64::try_from(index).unwrap() * 100 + 1;
        let before = crm.state.calls().len();
        let mut calls = Vec::new();
        for planned in notices_of(scenario, from) {
            let call = planned.notice.record.call.0;
            let silent = super::super::dispatch::forbidden(&planned.notice).is_some();
            let wanted = planned.notice.kind != NoticeKind::Start;
            if !silent && wanted && !calls.contains(&call) {
                calls.push(call);
            }
            world.tell_planned(0, planned);
        }
        for call in calls {
            world.settled(0, call);
        }
        let mut lines: Vec<String> = crm.state.calls()[before..].iter().map(line).collect();
        // Calls that go on at the same time are created in no order.
        lines.sort_unstable();
        text.push_str(&format!("{scenario}\n{}", lines.concat()));
    }
    assert_eq!(crm.state.refused(), 0);
    insta::assert_snapshot!("recorded_calls_in_moysklad", text);
}

fn line(call: &Call) -> String {
    let way = if call.is_incoming { "in" } else { "out" };
    let whose = call.extension.as_deref().unwrap_or("nobody");
    let length = match call.duration {
        Some(milliseconds) => format!("{} s", milliseconds / 1000),
        None => "without an end".into(),
    };
    let links = call.record_urls.len();
    let open = call.cards.values().any(|card| card.shown != Shown::Closed);
    let open = if open { ", A CARD IS OPEN" } else { "" };
    // On a slow machine an answer may come too late, and the command is repeated with its number.
    let mut said = call.commands.clone();
    said.dedup();
    let said = said.join(", ");
    format!(
        "  {way} {} by {whose}, {length}, {links} recordings: {said}{open}\n",
        call.number
    )
}
