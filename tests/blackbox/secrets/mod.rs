//! Known secrets are planted in a house, everything in it is used with everything outside failing and repeating what it was
//! told, and then every page, answer, log, command and file is searched for them.

mod echo;
mod house;
mod search;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use patchbay::web::routes;
use serde_json::{Value, json};

use crate::world::{Person, journal, story, until};
use echo::Echo;
use house::{ADMIN, API_KEY, CLIENT, House, ROOT, SECRET, Somebody, TOKEN, form, heart};
use search::{Heap, Secret, search};

/// What may be heard by whom: nobody is told more than the own secret. (The account link and the clientId are what
/// RetailCRM is registered with, and an enterprise's token is what its host signs with; nobody else hears any of them.)
const MEANT: [(&str, &str); 12] = [
    ("RetailCRM", "RetailCRM's key"),
    ("RetailCRM", "RetailCRM's clientId"),
    ("RetailCRM", "an account link"),
    ("RetailCRM", "the account link's id"),
    ("amoCRM of june", "amoCRM's token"),
    ("amoCRM of july", "amoCRM's"),
    ("Bitrix24", "Bitrix24's webhook"),
    ("MoySklad", "MoySklad's key"),
    ("MoySklad", "MoySklad's token"),
    ("U-ON", "U-ON's key"),
    ("Telegram", "june's bot"),
    ("Telegram", "july's bot"),
];

/// Everything june is connected to.
const KINDS: [&str; 6] = ["retailcrm", "bitrix24", "amocrm", "ms", "uon", "webhook"];

#[test]
fn a_planted_secret_is_found_nowhere() {
    let house = House::open();
    let root = log_in(&house, "root", ROOT);
    let admin = log_in(&house, "admin", ADMIN);
    let nobody = Somebody::new("nobody", Person::stranger(&house.server));

    calls(&house, "first");
    trials(&house, &admin);
    clicks(&house, &admin);
    bad_bodies(&house, &nobody);
    exchanges(&house, &root, &admin);
    calls(&house, "second");
    for what in KINDS {
        let count = format!(
            "SELECT COUNT(*) FROM integration_logs WHERE status = 'error' AND integration_type = '{what}'"
        );
        until("everybody outside said no in every way", || {
            (journal::number(&house.store, &count) >= 8).then_some(())
        });
    }
    until("Telegram was told", || {
        (house.outside.telegram.heard().len() >= 8).then_some(())
    });

    for who in [&root, &admin, &nobody] {
        every_page(&house, who);
    }
    for words in [
        vec!["config"],
        vec!["check"],
        vec!["enterprise", "list"],
        vec!["enterprise", "show", "0367"],
    ] {
        house.command(&words);
    }
    for path in [
        "/metrics",
        "/stats",
        "/health",
        "/config/0367",
        "/api/calls",
    ] {
        let headers = [("x-api-key", API_KEY)];
        let answer = nobody.person.request("GET", path, &headers, "");
        assert_eq!(answer.status, 200, "{path}");
        house.note(&format!("{path} with a key"), &answer);
    }
    house.collect();
    looked_at_the_right_things(&house);

    let secrets = house.secrets.borrow();
    let mut found = search(&secrets, &house.heaps.borrow());
    found.extend(overheard(&house, &secrets));
    assert!(
        found.is_empty(),
        "{} leaks:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// A search that finds nothing may have looked nowhere: what is no secret is found.
fn looked_at_the_right_things(house: &House) {
    let phone = [Secret {
        name: "a client".into(),
        value: "375296254070".into(),
    }];
    let found = search(&phone, &house.heaps.borrow()).join("\n");
    for place in [
        "GET /calls of root",
        "GET /calls of admin",
        "GET /api/live of root",
        "GET /enterprise/0367/integrations/log of admin",
        "GET /retailcrm-admin/?enterprise_number=0367 of admin",
        "the stream of root",
        "x.db",
        "enterprise-0367.log",
        "enterprise-0368.log",
    ] {
        assert!(found.contains(place), "{place} was searched:\n{found}");
    }
    assert!(
        house.server.said("TRACE") && house.server.said("DEBUG"),
        "everything is logged"
    );
}

/// What those outside heard that is not theirs.
fn overheard(house: &House, secrets: &[Secret]) -> Vec<String> {
    let outside = &house.outside;
    let all: [(&str, &Echo); 9] = [
        ("RetailCRM", &outside.retailcrm),
        ("amoCRM of june", &outside.amocrm[0]),
        ("amoCRM of july", &outside.amocrm[1]),
        ("Bitrix24", &outside.bitrix24),
        ("MoySklad", &outside.moysklad),
        ("U-ON", &outside.uon),
        ("the receiver", &outside.webhook),
        ("Telegram", &outside.telegram),
        ("the host", &outside.ssh),
    ];
    let mut found = Vec::new();
    for (who, echo) in all {
        let foreign: Vec<Secret> = secrets
            .iter()
            .filter(|secret| {
                let meant =
                    |(whose, name): &(&str, &str)| *whose == who && secret.name.starts_with(name);
                !MEANT.iter().any(meant)
            })
            .cloned()
            .collect();
        let heard = Heap::new(format!("what {who} heard"), echo.heard().join("\n"));
        found.extend(search(&foreign, &[heard]));
    }
    found
}

fn log_in(house: &House, login: &'static str, password: &str) -> Somebody {
    let encoded = form(&json!({"p": password}));
    let person = Person::log_in(&house.server, login, encoded.trim_start_matches("p="));
    house.plant(
        &format!("{login}'s session"),
        person.cookie().split('=').nth(1).expect("a cookie"),
    );
    Somebody::new(login, person)
}

/// Calls of both enterprises, the token in the body as well as in the header.
fn calls(house: &House, which: &str) {
    for call in 0..6 {
        for (at, token) in TOKEN.iter().enumerate() {
            let mut told =
                story::answered(&format!("{which}.{call}"), "375296254070", &["150"], "150");
            for (_, body) in &mut told {
                body["Token"] = (*token).into();
            }
            house.host(at).tell(&told);
        }
    }
}

/// Everything that asks somebody outside at a person's word, with what is stored and with what was only typed.
fn trials(house: &House, admin: &Somebody) {
    let typed = "typed+only/planted=TO0001";
    house.plant("a key that was only typed", typed);
    // For where a secret is a part of an address.
    let plain = "typed-only-planted-TO0002";
    house.plant("a part of an address that was only typed", plain);
    let outside = &house.outside;
    let at = "/enterprise/0367/integrations";
    for turn in 0..7 {
        let stored = [
            (
                "retailcrm",
                json!({"domain": outside.retailcrm.url(), "api_key": "****0001"}),
            ),
            (
                "amocrm",
                json!({"subdomain": outside.amocrm[0].url(), "access_token": "****0001"}),
            ),
            (
                "bitrix24",
                json!({"webhook_url": "****001/", "application_token": "****0001"}),
            ),
            (
                "ms",
                json!({"api_address": outside.moysklad.url(), "token": "****0001", "access_token": "****0001"}),
            ),
            (
                "uon",
                json!({"api_url": outside.uon.url(), "api_key": "****0001"}),
            ),
            (
                "webhook",
                json!({"url": outside.webhook.url(), "secret": "****29r="}),
            ),
        ];
        for (kind, fields) in stored {
            house.ask(admin, "POST", &format!("{at}/{kind}/test"), &fields);
        }
        // Whoever types a secret of their own into a form has that server told, and reads no more of it than anybody.
        let other = Echo::start();
        let fields = json!({"domain": other.url(), "api_key": typed});
        house.ask(admin, "POST", &format!("{at}/retailcrm/test"), &fields);
        let fields = json!({"subdomain": other.url(), "access_token": typed});
        house.ask(admin, "POST", &format!("{at}/amocrm/test"), &fields);
        let fields = json!({"webhook_url": format!("{}/rest/12/{plain}/", other.url())});
        house.ask(admin, "POST", &format!("{at}/bitrix24/test"), &fields);
        let fields = json!({"api_address": other.url(), "token": typed, "access_token": typed});
        house.ask(admin, "POST", &format!("{at}/ms/test"), &fields);
        let fields = json!({"api_url": other.url(), "api_key": plain});
        house.ask(admin, "POST", &format!("{at}/uon/test"), &fields);
        for path in ["register", "test", "sync-extensions", "save-extensions"] {
            let path = format!("/retailcrm-admin/api/{path}/0367");
            house.ask(admin, "POST", &path, &json!({"16": "150"}));
        }
        for path in ["managers", "config", "user-extensions"] {
            house.ask(
                admin,
                "GET",
                &format!("/retailcrm-admin/api/{path}/0367"),
                &Value::Null,
            );
        }
        for path in ["register", "test", "managers"] {
            house.ask(
                admin,
                "POST",
                &format!("/retailcrm-admin/module/0367/{path}"),
                &json!({}),
            );
        }
        house.ask(
            admin,
            "POST",
            "/enterprise/0367/telegram/test",
            &json!({"chat": "501"}),
        );
        for kind in ["amocrm", "bitrix24", "ms", "uon"] {
            house.ask(admin, "POST", &format!("{at}/{kind}/users"), &json!({}));
        }
        let phone = format!("/customer-name/0367/37529111000{turn}");
        house.ask(admin, "GET", &phone, &Value::Null);
        for path in [&phone, &phone.replace("customer-name", "responsible")] {
            let answer = admin
                .person
                .request("GET", path, &[("x-api-key", API_KEY)], "");
            house.note(path, &answer);
        }
    }
    // What was registered carried a link that opens the module's page.
    for request in outside.retailcrm.heard() {
        let Some((_, rest)) = request.split_once("account%3Ftoken%3D") else {
            continue;
        };
        let end = |c: char| !(c.is_ascii_alphanumeric() || ".-_".contains(c));
        house.plant("an account link", rest.split(end).next().expect("a token"));
    }
    let links = |one: &Secret| one.name == "an account link";
    assert!(
        house.secrets.borrow().iter().any(links),
        "RetailCRM was told a link"
    );
}

/// Clicks and waiting callers, whose host is no SSH server or is not there at all.
fn clicks(house: &House, admin: &Somebody) {
    let nobody = Somebody::new("a CRM", Person::stranger(&house.server));
    let client = form(&json!({"clientId": CLIENT}));
    let mut asked = vec![format!(
        "/retailcrm/make-call?{client}&userId=16&phone=375291110000"
    )];
    asked.push(format!(
        "/retailcrm/make-call?{client}&userId=999&phone=375291110000"
    ));
    asked.push(format!("/retailcrm/status?{client}&userId=16&status=free"));
    for secret in SECRET {
        let secret = form(&json!({"clientId": secret}));
        asked.push(format!(
            "/api/makecallexternal?{secret}&code=150&phone=375291110000"
        ));
        asked.push(format!(
            "/api/makecallexternal?{secret}&code=150&phone=%3Brm"
        ));
    }
    for path in asked {
        let answer = nobody.ask("GET", &path, &Value::Null);
        let path = path.split('?').next().unwrap_or_default();
        house.note(&format!("the answer to a click at {path}"), &answer);
    }
    for action in ["test", "make"] {
        house.ask(
            admin,
            "POST",
            &format!("/enterprise/0367/host/{action}"),
            &json!({}),
        );
    }
    for (at, token) in TOKEN.iter().enumerate() {
        let body = json!({"Token": token, "phone": "375291110000", "unique_id": format!("w.{at}"), "trunk": "1"});
        let answer = house
            .host(at)
            .post("api/smart-redirect/incoming-call", &body);
        house.note("the answer to a waiting caller", &answer);
    }
}

/// Events and logins that are refused.
fn bad_bodies(house: &House, nobody: &Somebody) {
    for (at, token) in TOKEN.iter().enumerate() {
        for body in [
            format!("{{\"Token\":\"{token}\", broken"),
            format!("Token={token}&UniqueId=1.1"),
            form(&json!({"Token": token, "UniqueId": "1.1"})),
            format!("{{'Token': '{token}', 'UniqueId': '1.1'}}"),
            format!("[\"{token}\"]"),
            format!("{{\"Token\":\"{token}\"}}"),
            format!(
                "{{\"token\":\"{token}\",\"UniqueId\":\"b.1\",\"x\":{{\"Token\":\"{token}\"}}}}"
            ),
            format!(
                "{{\"Token\":\"{token}\",\"UniqueId\":\"{}\"}}",
                "9".repeat(9999)
            ),
        ] {
            let answer = house
                .host(at)
                .post_raw("start", body.as_bytes())
                .expect("an answer");
            house.note("the answer to a bad body", &answer);
        }
        let handed = json!({"token": token, "uniqueId": "g.1", "event_type": "dial", "raw": {"Token": token, "Extensions": ["150"]}});
        for body in [
            handed.to_string(),
            handed.to_string().replace("dial", "none"),
            format!("{{\"token\":\"{token}\""),
        ] {
            let headers = [("x-api-key", API_KEY), ("content-type", "application/json")];
            let answer = nobody
                .person
                .request("POST", "/dispatch/call-event", &headers, &body);
            house.note("the answer to an event handed in", &answer);
        }
    }
    let guess = "wrong guess/planted+1=x";
    house.plant("a wrong password", guess);
    for login in ["root", "admin", "nobody"] {
        let answer = nobody.ask(
            "POST",
            "/login",
            &json!({"login": login, "password": guess}),
        );
        assert_eq!(answer.status, 401);
        house.note("the answer to a wrong login", &answer);
    }
    for key in [API_KEY.replace("an", "no"), "x".into()] {
        let answer = nobody.person.request(
            "GET",
            "/stats",
            &[("authorization", &format!("Bearer {key}"))],
            "",
        );
        house.note("the answer to a wrong key", &answer);
    }
}

/// Secrets exchanged and made: each is shown in the one answer that makes it, and that one is not searched.
fn exchanges(house: &House, root: &Somebody, admin: &Somebody) {
    let shown = |answer: &crate::world::answer::Answer| -> String {
        let rest = answer
            .body
            .split("<pre class=\"mt-2\" tabindex=\"0\">")
            .nth(1);
        let rest = rest.unwrap_or_else(|| panic!("nothing was made: {}", answer.body));
        rest.split('<').next().unwrap_or_default().to_owned()
    };
    let made = root.ask("POST", "/enterprise/0368/rotate/secret", &json!({}));
    house.plant("a new secret", &shown(&made));
    let made = root.ask("POST", "/enterprises/new", &json!({
        "number": "0500", "name": "fresh", "country": "BY", "time_zone": "Europe/Minsk", "language": "ru",
        "ssh_port": "22", "originate_context": "inoffice", "redirect_context": "web-zapros",
    }));
    house.plant("a new token", &shown(&made));
    let made = admin.ask(
        "POST",
        "/enterprise/0367/people/add",
        &json!({"login": "vera", "role": "operator"}),
    );
    house.plant("an invented password", &shown(&made));
    let made = admin.ask(
        "POST",
        "/enterprise/0367/people/password",
        &json!({"login": "vera"}),
    );
    house.plant("a second invented password", &shown(&made));

    let new = "new+key/of+RetailCRM=RK0002";
    house.plant("RetailCRM's key that is new", new);
    let at = "/enterprise/0367/integrations";
    let fields = json!({"domain": house.outside.retailcrm.url(), "api_key": new, "send_dial": "1", "send_upload": "1"});
    house.ask(admin, "POST", &format!("{at}/retailcrm/save"), &fields);
    let webhook = "whsec_bmV3LXBsYW50ZWQtc2VjcmV0LW9mLXdlYmhvb2s=";
    house.plant("the webhook's new secret", webhook);
    let fields = json!({"url": house.outside.webhook.url(), "secret": webhook, "send_ended": "1"});
    house.ask(admin, "POST", &format!("{at}/webhook/save"), &fields);
    let bot = "1001:new-planted-bot-of-june-AAE_y";
    house.plant("june's bot that is new", bot);
    house.ask(
        admin,
        "POST",
        "/enterprise/0367/telegram/bot",
        &json!({"token": bot}),
    );
    let key = patchbay::host_keys::make().expect("a key");
    let key = secrecy::ExposeSecret::expose_secret(&key);
    house.plant("a key that was brought", &heart(key));
    house.ask(
        admin,
        "POST",
        "/enterprise/0367/host/bring",
        &json!({"key": key}),
    );
    house.ask(
        admin,
        "POST",
        "/enterprise/0367/host/bring",
        &json!({"key": &key[..key.len() / 2]}),
    );
    house.ask(admin, "POST", "/enterprise/0367/host/test", &json!({}));
    let password = "a new pass/word+planted=3";
    house.plant("the administrator's new password", password);
    let fields = json!({"old": ADMIN, "new": password, "again": password});
    let answer = house.ask(admin, "POST", "/account/password", &fields);
    assert!(answer.body.contains("is changed"), "{}", answer.body);
}

/// Every page and every JSON of the table of routes.
fn every_page(house: &House, who: &Somebody) {
    let calls = who.person.get("/api/calls");
    let ids: Vec<String> = if calls.status == 200 {
        let calls = calls.json();
        let calls = calls["calls"].as_array().cloned().unwrap_or_default();
        calls
            .iter()
            .filter_map(|call| Some(call["id"].as_str()?.to_owned()))
            .collect()
    } else {
        vec!["1".into()]
    };
    for entry in routes::table() {
        if entry.method != "GET" || entry.path.starts_with("/retailcrm-admin/account") {
            continue;
        }
        for kind in KINDS {
            let path = entry
                .path
                .replace("{number}", "0367")
                .replace("{enterprise}", "0367")
                .replace("{kind}", kind)
                .replace("{phone}", "375296254070")
                .replace("{extension}", "150")
                .replace("{line}", "0001367")
                .replace("{key}", "none");
            if path == "/live/stream" {
                stream(house, who);
            } else if path.contains("calls/{id}") {
                for id in ids.iter().take(4) {
                    house.ask(who, "GET", &path.replace("{id}", id), &Value::Null);
                }
            } else {
                house.ask(who, "GET", &path.replace("{id}", "1"), &Value::Null);
            }
            if !entry.path.contains("{kind}") {
                break;
            }
        }
    }
    let pages = [
        "/retailcrm-admin/?enterprise_number=0367",
        "/enterprise/0368",
        "/enterprise/0368/integrations",
        "/nowhere",
    ];
    for path in pages {
        house.ask(who, "GET", path, &Value::Null);
    }
}

/// The beginning of the endless one.
fn stream(house: &House, who: &Somebody) {
    let mut wire = TcpStream::connect(house.server.address).expect("a connection");
    let cookie = who.person.cookie();
    let head = format!("GET /live/stream HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n");
    wire.write_all(head.as_bytes()).expect("sent");
    wire.set_read_timeout(Some(Duration::from_millis(400)))
        .expect("set");
    let (mut all, mut piece) = (Vec::new(), [0; 65536]);
    while let Ok(read @ 1..) = wire.read(&mut piece) {
        all.extend_from_slice(&piece[..read]);
    }
    house
        .heaps
        .borrow_mut()
        .push(Heap::new(format!("the stream of {}", who.name), all));
}
