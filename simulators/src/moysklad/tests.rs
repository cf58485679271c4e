//! What the stand-in is strict about, and what it is careless about as the real one may be.

use serde_json::{Value, json};

use super::answer::Refuse;
use super::phone::{self, Name};
use super::{Duplicates, Settings, Shown, State, remap};

const BASE: &str = "https://api.moysklad.ru";

fn call(id: &str) -> Value {
    json!({"externalId": id, "number": "+375296254070", "isIncoming": true, "startTime": "2026-03-01 14:05:09.000"})
}

fn create(state: &State, body: &Value) -> Result<Value, Refuse> {
    phone::create(&mut state.book(), &state.settings, body, BASE).map(|(_, body)| body)
}

fn update(state: &State, id: &str, body: &Value) -> Result<Value, Refuse> {
    phone::update(&mut state.book(), Name::External(id), body, BASE).map(|(_, body)| body)
}

#[test]
fn a_call_is_linked_to_its_client_and_tells_the_owners_extension() {
    let state = State::new(Settings::default());
    let told = create(&state, &call("1")).unwrap();
    assert_eq!(told["counterpartyowner"]["extention"], "151");
    let href = told["counterparty"]["href"].as_str().unwrap();
    assert!(href.ends_with("/entity/counterparty/33333333-aaaa-11f0-0a80-000000000002"));
    assert_eq!(told["endTime"], Value::Null);
}

#[test]
fn the_same_external_id_is_another_call_or_refused() {
    let state = State::new(Settings::default());
    assert!(create(&state, &call("1")).is_ok() && create(&state, &call("1")).is_ok());
    assert_eq!(state.calls().len(), 2);
    let state = State::new(Settings {
        duplicates: Duplicates::Refused,
        ..Settings::default()
    });
    create(&state, &call("1")).unwrap();
    assert!(matches!(
        create(&state, &call("1")),
        Err(Refuse::Told(412, 3006, ..))
    ));
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_member() {
    let state = State::new(Settings::default());
    for (member, value, code) in [
        ("externalId", json!(null), 3000),
        ("number", json!(""), 3000),
        ("isIncoming", json!(null), 3000),
        ("isIncoming", json!("true"), 2016),
        ("startTime", json!("2026-03-01T14:05:09Z"), 2016),
        ("recordUrl", json!("https://x"), 2016),
        ("comment", json!("ж".repeat(4097)), 2016),
        (
            "events",
            json!([{"eventType": "SHOW", "sequence": 1}]),
            3000,
        ),
        (
            "events",
            json!([{"eventType": "SHOW", "extension": "150"}]),
            3000,
        ),
        (
            "events",
            json!([{"eventType": "OPEN", "extension": "150", "sequence": 1}]),
            2016,
        ),
    ] {
        let mut broken = call("1");
        broken[member] = value;
        match create(&state, &broken) {
            Err(Refuse::Told(412, told, ..)) => assert_eq!(told, code, "{member}"),
            other => panic!("{member}: {other:?}"),
        }
    }
    assert!(state.calls().is_empty());
}

#[test]
fn what_is_filled_in_stays_and_links_are_added() {
    let state = State::new(Settings::default());
    create(&state, &call("1")).unwrap();
    let end = |time: &str| json!({"endTime": time, "extension": "151", "recordUrl": ["https://a"], "comment": time});
    update(&state, "1", &end("2026-03-01 14:06:20")).unwrap();
    let told = update(&state, "1", &end("2026-03-01 14:07:20")).unwrap();
    assert_eq!(told["endTime"], "2026-03-01 14:06:20.000");
    assert_eq!(told["duration"], 71_000);
    assert_eq!(told["recordUrl"], json!(["https://a", "https://a"]));
    assert_eq!(told["comment"], "2026-03-01 14:07:20");
    let other = update(&state, "1", &json!({"extension": "150"})).unwrap();
    assert_eq!(other["extension"], "151");
    let gone = update(&state, "2", &json!({}));
    assert!(matches!(gone, Err(Refuse::Told(404, 1021, ..))));
}

#[test]
fn cards_follow_their_commands_in_order() {
    let state = State::new(Settings::default());
    let command = |kind: &str, extension: &str, sequence: i64| json!({"eventType": kind, "extension": extension, "sequence": sequence});
    let mut begun = call("1");
    begun["events"] = json!([command("SHOW", "150", 1), command("SHOW", "151", 2)]);
    create(&state, &begun).unwrap();
    let obey = |body: Value| {
        phone::command(&mut state.book(), Name::External("1"), &body).unwrap();
        let shown = state.cards("1").into_iter();
        shown.map(|(_, shown)| shown).collect::<Vec<_>>()
    };
    assert_eq!(
        obey(command("STARTTIME", "151", 3)),
        [Shown::Open, Shown::Talking]
    );
    assert_eq!(
        obey(command("HIDE", "150", 4)),
        [Shown::Closed, Shown::Talking]
    );
    // Too late: a higher number was obeyed.
    assert_eq!(
        obey(command("SHOW", "150", 3)),
        [Shown::Closed, Shown::Talking]
    );
    assert_eq!(
        obey(json!({"eventType": "HIDE_ALL", "sequence": 999})),
        [Shown::Closed, Shown::Closed]
    );
}

#[test]
fn numbers_are_found_as_they_are_written_and_no_other_way() {
    let state = State::new(Settings::default());
    let names = |name: &str, value: &str| {
        let query = [(name.to_owned(), value.to_owned())];
        let (_, body) = remap::counterparties(&state.book(), &query, BASE).unwrap();
        let rows = body["rows"].as_array().unwrap().clone();
        rows.iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // The decoy's address, not the number that is written with dashes.
    assert_eq!(names("search", "296254070"), ["Пётр Примечание"]);
    assert_eq!(names("search", "625-40-70"), ["Иван Петров"]);
    assert_eq!(names("filter", "phone~625-40"), ["Иван Петров"]);
    assert_eq!(names("search", "111-22-33"), ["ООО «Ромашка»"]);
    let broken = [("filter".to_owned(), "colour=red".to_owned())];
    assert!(remap::counterparties(&state.book(), &broken, BASE).is_err());
}
