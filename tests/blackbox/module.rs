//! The RetailCRM module through the real program on both databases: registered in an account that knows nothing of us,
//! extensions given and taken, cards at whoever has the extension at that moment, names in messages, the link in and out.

use std::sync::Arc;

use actors::store::testing::Kind;
use serde_json::{Value, json};
use simulators::retailcrm::{Account, Customer, NewAccount, User};

use crate::world::answer::Answer;
use crate::world::{JUNE, Person, World, on_both_databases, story, until};

const API: &str = "/retailcrm-admin/api";

on_both_databases!(
    cards_follow_the_extension,
    the_crms_requests_are_known_by_the_token_it_was_given,
);

/// An account of people and clients in which nobody has an extension and telephony is off.
pub fn people_without_extensions() -> NewAccount {
    NewAccount {
        users: vec![
            User::new(16, "Анна", "Петрова", None),
            User::new(17, "Борис", "Ильин", None),
        ],
        customers: vec![Customer::new(
            60,
            "Иван",
            "Сидоров",
            "+375296254070",
            Some(16),
        )],
        telephony: false,
        ..NewAccount::new("fresh", "key-of-fresh-123")
    }
}

struct Scene {
    world: World,
    account: Arc<Account>,
    admin: Person,
    csrf: String,
}

impl Scene {
    fn on(kind: Kind) -> Scene {
        let world = World::on(kind).start();
        let account = world.crm.state.add_account(&people_without_extensions());
        let admin = world.person("admin@june");
        let page = admin.open("/retailcrm-admin/?enterprise_number=0367").body;
        let mark = "X-CSRF-Token\": \"";
        let at = page.find(mark).expect("a token") + mark.len();
        let csrf = page[at..].split('"').next().unwrap_or_default().to_owned();
        Scene {
            world,
            account,
            admin,
            csrf,
        }
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [
            ("content-type", "application/json"),
            ("x-csrf-token", self.csrf.as_str()),
        ];
        self.admin.request(
            method,
            &format!("{API}/{path}/0367"),
            &headers,
            &body.to_string(),
        )
    }

    fn registered(&self) {
        // What the world furnished belongs to another account.
        assert_eq!(self.send("DELETE", "config", &json!({})).status, 200);
        let domain = format!("{}/a/fresh", self.world.crm.base_url);
        let answer = self.send(
            "POST",
            "register",
            &json!({"domain": domain, "api_key": "key-of-fresh-123"}),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    fn give(&self, told: Value) {
        let answer = self.send("POST", "save-extensions", &told);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// A call to these extensions; who saw its card.
    fn rings(&self, unique_id: &str, extensions: &[&str]) -> Vec<i64> {
        let story = story::answered(unique_id, "375296254070", extensions, extensions[0]);
        self.world.host(&JUNE).tell(&story);
        self.world.settle();
        let cards = self.account.cards();
        let mut saw: Vec<i64> = cards
            .iter()
            .filter(|card| card.call.as_deref() == Some(unique_id))
            .filter_map(|card| card.user_id)
            .collect();
        saw.sort_unstable();
        saw
    }
}

fn cards_follow_the_extension(kind: Kind) {
    let scene = Scene::on(kind);
    scene.registered();
    scene.give(json!({"16": "150", "17": "151"}));
    assert_eq!(scene.rings("m1.1", &["150"]), [16]);
    assert_eq!(scene.rings("m1.2", &["151"]), [17]);
    scene.give(json!({"17": "150"}));
    assert_eq!(
        scene.rings("m1.3", &["150"]),
        [17],
        "the next call goes to whoever has it now"
    );
    let held = scene
        .admin
        .get(&format!("{API}/user-extensions/0367"))
        .json();
    assert_eq!(held["user_extensions"], json!({"16": null, "17": "150"}));

    assert_eq!(
        scene.send("POST", "sync-extensions", &json!({})).json()["differences"],
        json!([])
    );
    let message = until("the message names the client", || {
        let messages = scene.world.bot(&JUNE).messages(JUNE.chat);
        messages
            .iter()
            .map(|message| message.text().to_owned())
            .find(|text| text.contains("Сидоров"))
    });
    assert!(message.contains("Иван"), "{message}");

    // Removed: the CRM gets no more, and the account has the module switched off.
    assert_eq!(scene.send("DELETE", "config", &json!({})).status, 200);
    assert!(scene.rings("m1.4", &["150"]).is_empty());
    assert!(scene.account.modules().iter().all(|module| !module.active));
}

fn the_crms_requests_are_known_by_the_token_it_was_given(kind: Kind) {
    let scene = Scene::on(kind);
    scene.registered();
    let body = scene.account.modules()[0].body.clone();
    let client_id = body["clientId"].as_str().expect("a clientId").to_owned();
    let stranger = Person::stranger(&scene.world.server);

    let status = |client_id: &str| {
        stranger
            .get(&format!(
                "/retailcrm/status?clientId={client_id}&userId=16&status=dinner"
            ))
            .status
    };
    assert_eq!(
        (status(&client_id), status("0367"), status("nonsense")),
        (200, 401, 401)
    );
    let users = scene.admin.get(&format!("{API}/managers/0367")).json();
    let anna = users["managers"]
        .as_array()
        .expect("managers")
        .iter()
        .find(|one| one["id"] == "16")
        .expect("Anna");
    assert_eq!(
        (&anna["name"], &anna["status"]),
        (&json!("Петрова Анна"), &json!("dinner"))
    );

    let link = body["accountUrl"]
        .as_str()
        .expect("a link")
        .replace("http://patchbay.example", "");
    let opened = stranger.request(
        "POST",
        &link,
        &[("content-type", "application/x-www-form-urlencoded")],
        "clientId=x",
    );
    assert_eq!(
        (opened.status, opened.header("location")),
        (303, "/retailcrm-admin/?enterprise_number=0367")
    );
    let unknown = stranger.get(&format!(
        "/retailcrm/make-call?clientId={client_id}&userId=999&phone=375296254070"
    ));
    assert_eq!(unknown.status, 400, "{}", unknown.body);
    assert!(
        unknown
            .body
            .contains("No extension configured for user 999"),
        "{}",
        unknown.body
    );

    // Registered again, the old link is no good; the clientId stays, so no click is lost.
    assert_eq!(scene.send("POST", "register", &json!({})).status, 200);
    assert_eq!(stranger.get(&link).status, 401);
    assert_eq!(
        scene.account.modules()[0].body["clientId"],
        client_id.as_str()
    );
    assert_eq!(status(&client_id), 200);
}
