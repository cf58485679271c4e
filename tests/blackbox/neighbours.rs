//! One enterprise's trouble is its own: its CRM is down, or its host floods, and others do not notice.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use actors::store::testing::Kind;
use simulators::script::{Behaviour, Fault};

use crate::world::load::{Load, Promise, median};
use crate::world::{Enterprise, JULY, JUNE, World, on_both_databases, story, until};

on_both_databases!(
    a_crm_that_is_down_for_a_while,
    a_flood_of_one_is_not_felt_by_another
);

/// How long a pop-up is worth anything here; in life it is 15 s.
const POPUP_LIFE: Duration = Duration::from_secs(2);
/// How long the CRM is down; in life a minute, with pauses and waits that are longer in proportion.
const OUTAGE: Duration = Duration::from_secs(8);
/// Between two events of a caller: some calls a second for each enterprise, within what its CRM takes.
const PAUSE: Duration = Duration::from_millis(150);

fn a_crm_that_is_down_for_a_while(kind: Kind) {
    let mut world = World::on(kind)
        .set("deliveries.popup_useful_for", "2s")
        .set("deliveries.popup_retry", "100ms,200ms,400ms")
        .set("deliveries.upload_retry", "200ms,500ms,1s")
        .set("deliveries.breaker_pause", "200ms")
        .set("deliveries.breaker_longest_pause", "1s")
        .start();
    let began = (Instant::now(), chrono::Utc::now());
    let june = Load::start(&world.host(&JUNE), "a", 4, PAUSE);
    let july = Load::start(&world.host(&JULY), "b", 2, PAUSE);
    let calm = 60;
    until("there is a usual day to compare with", || {
        (june.taken() > calm).then_some(())
    });
    let down = Instant::now();
    world
        .crm
        .state
        .behave(Behaviour::fault(Fault::Down).on(JUNE.name));
    std::thread::sleep(OUTAGE);
    world.crm.state.script.clear();
    let up = Instant::now();
    let pop_ups = || {
        let events = world.account(&JUNE).events();
        events.iter().filter(|event| event.kind == "in").count()
    };
    let before = pop_ups();
    until("pop-ups are shown again", || {
        (pop_ups() > before + 10).then_some(())
    });
    let back = up.elapsed();
    let (june, july) = (june.finish(), july.finish());
    world.settle();
    assert!(world.server.is_running());

    // Hosts did not wait for the CRM.
    let took = |promises: &[Promise], from: Instant, to: Instant| {
        let some = promises
            .iter()
            .filter(|promise| promise.posted >= from && promise.posted < to);
        median(some.map(|promise| promise.took).collect())
    };
    let (usual, meanwhile) = (took(&june, began.0, down), took(&june, down, up));
    eprintln!("median answer: {usual:?} before, {meanwhile:?} while the CRM was down");
    assert!(
        meanwhile < usual * 3 + Duration::from_millis(15),
        "answers became slower: {usual:?} → {meanwhile:?}"
    );

    // All history is there, once, and each call's own deliveries kept their order.
    history_is_whole(&world, &JUNE, &june);
    history_is_whole(&world, &JULY, &july);

    // No pop-up came late; those that would have are recorded as missed.
    let rang: HashMap<&str, Instant> = dials(&june);
    let shown: HashMap<String, Instant> = shown(&world, &JUNE, began);
    let mut late = Vec::new();
    for (call, at) in &shown {
        let since = at.saturating_duration_since(rang[call.as_str()]);
        if since > POPUP_LIFE + Duration::from_millis(700) {
            late.push((call.clone(), since));
        }
    }
    assert!(late.is_empty(), "sent too late to be of use: {late:?}");
    let dropped = rang.len() - shown.len();
    assert!(
        back < Duration::from_secs(5),
        "pop-ups came back after {back:?}"
    );
    let missed = world.number("SELECT COUNT(*) FROM deliveries WHERE kind = 'dial' AND state = 'missed' AND enterprise_id = 1");
    let withdrawn = world.number("SELECT COUNT(*) FROM deliveries WHERE kind = 'dial' AND state = 'withdrawn' AND enterprise_id = 1");
    eprintln!(
        "{} calls rang, {} pop-ups shown, {missed} missed, {withdrawn} withdrawn",
        rang.len(),
        shown.len()
    );
    assert!(missed > 0, "an outage of {OUTAGE:?} costs pop-ups");
    assert_eq!(
        (missed + withdrawn) as usize,
        dropped,
        "each one not shown says so"
    );

    // The other enterprise has all of its pop-ups, each in time.
    let rang = dials(&july);
    let shown = self::shown(&world, &JULY, began);
    assert_eq!(
        shown.len(),
        rang.len(),
        "no pop-up of the neighbour is missing"
    );
    let delays: Vec<Duration> = shown
        .iter()
        .map(|(call, at)| at.saturating_duration_since(rang[call.as_str()]))
        .collect();
    assert!(
        delays.iter().all(|delay| *delay < Duration::from_secs(1)),
        "{:?}",
        delays.iter().max()
    );
}

/// When each call's phones rang.
fn dials(promises: &[Promise]) -> HashMap<&str, Instant> {
    let dials = promises.iter().filter(|promise| promise.kind == "dial");
    dials
        .map(|promise| (promise.unique_id.as_str(), promise.posted))
        .collect()
}

/// When each call's pop-up reached the CRM.
fn shown(
    world: &World,
    enterprise: &Enterprise,
    began: (Instant, chrono::DateTime<chrono::Utc>),
) -> HashMap<String, Instant> {
    let mut shown = HashMap::new();
    for event in world.account(enterprise).events() {
        if event.kind == "in" {
            let since = u64::try_from(event.at - began.1.timestamp_millis()).unwrap_or(0);
            shown
                .entry(event.call.clone().unwrap_or_default())
                .or_insert(began.0 + Duration::from_millis(since));
        }
    }
    shown
}

fn history_is_whole(world: &World, enterprise: &Enterprise, promises: &[Promise]) {
    let calls: HashSet<&str> = promises
        .iter()
        .map(|promise| promise.unique_id.as_str())
        .collect();
    let history: Vec<String> = world
        .account(enterprise)
        .calls()
        .iter()
        .map(|call| call.external_id.clone())
        .collect();
    let known: HashSet<&str> = history.iter().map(String::as_str).collect();
    assert_eq!(known, calls, "history of {}", enterprise.name);
    assert_eq!(history.len(), calls.len(), "each call once");
    let mut over = HashSet::new();
    for event in world.account(enterprise).events() {
        let call = event.call.clone().unwrap_or_default();
        if event.kind == "hangup" {
            over.insert(call);
        } else {
            assert!(
                !over.contains(&call),
                "the pop-up of {call} came after its hang-up"
            );
        }
    }
}

fn a_flood_of_one_is_not_felt_by_another(kind: Kind) {
    let world = World::on(kind)
        .set("events.rate_per_enterprise", "40")
        .set("events.burst_per_enterprise", "100")
        .start();
    let july = world.host(&JULY);
    let usual = median(
        (0..10)
            .flat_map(|call| july_call(&july, &format!("calm.{call}")))
            .collect(),
    );
    let flooding = Load::start(&world.host(&JUNE), "f", 12, Duration::ZERO);
    until("the flood is there", || {
        (flooding.taken() > 110).then_some(())
    });
    let meanwhile = median(
        (0..10)
            .flat_map(|call| july_call(&july, &format!("flooded.{call}")))
            .collect(),
    );
    let refused = world.person("root").get("/stats");
    let flood = flooding.finish();
    eprintln!(
        "median answer: {usual:?} usually, {meanwhile:?} beside a flood of {} taken events",
        flood.len()
    );
    assert!(
        meanwhile < usual * 4 + Duration::from_millis(20),
        "{usual:?} → {meanwhile:?}"
    );
    if refused.status == 200 {
        assert!(
            refused.body.contains("too-fast"),
            "refusals are counted: {}",
            refused.body
        );
    }
    world.settle();
    // Nothing of the neighbour's is missing, and the flood's own calls came to their end as fast as they may.
    assert_eq!(world.account(&JULY).calls().len(), 20);
    let calls: HashSet<&str> = flood
        .iter()
        .map(|promise| promise.unique_id.as_str())
        .collect();
    assert_eq!(world.account(&JUNE).calls().len(), calls.len());
}

/// One call, every event taken at the first attempt; how long each answer took.
fn july_call(host: &crate::world::Host, unique_id: &str) -> Vec<Duration> {
    let story = story::answered(unique_id, "375296254070", &["150"], "150");
    story
        .iter()
        .map(|(kind, body)| {
            let answer = host.post(kind, body);
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.took
        })
        .collect()
}
