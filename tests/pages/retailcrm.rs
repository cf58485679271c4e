//! The RetailCRM module against the strict simulator: registering, refusals in the CRM's words, managers and extensions
//! kept in step, the account link, the API, removal.

use actix_web::http::Method;
use actors::store::{audit, testing};
use patchbay::web::routes;
use patchbay::web::session::policy::Area;
use serde_json::{Value, json};
use simulators::retailcrm::{self, Account, NewAccount, StatusChange, User};
use simulators::script::Behaviour;
use simulators::server::Running;

use crate::door::{Answer, Browser, Door, client, read};

const MODULE: &str = "/retailcrm-admin/module/0367";
const API: &str = "/retailcrm-admin/api";
const PAGE: &str = "/retailcrm-admin/?enterprise_number=0367";

struct Scene {
    door: Door,
    crm: Running<retailcrm::State>,
    admin: Browser,
}

impl Scene {
    /// A server, and an account of people without extensions whose telephony nobody switched on.
    async fn new() -> Scene {
        let crm = retailcrm::Settings {
            accounts: vec![NewAccount {
                users: vec![
                    User::new(16, "Анна", "Петрова", None),
                    User::new(17, "Борис", "<Ильин>", None),
                    User::new(18, "Вера", "Соколова", None),
                ],
                sites: vec!["main-shop".into()],
                telephony: false,
                ..NewAccount::new("demo", "demo-key-1234567")
            }],
            ..retailcrm::Settings::default()
        };
        let crm = retailcrm::start("127.0.0.1:0", crm.without_limits())
            .await
            .expect("a simulator");
        let door = Door::open_at("http://patchbay.example", "").await;
        let id = 1;
        door.store
            .write(move |conn| {
                for (extension, name) in [("151", "Борис"), ("152", "")] {
                    actors::store::users::assign_extension(conn, id, extension, None, name)?;
                }
                Ok(())
            })
            .await
            .expect("extensions");
        let admin = door.log_in("admin-0367").await;
        // The people were written past the server.
        door.page(&admin, &format!("{API}/config-cache/refresh/0367"))
            .await;
        Scene { door, crm, admin }
    }

    fn account(&self) -> std::sync::Arc<Account> {
        self.crm.state.root_account().expect("the account")
    }

    async fn post(&self, what: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("csrf", self.admin.csrf.as_str())];
        all.extend_from_slice(fields);
        self.door
            .post(&self.admin, &format!("{MODULE}/{what}?lang=en"), &all)
            .await
    }

    /// The form with address and key, and what else is told.
    async fn register(&self, key: &str, more: &[(&str, &str)]) -> Answer {
        let mut fields = vec![
            ("boxes", "1"),
            ("domain", self.crm.base_url.as_str()),
            ("api_key", key),
            ("send_dial", "1"),
            ("send_hangup", "1"),
            ("send_upload", "1"),
        ];
        fields.extend_from_slice(more);
        self.post("register", &fields).await
    }

    async fn registered(&self) {
        let answer = self.register("demo-key-1234567", &[]).await;
        assert!(
            answer.body.contains("Registered in RetailCRM and saved"),
            "{answer:?}"
        );
    }

    async fn give(&self, user: &str, extension: &str) -> Answer {
        self.post("managers/save", &[("user", user), ("extension", extension)])
            .await
    }

    /// A request of the API with a body of this kind.
    async fn api(&self, method: Method, path: &str, kind: &str, body: &str) -> Answer {
        let request = client()
            .request(method, format!("{}{API}/{path}", self.door.base))
            .insert_header(("Cookie", self.admin.cookie.clone()))
            .insert_header(("X-CSRF-Token", self.admin.csrf.clone()))
            .insert_header(("Content-Type", kind.to_owned()));
        read(request.send_body(body.to_owned()).await).await
    }

    async fn json(&self, method: Method, path: &str, body: Value) -> Answer {
        self.api(method, path, "application/json", &body.to_string())
            .await
    }

    /// (event, status, words) of the log, oldest first.
    async fn log(&self) -> Vec<(String, String, String)> {
        let path = "/enterprise/0367/integrations/logs?integration=retailcrm";
        let told = self.door.get(&self.admin, path, &[]).await.json();
        let mut rows: Vec<_> = told["logs"]
            .as_array()
            .expect("logs")
            .iter()
            .map(|row| {
                let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                (text("event_type"), text("status"), text("error_message"))
            })
            .collect();
        rows.reverse();
        rows
    }

    async fn last_line(&self) -> (String, String, String) {
        self.log().await.pop().expect("a line of the log")
    }

    async fn held(&self) -> Value {
        let path = format!("{API}/user-extensions/0367");
        self.door.get(&self.admin, &path, &[]).await.json()["user_extensions"].clone()
    }

    async fn close(self) {
        self.door.close().await;
        self.crm.stop().await;
    }
}

fn codes(account: &Account) -> Vec<(String, i64)> {
    account.codes()
}

fn line(event: &str, status: &str, words: &str) -> (String, String, String) {
    (event.into(), status.into(), words.into())
}

#[actix_web::test]
async fn a_module_is_registered_as_retailcrm_wants_it_and_again_without_harm() {
    let scene = Scene::new().await;
    let page = scene.door.page(&scene.admin, PAGE).await;
    assert!(
        page.status == 200 && page.body.contains("<title>june — RetailCRM"),
        "{page:?}"
    );
    scene.registered().await;

    let modules = scene.account().modules();
    assert_eq!(modules.len(), 1);
    let body = &modules[0].body;
    assert_eq!(body["code"], "patchbay-0367");
    assert_eq!(body["baseUrl"], "http://patchbay.example");
    assert_eq!(body["logo"], "http://patchbay.example/static/logo.svg");
    let telephony = &body["integrations"]["telephony"];
    assert_eq!(
        telephony["makeCallUrl"],
        "http://patchbay.example/retailcrm/make-call"
    );
    assert_eq!(
        telephony["changeUserStatusUrl"],
        "http://patchbay.example/retailcrm/status"
    );
    assert_eq!(
        (&telephony["additionalCodes"], &telephony["externalPhones"]),
        (&json!([]), &json!([]))
    );
    let client_id = body["clientId"].as_str().expect("a clientId").to_owned();
    assert!(client_id.len() >= 40 && client_id != "0367", "{client_id}");
    let logo = scene
        .door
        .get(&Browser::default(), "/static/logo.svg", &[])
        .await;
    assert!(
        logo.status == 200 && logo.header("content-type").contains("svg"),
        "{logo:?}"
    );

    // Again, with shops' numbers: the same module, the same clientId, another link.
    let shops = [(
        "shop_phones",
        "main-shop=+375173900017, nowhere=+375173900018",
    )];
    let again = scene.register("****4567", &shops).await;
    assert!(
        again.body.contains("the CRM knows no shop nowhere"),
        "{again:?}"
    );
    let modules = scene.account().modules();
    assert_eq!((modules.len(), modules[0].edits), (1, 2));
    assert_eq!(modules[0].body["clientId"], client_id.as_str());
    assert_ne!(modules[0].body["accountUrl"], body["accountUrl"]);
    let phones = modules[0].telephony("externalPhones").cloned();
    assert_eq!(
        phones.expect("phones")[0],
        json!({"siteCode": "main-shop", "externalPhone": "+375173900017"})
    );
    assert_eq!(
        scene.log().await,
        [
            line("register_module", "success", ""),
            line(
                "register_module",
                "success",
                "the CRM knows no shop nowhere"
            )
        ]
    );

    // Neither page nor log nor audit shows a secret.
    let page = scene.door.page(&scene.admin, PAGE).await;
    let logs = scene
        .door
        .get(&scene.admin, "/enterprise/0367/integrations/logs", &[])
        .await;
    let rows = scene
        .door
        .store
        .read(|conn| audit::page(conn, None, 0, 20))
        .await
        .expect("the audit");
    let config = scene
        .door
        .get(&scene.admin, &format!("{API}/config/0367"), &[])
        .await;
    let link = modules[0].body["accountUrl"].as_str().unwrap_or_default();
    let token = link.split("token=").nth(1).expect("a token");
    for text in [&page.body, &logs.body, &format!("{rows:?}"), &config.body] {
        for secret in ["demo-key-1234567", &client_id, token] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(
        rows.iter().any(|row| row.action == "retailcrm.register"),
        "{rows:?}"
    );
    scene.close().await;
}

#[actix_web::test]
async fn what_retailcrm_refuses_is_told_in_its_words_and_logged_and_nothing_is_saved() {
    let scene = Scene::new().await;
    // What our own requests never do, in the words it has for it.
    let refuses = |errors: Value| {
        let mut body =
            json!({"success": false, "errorMsg": "Errors in the entity format", "errors": errors});
        if let Some(words) = body["errors"].as_str().map(str::to_owned) {
            body["errorMsg"] = words.into();
        }
        let answer = Behaviour {
            body: Some(body),
            ..Behaviour::status(400)
        };
        Some(answer.at("integration-modules/edit").times(1))
    };
    let non_scalar =
        refuses("Input value \"integrationModule\" contains a non-scalar value".into());
    let blank = refuses(json!({"baseUrl": "This value should not be blank"}));
    let key = "demo-key-1234567";
    scene.account().put_key(retailcrm::ApiKey {
        key: "a-key-that-may-not".into(),
        denied: vec!["integration-modules".into()],
    });
    type Case<'a> = (
        &'a str,
        &'a [(&'a str, &'a str)],
        Option<Behaviour>,
        &'a str,
    );
    let table: [Case<'_>; 7] = [
        ("a-wrong-key-00000", &[], None, "Wrong \"apiKey\" value."),
        ("a-key-that-may-not", &[], None, "Access denied."),
        (
            key,
            &[("logo", "https://pbx.example/logo.png")],
            None,
            "Logo image must be svg",
        ),
        (
            key,
            &[("logo", "logo.svg")],
            None,
            "This value is not a valid URL.",
        ),
        (key, &[], non_scalar, "contains a non-scalar value"),
        (key, &[], blank, "baseUrl: This value should not be blank"),
        (
            key,
            &[("domain", "http://127.0.0.1:9")],
            None,
            "cannot connect",
        ),
    ];
    for (number, (key, more, script, words)) in table.into_iter().enumerate() {
        if let Some(script) = script {
            scene.crm.state.behave(script);
        }
        let mut fields: Vec<(&str, &str)> = more.to_vec();
        let own = fields.iter().any(|(name, _)| *name == "domain");
        let answer = if own {
            fields.extend([("boxes", "1"), ("api_key", key)]);
            scene.post("register", &fields).await
        } else {
            scene.register(key, &fields).await
        };
        let shown = words.replace('"', "&quot;");
        assert!(
            answer.body.contains("Not registered, nothing was saved")
                && answer.body.contains(&shown),
            "{words}: {answer:?}"
        );
        let log = scene.log().await;
        assert_eq!(log.len(), number + 1, "{words}: {log:?}");
        let (event, status, said) = &log[number];
        assert!(
            event == "register_module" && status == "error" && said.contains(words),
            "{words}: {log:?}"
        );
        let kept = scene
            .door
            .get(&scene.admin, &format!("{API}/config/0367"), &[])
            .await
            .json();
        assert_eq!(kept["config"], Value::Null, "{words}");
    }
    // What cannot even be asked.
    let empty = scene
        .post(
            "register",
            &[("boxes", "1"), ("domain", "two words"), ("api_key", "x")],
        )
        .await;
    assert!(empty.body.contains("domain"), "{empty:?}");
    scene.close().await;
}

#[actix_web::test]
async fn an_extension_belongs_to_one_manager_on_both_sides() {
    let scene = Scene::new().await;
    let before = scene.post("managers", &[]).await;
    assert!(
        before
            .body
            .contains("appear when address and key are entered"),
        "{before:?}"
    );
    scene.registered().await;
    let list = scene.post("managers", &[]).await;
    for words in [
        "Петрова Анна",
        "&lt;Ильин&gt; Борис",
        "150 (Hanna, free)",
        "151 (Борис, free)",
        "152 (free)",
    ] {
        assert!(list.body.contains(words), "{words}: {list:?}");
    }

    scene.give("16", "150").await;
    scene.give("17", "151").await;
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 16), ("151".into(), 17)]
    );
    let moved = scene.give("18", "150").await;
    assert!(
        moved
            .body
            .contains("Extension 150 was taken from Петрова Анна")
            && moved.body.contains("150 (Соколова Вера)"),
        "{moved:?}"
    );
    assert_eq!(
        scene.held().await,
        json!({"16": null, "17": "151", "18": "150"})
    );
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 18), ("151".into(), 17)]
    );

    // What is none, or not this enterprise's, is refused; so is what the CRM does not take, and then nothing is changed.
    assert_eq!(scene.give("16", "250").await.status, 400);
    assert_eq!(scene.give("anna", "150").await.status, 400);
    scene.crm.state.behave(
        Behaviour::status(500)
            .at("integration-modules/edit")
            .times(1),
    );
    let failed = scene.give("16", "152").await;
    assert!(
        failed
            .body
            .contains("Not saved, neither here nor in RetailCRM"),
        "{failed:?}"
    );
    assert_eq!(
        scene.held().await,
        json!({"16": null, "17": "151", "18": "150"})
    );
    let (event, status, _) = scene.last_line().await;
    assert_eq!(
        (event.as_str(), status.as_str()),
        ("save_extensions", "error")
    );

    // A user the CRM does not know is said so.
    let unknown = scene
        .json(Method::POST, "save-extensions/0367", json!({"999": "152"}))
        .await;
    assert!(
        unknown.body.contains("the CRM knows no user 999"),
        "{unknown:?}"
    );
    let (event, status, said) = scene.last_line().await;
    assert_eq!(
        (event.as_str(), status.as_str()),
        ("save_extensions", "success")
    );
    assert!(said.contains("knows no user 999"), "{said}");

    // A manager's status is kept and shown.
    let change = StatusChange {
        user_id: 17,
        status: "dinner".into(),
        ..StatusChange::default()
    };
    let client_id = scene.account().modules()[0].body["clientId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = format!(
        "/retailcrm/status?clientId={client_id}&userId={}&status={}",
        change.user_id, change.status
    );
    assert_eq!(
        scene.door.get(&Browser::default(), &path, &[]).await.status,
        200
    );
    assert!(scene.post("managers", &[]).await.body.contains("at lunch"));
    let live = scene.door.page(&scene.admin, "/live/managers").await;
    assert!(
        live.body.contains("Борис") && live.body.contains("at lunch"),
        "{live:?}"
    );
    let other = scene.door.log_in("admin-0401").await;
    let live = scene.door.page(&other, "/live/managers").await;
    assert!(
        live.status == 200 && !live.body.contains("at lunch"),
        "{live:?}"
    );
    scene.close().await;
}

#[actix_web::test]
async fn what_cannot_be_saved_here_is_taken_back_there() {
    let scene = Scene::new().await;
    scene.registered().await;
    scene.give("16", "150").await;
    // The database takes log lines, but no change of an enterprise.
    let sabotage = "CREATE TRIGGER no_change BEFORE UPDATE ON enterprises BEGIN SELECT RAISE(ABORT, 'no'); END";
    scene
        .door
        .store
        .write(move |conn| {
            testing::execute(conn, sabotage);
            Ok(())
        })
        .await
        .expect("a trigger");
    let failed = scene.give("17", "150").await;
    assert!(failed.status >= 500, "{failed:?}");
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 16)],
        "the CRM has what it had"
    );
    assert_eq!(scene.held().await, json!({"16": "150"}));
    let (event, _, words) = scene.last_line().await;
    assert_eq!(
        (event.as_str(), words.as_str()),
        ("save_extensions", "put back")
    );
    let again = scene.register("****4567", &[]).await;
    assert!(
        again.status == 503
            && again
                .body
                .contains("could not be saved here: register again"),
        "{again:?}"
    );
    scene.close().await;
}

#[actix_web::test]
async fn both_sides_are_kept_in_step_and_ours_wins() {
    let scene = Scene::new().await;
    // Somebody registered this module before, with extensions: they are taken over once.
    let seeded = json!({
        "code": "older-bridge", "name": "x", "clientId": "x", "baseUrl": "http://x.example", "logo": "http://x.example/x.svg",
        "integrations": {"telephony": {"additionalCodes": [{"userId": 16, "code": "150"}, {"userId": 17, "code": "151"}]}},
    });
    edit(&scene, &seeded).await;
    let code = [("module_code", "older-bridge")];
    let answer = scene.register("demo-key-1234567", &code).await;
    assert!(
        answer.body.contains("Registered in RetailCRM"),
        "{answer:?}"
    );
    assert_eq!(scene.held().await, json!({"16": "150", "17": "151"}));

    // Then somebody changes them there: ours wins, and the log has the difference.
    let mut theirs = scene.account().modules()[0].body.clone();
    theirs["integrations"]["telephony"]["additionalCodes"] = json!([{"userId": 16, "code": "152"}]);
    edit(&scene, &theirs).await;
    let list = scene.post("managers", &[]).await;
    assert!(
        list.body.contains("RetailCRM held other extensions"),
        "{list:?}"
    );
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 16), ("151".into(), 17)]
    );
    let (event, _, words) = scene.last_line().await;
    assert_eq!(event, "sync_extensions");
    assert!(
        words.contains("user 16: 150 here, 152 in the CRM; user 17: 151 here, none in the CRM"),
        "{words}"
    );
    let lines = scene.log().await.len();
    let list = scene.post("managers", &[]).await;
    assert!(!list.body.contains("RetailCRM held other"), "{list:?}");
    assert_eq!(
        scene.log().await.len(),
        lines,
        "nothing differs, nothing is told"
    );

    // The CRM takes a change and its answer is lost: nothing is changed here, and the next look puts it right there.
    let lost = Behaviour::status(500)
        .at("integration-modules/edit")
        .times(1)
        .after();
    scene.crm.state.behave(lost);
    let answer = scene.give("18", "150").await;
    assert!(answer.body.contains("Not saved"), "{answer:?}");
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 18), ("151".into(), 17)]
    );
    assert_eq!(scene.held().await, json!({"16": "150", "17": "151"}));
    let list = scene.post("managers", &[]).await;
    assert!(
        list.body.contains("RetailCRM held other extensions"),
        "{list:?}"
    );
    assert_eq!(
        codes(&scene.account()),
        [("150".into(), 16), ("151".into(), 17)]
    );

    // The CRM away: words, and the way to ask again.
    scene
        .crm
        .state
        .behave(Behaviour::status(500).at("users").times(1));
    let away = scene.post("managers", &[]).await;
    assert!(
        away.body.contains("does not tell its managers") && away.body.contains("Ask again"),
        "{away:?}"
    );
    scene.close().await;
}

/// Somebody edits the module past us.
async fn edit(scene: &Scene, module: &Value) {
    let code = module["code"].as_str().expect("a code");
    let request = client()
        .post(format!(
            "{}/api/v5/integration-modules/{code}/edit",
            scene.crm.base_url
        ))
        .insert_header(("X-API-KEY", "demo-key-1234567"));
    let answer = read(
        request
            .send_form(&[("integrationModule", module.to_string())])
            .await,
    )
    .await;
    assert!([200, 201].contains(&answer.status), "{answer:?}");
}

/// The path of the link that the CRM holds.
fn link(scene: &Scene) -> String {
    let url = scene.account().modules()[0].body["accountUrl"]
        .as_str()
        .expect("a link")
        .to_owned();
    url.replace("http://patchbay.example", "")
}

#[actix_web::test]
async fn the_account_link_opens_one_page_of_one_enterprise_until_it_is_revoked() {
    let scene = Scene::new().await;
    scene.registered().await;
    let (first, nobody) = (link(&scene), Browser::default());
    for method in [Method::GET, Method::POST] {
        let fields = [("clientId", "whatever")];
        let opened = scene.door.send(&nobody, &method, &first, &fields).await;
        assert_eq!(opened.status, 303, "{opened:?}");
        assert_eq!(opened.header("location"), PAGE);
        let cookie = opened.header("set-cookie");
        assert!(
            cookie.contains("Path=/retailcrm-admin") && cookie.contains("HttpOnly"),
            "{cookie}"
        );
    }
    let opened = scene.door.get(&nobody, &first, &[]).await;
    let cookie = opened
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut guest = Browser {
        cookie,
        csrf: String::new(),
    };
    let page = scene.door.page(&guest, PAGE).await;
    assert!(
        page.status == 200 && page.body.contains("june") && !page.body.contains("/logout"),
        "{page:?}"
    );
    let mark = "X-CSRF-Token\": \"";
    let at = page.body.find(mark).expect("a token") + mark.len();
    guest.csrf = page.body[at..]
        .split('"')
        .next()
        .unwrap_or_default()
        .to_owned();

    // This page, this enterprise, nothing else.
    for (path, status) in [
        ("/retailcrm-admin/?enterprise_number=0401", 404),
        ("/retailcrm-admin/api/config/0401", 404),
        ("/retailcrm-admin/api/config/0367", 200),
        ("/live", 303),
        ("/calls", 303),
        ("/enterprise/0367/integrations", 303),
        ("/enterprise/0367/integrations/config", 303),
        ("/account", 303),
        ("/system", 303),
    ] {
        let answer = scene.door.page(&guest, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(!answer.body.contains("north"), "{path}");
    }
    for entry in routes::table() {
        if entry.area == Area::Module || !entry.area.needs_session() || entry.area == Area::Machine
        {
            continue;
        }
        let path = entry
            .path
            .replace("{number}", "0367")
            .replace("{kind}", "retailcrm")
            .replace("{id}", "1");
        let answer = scene
            .door
            .send(
                &guest,
                &entry.method,
                &path,
                &[("csrf", guest.csrf.as_str())],
            )
            .await;
        assert!(
            [303, 401].contains(&answer.status),
            "{} {path}: {answer:?}",
            entry.method
        );
    }
    let save = format!("{MODULE}/managers/save");
    let fields = [("user", "16"), ("extension", "150")];
    assert_eq!(
        scene.door.post(&guest, &save, &fields).await.status,
        403,
        "without the form's token"
    );
    let fields = [
        ("user", "16"),
        ("extension", "150"),
        ("csrf", guest.csrf.as_str()),
    ];
    assert_eq!(scene.door.post(&guest, &save, &fields).await.status, 200);
    let rows = scene
        .door
        .store
        .read(|conn| audit::page(conn, None, 0, 20))
        .await
        .expect("the audit");
    assert!(rows.iter().any(|row| row.who == "retailcrm@0367"
        && row.action == "retailcrm.extensions"
        && row.user.is_none()));

    // A guest who registers again stays in; the old link and the old cookie are no good any more.
    let again = [("csrf", guest.csrf.as_str())];
    let registered = scene
        .door
        .post(&guest, &format!("{MODULE}/register?lang=en"), &again)
        .await;
    assert!(
        registered.body.contains("Registered in RetailCRM"),
        "{registered:?}"
    );
    let renewed = Browser {
        cookie: registered
            .header("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned(),
        csrf: guest.csrf.clone(),
    };
    assert_eq!(scene.door.page(&renewed, PAGE).await.status, 200);
    assert_eq!(
        scene
            .door
            .post(&renewed, &format!("{MODULE}/managers"), &again)
            .await
            .status,
        200
    );
    assert_eq!(
        scene.door.page(&guest, PAGE).await.status,
        303,
        "the old cookie"
    );
    let old = scene.door.page(&nobody, &first).await;
    assert!(
        old.status == 401 && old.body.contains("This link is not good"),
        "{old:?}"
    );
    for bad in [
        "/retailcrm-admin/account",
        "/retailcrm-admin/account?token=a.b.c",
    ] {
        assert_eq!(scene.door.get(&nobody, bad, &[]).await.status, 401, "{bad}");
    }

    // Removing ends the new one, too.
    let last = link(&scene);
    assert_eq!(scene.door.get(&nobody, &last, &[]).await.status, 303);
    let removed = scene.post("remove", &[]).await;
    assert!(
        removed.body.contains("The integration is removed"),
        "{removed:?}"
    );
    assert_eq!(scene.door.get(&nobody, &last, &[]).await.status, 401);
    assert_eq!(scene.door.page(&renewed, PAGE).await.status, 303);
    assert!(
        !scene.account().modules()[0].active,
        "the CRM's module is switched off"
    );
    assert_eq!(
        scene.last_line().await,
        line("remove_module", "success", "")
    );
    scene.close().await;
}

#[actix_web::test]
async fn a_module_that_the_crm_does_not_let_go_can_be_forgotten_here() {
    let scene = Scene::new().await;
    scene.registered().await;
    scene.account().revoke_key("demo-key-1234567");
    let refused = scene.post("remove", &[]).await;
    assert!(
        refused.body.contains("Not removed") && refused.body.contains("apiKey"),
        "{refused:?}"
    );
    assert_ne!(scene.held().await, Value::Null);
    let path = format!("{API}/config/0367");
    let kept = scene.door.get(&scene.admin, &path, &[]).await.json();
    assert_eq!(kept["registered"], true);
    let forgotten = scene.post("remove", &[("anyway", "1")]).await;
    assert!(
        forgotten.body.contains("the CRM was not told"),
        "{forgotten:?}"
    );
    let kept = scene.door.get(&scene.admin, &path, &[]).await.json();
    assert_eq!(
        (&kept["registered"], &kept["config"]),
        (&json!(false), &Value::Null)
    );
    scene.close().await;
}

#[actix_web::test]
async fn the_api_says_in_words_what_it_cannot_use() {
    let scene = Scene::new().await;
    let json_type = "application/json";
    let form_type = "application/x-www-form-urlencoded";
    for (method, path) in [
        (Method::PUT, "config/0367"),
        (Method::POST, "save-extensions/0367"),
    ] {
        for (kind, body, words) in [
            (json_type, "", "the body is empty"),
            (form_type, "", "the body is empty"),
            (json_type, "{}", "the body is empty"),
            (json_type, "{\"domain\":", "no JSON object"),
            (json_type, "[]", "no JSON object"),
            (form_type, "nonsense", "neither JSON nor a form"),
        ] {
            let answer = scene.api(method.clone(), path, kind, body).await;
            assert!(
                answer.status == 400 && answer.body.contains(words),
                "{path} {body:?}: {answer:?}"
            );
        }
    }
    for path in ["register/0367", "test/0367", "sync-extensions/0367"] {
        let answer = scene.api(Method::POST, path, json_type, "").await;
        assert_eq!(answer.status, 400, "{path}, nothing is stored: {answer:?}");
        let broken = scene.api(Method::POST, path, json_type, "{").await;
        assert_eq!(broken.status, 400, "{path}: {broken:?}");
    }
    let managers = format!("{API}/managers/0367");
    assert_eq!(
        scene.door.get(&scene.admin, &managers, &[]).await.status,
        404
    );

    // The same as JSON and as a form.
    let base = scene.crm.base_url.clone();
    let tested = scene
        .json(
            Method::POST,
            "test/0367",
            json!({"domain": base, "api_key": "wrong-wrong-wrong"}),
        )
        .await;
    assert!(
        tested.status == 200 && tested.json()["success"] == false,
        "{tested:?}"
    );
    let saved = scene
        .json(
            Method::PUT,
            "config/0367",
            json!({"domain": base, "api_key": "demo-key-1234567"}),
        )
        .await;
    assert_eq!(saved.json()["config"]["api_key"], "****4567", "{saved:?}");
    let saved = scene
        .api(
            Method::PUT,
            "config/0367",
            form_type,
            "send_upload=0&api_key=%2A%2A%2A%2A4567",
        )
        .await;
    assert_eq!(saved.json()["config"]["send_upload"], false, "{saved:?}");
    let registered = scene
        .api(Method::POST, "register/0367", json_type, "")
        .await;
    assert!(
        registered.status == 200 && registered.json()["success"] == true,
        "{registered:?}"
    );
    let given = scene
        .api(
            Method::POST,
            "save-extensions/0367",
            form_type,
            "16=150&17=",
        )
        .await;
    assert!(
        given.status == 200 && given.json()["told_crm"] == true,
        "{given:?}"
    );
    let given = scene
        .json(
            Method::POST,
            "save-extensions/0367",
            json!({"user_extensions": {"17": "150", "18": "151"}}),
        )
        .await;
    assert_eq!(
        given.json()["moved"],
        json!([{"extension": "150", "from": "16", "to": "17"}])
    );
    for (told, words) in [
        (json!({"16": "151", "17": "151"}), "is given to two users"),
        (json!({"16": "777"}), "has no extension 777"),
        (json!({"user_extensions": []}), "user_extensions"),
    ] {
        let answer = scene.json(Method::POST, "save-extensions/0367", told).await;
        assert!(
            answer.status == 400 && answer.body.contains(words),
            "{words}: {answer:?}"
        );
    }
    let list = scene.door.get(&scene.admin, &managers, &[]).await.json();
    let of: Vec<_> = list["managers"]
        .as_array()
        .expect("managers")
        .iter()
        .map(|one| (one["id"].clone(), one["extension"].clone()))
        .collect();
    assert_eq!(
        of,
        [
            (json!("17"), json!("150")),
            (json!("16"), Value::Null),
            (json!("18"), json!("151"))
        ]
    );
    let phones = scene
        .door
        .get(&scene.admin, &format!("{API}/internal-phones/0367"), &[])
        .await
        .json();
    assert_eq!(
        phones["internal_phones"][2],
        json!({"phone": "152", "name": "", "user_id": null, "free": true})
    );
    let synced = scene
        .api(Method::POST, "sync-extensions/0367", json_type, "")
        .await
        .json();
    assert_eq!(
        (&synced["differences"], &synced["taken_over"]),
        (&json!([]), &json!(false))
    );
    for method in [Method::GET, Method::POST] {
        let active = scene
            .api(
                method.clone(),
                "config-cache/active-enterprises",
                json_type,
                "",
            )
            .await
            .json();
        assert_eq!(
            active,
            json!({"count": 1, "enterprises": [{"enterprise_number": "0367", "name": "june"}]})
        );
        for path in ["config-cache/refresh/0367", "config-cache/refresh-all"] {
            let answer = scene.api(method.clone(), path, json_type, "").await;
            assert!(
                answer.status == 200 && answer.json()["success"] == true,
                "{path}: {answer:?}"
            );
        }
    }
    // The CRM's no is a no of the API.
    scene.account().revoke_key("demo-key-1234567");
    let refused = scene
        .json(Method::POST, "save-extensions/0367", json!({"16": "152"}))
        .await;
    assert!(
        refused.status == 502 && refused.body.contains("Wrong"),
        "{refused:?}"
    );
    let gone = scene
        .api(Method::DELETE, "config/0367?anyway=1", json_type, "")
        .await;
    assert_eq!(gone.status, 200, "{gone:?}");
    scene.close().await;
}
