//! The emulator's page: every pattern comes to what it says, and nobody plays another enterprise's calls.

use std::time::{Duration, Instant};

use crate::door::{Answer, Browser, Door};

async fn begin(door: &Door, browser: &Browser, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![
        ("csrf", browser.csrf.as_str()),
        ("enterprise", "0367"),
        ("pattern", "incoming-answered"),
        ("phone", "375291234567"),
        ("extensions", "150, 151 152"),
        ("line", "0001367"),
        ("ring", "1"),
        ("talk", "3"),
        ("speed", "100"),
    ];
    for (name, value) in more {
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
    }
    door.post(browser, "/test-interface/runs", &fields).await
}

/// The address under which a run is followed.
fn address(piece: &Answer) -> String {
    let at = piece
        .body
        .find("/test-interface/runs/")
        .expect("a run that goes on");
    piece.body[at..]
        .split('"')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Follows a run until everything was sent.
async fn finish(door: &Door, browser: &Browser, piece: Answer) -> Answer {
    let path = address(&piece);
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let piece = door.page(browser, &path).await;
        assert_eq!(piece.status, 200, "{piece:?}");
        if !piece.body.contains("hx-get") {
            return piece;
        }
        assert!(Instant::now() < end, "never done: {}", piece.body);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix_web::test]
async fn every_pattern_is_sent_taken_and_comes_to_what_it_says() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    for (pattern, result) in [
        ("incoming-answered", "Answered"),
        ("incoming-missed", "Missed"),
        ("incoming-busy", "Busy"),
        ("ring-group", "Answered"),
        ("incoming-transfer", "Answered"),
        ("outgoing-answered", "Answered"),
        ("outgoing-not-answered", "Missed"),
        ("internal", "Answered"),
        ("hangup-without-dial", "Missed"),
        ("out-of-order", "Answered"),
        ("duplicated", "Answered"),
    ] {
        let piece = begin(&door, &admin, &[("pattern", pattern)]).await;
        assert_eq!(piece.status, 200, "{pattern}: {piece:?}");
        let done = finish(&door, &admin, piece).await.body;
        assert!(
            !done.contains("log-error"),
            "{pattern}: every event is taken\n{done}"
        );
        let word = format!("result-{}", result.to_lowercase());
        assert!(done.contains(&word), "{pattern} comes to {result}\n{done}");
        assert!(!done.contains("token-of-0367"), "no token is shown");
        let at = done
            .find("href=\"/calls/")
            .expect("a link to the call's page")
            + 6;
        let link = done[at..].split('"').next().unwrap_or_default();
        assert_eq!(door.page(&admin, link).await.status, 200, "{link}");
    }
    let calls = door.get(&admin, "/api/calls", &[]).await.json();
    assert_eq!(
        calls["calls"].as_array().map(Vec::len),
        Some(11),
        "each pattern is one call"
    );
    door.close().await;
}

#[actix_web::test]
async fn an_administrator_plays_the_own_enterprise_s_calls_only() {
    let door = Door::open("").await;
    let (admin, stranger) = (
        door.log_in("admin-0367").await,
        door.log_in("admin-0401").await,
    );
    let page = door.page(&stranger, "/test-interface").await;
    assert!(
        page.status == 200 && !page.body.contains("0367"),
        "no other enterprise is named"
    );

    // Another's is not there; who names none plays the own one.
    let another = begin(&door, &stranger, &[("enterprise", "0367")]).await;
    assert_eq!(another.status, 404, "{another:?}");
    let piece = begin(&door, &stranger, &[("enterprise", "")]).await;
    let path = address(&piece);
    finish(&door, &stranger, piece).await;
    assert_eq!(door.page(&admin, &path).await.status, 404);
    let calls = door.get(&admin, "/api/calls", &[]).await.json();
    assert_eq!(calls["calls"].as_array().map(Vec::len), Some(0));

    let superadmin = door.log_in("superadmin").await;
    let piece = begin(&door, &superadmin, &[]).await;
    finish(&door, &superadmin, piece).await;
    let calls = door.get(&admin, "/api/calls", &[]).await.json();
    assert_eq!(
        calls["calls"].as_array().map(Vec::len),
        Some(1),
        "a superadmin plays any"
    );
    for login in ["supervisor-0367", "operator-0367"] {
        let browser = door.log_in(login).await;
        assert_eq!(
            door.page(&browser, "/test-interface").await.status,
            403,
            "{login}"
        );
        assert_eq!(begin(&door, &browser, &[]).await.status, 403, "{login}");
    }
    door.close().await;
}

#[actix_web::test]
async fn what_cannot_be_played_is_refused_with_words() {
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let long = "1".repeat(81);
    for (name, value) in [
        ("pattern", "bogus"),
        ("extensions", ""),
        ("speed", "0"),
        ("speed", "NaN"),
        ("ring", "-1"),
        ("talk", "99999"),
        ("seed", "x"),
        ("phone", long.as_str()),
        ("csrf", "wrong"),
    ] {
        let answer = begin(&door, &admin, &[(name, value)]).await;
        let wanted = if name == "csrf" { 403 } else { 400 };
        assert_eq!(answer.status, wanted, "{name}={value}: {answer:?}");
    }
    let missing = "/test-interface/runs/00000000-0000-0000-0000-000000000000";
    assert_eq!(door.page(&admin, missing).await.status, 404);
    door.close().await;
}
