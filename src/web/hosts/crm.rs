//! What CRMs send by themselves: `GET|POST /crm/{kind}/{key}`. The key, which only the CRM was told, names the enterprise;
//! the connector reads what is wanted and how it is to be answered; here it is carried out. Each request leaves a line in
//! the log, a click by what the host was told, the rest here.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use actors::cache::Enterprise;
use actors::cache::snapshot::Integration;
use actors::crm;
use actors::integration::actor::Order;
use actors::integration::connector::{ADDRESS_KEY, Answer, Connector, Kind, Place, Question};
use actors::integration::fields::text;
use actors::integration::incoming::{Done, Incoming, Spoken, Wish};
use actors::integration::known::Tokens;
use actors::store::crm_tokens;
use actors::store::logs::{self, NewLog};
use chrono::Utc;
use secrecy::SecretString;
use serde_json::Value;

use super::click;
use super::fields::Fields;
use crate::error::AppError;
use crate::state::App;
use crate::web::session::same;

/// See the module's head.
pub async fn hear(
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, AppError> {
    let (name, key) = path.into_inner();
    let kind = crm::find(&name)
        .filter(|kind| kind.hears)
        .ok_or(AppError::NotFound)?;
    let (enterprise, link) = by_key(&app, kind, &key)?;
    let place = Place {
        public_url: &app.settings.server.public_url,
        enterprise: enterprise.as_ref(),
    };
    let connector = (kind.connect)(&place, &link.settings)
        .map_err(|fault| AppError::Conflict(format!("the settings cannot be used: {fault}")))?;
    let incoming = Incoming {
        fields: Fields::read(&request, &body)?.all(),
        body: String::from_utf8_lossy(&body).into_owned(),
        headers: headers(&request),
    };
    let outcome = carry_out(&app, &enterprise, kind, &link, &*connector, &incoming).await;
    // A person's browser stands here after they let us in: it goes back to where they came from.
    if matches!(outcome, Ok(Done::LetIn)) && request.method() == Method::GET {
        let place = format!("/enterprise/{}/integrations", enterprise.number);
        return Ok(HttpResponse::SeeOther()
            .insert_header((header::LOCATION, place))
            .finish());
    }
    let spoken = match &outcome {
        Ok(done) => connector.speak(&incoming, Ok(done)),
        Err(error) => {
            // What is unknown is logged, and told to nobody.
            let _logged = error.error_response();
            let (status, words) = (error.status_code().as_u16(), error.to_string());
            connector.speak(&incoming, Err((status, &words)))
        }
    };
    Ok(answer(spoken))
}

/// What a connector may look at. A cookie is a person's of ours.
fn headers(request: &HttpRequest) -> BTreeMap<String, String> {
    let all = request.headers().iter();
    all.filter(|(name, _)| **name != header::COOKIE && **name != header::AUTHORIZATION)
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

async fn carry_out(
    app: &App,
    enterprise: &Arc<Enterprise>,
    kind: &'static Kind,
    link: &Integration,
    connector: &dyn Connector,
    incoming: &Incoming,
) -> Result<Done, AppError> {
    let known = app
        .integrations
        .known(enterprise.id, kind)
        .await
        .map_err(|failed| AppError::Crm(failed.to_string()))?;
    let wish = match connector.hear(incoming, &known) {
        Ok(wish) => wish,
        Err(words) => {
            note(app, enterprise, kind, "incoming", Err(&words)).await;
            return Err(AppError::BadRequest(words));
        }
    };
    match wish {
        Wish::Nothing(words) => Ok(Done::Nothing(words)),
        Wish::Call { .. } if !link.enabled => {
            let words = "the integration is switched off";
            note(app, enterprise, kind, "make_call", Err(words)).await;
            Err(AppError::Conflict(words.into()))
        }
        Wish::Call {
            user,
            extension,
            phone,
            memory,
        } => {
            let extension = match extension {
                Some(extension) => Ok(extension),
                None => click::of_user(enterprise, kind.name, user.as_deref()),
            };
            let (enterprise, name) = (enterprise.clone(), kind.name);
            let taken = click::ring(app, enterprise, name, extension, &phone, memory).await?;
            Ok(Done::Called {
                request: taken.id,
                repeated: taken.repeated,
            })
        }
        Wish::Tokens(tokens) => {
            let_in(app, enterprise, kind, tokens).await?;
            Ok(Done::LetIn)
        }
        Wish::Code(code) => match authorize(app, enterprise, kind, code).await? {
            Ok(()) => Ok(Done::LetIn),
            Err(words) => Err(AppError::Crm(words)),
        },
    }
}

/// Exchanges somebody's code for tokens and keeps them; what waited for them may go. The inner error is the CRM's, in
/// words.
///
/// # Errors
/// Ours.
pub async fn authorize(
    app: &App,
    enterprise: &Enterprise,
    kind: &'static Kind,
    code: SecretString,
) -> Result<Result<(), String>, AppError> {
    let settings = enterprise.integrations.get(kind.name);
    let settings = settings.map_or(Value::Null, |link| link.settings.clone());
    let question = Question::Authorize { code };
    let said = app
        .integrations
        .converse(enterprise, kind, &settings, &question)
        .await;
    match said.0 {
        Ok(Answer::Tokens(tokens)) => {
            let_in(app, enterprise, kind, tokens).await?;
            Ok(Ok(()))
        }
        Ok(_) => Err(AppError::unknown(anyhow::anyhow!(
            "{} answered a code with something else",
            kind.name
        ))),
        Err(failed) => {
            let words = failed.to_string();
            note(app, enterprise, kind, "authorize", Err(&words)).await;
            Ok(Err(words))
        }
    }
}

async fn let_in(
    app: &App,
    enterprise: &Enterprise,
    kind: &'static Kind,
    tokens: Tokens,
) -> Result<(), AppError> {
    let (id, vault) = (enterprise.id, app.store.vault().clone());
    app.store
        .write(move |conn| crm_tokens::save(conn, &vault, id, kind.name, &tokens, Utc::now()))
        .await?;
    note(app, enterprise, kind, "authorize", Ok("access was given")).await;
    app.integrations.order(id, kind.name, Order::Reset).await;
    Ok(())
}

/// A line of the log. What was sent is not repeated there: it may hold secrets.
async fn note(
    app: &App,
    enterprise: &Enterprise,
    kind: &Kind,
    event: &str,
    outcome: Result<&str, &str>,
) {
    let log = NewLog {
        enterprise: enterprise.id,
        enterprise_number: enterprise.number.clone(),
        integration: kind.name.into(),
        event_type: event.into(),
        status: if outcome.is_ok() { "success" } else { "error" }.into(),
        response: outcome.unwrap_or_default().into(),
        error: outcome.err().unwrap_or_default().into(),
        at: Utc::now(),
        ..NewLog::default()
    };
    if let Err(error) = app.store.write(move |conn| logs::add(conn, &log)).await {
        log::warn!("what {} sent is not logged: {error}", kind.name);
    }
}

/// The enterprise whose CRM was told this key.
fn by_key(app: &App, kind: &Kind, key: &str) -> Result<(Arc<Enterprise>, Integration), AppError> {
    let mut all = app.cache.all().into_iter();
    let found = all.find_map(|one| {
        let link = one.integrations.get(kind.name)?;
        let theirs = text(&link.settings, ADDRESS_KEY)?;
        let link = same(theirs.as_bytes(), key.as_bytes()).then(|| link.clone())?;
        Some((one, link))
    });
    let (enterprise, link) =
        found.ok_or_else(|| AppError::Denied("this address is not known".into()))?;
    Ok((click::switched_on(enterprise)?, link))
}

fn answer(spoken: Spoken) -> HttpResponse {
    let status = StatusCode::from_u16(spoken.status).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, spoken.content_type))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(spoken.body)
}
