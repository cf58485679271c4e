//! One enterprise's calls on its pages, and nowhere else.

use serde_json::{Value, json};

use crate::door::{Browser, Door};

const HOSTILE: &str = "<script>alert(1)</script>";

/// A whole missed call of 0367; gives its id.
async fn missed_call(door: &Door) -> String {
    let unique = "1795194153.0";
    let common = json!({"UniqueId": unique, "Phone": "375291234567", "CallType": 0, "Trunk": "0001367", "CallerIDName": HOSTILE});
    let with = |more: Value| {
        let mut body = common.clone();
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    door.event("0367", "start", common.clone()).await;
    door.event("0367", "dial", with(json!({"Extensions": ["150", "151"]})))
        .await;
    door.event(
        "0367",
        "hangup",
        with(json!({"Extensions": ["150", "151"], "CallStatus": "0"})),
    )
    .await;
    let superadmin = door.log_in("superadmin").await;
    let calls = door.get(&superadmin, "/api/calls", &[]).await.json();
    calls["calls"][0]["id"]
        .as_str()
        .expect("an id as text")
        .to_owned()
}

#[actix_web::test]
async fn a_call_is_found_by_its_own_people_only() {
    let door = Door::open("").await;
    let id = missed_call(&door).await;
    let paths = [format!("/calls/{id}"), format!("/api/calls/{id}")];
    for (login, status) in [
        ("superadmin", 200),
        ("admin-0367", 200),
        ("supervisor-0367", 200),
        ("operator-0367", 200),
        ("admin-0401", 404),
        ("supervisor-0401", 404),
        ("operator-0401", 404),
    ] {
        let browser = door.log_in(login).await;
        for path in &paths {
            let answer = door.page(&browser, path).await;
            assert_eq!(answer.status, status, "{path} as {login}");
            assert_eq!(
                status == 200,
                answer.body.contains("375291234567"),
                "{path} as {login}"
            );
        }
        let list = door.get(&browser, "/api/calls", &[]).await.json();
        let seen = list["calls"].as_array().map_or(0, Vec::len);
        assert_eq!(seen, usize::from(status == 200), "the list as {login}");
    }
    // Naming another enterprise does not open it.
    let stranger = door.log_in("supervisor-0401").await;
    for path in [
        "/live?enterprise=0367",
        "/api/live?enterprise=0367",
        "/live/stream?enterprise=0367",
        "/calls?enterprise=0367",
    ] {
        assert_eq!(door.page(&stranger, path).await.status, 404, "{path}");
    }
    for id in ["0", "-1", "99999999999999999999", "x", "1e3"] {
        assert_eq!(
            door.page(&stranger, &format!("/calls/{id}")).await.status,
            404,
            "{id}"
        );
    }
    door.close().await;
}

#[actix_web::test]
async fn a_call_page_tells_why_there_was_no_popup_and_hides_the_token() {
    let door = Door::open("").await;
    let id = missed_call(&door).await;
    let browser = door.log_in("supervisor-0367").await;
    let page = door.page(&browser, &format!("/calls/{id}")).await;
    assert!(
        page.body.contains("No CRM is set up for this enterprise"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("token-of-0367"), "the token is masked");
    assert!(
        !page.body.contains(HOSTILE) && page.body.contains("&lt;script&gt;"),
        "a caller's name is text"
    );
    let told = door
        .get(&browser, &format!("/api/calls/{id}"), &[])
        .await
        .json();
    let marks: Vec<String> = told["popup"][0]["checks"]
        .as_array()
        .expect("a checklist")
        .iter()
        .map(|check| {
            format!(
                "{} {}",
                check["mark"].as_str().unwrap_or_default(),
                check["text"]["key"].as_str().unwrap_or_default()
            )
        })
        .collect();
    insta::assert_snapshot!(marks.join("\n"));
    let states: Vec<String> = told["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| {
            format!(
                "{}: entered {} change {}",
                event["event_type"], event["entered"], event["change"]
            )
        })
        .collect();
    insta::assert_snapshot!(states.join("\n"));
    door.close().await;
}

#[actix_web::test]
async fn the_journal_is_filtered() {
    let door = Door::open("").await;
    missed_call(&door).await;
    let browser = door.log_in("supervisor-0367").await;
    for (query, found) in [
        ("", 1),
        ("result=missed", 1),
        ("result=answered", 0),
        ("direction=in", 1),
        ("direction=out", 0),
        ("find=29123", 1),
        ("find=150", 1),
        ("find=152", 0),
        ("find=%25", 0),
        ("from=2000-01-01", 1),
        ("to=2000-01-01", 0),
        ("page=3", 0),
        ("page=-5", 1),
    ] {
        let list = door
            .get(&browser, &format!("/api/calls?{query}"), &[])
            .await
            .json();
        assert_eq!(
            list["calls"].as_array().map_or(99, Vec::len),
            found,
            "{query}"
        );
    }
    for query in ["from=yesterday", "result=won", "direction=up", "page=x"] {
        assert_eq!(
            door.get(&browser, &format!("/api/calls?{query}"), &[])
                .await
                .status,
            400,
            "{query}"
        );
    }
    door.close().await;
}

#[actix_web::test]
async fn health_tells_that_the_database_writes() {
    let door = Door::open("").await;
    let answer = door.get(&Browser::default(), "/health", &[]).await;
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (200, Some("ok"))
    );
    door.close().await;
}
