//! The module as JSON, and what it says of bodies it cannot use.

use super::*;

#[actix_web::test]
async fn the_api_says_in_words_what_it_cannot_use() {
    let scene = Scene::new().await;
    let json_type = "application/json";
    let form_type = "application/x-www-form-urlencoded";
    for (method, path) in [
        (Method::PUT, "config/0367"),
        (Method::POST, "save-extensions/0367"),
    ] {
        for (kind, body, words) in [
            (json_type, "", "the body is empty"),
            (form_type, "", "the body is empty"),
            (json_type, "{}", "the body is empty"),
            (json_type, "{\"domain\":", "no JSON object"),
            (json_type, "[]", "no JSON object"),
            (form_type, "nonsense", "neither JSON nor a form"),
        ] {
            let answer = scene.api(method.clone(), path, kind, body).await;
            assert!(
                answer.status == 400 && answer.body.contains(words),
                "{path} {body:?}: {answer:?}"
            );
        }
    }
    for path in ["register/0367", "test/0367", "sync-extensions/0367"] {
        let answer = scene.api(Method::POST, path, json_type, "").await;
        assert_eq!(answer.status, 400, "{path}, nothing is stored: {answer:?}");
        let broken = scene.api(Method::POST, path, json_type, "{").await;
        assert_eq!(broken.status, 400, "{path}: {broken:?}");
    }
    let managers = format!("{API}/managers/0367");
    assert_eq!(
        scene.door.get(&scene.admin, &managers, &[]).await.status,
        404
    );

    // The same as JSON and as a form.
    let base = scene.crm.base_url.clone();
    let tested = scene
        .json(
            Method::POST,
            "test/0367",
            json!({"domain": base, "api_key": "wrong-wrong-wrong"}),
        )
        .await;
    assert!(
        tested.status == 200 && tested.json()["success"] == false,
        "{tested:?}"
    );
    let saved = scene
        .json(
            Method::PUT,
            "config/0367",
            json!({"domain": base, "api_key": "demo-key-1234567"}),
        )
        .await;
    assert_eq!(saved.json()["config"]["api_key"], "****4567", "{saved:?}");
    let saved = scene
        .api(
            Method::PUT,
            "config/0367",
            form_type,
            "send_upload=0&api_key=%2A%2A%2A%2A4567",
        )
        .await;
    assert_eq!(saved.json()["config"]["send_upload"], false, "{saved:?}");
    let registered = scene
        .api(Method::POST, "register/0367", json_type, "")
        .await;
    assert!(
        registered.status == 200 && registered.json()["success"] == true,
        "{registered:?}"
    );
    let given = scene
        .api(
            Method::POST,
            "save-extensions/0367",
            form_type,
            "16=150&17=",
        )
        .await;
    assert!(
        given.status == 200 && given.json()["told_crm"] == true,
        "{given:?}"
    );
    let given = scene
        .json(
            Method::POST,
            "save-extensions/0367",
            json!({"user_extensions": {"17": "150", "18": "151"}}),
        )
        .await;
    assert_eq!(
        given.json()["moved"],
        json!([{"extension": "150", "from": "16", "to": "17"}])
    );
    for (told, words) in [
        (json!({"16": "151", "17": "151"}), "is given to two users"),
        (json!({"16": "777"}), "has no extension 777"),
        (json!({"user_extensions": []}), "user_extensions"),
    ] {
        let answer = scene.json(Method::POST, "save-extensions/0367", told).await;
        assert!(
            answer.status == 400 && answer.body.contains(words),
            "{words}: {answer:?}"
        );
    }
    let list = scene.door.get(&scene.admin, &managers, &[]).await.json();
    let of: Vec<_> = list["managers"]
        .as_array()
        .expect("managers")
        .iter()
        .map(|one| (one["id"].clone(), one["extension"].clone()))
        .collect();
    assert_eq!(
        of,
        [
            (json!("17"), json!("150")),
            (json!("16"), Value::Null),
            (json!("18"), json!("151"))
        ]
    );
    let phones = scene
        .door
        .get(&scene.admin, &format!("{API}/internal-phones/0367"), &[])
        .await
        .json();
    assert_eq!(
        phones["internal_phones"][2],
        json!({"phone": "152", "name": "", "user_id": null, "free": true})
    );
    let synced = scene
        .api(Method::POST, "sync-extensions/0367", json_type, "")
        .await
        .json();
    assert_eq!(
        (&synced["differences"], &synced["taken_over"]),
        (&json!([]), &json!(false))
    );
    for method in [Method::GET, Method::POST] {
        let active = scene
            .api(
                method.clone(),
                "config-cache/active-enterprises",
                json_type,
                "",
            )
            .await
            .json();
        assert_eq!(
            active,
            json!({"count": 1, "enterprises": [{"enterprise_number": "0367", "name": "june"}]})
        );
        for path in ["config-cache/refresh/0367", "config-cache/refresh-all"] {
            let answer = scene.api(method.clone(), path, json_type, "").await;
            assert!(
                answer.status == 200 && answer.json()["success"] == true,
                "{path}: {answer:?}"
            );
        }
    }
    // The CRM's no is a no of the API.
    scene.account().revoke_key("demo-key-1234567");
    let refused = scene
        .json(Method::POST, "save-extensions/0367", json!({"16": "152"}))
        .await;
    assert!(
        refused.status == 502 && refused.body.contains("Wrong"),
        "{refused:?}"
    );
    let gone = scene
        .api(Method::DELETE, "config/0367?anyway=1", json_type, "")
        .await;
    assert_eq!(gone.status, 200, "{gone:?}");
    scene.close().await;
}
