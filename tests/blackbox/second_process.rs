//! Two processes on one PostgreSQL: what is changed on a page of the first acts on the next call that the second is told of,
//! within a second, and so does what is changed straight in the table. No call is told twice.

use std::time::{Duration, Instant};

use actors::cache::snapshot::{Line, NumberRule};
use actors::store::testing::{Kind, wait};
use actors::store::{Conn, StoreError, enterprises, users};
use serde_json::{Value, json};

use simulators::script::Behaviour;

use crate::world::answer::Answer;
use crate::world::{API_KEY, Host, JUNE, Person, Server, World, journal, story, until};

/// Within this after the save the next call is handled by the new setting.
const SOON: Duration = Duration::from_secs(1);

struct Two {
    world: World,
    second: Server,
    admin: Person,
    csrf: String,
    told: u32,
    _folder: tempfile::TempDir,
}

impl Two {
    fn start() -> Two {
        let world = World::on(Kind::Postgres).start();
        let folder = tempfile::tempdir().expect("a folder");
        let second = world.second(folder.path());
        let admin = world.person("admin@june");
        let page = admin.open("/retailcrm-admin/?enterprise_number=0367").body;
        let mark = "X-CSRF-Token\": \"";
        let at = page.find(mark).expect("a token") + mark.len();
        let csrf = page[at..].split('"').next().unwrap_or_default().to_owned();
        Two {
            world,
            second,
            admin,
            csrf,
            told: 0,
            _folder: folder,
        }
    }

    /// A form of a page, sent to the first process.
    fn save(&self, path: &str, form: &str) -> Answer {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-csrf-token", self.csrf.as_str()),
        ];
        let answer = self.admin.request("POST", path, &headers, form);
        let taken = [200, 303].contains(&answer.status);
        assert!(taken, "{path}: {} {}", answer.status, answer.body);
        answer
    }

    /// JSON, sent to the first process.
    fn put(&self, path: &str, body: &Value) {
        let headers = [
            ("content-type", "application/json"),
            ("x-csrf-token", self.csrf.as_str()),
        ];
        let answer = self
            .admin
            .request("POST", path, &headers, &body.to_string());
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }

    fn host(&self) -> Host {
        Host::new(&self.second, JUNE.token)
    }

    /// A whole call from this number, told to the second process; its unique id.
    fn call(&mut self, phone: &str) -> String {
        self.told += 1;
        let unique = format!("s.{}", self.told);
        self.host()
            .tell(&story::answered(&unique, phone, &["150"], "150"));
        unique
    }

    /// How many of this call's rows are like this.
    fn rows(&self, unique: &str, like: &str) -> i64 {
        self.world.number(&format!(
            "SELECT COUNT(*) FROM deliveries d JOIN calls c ON c.id = d.call_id WHERE c.unique_id = '{unique}' AND {like}"
        ))
    }

    /// What the second process has to say at this path.
    fn ask(&self, path: &str) -> Answer {
        Person::stranger(&self.second).request("GET", path, &[("x-api-key", API_KEY)], "")
    }

    /// Past both processes.
    fn straight(&self, work: impl FnOnce(&mut Conn) -> Result<(), StoreError> + Send + 'static) {
        let store = self.world.store.clone();
        wait(async move { store.write(work).await }).expect("written");
    }
}

/// Looks until it is so, on one thing of the second process after another, and fails a second after the save.
fn soon(what: &str, mut look: impl FnMut() -> bool) {
    let saved = Instant::now();
    loop {
        let asked = saved.elapsed();
        if look() {
            eprintln!("{what}: acts {} ms after the save", asked.as_millis());
            return;
        }
        assert!(asked < SOON, "{what}: not acting {asked:?} after the save");
    }
}

#[test]
fn a_change_on_a_page_acts_in_another_process_on_the_next_call() {
    let mut two = Two::start();
    let first = two.call("375296254070");
    assert!(has_card(&two, &first));

    // A field of an integration.
    let at = "/enterprise/0367/integrations";
    two.put(
        &format!("{at}/config"),
        &document(&two, json!({"send_dial": false})),
    );
    soon("no pop-ups", || {
        let call = two.call("375296254070");
        !has_card(&two, &call)
    });
    two.put(
        &format!("{at}/config"),
        &document(&two, json!({"send_dial": true})),
    );
    soon("pop-ups again", || {
        let call = two.call("375296254070");
        has_card(&two, &call)
    });

    // A rule of a line.
    two.save(
        "/enterprise/0367/lines",
        "line=0001367&name=Main&rules=%5E77(%5Cd%7B9%7D)%24+%3D%3E+%2B375%241",
    );
    soon("a number by the line's rule", || {
        let call = two.call("77296254070");
        is_read_as(&two, &call, "+375296254070")
    });

    // A manager's extension: the next click is for it.
    let click = "/retailcrm/make-call?clientId=click-of-june&userId=99&phone=375296254070";
    two.put(
        &format!("{at}/config"),
        &document(&two, json!({"client_id": "click-of-june"})),
    );
    soon("clicks are known", || two.ask(click).status == 400);
    two.put(
        "/retailcrm-admin/api/save-extensions/0367",
        &json!({"99": "152"}),
    );
    soon("the manager has an extension", || {
        let said = two.ask(click);
        // No host is set up here: whoever has no extension is told that first.
        said.status == 409 && !said.body.contains("No extension")
    });

    // A name on the people's page.
    two.save(
        "/enterprise/0367/people/extension",
        "extension=153&name=Galina",
    );
    soon("an extension's name", || {
        two.ask("/metadata/0367/manager/153").json()["name"] == "Galina"
    });

    // A pause: calls are taken, nothing is told; and then it is over.
    two.save(&format!("{at}/retailcrm/order"), "order=pause");
    soon("paused", || {
        let call = two.call("375296254070");
        let links = two.ask("/stats").json()["integrations"].clone();
        let mut links = links.as_array().cloned().unwrap_or_default().into_iter();
        let paused = links.any(|one| one["enterprise_number"] == "0367" && one["paused"] == true);
        paused && two.rows(&call, "d.integration = 'retailcrm' AND d.state = 'done'") == 0
    });
    let held = two.call("375296254070");
    until("the held call is over", || {
        (two.rows(&held, "d.kind LIKE 'upload%'") == 1).then_some(())
    });
    assert_eq!(
        two.rows(&held, "d.integration = 'retailcrm' AND d.state = 'done'"),
        0
    );
    two.save(&format!("{at}/retailcrm/order"), "order=resume");
    until("what was held back is told", || {
        (two.rows(&held, "d.kind LIKE 'upload%' AND d.state = 'done'") == 1).then_some(())
    });

    // A new token: the old one is nobody's.
    let answer = two.save("/enterprise/0367/rotate/token", "");
    let shown = answer
        .body
        .split("<pre class=\"mt-2\" tabindex=\"0\">")
        .nth(1);
    let token = shown
        .and_then(|rest| rest.split('<').next())
        .expect("a token")
        .to_owned();
    let event = json!({"UniqueId": "t.1", "Phone": "375296254070", "CallType": 0});
    soon("the old token is refused", || {
        two.host().post("start", &event).status == 403
    });
    assert_eq!(
        Host::new(&two.second, &token).post("start", &event).status,
        200
    );
    let over =
        json!({"UniqueId": "t.1", "Phone": "375296254070", "CallType": 0, "CallStatus": "0"});
    assert_eq!(
        Host::new(&two.second, &token).post("hangup", &over).status,
        200
    );

    told_once(&two);
}

#[test]
fn a_change_straight_in_the_table_acts_too() {
    let mut two = Two::start();
    two.call("375296254070");
    two.straight(|conn| {
        let rule = NumberRule {
            pattern: r"^88(\d{9})$".into(),
            replacement: "+375$1".into(),
        };
        let line = Line {
            name: "Straight".into(),
            rules: vec![rule],
        };
        enterprises::save_line(conn, 1, "0001367", &line)
    });
    soon("a number by the line's rule", || {
        let call = two.call("88296254070");
        is_read_as(&two, &call, "+375296254070")
    });
    two.straight(|conn| users::assign_extension(conn, 1, "150", None, "Zoya"));
    soon("an extension's name", || {
        two.ask("/metadata/0367/manager/150").json()["name"] == "Zoya"
    });
    let vault = two.world.store.vault().clone();
    two.straight(move |conn| {
        let mut document = enterprises::integrations(conn, &vault, 1)?;
        document["retailcrm"]["enabled"] = false.into();
        enterprises::save_integrations(conn, &vault, 1, &document, chrono::Utc::now())
    });
    soon("switched off", || {
        let call = two.call("375296254070");
        two.rows(&call, "d.integration = 'retailcrm'") == 0
    });
    // What was to be told before waits for the switch.
    let vault = two.world.store.vault().clone();
    two.straight(move |conn| {
        let mut document = enterprises::integrations(conn, &vault, 1)?;
        document["retailcrm"]["enabled"] = true.into();
        enterprises::save_integrations(conn, &vault, 1, &document, chrono::Utc::now())
    });
    told_once(&two);
}

/// RetailCRM's part of the document with something else in it.
fn document(two: &Two, change: Value) -> Value {
    let mut told =
        two.admin.get("/enterprise/0367/integrations/config").json()["retailcrm"].clone();
    for (name, value) in change.as_object().into_iter().flatten() {
        told[name] = value.clone();
    }
    json!({ "retailcrm": told })
}

/// Whether somebody saw the call's card, once everything of the pop-up is over.
fn has_card(two: &Two, unique: &str) -> bool {
    let open =
        "d.kind LIKE 'dial%' AND d.integration = 'retailcrm' AND d.state IN ('due', 'leased')";
    until("the pop-up is over", || {
        (two.rows(unique, open) == 0).then_some(())
    });
    let events = two.world.account(&JUNE).events();
    events
        .iter()
        .any(|event| event.kind == "in" && event.call.as_deref() == Some(unique))
}

fn is_read_as(two: &Two, unique: &str, phone: &str) -> bool {
    let sql =
        format!("SELECT COUNT(*) FROM calls WHERE unique_id = '{unique}' AND phone = '{phone}'");
    two.world.number(&sql) == 1
}

/// With two processes at work each call was told once.
fn told_once(two: &Two) {
    two.world.settle();
    let history = two.world.account(&JUNE).calls();
    let mut ids: Vec<String> = history
        .iter()
        .map(|call| call.external_id.clone())
        .collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(all, ids.len(), "history twice: {ids:?}");
    let uploads =
        "SELECT COUNT(*) FROM deliveries WHERE kind LIKE 'upload%' AND integration = 'retailcrm'";
    assert_eq!(two.world.number(uploads), all as i64);
    let messages = two.world.bot(&JUNE).messages(JUNE.chat);
    let ended = journal::number(
        &two.world.store,
        "SELECT COUNT(*) FROM calls WHERE enterprise_id = 1 AND state = 'ended'",
    );
    let kept = messages.iter().filter(|one| one.deleted.is_none()).count();
    assert_eq!(kept as i64, ended, "one message for each call");
}

#[test]
fn a_process_that_starts_takes_nothing_from_one_that_is_at_work() {
    let world = World::on(Kind::Postgres)
        .set("deliveries.timeout", "12s")
        .set("deliveries.lease", "30s")
        .start();
    // Slow, but within the time a CRM may take.
    world.crm.state.behave(Behaviour::delay(6000).on(JUNE.name));
    world
        .host(&JUNE)
        .tell(&story::answered("o.1", "375296254070", &["150"], "150")[..2]);
    let leased =
        "SELECT COUNT(*) FROM deliveries WHERE state = 'leased' AND integration = 'retailcrm'";
    until("the first is at it", || {
        (world.number(leased) == 1).then_some(())
    });
    let folder = tempfile::tempdir().expect("a folder");
    let second = world.second(folder.path());
    assert!(
        !second.said("were under way when the server last ended"),
        "what the first is at is the first one's: {}",
        second.last_words(20)
    );
    assert_eq!(world.number(leased), 1, "the first is still at it");
    world.settle();
    let cards = world.account(&JUNE).events();
    let cards = cards.iter().filter(|event| event.kind == "in").count();
    assert_eq!(cards, 1, "told once");
}
