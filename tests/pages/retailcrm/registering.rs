//! Registering as RetailCRM wants it, its refusals in its own words, and taking the module out again.

use super::*;

#[actix_web::test]
async fn a_module_is_registered_as_retailcrm_wants_it_and_again_without_harm() {
    let scene = Scene::new().await;
    let page = scene.door.page(&scene.admin, PAGE).await;
    assert!(
        page.status == 200 && page.body.contains("<title>RetailCRM · june"),
        "{page:?}"
    );
    scene.registered().await;

    let modules = scene.account().modules();
    assert_eq!(modules.len(), 1);
    let body = &modules[0].body;
    assert_eq!(body["code"], "patchbay-0367");
    assert_eq!(body["baseUrl"], "http://patchbay.example");
    assert_eq!(body["logo"], "http://patchbay.example/static/logo.svg");
    let telephony = &body["integrations"]["telephony"];
    assert_eq!(
        telephony["makeCallUrl"],
        "http://patchbay.example/retailcrm/make-call"
    );
    assert_eq!(
        telephony["changeUserStatusUrl"],
        "http://patchbay.example/retailcrm/status"
    );
    assert_eq!(
        (&telephony["additionalCodes"], &telephony["externalPhones"]),
        (&json!([]), &json!([]))
    );
    let client_id = body["clientId"].as_str().expect("a clientId").to_owned();
    assert!(client_id.len() >= 40 && client_id != "0367", "{client_id}");
    let logo = scene
        .door
        .get(&Browser::default(), "/static/logo.svg", &[])
        .await;
    assert!(
        logo.status == 200 && logo.header("content-type").contains("svg"),
        "{logo:?}"
    );

    // Again, with shops' numbers: the same module, the same clientId, another link.
    let shops = [(
        "shop_phones",
        "main-shop=+375173900017, nowhere=+375173900018",
    )];
    let again = scene.register("****4567", &shops).await;
    assert!(
        again.body.contains("the CRM knows no shop nowhere"),
        "{again:?}"
    );
    let modules = scene.account().modules();
    assert_eq!((modules.len(), modules[0].edits), (1, 2));
    assert_eq!(modules[0].body["clientId"], client_id.as_str());
    assert_ne!(modules[0].body["accountUrl"], body["accountUrl"]);
    let phones = modules[0].telephony("externalPhones").cloned();
    assert_eq!(
        phones.expect("phones")[0],
        json!({"siteCode": "main-shop", "externalPhone": "+375173900017"})
    );
    assert_eq!(
        scene.log().await,
        [
            line("register_module", "success", ""),
            line(
                "register_module",
                "success",
                "the CRM knows no shop nowhere"
            )
        ]
    );

    // Neither page nor log nor audit shows a secret.
    let page = scene.door.page(&scene.admin, PAGE).await;
    let logs = scene
        .door
        .get(&scene.admin, "/enterprise/0367/integrations/logs", &[])
        .await;
    let rows = scene
        .door
        .store
        .read(|conn| audit::page(conn, None, 0, 20))
        .await
        .expect("the audit");
    let config = scene
        .door
        .get(&scene.admin, &format!("{API}/config/0367"), &[])
        .await;
    let link = modules[0].body["accountUrl"].as_str().unwrap_or_default();
    let token = link.split("token=").nth(1).expect("a token");
    for text in [&page.body, &logs.body, &format!("{rows:?}"), &config.body] {
        for secret in ["demo-key-1234567", &client_id, token] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(
        rows.iter().any(|row| row.action == "retailcrm.register"),
        "{rows:?}"
    );
    scene.close().await;
}

#[actix_web::test]
async fn what_retailcrm_refuses_is_told_in_its_words_and_logged_and_nothing_is_saved() {
    let scene = Scene::new().await;
    // What our own requests never do, in the words it has for it.
    let refuses = |errors: Value| {
        let mut body =
            json!({"success": false, "errorMsg": "Errors in the entity format", "errors": errors});
        if let Some(words) = body["errors"].as_str().map(str::to_owned) {
            body["errorMsg"] = words.into();
        }
        let answer = Behaviour {
            body: Some(body),
            ..Behaviour::status(400)
        };
        Some(answer.at("integration-modules/edit").times(1))
    };
    let non_scalar =
        refuses("Input value \"integrationModule\" contains a non-scalar value".into());
    let blank = refuses(json!({"baseUrl": "This value should not be blank"}));
    let key = "demo-key-1234567";
    scene.account().put_key(retailcrm::ApiKey {
        key: "a-key-that-may-not".into(),
        denied: vec!["integration-modules".into()],
    });
    type Case<'a> = (
        &'a str,
        &'a [(&'a str, &'a str)],
        Option<Behaviour>,
        &'a str,
    );
    let table: [Case<'_>; 7] = [
        ("a-wrong-key-00000", &[], None, "Wrong \"apiKey\" value."),
        ("a-key-that-may-not", &[], None, "Access denied."),
        (
            key,
            &[("logo", "https://pbx.example/logo.png")],
            None,
            "Logo image must be svg",
        ),
        (
            key,
            &[("logo", "logo.svg")],
            None,
            "This value is not a valid URL.",
        ),
        (key, &[], non_scalar, "contains a non-scalar value"),
        (key, &[], blank, "baseUrl: This value should not be blank"),
        (
            key,
            &[("domain", "http://127.0.0.1:9")],
            None,
            "cannot connect",
        ),
    ];
    for (number, (key, more, script, words)) in table.into_iter().enumerate() {
        if let Some(script) = script {
            scene.crm.state.behave(script);
        }
        let mut fields: Vec<(&str, &str)> = more.to_vec();
        let own = fields.iter().any(|(name, _)| *name == "domain");
        let answer = if own {
            fields.extend([("boxes", "1"), ("api_key", key)]);
            scene.post("register", &fields).await
        } else {
            scene.register(key, &fields).await
        };
        let shown = words.replace('"', "&quot;");
        assert!(
            answer.body.contains("Not registered, nothing was saved")
                && answer.body.contains(&shown),
            "{words}: {answer:?}"
        );
        let log = scene.log().await;
        assert_eq!(log.len(), number + 1, "{words}: {log:?}");
        let (event, status, said) = &log[number];
        assert!(
            event == "register_module" && status == "error" && said.contains(words),
            "{words}: {log:?}"
        );
        let kept = scene
            .door
            .get(&scene.admin, &format!("{API}/config/0367"), &[])
            .await
            .json();
        assert_eq!(kept["config"], Value::Null, "{words}");
    }
    // What cannot even be asked.
    let empty = scene
        .post(
            "register",
            &[("boxes", "1"), ("domain", "two words"), ("api_key", "x")],
        )
        .await;
    assert!(empty.body.contains("domain"), "{empty:?}");
    scene.close().await;
}

#[actix_web::test]
async fn a_module_that_the_crm_does_not_let_go_can_be_forgotten_here() {
    let scene = Scene::new().await;
    scene.registered().await;
    scene.account().revoke_key("demo-key-1234567");
    let refused = scene.post("remove", &[]).await;
    assert!(
        refused.body.contains("Not removed") && refused.body.contains("apiKey"),
        "{refused:?}"
    );
    assert_ne!(scene.held().await, Value::Null);
    let path = format!("{API}/config/0367");
    let kept = scene.door.get(&scene.admin, &path, &[]).await.json();
    assert_eq!(kept["registered"], true);
    let forgotten = scene.post("remove", &[("anyway", "1")]).await;
    assert!(
        forgotten.body.contains("the CRM was not told"),
        "{forgotten:?}"
    );
    let kept = scene.door.get(&scene.admin, &path, &[]).await.json();
    assert_eq!(
        (&kept["registered"], &kept["config"]),
        (&json!(false), &Value::Null)
    );
    scene.close().await;
}
