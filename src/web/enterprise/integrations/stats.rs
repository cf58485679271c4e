//! How the integrations did: attempts, how many succeeded, what failed; by integration and hour. Of one's own enterprise,
//! of all for superadmins. The page draws its chart from the same JSON that the API gives.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use actors::store::logs::{self, Filter};
use chrono::{Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AppError;
use crate::state::App;
use crate::web::live::page::{enterprises, watched};
use crate::web::session::State;
use crate::web::visit::{Scope, Visit};

/// Errors shown.
const LAST: i64 = 15;
/// Spans that can be asked for, in hours.
const SPANS: [i64; 3] = [24, 7 * 24, 30 * 24];

/// Over how long.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Wanted {
    hours: i64,
    /// An enterprise's number, for superadmins; others have their own.
    enterprise: String,
}

/// `GET /admin/integrations/stats`
pub async fn json(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    Ok(HttpResponse::Ok().json(gather(&app, &visit, &wanted).await?))
}

/// `GET /admin/integrations`
pub async fn page(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let stats = gather(&app, &visit, &wanted).await?;
    let own = match visit.scope()? {
        Scope::All => app.cache.by_number(&wanted.enterprise),
        Scope::Enterprise(own) => app.cache.by_id(own),
    };
    let mut context = visit.context();
    context.insert("tab", "stats");
    context.insert(
        "zone",
        own.as_ref().map_or("UTC", |one| one.time_zone.name()),
    );
    context.insert(
        "enterprise",
        &own.map(|one| json!({"number": one.number, "name": one.name, "active": one.active})),
    );
    context.insert("spans", &SPANS);
    context.insert("wide", &(visit.scope()? == Scope::All));
    context.insert("enterprises", &enterprises(&app));
    context.insert("stats", &stats);
    visit.page(&app, "enterprise/integrations/stats.html", &context)
}

async fn gather(app: &App, visit: &Visit, wanted: &Wanted) -> Result<Value, AppError> {
    let enterprise = watched(app, visit, &wanted.enterprise)?;
    let hours = if SPANS.contains(&wanted.hours) {
        wanted.hours
    } else {
        SPANS[0]
    };
    let since = Utc::now() - Duration::hours(hours);
    let (hourly, errors) = app
        .store
        .read(move |conn| {
            let filter = Filter {
                enterprise,
                status: "error".into(),
                from: Some(since),
                ..Filter::default()
            };
            Ok((
                logs::hourly(conn, enterprise, since)?,
                logs::page(conn, &filter, 0, LAST)?,
            ))
        })
        .await?;
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for hour in &hourly {
        let sum = sums.entry(&hour.integration).or_default();
        sum.0 += hour.success;
        sum.1 += hour.error;
    }
    let integrations: Vec<Value> = sums
        .iter()
        .map(|(name, (success, error))| {
            let events = success + error;
            let rate = if events == 0 { 0.0 } else { *success as f64 / events as f64 };
            json!({"integration": name, "events": events, "success": success, "errors": error,
                "success_rate": (rate * 1000.0).round() / 1000.0, "percent": format!("{:.1}", rate * 100.0)})
        })
        .collect();
    let links: Vec<Value> = app
        .integrations
        .observe()
        .into_iter()
        .filter(|link| enterprise.is_none_or(|id| id == link.enterprise))
        .map(|link| json!(link))
        .collect();
    Ok(
        json!({"hours": hours, "since": since, "enterprise": wanted.enterprise, "integrations": integrations,
        "hourly": hourly, "last_errors": errors, "links": links}),
    )
}
