//! Managers and extensions: one extension for one manager, both sides in step, nothing half-saved.

use super::*;

#[actix_web::test]
async fn an_extension_belongs_to_one_manager_on_both_sides() {
    let scene = Scene::new().await;
    let before = scene.post("managers", &[]).await;
    assert!(
        before
            .body
            .contains("appear when address and key are entered"),
        "{before:?}"
    );
    scene.registered().await;
    let list = scene.post("managers", &[]).await;
    for words in [
        "Петрова Анна",
        "&lt;Ильин&gt; Борис",
        "150 (Hanna, free)",
        "151 (Борис, free)",
        "152 (free)",
    ] {
        assert!(list.body.contains(words), "{words}: {list:?}");
    }

    scene.give("16", "150").await;
    scene.give("17", "151").await;
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 16), ("151".into(), 17)]
    );
    let moved = scene.give("18", "150").await;
    assert!(
        moved
            .body
            .contains("Extension 150 was taken from Петрова Анна")
            && moved.body.contains("150 (Соколова Вера)"),
        "{moved:?}"
    );
    assert_eq!(
        scene.held().await,
        json!({"16": null, "17": "151", "18": "150"})
    );
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 18), ("151".into(), 17)]
    );

    // What is none, or not this enterprise's, is refused; so is what the CRM does not take, and then nothing is changed.
    assert_eq!(scene.give("16", "250").await.status, 400);
    assert_eq!(scene.give("anna", "150").await.status, 400);
    scene.crm.state.behave(
        Behaviour::status(500)
            .at("integration-modules/edit")
            .times(1),
    );
    let failed = scene.give("16", "152").await;
    assert!(
        failed
            .body
            .contains("Not saved, neither here nor in RetailCRM"),
        "{failed:?}"
    );
    assert_eq!(
        scene.held().await,
        json!({"16": null, "17": "151", "18": "150"})
    );
    let (event, status, _) = scene.last_line().await;
    assert_eq!(
        (event.as_str(), status.as_str()),
        ("save_extensions", "error")
    );

    // A user the CRM does not know is said so.
    let unknown = scene
        .json(Method::POST, "save-extensions/0367", json!({"999": "152"}))
        .await;
    assert!(
        unknown.body.contains("the CRM knows no user 999"),
        "{unknown:?}"
    );
    let (event, status, said) = scene.last_line().await;
    assert_eq!(
        (event.as_str(), status.as_str()),
        ("save_extensions", "success")
    );
    assert!(said.contains("knows no user 999"), "{said}");

    // A manager's status is kept and shown.
    let change = StatusChange {
        user_id: 17,
        status: "dinner".into(),
        ..StatusChange::default()
    };
    let client_id = scene.account().modules()[0].body["clientId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = format!(
        "/retailcrm/status?clientId={client_id}&userId={}&status={}",
        change.user_id, change.status
    );
    assert_eq!(
        scene.door.get(&Browser::default(), &path, &[]).await.status,
        200
    );
    assert!(scene.post("managers", &[]).await.body.contains("at lunch"));
    let live = scene.door.page(&scene.admin, "/live/managers").await;
    assert!(
        live.body.contains("Борис") && live.body.contains("at lunch"),
        "{live:?}"
    );
    let other = scene.door.log_in("admin-0401").await;
    let live = scene.door.page(&other, "/live/managers").await;
    assert!(
        live.status == 200 && !live.body.contains("at lunch"),
        "{live:?}"
    );
    scene.close().await;
}

#[actix_web::test]
async fn what_cannot_be_saved_here_is_taken_back_there() {
    let scene = Scene::new().await;
    scene.registered().await;
    scene.give("16", "150").await;
    // The database takes log lines, but no change of an enterprise.
    let sabotage = "CREATE TRIGGER no_change BEFORE UPDATE ON enterprises BEGIN SELECT RAISE(ABORT, 'no'); END";
    scene
        .door
        .store
        .write(move |conn| {
            testing::execute(conn, sabotage);
            Ok(())
        })
        .await
        .expect("a trigger");
    let failed = scene.give("17", "150").await;
    assert!(failed.status >= 500, "{failed:?}");
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 16)],
        "the CRM has what it had"
    );
    assert_eq!(scene.held().await, json!({"16": "150"}));
    let (event, _, words) = scene.last_line().await;
    assert_eq!(
        (event.as_str(), words.as_str()),
        ("save_extensions", "put back")
    );
    let again = scene.register("****4567", &[]).await;
    assert!(
        again.status == 503
            && again
                .body
                .contains("could not be saved here: register again"),
        "{again:?}"
    );
    scene.close().await;
}

#[actix_web::test]
async fn both_sides_are_kept_in_step_and_ours_wins() {
    let scene = Scene::new().await;
    // Somebody registered this module before, with extensions: they are taken over once.
    let seeded = json!({
        "code": "older-bridge", "name": "x", "clientId": "x", "baseUrl": "http://x.example", "logo": "http://x.example/x.svg",
        "integrations": {"telephony": {"additionalCodes": [{"userId": 16, "code": "150"}, {"userId": 17, "code": "151"}]}},
    });
    edit(&scene, &seeded).await;
    let code = [("module_code", "older-bridge")];
    let answer = scene.register("demo-key-1234567", &code).await;
    assert!(
        answer.body.contains("Registered in RetailCRM"),
        "{answer:?}"
    );
    assert_eq!(scene.held().await, json!({"16": "150", "17": "151"}));

    // Then somebody changes them there: ours wins, and the log has the difference.
    let mut theirs = scene.account().modules()[0].body.clone();
    theirs["integrations"]["telephony"]["additionalCodes"] = json!([{"userId": 16, "code": "152"}]);
    edit(&scene, &theirs).await;
    let list = scene.post("managers", &[]).await;
    assert!(
        list.body.contains("RetailCRM held other extensions"),
        "{list:?}"
    );
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 16), ("151".into(), 17)]
    );
    let (event, _, words) = scene.last_line().await;
    assert_eq!(event, "sync_extensions");
    assert!(
        words.contains("user 16: 150 here, 152 in the CRM; user 17: 151 here, none in the CRM"),
        "{words}"
    );
    let lines = scene.log().await.len();
    let list = scene.post("managers", &[]).await;
    assert!(!list.body.contains("RetailCRM held other"), "{list:?}");
    assert_eq!(
        scene.log().await.len(),
        lines,
        "nothing differs, nothing is told"
    );

    // The CRM takes a change and its answer is lost: nothing is changed here, and the next look puts it right there.
    let lost = Behaviour::status(500)
        .at("integration-modules/edit")
        .times(1)
        .after();
    scene.crm.state.behave(lost);
    let answer = scene.give("18", "150").await;
    assert!(answer.body.contains("Not saved"), "{answer:?}");
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 18), ("151".into(), 17)]
    );
    assert_eq!(scene.held().await, json!({"16": "150", "17": "151"}));
    let list = scene.post("managers", &[]).await;
    assert!(
        list.body.contains("RetailCRM held other extensions"),
        "{list:?}"
    );
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 16), ("151".into(), 17)]
    );

    // The CRM away: words, and the way to ask again.
    scene
        .crm
        .state
        .behave(Behaviour::status(500).at("users").times(1));
    let away = scene.post("managers", &[]).await;
    assert!(
        away.body.contains("does not tell its managers") && away.body.contains("Ask again"),
        "{away:?}"
    );
    scene.close().await;
}

/// Somebody edits the module past us.
async fn edit(scene: &Scene, module: &Value) {
    let code = module["code"].as_str().expect("a code");
    let request = client()
        .post(format!(
            "{}/api/v5/integration-modules/{code}/edit",
            scene.crm.base_url
        ))
        .insert_header(("X-API-KEY", "demo-key-1234567"));
    let answer = read(
        request
            .send_form(&[("integrationModule", module.to_string())])
            .await,
    )
    .await;
    assert!([200, 201].contains(&answer.status), "{answer:?}");
}
