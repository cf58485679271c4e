//! Click-to-call and managers' statuses: `/retailcrm/make-call`, `/retailcrm/status`, `/api/makecallexternal`. Finds the
//! enterprise by the secret in the request and the extension of whoever clicked; the rest is `asterisk::requests`' work.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use actors::asterisk::requests::{Accepted, ClickError};
use actors::asterisk::{Extension, Number, redirect};
use actors::cache::Enterprise;
use actors::integration::fields::flag;
use actors::store::logs::{self, NewLog};
use actors::store::requests::{self, ManagerStatus};
use chrono::Utc;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::fields::Fields;
use crate::error::AppError;
use crate::state::App;
use crate::web::events::refusal::Refusal;
use crate::web::session::same;

/// The integration of the first two.
const RETAILCRM: &str = "retailcrm";
/// Characters of a status or a user's id that are kept.
const LONGEST: usize = 64;

type Answer = Result<HttpResponse, AppError>;

/// `GET|POST /retailcrm/make-call`: `clientId, userId, phone, code?`.
pub async fn retailcrm(app: web::Data<App>, request: HttpRequest, body: web::Bytes) -> Answer {
    let fields = Fields::read(&request, &body)?;
    let enterprise = by_client_id(&app, &fields)?;
    let extension = match fields.get("code") {
        Some(code) => Ok(code.to_owned()),
        None => of_user(&enterprise, RETAILCRM, fields.get("userId")),
    };
    click(&app, enterprise, RETAILCRM, extension, &fields).await
}

/// `GET /api/makecallexternal`: `code, phone, clientId`, which is the enterprise's own secret.
pub async fn external(app: web::Data<App>, request: HttpRequest, body: web::Bytes) -> Answer {
    let fields = Fields::read(&request, &body)?;
    let told = fields.get("clientId").unwrap_or_default().as_bytes();
    let enterprise = app
        .cache
        .all()
        .into_iter()
        .find(|one| {
            let secret = one.secret.as_ref();
            secret.is_some_and(|secret| same(secret.expose_secret().as_bytes(), told))
        })
        .ok_or_else(unknown)
        .and_then(switched_on)?;
    let code = fields.get("code").ok_or("code is missing");
    let extension = code.map(str::to_owned).map_err(str::to_owned);
    click(&app, enterprise, "api", extension, &fields).await
}

/// `GET|POST /retailcrm/status`: `clientId, userId, status`; kept and shown.
pub async fn status(app: web::Data<App>, request: HttpRequest, body: web::Bytes) -> Answer {
    let fields = Fields::read(&request, &body)?;
    let enterprise = by_client_id(&app, &fields)?;
    let field = |name: &str| match fields.get(name) {
        Some(value) => Ok(value
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST)
            .collect()),
        None => Err(AppError::BadRequest(format!("{name} is missing"))),
    };
    let told = ManagerStatus {
        integration: RETAILCRM.into(),
        manager: field("userId")?,
        status: field("status")?,
        at: Utc::now(),
    };
    let id = enterprise.id;
    app.store
        .write(move |conn| requests::save_status(conn, id, &told))
        .await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}

async fn click(
    app: &App,
    enterprise: Arc<Enterprise>,
    source: &'static str,
    extension: Result<String, String>,
    fields: &Fields,
) -> Answer {
    let taken = ring(
        app,
        enterprise,
        source,
        extension,
        &fields.phone(),
        Value::Null,
    )
    .await?;
    Ok(HttpResponse::Ok().json(json!({
        "success": true, "request_id": taken.id, "state": "accepted", "repeated": taken.repeated,
    })))
}

/// The extension and the number become words that may reach a host, or the click is refused; then the host is told.
/// `memory` is what the CRM's connector is to know of the call that follows.
///
/// # Errors
/// What was wrong with the words, or what the host said.
pub async fn ring(
    app: &App,
    enterprise: Arc<Enterprise>,
    source: &'static str,
    extension: Result<String, String>,
    phone: &str,
    memory: Value,
) -> Result<Accepted, AppError> {
    let checked = extension.and_then(|extension| {
        let extension = Extension::parse(&extension).map_err(|error| error.to_string())?;
        let number = Number::read(phone).map_err(|error| error.to_string())?;
        Ok((extension, number))
    });
    let (extension, number) = match checked {
        Ok(checked) => checked,
        Err(words) => {
            note_refused(app, &enterprise, source, &words).await;
            return Err(AppError::BadRequest(words));
        }
    };
    let taken = app
        .requests
        .click(enterprise, extension, number, source, memory)
        .await;
    match taken {
        Ok(taken) => Ok(taken),
        Err(ClickError::Host(error)) => Err(error.into()),
        Err(ClickError::Store(error)) => Err(error.into()),
        Err(broken @ ClickError::BrokenOff) => Err(AppError::unknown(broken)),
    }
}

/// A refused click is a line of the log too; what was sent is not repeated there.
async fn note_refused(app: &App, enterprise: &Enterprise, source: &str, words: &str) {
    let log = NewLog {
        enterprise: enterprise.id,
        enterprise_number: enterprise.number.clone(),
        integration: source.to_owned(),
        event_type: "make_call".into(),
        status: "error".into(),
        error: words.to_owned(),
        at: Utc::now(),
        ..NewLog::default()
    };
    if let Err(error) = app.store.write(move |conn| logs::add(conn, &log)).await {
        log::warn!("a refused click-to-call is not logged: {error}");
    }
}

/// The enterprise whose RetailCRM shows this `clientId`: the token we registered it with, or the enterprise's bare number,
/// which older registrations carry, where `allow_number` of the integration says so.
fn by_client_id(app: &App, fields: &Fields) -> Result<Arc<Enterprise>, AppError> {
    let told = fields.get("clientId").unwrap_or_default();
    let is_theirs = |one: &Arc<Enterprise>| {
        one.integrations.get(RETAILCRM).is_some_and(|link| {
            let token = link.settings.get("client_id").and_then(|id| id.as_str());
            let by_token = token
                .filter(|token| !token.is_empty())
                .is_some_and(|token| same(token.as_bytes(), told.as_bytes()));
            let by_number = one.number == told && flag(&link.settings, "allow_number", false);
            link.enabled && (by_token || by_number)
        })
    };
    app.cache
        .all()
        .into_iter()
        .find(is_theirs)
        .ok_or_else(unknown)
        .and_then(switched_on)
}

/// The enterprise, unless it is switched off.
///
/// # Errors
/// It is.
pub fn switched_on(enterprise: Arc<Enterprise>) -> Result<Arc<Enterprise>, AppError> {
    if enterprise.active {
        Ok(enterprise)
    } else {
        Err(Refusal::SwitchedOff.into())
    }
}

fn unknown() -> AppError {
    AppError::Denied("the clientId is not known".into())
}

/// The extension of a CRM's user, as the settings of that CRM have it.
///
/// # Errors
/// Words for the CRM, as the services before us said them.
pub fn of_user(enterprise: &Enterprise, kind: &str, user: Option<&str>) -> Result<String, String> {
    let user = user.ok_or("code and userId are missing")?;
    let settings = enterprise.integrations.get(kind).map(|link| &link.settings);
    settings
        .and_then(|settings| redirect::user_extension(settings, user))
        .ok_or_else(|| {
            let user: String = user
                .chars()
                .filter(|c| !c.is_control())
                .take(LONGEST)
                .collect();
            format!("No extension configured for user {user}")
        })
}
