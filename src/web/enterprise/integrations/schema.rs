//! The published JSON schema of a webhook's events, for whoever writes a receiver. Open to anyone; holds nothing of any
//! enterprise.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actors::crm::webhook::SCHEMA;

/// `GET /schemas/webhook-events.json`
pub async fn webhook() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/schema+json")
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .body(SCHEMA)
}
