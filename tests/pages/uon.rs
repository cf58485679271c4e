//! U-ON.Travel as an administrator connects it, and what its webhooks may send us: clicks on numbers, by GET and by POST,
//! and all the rest that is of no use. That a click is never sent twice, whatever became of it.

use serde_json::Value;
use simulators::uon::{self, Click};

use crate::door::{Answer, Browser, Door};

const AT: &str = "/enterprise/0367/integrations";
const KEY: &str = "K0demo00000000000001";

async fn post(door: &Door, browser: &Browser, what: &str, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("csrf", browser.csrf.as_str())];
    all.extend_from_slice(fields);
    door.post(browser, &format!("{AT}/uon/{what}?lang=en"), &all)
        .await
}

/// The address the card shows.
fn address(card: &Answer) -> String {
    let at = card.body.find("/crm/uon/").expect("an address");
    let from = card.body[..at].rfind('"').expect("its beginning") + 1;
    let rest = &card.body[from..];
    let shown = &rest[..rest.find('"').expect("its end")];
    shown.replace("&#x2F;", "/")
}

#[actix_web::test]
async fn clicks_in_u_on_reach_the_host_once() {
    let settings = uon::Settings::default().without_limits();
    let crm = uon::start("127.0.0.1:0", settings)
        .await
        .expect("a simulator");
    let door = Door::open("").await;
    let admin = door.log_in("admin-0367").await;
    let fields = |key: &'static str| {
        vec![
            ("api_url", crm.base_url.clone()),
            ("api_key", key.to_owned()),
            ("cabinet", "https://id12345.u-on.ru/".to_owned()),
            ("send_dial", "1".to_owned()),
            ("send_upload", "1".to_owned()),
            ("switch_on", "1".to_owned()),
        ]
    };
    let typed = |all: &[(&'static str, String)]| {
        let pairs = all.iter().map(|(name, value)| (*name, value.clone()));
        pairs.collect::<Vec<_>>()
    };
    let send = async |what: &str, key: &'static str| {
        let all = typed(&fields(key));
        let all: Vec<(&str, &str)> = all
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        post(&door, &admin, what, &all).await
    };

    let wrong = send("test", "K0wrong").await;
    assert!(wrong.body.contains("the key is wrong"), "{wrong:?}");
    assert!(!wrong.body.contains("K0wrong"), "{wrong:?}");
    let card = send("save", KEY).await;
    assert!(!card.body.contains(KEY), "the key is masked: {card:?}");
    let shown = address(&card);
    let verdict = send("test", KEY).await;
    assert!(
        verdict.body.contains("clicks on numbers do not reach us"),
        "{verdict:?}"
    );
    crm.state.add_hook(47, &shown, "POST");
    let verdict = send("test", KEY).await;
    assert!(
        verdict.body.contains("clicks on numbers reach us"),
        "{verdict:?}"
    );

    // From here on to where this server really listens.
    crm.state.reset();
    let path = &shown[shown.find("/crm/").expect("a path")..];
    for method in ["GET", "POST"] {
        crm.state
            .add_hook(47, &format!("{}{path}", door.base), method);
    }
    let click = async |user: Option<i64>, phone: &str| {
        let click = Click {
            phone: phone.into(),
            user_id: user,
            client: true,
        };
        let replies = crm.state.click(&click).await.expect("answers");
        assert_eq!(replies.len(), 2);
        assert!(replies.iter().all(|one| one.tries == 1), "{replies:?}");
        let said = |body: &str| -> Value { serde_json::from_str(body).expect("JSON") };
        assert_eq!(said(&replies[0].body), said(&replies[1].body));
        (replies[0].status, replies[0].body.clone())
    };
    let (status, said) = click(Some(2), "375296254070").await;
    assert_eq!(status, 400, "{said}");
    assert!(
        said.contains("No extension configured for user 2"),
        "{said}"
    );
    let list = post(&door, &admin, "users", &[]).await;
    assert!(list.body.contains("Смирнова Анна"), "{list:?}");
    let given = [("user", "2"), ("extension", "150")];
    let given = post(&door, &admin, "users/save", &given).await;
    assert!(given.body.contains("150 (Смирнова Анна)"), "{given:?}");
    // No host is set up here: so far it came.
    let (status, said) = click(Some(2), "375296254070").await;
    assert!(
        status == 409 && said.contains("\"success\":false"),
        "{status} {said}"
    );
    let (status, said) = click(None, "375296254070").await;
    assert!(
        status == 400 && said.contains("who clicked"),
        "{status} {said}"
    );
    let (status, said) = click(Some(2), "2254;reboot").await;
    assert!(
        status == 400 && said.contains("number"),
        "digits only travel: {status} {said}"
    );
    door.close().await;
    crm.stop().await;
}
