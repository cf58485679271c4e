//! The way of a request: script, method, body, signature, what it says. Called by actix for every path that is neither
//! the page nor the control API.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::state::{Message, State};
use super::verdict::{Headers, verify};
use crate::clock::now_ms;
use crate::entry;

/// Larger than any message should be.
const BODY_LIMIT: usize = 256 << 10;
const ENDPOINT: &str = "event";

pub(crate) async fn serve(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let answer = async |body: &[u8]| answer(&request, body, &state);
    entry::serve(
        &state,
        (request.path(), ENDPOINT),
        payload,
        BODY_LIMIT,
        answer,
    )
    .await
}

fn answer(request: &HttpRequest, body: &[u8], state: &State) -> HttpResponse {
    match take(request, body, state) {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err((status, reason)) => {
            let mut book = state.book();
            book.tally.refusal(ENDPOINT, status, reason.clone());
            drop(book);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            HttpResponse::build(status).json(json!({"error": reason}))
        }
    }
}

fn take(request: &HttpRequest, body: &[u8], state: &State) -> Result<(), (u16, String)> {
    if request.method() != Method::POST {
        return Err((405, "events are posted".into()));
    }
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    if header("content-type").as_deref() != Some("application/json") {
        return Err((415, "the body is application/json".into()));
    }
    let headers = Headers {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let mut book = state.book();
    let signed_with = verify(&book.secrets, &headers, body, now_ms() / 1_000)
        .map_err(|fault| (401, fault.words().to_owned()))?;
    let body: Value =
        serde_json::from_slice(body).map_err(|error| (400, format!("not JSON: {error}")))?;
    let is_text = |name: &str| body.get(name).is_some_and(Value::is_string);
    if !is_text("type") || !is_text("timestamp") || !body.get("data").is_some_and(Value::is_object)
    {
        return Err((400, "an event has type, timestamp and data".into()));
    }
    let id = headers.id.unwrap_or_default();
    let again = !book.known.insert(id.clone());
    let signatures = headers.signature.unwrap_or_default();
    book.messages.push(Message {
        at: now_ms(),
        path: request.uri().to_string(),
        timestamp: headers
            .timestamp
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
        signatures: signatures.split(' ').count(),
        signed_with,
        again,
        body,
        id,
    });
    Ok(())
}
