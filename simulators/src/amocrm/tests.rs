//! What the stand-in is strict about, and what it is careless about as the real one is.

use std::time::Instant;

use serde_json::json;

use super::answer::Refuse;
use super::{Settings, State, calls, oauth};

fn call(uniq: &str) -> serde_json::Value {
    json!({"direction": "inbound", "duration": 5, "source": "pbx", "phone": "+375296254070", "uniq": uniq})
}

#[test]
fn the_same_call_twice_is_two_notes() {
    let state = State::new(Settings::default());
    for _ in 0..2 {
        let answer = calls::add(&mut state.book(), &json!([call("1")]));
        assert!(matches!(answer, Ok((200, _))));
    }
    assert_eq!(state.notes().len(), 2);
}

#[test]
fn a_number_nobody_has_is_dropped() {
    let state = State::new(Settings::default());
    let mut unknown = call("1");
    unknown["phone"] = json!("+375330000000");
    let answer = calls::add(&mut state.book(), &json!([unknown]));
    assert!(matches!(answer, Ok((400, body)) if body["errors"][0]["title"] == "Entity not found"));
    assert_eq!(state.notes().len(), 0);
}

#[test]
fn a_call_that_breaks_a_rule_is_refused_by_its_member() {
    let state = State::new(Settings::default());
    for (member, value, code) in [
        ("direction", json!("in"), "NotSupportedChoice"),
        ("call_status", json!(8), "NotSupportedChoice"),
        ("phone", json!(null), "NotNullable"),
        ("source", json!(" "), "NotBlank"),
        ("colour", json!("red"), "FieldNotExpected"),
    ] {
        let mut broken = call("1");
        broken[member] = value;
        let answer = calls::add(&mut state.book(), &json!([broken]));
        let Err(Refuse::Problem(400, body)) = answer else {
            panic!("{member} was taken");
        };
        assert_eq!(body["validation-errors"][0]["errors"][0]["code"], code);
    }
    assert!(
        calls::add(&mut state.book(), &call("1")).is_err(),
        "no list"
    );
}

#[test]
fn a_refresh_token_is_good_once() {
    let settings = Settings::default();
    let state = State::new(settings.clone());
    let body = json!({"client_id": settings.client_id, "client_secret": settings.client_secret,
        "grant_type": "refresh_token", "refresh_token": settings.refresh_token, "redirect_uri": settings.redirect_uri});
    let mut book = state.book();
    let Ok((200, pair)) = oauth::exchange(&mut book, &settings, &body) else {
        panic!("refused");
    };
    let access = pair["access_token"].as_str().unwrap();
    assert!(oauth::knows(&book, &settings, access, Instant::now()));
    let again = oauth::exchange(&mut book, &settings, &body);
    assert!(
        matches!(again, Err(Refuse::Problem(401, body)) if body["hint"] == "Token has been revoked")
    );
}
