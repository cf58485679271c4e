//! What the stand-in is strict about, and what it is careless about as the real one is.

use std::time::Instant;

use serde_json::json;

use super::answer::Refuse;
use super::{Settings, State, calls, hooks, markup, people};
use crate::form::Fields;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let text = serde_urlencoded::to_string(pairs).unwrap();
    Fields::urlencoded(text.as_bytes())
}

const CALL: [(&str, &str); 4] = [
    ("phone", "375296254070"),
    ("start", "2026-03-01 14:05:09"),
    ("direction", "2"),
    ("manager_id", "2"),
];

fn with(name: &'static str, value: &'static str) -> Fields {
    let mut pairs: Vec<_> = CALL
        .iter()
        .copied()
        .filter(|(one, _)| *one != name)
        .collect();
    pairs.push((name, value));
    fields(&pairs)
}

#[test]
fn the_same_call_twice_is_two_rows() {
    let state = State::new(Settings::default());
    for id in ["401", "402"] {
        let answer = calls::add(&mut state.book(), &fields(&CALL));
        assert_eq!(answer, Ok(json!({"result": 200, "id": id})));
    }
    assert_eq!(state.calls().len(), 2);
    assert_eq!(state.calls()[0].client, Some(5));
}

#[test]
fn a_call_that_breaks_a_rule_is_refused_by_its_field() {
    let state = State::new(Settings::default());
    for (name, value) in [
        ("phone", "+375296254070"),
        ("phone", ""),
        ("start", "2026-03-01T14:05:09"),
        ("start", "2026-03-01"),
        ("direction", "3"),
        ("duration", "-1"),
        ("duration", "1:02"),
        ("manager_id", "7"),
        ("manager_id", "150"),
        ("record_link", "recordings/1.mp3"),
        ("record_url", "https://pbx.example/1.mp3"),
    ] {
        let answer = calls::add(&mut state.book(), &with(name, value));
        assert_eq!(answer, Err(Refuse::parameter(name)), "{name}={value}");
    }
    assert!(state.calls().is_empty());
}

#[test]
fn a_pop_up_holds_what_is_known_to_be_drawn() {
    for (text, taken) in [
        ("Звонок", true),
        (
            "<b>Звонок</b><br/>+375 &amp; <a href=\"https://id1.u-on.ru/x?a=1&amp;b=2\" target=\"_blank\">Иван</a>",
            true,
        ),
        ("Иван <script>", false),
        ("<img src=x>", false),
        ("Tom & Jerry", false),
        ("<a href=\"javascript:alert(1)\">x</a>", false),
        ("1 < 2", false),
    ] {
        assert_eq!(markup::read(text).is_some(), taken, "{text}");
    }
    let state = State::new(Settings::default());
    let nobody = fields(&[("text", "Звонок"), ("manager_id", "99")]);
    let answer = calls::notify(&mut state.book(), &nobody);
    assert_eq!(answer, Err(Refuse::parameter("manager_id")));
}

#[test]
fn somebody_is_found_by_digits_only() {
    let find = |settings: &Settings, phone: &str| {
        let state = State::new(settings.clone());
        let book = state.book();
        people::by_phone(&book, settings, phone, Instant::now())
    };
    let strict = Settings::default();
    let found = find(&strict, "375296254070").unwrap();
    assert_eq!(found["users"][0]["u_id"], 5, "not the one with a note");
    for phone in ["+375296254070", "%2B375296254070", "375330000000"] {
        assert_eq!(find(&strict, phone), Err(Refuse::nothing()), "{phone}");
    }
    let lenient = Settings {
        empty_is_404: false,
        ..strict
    };
    let nobody = json!({"users": [], "result": 200});
    assert_eq!(find(&lenient, "375330000000"), Ok(nobody));
}

#[test]
fn a_new_client_is_not_found_at_once() {
    let settings = Settings {
        index_delay_ms: 1_000,
        ..Settings::default()
    };
    let state = State::new(settings.clone());
    let now = Instant::now();
    let mut book = state.book();
    let new = fields(&[("u_name", "Новый"), ("u_phone", "375331234567")]);
    assert!(people::add_client(&mut book, &new, now).is_ok());
    let find = |at| people::by_phone(&book, &settings, "375331234567", at);
    assert_eq!(find(now), Err(Refuse::nothing()));
    assert!(find(now + std::time::Duration::from_secs(1)).is_ok());
}

#[test]
fn a_lead_of_a_stranger_makes_a_client_too() {
    let state = State::new(Settings::default());
    let new = fields(&[
        ("source", "Звонок"),
        ("u_name", "Новый"),
        ("u_phone", "375331234567"),
    ]);
    assert!(people::add_lead(&mut state.book(), &new, Instant::now()).is_ok());
    assert_eq!(
        state.leads()[0].client,
        state.clients().last().unwrap().u_id
    );
    let nameless = fields(&[("source", "Звонок")]);
    let answer = people::add_lead(&mut state.book(), &nameless, Instant::now());
    assert_eq!(answer, Err(Refuse::parameter("u_phone")));
}

#[test]
fn a_webhook_goes_by_get_unless_told_and_none_are_a_404() {
    let state = State::new(Settings::default());
    let mut book = state.book();
    assert_eq!(hooks::list(&book, 1), Err(Refuse::nothing()));
    let new = fields(&[("type_id", "47"), ("url", "https://pbx.example/crm/uon/k")]);
    assert!(hooks::add(&mut book, &new).is_ok());
    let list = hooks::list(&book, 1).unwrap();
    assert_eq!(list["webhooks"][0]["method"], "GET");
    assert!(hooks::remove(&mut book, 401).is_ok());
    assert_eq!(hooks::list(&book, 1), Err(Refuse::nothing()));
}
