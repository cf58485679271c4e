//! `POST /api/smart-redirect/incoming-call`: a host says that a caller waits. Whatever happens, the host's dialplan goes
//! on by itself; the answer only tells it what was decided.

use actix_web::{HttpRequest, HttpResponse, web};
use actors::asterisk::redirect::Waiting;
use serde_json::{Value, json};

use crate::error::AppError;
use crate::state::App;
use crate::web::events;
use crate::web::events::refusal::Refusal;

/// The handler.
pub async fn incoming(
    app: web::Data<App>,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, AppError> {
    let header = request
        .headers()
        .get("Token")
        .and_then(|value| value.to_str().ok());
    let told: Result<Value, _> = serde_json::from_slice(&body);
    let token = told
        .as_ref()
        .ok()
        .and_then(|told| told.get("Token")?.as_str())
        .unwrap_or_default();
    let enterprise = events::find_enterprise(&app, token, header).await?;
    if !enterprise.active {
        return Err(Refusal::SwitchedOff.into());
    }
    let told = told.map_err(|error| {
        AppError::BadRequest(format!("phone and unique_id are expected as JSON: {error}"))
    })?;
    let field = |name: &str| match told.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let caller = Waiting {
        phone: field("phone"),
        unique_id: field("unique_id"),
        line: field("trunk"),
    };
    let decision = app.redirects.handle(enterprise, caller).await;
    Ok(HttpResponse::Ok().json(json!({
        "success": true,
        "result": match &decision.extension {
            Some(extension) => json!({"action": "redirected", "manager": extension}),
            None => json!({"action": "continue", "reason": decision.reason, "message": decision.words}),
        },
    })))
}
