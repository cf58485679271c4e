//! The rules for texts, buttons, edits and deletions.

use serde_json::{Value, json};

use super::*;

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
