//! The gateway's answers about names: clients and their managers as RetailCRM tells them, extensions and lines as the
//! enterprise has them; and the same names on the call's page and in the list of calls.

use actors::cache::snapshot::Line;
use actors::store::enterprises;
use actors::store::users;
use chrono::Utc;
use serde_json::{Value, json};
use simulators::retailcrm::{self, Customer, NewAccount, User};
use simulators::script::Behaviour;
use simulators::server::Running;

use crate::door::{Browser, Door};

const PHONE: &str = "+375296254070";

/// A server whose enterprise 0367 has an account with people.
async fn connected() -> (Door, Running<retailcrm::State>) {
    let account = NewAccount {
        users: vec![
            User::new(16, "Анна", "Петрова", Some("155")),
            User::new(17, "Борис", "Ильин", None),
        ],
        customers: vec![
            Customer::new(60, "Иван", "<Сидоров>", PHONE, Some(16)),
            Customer::new(61, "Мария", "Кузнецова", "+79001234567", None),
        ],
        telephony: true,
        ..NewAccount::new("demo", "demo-key-1234567")
    };
    let crm = retailcrm::Settings {
        accounts: vec![account],
        ..retailcrm::Settings::default()
    };
    let crm = retailcrm::start("127.0.0.1:0", crm.without_limits())
        .await
        .expect("a simulator");
    let door = Door::open("[api]\nkeys = [\"0123456789abcdef\"]").await;
    let document = json!({"retailcrm": {
        "enabled": true, "domain": crm.base_url, "api_key": "demo-key-1234567",
        "user_extensions": {"16": "150", "17": "151"}, "user_names": {"16": "Петрова Анна", "17": "Ильин Борис"},
    }});
    let vault = door.store.vault().clone();
    door.store
        .write(move |conn| {
            users::assign_extension(conn, 1, "151", None, "")?;
            let line = Line {
                name: "Главная".into(),
                rules: Vec::new(),
            };
            enterprises::save_line(conn, 1, "0001367", &line)?;
            enterprises::save_integrations(conn, &vault, 1, &document, Utc::now())
        })
        .await
        .expect("an integration");
    ask(&door, "POST", "/cache/invalidate/0367").await;
    (door, crm)
}

async fn ask(door: &Door, method: &str, path: &str) -> Value {
    let nobody = Browser::default();
    let answer = match method {
        "POST" => door.post(&nobody, path, &[]).await,
        _ => door.get(&nobody, path, &[]).await,
    };
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

#[actix_web::test]
async fn names_are_told_as_the_crm_and_the_enterprise_have_them() {
    let (door, crm) = connected().await;
    for (path, told) in [
        (
            "/customer-name/0367/375296254070",
            json!({"name": "<Сидоров> Иван", "integration": "retailcrm"}),
        ),
        // A number as people write it at home, the enterprise by its name.
        (
            "/customer-name/june/80296254070",
            json!({"name": "<Сидоров> Иван", "integration": "retailcrm"}),
        ),
        ("/customer-name/0367/375290000000", json!({"name": null})),
        (
            "/customer-name/0401/375296254070",
            json!({"name": null, "reason": "no_integrations", "message": "no CRM is connected"}),
        ),
        (
            "/responsible/0367/375296254070",
            // What is held here wins over the code that the CRM has for its user.
            json!({"extension": "150", "manager": {"id": "16", "name": "Петрова Анна"}, "integration": "retailcrm"}),
        ),
        (
            "/responsible/0367/79001234567",
            json!({"extension": null, "manager": null, "reason": "manager_not_found"}),
        ),
        (
            "/metadata/0367/manager/150",
            json!({"extension": "150", "name": "Hanna", "user_id": 3, "known": true}),
        ),
        (
            "/metadata/0367/manager/151",
            json!({"extension": "151", "name": "Ильин Борис", "user_id": null, "known": true}),
        ),
        (
            "/metadata/0367/manager/199",
            json!({"extension": "199", "name": null, "user_id": null, "known": false}),
        ),
        (
            "/metadata/0367/line/0001367",
            json!({"line": "0001367", "name": "Главная", "known": true}),
        ),
        (
            "/metadata/0367/line/none",
            json!({"line": "none", "name": null, "known": false}),
        ),
    ] {
        let mut said = ask(&door, "GET", path).await;
        if path.ends_with("/150") {
            assert!(said["user_id"].is_number(), "{said}");
            said["user_id"] = 3.into();
        }
        assert_eq!(said, told, "{path}");
    }
    let nobody = Browser::default();
    for (path, status) in [
        ("/customer-name/0367/nonsense", 400),
        ("/customer-name/9999/375296254070", 404),
        ("/responsible/9999/375296254070", 404),
        ("/metadata/9999/manager/150", 404),
    ] {
        let answer = door.get(&nobody, path, &[]).await;
        assert!(
            answer.status == status && !answer.json()["message"].is_null(),
            "{path}: {answer:?}"
        );
    }
    let away = [("X-Forwarded-For", "203.0.113.9")];
    assert_eq!(
        door.get(&nobody, "/customer-name/0367/375296254070", &away)
            .await
            .status,
        401,
        "not for strangers"
    );
    let key = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Api-Key", "0123456789abcdef"),
    ];
    assert_eq!(
        door.get(&nobody, "/customer-name/0367/375296254070", &key)
            .await
            .status,
        200
    );
    let config = ask(&door, "GET", "/config/0367").await;
    assert!(!config.to_string().contains("demo-key-1234567"), "{config}");
    door.close().await;
    crm.stop().await;
}

#[actix_web::test]
async fn a_crm_is_asked_once_and_its_silence_is_no_error() {
    let (door, crm) = connected().await;
    let asked = || {
        crm.state
            .root_account()
            .expect("the account")
            .counts()
            .requests
            .values()
            .sum::<u64>()
    };
    let path = "/customer-name/0367/375296254070";
    ask(&door, "GET", path).await;
    let once = asked();
    ask(&door, "GET", path).await;
    assert_eq!(asked(), once, "remembered");

    crm.state
        .behave(Behaviour::status(500).at("telephony/manager"));
    assert_eq!(
        ask(&door, "GET", path).await["name"],
        "<Сидоров> Иван",
        "still remembered"
    );
    let said = ask(&door, "GET", "/customer-name/0367/79001234567").await;
    assert_eq!(
        (&said["name"], &said["reason"]),
        (&Value::Null, &json!("failed"))
    );
    ask(&door, "POST", "/cache/invalidate/0367").await;
    assert_eq!(
        ask(&door, "GET", path).await["reason"],
        "failed",
        "a change of settings forgets"
    );
    door.close().await;
    crm.stop().await;
}

#[actix_web::test]
async fn a_profile_has_the_clients_calls_and_pages_have_the_name() {
    let (door, crm) = connected().await;
    let unique_id = "1795194153.7";
    let with = |more: Value| {
        let mut body = json!({"UniqueId": unique_id, "Phone": "375296254070", "CallType": 0, "Trunk": "0001367"});
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        body
    };
    door.event("0367", "start", with(json!({}))).await;
    door.event("0367", "dial", with(json!({"Extensions": ["151"]})))
        .await;
    door.event(
        "0367",
        "hangup",
        with(json!({"CallStatus": "0", "Extensions": ["151"]})),
    )
    .await;

    let admin = door.log_in("admin-0367").await;
    let list = door.get(&admin, "/api/calls", &[]).await.json();
    let id = list["calls"][0]["id"].as_str().expect("a call").to_owned();
    // Nobody watched, so nobody asked the CRM yet; the call's page does, and then the list knows, too.
    let call = door
        .get(&admin, &format!("/api/calls/{id}"), &[])
        .await
        .json();
    assert_eq!(call["call"]["client"], "<Сидоров> Иван", "{call}");
    assert_eq!(call["call"]["people"][0]["name"], "Ильин Борис", "{call}");
    let page = door.page(&admin, &format!("/calls/{id}")).await;
    assert!(
        page.body.contains("&lt;Сидоров&gt; Иван") && page.body.contains("Ильин Борис"),
        "{page:?}"
    );
    let list = door.page(&admin, "/calls").await;
    assert!(list.body.contains("&lt;Сидоров&gt; Иван"), "{list:?}");
    let profile = ask(&door, "GET", "/customer-profile/0367/375296254070").await;
    assert_eq!(
        (&profile["name"], &profile["calls"]["count"]),
        (&json!("<Сидоров> Иван"), &json!(1)),
        "{profile}"
    );
    door.close().await;
    crm.stop().await;
}
