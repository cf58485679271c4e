//! From an empty database to cards at the right managers, by mouse and keyboard alone: first start, an enterprise, its
//! RetailCRM with a wrong key and the right one, extensions given and taken, made-up calls, log and statistics.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use simulators::retailcrm::{self, Account};

use crate::browser::{Browser, play};
use crate::module::people_without_extensions;
use crate::world::server::Server;
use crate::world::{PASSWORD, until_within};

#[test]
fn from_an_empty_database_to_cards_at_the_right_managers() {
    let folder = tempfile::tempdir().expect("a folder");
    let crm = retailcrm::Settings {
        accounts: vec![people_without_extensions()],
        ..retailcrm::Settings::default()
    };
    let crm = retailcrm::start_in_thread("127.0.0.1:0", crm.without_limits())
        .expect("the CRM's stand-in");
    let account = crm.state.root_account().expect("its account");
    let settings: Vec<(String, String)> = [
        ("server.listen", "127.0.0.1:0"),
        ("server.public_url", "http://patchbay.example"),
        ("secrets.key", &"07".repeat(32)),
        (
            "database.url",
            &format!("sqlite:{}/patchbay.db", folder.path().display()),
        ),
        ("calls.settle_after", "150ms"),
        ("log.filter", "info"),
        ("superadmin_password", PASSWORD),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let server = Server::start(folder.path(), settings);
    play(async {
        let browser = Browser::at(&server.base_url, "en", (1280, 1000)).await;
        browser.log_in("admin").await;
        browser.go("/enterprises/new").await;
        fill(&browser, "#number", "0500").await;
        fill(&browser, "#name", "Furniture").await;
        press(
            &browser,
            "form[action='/enterprises/new'] button[type=submit]",
        )
        .await;
        said(&browser, "The token of the host").await;
        for extension in ["150", "151"] {
            browser.go("/enterprise/0500/people").await;
            fill(&browser, "#ext", extension).await;
            press(&browser, "form:has(#ext) button[type=submit]").await;
            let listed = format!("return !!document.querySelector(\"input[value='{extension}']\")");
            browser.until("the extension is listed", &listed).await;
        }

        let page = "/retailcrm-admin/?enterprise_number=0500";
        browser.go(page).await;
        said(&browser, "not connected").await;
        for (key, words) in [
            ("a-wrong-key-000", "Wrong \"apiKey\" value."),
            ("key-of-fresh-123", "Registered in RetailCRM and saved"),
        ] {
            fill(&browser, "#domain", &crm.base_url).await;
            fill(&browser, "#api_key", key).await;
            press(&browser, "form[hx-post$='/register'] button[type=submit]").await;
            said(&browser, words).await;
        }
        said(&browser, "registration of the module").await;
        for (user, extension) in [("16", "150"), ("17", "151")] {
            assign(&browser, user, extension).await;
        }
        for extension in ["150", "151"] {
            ring(&browser, extension).await;
        }
        come(&account, &[("150", &[16]), ("151", &[17])]);

        browser.go(page).await;
        assign(&browser, "17", "150").await;
        said(&browser, "Extension 150 was taken from Петрова Анна").await;
        ring(&browser, "150").await;
        come(&account, &[("150", &[16, 17]), ("151", &[17])]);

        browser
            .go("/enterprise/0500/integrations/log?integration=retailcrm")
            .await;
        for words in [
            "registration of the module",
            "saving extensions",
            "Wrong \"apiKey\" value.",
            "pop-up",
        ] {
            said(&browser, words).await;
        }
        browser.go("/admin/integrations?enterprise=0500").await;
        said(&browser, "RetailCRM registration of the module").await;
        // A call's page asks whose number it is; from then on the list knows it.
        browser.go("/calls").await;
        press(&browser, "td.c-client a").await;
        said(&browser, "Сидоров Иван").await;
        browser.go("/calls").await;
        said(&browser, "Сидоров Иван").await;
        said(&browser, "Ильин Борис").await;
        browser.close().await;
    });
    let _stopping = crm.handle().stop(false);
}

/// Waits for the cards of these extensions, each at these users in this order.
fn come(account: &Arc<Account>, wanted: &[(&str, &[i64])]) {
    let saw = |code: &str| -> Vec<i64> {
        let cards = account.cards();
        let of = cards
            .iter()
            .filter(|card| card.code.as_deref() == Some(code));
        of.filter_map(|card| card.user_id).collect()
    };
    let all = || wanted.iter().all(|(code, users)| saw(code) == *users);
    let came = until_within(Duration::from_secs(20), || all().then_some(()));
    assert!(came.is_some(), "{wanted:?}: {:?}", account.cards());
}

/// Clicks what is there, or comes.
pub async fn press(browser: &Browser, selector: &str) {
    let shown = format!(
        "const found = document.querySelector(\"{selector}\"); found?.scrollIntoView({{block: 'center', behavior: 'instant'}}); return !!found"
    );
    browser.until(selector, &shown).await;
    let there = browser.find(selector).await;
    there.click().await.expect("clicked");
}

pub async fn fill(browser: &Browser, selector: &str, text: &str) {
    let field = browser.find(selector).await;
    field.clear().await.expect("cleared");
    field.send_keys(text).await.expect("typed");
}

/// Waits until the page says this.
pub async fn said(browser: &Browser, words: &str) {
    let there = format!("return document.body.innerText.includes({})", json!(words));
    browser.until(words, &there).await;
}

/// Gives a manager an extension in the list, and waits until it is saved.
async fn assign(browser: &Browser, user: &str, extension: &str) {
    let select = format!("#user-{user}");
    browser
        .until(
            "the managers are listed",
            &format!("return !!document.querySelector('{select}')"),
        )
        .await;
    let choose = format!(
        "document.querySelector('{select}').value = '{extension}'; document.querySelector('#managers .alert')?.remove()"
    );
    browser.ask(&choose).await;
    press(browser, &format!("form:has({select}) button")).await;
    said(browser, "Saved.").await;
}

/// A made-up call to one extension, with the emulator.
pub async fn ring(browser: &Browser, extension: &str) {
    browser.go("/test-interface").await;
    for (field, value) in [
        ("phone", "375296254070"),
        ("extensions", extension),
        ("ring", "0"),
        ("talk", "0"),
        ("speed", "100"),
    ] {
        browser
            .ask(&format!(
                "document.querySelector('#{field}').value = '{value}'"
            ))
            .await;
    }
    press(
        browser,
        "form[hx-post='/test-interface/runs'] button[type=submit]",
    )
    .await;
    browser
        .until(
            "the call is made",
            "return document.querySelector('#run').innerText.length > 0",
        )
        .await;
}
