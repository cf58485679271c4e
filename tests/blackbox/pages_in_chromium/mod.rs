//! Pages as people see them, in a real browser: the live page moves without reloading, a call's page answers, in both
//! languages, on a phone, and by keyboard.

mod connecting;
mod crms;

use actors::store::testing::Kind;
use fantoccini::key::Key;
use serde_json::json;

use crate::browser::{Browser, play};
use crate::world::{JUNE, World, story};

#[test]
fn a_call_moves_through_its_states_without_reloading() {
    let world = World::on(Kind::Sqlite).start();
    let host = world.host(&JUNE);
    play(async {
        let browser = Browser::open(&world, "en", (1280, 900)).await;
        browser.log_in("supervisor@june").await;
        browser.go("/live").await;
        browser
            .until(
                "the page is connected",
                "return document.querySelector('#link').innerText.trim() === 'live'",
            )
            .await;
        browser.ask("window.neverReloaded = true").await;
        let story = story::answered("c1.1", "375296254070", &["150", "151"], "150");
        for ((event, body), state) in story.iter().zip(["ringing", "dialing", "talking", ""]) {
            assert_eq!(host.post(event, body).status, 200);
            if state.is_empty() {
                let over = "return document.querySelectorAll('#calls-live tr').length === 0 && document.querySelector('#calls-ended').innerText.includes('+375296254070')";
                browser.until("the call is among the ended", over).await;
            } else {
                let there = format!(
                    "const row = document.querySelector('#calls-live tr'); return !!row && row.dataset.phase === '{state}' && row.innerText.includes('+375296254070')"
                );
                browser.until(state, &there).await;
            }
        }
        assert_eq!(
            browser.ask("return window.neverReloaded === true").await,
            json!(true),
            "the page was reloaded"
        );
        browser.close().await;
    });
}

#[test]
fn a_calls_page_says_why_there_was_no_pop_up() {
    let world = World::on(Kind::Sqlite).start();
    world.host(&JUNE).tell(&story::internal("c2.1"));
    // As in life: the phones ring for a while, so the pop-up comes before the call is over.
    for (event, body) in &story::answered("c2.2", "375296254070", &["150"], "150") {
        assert_eq!(world.host(&JUNE).post(event, body).status, 200);
        world.settle();
    }
    play(async {
        let browser = Browser::open(&world, "en", (1280, 900)).await;
        browser.log_in("admin@june").await;
        for (call, language, words) in [
            ("c2.1", "en", "An internal call: CRMs are not told of these"),
            ("c2.1", "ru", "Внутренний звонок: о таких CRM не сообщается"),
            ("c2.2", "en", "The pop-up was delivered."),
        ] {
            let calls = world.person("root").get("/api/calls").json();
            let found = calls["calls"]
                .as_array()
                .expect("calls")
                .iter()
                .find(|row| row["unique_id"] == call)
                .expect("the call");
            browser
                .go(&format!(
                    "/calls/{}?lang={language}",
                    found["id"].as_str().expect("an id")
                ))
                .await;
            let popup = browser.find("#popup").await.text().await.expect("its text");
            assert!(popup.contains(words), "{call} in {language}: {popup}");
            assert_eq!(
                browser.ask("return document.documentElement.lang").await,
                json!(language)
            );
        }
        browser.close().await;
    });
}

#[test]
fn every_page_fits_a_phone() {
    let world = World::on(Kind::Sqlite).start();
    world.host(&JUNE).tell(&story::answered(
        "c3.1",
        "375296254070",
        &["150", "151", "152"],
        "150",
    ));
    world
        .host(&JUNE)
        .tell(&story::missed("c3.2", "375291112233", &["150"])[..2]);
    world.settle();
    play(async {
        let browser = Browser::open(&world, "ru", (390, 844)).await;
        browser.go("/login").await;
        fits(&browser, "/login").await;
        browser.log_in("root").await;
        let calls = world.person("root").get("/api/calls").json();
        let mut pages = vec![
            "/live".to_owned(),
            "/calls".to_owned(),
            "/system".to_owned(),
            "/test-interface".to_owned(),
            "/account".to_owned(),
            "/retailcrm-admin/?enterprise_number=0367".to_owned(),
        ];
        pages.push(format!(
            "/calls/{}",
            calls["calls"][0]["id"].as_str().expect("an id")
        ));
        for page in &pages {
            browser.go(page).await;
            fits(&browser, page).await;
        }
        browser.close().await;
    });
}

async fn fits(browser: &Browser, page: &str) {
    let width = browser
        .ask("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        .await;
    let (content, window) = (
        width[0].as_i64().unwrap_or(0),
        width[1].as_i64().unwrap_or(0),
    );
    assert!(
        content <= window + 1,
        "{page} is {content} px wide on a screen of {window}"
    );
    assert!(
        window > 0 && window <= 400,
        "{page}: the window is {window} px wide"
    );
}

#[test]
fn the_keyboard_is_enough() {
    let world = World::on(Kind::Sqlite).start();
    world
        .host(&JUNE)
        .tell(&story::missed("c4.1", "375296254070", &["150"])[..2]);
    play(async {
        let browser = Browser::open(&world, "en", (1280, 900)).await;
        browser.go("/login").await;
        let focused = "return document.activeElement.id || document.activeElement.className || document.activeElement.tagName";
        assert_eq!(
            browser.ask(focused).await,
            json!("login"),
            "the cursor waits in the first field"
        );
        let keys = format!(
            "supervisor@june{}correct horse battery{}",
            char::from(Key::Tab),
            char::from(Key::Enter)
        );
        browser
            .client
            .active_element()
            .await
            .expect("a field")
            .send_keys(&keys)
            .await
            .expect("typed");
        browser
            .until("the login is over", "return location.pathname !== '/login'")
            .await;
        browser.go("/live").await;
        browser
            .until(
                "the call is shown",
                "return document.querySelectorAll('#calls-live tr').length === 1",
            )
            .await;
        let tab = String::from(char::from(Key::Tab));
        let mut met = Vec::new();
        for _ in 0..30 {
            browser
                .client
                .active_element()
                .await
                .expect("an element")
                .send_keys(&tab)
                .await
                .expect("typed");
            let seen = browser
                .ask(
                    "const e = document.activeElement, s = getComputedStyle(e); \
                     return [e.getAttribute('href') || e.id || e.tagName, \
                             s.outlineStyle !== 'none' && s.outlineWidth !== '0px' || s.boxShadow !== 'none' || e.matches('.skip')]",
                )
                .await;
            let name = seen[0].as_str().unwrap_or_default().to_owned();
            if name == "BODY" {
                continue;
            }
            assert_eq!(
                seen[1],
                json!(true),
                "nobody sees that {name} has the focus"
            );
            met.push(name.clone());
            if name.starts_with("/calls/") {
                break;
            }
        }
        assert!(
            met.first().is_some_and(|name| name == "#main"),
            "the first stop skips to the content: {met:?}"
        );
        assert!(
            met.iter().any(|name| name.starts_with("/calls/")),
            "the call can be reached: {met:?}"
        );
        browser
            .client
            .active_element()
            .await
            .expect("the link")
            .send_keys(&String::from(char::from(Key::Enter)))
            .await
            .expect("typed");
        browser
            .until(
                "the call's page is open",
                "return location.pathname.startsWith('/calls/')",
            )
            .await;
        browser.close().await;
    });
}
