//! Every rule a faithful Bot API must keep, asked over HTTP.

use std::time::Duration;

use awc::Client;
use serde_json::{Value, json};

use super::*;
use crate::script::{Behaviour, Fault};

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
async fn html_is_validated() {
    let telegram = telegram().await;
    let refused = [
        (
            "<b>x",
            "Can't find end tag corresponding to start tag \"b\"",
        ),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        (
            "я<b>x</i>",
            "Unmatched end tag at byte offset 6, expected \"</b>\", found \"</i>\"",
        ),
        ("x<br>y", "Unsupported start tag \"br\" at byte offset 1"),
        ("<p>y</p>", "Unsupported start tag \"p\" at byte offset 0"),
        (
            "Имя <Фирма> тут",
            "Unsupported start tag \"Фирма\" at byte offset 7",
        ),
        ("a < b", "Unsupported start tag \"\" at byte offset 2"),
        ("1 <2", "Unclosed start tag at byte offset 2"),
        ("<a href=\"x", "Unclosed start tag at byte offset 0"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        (
            "<span>x</span>",
            "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0",
        ),
        (
            "<a =x>x</a>",
            "Empty attribute name in the tag \"a\" at byte offset 0",
        ),
        (
            "<a href>x</a>",
            "Expected equal sign in declaration of an attribute of the tag \"a\" at byte offset 0",
        ),
        (
            "<a href=a/b>x</a>",
            "Unexpected end of name token at byte offset 8",
        ),
    ];
    for (text, words) in refused {
        let body = json!({"chat_id": GROUP, "text": text, "parse_mode": "html"});
        let (status, body) = ask(&telegram, "sendMessage", body).await;
        let description = format!("Bad Request: can't parse entities: {words}");
        assert_eq!(
            (status, &body["description"]),
            (400, &json!(description)),
            "{text}"
        );
    }
    let entity = |kind: &str, offset: usize, length: usize| json!({"type": kind, "offset": offset, "length": length});
    let accepted = [
        (
            "<b>Missed</b>\n&lt;VIP&gt; &amp; &quot;&#33;&#x21;",
            "Missed\n<VIP> & \"!!",
            vec![entity("bold", 0, 6)],
        ),
        ("&nbsp;&lt", "&nbsp;<", vec![]),
        ("😀<B>é</B>", "😀é", vec![entity("bold", 2, 1)]),
        (
            "<b>a<i>b</i></b>",
            "ab",
            vec![entity("bold", 0, 2), entity("italic", 1, 1)],
        ),
        ("<b></b>x <u>y</>", "x y", vec![entity("underline", 2, 1)]),
        (
            "<span class=\"tg-spoiler\">s</span>",
            "s",
            vec![entity("spoiler", 0, 1)],
        ),
        (
            "<blockquote expandable>q</blockquote>",
            "q",
            vec![entity("expandable_blockquote", 0, 1)],
        ),
        (
            "<a href='https://a.b/?x=1&amp;y=2'>запись</a>",
            "запись",
            vec![
                json!({"type": "text_link", "offset": 0, "length": 6, "url": "https://a.b/?x=1&y=2"}),
            ],
        ),
        (
            "<a href=\"http://localhost/x\">x</a> <a href=\"tel:+7\">y</a>",
            "x y",
            vec![],
        ),
        (
            "<pre><code class=\"language-rust\">f</code></pre>",
            "f",
            vec![json!({"type": "pre", "offset": 0, "length": 1, "language": "rust"})],
        ),
    ];
    for (text, plain, entities) in accepted {
        let result = send(&telegram, text).await;
        assert_eq!(result["text"], plain, "{text}");
        assert_eq!(
            result["entities"].as_array().cloned().unwrap_or_default(),
            entities,
            "{text}"
        );
    }
}

#[actix_web::test]
async fn texts_are_measured_after_parsing() {
    let telegram = telegram().await;
    let long = "я".repeat(4096);
    assert_eq!(
        send(&telegram, &format!("<b>{long}</b>")).await["text"],
        long
    );
    let cases = [
        (json!({"text": format!("{long}я")}), "message is too long"),
        (json!({"text": "x".repeat(32_769)}), "text is too long"),
        (json!({"text": ""}), "message text is empty"),
        (json!({"text": " \n "}), "message text is empty"),
        (
            json!({"text": "<b> </b>", "parse_mode": "HTML"}),
            "message text is empty",
        ),
        (json!({}), "message text is empty"),
        (
            json!({"text": "x", "parse_mode": "Word"}),
            "unsupported parse_mode",
        ),
        (
            json!({"text": "x", "reply_markup": "{"}),
            "can't parse reply keyboard markup JSON object",
        ),
        (
            json!({"text": "x", "reply_markup": "1"}),
            "object expected as reply markup",
        ),
        (
            json!({"text": "x", "reply_parameters": {"message_id": 77}}),
            "message to be replied not found",
        ),
        (
            json!({"text": "x", "reply_parameters": {}}),
            "can't parse reply parameters: Can't find field \"message_id\"",
        ),
        (json!({"text": "x", "chat_id": 999}), "chat not found"),
        (json!({"text": "x", "chat_id": "@nobody"}), "chat not found"),
        (json!({"text": "x", "chat_id": null}), "chat_id is empty"),
    ];
    for (mut body, words) in cases {
        if body.get("chat_id").is_none() {
            body["chat_id"] = json!(GROUP);
        }
        let (status, answer) = ask(&telegram, "sendMessage", body).await;
        assert_eq!(
            (status, &answer["description"]),
            (400, &json!(format!("Bad Request: {words}")))
        );
    }
    assert_eq!(telegram.state.refused(), 14);
}

#[actix_web::test]
async fn buttons_are_checked() {
    let telegram = telegram().await;
    let cases = [
        (
            json!({"text": "x", "url": "tel:+79001234567"}),
            "inline keyboard button URL 'tel:+79001234567' is invalid: Unsupported URL protocol",
        ),
        (
            json!({"text": "x", "url": "sip://a.b"}),
            "inline keyboard button URL 'sip://a.b' is invalid: Unsupported URL protocol",
        ),
        (
            json!({"text": "x", "url": "http://localhost/x"}),
            "BUTTON_URL_INVALID",
        ),
        (
            json!({"text": "x", "url": "https://pbx/x"}),
            "BUTTON_URL_INVALID",
        ),
        (
            json!({"text": "x"}),
            "text buttons are unallowed in the inline keyboard",
        ),
        (
            json!({"text": "x", "url": "https://a.b", "callback_data": "1"}),
            "can't parse inline keyboard button: exactly one action is allowed",
        ),
        (
            json!({"text": "x", "callback_data": "я".repeat(33)}),
            "BUTTON_DATA_INVALID",
        ),
        (
            json!({"url": "https://a.b"}),
            "can't parse inline keyboard button: field \"text\" must be a non-empty String",
        ),
    ];
    for (button, words) in cases {
        let body =
            json!({"chat_id": GROUP, "text": "x", "reply_markup": {"inline_keyboard": [[button]]}});
        let (status, answer) = ask(&telegram, "sendMessage", body).await;
        assert_eq!(
            (status, &answer["description"]),
            (400, &json!(format!("Bad Request: {words}")))
        );
    }
}

#[actix_web::test]
async fn edits_and_deletes() {
    let telegram = telegram().await;
    let keyboard = json!({"inline_keyboard": [[{"text": "Карточка", "url": "https://a.b/1"}]]});
    let body = json!({"chat_id": GROUP, "text": "<b>раз</b>", "parse_mode": "HTML", "reply_markup": keyboard});
    let (_, sent) = ask(&telegram, "sendMessage", body.clone()).await;
    assert_eq!(sent["result"]["reply_markup"], keyboard);
    let mut edit = body;
    edit["message_id"] = sent["result"]["message_id"].clone();
    let (status, answer) = ask(&telegram, "editMessageText", edit.clone()).await;
    let words = "Bad Request: message is not modified: specified new message content and reply markup are exactly the \
         same as a current content and reply markup of the message";
    assert_eq!((status, &answer["description"]), (400, &json!(words)));
    edit["text"] = json!("<i>раз</i>");
    let (status, answer) = ask(&telegram, "editMessageText", edit.clone()).await;
    assert_eq!(status, 200);
    assert!(answer["result"]["edit_date"].is_i64());
    edit.as_object_mut().unwrap().remove("reply_markup");
    let (_, answer) = ask(&telegram, "editMessageText", edit.clone()).await;
    assert_eq!(answer["result"]["reply_markup"], Value::Null);
    let message = bot(&telegram).messages(GROUP).remove(0);
    assert_eq!(
        (
            message.edits(),
            message.versions[0].entities[0].kind.as_str()
        ),
        (2, "bold")
    );
    assert_eq!(bot(&telegram).counts().harmless, 1);

    edit["message_id"] = json!(9);
    assert_eq!(
        ask(&telegram, "editMessageText", edit.clone()).await.1["description"],
        "Bad Request: message to edit not found"
    );
    edit.as_object_mut().unwrap().remove("message_id");
    assert_eq!(ask(&telegram, "editMessageText", edit).await.0, 400);

    send(&telegram, "два").await;
    bot(&telegram).backdate(GROUP, 2, 49 * 3_600_000);
    let delete = async |id: i64| {
        ask(
            &telegram,
            "deleteMessage",
            json!({"chat_id": GROUP, "message_id": id}),
        )
        .await
    };
    assert_eq!(delete(1).await.1["result"], true);
    assert_eq!(
        delete(1).await.1["description"],
        "Bad Request: message to delete not found"
    );
    assert_eq!(
        delete(2).await.1["description"],
        "Bad Request: message can't be deleted"
    );
    let reply = |lenient: bool| json!({"message_id": 1, "allow_sending_without_reply": lenient});
    let body = json!({"chat_id": GROUP, "text": "три", "reply_parameters": reply(false)});
    assert_eq!(
        ask(&telegram, "sendMessage", body).await.1["description"],
        "Bad Request: message to be replied not found"
    );
    let body = json!({"chat_id": GROUP, "text": "три", "reply_parameters": reply(true)});
    assert_eq!(
        ask(&telegram, "sendMessage", body).await.1["result"]["message_id"],
        3
    );
    let body = json!({"chat_id": GROUP, "text": "четыре", "reply_parameters": {"message_id": 3}});
    assert_eq!(
        ask(&telegram, "sendMessage", body).await.1["result"]["reply_to_message"]["text"],
        "три"
    );
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

#[actix_web::test]
async fn chats_fail_by_script() {
    let telegram = telegram().await;
    let bot = bot(&telegram);
    let cases = [
        (
            ChatFailure::Blocked,
            403,
            "Forbidden: bot was blocked by the user",
        ),
        (
            ChatFailure::Deactivated,
            403,
            "Forbidden: user is deactivated",
        ),
        (
            ChatFailure::Kicked,
            403,
            "Forbidden: bot was kicked from the supergroup chat",
        ),
        (
            ChatFailure::NotMember,
            403,
            "Forbidden: bot is not a member of the supergroup chat",
        ),
        (ChatFailure::NotFound, 400, "Bad Request: chat not found"),
        (
            ChatFailure::WriteForbidden,
            400,
            "Bad Request: CHAT_WRITE_FORBIDDEN",
        ),
        (
            ChatFailure::Migrated { to: -1_009 },
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
        ),
        (
            ChatFailure::Error {
                status: 502,
                stored: false,
            },
            502,
            "Bad Gateway",
        ),
        (
            ChatFailure::TooMany { retry_after: 14 },
            429,
            "Too Many Requests: retry after 14",
        ),
    ];
    let message = || json!({"chat_id": GROUP, "text": "x"});
    for (failure, status, words) in cases {
        assert!(bot.fail_chat(GROUP, Some(failure.clone()), Some(1)));
        let (seen, body) = ask(&telegram, "sendMessage", message()).await;
        assert_eq!((seen, &body["description"]), (status, &json!(words)));
        if let ChatFailure::Migrated { to } = failure {
            assert_eq!(body["parameters"]["migrate_to_chat_id"], to);
            assert_eq!(
                ask(
                    &telegram,
                    "sendMessage",
                    json!({"chat_id": to, "text": "x"})
                )
                .await
                .0,
                200
            );
        }
    }
    assert_eq!(bot.messages(GROUP).len(), 0);
    bot.fail_chat(
        GROUP,
        Some(ChatFailure::Error {
            status: 500,
            stored: true,
        }),
        Some(1),
    );
    assert_eq!(ask(&telegram, "sendMessage", message()).await.0, 500);
    assert_eq!(bot.messages(GROUP).len(), 1);
    assert_eq!(ask(&telegram, "sendMessage", message()).await.0, 200);
    bot.fail_chat(GROUP, Some(ChatFailure::Blocked), None);
    assert_eq!(ask(&telegram, "sendMessage", message()).await.0, 403);
    assert_eq!(ask(&telegram, "sendMessage", message()).await.0, 403);
    bot.fail_chat(GROUP, None, None);
    assert_eq!(ask(&telegram, "sendMessage", message()).await.0, 200);
    assert_eq!(bot.counts().refused, 0);
    telegram.state.revoke(&bot.token);
    assert_eq!(ask(&telegram, "sendMessage", message()).await.0, 401);
}

#[actix_web::test]
async fn scripts_and_control() {
    let telegram = telegram().await;
    let control = async |path: &str, body: Value| {
        let sent = Client::default()
            .post(format!("{}/_control/{path}", telegram.base_url))
            .send_json(&body)
            .await;
        sent.unwrap().status().as_u16()
    };
    let client = Client::builder()
        .timeout(Duration::from_millis(500))
        .finish();
    let post = || {
        client
            .post(url(&telegram, "sendMessage"))
            .send_json(&json!({"chat_id": 501, "text": "x"}))
    };
    for (fault, after, stored) in [
        (Fault::Drop, true, 1),
        (Fault::Down, false, 1),
        (Fault::Hang, false, 1),
    ] {
        telegram.state.behave(Behaviour {
            after,
            ..Behaviour::fault(fault).at("sendMessage").times(1)
        });
        assert!(post().await.is_err(), "{fault:?}");
        assert_eq!(bot(&telegram).messages(501).len(), stored, "{fault:?}");
    }
    assert_eq!(
        control("bot", json!({"token": "7:abc", "name": "Второй"})).await,
        200
    );
    assert_eq!(
        control("chat", json!({"bot": "7:abc", "id": 5, "title": "Пять"})).await,
        200
    );
    let failing = json!({"bot": "7:abc", "chat_id": 5, "failure": {"kind": "migrated", "to": -100}, "times": 1});
    assert_eq!(control("fail", failing).await, 200);
    assert_eq!(control("fail", json!({"chat_id": 12345})).await, 404);
    assert_eq!(
        control("receive", json!({"chat_id": 501, "text": "/start"})).await,
        200
    );
    let (_, body) = ask(&telegram, "getUpdates", json!({})).await;
    assert_eq!(body["result"][0]["message"]["text"], "/start");
    let (_, body) = ask(&telegram, "getUpdates", json!({"offset": 2})).await;
    assert_eq!(body["result"], json!([]));
    let waiting = ask(&telegram, "getUpdates", json!({"offset": 2, "timeout": 30}));
    let telling = control("receive", json!({"chat_id": 501, "text": "ещё"}));
    let ((_, body), _) = futures_util::future::join(waiting, telling).await;
    assert_eq!(body["result"][0]["update_id"], 2);
    let mut answer = Client::default()
        .get(format!("{}/_control/state", telegram.base_url))
        .send()
        .await
        .unwrap();
    let state: Value = answer.json().await.unwrap();
    assert_eq!(state["refused"], 0);
    assert_eq!(
        state["bots"][0]["chats"][1]["messages"][0]["versions"][0]["text"],
        "x"
    );
    assert_eq!(control("reset", json!({})).await, 200);
    assert!(telegram.state.bot("7:abc").is_none());
}
