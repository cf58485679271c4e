//! A CRM's users and the enterprise's extensions, against the strict amoCRM: who is shown, that an extension belongs to one
//! user, what is noted, and what is left when the CRM does not answer.

use serde_json::{Value, json};
use simulators::amocrm;
use simulators::script::Behaviour;

use crate::door::{Answer, Browser, Door};

const AT: &str = "/enterprise/0367/integrations";

async fn post(door: &Door, browser: &Browser, what: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    door.post(browser, &format!("{AT}/amocrm/{what}?lang=en"), &all)
        .await
}

async fn held(door: &Door, browser: &Browser) -> Value {
    let document = door.get(browser, &format!("{AT}/config"), &[]).await;
    document.json()["amocrm"]["user_extensions"].clone()
}

#[actix_web::test]
async fn an_extension_belongs_to_one_user_and_a_crm_that_is_away_hides_nothing() {
    let crm = amocrm::start("127.0.0.1:0", amocrm::Settings::default().without_limits())
        .await
        .expect("a simulator");
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let give = async |user: &str, extension: &str| {
        post(
            &door,
            &admin,
            "users/save",
            &[("user", user), ("extension", extension)],
        )
        .await
    };

    let page = door.page(&admin, AT).await;
    assert!(
        page.body.contains("/integrations/amocrm/users"),
        "the card leads there"
    );
    let early = post(&door, &admin, "users", &[]).await;
    assert!(
        early.body.contains("appear when amoCRM is connected"),
        "{early:?}"
    );
    assert_eq!(give("7654321", "150").await.status, 400);
    let connected = [
        ("subdomain", crm.base_url.as_str()),
        ("access_token", "demo-token"),
        ("switch_on", "1"),
    ];
    post(&door, &admin, "save", &connected).await;

    let page = door.page(&admin, &format!("{AT}/amocrm/users")).await;
    assert!(
        page.status == 200 && page.body.contains("amoCRM"),
        "{page:?}"
    );
    let list = post(&door, &admin, "users", &[]).await;
    for words in ["Анна Смирнова", "Борис Котов", "150 (Hanna, free)"] {
        assert!(list.body.contains(words), "{words}: {list:?}");
    }
    assert!(
        !list.body.contains("no longer in"),
        "who was dismissed is not shown: {list:?}"
    );

    give("7654321", "150").await;
    assert_eq!(held(&door, &admin).await, json!({"7654321": "150"}));
    let moved = give("7654322", "150").await;
    assert!(
        moved
            .body
            .contains("Extension 150 was taken from Анна Смирнова"),
        "{moved:?}"
    );
    let given = json!({"7654321": null, "7654322": "150"});
    assert_eq!(held(&door, &admin).await, given);
    // What is no extension of the enterprise and no id of amoCRM's changes nothing.
    for (user, extension) in [
        ("7654321", "250"),
        ("7654321", "x"),
        ("anna", "150"),
        ("", ""),
    ] {
        let refused = give(user, extension).await;
        assert_eq!(refused.status, 400, "{user} {extension}: {refused:?}");
    }
    assert_eq!(held(&door, &admin).await, given);
    let history = door.page(&admin, "/enterprise/0367/history?lang=en").await;
    assert!(
        history.body.contains("integration.extensions") && !history.body.contains("demo-token"),
        "{history:?}"
    );

    crm.state.behave(Behaviour::status(500).times(1));
    let away = post(&door, &admin, "users", &[]).await;
    for words in [
        "amoCRM does not tell its users",
        "Ask again",
        "Анна Смирнова",
        "150 (Борис Котов)",
    ] {
        assert!(away.body.contains(words), "{words}: {away:?}");
    }
    let log = format!("{AT}/logs?integration=amocrm&status=error");
    let log = door.get(&admin, &log, &[]).await.json();
    assert_eq!(log["logs"][0]["event_type"], "managers");

    // Another enterprise, a kind without users and a person without the right have no such page.
    let other = door.log_in("admin-0401").await;
    let path = format!("{AT}/amocrm/users");
    assert_eq!(door.page(&other, &path).await.status, 404);
    let path = format!("{AT}/webhook/users");
    assert_eq!(door.page(&admin, &path).await.status, 404);
    let supervisor = door.log_in("supervisor-0367").await;
    let path = format!("{AT}/amocrm/users");
    assert_eq!(door.page(&supervisor, &path).await.status, 403);
    door.close().await;
    crm.stop().await;
}
