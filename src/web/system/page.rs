//! `GET /system`: the same figures for people, drawn anew every few seconds, and the breakers' reset.

use actix_web::{HttpResponse, web};
use actors::integration::actor::Order;
use actors::integration::breaker::Position;
use actors::store::audit::{self, NewEntry};
use actors::store::logs::{self, Filter};
use chrono::Utc;
use serde_json::{Value, json};

use super::numbers::{Numbers, gather};
use super::pulse::Pulse;
use crate::error::AppError;
use crate::state::App;
use crate::web::session::State;
use crate::web::visit::Visit;

/// Refusals and failures shown.
const LAST: usize = 15;

/// `GET /system`
pub async fn page(
    app: State,
    visit: Visit,
    pulse: web::Data<Pulse>,
) -> Result<HttpResponse, AppError> {
    let context = context(&app, &visit, &pulse).await?;
    visit.page(&app, "system/page.html", &context)
}

/// `GET /system/panel`: the part that changes.
pub async fn panel(
    app: State,
    visit: Visit,
    pulse: web::Data<Pulse>,
) -> Result<HttpResponse, AppError> {
    let context = context(&app, &visit, &pulse).await?;
    visit.page(&app, "system/panel.html", &context)
}

/// `POST /system/integrations/{enterprise}/{kind}/reset`: try a paused CRM at once.
pub async fn reset(
    app: State,
    visit: Visit,
    pulse: web::Data<Pulse>,
    path: web::Path<(i64, String)>,
) -> Result<HttpResponse, AppError> {
    let (enterprise, kind) = path.into_inner();
    if app.cache.by_id(enterprise).is_none()
        || !app
            .integrations
            .order(enterprise, &kind, Order::Reset)
            .await
    {
        return Err(AppError::NotFound);
    }
    let viewer = visit.viewer()?;
    let entry = NewEntry {
        enterprise: Some(enterprise),
        user: Some(viewer.user),
        who: viewer.login.clone(),
        action: "integration.reset".into(),
        what: json!({"integration": kind}),
    };
    app.store
        .write(move |conn| audit::add(conn, &entry, Utc::now()))
        .await?;
    panel(app, visit, pulse).await
}

async fn context(app: &App, visit: &Visit, pulse: &Pulse) -> Result<tera::Context, AppError> {
    let numbers = gather(app, pulse).await?;
    let failures = app
        .store
        .read(|conn| {
            logs::page(
                conn,
                &Filter {
                    status: "error".into(),
                    ..Filter::default()
                },
                0,
                LAST as i64,
            )
        })
        .await?;
    let mut context = visit.context();
    context.insert("links", &links(&numbers));
    context.insert("refused", &numbers.events.refused.values().sum::<u64>());
    context.insert("numbers", &numbers);
    context.insert(
        "hit_percent",
        &format!("{:.1}", numbers.cache.hit_ratio * 100.0),
    );
    context.insert(
        "commit_ms",
        &format!(
            "{:.1}",
            numbers.database.writer.last_commit_us as f64 / 1000.0
        ),
    );
    context.insert("failures", &failures);
    let refusals: Vec<Value> = app
        .refusals
        .last(None, LAST)
        .into_iter()
        .map(|noted| {
            let enterprise = noted.enterprise.and_then(|id| app.cache.by_id(id));
            json!({
                "at": noted.at, "kind": noted.kind, "words": noted.words, "address": noted.address, "body": noted.body,
                "enterprise_number": enterprise.map(|enterprise| enterprise.number.clone()),
            })
        })
        .collect();
    context.insert("refusals", &refusals);
    context.insert("zone", &zone());
    Ok(context)
}

/// Links with something to tell: waiting, stopped, or used lately; the troubled ones first.
fn links(numbers: &Numbers) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let waiting = |enterprise: i64, integration: &str| {
        numbers
            .deliveries
            .by_integration
            .iter()
            .find(|row| row.enterprise == enterprise && row.integration == integration)
    };
    for link in &numbers.integrations {
        seen.insert((link.enterprise, link.integration.clone()));
        let (state, words, until) = match &link.breaker {
            _ if link.paused => ("open", String::new(), None),
            Position::Open { until, words } => ("open", words.clone(), Some(*until)),
            Position::Trying => ("half-open", String::new(), None),
            Position::Closed => ("closed", String::new(), None),
        };
        let table = waiting(link.enterprise, &link.integration);
        rows.push(json!({
            "enterprise": link.enterprise, "enterprise_number": link.enterprise_number, "integration": link.integration,
            "state": state, "until": until, "words": if words.is_empty() { link.fault.clone() } else { words },
            "waiting": table.map_or(0, |row| row.waiting), "oldest_seconds": table.map_or(0, |row| row.oldest_seconds),
            "done": link.done, "failed": link.failed, "missed": link.missed,
            "last_error": link.last_error, "last_error_at": link.last_error_at, "deaths": link.deaths, "link": true,
        }));
    }
    for row in numbers.deliveries.by_integration.iter() {
        if seen.insert((row.enterprise, row.integration.clone())) {
            rows.push(json!({
                "enterprise": row.enterprise, "enterprise_number": row.enterprise_number,
                "integration": row.integration, "state": "closed", "until": null, "words": "",
                "waiting": row.waiting, "oldest_seconds": row.oldest_seconds, "done": null, "failed": null,
                "missed": null, "last_error": "", "last_error_at": null, "deaths": 0, "link": false,
            }));
        }
    }
    rows.sort_by_key(|row| {
        let troubled = row["state"] != "closed";
        (
            !troubled,
            std::cmp::Reverse(row["oldest_seconds"].as_i64().unwrap_or(0)),
        )
    });
    rows
}

/// The system page is the operator's: times on this machine's clock.
fn zone() -> String {
    let named = std::env::var("TZ")
        .ok()
        .filter(|zone| zone.parse::<chrono_tz::Tz>().is_ok());
    let linked = || {
        let link = std::fs::read_link("/etc/localtime").ok()?;
        let text = link.to_string_lossy().into_owned();
        text.split("zoneinfo/").nth(1).map(str::to_owned)
    };
    named.or_else(linked).unwrap_or_else(|| "UTC".to_owned())
}
