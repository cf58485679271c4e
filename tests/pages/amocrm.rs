//! amoCRM as an administrator connects it by a code, and what its browser may send us: a redirect with a code, clicks of
//! its stock widget. That a wrong key, a wrong secret or a wrong code gets words and nothing else.

use actors::store::enterprises;
use chrono::Utc;
use serde_json::{Value, json};
use simulators::amocrm;

use crate::door::{Answer, Browser, Door, client, read};

const AT: &str = "/enterprise/0367/integrations";
const CLIENT: &str = "7c1d3a52-0000-4000-8000-1f2e3d4c5b6a";

async fn save(door: &Door, browser: &Browser, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    door.post(browser, &format!("{AT}/amocrm/save?lang=en"), &all)
        .await
}

/// The address the card shows, without our own host before it.
fn address(card: &Answer) -> String {
    let from = card.body.find("/crm/amocrm/").expect("an address");
    let rest = &card.body[from..];
    rest[..rest.find('"').expect("its end")].to_owned()
}

async fn get(door: &Door, path: &str) -> Answer {
    read(client().get(format!("{}{path}", door.base)).send().await).await
}

#[actix_web::test]
async fn a_code_lets_us_in_and_a_click_reaches_the_host() {
    let crm = amocrm::start("127.0.0.1:0", amocrm::Settings::default())
        .await
        .expect("a simulator");
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let fields = [
        ("subdomain", crm.base_url.as_str()),
        ("client_id", CLIENT),
        ("client_secret", "demo-secret"),
        ("widget_secret", "w1dget-secret"),
        ("send_upload", "1"),
        ("switch_on", "1"),
    ];
    let card = save(&door, &admin, &fields).await;
    assert!(card.body.contains("No access yet"), "{card:?}");
    let at = address(&card);
    assert_eq!(
        address(&save(&door, &admin, &fields).await),
        at,
        "the address stays"
    );

    // A code that is none, then the one that the person is shown.
    let with = |code: &'static str| [fields.as_slice(), &[("code", code)]].concat();
    let refused = save(&door, &admin, &with("no-code-of-theirs")).await;
    assert!(
        refused.body.contains("get a new authorization code")
            && !refused.body.contains("no-code-of-theirs"),
        "{refused:?}"
    );
    let whole = format!("http://127.0.0.1{at}");
    let code = crm.state.integrate(&whole);
    let typed = [fields.as_slice(), &[("code", code.as_str())]].concat();
    let given = save(&door, &admin, &typed).await;
    assert!(
        given.body.contains("Access was given") && !given.body.contains(&code),
        "{given:?}"
    );

    // The same by redirect: the person comes back to where they started.
    let code = crm.state.integrate(&whole);
    let back = get(
        &door,
        &format!("{at}?code={code}&client_id={CLIENT}&referer=acme"),
    )
    .await;
    assert_eq!(
        (back.status, back.header("location")),
        (303, AT),
        "{back:?}"
    );
    let again = get(&door, &format!("{at}?code={code}&client_id={CLIENT}")).await;
    assert_eq!(again.status, 502, "a code is good once: {again:?}");

    // Clicks: no host is set up here, and the widget is told so in its own form.
    let click = |secret: &str, from: &str, to: &str| {
        format!("{at}?_login=x&_secret={secret}&_action=call&from={from}&to={to}")
    };
    let said = get(&door, &click("w1dget-secret", "151", "%2B375296254070")).await;
    assert!(
        said.status == 200
            && said.body.starts_with("asterisk_cb({")
            && said.body.contains("\"error\""),
        "{said:?}"
    );
    for (path, words) in [
        (click("wrong", "151", "%2B375296254070"), "secret is wrong"),
        (
            click("w1dget-secret", "151;reboot", "%2B375296254070"),
            "extension",
        ),
        (click("w1dget-secret", "151", "$(reboot)"), "number"),
        (click("w1dget-secret", "151", ""), "NO_PARAMS"),
    ] {
        let said = get(&door, &path).await;
        assert!(said.body.contains(words), "{words}: {said:?}");
    }
    for path in [
        "/crm/amocrm/wrong-key",
        "/crm/amocrm/",
        "/crm/retailcrm/x",
        "/crm/none/x",
    ] {
        let said = get(&door, &format!("{path}?_action=status")).await;
        assert!(matches!(said.status, 401 | 404), "{path}: {said:?}");
    }
    door.close().await;
    crm.stop().await;
}

/// Whoever is shut out is not asked again, not even by the next process, until a person says so.
#[actix_web::test]
async fn that_we_are_shut_out_is_read_on_the_card_until_somebody_presses_try_now() {
    let crm = amocrm::start("127.0.0.1:0", amocrm::Settings::default())
        .await
        .expect("a simulator");
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let fields = [
        ("subdomain", crm.base_url.as_str()),
        ("access_token", "demo-token"),
        ("switch_on", "1"),
    ];
    save(&door, &admin, &fields).await;
    let words = "amoCRM has blocked our address or this account (403), as it does after too many requests; \
                 not tried again by itself: ask their support, then close the pause by hand";
    shut_out(&door, Some(words)).await;
    let order = async |order: &str| {
        let all = [("csrf", admin.csrf.as_str()), ("order", order)];
        let path = format!("{AT}/amocrm/order?lang=en");
        door.post(&admin, &path, &all).await
    };
    // Whatever is written through the pages is read at once.
    order("pause").await;
    order("resume").await;
    for (lang, until, said) in [
        (
            "en",
            "until somebody presses",
            "amoCRM has blocked our address",
        ),
        ("ru", "пока кто-нибудь не нажмёт", "amoCRM закрыла доступ"),
    ] {
        let page = door.page(&admin, &format!("{AT}?lang={lang}")).await;
        assert!(
            page.body.contains(until) && page.body.contains(said),
            "{lang}: {page:?}"
        );
    }
    assert!(order("reset").await.body.contains("Pause"));
    for _ in 0..500 {
        if shut_out(&door, None).await.is_null() {
            break;
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    order("pause").await;
    order("resume").await;
    let page = door.page(&admin, &format!("{AT}?lang=en")).await;
    assert!(!page.body.contains("until somebody presses"), "{page:?}");
    // Who saves the settings wants the CRM to be asked as well.
    shut_out(&door, Some(words)).await;
    order("pause").await;
    save(&door, &admin, &fields).await;
    assert!(shut_out(&door, None).await.is_null());
    door.close().await;
    crm.stop().await;
}

/// Notes with amoCRM's settings that we were shut out, as the link does; gives what is noted there.
async fn shut_out(door: &Door, words: Option<&str>) -> Value {
    let (vault, words) = (door.store.vault().clone(), words.map(str::to_owned));
    let noted = door.store.write(move |conn| {
        let mut document = enterprises::integrations(conn, &vault, 1)?;
        if let Some(words) = words {
            document["amocrm"]["shut_out"] = json!({"at": Utc::now(), "words": words});
            enterprises::save_integrations(conn, &vault, 1, &document, Utc::now())?;
        }
        Ok(document["amocrm"]["shut_out"].clone())
    });
    noted.await.expect("the document")
}
