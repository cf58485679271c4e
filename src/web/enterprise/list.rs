//! `GET /enterprises`: every enterprise for superadmins, with a search; an administrator is sent on to the own one.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::AppError;
use crate::web::session::State;
use crate::web::visit::{Scope, Visit, go};

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
    let rows: Vec<Value> = found
        .iter()
        .map(|one| {
            let on: Vec<&String> = one
                .integrations
                .iter()
                .filter(|(_, part)| part.enabled)
                .map(|(kind, _)| kind)
                .collect();
            json!({"number": one.number, "name": one.name, "active": one.active, "integrations": on})
        })
        .collect();
    let mut context = visit.context();
    context.insert("find", &wanted.find);
    context.insert("rows", &rows);
    visit.page(&app, "enterprise/list.html", &context)
}
