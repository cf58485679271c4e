//! What stands around the API: scripts, the control API, outgoing requests, the page.

use std::time::Duration;

use awc::Client;
use serde_json::{Value, json};

use super::*;
use crate::script::{Behaviour, Fault};

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

#[actix_web::test]
async fn clicks_reach_the_telephony_server() {
    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
    let crm = crm().await;
    let account = crm.state.root_account().unwrap();
    assert!(account.make_call(&MakeCall::default()).await.is_err());
    let echo = async |request: HttpRequest, body: web::Bytes| {
        let said = format!(
            "{} {} {}",
            request.method(),
            request.uri(),
            String::from_utf8_lossy(&body)
        );
        HttpResponse::Ok().body(said)
    };
    let server = HttpServer::new(move || App::new().default_service(web::to(echo)))
        .workers(1)
        .disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", server.addrs()[0]);
    actix_web::rt::spawn(server.run());
    let sent = with(
        module(),
        "/integrations/telephony/makeCallUrl",
        json!(format!("{base}/make-call")),
    );
    let sent = with(
        sent,
        "/integrations/telephony/changeUserStatusUrl",
        json!(format!("{base}/status?x=1")),
    );
    let sent = with(sent, "/accountUrl", json!(format!("{base}/account")));
    post(&crm, MODULE, "integrationModule", &sent).await;
    let mut click = MakeCall {
        phone: "+7900".into(),
        user_id: Some(16),
        code: Some("150".into()),
        ..MakeCall::default()
    };
    let said = account.make_call(&click).await.unwrap().body;
    assert_eq!(
        said,
        "GET /make-call?clientId=c1&phone=%2B7900&userId=16&code=150 "
    );
    click = MakeCall {
        code: None,
        external_phone: Some("74950000001".into()),
        carry: Carry::PostForm,
        ..click
    };
    let said = account.make_call(&click).await.unwrap().body;
    assert_eq!(
        said,
        "POST /make-call clientId=c1&phone=%2B7900&userId=16&externalPhone=74950000001"
    );
    for status in ["free", "busy", "dinner", "break"] {
        let change = StatusChange {
            user_id: 16,
            status: status.into(),
            ..StatusChange::default()
        };
        let said = account.change_status(&change).await.unwrap().body;
        assert_eq!(
            said,
            format!("GET /status?x=1&clientId=c1&userId=16&status={status} ")
        );
    }
    assert_eq!(
        account.open_account().await.unwrap().body,
        "POST /account clientId=c1"
    );
}

#[actix_web::test]
async fn the_page_escapes_everything() {
    let crm = crm().await;
    let evil = "<script>\"'&";
    let account = crm.state.root_account().unwrap();
    account.put_user(User::new(16, evil, evil, Some("150")));
    account.put_customer(Customer::new(60, evil, evil, "1", None));
    post(
        &crm,
        MODULE,
        "integrationModule",
        &with(module(), "/name", json!(evil)),
    )
    .await;
    let sent = json!({"phone": "1<script>", "type": "in", "codes": ["150"], "externalPhone": evil});
    post(&crm, EVENT, "event", &sent).await;
    post(&crm, EVENT, "event", &with(event(), "/type", json!(evil))).await;
    let sent = with(
        with(call(), "/recordUrl", json!("https://a.b/\"><script>")),
        "/phone",
        json!("1<script>"),
    );
    let sent = with(
        with(sent, "/externalId", json!(evil)),
        "/code",
        json!("150"),
    );
    assert_eq!(post(&crm, UPLOAD, "calls", &json!([sent])).await.0, 200);
    let sent = with(call(), "/recordUrl", json!("javascript:alert(1)"));
    assert_eq!(post(&crm, UPLOAD, "calls", &json!([sent])).await.0, 400);
    let mut answer = Client::default()
        .get(format!("{}/", crm.base_url))
        .send()
        .await
        .unwrap();
    let policy = answer
        .headers()
        .get("content-security-policy")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
    let main = page
        .split("<main>")
        .nth(1)
        .unwrap()
        .split("</main>")
        .next()
        .unwrap();
    assert!(!main.contains("<script"), "{main}");
    assert_eq!(
        main.matches("1&lt;script&gt;").count(),
        4,
        "card, its button, history, its button"
    );
    assert!(main.contains("&lt;script&gt;&quot;&#39;&amp;"));
}
