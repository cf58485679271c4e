//! What Bitrix24 is told, as a person reads it, what its answers mean, and what is heard from it.

use serde_json::json;

use super::*;
use crate::call::record::{Outcome, Record};
use crate::integration::sample;

fn connector_with(more: Value) -> Bitrix24 {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    let mut settings = json!({"webhook_url": "https://acme.bitrix24.ru/rest/12/k3yk3yk3y/",
        "user_extensions": {"34": "150", "35": "151"}, "address_key": "0ur-key"});
    if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
        settings.extend(more);
    }
    Bitrix24::new(&place, &settings).unwrap()
}

fn connector() -> Bitrix24 {
    connector_with(json!({}))
}

fn application() -> Bitrix24 {
    connector_with(
        json!({"mode": "application", "portal": "acme.bitrix24.ru", "client_id": "local.1",
        "client_secret": "s3cret-of-app"}),
    )
}

fn known(memory: Value) -> Known {
    Known {
        memory,
        ..Known::default()
    }
}

fn said(connector: &Bitrix24, notice: &Notice, memory: Value, heard: &[Reply]) -> String {
    match connector.deliver(notice, &known(memory), heard) {
        Step::Send(request) => request.shown(),
        Step::Keep(memory) => format!("keep {memory}"),
        other => format!("{other:?}"),
    }
}

fn ok(result: Value) -> Reply {
    Reply::new(200, json!({ "result": result }).to_string())
}

fn no(status: u16, code: &str, words: &str) -> Reply {
    Reply::new(
        status,
        json!({"error": code, "error_description": words}).to_string(),
    )
}

fn batch(result: Value, errors: Value) -> Reply {
    ok(json!({"result": result, "result_error": errors, "result_total": []}))
}

const NOT_FOUND: &str = "Call is not found (call should be registered prior to finishing";
const NOT_FINISHED: &str =
    "Call is not found in the statistic table. Looks like it is not finished yet.";

#[test]
fn a_call_is_told_in_these_words() {
    let bitrix = connector();
    let dial = sample::notice(NoticeKind::Dial, sample::ringing(1));
    let mut alone = dial.clone();
    alone.extensions = vec!["151".into()];
    let mut stranger = dial.clone();
    stranger.extensions = vec!["199".into()];
    let bridge = sample::notice(
        NoticeKind::Bridge,
        Record {
            talked: vec!["151".into()],
            ..sample::ringing(1)
        },
    );
    let hangup = sample::notice(NoticeKind::Hangup, sample::answered(1));
    let upload = sample::notice(NoticeKind::Upload, sample::answered(1));
    let missed = sample::notice(NoticeKind::Upload, sample::unanswered(1, Outcome::Missed));
    let out = sample::notice(
        NoticeKind::Upload,
        sample::outgoing(sample::unanswered(1, Outcome::Busy)),
    );
    let id = json!({"call_id": "externalCall.1"});
    let both = json!({"call_id": "externalCall.1", "shown": [34, 35]});
    let one = json!({"call_id": "externalCall.1", "shown": [34]});
    let finished = json!({"call_id": "externalCall.1", "finished": true});
    let done = json!({"call_id": "externalCall.1", "finished": true, "recorded": true, "client": "CONTACT 812"});
    let registered =
        json!({"CALL_ID": "externalCall.1", "CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": 812});
    let row = json!({"ID": 71, "CRM_ENTITY_TYPE": "", "CRM_ENTITY_ID": null});
    let mut text = String::new();
    for (what, notice, memory, heard) in [
        ("rings for two", &dial, Value::Null, vec![]),
        (
            "and is registered",
            &dial,
            Value::Null,
            vec![batch(json!({"a": registered, "b": true}), json!([]))],
        ),
        ("and is there already", &dial, both.clone(), vec![]),
        ("rings for one", &alone, Value::Null, vec![]),
        (
            "rings for somebody of whom we know the extension only",
            &stranger,
            Value::Null,
            vec![],
        ),
        (
            "who does not work there",
            &stranger,
            Value::Null,
            vec![no(400, "", "User is not found or is not active")],
        ),
        ("rings for one more", &alone, one.clone(), vec![]),
        ("and is shown", &alone, one.clone(), vec![ok(json!(true))]),
        (
            "and the portal knows the call no more",
            &alone,
            one.clone(),
            vec![ok(json!(false))],
        ),
        ("is answered by one of two", &bridge, both.clone(), vec![]),
        ("is answered by another", &bridge, one.clone(), vec![]),
        (
            "is answered by the only one",
            &bridge,
            json!({"call_id": "externalCall.1", "shown": [35]}),
            vec![],
        ),
        ("is over", &hangup, both, vec![]),
        ("is over, nobody saw it", &hangup, id.clone(), vec![]),
        ("was never registered", &missed, Value::Null, vec![]),
        ("is filed with its recording", &upload, id.clone(), vec![]),
        (
            "and is filed",
            &upload,
            id.clone(),
            vec![batch(json!({"a": row, "b": {"FILE_ID": 1}}), json!([]))],
        ),
        (
            "and the recording cannot be fetched",
            &upload,
            id.clone(),
            vec![batch(
                json!({"a": row}),
                json!({"b": {"error": "", "error_description": "Server returns HTTP error code 503"}}),
            )],
        ),
        (
            "and was filed before",
            &upload,
            id.clone(),
            vec![batch(
                json!({"b": {"FILE_ID": 1}}),
                json!({"a": {"error": "", "error_description": NOT_FOUND}}),
            )],
        ),
        (
            "and is lost there",
            &upload,
            id.clone(),
            vec![batch(
                json!([]),
                json!({
            "a": {"error": "", "error_description": NOT_FOUND}, "b": {"error": "", "error_description": NOT_FINISHED}}),
            )],
        ),
        (
            "still needs its recording",
            &upload,
            finished.clone(),
            vec![],
        ),
        (
            "which cannot be fetched now",
            &upload,
            finished,
            vec![no(400, "", "Server returns HTTP error code 404")],
        ),
        ("is done", &upload, done, vec![]),
        ("is filed without a recording", &missed, id.clone(), vec![]),
        (
            "and perhaps was before",
            &missed,
            id.clone(),
            vec![no(400, "ERROR_CORE", NOT_FOUND)],
        ),
        (
            "and was",
            &missed,
            id.clone(),
            vec![
                no(400, "", NOT_FOUND),
                ok(json!({"uploadUrl": "x", "fieldName": "file"})),
            ],
        ),
        (
            "and was not",
            &missed,
            id.clone(),
            vec![no(400, "", NOT_FOUND), no(400, "", NOT_FINISHED)],
        ),
        ("an outgoing one to a busy client", &out, id, vec![]),
    ] {
        text.push_str(&format!(
            "== {what}\n{}\n",
            said(&bitrix, notice, memory, &heard)
        ));
    }
    insta::assert_snapshot!("told_to_bitrix24", text);
}

#[test]
fn each_no_has_its_own_consequence() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let bitrix = connector();
    for (status, code, consequence) in [
        (503, "QUERY_LIMIT_EXCEEDED", "Throttled"),
        (429, "OPERATION_TIME_LIMIT", "Postponed"),
        (503, "OVERLOAD_LIMIT", "Blocked"),
        (500, "INTERNAL_SERVER_ERROR", "Later"),
        (502, "", "Later"),
        (401, "NO_AUTH_FOUND", "Settings"),
        (401, "expired_token", "Expired"),
        (401, "INVALID_CREDENTIALS", "Settings"),
        (403, "INVALID_CREDENTIALS", "Settings"),
        (403, "insufficient_scope", "Settings"),
        (403, "WRONG_AUTH_TYPE", "Settings"),
        (403, "ACCESS_DENIED", "Settings"),
        (500, "PORTAL_DELETED", "Settings"),
        (404, "ERROR_METHOD_NOT_FOUND", "Settings"),
        (400, "", "Refused"),
        (400, "ERROR_CORE", "Refused"),
    ] {
        let reply = no(status, code, "Unknown TYPE");
        let Step::Failed(failed) = bitrix.deliver(&notice, &Known::default(), &[reply]) else {
            panic!("{status} {code}");
        };
        let failed = format!("{failed:?}");
        assert!(failed.starts_with(consequence), "{status} {code}: {failed}");
    }
    // The same inside a batch, where no status is told.
    let id = json!({"call_id": "externalCall.1"});
    let reply = batch(
        json!([]),
        json!({"a": {"error": "WRONG_AUTH_TYPE", "error_description": ""}}),
    );
    let step = bitrix.deliver(&notice, &known(id), &[reply]);
    assert!(
        matches!(step, Step::Failed(Failed::Settings { .. })),
        "{step:?}"
    );
    let mut blocked = no(429, "OPERATION_TIME_LIMIT", "blocked");
    blocked.body = json!({"error": "OPERATION_TIME_LIMIT", "error_description": "blocked",
        "time": {"start": 1_788_246_900, "operating_reset_at": 1_788_247_500}})
    .to_string();
    let step = bitrix.deliver(&notice, &Known::default(), &[blocked]);
    let Step::Failed(Failed::Postponed { after, .. }) = step else {
        panic!("{step:?}");
    };
    assert_eq!(after.map(|after| after.as_secs()), Some(600));
}

#[test]
fn a_renamed_portal_is_asked_again_at_its_new_host_and_nowhere_unsafe() {
    let notice = sample::notice(NoticeKind::Upload, sample::answered(1));
    let bitrix = connector();
    let led = |place: &str| Reply {
        location: Some(place.into()),
        ..Reply::new(302, "")
    };
    let next = |heard: &[Reply]| said(&bitrix, &notice, Value::Null, heard);
    let place = "https://new.bitrix24.ru/rest/12/k3yk3yk3y/telephony.externalCall.register";
    let again = next(&[led(place)]);
    assert!(
        again.starts_with("POST https://new.bitrix24.ru/rest/12/•••/telephony"),
        "{again}"
    );
    for heard in [
        vec![led("http://new.bitrix24.ru/rest/12/x/y")],
        vec![led("/login")],
        vec![led(place), led("https://third.bitrix24.ru/")],
    ] {
        assert!(next(&heard).contains("Settings"), "{heard:?}");
    }
}

fn event(fields: &[(&str, &str)]) -> Incoming {
    Incoming {
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        body: String::new(),
        ..Incoming::default()
    }
}

#[test]
fn a_click_is_heard_from_the_portal_only() {
    let bitrix =
        connector_with(json!({"application_token": "7be1d04f", "callback_extension": "150"}));
    let fields = [
        ("event", "ONEXTERNALCALLSTART"),
        ("data[PHONE_NUMBER]", "8 029 625-40-70"),
        ("data[PHONE_NUMBER_INTERNATIONAL]", "+375296254070"),
        ("data[USER_ID]", "34"),
        ("data[CALL_ID]", "externalCall.1"),
        ("auth[application_token]", "7be1d04f"),
    ];
    let heard = |fields: &[(&str, &str)]| bitrix.hear(&event(fields), &Known::default());
    let Ok(Wish::Call {
        user,
        extension,
        phone,
        memory,
    }) = heard(&fields)
    else {
        panic!("no call");
    };
    assert_eq!(
        (user.as_deref(), extension, phone.as_str()),
        (Some("34"), None, "+375296254070")
    );
    assert_eq!(memory, json!({"call_id": "externalCall.1", "shown": [34]}));
    for token in ["", "7be1d04", "7be1d04f0", "7be1d04g"] {
        let mut wrong = fields;
        wrong[5].1 = token;
        assert!(heard(&wrong).is_err(), "{token}");
    }
    assert!(
        connector()
            .hear(&event(&fields), &Known::default())
            .is_err(),
        "no token is known"
    );
    let visitor = [
        ("event", "onExternalCallBackStart"),
        ("data[PHONE_NUMBER]", "+375296254070"),
        ("ts", "1788250000"),
        ("auth[application_token]", "7be1d04f"),
    ];
    let Ok(Wish::Call {
        extension, memory, ..
    }) = heard(&visitor)
    else {
        panic!("no call");
    };
    assert_eq!(
        (extension.as_deref(), memory),
        (Some("150"), json!({"asked": "1788250000"}))
    );
    assert!(matches!(
        heard(&[("event", "ONCRMLEADADD")]),
        Ok(Wish::Nothing(_))
    ));
}

#[test]
fn an_installation_brings_tokens_of_its_own_portal() {
    let bitrix = application();
    let fields = [
        ("event", "ONAPPINSTALL"),
        ("auth[domain]", "acme.bitrix24.ru"),
        ("auth[access_token]", "the-access"),
        ("auth[refresh_token]", "the-refresh"),
        ("auth[user_id]", "12"),
        ("auth[application_token]", "7be1d04f"),
    ];
    let Ok(Wish::Tokens(tokens)) = bitrix.hear(&event(&fields), &Known::default()) else {
        panic!("no tokens");
    };
    assert!(
        !format!("{tokens:?}").contains("7be1d04f"),
        "only its digest is kept"
    );
    let known = Known {
        tokens: Some(tokens.clone()),
        ..Known::default()
    };
    let click = [
        ("event", "ONEXTERNALCALLSTART"),
        ("data[PHONE_NUMBER]", "+375296254070"),
        ("data[USER_ID]", "34"),
        ("auth[application_token]", "7be1d04f"),
    ];
    assert!(matches!(
        bitrix.hear(&event(&click), &known),
        Ok(Wish::Call { .. })
    ));
    let mut other = fields;
    other[1].1 = "evil.bitrix24.ru";
    assert!(bitrix.hear(&event(&other), &Known::default()).is_err());
    assert!(
        connector()
            .hear(&event(&fields), &Known::default())
            .is_err(),
        "a webhook is not installed"
    );
    let asked = bitrix.ask(&Question::Managers, &known, &[]);
    assert!(
        matches!(&asked, Step::Send(request) if !request.shown().contains("the-access")),
        "{asked:?}"
    );
    let renewal = bitrix.renew(&tokens).unwrap().shown();
    assert!(
        renewal.starts_with("GET https://oauth.bitrix.info/oauth/token/?grant_type=refresh_token")
    );
    assert!(
        !renewal.contains("s3cret-of-app") && !renewal.contains("the-refresh"),
        "{renewal}"
    );
    let renewed = Reply::new(
        200,
        json!({"access_token": "a2", "refresh_token": "r2", "expires": 1_788_250_000,
        "domain": "oauth.bitrix.info", "client_endpoint": "https://new.bitrix24.ru/rest/"})
        .to_string(),
    );
    let renewed = bitrix.renewed(&tokens, &renewed).unwrap();
    assert_eq!(renewed.extra["portal"], "https://new.bitrix24.ru");
    assert_eq!(renewed.extra["application"], tokens.extra["application"]);
    let dead = no(400, "invalid_grant", "Invalid grant");
    assert!(matches!(
        bitrix.renewed(&tokens, &dead),
        Err(Failed::Settings { .. })
    ));
    assert!(matches!(
        bitrix.renewed(&tokens, &Reply::new(502, "")),
        Err(Failed::Later { .. })
    ));
    assert!(matches!(
        bitrix.hear(&event(&[("code", "c0de")]), &known),
        Ok(Wish::Code(_))
    ));
}
