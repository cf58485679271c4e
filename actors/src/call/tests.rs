//! The machine against what real hosts sent: every recorded scenario, plain, shuffled and doubled.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use super::aliases::Aliases;
use super::effect::{Planned, Told};
use super::event::{Body, Event, EventKind};
use super::record::{CallId, Direction, NoticeKind, Outcome, Phase, Record};
use super::state::CallState;
use crate::cache::snapshot::{Enterprise, Person};

/// The enterprise of the recordings.
pub fn enterprise() -> Enterprise {
    Enterprise {
        id: 1,
        number: "0367".into(),
        name: "june".into(),
        token: "375293332255".to_owned().into(),
        active: true,
        country: "BY".into(),
        time_zone: chrono_tz::UTC,
        language: "ru".into(),
        bot_token: None,
        secret: None,
        debug_log: false,
        settings: Value::Null,
        extensions: ["150", "151", "152"]
            .into_iter()
            .map(|e| (e.to_owned(), Person::default()))
            .collect(),
        lines: Default::default(),
        primary: None,
        integrations: Default::default(),
        has_telegram_subscribers: false,
        host: Default::default(),
    }
}

fn captures() -> PathBuf {
    std::env::var_os("PATCHBAY_CAPTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/captures"),
        PathBuf::from,
    )
}

/// A recorded scenario's events, in the order in which the host sent them.
pub fn read(scenario: &str) -> Vec<Event> {
    read_with(scenario, |line| line.to_owned())
}

/// The same, each line changed first.
pub fn read_with(scenario: &str, change: impl Fn(&str) -> String) -> Vec<Event> {
    let text = std::fs::read_to_string(captures().join(format!("{scenario}.jsonl"))).unwrap();
    text.lines()
        .map(change)
        .map(|line| {
            let line: Value = serde_json::from_str(&line).unwrap();
            let kind =
                EventKind::parse(line["path"].as_str().unwrap().trim_start_matches('/')).unwrap();
            let body = match &line["body"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let header = line["headers"]["X-Event-Id"].as_str();
            Body::read(body.as_bytes()).unwrap().into_event(
                kind,
                1,
                chrono_tz::UTC,
                header,
                chrono::Utc::now(),
            )
        })
        .collect()
}

/// What a recorded scenario calls for, as `notices` has it.
pub fn notices_of(scenario: &str, from: i64) -> Vec<Planned> {
    notices(&read(scenario), from, false)
}

/// What events call for, notice by notice in their order; calls are numbered from `from`. A history record stands once, as
/// it was when it went out (`each`: as often as it was called for), and not for a call that became part of another.
pub fn notices(events: &[Event], from: i64, each: bool) -> Vec<Planned> {
    let mut told: BTreeMap<CallId, Told> = BTreeMap::new();
    let mut planned: Vec<Planned> = Vec::new();
    let ear = &mut |seen: Seen<'_>| match seen {
        Seen::Record(record) => {
            let told = told.entry(record.call).or_default();
            for new in told.decide(record).notices {
                let again = |old: &Planned| {
                    old.key == new.key && old.notice.record.call == new.notice.record.call
                };
                planned.retain(|old| each || new.notice.kind != NoticeKind::Upload || !again(old));
                planned.push(new);
            }
        }
        Seen::Absorbed { part, by } => {
            let part_told = told.remove(&part).unwrap_or_default();
            told.entry(by).or_default().absorb(&part_told);
            planned.retain(|old| {
                let history = [NoticeKind::Upload, NoticeKind::Recording];
                old.notice.record.call != part || !history.contains(&old.notice.kind)
            });
        }
    };
    follow(events, from, ear);
    if !each {
        // Its place is after the history, which rests until nothing more comes.
        planned.sort_by_key(|one| one.notice.kind == NoticeKind::Recording);
    }
    planned
}

/// What `follow` tells of.
enum Seen<'a> {
    Record(&'a Record),
    Absorbed { part: CallId, by: CallId },
}

/// What the registry does, without actors: files events under calls, merges calls that turn out to be one.
pub(super) fn run(events: &[Event]) -> Vec<Record> {
    follow(events, 1, &mut |_| ())
}

fn follow(events: &[Event], from: i64, ear: &mut dyn FnMut(Seen<'_>)) -> Vec<Record> {
    let enterprise = enterprise();
    let mut opened = from;
    let mut aliases = Aliases::default();
    let mut calls: BTreeMap<CallId, (CallState, Vec<u64>)> = BTreeMap::new();
    for event in events.iter().filter(|event| !event.kind.is_of_bridge()) {
        let found = aliases.find(1, event);
        let id = match found.split_first() {
            None => {
                let id = CallId(opened);
                opened += 1;
                let uuid = uuid::Uuid::from_u128(u128::from(id.0.unsigned_abs()));
                calls.insert(id, (CallState::new(id, 1, uuid), Vec::new()));
                id
            }
            Some((first, others)) => {
                for other in others {
                    let both = [first, other]
                        .iter()
                        .all(|id| calls[id].0.has_own_client(&enterprise));
                    if both {
                        continue;
                    }
                    let (absorbed, hashes) = calls.remove(other).unwrap();
                    let survivor = calls.get_mut(first).unwrap();
                    survivor.0.absorb(&absorbed);
                    ear(Seen::Absorbed {
                        part: *other,
                        by: *first,
                    });
                    aliases.redirect(&hashes, *first);
                    survivor.1.extend(hashes);
                }
                *first
            }
        };
        let hashes = aliases.learn(1, event, id);
        let call = calls.get_mut(&id).unwrap();
        call.1.extend(hashes);
        call.0.apply(event);
        if let Some(record) = call.0.record(&enterprise) {
            ear(Seen::Record(&record));
        }
    }
    let mut records: Vec<Record> = calls
        .values_mut()
        .filter_map(|(call, _)| {
            let record = call.record(&enterprise)?;
            if record.phase == Phase::Ended {
                return Some(record);
            }
            let at = record.received_at + chrono::TimeDelta::hours(4);
            call.apply(&Event::lost(
                1,
                &record.unique_id,
                &record.linked_id,
                record.events_count,
                at,
            ));
            call.record(&enterprise)
        })
        .collect();
    records.sort_by_key(|record| record.received_at);
    records
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn differences(records: &[Record], expected: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    if records.len() != expected.len() {
        found.push(format!(
            "{} calls, expected {}",
            records.len(),
            expected.len()
        ));
    }
    for (index, (record, expected)) in records.iter().zip(expected).enumerate() {
        let mut check = |name: &str, actual: Value, expected: &Value| {
            if actual != *expected {
                found.push(format!(
                    "call {index}: {name} is {actual}, expected {expected}"
                ));
            }
        };
        check(
            "direction",
            record.direction.as_str().into(),
            &expected["direction"],
        );
        check("phone", record.phone.clone().into(), &expected["phone"]);
        check(
            "result",
            record.outcome.map(|o| o.as_str()).into(),
            &expected["result"],
        );
        check(
            "rung",
            record.rung.clone().into(),
            &texts(&expected["rung"]).into(),
        );
        check(
            "talked",
            record.talked.clone().into(),
            &texts(&expected["talked"]).into(),
        );
        if expected.get("made_by").is_some() {
            check(
                "made_by",
                record.made_by.clone().into(),
                &expected["made_by"],
            );
        }
        let history = i64::from(record.direction != Direction::Internal && record.phone.is_some());
        check("crm_history", history.into(), &expected["crm_history"]);
        for (name, actual) in [
            ("wait_s", record.wait_seconds),
            ("talk_s", record.talk_seconds),
        ] {
            if let Some(seconds) = expected.get(name).and_then(Value::as_i64)
                && (i64::from(actual) - seconds).abs() > 1
            {
                found.push(format!(
                    "call {index}: {name} is {actual}, expected {seconds}"
                ));
            }
        }
    }
    found
}

/// The recorded scenarios and what each comes to.
pub fn scenarios() -> BTreeMap<String, Vec<Value>> {
    let text = std::fs::read_to_string(captures().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_recorded_scenario_comes_to_what_it_was() {
    let mut wrong = Vec::new();
    for (scenario, expected) in scenarios() {
        for difference in differences(&run(&read(&scenario)), &expected) {
            wrong.push(format!("{scenario}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn doubled_events_change_nothing() {
    for (scenario, expected) in scenarios() {
        let events: Vec<Event> = read(&scenario)
            .into_iter()
            .flat_map(|event| [event.clone(), event])
            .collect();
        assert_eq!(
            differences(&run(&events), &expected),
            Vec::<String>::new(),
            "{scenario}"
        );
    }
}

/// Fisher–Yates with a small generator of its own: the seed alone tells the order.
pub fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for index in (1..list.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        list.swap(index, (state >> 33) as usize % (index + 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_order_comes_to_the_same(seed in any::<u64>()) {
        for (scenario, expected) in scenarios() {
            let mut events = read(&scenario);
            shuffle(&mut events, seed);
            prop_assert_eq!(differences(&run(&events), &expected), Vec::<String>::new(), "{}", scenario);
        }
    }
}

/// A leg of a transfer that arrived before what ties it to its call had a pop-up of its own.
#[test]
fn a_pop_up_is_closed_under_the_name_it_was_opened_with() {
    let ringing = |unique_id: &str, extension: &str| Record {
        unique_id: unique_id.into(),
        rung: vec![extension.into()],
        phase: Phase::Dialing,
        outcome: None,
        ..crate::integration::sample::ringing(1)
    };
    let mut part = Told::default();
    part.decide(&ringing("1.2", "151"));
    let mut whole = Told::default();
    whole.decide(&ringing("1.1", "150"));
    whole.absorb(&part);
    let ended = Record {
        rung: vec!["150".into(), "151".into()],
        phase: Phase::Ended,
        outcome: Some(Outcome::Answered),
        ..ringing("1.1", "150")
    };
    let told = |told: &mut Told| -> Vec<(String, String)> {
        let effects = told.decide(&ended);
        let hangups = effects
            .notices
            .into_iter()
            .filter(|plan| plan.notice.kind == NoticeKind::Hangup);
        hangups
            .map(|plan| (plan.key, plan.notice.record.unique_id))
            .collect()
    };
    let pair = |key: &str, name: &str| (key.to_owned(), name.to_owned());
    assert_eq!(
        told(&mut whole),
        [pair("hangup:1.2", "1.2"), pair("hangup", "1.1")]
    );
    assert_eq!(told(&mut whole), [], "once is enough");
}

fn recordings_told(records: &[Record]) -> Vec<(String, bool)> {
    let mut told = Told::default();
    let planned = records
        .iter()
        .flat_map(|record| told.decide(record).notices);
    let late = |kind| matches!(kind, NoticeKind::Upload | NoticeKind::Recording);
    planned
        .filter(|plan| late(plan.notice.kind))
        .map(|plan| (plan.key, !plan.notice.record.recording.is_empty()))
        .collect()
}

#[test]
fn a_recording_later_than_the_hangup_is_a_notice_of_its_own() {
    let with = crate::integration::sample::answered(1);
    let without = Record {
        recording: String::new(),
        ..with.clone()
    };
    let pair = |key: &str, recorded| (key.to_owned(), recorded);
    let (history, late) = (|recorded| pair("upload", recorded), pair("recording", true));
    for (records, told) in [
        (vec![with.clone()], vec![history(true)]),
        (
            vec![with.clone(), with.clone()],
            vec![history(true), history(true)],
        ),
        (
            vec![without.clone(), without.clone()],
            vec![history(false), history(false)],
        ),
        (
            // The history is renewed where it still waits, and the notice follows it where it went out.
            vec![without.clone(), with.clone(), with],
            vec![history(false), history(true), late, history(true)],
        ),
    ] {
        assert_eq!(recordings_told(&records), told);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// However the events come, the last history holds the recording, and whoever was told of the call without it is told
    /// of it once.
    #[test]
    fn in_any_order_a_recording_is_told(seed in any::<u64>()) {
        for scenario in ["inbound-answered", "blind-transfer", "click-to-call", "outgoing-answered"] {
            let mut events = read(scenario);
            shuffle(&mut events, seed);
            let mut records: BTreeMap<CallId, Vec<Record>> = BTreeMap::new();
            follow(&events, 1, &mut |seen| match seen {
                Seen::Record(record) => records.entry(record.call).or_default().push(record.clone()),
                Seen::Absorbed { part, by } => {
                    let parts = records.remove(&part).unwrap_or_default();
                    records.entry(by).or_default().extend(parts.into_iter().filter(|record| record.call == by));
                }
            });
            for (_, records) in records {
                let told = recordings_told(&records);
                let Some((_, recorded)) = told.iter().rfind(|(key, _)| key == "upload") else { continue };
                let late = told.iter().filter(|(key, _)| key == "recording").count();
                let missed = told.iter().any(|(key, recorded)| key == "upload" && !recorded);
                prop_assert_eq!(late, usize::from(missed && *recorded), "{}: {:?}", scenario, told);
            }
        }
    }
}
