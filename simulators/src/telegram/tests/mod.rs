//! Every rule a faithful Bot API must keep, asked over HTTP.

mod messages;
mod surroundings;

use awc::Client;
use serde_json::{Value, json};

use super::*;

const GROUP: i64 = -1_001_234_567_890;

async fn telegram() -> Running<State> {
    start("127.0.0.1:0", Settings::default().without_limits())
        .await
        .unwrap()
}

fn url(telegram: &Running<State>, method: &str) -> String {
    format!("{}/bot{}/{method}", telegram.base_url, NewBot::demo().token)
}

async fn ask(telegram: &Running<State>, method: &str, body: Value) -> (u16, Value) {
    let mut answer = Client::default()
        .post(url(telegram, method))
        .send_json(&body)
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["ok"], status == 200);
    assert_eq!(
        body["error_code"].as_u64().unwrap_or(200),
        u64::from(status)
    );
    (status, body)
}

async fn send(telegram: &Running<State>, text: &str) -> Value {
    let (status, body) = ask(
        telegram,
        "sendMessage",
        json!({"chat_id": GROUP, "text": text, "parse_mode": "HTML"}),
    )
    .await;
    assert_eq!(status, 200, "{body}");
    body["result"].clone()
}

fn bot(telegram: &Running<State>) -> std::sync::Arc<Bot> {
    telegram.state.bot(&NewBot::demo().token).unwrap()
}

#[actix_web::test]
async fn tokens_and_methods() {
    let telegram = telegram().await;
    let base = &telegram.base_url;
    let cases = [
        (format!("{base}/bot123456:wrong/getMe"), 401, "Unauthorized"),
        (format!("{base}/bot123456/getMe"), 404, "Not Found"),
        (format!("{base}/bot:abc/getMe"), 404, "Not Found"),
        (format!("{base}/nothing"), 404, "Not Found"),
        (url(&telegram, "fly"), 404, "Not Found: method not found"),
    ];
    for (url, status, words) in cases {
        let mut answer = Client::default().get(&url).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &body["description"]),
            (status, &json!(words)),
            "{url}"
        );
        assert_eq!(body["ok"], false);
    }
    assert_eq!(telegram.state.refused(), 5);
    for url in [
        url(&telegram, "GETME"),
        url(&telegram, "test/getMe"),
        url(&telegram, "getMe").replace("/bot", "/x/y/bot"),
    ] {
        let mut answer = Client::default().get(&url).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (&body["result"]["id"], &body["result"]["is_bot"]),
            (&json!(123_456), &json!(true)),
            "{url}"
        );
    }
}

#[actix_web::test]
async fn bodies_in_json_form_multipart_and_query() {
    let telegram = telegram().await;
    let reply = json!({"message_id": 1, "allow_sending_without_reply": true}).to_string();
    let form = [
        ("chat_id", "501"),
        ("text", "форма"),
        ("reply_parameters", &reply),
    ];
    let client = Client::default();
    assert_eq!(
        client
            .post(url(&telegram, "sendMessage"))
            .send_form(&form)
            .await
            .unwrap()
            .status(),
        200
    );
    let query = format!(
        "{}?{}",
        url(&telegram, "sendMessage"),
        serde_urlencoded::to_string(form).unwrap()
    );
    assert_eq!(client.get(query).send().await.unwrap().status(), 200);
    let part = |name: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!(
        "{}{}--B--\r\n",
        part("chat_id", "501"),
        part("text", "части")
    );
    let request = client
        .post(url(&telegram, "sendMessage"))
        .content_type("multipart/form-data; boundary=B");
    assert_eq!(request.send_body(body).await.unwrap().status(), 200);
    ask(
        &telegram,
        "sendMessage",
        json!({"chat_id": "501", "text": "json", "reply_parameters": {"message_id": 2}}),
    )
    .await;
    let messages = bot(&telegram).messages(501);
    let seen: Vec<_> = messages
        .iter()
        .map(|message| (message.id, message.text(), message.reply_to))
        .collect();
    assert_eq!(
        seen,
        [
            (1, "форма", None),
            (2, "форма", Some(1)),
            (3, "части", None),
            (4, "json", Some(2))
        ]
    );
    let request = client
        .post(url(&telegram, "sendMessage"))
        .content_type("application/json");
    assert_eq!(request.send_body("{broken").await.unwrap().status(), 400);
}

#[actix_web::test]
async fn limits_answer_429_with_body_and_header() {
    let telegram = start("127.0.0.1:0", Settings::default()).await.unwrap();
    let message = |chat: i64| json!({"chat_id": chat, "text": "x"});
    for _ in 0..3 {
        assert_eq!(ask(&telegram, "sendMessage", message(501)).await.0, 200);
    }
    let mut answer = Client::default()
        .post(url(&telegram, "sendMessage"))
        .send_json(&message(501))
        .await
        .unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(
        answer
            .headers()
            .get("retry-after")
            .unwrap()
            .to_str()
            .unwrap(),
        "1"
    );
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        (&body["parameters"]["retry_after"], &body["description"]),
        (&json!(1), &json!("Too Many Requests: retry after 1"))
    );
    assert_eq!(ask(&telegram, "sendMessage", message(502)).await.0, 200);

    let limits = Limits {
        chat_per_second: None,
        all_per_second: None,
        ..Limits::default()
    };
    let telegram = start(
        "127.0.0.1:0",
        Settings {
            limits,
            ..Settings::default()
        },
    )
    .await
    .unwrap();
    for _ in 0..20 {
        assert_eq!(ask(&telegram, "sendMessage", message(GROUP)).await.0, 200);
    }
    let (status, body) = ask(&telegram, "sendMessage", message(GROUP)).await;
    assert_eq!(status, 429);
    assert!(body["parameters"]["retry_after"].as_i64().unwrap() >= 59);
    assert_eq!(ask(&telegram, "sendMessage", message(501)).await.0, 200);
    let counts = bot(&telegram).counts();
    assert_eq!((counts.limited, counts.refused), (1, 0));

    let limits = Limits {
        chat_per_second: None,
        group_per_minute: None,
        ..Limits::default()
    };
    let settings = Settings {
        limits,
        any_chat: true,
        ..Settings::default()
    };
    let telegram = start("127.0.0.1:0", settings).await.unwrap();
    let mut limited = 0;
    for chat in 1..200 {
        limited += usize::from(ask(&telegram, "sendMessage", message(chat)).await.0 == 429);
    }
    assert!(limited > 0);
}
