//! How the installation is doing, for people and for machines.

use actix_web::HttpResponse;

use crate::error::AppError;

/// `GET /health`
pub async fn health() -> Result<HttpResponse, AppError> {
    Ok(HttpResponse::Ok().json(serde_json::json!({"status": "ok"})))
}
