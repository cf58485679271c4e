//! Asterisk's events come in: the eight webhooks. Reads the body, knows the enterprise by its token, hands the event
//! to the house and answers 200 when it is durable, not before. Decides nothing about calls; waits for no CRM.

pub mod gauge;
pub mod heard;
pub mod refusal;
pub mod token;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use actors::cache::snapshot::Enterprise;
use actors::call::event::{Body, EventKind};
use actors::call::intake::{Take, Taken};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::AppError;
use crate::state::App;
use heard::Sender;
use refusal::Refusal;

/// An oversized body is read to its end up to so much, so that its sender hears our answer and not a reset.
const DRAINED: usize = 4 << 20;

/// A refusal for too many events a second is held back for so long.
const PATIENCE_WITH_FLOODS: Duration = Duration::from_millis(100);

/// The handler of one webhook: `POST /start` and its seven siblings.
pub async fn receive(
    kind: EventKind,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, AppError> {
    let address = request.peer_addr().map(|address| address.ip());
    let token = request
        .headers()
        .get("Token")
        .and_then(|value| value.to_str().ok());
    let event_id = request
        .headers()
        .get("X-Event-Id")
        .and_then(|value| value.to_str().ok());
    let body = match read(&request, payload, app.settings.events.max_body.0).await {
        Ok(body) => body,
        Err(refusal) => return Err(refuse(&app, kind, None, &refusal, (address, &[]))),
    };
    let sender = Sender::of(request.headers());
    match accept(&app, kind, &body, token, event_id, ("live", sender)).await {
        Ok(taken) => Ok(answer(&taken)),
        Err((enterprise, refusal)) => {
            let error = refuse(&app, kind, enterprise, &refusal, (address, &body));
            if matches!(refusal, Refusal::TooFast { .. }) {
                // Whoever floods asks again as soon as it is answered, and the answering alone would take the
                // processor from the others. It waits instead.
                actix_web::rt::time::sleep(PATIENCE_WITH_FLOODS).await;
            }
            Err(error)
        }
    }
}

/// Takes one event in, wherever it came from: a webhook, the gateway, a recovery.
///
/// # Errors
/// The refusal, with the enterprise where its token was known.
pub async fn accept(
    app: &App,
    kind: EventKind,
    bytes: &[u8],
    header_token: Option<&str>,
    header_id: Option<&str>,
    (source, sender): (&'static str, Sender<'_>),
) -> Result<Taken, (Option<i64>, Refusal)> {
    let body = Body::read(bytes).map_err(|error| (None, Refusal::Unreadable(error)))?;
    let enterprise = find_enterprise(app, body.token(), header_token)
        .await
        .map_err(|refusal| (None, refusal))?;
    let id = enterprise.id;
    if !enterprise.active {
        return Err((Some(id), Refusal::SwitchedOff));
    }
    let _under_way = app.gauge.enter(id).map_err(|refusal| (Some(id), refusal))?;
    // The journal keeps milliseconds; the same time must come out when the event is read again.
    let now = truncate(Utc::now());
    let event = body.into_event(kind, id, enterprise.time_zone, header_id, now);
    app.debug_log
        .event(&enterprise, kind.as_str(), &event.unique_id, bytes);
    // The identity was made of the body as it came; what is kept of it tells nobody the token.
    let raw = token::hide(&String::from_utf8_lossy(bytes)).into_owned();
    let (received, happened) = (event.received, event.at);
    let taken = app
        .calls
        .take(Take {
            enterprise,
            event,
            raw,
            source,
            reply: None,
        })
        .await
        .map_err(|refused| (Some(id), Refusal::NotKept(refused)))?;
    if source == "live" {
        app.heard.note(id, received, happened, sender);
    }
    Ok(taken)
}

/// Counts and notes a refusal; the answer for whoever sent it.
pub fn refuse(
    app: &App,
    kind: EventKind,
    enterprise: Option<i64>,
    refusal: &Refusal,
    (address, body): (Option<IpAddr>, &[u8]),
) -> AppError {
    // In a body that could be read the token has a name; in any other it is looked for. A flood is not worth that.
    let known = match refusal {
        Refusal::Unreadable(_) => app.cache.all(),
        _ => Vec::new(),
    };
    app.refusals
        .note(kind, enterprise, refusal, address, (body, &known))
}

/// Who sends this: by the token of the body, else of the header.
pub async fn find_enterprise(
    app: &App,
    body: &str,
    header: Option<&str>,
) -> Result<Arc<Enterprise>, Refusal> {
    let tokens = [Some(body), header];
    let mut asked = false;
    for token in tokens
        .into_iter()
        .flatten()
        .filter(|token| !token.is_empty())
    {
        asked = true;
        if let Some(enterprise) = app.cache.by_token(token) {
            return Ok(enterprise);
        }
        match app.cache.find_token(token).await {
            Ok(Some(enterprise)) => return Ok(enterprise),
            Ok(None) => {}
            Err(error) => return Err(Refusal::Unavailable(error.to_string())),
        }
    }
    Err(if asked {
        Refusal::UnknownToken
    } else {
        Refusal::NoToken
    })
}

/// The body, whole, if it is not too large.
async fn read(
    request: &HttpRequest,
    mut payload: web::Payload,
    max: usize,
) -> Result<web::BytesMut, Refusal> {
    let told: Option<usize> = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let mut body = web::BytesMut::with_capacity(told.unwrap_or(0).min(max));
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Refusal::Broken(error.to_string()))?;
        length += chunk.len();
        if length <= max {
            body.extend_from_slice(&chunk);
        } else if length > DRAINED {
            break;
        }
    }
    if length > max {
        Err(Refusal::TooLarge {
            length: told.unwrap_or(length).max(length),
            max,
        })
    } else {
        Ok(body)
    }
}

/// What the sender of a kept event hears.
pub fn answer(taken: &Taken) -> HttpResponse {
    let body = if taken.duplicate {
        r#"{"status":"ok","duplicate":true}"#
    } else {
        r#"{"status":"ok"}"#
    };
    HttpResponse::Ok()
        .insert_header(header::ContentType::json())
        .body(body)
}

fn truncate(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}
