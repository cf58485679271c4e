//! Bitrix24 as an administrator connects its local application, and what the portal may send us: the installation with
//! tokens, a browser with a code, clicks. That another portal, a wrong token or a used code gets words and nothing else.

use simulators::bitrix24::{self, Click};

use crate::door::{Answer, Browser, Door, client, read};

const AT: &str = "/enterprise/0367/integrations";

async fn save(door: &Door, browser: &Browser, what: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    door.post(browser, &format!("{AT}/bitrix24/{what}?lang=en"), &all)
        .await
}

/// The address the card shows, without our own host before it.
fn address(card: &Answer) -> String {
    let from = card.body.find("/crm/bitrix24/").expect("an address");
    let rest = &card.body[from..];
    rest[..rest.find('"').expect("its end")].to_owned()
}

#[actix_web::test]
async fn an_application_is_installed_and_its_clicks_reach_the_host() {
    let settings = bitrix24::Settings {
        webhook_registers: false,
        ..bitrix24::Settings::default()
    };
    let crm = bitrix24::start("127.0.0.1:0", settings)
        .await
        .expect("a simulator");
    let keys = &crm.state.settings;
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    // Our address is needed to make the application, so it is shown before there are keys.
    let card = save(&door, &admin, "save", &[("mode", "application")]).await;
    let at = address(&card);
    let fields = [
        ("mode", "application"),
        ("portal", crm.base_url.as_str()),
        ("client_id", &keys.client_id),
        ("client_secret", &keys.client_secret),
        ("authority", &crm.base_url),
        ("send_upload", "1"),
        ("switch_on", "1"),
    ];
    let card = save(&door, &admin, "save", &fields).await;
    assert!(card.body.contains("No access yet"), "{card:?}");
    assert_eq!(address(&card), at, "the address stays");
    let early = save(&door, &admin, "test", &fields).await;
    assert!(
        early.body.contains("is not installed in Bitrix24 yet"),
        "{early:?}"
    );

    let whole = format!("{}{at}", door.base);
    let host = crm.addr.to_string();
    let other = crm
        .state
        .install(&whole, "evil.bitrix24.ru")
        .await
        .expect("an answer");
    assert!(
        other.status == 400 && other.body.contains("not of evil"),
        "{other:?}"
    );
    let given = crm.state.install(&whole, &host).await.expect("an answer");
    assert_eq!(given.status, 200, "{given:?}");
    let works = save(&door, &admin, "test", &fields).await;
    assert!(
        works.body.contains("clicks on numbers come to us"),
        "{works:?}"
    );
    let bound = crm.state.handlers();
    assert!(
        bound["ONEXTERNALCALLSTART"].ends_with(&at) && bound.len() == 2,
        "{bound:?}"
    );
    let again = save(&door, &admin, "test", &fields).await;
    assert!(
        again.body.contains("clicks on numbers come to us"),
        "bound once: {again:?}"
    );

    // Clicks: no host is set up here, and the words say so; what another sends is not taken.
    for event in bound.keys() {
        crm.state.set_handler(event, &whole);
    }
    for (click, words) in [
        (
            Click {
                token: Some("wrong".into()),
                ..Click::default()
            },
            "not the one we know",
        ),
        (
            Click {
                user: 99,
                ..Click::default()
            },
            "No extension configured for user 99",
        ),
        (
            Click {
                callback: true,
                ..Click::default()
            },
            "who calls visitors back",
        ),
    ] {
        let heard = crm.state.click(&click).await.expect("an answer");
        assert!(
            heard.status == 400 && heard.body.contains(words),
            "{words}: {heard:?}"
        );
    }
    let unencoded = Click {
        encoded: false,
        ..Click::default()
    };
    for click in [Click::default(), unencoded] {
        let heard = crm.state.click(&click).await.expect("an answer");
        assert!(
            heard.body.contains("No extension configured for user 34"),
            "nobody has an extension yet: {heard:?}"
        );
    }

    // The same by a browser that comes back with a code.
    crm.state.set_redirect(&whole);
    let login = format!(
        "{}/oauth/authorize/?client_id={}",
        crm.base_url, keys.client_id
    );
    let led = read(client().get(login).send().await).await;
    let place = led.header("location").to_owned();
    let back = read(client().get(&place).send().await).await;
    assert_eq!(
        (back.status, back.header("location")),
        (303, AT),
        "{back:?}"
    );
    let again = read(client().get(&place).send().await).await;
    assert_eq!(again.status, 502, "a code is good once: {again:?}");
    let log = door
        .page(&admin, &format!("{AT}/logs?integration=bitrix24"))
        .await;
    for secret in [
        "access-token-",
        "refresh-token-",
        keys.client_secret.as_str(),
        "code-",
    ] {
        assert!(!log.body.contains(secret), "{secret}: {log:?}");
    }
    door.close().await;
    crm.stop().await;
}
