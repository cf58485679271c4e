//! The RetailCRM module against the strict simulator: registering, refusals in the CRM's words, managers and extensions
//! kept in step, the account link, the API, removal.

mod account;
mod api;
mod managers;
mod registering;

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
