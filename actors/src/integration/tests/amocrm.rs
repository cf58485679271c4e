//! A link to amoCRM, on both databases, against its strict stand-in: what stands in the clients' histories when things
//! go well and when they do not, and that no call stands there twice though the CRM does not look.

use serde_json::{Value, json};
use simulators::amocrm::{self, Settings, State};
use simulators::script::{Behaviour, Fault};
use simulators::server::Running;

use super::super::actor::Order;
use super::super::connector::{Answer, Failed, Question};
use super::super::sample;
use super::world::{World, fast};
use crate::call::record::NoticeKind::{self, Dial, Hangup, Upload};
use crate::call::record::Record;
use crate::call::tests::{notices_of, scenarios};
use crate::store::testing::{self, TestDatabase};
use crate::store::{crm_tokens, enterprises};

crate::for_each_database!(
    a_call_is_shown_and_written_once,
    an_answer_that_was_lost_makes_no_second_note,
    an_unknown_caller_waits_among_the_unsorted_once,
    who_is_shut_out_stops_until_a_person_says_so,
    that_it_is_shut_out_outlives_the_process,
    trouble_of_a_moment_is_waited_out,
    a_killed_process_makes_no_second_note,
    questions_are_answered,
    access_is_given_by_a_code_and_renews_itself,
    access_taken_away_asks_for_a_person,
    killed_before_a_renewal_was_answered_it_renews_after_its_start,
    killed_after_the_new_pair_was_stored_it_goes_on_with_it,
    killed_in_between_history_waits_for_a_person,
    a_renewal_ahead_that_came_to_nothing_costs_nothing_yet,
    recorded_calls_come_to_these_histories,
);

fn crm() -> Running<State> {
    let settings = Settings::default().without_limits();
    amocrm::start_in_thread("127.0.0.1:0", settings).unwrap()
}

fn settings(crm: &Running<State>) -> Value {
    json!({"subdomain": crm.base_url, "access_token": "demo-token",
        "user_extensions": {"7654321": "150", "7654322": "151"}})
}

fn world(database: &TestDatabase, crm: &Running<State>) -> World {
    let other = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, fast(), other);
    world.connect(0, "amocrm", settings(crm));
    world
}

const ALL: &[NoticeKind] = &[Hangup, Upload];

fn uniqs(crm: &Running<State>) -> Vec<String> {
    let notes = crm.state.notes();
    let uniq = |note: &amocrm::Note| note.call["uniq"].as_str().unwrap_or_default().to_owned();
    notes.iter().map(uniq).collect()
}

fn a_call_is_shown_and_written_once(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, &crm);
    world.tell(0, sample::ringing(1), &[Dial]);
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    let popups = crm.state.popups();
    assert_eq!(popups.len(), 1);
    assert_eq!(popups[0].users, [7_654_321, 7_654_322]);
    assert_eq!(uniqs(&crm), ["1772363109.1"]);
    // Not the decoy in whose remark the digits stand.
    assert_eq!(crm.state.notes()[0].entity_id, 5_511_223);
    assert_eq!(crm.state.refused(), 0);
    let secrets = "SELECT count(*) FROM integration_logs WHERE request_data LIKE '%demo-token%'";
    assert_eq!(testing::number(&mut database.connect(), secrets), 0);
}

fn an_answer_that_was_lost_makes_no_second_note(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, &crm);
    let lost = Behaviour::fault(Fault::Drop).after().times(1);
    crm.state.behave(lost.at("calls/add"));
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    assert_eq!(uniqs(&crm), ["1772363109.1"]);
    // Where the client has one lead, the CRM puts the call there, and there it is looked for too.
    let hang = Behaviour::fault(Fault::Hang).after().times(1);
    crm.state.behave(hang.at("calls/add"));
    let record = Record {
        phone: Some("+375291112233".into()),
        ..sample::answered(2)
    };
    world.tell(0, record, ALL);
    world.settled(0, 2);
    assert_eq!(uniqs(&crm), ["1772363109.1", "1772363109.2"]);
    assert_eq!(crm.state.notes()[1].entity_type, "lead");
}

fn an_unknown_caller_waits_among_the_unsorted_once(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, &crm);
    let lost = Behaviour::fault(Fault::Drop).after().times(1);
    crm.state.behave(lost.at("unsorted/add"));
    let stranger = |call, phone: &str| Record {
        phone: Some(phone.into()),
        ..sample::answered(call)
    };
    world.tell(0, stranger(1, "+375331234567"), ALL);
    world.settled(0, 1);
    assert_eq!(crm.state.unsorted().len(), 1);
    assert_eq!(crm.state.refused(), 0, "it was asked, not tried");
    // One of the enterprise's own numbers is nobody's client.
    world.tell(0, stranger(2, "+375172000000"), ALL);
    world.settled(0, 2);
    assert_eq!(crm.state.unsorted().len(), 1);
    assert_eq!(world.states(0, 2), ["upload withdrawn"]);
}

fn who_is_shut_out_stops_until_a_person_says_so(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, &crm);
    let throttled = Behaviour::status(429).times(1);
    crm.state.behave(throttled.at("contacts"));
    crm.state.block(false);
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    crm.state.block(true);
    world.tell(0, sample::answered(2), ALL);
    let open = |world: &World| {
        let seen = world.integrations().observe();
        format!("{seen:?}").contains("blocked our address")
    };
    world.until("it says that it is shut out", open);
    let asked = || crm.state.counts().requests.values().sum::<u64>();
    let before = asked();
    // Another call's history waits as well: a call later, nothing was asked.
    world.tell(0, sample::answered(3), ALL);
    world.until("the row waits", |world| {
        world.states(0, 3) == ["upload due"]
    });
    assert_eq!(asked(), before);
    crm.state.block(false);
    let id = world.enterprise(0).id;
    assert!(testing::wait(world.integrations().order(
        id,
        "amocrm",
        Order::Reset
    )));
    world.settled(0, 2);
    world.settled(0, 3);
    assert_eq!(uniqs(&crm).len(), 3);
}

fn that_it_is_shut_out_outlives_the_process(database: &TestDatabase) {
    let crm = crm();
    let mut world = world(database, &crm);
    let id = world.enterprise(0).id;
    let (vault, mut saved) = (world.store.vault().clone(), settings(&crm));
    saved["enabled"] = true.into();
    let document = json!({"amocrm": saved});
    let save = world.store.write(move |conn| {
        enterprises::save_integrations(conn, &vault, id, &document, chrono::Utc::now())
    });
    testing::wait(save).unwrap();
    let stored = |world: &World| {
        let vault = world.store.vault().clone();
        let read = move |conn: &mut crate::store::Conn| enterprises::integrations(conn, &vault, id);
        testing::wait(world.store.read(read)).unwrap()["amocrm"].clone()
    };
    crm.state.block(true);
    world.tell(0, sample::answered(1), ALL);
    world.until("it is kept with the settings", |world| {
        let words = stored(world)["shut_out"]["words"].clone();
        words.to_string().contains("blocked our address")
    });
    let noted = "SELECT count(*) FROM audit_log WHERE action = 'integration.shut_out'";
    assert_eq!(testing::number(&mut database.connect(), noted), 1);
    let asked = || crm.state.counts().requests.values().sum::<u64>();
    let before = asked();
    world.kill();
    let settings = stored(&world);
    world.connect(0, "amocrm", settings);
    world.start(fast());
    world.tell(0, sample::answered(2), ALL);
    world.until("it says so still", |world| {
        let seen = format!("{:?}", world.integrations().observe());
        seen.contains("blocked our address") && world.states(0, 2) == ["upload due"]
    });
    assert_eq!(asked(), before, "nothing is asked");
    crm.state.block(false);
    let order = world.integrations().order(id, "amocrm", Order::Reset);
    assert!(testing::wait(order));
    world.settled(0, 1);
    world.settled(0, 2);
    world.until("it is forgotten", |world| {
        stored(world)["shut_out"].is_null()
    });
    assert_eq!(uniqs(&crm).len(), 2);
}

fn trouble_of_a_moment_is_waited_out(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, &crm);
    for (line, at) in [
        (Behaviour::status(500).times(1), "contacts"),
        (Behaviour::status(429).times(1), "notes"),
        (Behaviour::status(200).times(1), "contacts"),
        (Behaviour::fault(Fault::Down).times(1), "calls/add"),
    ] {
        crm.state.behave(line.at(at));
    }
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    assert_eq!(uniqs(&crm), ["1772363109.1"]);
}

fn a_killed_process_makes_no_second_note(database: &TestDatabase) {
    let crm = crm();
    let mut world = world(database, &crm);
    crm.state.behave(
        Behaviour::fault(Fault::Hang)
            .after()
            .at("calls/add")
            .times(1),
    );
    world.tell(0, sample::answered(1), ALL);
    world.until("the CRM has it", |_| !crm.state.notes().is_empty());
    world.kill();
    world.start(fast());
    world.settled(0, 1);
    assert_eq!(uniqs(&crm), ["1772363109.1"]);
}

fn questions_are_answered(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, &crm);
    let ask = |question| {
        let id = world.enterprise(0).id;
        testing::wait(world.integrations().ask(id, "amocrm", question)).unwrap()
    };
    assert_eq!(
        ask(Question::Test),
        Answer::Works("the token works: ACME".into())
    );
    let phone = "+375296254070".to_owned();
    let Answer::Customer(Some(customer)) = ask(Question::Customer {
        phone: phone.clone(),
    }) else {
        panic!("nobody");
    };
    assert_eq!(customer.name, "Иван Петров");
    let Answer::Responsible(Some(manager)) = ask(Question::Responsible { phone }) else {
        panic!("nobody");
    };
    assert_eq!(manager.id, "7654321");
    let Answer::Managers(all) = ask(Question::Managers) else {
        panic!("no list");
    };
    assert_eq!(all.len(), 2, "who was dismissed is not among them");
}

/// The integration that somebody lets in by a code; gives what the code was exchanged for.
fn let_in(world: &mut World, crm: &Running<State>) -> Result<(), Failed> {
    let_in_by(world, crm, "demo-code")
}

fn let_in_by(world: &mut World, crm: &Running<State>, code: &str) -> Result<(), Failed> {
    world.connect(
        0,
        "amocrm",
        json!({"subdomain": crm.base_url, "client_id": "7c1d3a52-0000-4000-8000-1f2e3d4c5b6a",
            "client_secret": "demo-secret", "address_key": "demo-key",
            "user_extensions": {"7654321": "150", "7654322": "151"}}),
    );
    let enterprise = world.enterprise(0).clone();
    let kind = crate::crm::find("amocrm").unwrap();
    let question = Question::Authorize { code: code.into() };
    let settings = enterprise.integrations["amocrm"].settings.clone();
    let asked = world
        .integrations()
        .converse(&enterprise, kind, &settings, &question);
    let (said, exchanges) = actix_rt::System::new().block_on(asked);
    let shown = exchanges.request + &exchanges.response;
    assert!(
        !shown.contains("demo-secret") && !shown.contains(code),
        "{shown}"
    );
    let Answer::Tokens(tokens) = said? else {
        panic!("something else");
    };
    let (vault, id) = (world.store.vault().clone(), enterprise.id);
    testing::wait(world.store.write(move |conn| {
        crm_tokens::save(conn, &vault, id, "amocrm", &tokens, chrono::Utc::now())
    }))
    .unwrap();
    Ok(())
}

fn access_is_given_by_a_code_and_renews_itself(database: &TestDatabase) {
    let crm = crm();
    let mut world = world(database, &crm);
    let_in(&mut world, &crm).unwrap();
    world.tell(0, sample::answered(1), ALL);
    world.settled(0, 1);
    // A day later, several calls at once.
    crm.state.expire();
    for call in 2..6 {
        world.tell(0, sample::answered(call), ALL);
    }
    for call in 2..6 {
        world.settled(0, call);
    }
    assert_eq!(uniqs(&crm).len(), 5);
    assert_eq!(
        crm.state.counts().requests["oauth"],
        2,
        "the code, and one renewal for all"
    );
    let again = let_in(&mut world, &crm).unwrap_err().to_string();
    assert!(
        again.contains("Authorization code has been revoked"),
        "{again}"
    );
    let plain = "SELECT count(*) FROM integration_logs WHERE request_data LIKE '%def50200%' \
        OR response_data LIKE '%def50200%' OR request_data LIKE '%access-%'";
    assert_eq!(testing::number(&mut database.connect(), plain), 0);
}

fn access_taken_away_asks_for_a_person(database: &TestDatabase) {
    let crm = crm();
    let mut world = world(database, &crm);
    let_in(&mut world, &crm).unwrap();
    crm.state.revoke();
    world.tell(0, sample::answered(1), ALL);
    waits_until_somebody_lets_us_in(&mut world, &crm, 1);
}

/// So patient that what hangs hangs until the process is killed.
fn patient() -> crate::integration::Settings {
    crate::integration::Settings {
        answer_timeout_ms: 20_000,
        ..fast()
    }
}

/// A world that was let in and whose access has ended; `hangs` at the renewal that the first call makes necessary, until it
/// is killed and started again.
fn killed_over(database: &TestDatabase, crm: &Running<State>, hangs: &[Behaviour]) -> World {
    let other = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, patient(), other);
    let_in(&mut world, crm).unwrap();
    crm.state.expire();
    for line in hangs {
        crm.state.behave(line.clone());
    }
    world.tell(0, sample::answered(1), ALL);
    world.until("it hangs", |_| crm.state.counts().scripted == 1);
    world.kill();
    world.start(patient());
    world
}

fn killed_before_a_renewal_was_answered_it_renews_after_its_start(database: &TestDatabase) {
    let crm = crm();
    let begun = std::time::Instant::now();
    let hang = Behaviour::fault(Fault::Hang).at("oauth").times(1);
    let world = killed_over(database, &crm, &[hang]);
    world.settled(0, 1);
    assert_eq!(uniqs(&crm), ["1772363109.1"]);
    let waited = begun.elapsed();
    assert!(
        waited.as_secs() < 25,
        "the turn of who died is free: {waited:?}"
    );
}

fn killed_after_the_new_pair_was_stored_it_goes_on_with_it(database: &TestDatabase) {
    let crm = crm();
    // The newest line comes first: the first search is refused, for the access has ended.
    let hang = Behaviour::fault(Fault::Hang).at("contacts").times(1);
    let first = Behaviour::default().at("contacts").times(1);
    let world = killed_over(database, &crm, &[hang, first]);
    world.settled(0, 1);
    assert_eq!(uniqs(&crm), ["1772363109.1"]);
    assert_eq!(crm.state.counts().requests["oauth"], 2, "a code, a renewal");
}

/// No API offers more: the pair is used up and nobody has the new one.
fn killed_in_between_history_waits_for_a_person(database: &TestDatabase) {
    let crm = crm();
    let hang = Behaviour::fault(Fault::Hang).after().at("oauth").times(1);
    let mut world = killed_over(database, &crm, &[hang]);
    waits_until_somebody_lets_us_in(&mut world, &crm, 1);
}

/// A process that died in the middle of a renewal an hour ahead, or a CRM that is away then, takes nothing from the access
/// that there is.
fn a_renewal_ahead_that_came_to_nothing_costs_nothing_yet(database: &TestDatabase) {
    let crm = crm();
    let other = simulators::retailcrm::Settings::default();
    let mut world = World::with(database, 1, patient(), other);
    let_in(&mut world, &crm).unwrap();
    let (vault, id) = (world.store.vault().clone(), world.enterprise(0).id);
    let save = world.store.write(move |conn| {
        let (_, mut tokens) = crm_tokens::read(conn, &vault, id, "amocrm")?.unwrap();
        let now = chrono::Utc::now();
        tokens.expires_at = Some(now + chrono::TimeDelta::minutes(30));
        crm_tokens::save(conn, &vault, id, "amocrm", &tokens, now)
    });
    testing::wait(save).unwrap();
    crm.state
        .behave(Behaviour::fault(Fault::Hang).after().at("oauth").times(1));
    world.tell(0, sample::answered(1), ALL);
    world.until("the renewal hangs", |_| crm.state.counts().scripted == 1);
    world.kill();
    world.start(patient());
    for call in [1, 2] {
        if call == 2 {
            world.tell(0, sample::answered(2), ALL);
        }
        world.settled(0, call);
        assert_eq!(world.states(0, call), ["upload done"]);
    }
    let renewals = crm.state.counts().requests["oauth"];
    assert_eq!(
        renewals, 3,
        "the code, the lost one, and one in vain a minute"
    );
    // When it has ended, a person is needed.
    crm.state.expire();
    world.tell(0, sample::answered(3), ALL);
    waits_until_somebody_lets_us_in(&mut world, &crm, 3);
}

/// The history of this call waits behind the breaker with words for a person; after a new code it goes out, once.
fn waits_until_somebody_lets_us_in(world: &mut World, crm: &Running<State>, call: i64) {
    let before = uniqs(crm).len();
    world.until("it says that a person is needed", |world| {
        let words = "get a new authorization code";
        let paused = format!("{:?}", world.integrations().observe()).contains(words);
        paused && world.rows(0, call)[0].outcome.contains(words)
    });
    assert_eq!(world.states(0, call), ["upload due"]);
    assert_eq!(uniqs(crm).len(), before);
    let code = crm
        .state
        .integrate("https://pbx.example/crm/amocrm/demo-key");
    let_in_by(world, crm, &code).unwrap();
    world.settled(0, call);
    assert_eq!(world.states(0, call), ["upload done"]);
    assert_eq!(uniqs(crm).len(), before + 1);
}

fn recorded_calls_come_to_these_histories(database: &TestDatabase) {
    let crm = crm();
    let world = world(database, &crm);
    let mut text = String::new();
    for (index, scenario) in scenarios().keys().enumerate() {
        let from = i64::try_from(index).unwrap() * 100 + 1;
        let before = (
            crm.state.popups().len(),
            crm.state.notes().len(),
            crm.state.unsorted().len(),
        );
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
        for popup in crm.state.popups().iter().skip(before.0) {
            lines.push(format!("  card {} for {:?}\n", popup.phone, popup.users));
        }
        for note in crm.state.notes().iter().skip(before.1) {
            let (to, call) = (note.entity_id, &note.call);
            lines.push(format!("  history of {to}: {}\n", line(call)));
        }
        for one in crm.state.unsorted().iter().skip(before.2) {
            lines.push(format!("  unsorted: {}\n", line(&one.item["metadata"])));
        }
        // Calls that go on at the same time end in no order.
        lines.sort_unstable();
        text.push_str(&format!("{scenario}\n{}", lines.concat()));
    }
    assert_eq!(crm.state.refused(), 0);
    insta::assert_snapshot!("recorded_calls_in_amocrm", text);
}

fn line(call: &Value) -> String {
    let whose = &call["call_responsible"];
    let way = call["direction"].as_str().unwrap_or("inbound");
    format!("{way} {} by {whose}, {} s", call["phone"], call["duration"])
}
