//! Click-to-call and smart redirect with a real Asterisk behind a real sshd: who rings first, how fast the server
//! answers, what each failure is called, and that a caller is served whatever fails.

use std::time::{Duration, Instant};

use actors::cache::snapshot::HostKind;
use actors::store::testing::Kind;
use serde_json::{Value, json};
use simulators::amocrm;
use simulators::retailcrm::Customer;
use simulators::script::Behaviour;

use super::host::{CLIENT_ID, RealHost, SECRET, change};
use crate::world::answer::Answer;
use crate::world::{JUNE, Person, World, until};

const CLIENT: &str = "+375296254070";

fn world() -> World {
    World::on(Kind::Sqlite)
        .set("hosts.agent_answers_within", "7s")
        .set("hosts.connect_timeout", "1s")
        .start()
}

/// A click as RetailCRM sends it.
fn click(server: &Person, fields: &[(&str, &str)]) -> Answer {
    let query: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    let path = format!(
        "/retailcrm/make-call?clientId={CLIENT_ID}&{}",
        query.join("&")
    );
    server.get(&path)
}

fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Waits until the request has come so far; gives it.
fn reaches(person: &Person, id: &str, state: &str) -> Value {
    until(&format!("the request is {state}"), || {
        let told = person.get(&format!("/api/call-requests/{id}")).json();
        (told["state"] == state).then_some(told)
    })
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["request_id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// Error word of a refused click.
fn refused(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    answer.json()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_click_becomes_a_call_and_every_failure_has_its_words() {
    let world = world();
    let host = RealHost::start(&world);
    host.introduce(&world, HostKind::Kit);
    let (crm, root) = (Person::stranger(&world.server), world.person("root"));
    host.phone("150", "answer:1:4");
    host.phone(CLIENT, "answer:1:3");

    // By userId, by query; the first click opens the session.
    let cold = click(&crm, &[("userId", "16"), ("phone", CLIENT)]);
    let id = id_of(&cold);
    // Far above what it takes on a machine that does nothing else.
    assert!(cold.took < Duration::from_secs(3), "cold: {:?}", cold.took);
    let again = click(&crm, &[("userId", "16"), ("phone", CLIENT)]);
    assert_eq!(
        id_of(&again),
        id,
        "the same click within three seconds is one request"
    );
    let talking = reaches(&root, &id, "talking");
    let call = talking["call"].as_str().expect("its call").to_owned();
    reaches(&root, &id, "ended");
    host.quiet();
    let told = root.get(&format!("/api/calls/{call}")).json();
    let shown = &told["call"];
    assert_eq!(
        (&shown["direction"], &shown["result"]),
        (&json!("out"), &json!("answered")),
        "{shown}"
    );
    assert_eq!(shown["phone"], CLIENT, "{shown}");
    assert_eq!(told["request"]["id"], id.as_str(), "{told}");
    let page = root.get("/enterprise/0367/host?lang=ru").body;
    assert!(
        page.contains("завершён") && page.contains("отвечен") && !page.contains("> answered"),
        "how it ended, in the reader's language: {page}"
    );

    // By code, as a form and as JSON; any other caller with the enterprise's secret.
    host.phone("150", "busy");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = format!("clientId={CLIENT_ID}&code=150&phone=%2B375296254071");
    id_of(&crm.request("POST", "/retailcrm/make-call", &headers, &form));
    let headers = [("content-type", "application/json")];
    let body =
        json!({"clientId": CLIENT_ID, "userId": 16, "phone": "+375 (29) 625-40-72"}).to_string();
    id_of(&crm.request("POST", "/retailcrm/make-call", &headers, &body));
    id_of(&crm.get(&format!(
        "/api/makecallexternal?code=150&phone=+375296254073&clientId={SECRET}"
    )));

    // A warm session, and fifty at once.
    let mut warm: Vec<Duration> = (0..20)
        .map(|n| {
            let answer = click(
                &crm,
                &[("code", "150"), ("phone", &format!("+3752962541{n:02}"))],
            );
            id_of(&answer);
            answer.took
        })
        .collect();
    warm.sort();
    let before = host.logins();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for n in 0..50 {
            let crm = crm.clone();
            scope.spawn(move || {
                id_of(&click(
                    &crm,
                    &[("code", "150"), ("phone", &format!("+3752962542{n:02}"))],
                ))
            });
        }
    });
    eprintln!(
        "kit: cold {:?}, warm median {:?} worst {:?}, fifty at once {:?}, sessions {} then {}",
        cold.took,
        warm[10],
        warm[19],
        began.elapsed(),
        before,
        host.logins()
    );
    assert!(
        host.logins() <= 4,
        "four sessions at most: {}",
        host.logins()
    );
    host.quiet();

    // Nobody picks up: no event ever comes.
    let id = id_of(&click(&crm, &[("code", "151"), ("phone", CLIENT)]));
    reaches(&root, &id, "agent_missed");

    // What cannot be done, each in its own words.
    let unknown = click(&crm, &[("userId", "999"), ("phone", CLIENT)]);
    assert_eq!(
        (unknown.status, unknown.message().as_str()),
        (400, "No extension configured for user 999")
    );
    assert_eq!(
        refused(&click(&crm, &[("code", "299"), ("phone", CLIENT)]), 400),
        "unknown_extension"
    );
    for client in [JUNE.number, "", "somebody", SECRET] {
        let answer = crm.get(&format!(
            "/retailcrm/make-call?clientId={client}&code=150&phone=375296254070"
        ));
        assert_eq!(refused(&answer, 401), "denied", "{client}");
    }
    let digits = "1".repeat(1000);
    for hostile in [
        "$(id)",
        "1;id",
        "`id`",
        "+375296254070\nAction: x",
        "375&SIP/1",
        "../../etc",
        "150\"",
        &digits,
        "１５０１５０",
    ] {
        assert_eq!(
            refused(&click(&crm, &[("code", "150"), ("phone", hostile)]), 400),
            "bad-request",
            "{hostile:?}"
        );
        assert_eq!(
            refused(&click(&crm, &[("code", hostile), ("phone", CLIENT)]), 400),
            "bad-request",
            "{hostile:?}"
        );
    }
    let key = host.told("SSH_HOST_KEY").to_owned();
    let ours = std::fs::read_to_string(key).expect("the key");
    let other = ours.replacen("AAAAC3NzaC1lZDI1NTE5AAAAI", "AAAAC3NzaC1lZDI1NTE5AAAAJ", 1);
    change(&world, move |june| june.host_key = other);
    assert_eq!(
        refused(
            &click(&crm, &[("code", "150"), ("phone", "+375296254080")]),
            502
        ),
        "host_key_changed"
    );
    change(&world, |june| june.host_key = String::new());
    assert_eq!(
        refused(
            &click(&crm, &[("code", "150"), ("phone", "+375296254081")]),
            502
        ),
        "host_key_unknown"
    );
    change(&world, move |june| june.host_key = ours);
    host.rx("core stop now");
    until("Asterisk stops", || {
        let answer = click(&crm, &[("code", "150"), ("phone", "+375296254082")]);
        (answer.status == 502 && refused(&answer, 502) == "asterisk_not_running").then_some(())
    });
    change(&world, |june| june.ssh_port = 1);
    assert_eq!(
        refused(
            &click(&crm, &[("code", "150"), ("phone", "+375296254083")]),
            502
        ),
        "host_down"
    );
    for (words, rows) in [
        ("No extension configured for user 999", 1),
        ("the host''s key has changed%", 1),
        ("Asterisk does not run%", 1),
        ("the host cannot be reached%", 1),
    ] {
        let sql = format!(
            "SELECT COUNT(*) FROM integration_logs WHERE event_type = 'make_call' AND error_message LIKE '{words}'"
        );
        until(words, || (world.number(&sql) >= rows).then_some(()));
    }
    assert!(!world.server.said("PRIVATE KEY"), "no key in the log");
}

#[test]
fn a_plain_hosts_click_is_joined_by_extension_and_number() {
    let world = world();
    let host = RealHost::start(&world);
    host.open_plain();
    host.introduce(&world, HostKind::Plain);
    let (crm, root) = (Person::stranger(&world.server), world.person("root"));
    host.phone("150", "answer:1:4");
    host.phone(CLIENT, "answer:1:3");
    let cold = click(&crm, &[("userId", "16"), ("phone", CLIENT)]);
    let id = id_of(&cold);
    reaches(&root, &id, "ringing");
    reaches(&root, &id, "talking");
    reaches(&root, &id, "ended");
    host.quiet();
    host.phone("151", "busy");
    let mut warm: Vec<Duration> = (0..20)
        .map(|n| {
            let answer = click(
                &crm,
                &[("code", "151"), ("phone", &format!("+3752962541{n:02}"))],
            );
            id_of(&answer);
            answer.took
        })
        .collect();
    warm.sort();
    eprintln!(
        "plain: cold {:?}, warm median {:?} worst {:?}",
        cold.took, warm[10], warm[19]
    );
    assert_eq!(
        refused(&click(&crm, &[("code", "299"), ("phone", CLIENT)]), 400),
        "unknown_extension"
    );

    // A click in another CRM goes the same way: amoCRM's own widget, whose address has a key.
    change(&world, |june| {
        june.integrations["amocrm"] = json!({"enabled": true, "subdomain": "acme", "access_token": "x",
            "send_dial": false, "send_upload": false, "widget_secret": "w1dget", "address_key": "k3y-of-june"});
    });
    let widget = |secret: &str, key: &str| {
        let number = escape("+375296254099");
        crm.get(&format!(
            "/crm/amocrm/{key}?_secret={secret}&_action=call&from=150&to={number}"
        ))
    };
    host.phone("+375296254099", "answer:1:1");
    assert_eq!(widget("w1dget", "another-key").status, 401);
    assert!(
        widget("wrong", "k3y-of-june")
            .body
            .contains("secret is wrong")
    );
    let said = widget("w1dget", "k3y-of-june").body;
    let id = said
        .split('"')
        .find(|part| part.len() > 20)
        .unwrap_or_default()
        .to_owned();
    assert!(said.starts_with("asterisk_cb(") && !id.is_empty(), "{said}");
    let talking = reaches(&root, &id, "talking");
    let page = root.get(&format!(
        "/calls/{}?lang=en",
        talking["call"].as_str().expect("its call")
    ));
    assert!(
        page.body.contains("from amoCRM"),
        "the call's page tells whence it came"
    );
    reaches(&root, &id, "ended");
    host.quiet();
}

#[test]
fn a_waiting_caller_is_sent_to_the_manager_or_served_all_the_same() {
    let world = world();
    let host = RealHost::start(&world);
    host.introduce(&world, HostKind::Kit);
    let account = world.account(&JUNE);
    account.put_customer(Customer::new(
        70,
        "Пётр",
        "Второй",
        "+375297654321",
        Some(18),
    ));
    for (id, phone) in [(72, "+375297654323"), (73, "+375297654324")] {
        account.put_customer(Customer::new(id, "Пётр", "Ещё", phone, Some(18)));
    }
    account.put_customer(Customer::new(
        71,
        "Пётр",
        "Третий",
        "+375297654322",
        Some(18),
    ));
    let root = world.person("root");
    for phone in ["151", "152"] {
        host.phone(phone, "answer:1:1");
    }
    let calls = |phone: &str| -> Vec<Value> {
        let calls = root.get("/api/calls?size=100").json();
        let calls = calls["calls"].as_array().expect("calls");
        calls
            .iter()
            .filter(|call| call["phone"] == phone)
            .cloned()
            .collect()
    };
    let ended = |phone: &str| {
        until("the call ends", || {
            calls(phone)
                .into_iter()
                .find(|call| !call["result"].is_null())
        })
    };
    let decided = |call: &Value| -> Value {
        let id = call["id"].as_str().expect("an id");
        root.get(&format!("/api/calls/{id}")).json()["redirect"].clone()
    };

    // Known to the CRM: to the manager's phone, and nowhere else.
    host.incoming("1000200", "375297654321");
    let call = ended("+375297654321");
    assert_eq!(call["talked"], json!(["152"]), "{call}");
    assert_eq!(decided(&call)["reason"], "redirected", "{call}");
    host.quiet();
    // The same caller a moment later: there again, and the CRM is not asked a second time.
    let asked = || account.counts().requests.get("telephony/manager").copied();
    let before = asked();
    host.incoming("1000200", "375297654321");
    let again = until("the second call ends", || {
        calls("+375297654321")
            .into_iter()
            .find(|one| one["id"] != call["id"] && !one["result"].is_null())
    });
    assert_eq!(again["talked"], json!(["152"]), "{again}");
    assert_eq!(asked(), before, "the answer is kept for minutes");
    host.quiet();
    // Two CRMs say different managers: the primary's word counts.
    let amo = amocrm::Settings::default().without_limits();
    let amo = amocrm::start_in_thread("127.0.0.1:0", amo).expect("a second CRM");
    amo.state.add_contact("Пётр Шестой", "+375 29 765-43-26");
    account.put_customer(Customer::new(
        74,
        "Пётр",
        "Шестой",
        "+375297654326",
        Some(18),
    ));
    let address = amo.base_url.clone();
    change(&world, move |june| {
        june.integrations["amocrm"] = json!({"enabled": true, "subdomain": address,
            "access_token": "demo-token", "user_extensions": {"7654321": "150"}});
        june.integrations["smart"] = json!({"primary": "amocrm"});
    });
    host.phone("150", "answer:1:1");
    host.incoming("1000200", "375297654326");
    let call = ended("+375297654326");
    assert_eq!(call["talked"], json!(["150"]), "{call}");
    host.quiet();
    host.phone("150", "");
    until("both CRMs have the call", || {
        (!amo.state.notes().is_empty()).then(|| world.settle())
    });
    change(&world, |june| {
        june.integrations["smart"] = Value::Null;
        june.integrations["amocrm"] = Value::Null;
    });
    // Known to nobody: the dialplan's own group rings.
    host.incoming("1000200", "375291112233");
    let call = ended("+375291112233");
    assert_eq!(call["talked"], json!(["151"]), "{call}");
    assert_eq!(decided(&call)["reason"], "manager_not_found", "{call}");
    host.quiet();
    // The CRM is too slow.
    world.crm.state.behave(Behaviour::delay(2500));
    host.incoming("1000200", "375297654322");
    let call = ended("+375297654322");
    assert_eq!(call["talked"], json!(["151"]), "{call}");
    assert_eq!(decided(&call)["reason"], "timeout", "{call}");
    host.quiet();
    world.crm.state.behave(Behaviour::delay(0));

    // The caller hangs up while the CRM is asked.
    world.crm.state.behave(Behaviour::delay(1000));
    host.incoming("1000200", "375297654323");
    until("the caller waits", || {
        host.rx("core show channels concise")
            .contains("!waitredirect!")
            .then_some(())
    });
    host.rx("channel request hangup all");
    let call = ended("+375297654323");
    assert_eq!(call["talked"], json!([]), "{call}");
    let why = until("the decision", || {
        Some(decided(&call)).filter(|decision| !decision.is_null())
    });
    assert_eq!(why["reason"], "caller_gone", "{call}");
    host.quiet();
    world.crm.state.behave(Behaviour::delay(0));

    // The host takes no SSH: the dialplan's own group rings.
    let port = host.told("SSH_PORT").parse().expect("a port");
    change(&world, |june| june.ssh_port = 1);
    host.incoming("1000200", "375297654324");
    let call = ended("+375297654324");
    assert_eq!(call["talked"], json!(["151"]), "{call}");
    assert_eq!(decided(&call)["reason"], "host_down", "{call}");
    let page = root.get(&format!(
        "/calls/{}?lang=en",
        call["id"].as_str().expect("an id")
    ));
    assert!(
        page.body.contains("id=\"redirect\"") && page.body.contains("cannot be reached"),
        "the call's page tells why"
    );
    host.quiet();
    change(&world, move |june| june.ssh_port = port);

    // Gone before; and the host away: an answer, in words, and nothing else.
    let tell = |unique_id: &str| {
        let body =
            json!({"phone": "375297654321", "unique_id": unique_id, "channel": "x", "trunk": ""})
                .to_string();
        let headers = [("content-type", "application/json"), ("token", JUNE.token)];
        let answer = root.request("POST", "/api/smart-redirect/incoming-call", &headers, &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["result"].clone()
    };
    assert_eq!(tell("1795190808.99")["reason"], "caller_gone");
    assert_eq!(tell("1.1 ; core stop now")["reason"], "bad_unique_id");
    change(&world, |june| june.ssh_port = 1);
    assert_eq!(tell("1795190808.98")["reason"], "host_down");
}
