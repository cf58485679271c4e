//! `GET /calls/{id}`: everything that is known of one call, and why it had no pop-up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::call::record::{CallId, Direction, Phase};
use actors::call::timeline;
use actors::crm;
use actors::store::calls::{self, Call};
use actors::store::customers::{self, Customer};
use actors::store::deliveries::{self, Delivery, DeliveryState};
use actors::store::journal::{self, Event};
use actors::store::logs::{self, Log};
use actors::store::requests::{self, Request};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::mask::mask_body;
use super::popup::{self, Answer, Facts, Integration, Stand};
use super::row::CallRow;
use crate::error::AppError;
use crate::state::App;
use crate::told::keep_name;
use crate::web::session::State;
use crate::web::visit::{Scope, Visit};

/// How long a CRM may take to tell a client's name before the page comes without.
const PATIENCE: Duration = Duration::from_millis(700);

/// Everything the tables hold of a call.
struct Found {
    call: Call,
    events: Vec<Event>,
    deliveries: Vec<Delivery>,
    logs: Vec<Log>,
    customer: Option<Customer>,
    /// The client's name.
    client: Option<String>,
    /// The click it follows.
    request: Option<Request>,
    /// What smart redirect decided for it, and why.
    redirect: Option<Log>,
}

/// `GET /calls/{id}`
pub async fn page(
    app: State,
    visit: Visit,
    id: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let found = find(&app, &visit, &id).await?;
    let enterprise = app
        .cache
        .by_id(found.call.record.enterprise)
        .ok_or(AppError::NotFound)?;
    let mut context = visit.context();
    context.insert("wide", &(visit.scope()? == Scope::All));
    context.insert("call", &summary(&app, &found, &enterprise));
    context.insert(
        "merged_into",
        &found.call.merged_into.map(|call| call.0.to_string()),
    );
    context.insert("popup", &answers(&app, &visit, &found, &enterprise));
    context.insert("deliveries", &drawn_deliveries(&found));
    context.insert("events", &drawn_events(&found, &enterprise));
    context.insert("request", &found.request);
    let source = found
        .request
        .as_ref()
        .and_then(|request| crm::find(&request.source));
    context.insert("request_crm", &source.map(|kind| kind.title));
    context.insert("redirect", &drawn_redirect(&found));
    visit.page(&app, "calls/call.html", &context)
}

/// `GET /api/calls/{id}`
pub async fn json(
    app: State,
    visit: Visit,
    id: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let found = find(&app, &visit, &id).await?;
    let enterprise = app
        .cache
        .by_id(found.call.record.enterprise)
        .ok_or(AppError::NotFound)?;
    Ok(HttpResponse::Ok().json(json!({
        "call": summary(&app, &found, &enterprise),
        "merged_into": found.call.merged_into.map(|call| call.0.to_string()),
        "popup": answers(&app, &visit, &found, &enterprise),
        "deliveries": drawn_deliveries(&found),
        "events": drawn_events(&found, &enterprise),
        "request": found.request,
        "redirect": drawn_redirect(&found),
    })))
}

/// The call, when it exists for this visitor.
async fn find(app: &App, visit: &Visit, id: &str) -> Result<Found, AppError> {
    let id = CallId(id.parse().map_err(|_| AppError::NotFound)?);
    let scope = match visit.scope()? {
        Scope::All => None,
        Scope::Enterprise(own) => Some(own),
    };
    let own = super::own_extensions(app, visit.viewer.as_deref()).await?;
    let mut found = app
        .store
        .read(move |conn| {
            let Some(call) = calls::by_id(conn, scope, id)? else {
                return Ok(None);
            };
            let enterprise = call.record.enterprise;
            let deliveries = deliveries::of_call(conn, enterprise, id)?;
            let ids: Vec<i64> = deliveries.iter().map(|delivery| delivery.id).collect();
            let logs = logs::of_deliveries(conn, enterprise, &ids)?;
            let customer = match &call.record.phone {
                Some(phone) => customers::by_phone(conn, enterprise, phone)?,
                None => None,
            };
            let request = requests::of_call(conn, enterprise, id)?;
            let redirect = logs::redirect_of(conn, enterprise, &call.record.unique_id)?;
            Ok(Some(Found {
                events: journal::of_call(conn, enterprise, id)?,
                call,
                deliveries,
                logs,
                customer,
                client: None,
                request,
                redirect,
            }))
        })
        .await?
        .ok_or(AppError::NotFound)?;
    // The row of a live call is as old as its first event; the board has the last one.
    if let Some(view) = app.board.view(id) {
        found.call.record = (*view.record).clone();
    }
    if own.is_some_and(|own| !super::took_part(&found.call.record, &own)) {
        return Err(AppError::NotFound);
    }
    found.client = client(app, &found).await;
    Ok(found)
}

/// The client's name: as it was kept, else as a CRM tells it within the time a page can wait.
async fn client(app: &App, found: &Found) -> Option<String> {
    let record = &found.call.record;
    let kept = found
        .customer
        .as_ref()
        .map(|customer| customer.name.clone());
    if let Some(kept) = kept.filter(|name| !name.is_empty()) {
        return Some(kept);
    }
    let phone = record
        .phone
        .clone()
        .filter(|_| record.direction != Direction::Internal)?;
    let enterprise = app.cache.by_id(record.enterprise)?;
    let said = app
        .names
        .customer(&enterprise, &phone, PATIENCE)
        .await
        .ok()??;
    keep_name(&app.store, enterprise.id, phone, said.clone()).await;
    Some(said.what.name)
}

fn summary(app: &App, found: &Found, enterprise: &Enterprise) -> CallRow {
    // The board knows a live call's state; the row only roughly.
    let live = app.board.view(found.call.record.call);
    let name = live
        .as_ref()
        .and_then(|view| view.client_name.as_deref())
        .or(found.client.as_deref());
    let record = live
        .as_ref()
        .map_or(&found.call.record, |view| &*view.record);
    let mut row = CallRow::draw(record, name, Some(enterprise), Utc::now());
    row.fault.clone_from(&found.call.fault);
    row
}

/// One answer per CRM that was to be told, or would have been.
fn answers(app: &App, visit: &Visit, found: &Found, enterprise: &Arc<Enterprise>) -> Vec<Answer> {
    let record = &found.call.record;
    let popups = |name: &str| {
        let of_name = found
            .deliveries
            .iter()
            .filter(|delivery| delivery.integration == name);
        let mut popups: Vec<&Delivery> = of_name
            .filter(|delivery| delivery.kind.split(':').next() == Some("dial"))
            .collect();
        // One that came through answers the question; else the last tells the most.
        popups.sort_by_key(|delivery| (delivery.state == DeliveryState::Done, delivery.id));
        popups.pop()
    };
    let switched_on = enterprise
        .integrations
        .iter()
        .filter(|(_, it)| it.enabled)
        .map(|(name, _)| name.as_str());
    let told = found
        .deliveries
        .iter()
        .map(|it| it.integration.as_str())
        .filter(|name| *name != "telegram");
    let mut names: BTreeSet<&str> = switched_on
        .chain(told)
        .filter(|name| !crm::is_only_told(name))
        .collect();
    if names.is_empty() {
        let all = enterprise.integrations.keys().map(String::as_str);
        names = all.filter(|name| !crm::is_only_told(name)).collect();
    }
    let names: Vec<Option<&str>> = if names.is_empty() {
        vec![None]
    } else {
        names.into_iter().map(Some).collect()
    };
    let zone = enterprise.time_zone;
    let clock = |at: DateTime<Utc>| at.with_timezone(&zone).format("%H:%M:%S%.3f").to_string();
    names
        .into_iter()
        .map(|name| {
            let facts = Facts {
                events: found.events.len(),
                first_event: found.events.first().map(|event| event.received_at),
                enterprise_number: enterprise.number.clone(),
                enterprise_active: enterprise.active,
                direction: record.direction,
                direction_word: app.pages.text(
                    visit.lang,
                    &format!("direction-{}", record.direction.as_str()),
                ),
                phone: record.phone.clone(),
                raw_phone: record.raw_phone.clone(),
                rung: if record.rung.is_empty() {
                    record.made_by.clone().into_iter().collect()
                } else {
                    record.rung.clone()
                },
                integration: name.map(|name| integration(app, enterprise, name)),
                delivery: name.and_then(popups).map(|delivery| popup::Delivery {
                    stand: stand(delivery.state),
                    attempts: delivery.attempts,
                    outcome: delivery.outcome.clone(),
                    created_at: delivery.created_at,
                    finished_at: delivery.finished_at,
                }),
                ended_at: record.ended_at,
            };
            popup::answer(&facts, clock)
        })
        .collect()
}

fn integration(app: &App, enterprise: &Enterprise, name: &str) -> Integration {
    let settings = enterprise.integrations.get(name);
    let extensions = settings
        .and_then(|it| it.settings.get("user_extensions"))
        .and_then(Value::as_object);
    Integration {
        name: name.to_owned(),
        enabled: settings.is_some_and(|it| it.enabled),
        mapped: extensions.map(|map| {
            map.values()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        }),
        paused: app.is_paused(enterprise.id, name),
    }
}

fn stand(state: DeliveryState) -> Stand {
    match state {
        DeliveryState::Due | DeliveryState::Leased => Stand::Open,
        DeliveryState::Done => Stand::Done,
        DeliveryState::Failed => Stand::Failed,
        DeliveryState::Missed => Stand::Missed,
        DeliveryState::Withdrawn => Stand::Withdrawn,
    }
}

/// What smart redirect decided, in the words of its log; `null` when it was not asked.
fn drawn_redirect(found: &Found) -> Value {
    let Some(log) = &found.redirect else {
        return Value::Null;
    };
    let mut drawn: Value = serde_json::from_str(&log.response).unwrap_or_default();
    drawn["integration"] = log.integration.clone().into();
    drawn["extension"] = log.extension.clone().into();
    drawn["milliseconds"] = log.milliseconds.into();
    drawn
}

fn drawn_deliveries(found: &Found) -> Vec<Value> {
    found
        .deliveries
        .iter()
        .map(|delivery| {
            let (kind, target) = delivery.kind.split_once(':').unwrap_or((&delivery.kind, ""));
            let log: Vec<&Log> = found.logs.iter().filter(|log| log.delivery == Some(delivery.id)).collect();
            json!({
                "id": delivery.id, "integration": delivery.integration, "kind": kind, "target": target,
                "state": delivery.state.as_str(), "attempts": delivery.attempts, "outcome": delivery.outcome,
                "created_at": delivery.created_at, "not_before": delivery.not_before,
                "expires_at": delivery.expires_at, "finished_at": delivery.finished_at, "log": log,
            })
        })
        .collect()
}

fn drawn_events(found: &Found, enterprise: &Arc<Enterprise>) -> Vec<Value> {
    let first = found.events.first().map(|event| event.received_at);
    let phases = timeline::phases(found.call.record.call, enterprise, &found.events);
    let mut before: Option<Phase> = None;
    found
        .events
        .iter()
        .zip(phases)
        .map(|(event, phase)| {
            let change = match (before, phase) {
                (Some(from), Some(to)) if from != to => {
                    json!({"from": from.as_str(), "to": to.as_str()})
                }
                _ => Value::Null,
            };
            let entered = if before.is_none() {
                phase.map(Phase::as_str)
            } else {
                None
            };
            before = phase;
            let offset = first
                .map(|first| (event.received_at - first).num_milliseconds())
                .unwrap_or_default();
            json!({
                "id": event.id, "event_type": event.event_type, "unique_id": event.unique_id,
                "received_at": event.received_at, "event_timestamp": event.event_timestamp,
                "offset": format!("{}.{:03}", offset / 1000, (offset % 1000).abs()),
                "change": change, "entered": entered, "parked": event.parked, "note": event.note,
                "data_source": event.data_source,
                "raw_data": mask_body(&event.raw, enterprise.token.expose_secret()),
            })
        })
        .collect()
}
