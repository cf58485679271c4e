//! Every rule a faithful RetailCRM must keep, asked over HTTP.

mod methods;
mod surroundings;

use awc::Client;
use serde_json::{Value, json};

use super::*;

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

#[test]
fn usable_from_a_plain_thread() {
    let crm = start_in_thread("127.0.0.1:0", Settings::default()).unwrap();
    assert!(std::net::TcpStream::connect(crm.addr).is_ok());
    assert_eq!(crm.state.root(), "demo");
}
