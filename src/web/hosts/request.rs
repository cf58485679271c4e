//! `GET /api/call-requests` and `/api/call-requests/{id}`: clicks and what became of them.

use actix_web::{HttpResponse, web};
use actors::store::requests;

use crate::error::AppError;
use crate::web::calls::own_extensions;
use crate::web::session::State;
use crate::web::visit::{Scope, Visit};

/// Requests of one page.
const SHOWN: i64 = 100;

/// `GET /api/call-requests`: the latest, of the visitor's enterprise; an operator's own.
pub async fn list(app: State, visit: Visit) -> Result<HttpResponse, AppError> {
    let scope = scope(&visit)?;
    let own = own_extensions(&app, visit.viewer.as_deref()).await?;
    let mut found = app
        .store
        .read(move |conn| requests::recent(conn, scope, SHOWN))
        .await?;
    if let Some(own) = own {
        found.retain(|one| own.contains(&one.extension));
    }
    Ok(HttpResponse::Ok().json(found))
}

/// `GET /api/call-requests/{id}`
pub async fn one(
    app: State,
    visit: Visit,
    id: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let scope = scope(&visit)?;
    let own = own_extensions(&app, visit.viewer.as_deref()).await?;
    let found = app
        .store
        .read(move |conn| requests::by_id(conn, scope, &id))
        .await?
        .filter(|one| own.is_none_or(|own| own.contains(&one.extension)))
        .ok_or(AppError::NotFound)?;
    Ok(HttpResponse::Ok().json(found))
}

fn scope(visit: &Visit) -> Result<Option<i64>, AppError> {
    Ok(match visit.scope()? {
        Scope::All => None,
        Scope::Enterprise(own) => Some(own),
    })
}
