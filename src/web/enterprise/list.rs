//! `GET /enterprises`: every enterprise for superadmins with the state of its host, and a search; an administrator is sent on to the own one.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::store::calls;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::AppError;
use crate::web::session::State;
use crate::web::visit::{Scope, Visit, go};

/// Events that come later than this, and clocks that are off by more, are pointed out; milliseconds.
const LATE: i64 = 10_000;
const OFF: i64 = 5_000;

/// Milliseconds as a person reads them: seconds with one digit behind the point.
fn seconds(milliseconds: i64) -> String {
    format!("{:.1}", milliseconds as f64 / 1000.0)
}

/// What is looked for: a part of the number or of the name.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    find: String,
}

/// `GET /enterprises`
pub async fn page(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    if let Scope::Enterprise(own) = visit.scope()? {
        let enterprise = app.cache.by_id(own).ok_or(AppError::NotFound)?;
        return Ok(go(&format!("/enterprise/{}", enterprise.number)));
    }
    let find = wanted.find.trim().to_lowercase();
    let mut found: Vec<Arc<Enterprise>> = app.cache.all();
    found.retain(|one| one.number.contains(&find) || one.name.to_lowercase().contains(&find));
    found.sort_by(|a, b| a.number.cmp(&b.number));
    let silent: Vec<i64> = found
        .iter()
        .map(|one| one.id)
        .filter(|id| app.heard.state(*id).is_none())
        .collect();
    let last = app
        .store
        .read(move |conn| {
            let mut last = HashMap::new();
            for id in silent {
                if let Some(at) = calls::last_received(conn, id)? {
                    last.insert(id, at);
                }
            }
            Ok(last)
        })
        .await?;
    let rows: Vec<Value> = found
        .iter()
        .map(|one| {
            let host = match app.heard.state(one.id) {
                Some(state) => json!({
                    "at": state.at, "lag": seconds(state.lag), "late": state.lag > LATE,
                    "skew": state.skew.map(seconds), "off": state.skew.is_some_and(|skew| skew.abs() > OFF),
                    "version": state.version,
                }),
                None => json!({"at": last.get(&one.id)}),
            };
            let on: Vec<&String> = one
                .integrations
                .iter()
                .filter(|(_, part)| part.enabled)
                .map(|(kind, _)| kind)
                .collect();
            json!({"number": one.number, "name": one.name, "active": one.active, "integrations": on, "host": host, "zone": one.time_zone.name()})
        })
        .collect();
    let mut context = visit.context();
    context.insert("find", &wanted.find);
    context.insert("rows", &rows);
    visit.page(&app, "enterprise/list.html", &context)
}
