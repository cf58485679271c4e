//! What the stand-in is strict about, and where it is as odd as the real one is.

use std::time::Duration;

use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
use actix_web::{App, web};
use serde_json::{Value, json};

use super::{Settings, State, configure};

/// Status and body of a POST with JSON.
async fn post(state: &web::Data<State>, path: &str, body: Value) -> (u16, Value) {
    let app = init_service(App::new().configure(configure(state.clone().into_inner()))).await;
    let request = TestRequest::post().uri(path).set_json(body).to_request();
    let response = call_service(&app, request).await;
    let status = response.status().as_u16();
    (status, read_body_json(response).await)
}

async fn method(state: &web::Data<State>, name: &str, body: Value) -> (u16, Value) {
    let path = format!("{}{name}", state.settings.webhook_path());
    post(state, &path, body).await
}

fn portal(settings: Settings) -> web::Data<State> {
    web::Data::new(State::new(settings))
}

fn call(external: &str) -> Value {
    json!({"USER_ID": 34, "PHONE_NUMBER": "+375296254070", "TYPE": 2, "EXTERNAL_CALL_ID": external})
}

const REGISTER: &str = "telephony.externalCall.register";
const FINISH: &str = "telephony.externalCall.finish";
const ATTACH: &str = "telephony.externalCall.attachRecord";

#[actix_rt::test]
async fn a_method_is_found_however_it_is_written() {
    let state = portal(Settings::default());
    for name in ["profile", "Profile.json", "PROFILE/", "profile.json/"] {
        let (status, body) = method(&state, name, json!({})).await;
        assert_eq!(
            (status, &body["result"]["ID"]),
            (200, &json!("12")),
            "{name}"
        );
    }
    let (status, body) = method(&state, "profiles", json!({})).await;
    assert_eq!(
        (status, &body["error"]),
        (404, &json!("ERROR_METHOD_NOT_FOUND"))
    );
    let (status, body) = post(&state, "/rest/12/wrong/profile", json!({})).await;
    assert_eq!(
        (status, &body["error"]),
        (403, &json!("INVALID_CREDENTIALS"))
    );
    let (status, body) = post(&state, "/rest/profile", json!({"auth": "x"})).await;
    assert_eq!((status, &body["error"]), (401, &json!("NO_AUTH_FOUND")));
}

#[actix_rt::test]
async fn what_breaks_a_rule_is_refused_without_a_code() {
    let state = portal(Settings::default());
    for (member, value, words) in [
        (
            "USER_ID",
            json!(null),
            "USER_ID or USER_PHONE_INNER should be set",
        ),
        ("USER_ID", json!(38), "User is not found or is not active"),
        ("TYPE", json!(6), "Unknown TYPE"),
        (
            "CALL_START_DATE",
            json!("2026-03-07 10:20:30"),
            "CALL_START_DATE should be in the ISO-8601 format",
        ),
        (
            "PHONE_NUMBER",
            json!("anonymous"),
            "Unsupported phone number format",
        ),
    ] {
        let mut broken = call("1");
        broken[member] = value;
        let (status, body) = method(&state, REGISTER, broken).await;
        assert_eq!((status, &body["error"]), (400, &json!("")), "{member}");
        assert_eq!(body["error_description"], words);
    }
    let cored = portal(Settings {
        error_core: true,
        ..Settings::default()
    });
    let (_, body) = method(&cored, REGISTER, json!({"USER_ID": 34})).await;
    assert_eq!(body["error"], "ERROR_CORE");
}

#[actix_rt::test]
async fn the_same_call_is_registered_once_and_finished_once() {
    let state = portal(Settings::default());
    let (_, first) = method(&state, REGISTER, call("1")).await;
    let (_, again) = method(&state, REGISTER, call("1")).await;
    let (_, other) = method(&state, REGISTER, call("2")).await;
    let id = &first["result"]["CALL_ID"];
    assert_eq!(id, &again["result"]["CALL_ID"]);
    assert_ne!(id, &other["result"]["CALL_ID"]);
    assert_eq!(first["result"]["CRM_ENTITY_ID"], 812);
    let (status, body) = method(&state, ATTACH, json!({"CALL_ID": id, "FILENAME": "a.mp3"})).await;
    assert_eq!(status, 400, "{body}");
    let done = json!({"CALL_ID": id, "USER_ID": 35, "DURATION": 5});
    let (_, body) = method(&state, FINISH, done.clone()).await;
    assert_eq!(body["result"]["CALL_START_DATE"], json!({}));
    assert_eq!(
        (
            &body["result"]["INCOMING"],
            &body["result"]["CALL_FAILED_CODE"]
        ),
        (&json!("2"), &json!("200"))
    );
    let (status, body) = method(&state, FINISH, done).await;
    assert_eq!(status, 400);
    assert_eq!(
        body["error_description"],
        "Call is not found (call should be registered prior to finishing"
    );
    let (_, shown) = method(
        &state,
        "telephony.externalCall.show",
        json!({"CALL_ID": id}),
    )
    .await;
    assert_eq!(shown["result"], false);
    let (_, body) = method(&state, FINISH, json!({"CALL_ID": 7, "USER_ID": 35})).await;
    assert_eq!(body["error"], "INVALID_ARGUMENT");
    for (name, told) in [("a.ogg", 400), ("a.MP3", 400), ("a.mp3", 200)] {
        let content = json!({"CALL_ID": id, "FILENAME": name, "FILE_CONTENT": "UklGRg=="});
        assert_eq!(method(&state, ATTACH, content).await.0, told, "{name}");
    }
    assert_eq!(
        state.finished()[0]
            .record
            .as_ref()
            .map(|record| record.bytes.as_slice()),
        Some(&b"RIFF"[..])
    );
}

#[actix_rt::test]
async fn a_batch_refers_to_what_it_has_and_tells_each_failure() {
    let state = portal(Settings::default());
    let body = json!({"halt": 0, "cmd": {
        "a": "telephony.externalCall.register?USER_ID=34&PHONE_NUMBER=%2B375291234567&TYPE=2&SHOW=1&EXTERNAL_CALL_ID=7",
        "b": "telephony.externalCall.show?CALL_ID=$result[a][CALL_ID]&USER_ID[0]=35&USER_ID[1]=36",
        "c": "telephony.externalCall.finish?CALL_ID=$result[nothing][CALL_ID]&USER_ID=34",
    }});
    let (status, body) = method(&state, "batch", body).await;
    assert_eq!(status, 200);
    assert_eq!(body["result"]["result"]["b"], true);
    assert_eq!(body["result"]["result_total"], json!([]));
    assert_eq!(body["result"]["result_error"]["c"]["error"], "");
    assert_eq!(Vec::from_iter(state.live()[0].shown.clone()), [34, 35, 36]);
    let many: serde_json::Map<String, Value> = (0..51)
        .map(|n| (format!("k{n}"), json!("profile")))
        .collect();
    let (status, body) = method(&state, "batch", json!({"cmd": many})).await;
    assert_eq!(
        (status, &body["error"]),
        (400, &json!("ERROR_BATCH_LENGTH_EXCEEDED"))
    );
}

#[actix_rt::test]
async fn rights_cost_and_rate_have_signals_of_their_own() {
    let state = portal(Settings {
        webhook_registers: false,
        scopes: vec!["telephony".into()],
        ..Settings::default()
    });
    let (status, body) = method(&state, REGISTER, call("1")).await;
    assert_eq!((status, &body["error"]), (403, &json!("WRONG_AUTH_TYPE")));
    let (status, _) = method(
        &state,
        "telephony.externalCall.hide",
        json!({"CALL_ID": "x"}),
    )
    .await;
    assert_eq!(status, 200, "only register, finish and lines are refused");
    let (status, body) = method(&state, "user.get", json!({})).await;
    assert_eq!(
        (status, &body["error"]),
        (403, &json!("insufficient_scope"))
    );
    state.block(ATTACH, Duration::from_secs(60));
    let (status, body) = method(&state, ATTACH, json!({})).await;
    assert_eq!(
        (status, &body["error"]),
        (429, &json!("OPERATION_TIME_LIMIT"))
    );
    let time = &body["time"];
    assert!(
        time["operating_reset_at"].as_i64() > time["start"].as_i64(),
        "{body}"
    );
    let busy = portal(Settings {
        rate: Some((0.01, 2.0)),
        ..Settings::default()
    });
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(method(&busy, "profile", json!({})).await.0);
    }
    assert_eq!(heard, [200, 200, 503]);
}

#[actix_rt::test]
async fn tokens_end_and_a_refresh_token_is_good_once() {
    let state = portal(Settings::default());
    let pair = state.book().access.issue(Duration::from_secs(60));
    let ask = |token: String| {
        let state = state.clone();
        async move { post(&state, "/rest/scope", json!({"auth": token})).await }
    };
    assert_eq!(ask(pair.0.clone()).await.0, 200);
    state.expire();
    assert_eq!(ask(pair.0).await.1["error"], "expired_token");
    let settings = &state.settings;
    let path = format!(
        "/oauth/token/?grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
        settings.client_id, settings.client_secret, pair.1
    );
    let (status, body) = post(&state, &path, json!({})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        ask(body["access_token"].as_str().unwrap().to_owned())
            .await
            .0,
        200
    );
    let (status, body) = post(&state, &path, json!({})).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
}

#[actix_rt::test]
async fn users_come_in_pages_and_clients_in_the_crms_own_shapes() {
    let state = portal(Settings {
        more_users: 60,
        ..Settings::default()
    });
    let (_, body) = method(&state, "user.get", json!({"FILTER": {"ACTIVE": true}})).await;
    assert_eq!((&body["total"], &body["next"]), (&json!(65), &json!(50)));
    assert_eq!(body["result"][3].get("UF_PHONE_INNER"), None);
    let (_, body) = method(&state, "user.get?start=50&FILTER[ACTIVE]=true", json!({})).await;
    assert_eq!(
        (body["result"].as_array().map(Vec::len), body.get("next")),
        (Some(15), None)
    );
    let search = "telephony.externalCall.searchCrmEntities";
    let (_, body) = method(&state, search, json!({"PHONE_NUMBER": "+375296254070"})).await;
    assert_eq!(body["result"][0]["ASSIGNED_BY"]["ID"], "34");
    let (_, body) = method(&state, search, json!({"PHONE_NUMBER": "+375290000000"})).await;
    assert_eq!(body["result"], json!([]));
    let (_, body) = method(
        &state,
        "crm.duplicate.findbycomm",
        json!({"type": "PHONE", "values": ["+1"]}),
    )
    .await;
    assert_eq!(body["result"], json!([]));
}
