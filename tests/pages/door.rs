//! A whole server on a temporary SQLite database and port 0, with two enterprises and somebody of every role; spoken
//! to over HTTP only, as a browser or a host would.

use std::path::PathBuf;
use std::sync::Arc;

use actix_web::web;
use actors::store::Store;
use actors::store::enterprises::{self, NewEnterprise};
use actors::store::users::{self, NewUser};
use chrono::Utc;
use patchbay::web::session::password;
use secrecy::SecretString;
use serde_json::Value;

/// Everybody's password.
pub const PASSWORD: &str = "a long enough one";
const ROLES: [&str; 4] = ["superadmin", "admin", "supervisor", "operator"];

pub struct Door {
    pub base: String,
    /// The test's own way into the database.
    pub store: Store,
    folder: PathBuf,
    stop: tokio::sync::watch::Sender<bool>,
    server: actix_web::dev::ServerHandle,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Somebody's browser: a session, or none.
#[derive(Clone, Default)]
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
}

impl Door {
    /// Opens; `settings` is TOML over the defaults.
    pub async fn open(settings: &str) -> Door {
        Door::open_at("http://127.0.0.1", settings).await
    }

    /// The same, reached from outside by this URL.
    pub async fn open_at(public_url: &str, settings: &str) -> Door {
        let folder = std::env::temp_dir().join(format!("patchbay_door_{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let ground = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\npublic_url = \"{public_url}\"\nassets = \"{assets}\"\n[log]\nfolder = \"{0}/logs\"\n[database]\nurl = \"sqlite:{0}/x.db\"\n{settings}",
            folder.display(),
            assets = env!("CARGO_MANIFEST_DIR"),
        );
        let settings = Arc::new(patchbay::config::with(&ground).expect("settings").settings);
        let opened = settings.clone();
        let store = std::thread::spawn(move || patchbay::startup::open_store(&opened))
            .join()
            .expect("a thread")
            .expect("a store");
        let hash = password::hash(PASSWORD).expect("a hash");
        let vault = store.vault().clone();
        store
            .write(move |conn| {
                for (number, name, extension) in [("0367", "june", "150"), ("0401", "north", "250")]
                {
                    let new = NewEnterprise {
                        number: number.into(),
                        name: name.into(),
                        token: SecretString::from(format!("token-of-{number}")),
                        ..NewEnterprise::default()
                    };
                    let id = enterprises::add(conn, &vault, &new, Utc::now())?;
                    for role in &ROLES[1..] {
                        let user = users::add(
                            conn,
                            &user(Some(id), &format!("{role}-{number}"), role, &hash),
                            Utc::now(),
                        )?;
                        if *role == "operator" {
                            users::assign_extension(conn, id, extension, Some(user), "Hanna")?;
                        }
                    }
                }
                users::add(
                    conn,
                    &user(None, "superadmin", "superadmin", &hash),
                    Utc::now(),
                )
            })
            .await
            .expect("people");
        let own = store.clone();
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let app = web::Data::new(
            patchbay::startup::build(settings, store, stopping)
                .await
                .expect("a house"),
        );
        let listening = patchbay::web::serve::listen(app).expect("a port");
        let base = format!("http://{}", listening.addresses[0]);
        let server = listening.server.handle();
        actix_web::rt::spawn(listening.server);
        Door {
            base,
            store: own,
            folder,
            stop,
            server,
        }
    }

    /// Ends the server; every test does, so that an endless answer would be noticed.
    pub async fn close(self) {
        self.stop.send(true).expect("somebody listens");
        let limit = std::time::Duration::from_secs(15);
        tokio::time::timeout(limit, self.server.stop(true))
            .await
            .expect("a graceful stop ends");
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// Logs in; "superadmin", or "admin-0367" and the like.
    pub async fn log_in(&self, login: &str) -> Browser {
        self.log_in_as(login, PASSWORD).await
    }

    /// Logs in with a password of one's own.
    pub async fn log_in_as(&self, login: &str, password: &str) -> Browser {
        let answer = self
            .post(
                &Browser::default(),
                "/login",
                &[("login", login), ("password", password)],
            )
            .await;
        assert_eq!(answer.status, 303, "{login} logs in: {answer:?}");
        let cookie = answer
            .header("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        let browser = Browser {
            cookie,
            csrf: String::new(),
        };
        let page = self.page(&browser, "/account").await;
        let mark = "name=\"csrf\" value=\"";
        let at = page.body.find(mark).expect("a form with a token") + mark.len();
        let csrf = page.body[at..]
            .split('"')
            .next()
            .unwrap_or_default()
            .to_owned();
        Browser { csrf, ..browser }
    }

    /// A browser's GET.
    pub async fn page(&self, browser: &Browser, path: &str) -> Answer {
        self.get(
            browser,
            path,
            &[("Accept", "text/html"), ("Accept-Language", "en")],
        )
        .await
    }

    /// A GET with headers.
    pub async fn get(&self, browser: &Browser, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = client()
            .get(format!("{}{path}", self.base))
            .insert_header(("Cookie", browser.cookie.clone()));
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        read(request.send().await).await
    }

    /// A form, without its token unless it is among the fields.
    pub async fn post(&self, browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = client()
            .post(format!("{}{path}", self.base))
            .insert_header(("Cookie", browser.cookie.clone()));
        read(request.send_form(&fields).await).await
    }

    /// A form sent with any method.
    pub async fn send(
        &self,
        browser: &Browser,
        method: &actix_web::http::Method,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let request = client()
            .request(method.clone(), format!("{}{path}", self.base))
            .insert_header(("Cookie", browser.cookie.clone()));
        read(request.send_form(&fields).await).await
    }

    /// An event of enterprise 0367 or 0401.
    pub async fn event(&self, number: &str, kind: &str, mut body: Value) -> Answer {
        body["Token"] = format!("token-of-{number}").into();
        let answer = read(
            client()
                .post(format!("{}/{kind}", self.base))
                .send_json(&body)
                .await,
        )
        .await;
        assert_eq!(answer.status, 200, "{kind}: {answer:?}");
        answer
    }
}

pub fn client() -> awc::Client {
    awc::Client::builder()
        .disable_redirects()
        .timeout(std::time::Duration::from_secs(20))
        .finish()
}

pub type Sent<S> = Result<awc::ClientResponse<S>, awc::error::SendRequestError>;

pub async fn read<S>(sent: Sent<S>) -> Answer
where
    S: futures_util::Stream<Item = Result<web::Bytes, awc::error::PayloadError>> + Unpin,
{
    let mut response = sent.expect("an answer");
    let body = response.body().limit(4 << 20).await.expect("a body");
    Answer {
        status: response.status().as_u16(),
        headers: response
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    value.to_str().unwrap_or_default().to_owned(),
                )
            })
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

fn user(enterprise: Option<i64>, login: &str, role: &str, hash: &str) -> NewUser {
    NewUser {
        enterprise,
        login: login.into(),
        full_name: String::new(),
        role: role.into(),
        password_hash: hash.into(),
        password_once: false,
        language: String::new(),
    }
}
