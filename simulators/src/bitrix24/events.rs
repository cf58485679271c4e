//! What the portal sends by itself: a click on a number, a request to be called back, the installation of an application.
//! Each once, whatever comes of it, as the real queue does. Called by tests and the control API, never on its own account.

use std::time::{Duration, Instant};

use anyhow::Context;
use awc::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::calls::digits;
use super::params::text;
use super::state::{Live, State};
use crate::clock::now_ms;

/// A click on a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Click {
    pub phone: String,
    /// Who clicked.
    pub user: i64,
    pub line: String,
    /// With this token instead of the right one.
    pub token: Option<String>,
    /// The brackets of names are percent-encoded.
    pub encoded: bool,
    /// The event comes a second time.
    pub twice: bool,
    /// Not by an employee: a visitor of the site wants to be called back.
    pub callback: bool,
}

impl Default for Click {
    fn default() -> Self {
        Self {
            phone: "+375296254070".into(),
            user: 34,
            line: String::new(),
            token: None,
            encoded: true,
            twice: false,
            callback: false,
        }
    }
}

/// What the handler answered.
#[derive(Debug, Clone, Serialize)]
pub struct Heard {
    pub status: u16,
    pub body: String,
    pub milliseconds: u64,
    /// The call that was registered for it; empty for a callback.
    pub call_id: String,
}

impl State {
    /// Somebody clicks: a call comes into being, then the handler hears of it.
    ///
    /// # Errors
    /// No handler, or it cannot be reached.
    pub async fn click(&self, click: &Click) -> anyhow::Result<Heard> {
        let event = match click.callback {
            true => "ONEXTERNALCALLBACKSTART",
            false => "ONEXTERNALCALLSTART",
        };
        let url = self.handlers().get(event).cloned();
        let url = url.with_context(|| format!("nobody listens for {event}"))?;
        let call_id = match click.callback {
            true => String::new(),
            false => self.open_clicked(click),
        };
        let token = click.token.as_ref();
        let token = token.unwrap_or(&self.settings.application_token);
        let user = click.user.to_string();
        let mut fields = vec![("event", event), ("event_handler_id", "611")];
        match click.callback {
            true => fields.extend([
                ("data[PHONE_NUMBER]", click.phone.as_str()),
                ("data[TEXT]", "Вам звонок с сайта"),
                ("data[VOICE]", ""),
                ("data[CRM_ENTITY_TYPE]", ""),
                ("data[CRM_ENTITY_ID]", "0"),
                ("data[LINE_NUMBER]", &click.line),
            ]),
            false => fields.extend([
                ("data[PHONE_NUMBER]", click.phone.as_str()),
                ("data[PHONE_NUMBER_INTERNATIONAL]", &click.phone),
                ("data[EXTENSION]", ""),
                ("data[USER_ID]", &user),
                ("data[CALL_LIST_ID]", "0"),
                ("data[LINE_NUMBER]", &click.line),
                ("data[IS_MOBILE]", "0"),
                ("data[CALL_ID]", &call_id),
                ("data[CRM_ENTITY_TYPE]", "CONTACT"),
                ("data[CRM_ENTITY_ID]", "812"),
            ]),
        }
        fields.extend([
            ("ts", "1788250000"),
            ("auth[domain]", "acme.bitrix24.ru"),
            ("auth[member_id]", &self.settings.member_id),
            ("auth[application_token]", token),
        ]);
        let body = written(&fields, click.encoded)?;
        let mut heard = post(&url, &body).await?;
        if click.twice {
            heard = post(&url, &body).await?;
        }
        heard.call_id = call_id;
        Ok(heard)
    }

    /// An administrator installs the application: its address gets the first tokens.
    ///
    /// # Errors
    /// The address cannot be reached.
    pub async fn install(&self, url: &str, domain: &str) -> anyhow::Result<Heard> {
        let settings = &self.settings;
        let (access, refresh) = self.book().access.issue(settings.access_life);
        let seconds = settings.access_life.as_secs().to_string();
        let scope = settings.scopes.join(",");
        let endpoint = format!("https://{domain}/rest/");
        let user = settings.webhook_user.to_string();
        let fields = [
            ("event", "ONAPPINSTALL"),
            ("data[VERSION]", "1"),
            ("data[ACTIVE]", "Y"),
            ("data[INSTALLED]", "Y"),
            ("auth[access_token]", access.as_str()),
            ("auth[refresh_token]", &refresh),
            ("auth[expires_in]", &seconds),
            ("auth[scope]", &scope),
            ("auth[domain]", domain),
            ("auth[client_endpoint]", &endpoint),
            ("auth[server_endpoint]", "https://oauth.bitrix.info/rest/"),
            ("auth[status]", "L"),
            ("auth[member_id]", &settings.member_id),
            ("auth[user_id]", &user),
            ("auth[application_token]", &settings.application_token),
        ];
        post(url, &written(&fields, true)?).await
    }

    /// A pair of tokens, as an installation brings it: access and refresh.
    pub fn give_tokens(&self) -> (String, String) {
        self.book().access.issue(self.settings.access_life)
    }

    /// Where a browser is led with a code.
    pub fn set_redirect(&self, url: &str) {
        self.book().access.redirect = url.into();
    }

    /// The call that a click opens before anybody hears of it; its id.
    pub fn open_clicked(&self, click: &Click) -> String {
        let mut book = self.book();
        let (at, number) = (now_ms(), book.id());
        let call_id = format!("externalCall.{number:032x}.{}", at / 1_000);
        let phone = digits(&click.phone);
        let live = Live {
            call_id: call_id.clone(),
            at,
            user: click.user,
            entity: super::calls::find(&book, &phone),
            phone,
            kind: 1,
            line: click.line.clone(),
            // The portal registered it itself.
            external_id: String::new(),
            start_date: String::new(),
            shown: [click.user].into(),
            created_lead: None,
            add_to_chat: true,
            by: "click".into(),
        };
        book.live.insert(call_id.clone(), live);
        call_id
    }
}

/// The events a handler can be bound to.
const EVENTS: &[&str] = &["ONEXTERNALCALLSTART", "ONEXTERNALCALLBACKSTART"];

pub(crate) fn bind(state: &State, told: &Value) -> Answer {
    let event = text(told, "event").to_uppercase();
    let handler = text(told, "handler");
    if !EVENTS.contains(&event.as_str()) {
        return Err(Refuse::new(400, "ERROR_EVENT_NOT_FOUND", "Event not found"));
    }
    if !handler.starts_with("http") {
        return Err(Refuse::core("Unsupported event handler"));
    }
    let mut book = state.book();
    if book.handlers.get(&event) == Some(&handler) {
        return Err(Refuse::core("Handler already binded"));
    }
    book.handlers.insert(event, handler);
    Ok(json!(true).into())
}

pub(crate) fn unbind(state: &State, told: &Value) -> Answer {
    let removed = state
        .book()
        .handlers
        .remove(&text(told, "event").to_uppercase());
    Ok(json!({"count": i32::from(removed.is_some())}).into())
}

pub(crate) fn bound(state: &State) -> Answer {
    let line = |(event, handler): (&String, &String)| json!({"event": event, "handler": handler, "auth_type": 0, "offline": 0});
    let all: Vec<Value> = state.book().handlers.iter().map(line).collect();
    Ok(json!(all).into())
}

fn written(fields: &[(&str, &str)], encoded: bool) -> anyhow::Result<String> {
    let text = serde_urlencoded::to_string(fields)?;
    Ok(match encoded {
        true => text,
        false => text.replace("%5B", "[").replace("%5D", "]"),
    })
}

async fn post(url: &str, body: &str) -> anyhow::Result<Heard> {
    let client = Client::builder()
        .timeout(Duration::from_secs(15))
        .disable_redirects()
        .finish();
    let begun = Instant::now();
    let mut answer = client
        .post(url)
        .content_type("application/x-www-form-urlencoded")
        .send_body(body.to_owned())
        .await
        .map_err(|error| anyhow::anyhow!("{url}: {error}"))?;
    let text = answer
        .body()
        .await
        .map_err(|error| anyhow::anyhow!("{url}: {error}"))?;
    Ok(Heard {
        status: answer.status().as_u16(),
        body: String::from_utf8_lossy(&text).into_owned(),
        milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        call_id: String::new(),
    })
}
