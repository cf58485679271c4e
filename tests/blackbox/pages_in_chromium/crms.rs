//! Each CRM connected by hand from the integrations dialog: wrong credentials and the words for them, right ones, who has
//! which extension, a made-up call, the card where a person of that CRM would see it. With `PATCHBAY_SHOTS` naming a
//! folder, what was on the screen is kept there, in both languages and on a phone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use simulators::{amocrm, bitrix24, moysklad, uon, webhook};

use super::connecting::{fill, press, ring, said};
use crate::browser::{Browser, play};
use crate::world::server::Server;
use crate::world::{PASSWORD, until_within};

const ENTERPRISE: &str = "0500";

/// One CRM, as this walk needs it.
struct Walk<'a> {
    kind: &'static str,
    /// Fields with what is wrong in them, and the words that are to be read then.
    wrong: &'a [(&'a str, &'a str)],
    words: &'a str,
    right: &'a [(&'a str, &'a str)],
    /// The user of the CRM who gets extension 150; `None` where nobody asks for one.
    user: Option<&'a str>,
    /// Whether the card of the made-up call is where it belongs.
    shown: &'a dyn Fn() -> bool,
}

#[test]
fn amocrm_is_connected_by_hand() {
    let crm = amocrm::start_in_thread("127.0.0.1:0", amocrm::Settings::default().without_limits())
        .expect("a simulator");
    walk(&Walk {
        kind: "amocrm",
        wrong: &[
            ("subdomain", &crm.base_url),
            ("access_token", "not-a-token-of-theirs"),
        ],
        words: "the token is wrong, expired or revoked",
        right: &[("subdomain", &crm.base_url), ("access_token", "demo-token")],
        user: Some("7654321"),
        shown: &|| {
            crm.state
                .popups()
                .iter()
                .any(|card| card.users == [7_654_321])
        },
    });
    assert_eq!(
        crm.state.notes().len(),
        1,
        "one call, one entry in the client's history"
    );
}

#[test]
fn bitrix24_is_connected_by_hand() {
    let settings = bitrix24::Settings {
        fetches: false,
        ..bitrix24::Settings::default().without_limits()
    };
    let crm = bitrix24::start_in_thread("127.0.0.1:0", settings).expect("a simulator");
    let wrong = format!("{}/rest/12/not-a-secret-of-theirs/", crm.base_url);
    let right = format!("{}{}", crm.base_url, crm.state.settings.webhook_path());
    walk(&Walk {
        kind: "bitrix24",
        wrong: &[("webhook_url", &wrong)],
        words: "the access is wrong or was revoked",
        right: &[("webhook_url", &right)],
        user: Some("34"),
        shown: &|| {
            let cards = crm.state.cards();
            cards.iter().any(|card| card.open && card.user == 34)
        },
    });
    let filed = until_within(Duration::from_secs(20), || {
        crm.state.finished().first().cloned()
    });
    assert_eq!(filed.map(|one| one.user), Some(34), "one call, taken by 34");
}

#[test]
fn moysklad_is_connected_by_hand() {
    let settings = moysklad::Settings::default().without_limits();
    let crm = moysklad::start_in_thread("127.0.0.1:0", settings).expect("a simulator");
    walk(&Walk {
        kind: "ms",
        wrong: &[
            ("api_address", &crm.base_url),
            ("token", "not-a-key-of-theirs"),
        ],
        words: "the key or the token is wrong",
        right: &[("token", "demo-phone-key"), ("access_token", "demo-token")],
        user: Some("22222222-aaaa-11f0-0a80-000000000150"),
        shown: &|| {
            let calls = crm.state.calls();
            calls
                .iter()
                .any(|call| call.commands.contains(&"SHOW 150".to_owned()))
        },
    });
    assert_eq!(crm.state.calls().len(), 1, "one call");
}

#[test]
fn u_on_is_connected_by_hand() {
    let settings = uon::Settings::default().without_limits();
    let crm = uon::start_in_thread("127.0.0.1:0", settings).expect("a simulator");
    walk(&Walk {
        kind: "uon",
        wrong: &[
            ("api_url", &crm.base_url),
            ("cabinet", "id12345"),
            ("api_key", "K0wrong"),
        ],
        words: "the key is wrong",
        right: &[("api_key", "K0demo00000000000001")],
        user: Some("2"),
        shown: &|| {
            crm.state
                .notifications()
                .iter()
                .any(|card| card.manager == 2)
        },
    });
    let rows = crm.state.calls();
    assert_eq!(rows.len(), 1, "one call, one row of the history: {rows:?}");
    assert_eq!(crm.state.refused(), 1, "the wrong key");
}

#[test]
fn a_receiver_of_webhooks_is_connected_by_hand() {
    let secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let settings = webhook::Settings {
        secrets: vec![secret.into()],
        ..webhook::Settings::default()
    };
    let receiver = webhook::start_in_thread("127.0.0.1:0", settings).expect("a simulator");
    let url = format!("{}/hook", receiver.base_url);
    let kinds = || -> Vec<String> {
        let events = receiver.state.events();
        events.iter().map(|event| event.kind().to_owned()).collect()
    };
    walk(&Walk {
        kind: "webhook",
        wrong: &[
            ("url", &url),
            ("secret", "b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk"),
        ],
        words: "401",
        right: &[("url", &url), ("secret", secret)],
        user: None,
        shown: &|| kinds().iter().any(|kind| kind == "call.ended"),
    });
    assert!(
        kinds().iter().any(|kind| kind == "call.ringing"),
        "{:?}",
        kinds()
    );
}

fn walk(walk: &Walk<'_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path());
    play(async {
        let browser = Browser::at(&server.base_url, "en", (1280, 1000)).await;
        browser.log_in("admin").await;
        furnish(&browser).await;
        let page = format!("/enterprise/{ENTERPRISE}/integrations");
        let form = format!("#card-{} form[hx-post$='/save']", walk.kind);
        let verdict = format!("#verdict-{}", walk.kind);
        browser.go(&page).await;
        press(&browser, &format!("#switch-{}", walk.kind)).await;
        said(&browser, "Save and switch on").await;
        for (fields, words) in [
            (walk.wrong, walk.words),
            (walk.right, "The connection works"),
        ] {
            for (name, value) in fields {
                fill(&browser, &format!("#{}-{name}", walk.kind), value).await;
            }
            press(&browser, &format!("{form} button[hx-post$='/test']")).await;
            let told = format!(
                "return document.querySelector('{verdict}').innerText.includes({})",
                serde_json::json!(words)
            );
            browser.until(words, &told).await;
            shoot(&browser, &format!("{}-dialog-{}", walk.kind, words.len())).await;
        }
        press(&browser, &format!("{form} button[type=submit]")).await;
        said(&browser, "Saved").await;
        if let Some(user) = walk.user {
            let select = format!("#user-{user}");
            browser.go(&format!("{page}/{}/users", walk.kind)).await;
            let listed = format!("return !!document.querySelector('{select}')");
            browser.until("the users are listed", &listed).await;
            browser
                .ask(&format!("document.querySelector('{select}').value = '150'"))
                .await;
            press(&browser, &format!("form:has({select}) button")).await;
            said(&browser, "Saved").await;
            shoot(&browser, &format!("{}-users", walk.kind)).await;
        }
        ring(&browser, "150").await;
        let came = until_within(Duration::from_secs(20), || (walk.shown)().then_some(()));
        assert!(came.is_some(), "no card came to {}", walk.kind);
        // The log is written after the CRM's answer, and its page does not reload by itself.
        let event = if walk.user.is_some() {
            "pop-up"
        } else {
            "hang-up"
        };
        let log = format!("{page}/log?integration={}", walk.kind);
        let began = Instant::now();
        loop {
            browser.go(&log).await;
            if browser.text().await.contains(event) {
                break;
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "no {event} in the log"
            );
        }
        shoot(&browser, &format!("{}-log", walk.kind)).await;
        browser.close().await;
        look(&server, walk.kind, &page).await;
    });
}

/// The card and its settings in Russian and on a phone; nothing is wider than the screen.
async fn look(server: &Server, kind: &str, page: &str) {
    for (language, size) in [("ru", (1280, 1000)), ("ru", (390, 844)), ("en", (390, 844))] {
        let browser = Browser::at(&server.base_url, language, size).await;
        browser.log_in("admin").await;
        browser.go(&format!("{page}?lang={language}")).await;
        press(&browser, &format!("#card-{kind} details.settings summary")).await;
        let wide = "return document.documentElement.scrollWidth <= window.innerWidth";
        browser
            .until("nothing is wider than the screen", wide)
            .await;
        // A text without a translation would show its key.
        let bare = format!(
            "return !document.querySelector('#card-{kind}').innerText.includes('integration-{kind}')"
        );
        browser.until("every text is there", &bare).await;
        shoot(&browser, &format!("{kind}-card-{language}-{}", size.0)).await;
        browser.close().await;
    }
}

/// An enterprise with two extensions.
async fn furnish(browser: &Browser) {
    browser.go("/enterprises/new").await;
    fill(browser, "#number", ENTERPRISE).await;
    fill(browser, "#name", "Furniture").await;
    press(
        browser,
        "form[action='/enterprises/new'] button[type=submit]",
    )
    .await;
    said(browser, "The token of the host").await;
    for extension in ["150", "151"] {
        browser
            .go(&format!("/enterprise/{ENTERPRISE}/people"))
            .await;
        fill(browser, "#ext", extension).await;
        press(browser, "form:has(#ext) button[type=submit]").await;
        let listed = format!("return !!document.querySelector(\"input[value='{extension}']\")");
        browser.until("the extension is listed", &listed).await;
    }
}

fn start(folder: &Path) -> Server {
    let settings: Vec<(String, String)> = [
        ("server.listen", "127.0.0.1:0"),
        ("server.public_url", "http://patchbay.example"),
        ("secrets.key", &"07".repeat(32)),
        (
            "database.url",
            &format!("sqlite:{}/patchbay.db", folder.display()),
        ),
        ("calls.settle_after", "150ms"),
        ("deliveries.private_networks", "127.0.0.0/8"),
        ("log.filter", "info"),
        ("superadmin_password", PASSWORD),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    Server::start(folder, settings)
}

async fn shoot(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("PATCHBAY_SHOTS").map(PathBuf::from) {
        let picture = browser.client.screenshot().await.expect("a picture");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("kept");
    }
}
