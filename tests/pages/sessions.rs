//! Login, logout, and what a session is. Who gets what of each route is in `policy`.

use actors::store::audit;

use crate::door::{Browser, Door, PASSWORD};

#[actix_web::test]
async fn the_stream_is_closed_to_strangers_and_operators() {
    let door = Door::open("").await;
    assert_eq!(
        door.get(&Browser::default(), "/live/stream", &[])
            .await
            .status,
        401
    );
    let operator = door.log_in("operator-0367").await;
    assert_eq!(door.get(&operator, "/live/stream", &[]).await.status, 403);
    door.close().await;
}

#[actix_web::test]
async fn a_session_begins_with_the_password_and_ends_with_logout() {
    let door = Door::open("").await;
    let nobody = Browser::default();
    let wrong = door
        .post(
            &nobody,
            "/login",
            &[("login", "superadmin"), ("password", "wrong")],
        )
        .await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.header("set-cookie"), "");
    let unknown = door
        .post(
            &nobody,
            "/login",
            &[("login", "nobody"), ("password", PASSWORD)],
        )
        .await;
    assert_eq!(unknown.status, 401);

    let fields = [
        ("login", "superadmin"),
        ("password", PASSWORD),
        ("next", "//evil.example"),
    ];
    let right = door.post(&nobody, "/login", &fields).await;
    assert_eq!((right.status, right.header("location")), (303, "/"));
    let cookie = right.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Lax")
            && !cookie.contains("Secure"),
        "{cookie}"
    );

    let browser = door.log_in("superadmin").await;
    assert_eq!(door.page(&browser, "/system").await.status, 200);
    assert_eq!(
        door.post(&browser, "/logout", &[("csrf", "made up")])
            .await
            .status,
        403
    );
    assert_eq!(
        door.post(&browser, "/logout", &[("csrf", &browser.csrf)])
            .await
            .status,
        303
    );
    assert_eq!(
        door.page(&browser, "/system").await.header("location"),
        "/login?next=/system"
    );
    door.close().await;
}

#[actix_web::test]
async fn a_new_password_ends_the_other_sessions() {
    let door = Door::open("").await;
    let (here, elsewhere) = (
        door.log_in("operator-0367").await,
        door.log_in("operator-0367").await,
    );
    let with = |old: &'static str, new: &'static str| {
        [
            ("csrf", here.csrf.clone()),
            ("old", old.into()),
            ("new", new.into()),
            ("again", new.into()),
        ]
    };
    for (fields, words) in [
        (with(PASSWORD, "short"), "at least"),
        (with("wrong", "quite long enough"), "not right"),
        (with(PASSWORD, "quite long enough"), "is changed"),
    ] {
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = door.post(&here, "/account/password?lang=en", &fields).await;
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
    }
    assert_eq!(door.page(&here, "/account").await.status, 200);
    assert_eq!(
        door.page(&elsewhere, "/account").await.status,
        303,
        "logged out"
    );
    door.close().await;
}

#[actix_web::test]
async fn nobody_ends_another_ones_session() {
    let door = Door::open("").await;
    let (mine, other) = (
        door.log_in("admin-0367").await,
        door.log_in("supervisor-0367").await,
    );
    for id in 1..5 {
        let fields = [("csrf", other.csrf.as_str())];
        door.post(&other, &format!("/account/sessions/{id}/end"), &fields)
            .await;
    }
    assert_eq!(
        door.page(&mine, "/account").await.status,
        200,
        "still logged in"
    );
    door.close().await;
}

#[actix_web::test]
async fn over_tls_the_cookie_is_secure_and_the_browser_told_so() {
    let door = Door::open_at("https://pb.example", "").await;
    let answer = door
        .post(
            &Browser::default(),
            "/login",
            &[("login", "superadmin"), ("password", PASSWORD)],
        )
        .await;
    assert!(answer.header("set-cookie").contains("Secure"), "{answer:?}");
    assert!(
        answer
            .header("strict-transport-security")
            .contains("max-age")
    );
    door.close().await;
}

#[actix_web::test]
async fn guessing_is_slowed_down() {
    let door = Door::open("[session]\nattempts_per_name = 3").await;
    let fields = [("login", "superadmin"), ("password", "a guess")];
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(
            door.post(&Browser::default(), "/login", &fields)
                .await
                .status,
        );
    }
    assert_eq!(statuses, [401, 401, 401, 429]);
    let right = door
        .post(
            &Browser::default(),
            "/login",
            &[("login", "superadmin"), ("password", PASSWORD)],
        )
        .await;
    assert_eq!(
        right.status, 429,
        "the right password does not help while it lasts"
    );
    door.close().await;
}

#[actix_web::test]
async fn machines_come_with_a_key_or_from_this_host() {
    let door = Door::open("[api]\nkeys = [\"0123456789abcdef\"]").await;
    let nobody = Browser::default();
    for path in ["/stats", "/metrics"] {
        assert_eq!(
            door.get(&nobody, path, &[]).await.status,
            200,
            "{path} from loopback"
        );
        let proxied = [("X-Forwarded-For", "203.0.113.9")];
        assert_eq!(
            door.get(&nobody, path, &proxied).await.status,
            401,
            "{path} through a proxy"
        );
        let with_key = [
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Api-Key", "0123456789abcdef"),
        ];
        assert_eq!(
            door.get(&nobody, path, &with_key).await.status,
            200,
            "{path} with a key"
        );
    }
    let key = [("Authorization", "Bearer 0123456789abcdef")];
    assert_eq!(door.get(&nobody, "/api/calls", &key).await.status, 200);
    assert_eq!(
        door.get(&nobody, "/system", &key).await.status,
        401,
        "a key opens no pages"
    );
    assert_eq!(
        door.get(&nobody, "/api/calls", &[]).await.status,
        401,
        "loopback alone reads no calls"
    );
    door.close().await;
}

#[actix_web::test]
async fn every_page_speaks_the_language_that_was_chosen() {
    let door = Door::open("").await;
    let nobody = Browser::default();
    let html = ("Accept", "text/html");
    let english = door
        .get(
            &nobody,
            "/login",
            &[html, ("Accept-Language", "en-GB,en;q=0.9")],
        )
        .await;
    assert!(english.body.contains("<html lang=\"en\">") && english.body.contains("Password"));
    let default = door
        .get(&nobody, "/login", &[html, ("Accept-Language", "de")])
        .await;
    assert!(default.body.contains("<html lang=\"ru\">") && default.body.contains("Пароль"));
    let chosen = door.get(&nobody, "/login?lang=en", &[html]).await;
    assert!(
        chosen.body.contains("<html lang=\"en\">")
            && chosen.header("set-cookie").starts_with("lang=en")
    );
    door.close().await;
}

#[actix_web::test]
async fn pages_forbid_what_they_do_not_use() {
    let door = Door::open("").await;
    let answer = door.page(&Browser::default(), "/login").await;
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        !answer.body.contains("<script>")
            && !answer.body.contains(" style=\"")
            && !answer.body.contains(" onclick=")
    );
    for (_, address) in answer
        .body
        .match_indices("/static/")
        .map(|(at, _)| (at, answer.body[at..].split('"').next().unwrap_or_default()))
    {
        let file = door.get(&Browser::default(), address, &[]).await;
        assert_eq!(file.status, 200, "{address}");
        assert!(
            file.header("cache-control").contains("immutable"),
            "{address}"
        );
    }
    let escape = door
        .get(&Browser::default(), "/static/../Cargo.toml", &[])
        .await;
    assert_ne!(escape.status, 200);
    door.close().await;
}

#[actix_web::test]
async fn who_comes_and_goes_is_noted() {
    let door = Door::open("").await;
    let browser = door.log_in("admin-0367").await;
    door.post(&browser, "/logout", &[("csrf", &browser.csrf)])
        .await;
    let wrong = [("login", "admin-0367"), ("password", "not this one")];
    door.post(&Browser::default(), "/login", &wrong).await;
    let mut rows = door
        .store
        .read(|conn| audit::page(conn, None, 0, 10))
        .await
        .expect("the audit");
    rows.reverse();
    let noted: Vec<_> = rows
        .iter()
        .map(|row| (row.who.as_str(), row.action.as_str(), row.what.as_str()))
        .collect();
    let address = r#"{"address":"127.0.0.1"}"#;
    assert_eq!(
        noted,
        [
            ("admin-0367", "login", address),
            ("admin-0367", "logout", address)
        ]
    );
    assert!(
        rows.iter()
            .all(|row| row.enterprise.is_some() && row.user.is_some())
    );
    door.close().await;
}

#[actix_web::test]
async fn a_session_that_ended_under_an_open_page_leads_to_login_and_back_to_that_page() {
    let door = Door::open("").await;
    let browser = door.log_in("admin-0367").await;
    let csrf = [("csrf", browser.csrf.as_str())];
    assert_eq!(door.post(&browser, "/logout", &csrf).await.status, 303);
    let shown = "http://patchbay.example/calls?find=29&page=2";
    let piece = [
        ("HX-Request", "true"),
        ("HX-Current-URL", shown),
        ("Accept", "text/html"),
    ];
    let answer = door
        .get(&browser, "/enterprise/0367/telegram/chats", &piece)
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("hx-redirect"),
        "/login?next=/calls%3Ffind%3D29%26page%3D2"
    );
    assert_eq!(answer.body, "", "no login page inside of a card");
    door.close().await;
}

#[actix_web::test]
async fn what_cannot_be_read_is_refused_as_a_page_in_the_readers_language() {
    let door = Door::open("").await;
    let root = door.log_in("superadmin").await;
    for (path, status) in [("/calls?page=first", 400), ("/calls/first", 404)] {
        let at = format!(
            "{path}{}lang=ru",
            if path.contains('?') { '&' } else { '?' }
        );
        let answer = door.page(&root, &at).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains("На главную"), "{path}: {answer:?}");
    }
    door.close().await;
}
