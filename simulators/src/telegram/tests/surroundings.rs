//! What stands around the API: scripts, the control API, the page.

use std::time::Duration;

use awc::Client;
use serde_json::{Value, json};

use super::*;
use crate::script::{Behaviour, Fault};

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

#[actix_web::test]
async fn a_bot_has_one_reader_and_in_groups_sees_only_commands() {
    let telegram = telegram().await;
    let bot = bot(&telegram);
    for text in ["hello", "/join X", "/start@bot123456_bot X"] {
        assert!(bot.receive(GROUP, text));
    }
    bot.receive(501, "hello");
    let (_, body) = ask(&telegram, "getUpdates", json!({})).await;
    let texts: Vec<&Value> = body["result"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|update| &update["message"]["text"])
        .collect();
    assert_eq!(texts, ["/join X", "/start@bot123456_bot X", "hello"]);
    let first = ask(&telegram, "getUpdates", json!({"offset": 9, "timeout": 30}));
    let second = async {
        while bot.desk().readers < 2 {
            actix_rt::task::yield_now().await;
        }
        ask(&telegram, "getUpdates", json!({"offset": 9})).await
    };
    let ((status, conflict), (good, _)) = futures_util::future::join(first, second).await;
    assert_eq!((status, good), (409, 200), "{conflict}");
}

#[actix_web::test]
async fn a_link_leads_to_whoever_presses_start() {
    let telegram = telegram().await;
    let get = async |path: &str| {
        let url = format!("{}{path}", telegram.base_url);
        let mut answer = Client::default().get(url).send().await.unwrap();
        String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap()
    };
    let person = get("/open/bot123456_bot?start=K7QF").await;
    assert!(person.contains("/start K7QF") && person.contains("Анна Петрова"));
    assert!(!person.contains("Отдел продаж") && !person.contains(&NewBot::demo().token));
    let group = get("/open/bot123456_bot?startgroup=K7QF").await;
    assert!(group.contains("/start@bot123456_bot K7QF") && group.contains("Отдел продаж"));
    assert!(get("/open/other_bot?start=x").await.contains("Нет такого"));
}

#[actix_web::test]
async fn the_page_shows_texts_and_escapes_everything() {
    let telegram = telegram().await;
    let evil = "<script>\"'&";
    bot(&telegram).add_chat(&NewChat::new(7, evil));
    let ask = async |method: &str, mut body: Value| {
        body["chat_id"] = json!(7);
        ask(&telegram, method, body).await
    };
    ask("sendMessage", json!({"text": evil})).await;
    let text =
        "<b>жирный &lt;script&gt;</b> <a href=\"https://a.b/&quot;&gt;&lt;script&gt;\">x</a>";
    let keyboard = json!({"inline_keyboard": [[{"text": evil, "url": "https://a.b/\"><script>"}]]});
    let body =
        json!({"message_id": 1, "text": text, "parse_mode": "HTML", "reply_markup": keyboard});
    assert_eq!(ask("editMessageText", body).await.0, 200);
    ask(
        "sendMessage",
        json!({"text": "ответ", "reply_parameters": {"message_id": 1}}),
    )
    .await;
    ask(
        "sendMessage",
        json!({"text": "<script>", "parse_mode": "HTML"}),
    )
    .await;
    let mut answer = Client::default()
        .get(format!("{}/?chat=7", telegram.base_url))
        .send()
        .await
        .unwrap();
    let page = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
    assert!(!page.contains(&NewBot::demo().token));
    let main = page
        .split("<main>")
        .nth(1)
        .unwrap()
        .split("</main>")
        .next()
        .unwrap();
    assert!(!main.contains("<script"), "{main}");
    assert!(main.contains("<b>жирный &lt;script&gt;</b>"));
    assert!(main.contains("изменено") && main.contains("class=\"reply\""));
    assert!(main.contains("href=\"https://a.b/&quot;&gt;&lt;script&gt;\""));
}
