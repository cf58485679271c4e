//! The rules of each method: events, uploads, modules, people.

use serde_json::{Value, json};

use super::*;

#[actix_web::test]
async fn events_are_checked() {
    let crm = crm().await;
    let hangup = || with(event(), "/type", json!("hangup"));
    let refused = [
        ("type", with(event(), "/type", json!("answered"))),
        ("type", with(event(), "/type", Value::Null)),
        ("phone", with(event(), "/phone", Value::Null)),
        ("phone", with(event(), "/phone", json!(" "))),
        ("phone", with(event(), "/phone", json!(375))),
        ("codes", with(event(), "/codes", json!([150]))),
        ("codes", with(event(), "/codes", json!("150"))),
        ("userIds", with(event(), "/userIds", json!(["x"]))),
        ("hangupStatus", hangup()),
        (
            "hangupStatus",
            with(hangup(), "/hangupStatus", json!("no answer")),
        ),
        (
            "hangupStatus",
            with(hangup(), "/hangupStatus", json!("missed")),
        ),
    ];
    let count = refused.len() as u64;
    for (field, sent) in refused {
        let (status, body) = post(&crm, EVENT, "event", &sent).await;
        assert_eq!((status, &body["success"]), (400, &json!(false)), "{sent}");
        assert!(body["errors"][field].is_string(), "{sent} {body}");
    }
    assert_eq!(crm.state.refused(), count);
    for status in ["answered", "busy", "cancel", "failed", "no answered"] {
        let sent = with(hangup(), "/hangupStatus", json!(status));
        assert_eq!(
            post(&crm, EVENT, "event", &sent).await,
            (200, json!({"success": true}))
        );
    }
    let sent = with(
        with(event(), "/codes", json!(["150", "999"])),
        "/userIds",
        json!([16, 77]),
    );
    let answer = json!({"success": true, "notExistCodes": ["999"], "notExistUsers": [77]});
    assert_eq!(post(&crm, EVENT, "event", &sent).await, (200, answer));
    assert_eq!(crm.state.refused(), count);
}

#[actix_web::test]
async fn cards_open_and_close_per_manager() {
    let crm = crm().await;
    let account = crm.state.root_account().unwrap();
    post(&crm, EVENT, "event", &event()).await;
    post(&crm, EVENT, "event", &event()).await;
    let cards = account.cards();
    assert_eq!(
        cards
            .iter()
            .map(|card| card.code.as_deref().unwrap())
            .collect::<Vec<_>>(),
        ["150", "151"]
    );
    assert_eq!(cards[0].client.as_deref(), Some("Иван Сидоров"));
    assert_eq!(cards[0].repeats, 1);
    let hangup = |codes: Value| {
        json!({"phone": "+375296254070", "type": "hangup", "codes": codes, "callExternalId": "1.1",
            "hangupStatus": "answered"})
    };
    post(&crm, EVENT, "event", &hangup(json!(["151"]))).await;
    let closed = || {
        account
            .cards()
            .iter()
            .map(|card| card.closed.is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!(closed(), [false, true]);
    post(&crm, EVENT, "event", &hangup(json!([]))).await;
    assert_eq!(closed(), [true, true]);
    assert_eq!(account.cards()[0].hangup.as_deref(), Some("answered"));
}

#[actix_web::test]
async fn uploads_are_checked_and_deduplicated() {
    let crm = crm().await;
    let refused = [
        ("date", with(call(), "/date", json!("2026-03-01T14:05:09"))),
        ("date", with(call(), "/date", json!("2026-13-01 14:05:09"))),
        ("date", with(call(), "/date", json!("2026-3-1 4:5:9"))),
        ("date", with(call(), "/date", Value::Null)),
        ("type", with(call(), "/type", json!("hangup"))),
        ("phone", with(call(), "/phone", json!(""))),
        ("result", with(call(), "/result", json!("no answered"))),
        ("result", with(call(), "/result", json!("missed"))),
        ("externalId", with(call(), "/externalId", Value::Null)),
        ("duration", with(call(), "/duration", json!(1.5))),
        ("recordUrl", with(call(), "/recordUrl", json!("/rec/1"))),
        ("code", with(call(), "/code", json!(150))),
    ];
    for (field, sent) in refused {
        let (status, body) = post(&crm, UPLOAD, "calls", &json!([sent])).await;
        assert_eq!(status, 400, "{sent}");
        assert!(
            body["errors"][format!("[0].{field}")].is_string(),
            "{sent} {body}"
        );
    }
    assert_eq!(post(&crm, UPLOAD, "calls", &call()).await.0, 400);
    let many = |count: usize| -> Value {
        (0..count)
            .map(|index| with(call(), "/externalId", json!(format!("many.{index}"))))
            .collect()
    };
    assert_eq!(post(&crm, UPLOAD, "calls", &many(51)).await.0, 400);
    let account = crm.state.root_account().unwrap();
    assert_eq!(account.call_count(), 0);
    assert_eq!(
        post(&crm, UPLOAD, "calls", &many(50)).await.1["processedCallsCount"],
        50
    );
    for result in [
        "answered",
        "busy",
        "failed",
        "no answer",
        "not allowed",
        "unknown",
    ] {
        let sent = with(
            with(call(), "/result", json!(result)),
            "/externalId",
            json!(result),
        );
        assert_eq!(
            post(&crm, UPLOAD, "calls", &json!([sent])).await.0,
            200,
            "{result}"
        );
    }
    let both = json!([call(), with(call(), "/externalId", json!("1.2")), call()]);
    let (_, body) = post(&crm, UPLOAD, "calls", &both).await;
    assert_eq!(
        body,
        json!({"success": true, "processedCallsCount": 2, "duplicateCalls": ["1.1"]})
    );
    let (_, body) = post(&crm, UPLOAD, "calls", &json!([call()])).await;
    assert_eq!(
        body,
        json!({"success": true, "processedCallsCount": 0, "duplicateCalls": ["1.1"]})
    );
    let stored = account.calls();
    assert_eq!(account.call_count(), 58);
    let last = &stored[56];
    assert_eq!((last.external_id.as_str(), last.user_id), ("1.1", Some(16)));
    assert_eq!(
        last.record_url.as_deref(),
        Some("https://pbx.example/rec/1")
    );
}

#[actix_web::test]
async fn modules_are_checked_and_switch_telephony_on() {
    let settings = Settings {
        accounts: vec![NewAccount {
            telephony: false,
            ..NewAccount::demo()
        }],
        ..Settings::default()
    };
    let crm = start("127.0.0.1:0", settings.without_limits())
        .await
        .unwrap();
    let (status, body) = post(&crm, EVENT, "event", &event()).await;
    assert_eq!(
        (status, &body["errorMsg"]),
        (400, &json!("Telephony not enabled"))
    );
    let (_, body) = post(&crm, UPLOAD, "calls", &json!([call()])).await;
    assert_eq!(
        body["errorMsg"],
        "Telephony not enabled or not supports calls upload"
    );
    let telephony = "/integrations/telephony";
    let refused = [
        ("code", with(module(), "/code", json!("other"))),
        ("code", with(module(), "/integrationCode", json!("bcme"))),
        ("name", with(module(), "/name", json!(""))),
        ("clientId", with(module(), "/clientId", Value::Null)),
        ("baseUrl", with(module(), "/baseUrl", Value::Null)),
        ("baseUrl", with(module(), "/baseUrl", json!("pbx"))),
        (
            "logo",
            with(module(), "/logo", json!("https://pbx.example/logo.png")),
        ),
        ("actions", with(module(), "/actions", json!({"call": "/x"}))),
        (
            "integrations.telephony.makeCallUrl",
            with(module(), &format!("{telephony}/makeCallUrl"), json!("x")),
        ),
        (
            "integrations.telephony.allowEdit",
            with(module(), &format!("{telephony}/allowEdit"), json!("1")),
        ),
        (
            "integrations.telephony.additionalCodes",
            with(
                module(),
                &format!("{telephony}/additionalCodes"),
                json!([{"userId": 16, "code": 150}]),
            ),
        ),
    ];
    for (field, sent) in refused {
        let (status, body) = post(&crm, MODULE, "integrationModule", &sent).await;
        assert_eq!(status, 400, "{field}");
        assert!(body["errors"][field].is_string(), "{field} {body}");
    }
    assert_eq!(
        get(&crm, "/api/v5/integration-modules/acme-pbx").await.0,
        404
    );
    let answer = post(&crm, MODULE, "integrationModule", &module()).await;
    assert_eq!(answer, (201, json!({"success": true, "info": []})));
    let pairs = json!([{"userId": 16, "code": "160"}, {"userId": 999, "code": "170"}]);
    let sent = with(module(), &format!("{telephony}/additionalCodes"), pairs);
    let sites = json!([{"siteCode": "old-shop", "externalPhone": "+7"}]);
    let sent = with(sent, &format!("{telephony}/externalPhones"), sites);
    let info = json!({"notExistUsersIds": [999], "notExistSiteCodes": ["old-shop"]});
    let answer = post(&crm, MODULE, "integrationModule", &sent).await;
    assert_eq!(answer, (200, json!({"success": true, "info": info})));
    let (_, body) = get(&crm, "/api/v5/integration-modules/acme-pbx").await;
    assert_eq!(body["integrationModule"]["clientId"], Value::Null);
    assert_eq!(
        body["integrationModule"]["integrations"]["telephony"]["makeCallUrl"],
        "https://pbx.example/make-call"
    );
    let sent = with(event(), "/codes", json!(["160", "153"]));
    let (_, body) = post(&crm, EVENT, "event", &sent).await;
    assert_eq!(body, json!({"success": true, "notExistCodes": ["153"]}));
    post(
        &crm,
        MODULE,
        "integrationModule",
        &with(module(), "/active", json!(false)),
    )
    .await;
    assert_eq!(post(&crm, EVENT, "event", &event()).await.0, 400);
}

#[actix_web::test]
async fn people_are_found() {
    let crm = crm().await;
    let account = crm.state.root_account().unwrap();
    for id in 100..145 {
        account.put_user(User::new(id, "Имя", "Фамилия", None));
    }
    for limit in ["0", "10", "250", "x"] {
        let (status, body) = get(&crm, &format!("/api/v5/users?limit={limit}")).await;
        assert_eq!(
            (status, &body["errorMsg"]),
            (400, &json!("Errors in the input parameters")),
            "{limit}"
        );
    }
    assert_eq!(get(&crm, "/api/v5/users?filter[nothing]=1").await.0, 400);
    let (_, body) = get(&crm, "/api/v5/users?limit=20&page=3&filter[active]=1").await;
    assert_eq!(body["users"].as_array().unwrap().len(), 9);
    let pagination = json!({"limit": 20, "totalCount": 49, "currentPage": 3, "totalPageCount": 3});
    assert_eq!(body["pagination"], pagination);
    assert_eq!(
        get(&crm, "/api/v5/users/16").await.1["user"]["firstName"],
        "Анна"
    );
    assert_eq!(get(&crm, "/api/v5/users/1").await.0, 404);
    let (_, body) = get(&crm, "/api/v5/customers?filter[name]=375296254070").await;
    assert_eq!(body["customers"][0]["managerId"], 16);
    assert_eq!(
        body["customers"][0]["phones"],
        json!([{"number": "+375296254070"}])
    );
    assert_eq!(body["pagination"]["totalCount"], 1);
    let (_, body) = get(
        &crm,
        "/api/v5/telephony/manager?phone=375296254070&details=1",
    )
    .await;
    assert_eq!(
        (&body["manager"]["code"], &body["customer"]["id"]),
        (&json!("150"), &json!(60))
    );
    assert_eq!(get(&crm, "/api/v5/telephony/manager").await.0, 400);
    let (_, body) = get(&crm, "/api/v5/telephony/manager?phone=100").await;
    assert_eq!(body, json!({"success": true}));
    let url = format!("{}/api/v5/users/16/status", crm.base_url);
    let busy = Client::default()
        .post(url)
        .insert_header(("X-API-KEY", "demo-key"));
    assert_eq!(
        busy.send_form(&[("status", "busy")])
            .await
            .unwrap()
            .status(),
        200
    );
    let (_, body) = get(&crm, "/api/v5/telephony/manager?phone=375296254070").await;
    assert_eq!(body["manager"], Value::Null);
    let (_, body) = get(
        &crm,
        "/api/v5/telephony/manager?phone=375296254070&ignoreStatus=1",
    )
    .await;
    assert_eq!(body["manager"]["id"], 16);
}
