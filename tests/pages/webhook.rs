//! The webhook's card: connected against a receiver that verifies signatures, wrong secret first; a secret exchanged
//! with an overlap; the schema that anybody may read.

use serde_json::{Value, json};
use simulators::webhook;

use crate::door::{Answer, Browser, Door};

const AT: &str = "/enterprise/0367/integrations";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const LOCAL: &str = "[deliveries]\nprivate_networks = [\"127.0.0.0/8\"]\n";

async fn post(door: &Door, browser: &Browser, what: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    let path = format!("{AT}/webhook/{what}?lang=en");
    door.post(browser, &path, &all).await
}

async fn document(door: &Door, browser: &Browser) -> Value {
    door.get(browser, &format!("{AT}/config"), &[]).await.json()
}

#[actix_web::test]
async fn a_receiver_is_connected_tested_and_its_secret_exchanged() {
    let receiver = webhook::start("127.0.0.1:0", webhook::Settings::default())
        .await
        .expect("a receiver");
    let door = Door::open(LOCAL).await;
    let admin = door.log_in("admin-0367").await;
    let url = format!("{}/events", receiver.base_url);

    let wrong = [("url", url.as_str()), ("secret", NEW)];
    let verdict = post(&door, &admin, "test", &wrong).await;
    assert!(
        verdict.body.contains("No matching signature found"),
        "{verdict:?}"
    );
    let bad = [
        ("url", url.as_str()),
        ("secret", "whsec_short"),
        ("switch_on", "1"),
    ];
    let answer = post(&door, &admin, "save", &bad).await;
    assert!(answer.body.contains("base64"), "{answer:?}");

    let right = [
        ("url", url.as_str()),
        ("secret", SECRET),
        ("send_ended", "1"),
        ("switch_on", "1"),
    ];
    let verdict = post(&door, &admin, "test", &right).await;
    assert!(
        verdict.body.contains("The connection works")
            && verdict.body.contains("took the test event"),
        "{verdict:?}"
    );
    let messages = receiver.state.messages();
    assert_eq!(messages.last().map(|one| one.kind()), Some("webhook.test"));
    let saved = post(&door, &admin, "save", &right).await;
    assert!(
        saved.body.contains("Saved") && !saved.body.contains(SECRET),
        "{saved:?}"
    );

    let exchange = [("url", url.as_str()), ("secret", NEW), ("send_ended", "1")];
    let saved = post(&door, &admin, "save", &exchange).await;
    assert!(!saved.body.contains(NEW) && !saved.body.contains(SECRET));
    let kept = document(&door, &admin).await;
    assert_eq!(kept["webhook"]["former_secret"], "****LaSw");
    let verdict = post(
        &door,
        &admin,
        "test",
        &[
            ("url", url.as_str()),
            ("secret", "****Hh8="),
            ("former_secret", "****LaSw"),
        ],
    )
    .await;
    assert!(
        verdict.body.contains("The connection works"),
        "the receiver knows the old one only, and believes it: {verdict:?}"
    );
    let last = receiver.state.messages();
    assert_eq!(last.last().map(|one| one.signatures), Some(2));
    door.close().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn what_lies_in_a_private_network_is_not_reached() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    for url in [
        "http://127.0.0.1:9/",
        "http://localhost:9/",
        "http://[::1]:9/",
        "http://169.254.169.254/latest/",
    ] {
        let verdict = post(&door, &admin, "test", &[("url", url), ("secret", SECRET)]).await;
        assert!(
            verdict.body.contains("private or reserved address"),
            "{url}: {verdict:?}"
        );
    }
    door.close().await;
}

#[actix_web::test]
async fn the_schema_is_there_for_anybody() {
    let door = Door::open("").await;
    let answer = door
        .get(&Browser::default(), "/schemas/webhook-events.json", &[])
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/schema+json");
    assert_eq!(answer.json()["oneOf"].as_array().map(Vec::len), Some(7));
    assert_eq!(answer.json()["$id"], json!("urn:patchbay:webhook-events:1"));
    door.close().await;
}

#[actix_web::test]
async fn a_receiver_that_was_switched_off_by_itself_says_so_until_it_is_on_again() {
    let receiver = webhook::start("127.0.0.1:0", webhook::Settings::default())
        .await
        .expect("a receiver");
    let door = Door::open(LOCAL).await;
    let admin = door.log_in("admin-0367").await;
    let url = format!("{}/events", receiver.base_url);
    let off = json!({"webhook": {
        "enabled": false, "url": url, "secret": SECRET,
        "switched_off": {"at": "2026-11-20T10:00:00Z", "since": "2026-11-15T09:00:00Z", "words": "the receiver answered 500"},
    }});
    let request = crate::door::client()
        .post(format!("{}{AT}/config", door.base))
        .insert_header(("Cookie", admin.cookie.clone()))
        .insert_header(("X-CSRF-Token", admin.csrf.clone()));
    let saved = crate::door::read(request.send_json(&off).await).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    for (lang, words, reason) in [
        ("ru", "Выключено автоматически", "приёмник ответил 500"),
        ("en", "Switched off by itself", "the receiver answered 500"),
    ] {
        let page = door.page(&admin, &format!("{AT}?lang={lang}")).await;
        assert!(
            page.body.contains(words) && page.body.contains(reason),
            "{lang}"
        );
    }
    post(&door, &admin, "switch", &[("on", "1")]).await;
    let kept = document(&door, &admin).await;
    assert_eq!(kept["webhook"]["enabled"], true);
    assert_eq!(kept["webhook"].get("switched_off"), None);
    door.close().await;
    receiver.stop().await;
}
