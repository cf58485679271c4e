//! MoySklad as an administrator connects it, and what it sends us: clicks on numbers, signed with the key. That a click
//! without the right signature, or with something else in its place, gets words and nothing else.

use simulators::moysklad::{self, Click, Signature};

use crate::door::{Answer, Browser, Door, client, read};

const AT: &str = "/enterprise/0367/integrations";

async fn save(door: &Door, browser: &Browser, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    door.post(browser, &format!("{AT}/ms/save?lang=en"), &all)
        .await
}

/// The address the card shows, without our own host before it.
fn address(card: &Answer) -> String {
    let from = card.body.find("/crm/ms/").expect("an address");
    let rest = &card.body[from..];
    rest[..rest.find('"').expect("its end")].to_owned()
}

#[actix_web::test]
async fn a_click_is_heard_when_it_is_signed() {
    let crm = moysklad::start("127.0.0.1:0", moysklad::Settings::default())
        .await
        .expect("a simulator");
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let fields = [
        ("api_address", crm.base_url.as_str()),
        ("token", "demo-phone-key"),
        ("check_signature", "1"),
        ("switch_on", "1"),
    ];
    let card = save(&door, &admin, &fields).await;
    let at = address(&card);
    assert!(
        !card.body.contains("demo-phone-key"),
        "the key is masked: {card:?}"
    );
    crm.state.set_provider(&format!("{}{at}", door.base));
    let click = |extension: &str, phone: &str, signature| Click {
        extension: extension.into(),
        phone: phone.into(),
        signature,
    };
    // No host is set up here, and that is what is said once the click was taken for one.
    let no_host = crm
        .state
        .click(&click("151", "+375296254070", None))
        .await
        .expect("an answer");
    assert!(
        !no_host.body.contains("sign") && no_host.body.contains("\"error\""),
        "{no_host:?}"
    );
    for signature in [Signature::Values, Signature::Sorted, Signature::Body] {
        let said = crm
            .state
            .click(&click("151", "+375296254070", Some(signature)))
            .await
            .expect("an answer");
        assert_eq!(said.body, no_host.body, "{signature:?}");
    }
    for (extension, phone, signature, words) in [
        ("151", "+375296254070", Some(Signature::Wrong), "signature"),
        (
            "151",
            "+375296254070",
            Some(Signature::Absent),
            "not signed",
        ),
        ("151;reboot", "+375296254070", None, "extension"),
        ("151", "$(reboot)", None, "number"),
        ("", "+375296254070", None, "srcNumber"),
    ] {
        let said = crm
            .state
            .click(&click(extension, phone, signature))
            .await
            .expect("an answer");
        assert!(
            said.status >= 400 && said.body.contains(words),
            "{words}: {said:?}"
        );
    }
    // A key that stands in no address of ours is nobody's.
    for path in ["/crm/ms/wrong-key", "/crm/ms/"] {
        let url = format!("{}{path}", door.base);
        let said = read(client().post(url).send().await).await;
        assert!(matches!(said.status, 401 | 404), "{path}: {said:?}");
    }
    // Where the vendor signs in a way of its own, the address alone protects.
    let careless: Vec<_> = fields
        .into_iter()
        .filter(|(name, _)| *name != "check_signature")
        .collect();
    assert_eq!(address(&save(&door, &admin, &careless).await), at);
    let said = crm
        .state
        .click(&click("151", "+375296254070", Some(Signature::Absent)))
        .await
        .expect("an answer");
    assert_eq!(said.body, no_host.body);
    door.close().await;
    crm.stop().await;
}
