//! Webhooks: kept by the entry's methods, sent when somebody clicks a number. Without a method told, the parameters go in
//! the query of a GET; on a 5xx it is tried again.

use std::time::Duration;

use awc::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, Refuse, created};
use super::people::{digits, only, owner};
use super::state::{Book, Hook, State};
use crate::form::Fields;

/// A click on a client's number.
const CLICK: i64 = 47;
/// How often a webhook is sent at most.
const TRIES: usize = 3;

pub(crate) fn add(book: &mut Book, fields: &Fields) -> Answer {
    only(fields, &["type_id", "url", "method", "note", "section_id"])?;
    let (type_id, url, method) = told(fields)?;
    let id = book.id();
    book.hooks.push(Hook {
        id,
        type_id: type_id.ok_or_else(|| Refuse::parameter("type_id"))?,
        url: url.ok_or_else(|| Refuse::parameter("url"))?,
        method: method.unwrap_or_else(|| "GET".into()),
    });
    created(id)
}

pub(crate) fn update(book: &mut Book, id: i64, fields: &Fields) -> Answer {
    let (type_id, url, method) = told(fields)?;
    let hook = book.hooks.iter_mut().find(|hook| hook.id == id);
    let hook = hook.ok_or_else(|| Refuse::parameter("id"))?;
    hook.type_id = type_id.unwrap_or(hook.type_id);
    hook.url = url.unwrap_or_else(|| hook.url.clone());
    hook.method = method.unwrap_or_else(|| hook.method.clone());
    Ok(json!({"result": 200}))
}

pub(crate) fn remove(book: &mut Book, id: i64) -> Answer {
    let before = book.hooks.len();
    book.hooks.retain(|hook| hook.id != id);
    if book.hooks.len() == before {
        return Err(Refuse::parameter("id"));
    }
    Ok(json!({"result": 200}))
}

/// Nothing to show is a 404 here.
pub(crate) fn list(book: &Book, page: i64) -> Answer {
    if book.hooks.is_empty() || page > 1 {
        return Err(Refuse::nothing());
    }
    Ok(json!({"webhooks": book.hooks, "pages_all": 1, "result": 200}))
}

type Told = (Option<i64>, Option<String>, Option<String>);

fn told(fields: &Fields) -> Result<Told, Refuse> {
    let type_id = match fields.get("type_id").map(str::parse::<i64>) {
        None => None,
        Some(Ok(id)) if id > 0 => Some(id),
        Some(_) => return Err(Refuse::parameter("type_id")),
    };
    let url = fields.get("url").map(str::to_owned);
    let web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if url.as_ref().is_some_and(|url| !web(url)) {
        return Err(Refuse::parameter("url"));
    }
    let method = fields.get("method").map(str::to_owned);
    let known = |method: &String| ["GET", "POST", "PUT", "DELETE"].contains(&method.as_str());
    if method.as_ref().is_some_and(|method| !known(method)) {
        return Err(Refuse::parameter("method"));
    }
    Ok((type_id, url, method))
}

/// A click on a number, as a test or the page tells of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Click {
    /// As the cabinet shows it; a `+` does not travel.
    pub phone: String,
    /// The manager who clicked; absent: the cabinet does not say.
    pub user_id: Option<i64>,
    /// Whether the client's own fields travel too.
    pub client: bool,
}

/// What the telephony server answered.
#[derive(Debug, Clone, Serialize)]
pub struct Reply {
    /// The HTTP status of the last try.
    pub status: u16,
    /// The body, as text.
    pub body: String,
    /// How often it was sent.
    pub tries: usize,
}

impl State {
    /// Sends the webhook of a click to everybody who asked for it.
    ///
    /// # Errors
    /// When nobody did, or one cannot be reached.
    pub async fn click(&self, click: &Click) -> anyhow::Result<Vec<Reply>> {
        let (hooks, fields) = {
            let book = self.book();
            let hooks: Vec<Hook> = book
                .hooks
                .iter()
                .filter(|hook| hook.type_id == CLICK)
                .cloned()
                .collect();
            (hooks, parameters(&book, &self.settings.cabinet, click))
        };
        anyhow::ensure!(!hooks.is_empty(), "no webhook of type {CLICK} is there");
        let mut replies = Vec::new();
        for hook in hooks {
            replies.push(send(&hook, &fields).await?);
        }
        Ok(replies)
    }
}

fn parameters(book: &Book, cabinet: &str, click: &Click) -> Vec<(String, String)> {
    let phone = digits(&click.phone);
    let now = chrono::Local::now().format("%Y-%m-%d %H:%M:%S").to_string();
    let mut fields: Vec<(String, String)> = [
        ("uon_id", cabinet.trim_start_matches("id")),
        ("uon_subdomain", cabinet),
        ("datetime", &now),
        ("type_id", "47"),
        ("method", "call"),
        ("phone", &phone),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(id) = click.user_id {
        fields.push(("user_id".into(), id.to_string()));
    }
    if let Some(client) = owner(book, &phone) {
        fields.push(("client_id".into(), client.u_id.to_string()));
        if click.client {
            fields.push(("client[u_id]".into(), client.u_id.to_string()));
            fields.push(("client[u_surname]".into(), client.surname.clone()));
            fields.push(("client[u_phone]".into(), phone));
        }
    }
    fields
}

async fn send(hook: &Hook, fields: &[(String, String)]) -> anyhow::Result<Reply> {
    let client = Client::builder()
        .timeout(Duration::from_secs(15))
        .disable_redirects()
        .finish();
    let mut tries = 0;
    loop {
        tries += 1;
        let sent = if hook.method == "POST" {
            client.post(&hook.url).send_form(&fields)
        } else {
            let joint = if hook.url.contains('?') { '&' } else { '?' };
            let query = serde_urlencoded::to_string(fields)?;
            client.get(format!("{}{joint}{query}", hook.url)).send()
        };
        let failed = |error: &dyn std::fmt::Display| anyhow::anyhow!("{}: {error}", hook.url);
        let mut answer = sent.await.map_err(|error| failed(&error))?;
        let body = answer.body().await.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        if status < 500 || tries >= TRIES {
            let body = String::from_utf8_lossy(&body).into_owned();
            return Ok(Reply {
                status,
                body,
                tries,
            });
        }
    }
}

/// For the control API.
pub(crate) fn shown(replies: &[Reply]) -> Value {
    json!({"ok": true, "replies": replies, "reply": replies.last()})
}
