//! Two enterprises with everything that a URL or a form can name: a call, a click, people, a line, a chat, a registered
//! RetailCRM, a delivery, an emulated call. What a write used up is put back before the next one.

use std::collections::BTreeMap;

use actix_web::http::Method;
use actors::cache::snapshot::Line;
use actors::store::enterprises::{self, NewEnterprise};
use actors::store::requests::{self, NewRequest};
use actors::store::sessions::{self, NewSession};
use actors::store::users::{self, NewUser};
use actors::store::{Conn, StoreError, Vault, deliveries, logs, telegram};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use simulators::retailcrm::{self, NewAccount, User};
use simulators::server::Running;

use crate::door::{Answer, Browser, Door, client, read};

const KEY: &str = "0123456789abcdef";

/// One enterprise's things by name, and words that only its own people may ever read.
pub struct Side {
    pub things: BTreeMap<&'static str, String>,
    pub marks: Vec<String>,
}

pub struct Scene {
    pub door: Door,
    crms: Vec<Running<retailcrm::State>>,
    /// 0367, 0401, and one that there is not.
    pub sides: [Side; 3],
    people: BTreeMap<String, i64>,
    documents: [Value; 2],
}

impl Scene {
    pub async fn new() -> Scene {
        let door = Door::open_at(
            "http://patchbay.example",
            &format!("[api]\nloopback = false\nkeys = [\"{KEY}\"]\n[session]\nattempts_per_name = 100\nattempts_per_address = 100\n"),
        )
        .await;
        let mut crms = Vec::new();
        for _ in 0..2 {
            let account = NewAccount {
                users: vec![User::new(16, "Anna", "Petrova", None)],
                sites: vec!["main-shop".into()],
                ..NewAccount::new("demo", "demo-key-1234567")
            };
            let settings = retailcrm::Settings {
                accounts: vec![account],
                ..retailcrm::Settings::default()
            };
            let crm = retailcrm::start("127.0.0.1:0", settings.without_limits()).await;
            crms.push(crm.expect("a simulator"));
        }
        let documents = [0, 1].map(|at: usize| {
            let (number, url) = (["0367", "0401"][at], &crms[at].base_url);
            json!({"retailcrm": {
                "enabled": true, "domain": url, "api_key": "demo-key-1234567", "client_id": format!("client-of-{number}"),
                "registered_at": "2026-11-21T03:00:00Z", "registered_with": url, "module_code": format!("patchbay-{number}"),
                "account_token": format!("registration-of-{number}"), "user_extensions": {"16": extension(number)},
            }, "amocrm": {"enabled": false, "address_key": format!("key-of-{number}")}})
        });
        let mut scene = Scene {
            door,
            crms,
            sides: ["0367", "0401", "9999"].map(|number| Side {
                things: BTreeMap::from([("number", number.to_owned())]),
                marks: Vec::new(),
            }),
            people: BTreeMap::new(),
            documents,
        };
        let hash = patchbay::web::session::password::hash("a long enough one").expect("a hash");
        let people = scene.door.store.write(move |conn| {
            for (number, id) in [("0367", 1), ("0401", 2)] {
                users::add(conn, &person(id, number, &hash), Utc::now())?;
            }
            let mut all = BTreeMap::new();
            for user in users::list(conn, None)? {
                all.insert(user.login, user.id);
            }
            for enterprise in [1, 2] {
                for user in users::list(conn, Some(enterprise))? {
                    all.insert(user.login, user.id);
                }
            }
            Ok(all)
        });
        scene.people = people.await.expect("people");
        for at in [0, 1] {
            scene.furnish(at).await;
        }
        scene.invent();
        scene
    }

    /// Gives an enterprise everything that can be named.
    async fn furnish(&mut self, at: usize) {
        let number = ["0367", "0401"][at];
        let id = at as i64 + 1;
        let word = ["June", "Borealis"][at];
        self.mend().await;
        let (mine, colleague) = (extension(number), format!("{}1", &extension(number)[..2]));
        let click = (mine.clone(), colleague.clone());
        let store = &self.door.store;
        let click = move |conn: &mut Conn| {
            for (who, extension) in [("", click.0.clone()), ("colleague-", click.1.clone())] {
                let new = NewRequest {
                    id: format!("{who}click-{number}"),
                    enterprise: id,
                    extension,
                    number: "+375291110000".into(),
                    source: "retailcrm".into(),
                    memory: Value::Null,
                    at: Utc::now(),
                };
                requests::add(conn, &new, TimeDelta::zero())?;
            }
            let log = logs::NewLog {
                enterprise: id,
                enterprise_number: number.into(),
                integration: "retailcrm".into(),
                event_type: "dial".into(),
                status: "error".into(),
                error: format!("{word} refused"),
                at: Utc::now(),
                ..logs::NewLog::default()
            };
            logs::add(conn, &log)
        };
        store.write(click).await.expect("clicks");
        for (unique, to, ends) in [
            ("1", &mine, true),
            ("2", &colleague, true),
            ("3", &mine, false),
        ] {
            let body = json!({"UniqueId": format!("{unique}.{number}"), "Phone": format!("37529777{number}"), "CallType": 0,
                "Trunk": format!("line-{number}"), "CallerIDName": format!("{word} client"), "Extensions": [to]});
            self.door.event(number, "start", body.clone()).await;
            self.door.event(number, "dial", body.clone()).await;
            if ends {
                let mut end = body;
                end["CallStatus"] = "0".into();
                self.door.event(number, "hangup", end).await;
            }
        }
        let superadmin = self.session("superadmin").await.1;
        let fields = [
            ("csrf", superadmin.csrf.as_str()),
            ("enterprise", number),
            ("pattern", "incoming-missed"),
            ("phone", "375291110000"),
            ("extensions", "150"),
            ("ring", "1"),
            ("talk", "1"),
            ("speed", "100"),
        ];
        let run = self.door.post(&superadmin, "/test-interface/runs", &fields);
        let piece = run.await.body;
        let run = piece.split("/test-interface/runs/").nth(1).expect("a run");
        let run = run.split('"').next().unwrap_or_default().to_owned();

        let told = move |conn: &mut Conn| deliveries::recent(conn, id, "retailcrm", 1);
        let told = self.door.store.read(told).await.expect("deliveries");
        let delivery = told.first().map(|one| one.id);
        let mut calls = Vec::new();
        for unique in ["1", "2", "3"] {
            let found = self.door.store.find(id, vec![format!("{unique}.{number}")]);
            let found = found.await.expect("an index").expect("a call");
            calls.push(found.call.0.to_string());
        }
        let things = [
            ("id", id.to_string()),
            ("name", ["june", "north"][at].to_owned()),
            ("token", format!("token-of-{number}")),
            ("secret", format!("secret-of-{number}")),
            ("client_id", format!("client-of-{number}")),
            ("crm_key", format!("key-of-{number}")),
            ("link", self.link(number)),
            ("crm", self.crms[at].base_url.clone()),
            ("call", calls[0].clone()),
            ("colleague_s_call", calls[1].clone()),
            ("live_call", calls[2].clone()),
            ("request", format!("click-{number}")),
            ("colleague_s_request", format!("colleague-click-{number}")),
            ("delivery", delivery.expect("a delivery").to_string()),
            ("extension", mine),
            ("line", format!("line-{number}")),
            ("chat", chat(number).to_string()),
            ("person", format!("person-{number}")),
            ("run", run),
        ];
        self.sides[at].things.extend(things);
        let shown = ["client", "line", "chat", "person", "refused"];
        self.sides[at].marks = shown.map(|what| format!("{word} {what}")).to_vec();
        self.sides[at].marks.push(format!("37529777{number}"));
    }

    /// Names of things that there never were, of the same shape.
    fn invent(&mut self) {
        let of = |name: &str, real: &str| match name {
            "call" | "live_call" | "colleague_s_call" => "77".to_owned(),
            "id" | "delivery" => "99999".to_owned(),
            "run" => uuid::Uuid::nil().to_string(),
            "chat" => "424242".to_owned(),
            "link" => "a.b.c".to_owned(),
            _ => real.replace("0401", "9999"),
        };
        let made: Vec<_> = self.sides[1]
            .things
            .iter()
            .map(|(name, real)| (*name, of(name, real)))
            .collect();
        self.sides[2].things.extend(made);
    }

    /// The account link of an enterprise's registration, as the CRM holds it.
    fn link(&self, number: &str) -> String {
        let now = Utc::now().timestamp();
        let claims = json!({"aud": "retailcrm-account", "sub": number, "jti": format!("registration-of-{number}"), "iat": now, "exp": now + 3600});
        let part = |value: &str| URL_SAFE_NO_PAD.encode(value);
        let body = format!(
            "{}.{}",
            part(r#"{"alg":"HS256","typ":"JWT"}"#),
            part(&claims.to_string())
        );
        let signature = URL_SAFE_NO_PAD.encode(self.door.store.vault().sign(&body));
        format!("{body}.{signature}")
    }

    /// A new session of somebody; its row and the browser that has it.
    pub async fn session(&self, login: &str) -> (i64, Browser) {
        let (token, csrf) = (
            uuid::Uuid::new_v4().to_string(),
            uuid::Uuid::new_v4().to_string(),
        );
        let new = NewSession {
            token_hash: self.door.store.vault().fingerprint(&token),
            user: self.people[login],
            csrf: csrf.clone(),
            address: "127.0.0.1".into(),
            agent: "test".into(),
            expires_at: Utc::now() + TimeDelta::hours(1),
        };
        let add = move |conn: &mut Conn| sessions::add(conn, &new, Utc::now());
        let id = self.door.store.write(add).await.expect("a session");
        let cookie = format!("patchbay={token}");
        (id, Browser { cookie, csrf })
    }

    /// A browser of one of `table::VISITORS`, all of 0367.
    pub async fn browser(&self, visitor: &str) -> Browser {
        match visitor {
            "nobody" => Browser::default(),
            "superadmin" => self.session("superadmin").await.1,
            "guest" => {
                let path = format!("/retailcrm-admin/account?token={}", self.link("0367"));
                let opened = self.door.get(&Browser::default(), &path, &[]).await;
                let cookie = opened.header("set-cookie").split(';').next();
                let cookie = cookie.unwrap_or_default().to_owned();
                let claims = cookie.split('.').nth(1);
                let claims = claims.unwrap_or_else(|| panic!("no cookie: {opened:?}"));
                let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64");
                let claims: Value = serde_json::from_slice(&claims).expect("claims");
                let csrf = format!("csrf {}", claims["sid"].as_str().expect("a session"));
                let csrf = self.door.store.vault().fingerprint(&csrf);
                Browser { cookie, csrf }
            }
            role => self.session(&format!("{role}-0367")).await.1,
        }
    }

    /// Puts back what a write may have used up or changed, in both enterprises.
    pub async fn mend(&self) {
        let vault = self.door.store.vault().clone();
        let documents = self.documents.clone();
        let work = move |conn: &mut Conn| {
            for (at, number) in [(0, "0367"), (1, "0401")] {
                mend(conn, &vault, at as i64 + 1, number, &documents[at])?;
            }
            Ok(())
        };
        self.door.store.write(work).await.expect("mended");
        let told = self.send("POST", "/cache/refresh", |request| {
            request.insert_header(("X-Api-Key", KEY))
        });
        assert_eq!(told.await.status, 200);
    }

    /// A request made by hand.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        more: impl FnOnce(awc::ClientRequest) -> awc::ClientRequest,
    ) -> Answer {
        let method: Method = method.parse().expect("a method");
        let request = client().request(method, format!("{}{path}", self.door.base));
        read(more(request).send().await).await
    }

    pub async fn close(self) {
        self.door.close().await;
        for crm in self.crms {
            crm.stop().await;
        }
    }
}

fn extension(number: &str) -> String {
    if number == "0367" { "150" } else { "250" }.to_owned()
}

fn chat(number: &str) -> i64 {
    7_000_000 + number.parse::<i64>().expect("digits")
}

fn person(enterprise: i64, number: &str, hash: &str) -> NewUser {
    NewUser {
        enterprise: Some(enterprise),
        login: format!("person-{number}"),
        full_name: String::new(),
        role: "operator".into(),
        password_hash: hash.into(),
        password_once: false,
        language: String::new(),
    }
}

fn mend(
    conn: &mut Conn,
    vault: &Vault,
    id: i64,
    number: &str,
    document: &Value,
) -> Result<(), StoreError> {
    let word = if number == "0367" { "June" } else { "Borealis" };
    let row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
    let row = NewEnterprise {
        token: SecretString::from(format!("token-of-{number}")),
        secret: Some(SecretString::from(format!("secret-of-{number}"))),
        ..row
    };
    enterprises::update(conn, vault, id, &row, Utc::now())?;
    enterprises::save_integrations(conn, vault, id, document, Utc::now())?;
    let line = Line {
        name: format!("{word} line"),
        rules: Vec::new(),
    };
    enterprises::save_line(conn, id, &format!("line-{number}"), &line)?;
    let user = users::by_login(conn, &format!("person-{number}"))?.ok_or(StoreError::NotFound)?;
    let name = format!("{word} person");
    users::update(conn, user.id, &name, "operator", true, Utc::now())?;
    telegram::subscribe(conn, id, chat(number), &format!("{word} chat"), Utc::now()).map(drop)
}
