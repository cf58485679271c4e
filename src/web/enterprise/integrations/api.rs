//! The integrations document and the log as JSON, for scripts and for other pages of ours.

use actix_web::{HttpResponse, web};
use actors::store::enterprises;
use serde_json::Value;

use super::change::store;
use super::document::masked_document;
use super::logs::{PAGE, Wanted, look};
use crate::error::AppError;
use crate::web::enterprise::find;
use crate::web::session::State;
use crate::web::visit::Visit;

/// `GET /enterprise/{number}/integrations/config`: the document, secrets masked.
pub async fn config(
    app: State,
    visit: Visit,
    number: web::Path<String>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let (id, vault) = (enterprise.id, app.store.vault().clone());
    let document = app
        .store
        .read(move |conn| enterprises::integrations(conn, &vault, id))
        .await?;
    Ok(HttpResponse::Ok().json(masked_document(&document)))
}

/// `POST /enterprise/{number}/integrations/config`: the parts that are named replace theirs, the rest stays; a masked
/// secret that comes back unchanged keeps the stored one. Gives the document as it is then.
pub async fn save(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let told: Value = serde_json::from_slice(&body)
        .map_err(|error| AppError::BadRequest(format!("the body is no JSON: {error}")))?;
    let document = store(&app, &visit, &enterprise, told, "integration.save").await?;
    Ok(HttpResponse::Ok().json(masked_document(&document)))
}

/// `GET /enterprise/{number}/integrations/logs?integration=&status=&call=&from=&to=&page=`; pages count from 0.
pub async fn logs(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let (rows, more) = look(&app, &enterprise, &wanted).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({
        "enterprise_number": enterprise.number, "page": wanted.page.max(0), "size": PAGE, "more": more, "logs": rows,
    })))
}
