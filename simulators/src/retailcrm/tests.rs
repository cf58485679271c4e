//! Every rule a faithful RetailCRM must keep, asked over HTTP.

use std::time::Duration;

use awc::Client;
use serde_json::{Value, json};

use super::*;
use crate::script::{Behaviour, Fault};

const EVENT: &str = "/api/v5/telephony/call/event";
const UPLOAD: &str = "/api/v5/telephony/calls/upload";
const MODULE: &str = "/api/v5/integration-modules/acme-pbx/edit";

async fn crm() -> Running<State> {
    start("127.0.0.1:0", Settings::default().without_limits())
        .await
        .unwrap()
}

async fn post(crm: &Running<State>, path: &str, field: &str, value: &Value) -> (u16, Value) {
    let text = value.to_string();
    let url = format!("{}{path}", crm.base_url);
    let sent = Client::default()
        .post(url)
        .insert_header(("X-API-KEY", "demo-key"))
        .send_form(&[(field, text)]);
    let mut answer = sent.await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn get(crm: &Running<State>, path: &str) -> (u16, Value) {
    let url = format!("{}{path}", crm.base_url);
    let mut answer = Client::default()
        .get(url)
        .insert_header(("X-API-KEY", "demo-key"))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn module() -> Value {
    json!({
        "code": "acme-pbx", "active": true, "name": "Acme", "logo": "https://pbx.example/logo.svg", "clientId": "c1",
        "baseUrl": "https://pbx.example", "accountUrl": "https://pbx.example/account",
        "integrations": {"telephony": {
            "makeCallUrl": "https://pbx.example/make-call", "allowEdit": false, "inputEventSupported": true,
            "additionalCodes": [{"userId": 19, "code": "153"}, {"userId": "16", "code": "160"}],
            "externalPhones": [{"siteCode": "main-shop", "externalPhone": "+74950000001"}],
        }},
    })
}

fn with(mut base: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = base.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.into(), value);
    }
    base
}

fn event() -> Value {
    json!({"phone": "+375296254070", "type": "in", "codes": ["150", "151"], "callExternalId": "1.1"})
}

fn call() -> Value {
    json!({
        "date": "2026-03-01 14:05:09", "type": "in", "phone": "375296254070", "code": "150", "result": "answered",
        "duration": 62, "externalId": "1.1", "recordUrl": "https://pbx.example/rec/1",
    })
}

#[actix_web::test]
async fn keys_travel_in_header_query_or_form() {
    let crm = crm().await;
    let url = format!("{}/api/api-versions", crm.base_url);
    let mut answer = Client::default()
        .get(format!("{url}?apiKey=demo-key"))
        .send()
        .await
        .unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["versions"], json!(["3.0", "4.0", "5.0"]));
    let form = [
        ("apiKey", "demo-key".to_owned()),
        ("event", event().to_string()),
    ];
    let answer = Client::default()
        .post(format!("{}{EVENT}", crm.base_url))
        .send_form(&form)
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let mut answer = Client::default().get(&url).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &body["errorMsg"]),
        (403, &json!("\"apiKey\" is missing."))
    );
    let mut answer = Client::default()
        .get(&url)
        .insert_header(("X-API-KEY", "no"))
        .send()
        .await
        .unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &body["errorMsg"]),
        (403, &json!("Wrong \"apiKey\" value."))
    );
    let denied = ApiKey {
        key: "demo-key".into(),
        denied: vec!["telephony".into()],
    };
    crm.state.root_account().unwrap().put_key(denied);
    let (status, body) = post(&crm, EVENT, "event", &event()).await;
    assert_eq!((status, &body["errorMsg"]), (403, &json!("Access denied.")));
    assert_eq!(crm.state.refused(), 3);
}

#[actix_web::test]
async fn unknown_methods_and_accounts_are_refused() {
    let crm = crm().await;
    for path in [
        "/api/v5/credentials",
        "/api/v5/telephony/setting/acme",
        "/api/v5/nothing",
        "/api/v4/users",
    ] {
        let (status, body) = get(&crm, path).await;
        assert_eq!(
            (status, &body["errorMsg"]),
            (404, &json!("API method not found")),
            "{path}"
        );
    }
    assert_eq!(get(&crm, EVENT).await.0, 405);
    let (status, body) = get(&crm, "/a/nobody/api/v5/users").await;
    assert_eq!(
        (status, &body["errorMsg"]),
        (404, &json!("Account does not exist."))
    );
    let mut answer = Client::default()
        .post(format!("{}/a/nobody{EVENT}", crm.base_url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 405);
    assert!(answer.body().await.unwrap().starts_with(b"<"));
    assert_eq!(
        get(&crm, "/a/demo/api/credentials").await.1["siteAccess"],
        "access_full"
    );
}

#[actix_web::test]
async fn fields_are_json_in_form_fields() {
    let crm = crm().await;
    let client = Client::default();
    let url = |path: &str| format!("{}{path}", crm.base_url);
    for (path, field) in [
        (EVENT, "event"),
        (UPLOAD, "calls"),
        (MODULE, "integrationModule"),
    ] {
        let request = || {
            client
                .post(url(path))
                .insert_header(("X-API-KEY", "demo-key"))
        };
        let missing = json!(format!("Parameter '{field}' is missing"));
        let mut answer = request().send_json(&json!({field: event()})).await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["errorMsg"], missing);
        assert_eq!(answer.status(), 400);
        let mut answer = request().send_form(&[("other", "1")]).await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["errorMsg"], missing);
        let mut answer = request()
            .send_form(&[(format!("{field}[phone]"), "1")])
            .await
            .unwrap();
        let words = json!(format!(
            "Input value \"{field}\" contains a non-scalar value"
        ));
        assert_eq!(answer.json::<Value>().await.unwrap()["errorMsg"], words);
        let answer = request().send_form(&[(field, "{broken")]).await.unwrap();
        assert_eq!(answer.status(), 400);
    }
    let part = format!(
        "--B\r\nContent-Disposition: form-data; name=\"event\"\r\n\r\n{}\r\n--B--\r\n",
        event()
    );
    let request = client
        .post(url(EVENT))
        .insert_header(("X-API-KEY", "demo-key"));
    let answer = request
        .content_type("multipart/form-data; boundary=B")
        .send_body(part)
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[actix_web::test]
async fn events_are_checked() {
    let crm = crm().await;
    let hangup = || with(event(), "/type", json!("hangup"));
    let refused = [
        ("type", with(event(), "/type", json!("answered"))),
        ("type", with(event(), "/type", Value::Null)),
        ("phone", with(event(), "/phone", Value::Null)),
        ("phone", with(event(), "/phone", json!(" "))),
        ("phone", with(event(), "/phone", json!(375))),
        ("codes", with(event(), "/codes", json!([150]))),
        ("codes", with(event(), "/codes", json!("150"))),
        ("userIds", with(event(), "/userIds", json!(["x"]))),
        ("hangupStatus", hangup()),
        (
            "hangupStatus",
            with(hangup(), "/hangupStatus", json!("no answer")),
        ),
        (
            "hangupStatus",
            with(hangup(), "/hangupStatus", json!("missed")),
        ),
    ];
    let count = refused.len() as u64;
    for (field, sent) in refused {
        let (status, body) = post(&crm, EVENT, "event", &sent).await;
        assert_eq!((status, &body["success"]), (400, &json!(false)), "{sent}");
        assert!(body["errors"][field].is_string(), "{sent} {body}");
    }
    assert_eq!(crm.state.refused(), count);
    for status in ["answered", "busy", "cancel", "failed", "no answered"] {
        let sent = with(hangup(), "/hangupStatus", json!(status));
        assert_eq!(
            post(&crm, EVENT, "event", &sent).await,
            (200, json!({"success": true}))
        );
    }
    let sent = with(
        with(event(), "/codes", json!(["150", "999"])),
        "/userIds",
        json!([16, 77]),
    );
    let answer = json!({"success": true, "notExistCodes": ["999"], "notExistUsers": [77]});
    assert_eq!(post(&crm, EVENT, "event", &sent).await, (200, answer));
    assert_eq!(crm.state.refused(), count);
}

#[actix_web::test]
async fn cards_open_and_close_per_manager() {
    let crm = crm().await;
    let account = crm.state.root_account().unwrap();
    post(&crm, EVENT, "event", &event()).await;
    post(&crm, EVENT, "event", &event()).await;
    let cards = account.cards();
    assert_eq!(
        cards
            .iter()
            .map(|card| card.code.as_deref().unwrap())
            .collect::<Vec<_>>(),
        ["150", "151"]
    );
    assert_eq!(cards[0].client.as_deref(), Some("Иван Сидоров"));
    assert_eq!(cards[0].repeats, 1);
    let hangup = |codes: Value| {
        json!({"phone": "+375296254070", "type": "hangup", "codes": codes, "callExternalId": "1.1",
            "hangupStatus": "answered"})
    };
    post(&crm, EVENT, "event", &hangup(json!(["151"]))).await;
    let closed = || {
        account
            .cards()
            .iter()
            .map(|card| card.closed.is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!(closed(), [false, true]);
    post(&crm, EVENT, "event", &hangup(json!([]))).await;
    assert_eq!(closed(), [true, true]);
    assert_eq!(account.cards()[0].hangup.as_deref(), Some("answered"));
}

#[actix_web::test]
async fn uploads_are_checked_and_deduplicated() {
    let crm = crm().await;
    let refused = [
        ("date", with(call(), "/date", json!("2026-03-01T14:05:09"))),
        ("date", with(call(), "/date", json!("2026-13-01 14:05:09"))),
        ("date", with(call(), "/date", json!("2026-3-1 4:5:9"))),
        ("date", with(call(), "/date", Value::Null)),
        ("type", with(call(), "/type", json!("hangup"))),
        ("phone", with(call(), "/phone", json!(""))),
        ("result", with(call(), "/result", json!("no answered"))),
        ("result", with(call(), "/result", json!("missed"))),
        ("externalId", with(call(), "/externalId", Value::Null)),
        ("duration", with(call(), "/duration", json!(1.5))),
        ("recordUrl", with(call(), "/recordUrl", json!("/rec/1"))),
        ("code", with(call(), "/code", json!(150))),
    ];
    for (field, sent) in refused {
        let (status, body) = post(&crm, UPLOAD, "calls", &json!([sent])).await;
        assert_eq!(status, 400, "{sent}");
        assert!(
            body["errors"][format!("[0].{field}")].is_string(),
            "{sent} {body}"
        );
    }
    assert_eq!(post(&crm, UPLOAD, "calls", &call()).await.0, 400);
    let many = |count: usize| -> Value {
        (0..count)
            .map(|index| with(call(), "/externalId", json!(format!("many.{index}"))))
            .collect()
    };
    assert_eq!(post(&crm, UPLOAD, "calls", &many(51)).await.0, 400);
    let account = crm.state.root_account().unwrap();
    assert_eq!(account.call_count(), 0);
    assert_eq!(
        post(&crm, UPLOAD, "calls", &many(50)).await.1["processedCallsCount"],
        50
    );
    for result in [
        "answered",
        "busy",
        "failed",
        "no answer",
        "not allowed",
        "unknown",
    ] {
        let sent = with(
            with(call(), "/result", json!(result)),
            "/externalId",
            json!(result),
        );
        assert_eq!(
            post(&crm, UPLOAD, "calls", &json!([sent])).await.0,
            200,
            "{result}"
        );
    }
    let both = json!([call(), with(call(), "/externalId", json!("1.2")), call()]);
    let (_, body) = post(&crm, UPLOAD, "calls", &both).await;
    assert_eq!(
        body,
        json!({"success": true, "processedCallsCount": 2, "duplicateCalls": ["1.1"]})
    );
    let (_, body) = post(&crm, UPLOAD, "calls", &json!([call()])).await;
    assert_eq!(
        body,
        json!({"success": true, "processedCallsCount": 0, "duplicateCalls": ["1.1"]})
    );
    let stored = account.calls();
    assert_eq!(account.call_count(), 58);
    let last = &stored[56];
    assert_eq!((last.external_id.as_str(), last.user_id), ("1.1", Some(16)));
    assert_eq!(
        last.record_url.as_deref(),
        Some("https://pbx.example/rec/1")
    );
}

#[actix_web::test]
async fn modules_are_checked_and_switch_telephony_on() {
    let settings = Settings {
        accounts: vec![NewAccount {
            telephony: false,
            ..NewAccount::demo()
        }],
        ..Settings::default()
    };
    let crm = start("127.0.0.1:0", settings.without_limits())
        .await
        .unwrap();
    let (status, body) = post(&crm, EVENT, "event", &event()).await;
    assert_eq!(
        (status, &body["errorMsg"]),
        (400, &json!("Telephony not enabled"))
    );
    let (_, body) = post(&crm, UPLOAD, "calls", &json!([call()])).await;
    assert_eq!(
        body["errorMsg"],
        "Telephony not enabled or not supports calls upload"
    );
    let telephony = "/integrations/telephony";
    let refused = [
        ("code", with(module(), "/code", json!("other"))),
        ("code", with(module(), "/integrationCode", json!("bcme"))),
        ("name", with(module(), "/name", json!(""))),
        ("clientId", with(module(), "/clientId", Value::Null)),
        ("baseUrl", with(module(), "/baseUrl", Value::Null)),
        ("baseUrl", with(module(), "/baseUrl", json!("pbx"))),
        (
            "logo",
            with(module(), "/logo", json!("https://pbx.example/logo.png")),
        ),
        ("actions", with(module(), "/actions", json!({"call": "/x"}))),
        (
            "integrations.telephony.makeCallUrl",
            with(module(), &format!("{telephony}/makeCallUrl"), json!("x")),
        ),
        (
            "integrations.telephony.allowEdit",
            with(module(), &format!("{telephony}/allowEdit"), json!("1")),
        ),
        (
            "integrations.telephony.additionalCodes",
            with(
                module(),
                &format!("{telephony}/additionalCodes"),
                json!([{"userId": 16, "code": 150}]),
            ),
        ),
    ];
    for (field, sent) in refused {
        let (status, body) = post(&crm, MODULE, "integrationModule", &sent).await;
        assert_eq!(status, 400, "{field}");
        assert!(body["errors"][field].is_string(), "{field} {body}");
    }
    assert_eq!(
        get(&crm, "/api/v5/integration-modules/acme-pbx").await.0,
        404
    );
    let answer = post(&crm, MODULE, "integrationModule", &module()).await;
    assert_eq!(answer, (201, json!({"success": true, "info": []})));
    let pairs = json!([{"userId": 16, "code": "160"}, {"userId": 999, "code": "170"}]);
    let sent = with(module(), &format!("{telephony}/additionalCodes"), pairs);
    let sites = json!([{"siteCode": "old-shop", "externalPhone": "+7"}]);
    let sent = with(sent, &format!("{telephony}/externalPhones"), sites);
    let info = json!({"notExistUsersIds": [999], "notExistSiteCodes": ["old-shop"]});
    let answer = post(&crm, MODULE, "integrationModule", &sent).await;
    assert_eq!(answer, (200, json!({"success": true, "info": info})));
    let (_, body) = get(&crm, "/api/v5/integration-modules/acme-pbx").await;
    assert_eq!(body["integrationModule"]["clientId"], Value::Null);
    assert_eq!(
        body["integrationModule"]["integrations"]["telephony"]["makeCallUrl"],
        "https://pbx.example/make-call"
    );
    let sent = with(event(), "/codes", json!(["160", "153"]));
    let (_, body) = post(&crm, EVENT, "event", &sent).await;
    assert_eq!(body, json!({"success": true, "notExistCodes": ["153"]}));
    post(
        &crm,
        MODULE,
        "integrationModule",
        &with(module(), "/active", json!(false)),
    )
    .await;
    assert_eq!(post(&crm, EVENT, "event", &event()).await.0, 400);
}

#[actix_web::test]
async fn people_are_found() {
    let crm = crm().await;
    let account = crm.state.root_account().unwrap();
    for id in 100..145 {
        account.put_user(User::new(id, "Имя", "Фамилия", None));
    }
    for limit in ["0", "10", "250", "x"] {
        let (status, body) = get(&crm, &format!("/api/v5/users?limit={limit}")).await;
        assert_eq!(
            (status, &body["errorMsg"]),
            (400, &json!("Errors in the input parameters")),
            "{limit}"
        );
    }
    assert_eq!(get(&crm, "/api/v5/users?filter[nothing]=1").await.0, 400);
    let (_, body) = get(&crm, "/api/v5/users?limit=20&page=3&filter[active]=1").await;
    assert_eq!(body["users"].as_array().unwrap().len(), 9);
    let pagination = json!({"limit": 20, "totalCount": 49, "currentPage": 3, "totalPageCount": 3});
    assert_eq!(body["pagination"], pagination);
    assert_eq!(
        get(&crm, "/api/v5/users/16").await.1["user"]["firstName"],
        "Анна"
    );
    assert_eq!(get(&crm, "/api/v5/users/1").await.0, 404);
    let (_, body) = get(&crm, "/api/v5/customers?filter[name]=375296254070").await;
    assert_eq!(body["customers"][0]["managerId"], 16);
    assert_eq!(
        body["customers"][0]["phones"],
        json!([{"number": "+375296254070"}])
    );
    assert_eq!(body["pagination"]["totalCount"], 1);
    let (_, body) = get(
        &crm,
        "/api/v5/telephony/manager?phone=375296254070&details=1",
    )
    .await;
    assert_eq!(
        (&body["manager"]["code"], &body["customer"]["id"]),
        (&json!("150"), &json!(60))
    );
    assert_eq!(get(&crm, "/api/v5/telephony/manager").await.0, 400);
    let (_, body) = get(&crm, "/api/v5/telephony/manager?phone=100").await;
    assert_eq!(body, json!({"success": true}));
    let url = format!("{}/api/v5/users/16/status", crm.base_url);
    let busy = Client::default()
        .post(url)
        .insert_header(("X-API-KEY", "demo-key"));
    assert_eq!(
        busy.send_form(&[("status", "busy")])
            .await
            .unwrap()
            .status(),
        200
    );
    let (_, body) = get(&crm, "/api/v5/telephony/manager?phone=375296254070").await;
    assert_eq!(body["manager"], Value::Null);
    let (_, body) = get(
        &crm,
        "/api/v5/telephony/manager?phone=375296254070&ignoreStatus=1",
    )
    .await;
    assert_eq!(body["manager"]["id"], 16);
}

#[actix_web::test]
async fn limits_hold_per_key_and_kind() {
    let crm = start("127.0.0.1:0", Settings::default()).await.unwrap();
    let hit = async |path: &str, count: usize| {
        let mut served = 0;
        for _ in 0..count {
            served += usize::from(get(&crm, path).await.0 != 503);
        }
        served
    };
    // The requests take a moment, in which the bucket gains a few.
    assert!((10..30).contains(&hit("/api/api-versions", 200).await));
    assert!((40..120).contains(&hit("/api/v5/telephony/manager?phone=1", 300).await));
    let counts = crm.state.root_account().unwrap().counts();
    assert!(counts.limited > 0 && counts.refused == 0, "{counts:?}");
}

#[actix_web::test]
async fn scripts_misbehave() {
    let crm = crm().await;
    let account = crm.state.root_account().unwrap();
    let url = format!("{}{EVENT}", crm.base_url);
    let client = Client::builder()
        .timeout(Duration::from_millis(500))
        .finish();
    let form = [("event", event().to_string())];
    let send = || {
        client
            .post(&url)
            .insert_header(("X-API-KEY", "demo-key"))
            .send_form(&form)
    };
    crm.state.behave(Behaviour {
        retry_after: Some(7),
        ..Behaviour::status(429).at("telephony").times(1)
    });
    let answer = send().await.unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers().get("retry-after").unwrap().as_bytes()
        ),
        (429, &b"7"[..])
    );
    assert_eq!(send().await.unwrap().status(), 200);
    for (fault, after, stored) in [
        (Fault::Drop, false, 1),
        (Fault::Drop, true, 2),
        (Fault::Down, false, 2),
        (Fault::Hang, true, 3),
    ] {
        crm.state.behave(Behaviour {
            after,
            ..Behaviour::fault(fault).on("demo").times(1)
        });
        assert!(send().await.is_err(), "{fault:?}");
        assert_eq!(account.event_count(), stored, "{fault:?} {after}");
    }
    crm.state.behave(Behaviour::delay(50).times(1));
    let before = std::time::Instant::now();
    assert_eq!(send().await.unwrap().status(), 200);
    assert!(before.elapsed() >= Duration::from_millis(50));
    assert_eq!(
        (account.counts().scripted, account.counts().refused),
        (4, 0)
    );
    crm.state.reset();
    assert_eq!(crm.state.root_account().unwrap().event_count(), 0);
}

#[actix_web::test]
async fn the_control_api_sets_the_scene() {
    let crm = crm().await;
    let control = async |path: &str, body: Value| {
        let sent = Client::default()
            .post(format!("{}/_control/{path}", crm.base_url))
            .send_json(&body)
            .await;
        sent.unwrap().status().as_u16()
    };
    assert_eq!(
        control(
            "account",
            json!({"name": "0367", "keys": [{"key": "k7"}], "telephony": true})
        )
        .await,
        200
    );
    assert_eq!(
        control(
            "user",
            json!({"account": "0367", "id": 5, "last_name": "Дым", "code": "201"})
        )
        .await,
        200
    );
    let ivan = json!({"account": "0367", "id": 1, "first_name": "Ия", "phones": ["80291"], "manager_id": 5});
    assert_eq!(control("customer", ivan).await, 200);
    assert_eq!(
        control("user", json!({"account": "nobody", "id": 5})).await,
        404
    );
    assert_eq!(
        control("behaviour", json!({"fault": "nonsense"})).await,
        400
    );
    let url = format!("{}/a/0367{EVENT}", crm.base_url);
    let sent = json!({"phone": "80291", "type": "in", "codes": ["201"]}).to_string();
    let request = || {
        Client::default()
            .post(&url)
            .insert_header(("X-API-KEY", "k7"))
    };
    assert_eq!(
        request()
            .send_form(&[("event", &sent)])
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        control(
            "behaviour",
            json!({"target": "0367", "fault": "status", "status": 500, "times": 1})
        )
        .await,
        200
    );
    assert_eq!(
        request()
            .send_form(&[("event", &sent)])
            .await
            .unwrap()
            .status(),
        500
    );
    let (_, state) = get(&crm, "/_control/state?account=0367").await;
    assert_eq!(state["cards"][0]["client"], "Ия");
    assert_eq!(state["events"][0]["body"]["phone"], "80291");
    assert!(state["events"][0]["at"].as_i64().unwrap() > 1_700_000_000_000);
    assert_eq!(state["counts"]["requests"]["telephony/call/event"], 2);
    assert_eq!(control("reset", json!({})).await, 200);
    assert_eq!(get(&crm, "/_control/state?account=0367").await.0, 404);
}

#[test]
fn usable_from_a_plain_thread() {
    let crm = start_in_thread("127.0.0.1:0", Settings::default()).unwrap();
    assert!(std::net::TcpStream::connect(crm.addr).is_ok());
    assert_eq!(crm.state.root(), "demo");
}
