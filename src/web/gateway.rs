//! The gateway: what other services on the installation ask about an enterprise, and the way in for events they hand
//! over. Loopback or an API key only (the area `Machine`, decided by `gate`). Answers from memory; only names are asked
//! of CRMs, with a deadline.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use actors::asterisk::redirect::extension_of;
use actors::cache::names::NobodySaid;
use actors::cache::{Cached, Enterprise};
use actors::call::event::EventKind;
use actors::call::number;
use actors::store::customers;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::events;
use crate::error::AppError;
use crate::masked::masked;
use crate::state::App;

/// How long a CRM may take to tell a name before the asker gets an answer without.
const PATIENCE: Duration = Duration::from_secs(3);

type Answer = Result<HttpResponse, AppError>;

/// `GET /integrations/{enterprise}`: which are on.
pub async fn integrations(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let cached = known(&app, &path).await?;
    let on: Map<String, Value> = cached
        .enterprise
        .integrations
        .iter()
        .map(|(kind, one)| (kind.clone(), one.enabled.into()))
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "enterprise_number": cached.enterprise.number,
        "integrations": on,
        "cached_at": time(&cached),
        "age_seconds": cached.age.as_secs(),
    })))
}

/// `GET /config/{enterprise}`: everything the server knows of it, secrets masked.
pub async fn config(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let cached = known(&app, &path).await?;
    let enterprise = &cached.enterprise;
    let integrations: Map<String, Value> = enterprise
        .integrations
        .iter()
        .map(|(kind, one)| (kind.clone(), masked(kind, &one.settings)))
        .collect();
    let extensions: Map<String, Value> = enterprise
        .extensions
        .iter()
        .map(|(number, person)| (number.clone(), person.name.clone().into()))
        .collect();
    let lines: Map<String, Value> = enterprise
        .lines
        .iter()
        .map(|(id, line)| (id.clone(), json!({"name": line.name, "rules": line.rules})))
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "enterprise_number": enterprise.number,
        "name": enterprise.name,
        "active": enterprise.active,
        "country": enterprise.country,
        "time_zone": enterprise.time_zone.name(),
        "language": enterprise.language,
        "debug_log": enterprise.debug_log,
        "telegram": enterprise.bot_token.is_some() && enterprise.has_telegram_subscribers,
        "primary": enterprise.primary,
        "integrations": integrations,
        "extensions": extensions,
        "lines": lines,
        "settings": masked("", &enterprise.settings),
        "cached_at": time(&cached),
        "age_seconds": cached.age.as_secs(),
        "stale": cached.stale,
    })))
}

/// `GET /customer-name/{enterprise}/{phone}`. A CRM that does not answer is `null` with a reason, not an error: whoever
/// asks wants a name to show or none.
pub async fn customer_name(app: web::Data<App>, path: web::Path<(String, String)>) -> Answer {
    let (enterprise, phone) = asked(&app, &path).await?;
    Ok(HttpResponse::Ok().json(
        match app.names.customer(&enterprise, &phone, PATIENCE).await {
            Ok(Some(said)) => json!({"name": said.what.name, "integration": said.by}),
            Ok(None) => json!({"name": null}),
            Err(nobody) => json!({"name": null, "reason": nobody.reason, "message": nobody.words}),
        },
    ))
}

/// `GET /customer-profile/{enterprise}/{phone}`: the name, where the CRM shows the client, and the client's calls.
pub async fn customer_profile(app: web::Data<App>, path: web::Path<(String, String)>) -> Answer {
    let (enterprise, phone) = asked(&app, &path).await?;
    let (id, number) = (enterprise.id, phone.clone());
    let ours = app
        .store
        .read(move |conn| customers::by_phone(conn, id, &number))
        .await?;
    let said = app.names.customer(&enterprise, &phone, PATIENCE).await;
    let (reason, said) = match said {
        Ok(said) => (None, said),
        Err(NobodySaid { reason, .. }) => (Some(reason), None),
    };
    let name = said.as_ref().map(|said| said.what.name.clone());
    // What a CRM said earlier is better than nothing while it does not answer.
    let name = name.or_else(|| {
        ours.as_ref()
            .map(|ours| ours.name.clone())
            .filter(|name| !name.is_empty())
    });
    Ok(HttpResponse::Ok().json(json!({
        "phone": phone,
        "name": name,
        "integration": said.as_ref().map(|said| &said.by),
        "link": said.as_ref().map(|said| &said.what.link),
        "reason": reason,
        "calls": ours.map(|ours| json!({
            "count": ours.calls_count,
            "answered": ours.answered_count,
            "missed": ours.missed_count,
            "talk_seconds": ours.talk_seconds,
            "first_at": ours.first_call_at,
            "last_at": ours.last_call_at,
        })),
    })))
}

/// `GET /responsible/{enterprise}/{phone}`: the client's own manager, and the extension to reach them at.
pub async fn responsible(app: web::Data<App>, path: web::Path<(String, String)>) -> Answer {
    let (enterprise, phone) = asked(&app, &path).await?;
    Ok(HttpResponse::Ok().json(match app.names.responsible(&enterprise, &phone, PATIENCE).await {
        Ok(Some(said)) => {
            let extension = extension_of(&enterprise, &said);
            json!({"extension": extension, "manager": {"id": said.what.id, "name": said.what.name}, "integration": said.by})
        }
        Ok(None) => json!({"extension": null, "manager": null, "reason": "manager_not_found"}),
        Err(nobody) => json!({"extension": null, "manager": null, "reason": nobody.reason, "message": nobody.words}),
    }))
}

/// `GET /metadata/{enterprise}/manager/{extension}`: whose extension it is.
pub async fn manager(app: web::Data<App>, path: web::Path<(String, String)>) -> Answer {
    let (enterprise, extension) = path.into_inner();
    let cached = known(&app, &enterprise).await?;
    let person = cached.enterprise.extensions.get(&extension);
    Ok(HttpResponse::Ok().json(json!({
        "extension": extension,
        "name": person.map(|person| &person.name).filter(|name| !name.is_empty()),
        "user_id": person.and_then(|person| person.user_id),
        "known": person.is_some(),
    })))
}

/// `GET /metadata/{enterprise}/line/{line}`: the line's name.
pub async fn line(app: web::Data<App>, path: web::Path<(String, String)>) -> Answer {
    let (enterprise, line) = path.into_inner();
    let cached = known(&app, &enterprise).await?;
    let found = cached.enterprise.lines.get(&line);
    Ok(HttpResponse::Ok().json(json!({
        "line": line,
        "name": found.map(|line| &line.name).filter(|name| !name.is_empty()),
        "known": found.is_some(),
    })))
}

/// `POST /cache/invalidate/{enterprise}`: load it anew, now.
pub async fn invalidate(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let number = app.cache.describe(&path).map_or_else(
        || path.to_string(),
        |cached| cached.enterprise.number.clone(),
    );
    let exists = app.cache.invalidate(&number).await.map_err(away)?;
    if let Some(enterprise) = app.cache.by_number(&number) {
        app.names.forget(enterprise.id);
    }
    Ok(HttpResponse::Ok().json(json!({"enterprise_number": number, "exists": exists})))
}

/// `POST /cache/refresh`: load everything anew, now.
pub async fn refresh(app: web::Data<App>) -> Answer {
    let entries = app.cache.refresh().await.map_err(away)?;
    Ok(HttpResponse::Ok().json(json!({"entries": entries})))
}

/// An event handed in by another service.
#[derive(Deserialize)]
struct Handed {
    token: String,
    #[serde(rename = "uniqueId")]
    unique_id: String,
    event_type: String,
    /// The host's message: an object, or its text.
    #[serde(default)]
    raw: Value,
    record_url: Option<String>,
}

/// `POST /dispatch/call-event`: the same as if the host had sent it to the webhook.
pub async fn dispatch(app: web::Data<App>, request: HttpRequest, body: web::Bytes) -> Answer {
    let handed: Handed = serde_json::from_slice(&body).map_err(|error| {
        AppError::BadRequest(format!(
            "token, uniqueId, event_type and raw are expected: {error}"
        ))
    })?;
    let kind = EventKind::parse(&handed.event_type)
        .filter(|kind| *kind != EventKind::Lost)
        .ok_or_else(|| {
            AppError::BadRequest(format!(
                "event_type {:?} is none of start, dial, bridge, hangup …",
                handed.event_type
            ))
        })?;
    let event = as_event(handed.raw, &handed.unique_id, handed.record_url)?;
    let address = request.peer_addr().map(|address| address.ip());
    match events::accept(
        &app,
        kind,
        &event,
        Some(&handed.token),
        None,
        ("live", events::heard::Sender::default()),
    )
    .await
    {
        Ok(taken) => Ok(events::answer(&taken)),
        Err((enterprise, refusal)) => Err(events::refuse(
            &app,
            kind,
            enterprise,
            &refusal,
            (address, &event),
        )),
    }
}

/// The host's message with what the envelope adds. The token stays in the envelope: the body is kept as it is here.
fn as_event(raw: Value, unique_id: &str, record_url: Option<String>) -> Result<Vec<u8>, AppError> {
    let mut event = match raw {
        Value::Null => Map::new(),
        Value::Object(event) => event,
        Value::String(text) => serde_json::from_str(&text).map_err(|error| {
            AppError::BadRequest(format!("raw is a text that is no JSON object: {error}"))
        })?,
        _ => return Err(AppError::BadRequest("raw must be a JSON object".into())),
    };
    let missing = |event: &Map<String, Value>, name: &str| {
        event
            .get(name)
            .is_none_or(|value| value.is_null() || value.as_str() == Some(""))
    };
    if missing(&event, "UniqueId") {
        event.insert("UniqueId".into(), unique_id.into());
    }
    if let Some(url) = record_url
        && missing(&event, "RecordFile")
    {
        event.insert("RecordFile".into(), url.into());
    }
    Ok(serde_json::to_vec(&event)?)
}

/// The enterprise with this number or name, and how old what we know of it is.
async fn known(app: &App, number_or_name: &str) -> Result<Cached, AppError> {
    if let Some(cached) = app.cache.describe(number_or_name) {
        return Ok(cached);
    }
    app.cache.find(number_or_name).await.map_err(away)?;
    app.cache.describe(number_or_name).ok_or_else(|| {
        AppError::Missing(format!(
            "no enterprise has the number or name {number_or_name:?}"
        ))
    })
}

/// The enterprise and the number in E.164 of a path.
async fn asked(app: &App, path: &(String, String)) -> Result<(Arc<Enterprise>, String), AppError> {
    let (enterprise, phone) = path;
    let enterprise = known(app, enterprise).await?.enterprise;
    let phone = number::to_e164(phone, &enterprise.country)
        .ok_or_else(|| AppError::BadRequest(format!("{phone:?} is no telephone number")))?;
    Ok((enterprise, phone))
}

fn away(error: actors::cache::Unavailable) -> AppError {
    AppError::Busy {
        message: error.to_string(),
        retry_after: 5,
    }
}

fn time(cached: &Cached) -> String {
    cached
        .cached_at
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_fills_in_what_the_message_lacks() {
        let table = [
            (Value::Null, json!({"UniqueId": "1.1", "RecordFile": "u"})),
            (
                json!({"UniqueId": "2.2"}),
                json!({"UniqueId": "2.2", "RecordFile": "u"}),
            ),
            (
                json!({"UniqueId": "", "RecordFile": "f"}),
                json!({"UniqueId": "1.1", "RecordFile": "f"}),
            ),
            (
                json!("{\"Phone\": \"1\"}"),
                json!({"Phone": "1", "UniqueId": "1.1", "RecordFile": "u"}),
            ),
        ];
        for (raw, event) in table {
            let made = as_event(raw, "1.1", Some("u".into())).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&made).unwrap(), event);
        }
        assert!(as_event(json!([1]), "1.1", None).is_err());
        assert!(as_event(json!("not json"), "1.1", None).is_err());
    }
}
