//! The integrations dialog: what is saved, what is refused and with which words, that no secret is ever shown, and that
//! a change holds for the next call.

use serde_json::{Value, json};
use simulators::retailcrm;

use crate::door::{Answer, Browser, Door, client, read};

const AT: &str = "/enterprise/0367/integrations";
const KEY: &str = "a-key-nobody-may-see-1234";

async fn post(door: &Door, browser: &Browser, what: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    let path = format!("{AT}/retailcrm/{what}?lang=en");
    door.post(browser, &path, &all).await
}

async fn document(door: &Door, browser: &Browser) -> Value {
    door.get(browser, &format!("{AT}/config"), &[]).await.json()
}

async fn send(door: &Door, browser: &Browser, document: &Value) -> Answer {
    let request = client()
        .post(format!("{}{AT}/config", door.base))
        .insert_header(("Cookie", browser.cookie.clone()))
        .insert_header(("X-CSRF-Token", browser.csrf.clone()));
    read(request.send_json(document).await).await
}

#[actix_web::test]
async fn a_crm_is_set_up_tested_and_switched_on_without_showing_its_key() {
    let crm = retailcrm::start("127.0.0.1:0", retailcrm::Settings::default())
        .await
        .expect("a simulator");
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let page = door.page(&admin, AT).await;
    assert!(page.status == 200 && page.body.contains("RetailCRM") && page.body.contains("API key"));

    // Nothing is filled in yet: switching on opens the settings instead.
    let opened = post(&door, &admin, "switch", &[("on", "1")]).await;
    assert!(
        opened.body.contains("Fill in the settings") && opened.body.contains("Save and switch on"),
        "{opened:?}"
    );
    assert_eq!(
        document(&door, &admin).await,
        json!({}),
        "nothing was saved"
    );

    let domain = crm.base_url.clone();
    let wrong = [
        ("domain", domain.as_str()),
        ("api_key", "a-wrong-key-000000"),
        ("send_dial", "1"),
    ];
    let verdict = post(&door, &admin, "test", &wrong).await;
    assert!(
        verdict
            .body
            .contains("Address, key or rights are not right")
            && verdict.body.contains("apiKey"),
        "{verdict:?}"
    );
    let away = [("domain", "http://127.0.0.1:9"), ("api_key", "demo-key")];
    let verdict = post(&door, &admin, "test", &away).await;
    assert!(verdict.body.contains("did not answer"), "{verdict:?}");

    let right = [
        ("domain", domain.as_str()),
        ("api_key", "demo-key"),
        ("send_dial", "1"),
        ("switch_on", "1"),
    ];
    let verdict = post(&door, &admin, "test", &right).await;
    assert!(verdict.body.contains("The connection works"), "{verdict:?}");
    let saved = post(&door, &admin, "save", &right).await;
    assert!(
        saved.body.contains("Saved") && saved.body.contains("integration-working"),
        "{saved:?}"
    );
    let kept = document(&door, &admin).await;
    assert_eq!(
        kept["retailcrm"],
        json!({"enabled": true, "domain": domain, "api_key": "****", "send_dial": true, "send_hangup": false, "send_upload": false})
    );

    // The page shows the mask; sent back as it is, it stands for the key.
    let masked = [
        ("domain", domain.as_str()),
        ("api_key", "****"),
        ("send_dial", "1"),
        ("send_upload", "1"),
    ];
    post(&door, &admin, "save", &masked).await;
    let verdict = post(&door, &admin, "test", &masked).await;
    assert!(
        verdict.body.contains("The connection works"),
        "the key is still there: {verdict:?}"
    );

    for (order, state) in [
        ("pause", "integration-paused"),
        ("resume", "integration-working"),
        ("reset", "integration-working"),
    ] {
        let answer = post(&door, &admin, "order", &[("order", order)]).await;
        assert!(answer.body.contains(state), "{order}: {answer:?}");
        let document = door.page(&admin, &format!("{AT}/config")).await;
        assert_eq!(
            document.body.contains("\"paused\":true"),
            order == "pause",
            "a pause is kept with the settings: {document:?}"
        );
    }
    assert_eq!(
        post(&door, &admin, "order", &[("order", "explode")])
            .await
            .status,
        400
    );
    let answer = post(&door, &admin, "resend", &[("from", "2026-01-01")]).await;
    assert!(answer.body.contains("Nothing failed"), "{answer:?}");
    assert_eq!(
        post(&door, &admin, "resend", &[("from", "yesterday")])
            .await
            .status,
        400
    );

    // The next call is told to the CRM, and the log knows it.
    let dial = json!({"UniqueId": "1795194153.7", "Phone": "375291234567", "CallType": 0, "Trunk": "0001367", "Extensions": ["150"]});
    door.event("0367", "dial", dial).await;
    let logs = format!("{AT}/logs?integration=retailcrm&call=1795194153.7");
    let mut told = Value::Null;
    for _ in 0..200 {
        told = door.get(&admin, &logs, &[]).await.json();
        if told["logs"].as_array().is_some_and(|logs| !logs.is_empty()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(told["logs"][0]["event_type"], "dial", "{told}");
    let card = door.page(&admin, &format!("{AT}/retailcrm/state")).await;
    assert!(card.body.contains("pop-up"), "{card:?}");
    let log = door.page(&admin, &format!("{AT}/log?status=error")).await;
    assert!(
        log.status == 200 && log.body.contains("test"),
        "failed tests are in the log: {log:?}"
    );
    assert_eq!(
        door.get(&admin, &format!("{AT}/logs?status=bogus"), &[])
            .await
            .status,
        400
    );

    let stats = door
        .get(&admin, "/admin/integrations/stats", &[])
        .await
        .json();
    assert_eq!(
        stats["integrations"][0]["integration"], "retailcrm",
        "{stats}"
    );
    assert!(
        stats["integrations"][0]["errors"].as_i64().unwrap_or(0) >= 2,
        "{stats}"
    );
    let page = door.page(&admin, "/admin/integrations").await;
    assert!(page.status == 200 && page.body.contains("chart.umd.min.js"));

    for body in [
        &saved.body,
        &card.body,
        &log.body,
        &page.body,
        &stats.to_string(),
        &kept.to_string(),
    ] {
        assert!(
            !body.contains("demo-key") && !body.contains("a-wrong-key"),
            "{body}"
        );
    }
    let off = post(&door, &admin, "switch", &[]).await;
    assert!(
        !off.body.contains(" checked data-submit") && !off.body.contains("integration-working"),
        "{off:?}"
    );
    door.close().await;
    crm.stop().await;
}

#[actix_web::test]
async fn the_document_keeps_masked_secrets_and_refuses_what_cannot_work() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let first = json!({
        "smart": {"primary": "retailcrm"},
        "retailcrm": {"enabled": true, "domain": "https://shop.example", "api_key": KEY, "user_extensions": {"19": "150"}},
    });
    let saved = send(&door, &admin, &first).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    let shown = document(&door, &admin).await;
    assert_eq!(shown["retailcrm"]["api_key"], "****1234");
    assert_eq!(saved.json(), shown);

    // It goes back with one change only; the key stays, as a call to the machine surface shows by its mask.
    let mut back = shown.clone();
    back["retailcrm"]["domain"] = "https://other.example".into();
    assert_eq!(send(&door, &admin, &back).await.status, 200);
    let only_smart = json!({"smart": {"primary": null}});
    assert_eq!(send(&door, &admin, &only_smart).await.status, 200);
    let kept = document(&door, &admin).await;
    assert_eq!(
        kept["retailcrm"]["api_key"], "****1234",
        "parts that are not named stay"
    );
    assert_eq!(kept["retailcrm"]["domain"], "https://other.example");

    for (told, words) in [
        (json!([]), "the document is an object"),
        (json!({"retailcrm": true}), "an object, or null"),
        (json!({"retailcmr": {}}), "no integration called retailcmr"),
        (json!({"retailcrm": {"enabled": "yes"}}), "true or false"),
        (
            json!({"retailcrm": {"enabled": true, "domain": "two words", "api_key": "x"}}),
            "retailcrm.domain",
        ),
        (
            json!({"retailcrm": {"enabled": true, "domain": "https://a.example"}}),
            "retailcrm.api_key: must not be empty",
        ),
    ] {
        let answer = send(&door, &admin, &told).await;
        assert!(
            answer.status == 400 && answer.body.contains(words),
            "{told}: {answer:?}"
        );
    }
    assert_eq!(
        document(&door, &admin).await,
        kept,
        "what was refused changed nothing"
    );
    let gone = send(&door, &admin, &json!({"retailcrm": null}))
        .await
        .json();
    assert_eq!(gone, json!({"smart": {"primary": null}}));

    // Without the token nothing is taken.
    let request = client()
        .post(format!("{}{AT}/config", door.base))
        .insert_header(("Cookie", admin.cookie.clone()));
    assert_eq!(read(request.send_json(&first).await).await.status, 403);
    door.close().await;
}

#[actix_web::test]
async fn statistics_are_of_the_own_enterprise_only() {
    let door = Door::open("").await;
    let (admin, superadmin) = (
        door.log_in("admin-0367").await,
        door.log_in("superadmin").await,
    );
    for (browser, number, status) in [
        (&admin, "", 200),
        (&admin, "0367", 200),
        (&admin, "0401", 404),
        (&superadmin, "", 200),
        (&superadmin, "0401", 200),
        (&superadmin, "77", 404),
    ] {
        for path in ["/admin/integrations", "/admin/integrations/stats"] {
            let answer = door
                .page(browser, &format!("{path}?enterprise={number}"))
                .await;
            assert_eq!(answer.status, status, "{path} {number}");
        }
    }
    assert_eq!(
        door.page(&admin, "/enterprises").await.header("location"),
        "/enterprise/0367"
    );
    let list = door.page(&superadmin, "/enterprises?find=NOR").await;
    assert!(list.body.contains("north") && !list.body.contains("june"));
    door.close().await;
}

/// A wrong key costs no history: it waits, and goes out when the key is mended, not when its next try would have been.
#[actix_web::test]
async fn what_waited_for_a_wrong_key_goes_out_when_it_is_mended() {
    let crm = retailcrm::start(
        "127.0.0.1:0",
        retailcrm::Settings::default().without_limits(),
    )
    .await
    .expect("a simulator");
    let slow = "[calls]\nsettle_after = \"50ms\"\n[deliveries]\nupload_retry = [\"1h\"]\n";
    let door = Door::open(slow).await;
    let admin = door.log_in("admin-0367").await;
    let with = |key: &'static str| {
        [
            ("domain", crm.base_url.as_str()),
            ("api_key", key),
            ("send_upload", "1"),
            ("switch_on", "1"),
        ]
    };
    post(&door, &admin, "save", &with("not-a-key-of-theirs")).await;
    let call = json!({"UniqueId": "w.1", "LinkedId": "w.1", "Phone": "375291234567", "CallType": 0,
        "Trunk": "0001367", "Extensions": ["150"], "CallStatus": "2", "HangupCause": "16"});
    door.event("0367", "start", call.clone()).await;
    door.event("0367", "hangup", call).await;
    let told = || crm.state.root_account().expect("an account").calls().len();
    let soon = async |what: &str, holds: &dyn Fn(&str) -> bool| {
        for _ in 0..500 {
            if holds(&door.page(&admin, &format!("{AT}?lang=en")).await.body) {
                return;
            }
            actix_web::rt::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("waited in vain until {what}");
    };
    soon("the history met the wrong key", &|page| {
        page.contains("delivery-due") && page.contains("apiKey")
    })
    .await;
    assert_eq!(told(), 0);
    post(&door, &admin, "save", &with("demo-key")).await;
    soon("it is told", &|_| told() == 1).await;
    door.close().await;
    crm.stop().await;
}
