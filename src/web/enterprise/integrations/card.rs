//! One kind's card: what is shown of it now. Drawn for `dialog` and `link`, which change things; changes nothing itself.

use std::sync::Arc;

use actors::cache::Enterprise;
use actors::crm;
use actors::integration::breaker::Position;
use actors::integration::connector::{Kind, Place};
use actors::integration::fields::Input;
use actors::integration::shut_out;
use actors::store::deliveries::{self, Delivery, DeliveryState};
use actors::store::{crm_tokens, logs};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::document::{self, Fault};
use super::users::page::has_users;
use crate::config::mask;
use crate::error::AppError;
use crate::masked::is_secret;
use crate::state::App;
use crate::web::enterprise::find;
use crate::web::visit::Visit;

/// Deliveries on a card.
const LAST: i64 = 8;

/// How a link stands, in the words of the locale files (`integration-state-…`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// off, broken, paused, failing or working.
    pub state: &'static str,
    /// Failing since, or paused by itself until.
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// What the CRM or the settings' check said.
    pub words: String,
    pub by_person: bool,
    /// The CRM has shut us out: it is not asked before a person says so.
    pub shut_out: bool,
    pub waiting: usize,
}

/// What the form holds when it is drawn again: what was typed, and what is wrong with it.
#[derive(Default)]
pub struct Typed {
    pub settings: Option<Value>,
    pub fault: Option<Fault>,
    /// The settings are unfolded.
    pub open: bool,
    /// The form's button also switches on.
    pub switching: bool,
    /// A text key to be said above the form.
    pub said: &'static str,
}

/// How one kind of the enterprise stands.
pub async fn standing(
    app: &App,
    enterprise: &Enterprise,
    kind: &Kind,
) -> Result<Standing, AppError> {
    let mut standing = Standing {
        state: "off",
        since: None,
        until: None,
        words: String::new(),
        by_person: false,
        shut_out: false,
        waiting: 0,
    };
    let part = enterprise.integrations.get(kind.name);
    let Some(part) = part.filter(|part| part.enabled) else {
        return Ok(standing);
    };
    if let Err(fault) = document::check(
        kind,
        &part.settings,
        enterprise,
        &app.settings.server.public_url,
    ) {
        standing.state = "broken";
        standing.words = format!("{}: {}", fault.field, fault.words);
        return Ok(standing);
    }
    let (id, name) = (enterprise.id, kind.name);
    standing.since = app
        .store
        .read(move |conn| logs::failing_since(conn, id, name))
        .await?;
    let seen = app
        .integrations
        .watch(enterprise.id, kind.name)
        .map(|seen| seen.borrow().clone())
        .unwrap_or_default();
    standing.waiting = seen.waiting + seen.in_flight;
    if standing.since.is_some() {
        standing.words.clone_from(&seen.last_error);
    }
    let (state, until) = match (&seen.breaker, seen.paused) {
        (_, true) => ("paused", None),
        (Position::Open { until, words }, false) => {
            standing.words.clone_from(words);
            ("paused", Some(*until))
        }
        (Position::Trying, false) => ("failing", None),
        (Position::Closed, false) if standing.since.is_some() => ("failing", None),
        (Position::Closed, false) => ("working", None),
    };
    standing.state = state;
    standing.until = until;
    standing.by_person = seen.paused;
    if let Some(words) = shut_out::words(&part.settings) {
        standing.state = "paused";
        standing.until = None;
        standing.shut_out = true;
        standing.words = words.to_owned();
    }
    Ok(standing)
}

/// Everything a card's template shows.
pub async fn draw(
    app: &App,
    enterprise: &Enterprise,
    kind: &'static Kind,
    typed: Typed,
) -> Result<Value, AppError> {
    let part = enterprise.integrations.get(kind.name);
    let stored = part.map_or(Value::Null, |part| part.settings.clone());
    let enabled = part.is_some_and(|part| part.enabled);
    let standing = standing(app, enterprise, kind).await?;
    let shown = typed.settings.unwrap_or_else(|| stored.clone());
    let fields: Vec<Value> = kind
        .fields
        .iter()
        .filter(|field| field.input != Input::Extensions)
        .map(|field| {
            let value = shown.get(field.name);
            let text = value.and_then(Value::as_str).unwrap_or_default();
            let secret = is_secret(kind.name, field.name);
            let (input, choices, checked) = match field.input {
                Input::Flag(default) => {
                    ("flag", None, actors::integration::fields::flag(&shown, field.name, default))
                }
                Input::Choice(words) => ("choice", Some(words), false),
                Input::Url => ("url", None, false),
                Input::Code => ("code", None, false),
                _ if secret => ("secret", None, false),
                _ => ("text", None, false),
            };
            json!({
                "name": field.name, "input": input, "choices": choices, "checked": checked, "required": field.required,
                "value": if secret { mask(text) } else { text.to_owned() },
                "fault": typed.fault.as_ref().filter(|fault| fault.field == field.name)
                    .map(|fault| json!({"words": fault.words, "empty": fault.empty})),
            })
        })
        .collect();
    Ok(json!({
        "name": kind.name, "title": kind.title, "has_users": has_users(kind), "enabled": enabled, "set_up": !stored.is_null(),
        "standing": standing, "fields": fields, "deliveries": last(app, enterprise, kind).await?,
        "kinds": kind.wants.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        // What a CRM shows as a card is an event to a receiver of events.
        "word": if kind.lasting { "kind-event-" } else { "kind-" },
        "lasting": kind.lasting, "switched_off": stored.get("switched_off").filter(|_| !enabled),
        "access": access(app, enterprise, kind, &stored).await?,
        "address": address(app, enterprise, kind, &stored),
        "open": typed.open, "switching": typed.switching, "said": typed.said,
        // A fault of something the form does not show is said above it.
        "fault": typed.fault.as_ref().filter(|fault| !kind.fields.iter()
            .any(|field| field.name == fault.field && field.input != Input::Extensions))
            .map(|fault| format!("{}: {}", fault.field, fault.words)),
    }))
}

/// Whether somebody let us in, for settings that need it: `{"given", "until"}`.
async fn access(
    app: &App,
    enterprise: &Enterprise,
    kind: &'static Kind,
    stored: &Value,
) -> Result<Option<Value>, AppError> {
    let place = Place {
        public_url: &app.settings.server.public_url,
        enterprise,
    };
    let connector = (kind.connect)(&place, stored).ok();
    if !connector.is_some_and(|connector| connector.needs_tokens()) {
        return Ok(None);
    }
    let (id, vault) = (enterprise.id, app.store.vault().clone());
    let kept = app
        .store
        .read(move |conn| crm_tokens::read(conn, &vault, id, kind.name))
        .await?;
    Ok(Some(json!({"given": kept.is_some()})))
}

/// Where the CRM reaches us, once its settings are saved.
fn address(app: &App, enterprise: &Enterprise, kind: &Kind, stored: &Value) -> Option<String> {
    let place = Place {
        public_url: &app.settings.server.public_url,
        enterprise,
    };
    place.address(kind.name, stored).filter(|_| kind.hears)
}

/// The kind's last deliveries.
pub async fn last(app: &App, enterprise: &Enterprise, kind: &Kind) -> Result<Vec<Value>, AppError> {
    let (id, name) = (enterprise.id, kind.name);
    let rows = app
        .store
        .read(move |conn| deliveries::recent(conn, id, name, LAST))
        .await?;
    Ok(rows.iter().map(|one| row(one, kind.lasting)).collect())
}

fn row(delivery: &Delivery, lasting: bool) -> Value {
    let (kind, target) = delivery
        .kind
        .split_once(':')
        .unwrap_or((delivery.kind.as_str(), ""));
    let again = match delivery.state {
        DeliveryState::Failed | DeliveryState::Missed => true,
        DeliveryState::Done => lasting,
        _ => false,
    };
    json!({
        "id": delivery.id, "call": delivery.call.0.to_string(), "unique_id": delivery.unique_id, "kind": kind, "target": target,
        "state": delivery.state.as_str(), "attempts": delivery.attempts, "outcome": delivery.outcome,
        "created_at": delivery.created_at, "again": again,
    })
}

/// The kind of this name, which a URL tells.
pub fn kind(name: &str) -> Result<&'static Kind, AppError> {
    crm::find(name).ok_or(AppError::NotFound)
}

/// The enterprise and the kind that a URL tells.
///
/// # Errors
/// Neither another's enterprise nor an unknown kind exists.
pub async fn at(
    app: &App,
    visit: &Visit,
    path: &(String, String),
) -> Result<(Arc<Enterprise>, &'static Kind), AppError> {
    Ok((find(app, visit, &path.0).await?, kind(&path.1)?))
}

/// A kind's settings as they are; `Null` when there are none.
pub fn stored(enterprise: &Enterprise, kind: &Kind) -> Value {
    enterprise
        .integrations
        .get(kind.name)
        .map_or(Value::Null, |part| part.settings.clone())
}
