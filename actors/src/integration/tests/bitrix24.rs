//! A link to Bitrix24, on both databases, against its strict stand-in: what people have on their screens and what stands in
//! the statistics when things go well and when they do not, and that no call stands there twice though a call can be
//! finished once only and is not known again by our id.

use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use simulators::bitrix24::{self, Click, Finished, State};
use simulators::script::{Behaviour, Fault};
use simulators::server::Running;

use super::super::connector::{Answer, Failed, Question};
use super::super::known::Tokens;
use super::super::{Settings, sample};
use super::world::{World, fast};
use crate::call::record::NoticeKind::{self, Bridge, Dial, Hangup, Upload};
use crate::call::record::{Outcome, Record};
use crate::call::tests::{notices_of, scenarios};
use crate::store::crm_tokens;
use crate::store::deliveries::DeliveryState;
use crate::store::requests::{self, NewRequest};
use crate::store::testing::{self, TestDatabase};

crate::for_each_database!(
    a_card_follows_the_call_and_the_call_is_filed_once,
    two_calls_from_one_number_are_two,
    an_answer_that_was_lost_makes_no_second_call,
    a_call_that_the_portal_has_lost_is_filed_all_the_same,
    a_call_that_nobody_saw_is_filed_with_its_true_time,
    an_unknown_caller_becomes_what_the_settings_say,
    trouble_of_a_moment_is_waited_out,
    a_method_that_cost_too_much_holds_up_no_card,
    a_renamed_portal_is_followed_and_told,
    a_killed_process_files_no_second_call,
    who_may_not_register_calls_is_told_what_to_do,
    an_application_renews_its_access_and_says_when_it_was_taken,
    killed_before_a_renewal_was_answered_it_renews_after_its_start,
    killed_after_the_new_pair_was_stored_it_goes_on_with_it,
    killed_in_between_history_waits_for_a_person,
    a_click_is_finished_under_the_id_it_came_with,
    questions_are_answered,
    recorded_calls_come_to_this,
);

fn portal(settings: bitrix24::Settings) -> Running<State> {
    bitrix24::start_in_thread("127.0.0.1:0", settings.without_limits()).unwrap()
}

fn settings(crm: &Running<State>) -> Value {
    let webhook = format!("{}{}", crm.base_url, crm.state.settings.webhook_path());
    json!({"webhook_url": webhook, "user_extensions": {"34": "150", "35": "151"}})
}

/// The portal fetches recordings from the stand-in itself.
fn terms(crm: &Running<State>) -> Settings {
    Settings {
        public_url: format!("{}/_control/record", crm.base_url),
        ..fast()
    }
}

fn world(database: &TestDatabase, crm: &Running<State>, settings: Value) -> World {
    let other = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, terms(crm), other);
    world.connect(0, "bitrix24", settings);
    world
}

fn started(database: &TestDatabase) -> (Running<State>, World) {
    let crm = portal(bitrix24::Settings::default());
    let world = world(database, &crm, settings(&crm));
    (crm, world)
}

const END: &[NoticeKind] = &[Hangup, Upload];

/// "34 open" … in order.
fn cards(crm: &Running<State>) -> Vec<String> {
    let word = |open| if open { "sees" } else { "no more" };
    let all = crm.state.cards().into_iter();
    all.map(|card| format!("{} {}", card.user, word(card.open)))
        .collect()
}

fn filed(one: &Finished) -> String {
    let call = &one.call;
    let record = one.record.as_ref().map_or("", |record| &record.name);
    let client = call
        .entity
        .map_or("nobody".into(), |(kind, id)| format!("{kind} {id}"));
    let (kind, phone, user) = (call.kind, &call.phone, one.user);
    format!(
        "type {kind} {phone} of {client}: user {user}, {} s, {} {record}",
        one.duration, one.status
    )
}

fn history(crm: &Running<State>) -> Vec<String> {
    crm.state.finished().iter().map(filed).collect()
}

fn ids(crm: &Running<State>) -> Vec<String> {
    let all = crm.state.finished().into_iter();
    all.map(|one| one.call.external_id).collect()
}

fn count(crm: &Running<State>, method: &str) -> u64 {
    crm.state
        .counts()
        .requests
        .get(method)
        .copied()
        .unwrap_or(0)
}

fn a_card_follows_the_call_and_the_call_is_filed_once(database: &TestDatabase) {
    let (crm, world) = started(database);
    world.tell(0, sample::ringing(1), &[Dial]);
    world.until("both see the card", |_| cards(&crm).len() == 2);
    let talking = Record {
        talked: vec!["151".into()],
        ..sample::ringing(1)
    };
    world.tell(0, talking, &[Bridge]);
    world.until("only who talks sees it", |_| cards(&crm).len() == 3);
    world.tell(0, sample::answered(1), END);
    world.settled(0, 1);
    assert_eq!(
        cards(&crm),
        ["34 sees", "35 sees", "34 no more", "35 no more"]
    );
    assert_eq!(
        history(&crm),
        ["type 2 375296254070 of CONTACT 812: user 35, 62 s, 200 1772363109.1.wav"]
    );
    let row = &crm.state.finished()[0];
    assert_eq!(row.call.start_date, "2026-03-01T14:05:09+03:00");
    assert_eq!(row.call.line, "0001367");
    assert_eq!(
        row.record.as_ref().map(|record| record.bytes.is_empty()),
        Some(false)
    );
    assert!(crm.state.live().is_empty());
    assert_eq!(crm.state.refused(), 0);
    // Register with show and finish with recording are one request each.
    assert_eq!(count(&crm, "batch"), 2);
    let secrets = "SELECT count(*) FROM integration_logs WHERE request_data LIKE '%k3yk3y%' OR error_message LIKE '%k3yk3y%'";
    assert_eq!(testing::number(&mut database.connect(), secrets), 0);
}

fn two_calls_from_one_number_are_two(database: &TestDatabase) {
    let (crm, world) = started(database);
    for call in [1, 2] {
        world.tell(0, sample::ringing(call), &[Dial]);
    }
    world.until("both are there", |_| crm.state.live().len() == 2);
    for call in [2, 1] {
        world.tell(0, sample::answered(call), END);
    }
    world.settled(0, 1);
    world.settled(0, 2);
    let mut ids = ids(&crm);
    ids.sort_unstable();
    assert_eq!(ids, ["1772363109.1", "1772363109.2"]);
}

fn an_answer_that_was_lost_makes_no_second_call(database: &TestDatabase) {
    let (crm, world) = started(database);
    let lost = || Behaviour::fault(Fault::Drop).after().times(1);
    // Registering: the same call comes back by our id.
    crm.state.behave(lost().at("batch"));
    world.tell(0, sample::ringing(1), &[Dial]);
    world.until("it is kept", |world| world.states(0, 1) == ["dial done"]);
    assert_eq!(crm.state.live().len(), 1);
    // Finishing together with the recording.
    crm.state.behave(lost().at("batch"));
    world.tell(0, sample::answered(1), END);
    world.settled(0, 1);
    assert_eq!(ids(&crm), ["1772363109.1"]);
    assert!(crm.state.finished()[0].record.is_some());
    // Finishing alone: it is asked whether the call is in the statistics.
    world.tell(0, sample::ringing(2), &[Dial]);
    crm.state.behave(lost().at("telephony.externalcall.finish"));
    world.tell(0, sample::unanswered(2, Outcome::Missed), END);
    world.settled(0, 2);
    assert_eq!(ids(&crm), ["1772363109.1", "1772363109.2"]);
    assert_eq!(crm.state.finished()[1].status, "304");
    assert!(world.states(0, 2).contains(&"upload done".to_owned()));
    assert_eq!(crm.state.refused(), 0);
}

fn a_call_that_the_portal_has_lost_is_filed_all_the_same(database: &TestDatabase) {
    let (crm, world) = started(database);
    for (call, record) in [
        (1, sample::answered(1)),
        (2, sample::unanswered(2, Outcome::Missed)),
    ] {
        world.tell(0, sample::ringing(call), &[Dial]);
        world.until("it is registered", |world| {
            world.states(0, call) == ["dial done"]
        });
        for live in crm.state.live() {
            crm.state.forget(&live.call_id);
        }
        world.tell(0, record, END);
        world.settled(0, call);
    }
    assert_eq!(ids(&crm), ["1772363109.1", "1772363109.2"]);
    assert!(crm.state.finished()[0].record.is_some());
}

fn a_call_that_nobody_saw_is_filed_with_its_true_time(database: &TestDatabase) {
    let (crm, world) = started(database);
    world.tell(0, sample::answered(1), &[Upload]);
    // Nobody of the portal was rung: it belongs to the owner of the webhook.
    let stranger = Record {
        rung: vec!["199".into()],
        ..sample::unanswered(2, Outcome::Missed)
    };
    world.tell(0, stranger, &[Upload]);
    world.settled(0, 1);
    world.settled(0, 2);
    assert_eq!(cards(&crm), [] as [String; 0]);
    let mut all = crm.state.finished();
    all.sort_by_key(|one| one.call.external_id.clone());
    assert_eq!(all[0].call.start_date, "2026-03-01T14:05:09+03:00");
    assert_eq!((all[0].user, all[1].user), (35, 12));
}

fn an_unknown_caller_becomes_what_the_settings_say(database: &TestDatabase) {
    let crm = portal(bitrix24::Settings::default());
    let mut told = settings(&crm);
    let mut world = world(database, &crm, told.clone());
    let stranger = |call, phone: &str| Record {
        phone: Some(phone.into()),
        ..sample::answered(call)
    };
    world.tell(0, stranger(1, "+375331234567"), END);
    world.settled(0, 1);
    assert_eq!(crm.state.finished()[0].call.entity, None);
    told["unknown"] = json!("lead");
    world.connect(0, "bitrix24", told);
    world.tell(0, stranger(2, "+375331234567"), END);
    world.settled(0, 2);
    assert!(matches!(
        crm.state.finished()[1].call.entity,
        Some(("LEAD", _))
    ));
    // One of the enterprise's own numbers is nobody's client.
    world.tell(0, stranger(3, "+375172000000"), END);
    world.settled(0, 3);
    assert_eq!(crm.state.finished()[2].call.entity, None);
}

fn trouble_of_a_moment_is_waited_out(database: &TestDatabase) {
    let (crm, world) = started(database);
    let said = |status, error: &str| Behaviour {
        body: Some(json!({"error": error, "error_description": "Too many requests"})),
        ..Behaviour::status(status).times(1)
    };
    let page = Behaviour {
        body: Some(json!("<html>proxy</html>")),
        ..Behaviour::status(200).times(1)
    };
    for line in [
        Behaviour::status(500).times(1),
        said(503, "QUERY_LIMIT_EXCEEDED"),
        page,
        Behaviour::status(502).times(1),
        Behaviour::fault(Fault::Down).times(1),
        Behaviour::delay(600).times(1),
    ] {
        crm.state.behave(line);
    }
    world.tell(0, sample::answered(1), &[Upload]);
    world.settled(0, 1);
    assert_eq!(ids(&crm), ["1772363109.1"]);
    assert_eq!(world.states(0, 1), ["upload done"]);
}

fn a_method_that_cost_too_much_holds_up_no_card(database: &TestDatabase) {
    let (crm, world) = started(database);
    let attach = "telephony.externalcall.attachrecord";
    crm.state.block(attach, Duration::from_secs(3_600));
    for call in 1..=6 {
        world.tell(0, sample::ringing(call), &[Dial]);
        world.tell(0, sample::answered(call), END);
    }
    world.until("all are filed", |_| crm.state.finished().len() == 6);
    assert!(crm.state.finished().iter().all(|one| one.record.is_none()));
    world.tell(0, sample::ringing(7), &[Dial]);
    world.until("a card is shown", |world| {
        world.states(0, 7) == ["dial done"]
    });
    world.tell(0, sample::answered(7), END);
    // Nobody waits for the hour to be over in a test.
    let hurry = super::super::actor::Order::Reset;
    let id = world.enterprise(0).id;
    let waits = |world: &World, call| {
        let rows = world.rows(0, call);
        let mut uploads = rows.iter().filter(|row| row.kind == "upload");
        uploads.any(|row| row.state == DeliveryState::Due && row.attempts > 0)
    };
    world.until("all wait for their recordings", |world| {
        (1..=7).all(|call| waits(world, call))
    });
    crm.state.block(attach, Duration::ZERO);
    assert!(testing::wait(
        world.integrations().order(id, "bitrix24", hurry)
    ));
    for call in 1..=7 {
        world.settled(0, call);
    }
    let all = crm.state.finished();
    assert!(all.iter().all(|one| one.record.is_some()) && all.len() == 7);
}

fn a_renamed_portal_is_followed_and_told(database: &TestDatabase) {
    let (crm, world) = started(database);
    let port = crm.addr.port();
    let new = format!("http://localhost:{port}");
    crm.state.rename(&format!("127.0.0.1:{port}"), &new);
    world.tell(0, sample::ringing(1), &[Dial]);
    world.tell(0, sample::answered(1), END);
    world.settled(0, 1);
    assert_eq!(history(&crm).len(), 1);
    let id = world.enterprise(0).id;
    let Ok(Answer::Works(words)) =
        testing::wait(world.integrations().ask(id, "bitrix24", Question::Test))
    else {
        panic!("it does not work");
    };
    assert!(
        words.contains(&format!("renamed and is now {new}")),
        "{words}"
    );
}

fn a_killed_process_files_no_second_call(database: &TestDatabase) {
    let (crm, mut world) = started(database);
    let hang = Behaviour::fault(Fault::Hang).after().times(1);
    crm.state.behave(hang.at("batch"));
    world.tell(0, sample::answered(1), &[Upload]);
    world.until("the portal has it", |_| !crm.state.finished().is_empty());
    world.kill();
    world.start(terms(&crm));
    world.settled(0, 1);
    assert_eq!(ids(&crm), ["1772363109.1"]);
    assert_eq!(crm.state.refused(), 0);
}

fn who_may_not_register_calls_is_told_what_to_do(database: &TestDatabase) {
    let crm = portal(bitrix24::Settings {
        webhook_registers: false,
        ..bitrix24::Settings::default()
    });
    let mut world = world(database, &crm, settings(&crm));
    let id = world.enterprise(0).id;
    let said = testing::wait(world.integrations().ask(id, "bitrix24", Question::Test));
    let Err(Failed::Settings { words }) = said else {
        panic!("it works: {said:?}");
    };
    assert!(words.contains("create a local application"), "{words}");
    // What was to be told waits until somebody chose another way in.
    world.tell(0, sample::answered(1), &[Upload]);
    world.until("it says what to do", |world| {
        world.rows(0, 1)[0]
            .outcome
            .contains("create a local application")
    });
    assert_eq!(world.states(0, 1), ["upload due"]);
    world.connect(0, "bitrix24", application(&crm));
    let_in(&world, &crm);
    world.settled(0, 1);
    assert_eq!(ids(&crm), ["1772363109.1"]);
}

/// The settings of a local application.
fn application(crm: &Running<State>) -> Value {
    json!({"mode": "application", "portal": crm.base_url, "authority": crm.base_url,
        "client_id": crm.state.settings.client_id, "client_secret": crm.state.settings.client_secret,
        "user_extensions": {"34": "150", "35": "151"}})
}

/// Somebody installs the application.
fn let_in(world: &World, crm: &Running<State>) {
    let (access, refresh) = crm.state.give_tokens();
    let tokens = Tokens {
        access: access.into(),
        refresh: refresh.into(),
        expires_at: None,
        extra: json!({"user": 12}),
    };
    let (vault, id) = (world.store.vault().clone(), world.enterprise(0).id);
    let save = world
        .store
        .write(move |conn| crm_tokens::save(conn, &vault, id, "bitrix24", &tokens, Utc::now()));
    testing::wait(save).unwrap();
}

/// The history of this call waits behind the breaker with words for a person; once somebody has installed the application
/// anew it goes out, once.
fn waits_until_somebody_lets_us_in(world: &World, crm: &Running<State>, call: i64) {
    let before = ids(crm).len();
    world.until("it says that a person is needed", |world| {
        let words = "install the application";
        let paused = format!("{:?}", world.integrations().observe()).contains(words);
        paused && world.rows(0, call)[0].outcome.contains(words)
    });
    assert_eq!(world.states(0, call), ["upload due"]);
    let_in(world, crm);
    world.settled(0, call);
    assert_eq!(world.states(0, call), ["upload done"]);
    assert_eq!(ids(crm).len(), before + 1);
}

fn an_application_renews_its_access_and_says_when_it_was_taken(database: &TestDatabase) {
    let crm = portal(bitrix24::Settings {
        webhook_registers: false,
        ..bitrix24::Settings::default()
    });
    let world = world(database, &crm, application(&crm));
    let id = world.enterprise(0).id;
    let said = testing::wait(world.integrations().ask(id, "bitrix24", Question::Test));
    assert!(
        matches!(&said, Err(Failed::Settings { words }) if words.contains("not installed")),
        "{said:?}"
    );
    let_in(&world, &crm);
    crm.state.expire();
    for call in 1..=3 {
        world.tell(0, sample::ringing(call), &[Dial]);
        world.tell(0, sample::answered(call), END);
    }
    for call in 1..=3 {
        world.settled(0, call);
    }
    assert_eq!(ids(&crm).len(), 3);
    assert_eq!(count(&crm, "oauth"), 1, "renewed once for all");
    let secrets = "SELECT count(*) FROM integration_logs WHERE request_data LIKE '%-token-%' \
                   OR response_data LIKE '%-token-%' OR request_data LIKE '%demo-client-secret%'";
    assert_eq!(testing::number(&mut database.connect(), secrets), 0);
    crm.state.revoke();
    world.tell(0, sample::answered(4), &[Upload]);
    waits_until_somebody_lets_us_in(&world, &crm, 4);
}

/// A world whose application's access has ended; it hangs there when the first call makes a renewal necessary, until it is
/// killed and started again.
fn killed_over(database: &TestDatabase, crm: &Running<State>, hangs: &[Behaviour]) -> World {
    // So patient that what hangs hangs until the process is killed.
    let patient = || Settings {
        answer_timeout_ms: 20_000,
        ..terms(crm)
    };
    let other = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, patient(), other);
    world.connect(0, "bitrix24", application(crm));
    let_in(&world, crm);
    crm.state.expire();
    for line in hangs {
        crm.state.behave(line.clone());
    }
    world.tell(0, sample::answered(1), &[Upload]);
    world.until("it hangs", |_| crm.state.counts().scripted == 1);
    world.kill();
    world.start(patient());
    world
}

fn killed_before_a_renewal_was_answered_it_renews_after_its_start(database: &TestDatabase) {
    let crm = portal(bitrix24::Settings::default());
    let begun = std::time::Instant::now();
    let hang = Behaviour::fault(Fault::Hang).at("oauth").times(1);
    let world = killed_over(database, &crm, &[hang]);
    world.settled(0, 1);
    assert_eq!(ids(&crm), ["1772363109.1"]);
    let waited = begun.elapsed();
    assert!(
        waited.as_secs() < 25,
        "the turn of who died is free: {waited:?}"
    );
}

fn killed_after_the_new_pair_was_stored_it_goes_on_with_it(database: &TestDatabase) {
    let crm = portal(bitrix24::Settings::default());
    // The newest line comes first: what is asked first is refused, for the access has ended.
    let hang = Behaviour::fault(Fault::Hang).times(1);
    let first = Behaviour::default().times(2);
    let world = killed_over(database, &crm, &[hang, first]);
    world.settled(0, 1);
    assert_eq!(ids(&crm), ["1772363109.1"]);
    assert_eq!(count(&crm, "oauth"), 1, "one renewal");
}

/// No API offers more: the pair is used up and nobody has the new one.
fn killed_in_between_history_waits_for_a_person(database: &TestDatabase) {
    let crm = portal(bitrix24::Settings::default());
    let hang = Behaviour::fault(Fault::Hang).after().at("oauth").times(1);
    let world = killed_over(database, &crm, &[hang]);
    waits_until_somebody_lets_us_in(&world, &crm, 1);
}

fn a_click_is_finished_under_the_id_it_came_with(database: &TestDatabase) {
    let (crm, world) = started(database);
    let call_id = crm.state.open_clicked(&Click::default());
    let click = NewRequest {
        id: "r1".into(),
        enterprise: world.enterprise(0).id,
        extension: "150".into(),
        number: "+375296254070".into(),
        source: "bitrix24".into(),
        memory: json!({"call_id": call_id, "shown": [34]}),
        at: Utc::now(),
    };
    testing::wait(
        world
            .store
            .write(move |conn| requests::add(conn, &click, chrono::TimeDelta::zero())),
    )
    .unwrap();
    let clicked = |record: Record| Record {
        request_id: "r1".into(),
        ..sample::outgoing(record)
    };
    world.tell(0, clicked(sample::ringing(1)), &[Dial]);
    world.tell(0, clicked(sample::answered(1)), END);
    world.settled(0, 1);
    assert_eq!(count(&crm, "telephony.externalcall.register"), 0);
    assert_eq!(
        history(&crm),
        ["type 1 375296254070 of CONTACT 812: user 34, 62 s, 200 1772363109.1.wav"]
    );
    assert_eq!(crm.state.finished()[0].call.call_id, call_id);
}

fn questions_are_answered(database: &TestDatabase) {
    let crm = portal(bitrix24::Settings {
        more_users: 1_200,
        ..bitrix24::Settings::default()
    });
    let world = world(database, &crm, settings(&crm));
    let ask = |question| {
        let id = world.enterprise(0).id;
        testing::wait(world.integrations().ask(id, "bitrix24", question)).unwrap()
    };
    assert_eq!(
        ask(Question::Test),
        Answer::Works("we are let in, as Павел Админов".into())
    );
    let phone = "+375296254070".to_owned();
    let asked = Question::Customer {
        phone: phone.clone(),
    };
    let Answer::Customer(Some(customer)) = ask(asked) else {
        panic!("nobody");
    };
    assert_eq!(customer.name, "Иван Петров");
    assert!(customer.link.ends_with("/crm/contact/details/812/"));
    let Answer::Responsible(Some(manager)) = ask(Question::Responsible { phone }) else {
        panic!("nobody");
    };
    assert_eq!(
        (manager.id.as_str(), manager.extension.as_deref()),
        ("34", Some("150"))
    );
    let nobody = ask(Question::Customer {
        phone: "+375290000000".into(),
    });
    assert_eq!(nobody, Answer::Customer(None));
    let Answer::Managers(all) = ask(Question::Managers) else {
        panic!("no list");
    };
    assert_eq!(all.len(), 1_205, "who was dismissed is not among them");
    assert_eq!(all[1].extension.as_deref(), Some("150"));
    assert!(all[0].extension.is_none() && all[3].extension.is_none() && all[4].extension.is_none());
    assert_eq!(
        count(&crm, "batch"),
        1 + 2,
        "one for the test, two for twenty-four pages"
    );
    assert_eq!(crm.state.refused(), 0);
}

fn recorded_calls_come_to_this(database: &TestDatabase) {
    let (crm, world) = started(database);
    let mut text = String::new();
    for (index, scenario) in scenarios().keys().enumerate() {
        let from = i64::try_from(index).unwrap() * 100 + 1;
        let before = (crm.state.cards().len(), crm.state.finished().len());
        let mut calls = Vec::new();
        for planned in notices_of(scenario, from) {
            let call = planned.notice.record.call.0;
            let silent = super::super::dispatch::forbidden(&planned.notice).is_some();
            let wanted = matches!(planned.notice.kind, Dial | Bridge | Hangup | Upload);
            world.tell_planned(0, planned);
            if !silent && wanted {
                // One after the other, as they come when the portal keeps up.
                world.settled(0, call);
                if !calls.contains(&call) {
                    calls.push(call);
                }
            }
        }
        text.push_str(&format!("{scenario}\n"));
        for card in crm.state.cards().iter().skip(before.0) {
            let word = if card.open { "sees" } else { "no longer sees" };
            text.push_str(&format!("  {} {word} +{}\n", card.user, card.phone));
        }
        for one in crm.state.finished().iter().skip(before.1) {
            text.push_str(&format!("  {}\n", filed(one).trim_end()));
        }
        for left in crm.state.live() {
            text.push_str(&format!("  goes on for all we know: +{}\n", left.phone));
            crm.state.forget(&left.call_id);
        }
    }
    // 152 is the extension of somebody who was dismissed: the portal says so, and the next one is named.
    for one in crm.state.counts().refusals {
        assert_eq!(one.reason.trim(), "User is not found or is not active");
    }
    insta::assert_snapshot!("recorded_calls_in_bitrix24", text);
}
