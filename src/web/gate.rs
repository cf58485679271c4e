//! What stands before every page: finds the session and the language, asks the policy, demands the form's token,
//! draws failures as pages and sets the security headers. Wrapped around each route by `routes`, with its area;
//! hosts' events pass by without it.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::StreamExt;

use super::locale::Lang;
use super::retailcrm::account;
use super::session::policy::{Area, allows};
use super::session::{self, COOKIE};
use super::visit::{Viewer, Visit, go, html};
use crate::error::AppError;
use crate::state::App;

/// Largest form or JSON body of a page.
const LARGEST_FORM: usize = 256 << 10;

/// Where a password is chosen.
const ACCOUNT: &str = "/account";

/// Scripts, styles and connections of our own only; nothing inline, no frames around us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; media-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Lets a request through to its handler, or answers it.
pub async fn pass(
    area: Area,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let app = request
        .app_data::<web::Data<App>>()
        .cloned()
        .ok_or_else(|| {
            AppError::unknown(anyhow::anyhow!("the application's state is not registered"))
        })?;
    let (mut visit, chosen) = look(&app, area, &request).await?;
    let browser = wants_page(request.headers());
    let piece = visit.piece;
    let admitted = admit(&app, area, &mut visit, &mut request).await;
    request.extensions_mut().insert(visit.clone());

    let answer = match admitted {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(AppError::Unauthenticated) if browser && area != Area::Machine => {
            let back: String = url_escape(&visit.here);
            request.into_response(go(&format!("/login?next={back}")))
        }
        Err(AppError::Unauthenticated) if piece => {
            let back = shown(request.headers());
            request.into_response(
                HttpResponse::Unauthorized()
                    .insert_header(("HX-Redirect", format!("/login?next={}", url_escape(&back))))
                    .finish(),
            )
        }
        Err(AppError::PasswordOnce) if browser => request.into_response(go(ACCOUNT)),
        Err(AppError::PasswordOnce) if piece => request.into_response(
            HttpResponse::Forbidden()
                .insert_header(("HX-Redirect", ACCOUNT))
                .finish(),
        ),
        Err(error) => request.error_response(error),
    };
    let mut answer = if browser || piece {
        draw_failure(&app, &visit, piece, answer)
    } else {
        answer
    };
    if let Some(lang) = chosen {
        let cookie = actix_web::cookie::Cookie::build("lang", lang.as_str())
            .path("/")
            .max_age(actix_web::cookie::time::Duration::days(365))
            .same_site(actix_web::cookie::SameSite::Lax)
            .secure(app.settings.server.is_https())
            .http_only(true)
            .finish();
        answer.response_mut().add_cookie(&cookie)?;
    }
    harden(answer.headers_mut(), app.settings.server.is_https());
    Ok(answer)
}

/// Who asks, and the language newly chosen by `?lang=`.
async fn look(
    app: &App,
    area: Area,
    request: &ServiceRequest,
) -> Result<(Visit, Option<Lang>), AppError> {
    let mut viewer: Option<Arc<Viewer>> = match request.cookie(COOKIE) {
        Some(cookie) => session::find(app, cookie.value()).await?.map(Arc::new),
        None => None,
    };
    let let_in = viewer
        .as_ref()
        .is_some_and(|viewer| allows(Some(viewer.role), area));
    if area == Area::Module
        && !let_in
        && let Some(cookie) = request.cookie(account::COOKIE)
        && let Some(guest) = account::guest(app, cookie.value()).await?
    {
        viewer = Some(Arc::new(guest));
    }
    let chosen = request
        .query_string()
        .split('&')
        .find_map(|pair| Lang::parse(pair.strip_prefix("lang=")?));
    // An explicit choice stays in a cookie and wins over what the account says, until another choice.
    let lang = chosen
        .or_else(|| {
            request
                .cookie("lang")
                .and_then(|cookie| Lang::parse(cookie.value()))
        })
        .or_else(|| viewer.as_ref().and_then(|viewer| viewer.language))
        .or_else(|| {
            Lang::accepted(
                request
                    .headers()
                    .get(header::ACCEPT_LANGUAGE)?
                    .to_str()
                    .ok()?,
            )
        })
        .unwrap_or(Lang::Ru);
    let here = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let piece = request.headers().contains_key("HX-Request");
    Ok((
        Visit {
            lang,
            viewer,
            address: address(app, request),
            here,
            machine: false,
            piece,
            reads: request.method().is_safe(),
        },
        chosen,
    ))
}

/// The policy, and the token of a form.
async fn admit(
    app: &App,
    area: Area,
    visit: &mut Visit,
    request: &mut ServiceRequest,
) -> Result<(), AppError> {
    let role = visit.viewer.as_ref().map(|viewer| viewer.role);
    let local = area == Area::Machine && is_local(app, request);
    // With a key, the JSON of pages may be read too.
    let reads = area == Area::Machine
        || (request.path().starts_with("/api/") && request.method().is_safe());
    if local || (reads && has_key(app, request)) {
        visit.machine = true;
        return Ok(());
    }
    if !allows(role, area) {
        return Err(if role.is_none() {
            AppError::Unauthenticated
        } else {
            AppError::Forbidden
        });
    }
    if area.needs_session()
        && area != Area::Account
        && visit
            .viewer
            .as_ref()
            .is_some_and(|viewer| viewer.must_choose)
    {
        return Err(AppError::PasswordOnce);
    }
    match &visit.viewer {
        Some(viewer) if area.needs_session() && !request.method().is_safe() => {
            demand_token(viewer, request).await
        }
        _ => Ok(()),
    }
}

/// Whether the request carries one of the settings' API keys.
fn has_key(app: &App, request: &ServiceRequest) -> bool {
    let told = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let key = told("x-api-key")
        .or_else(|| told("authorization").and_then(|value| value.strip_prefix("Bearer ")));
    key.is_some_and(|key| session::is_api_key(&app.settings.api, key))
}

/// Whether this very host asks, and not a proxy on it for somebody else.
fn is_local(app: &App, request: &ServiceRequest) -> bool {
    let headers = request.headers();
    let local = request
        .peer_addr()
        .is_some_and(|peer| peer.ip().is_loopback());
    app.settings.api.loopback
        && local
        && !headers.contains_key("x-forwarded-for")
        && !headers.contains_key("forwarded")
}

/// The session's token, in the header that htmx and our scripts send or in the form's field `csrf`.
async fn demand_token(viewer: &Viewer, request: &mut ServiceRequest) -> Result<(), AppError> {
    let good = |token: &str| session::same(token.as_bytes(), viewer.csrf.as_bytes());
    if let Some(token) = request.headers().get("x-csrf-token") {
        return if token.to_str().is_ok_and(good) {
            Ok(())
        } else {
            Err(AppError::StaleForm)
        };
    }
    if request.content_type() != "application/x-www-form-urlencoded" {
        return Err(AppError::StaleForm);
    }
    let body = read_whole(request.take_payload()).await?;
    let fields = web::Query::<Vec<(String, String)>>::from_query(
        std::str::from_utf8(&body).unwrap_or_default(),
    );
    let held = fields.is_ok_and(|fields| {
        fields
            .iter()
            .any(|(name, value)| name == "csrf" && good(value))
    });
    let stream = futures_util::stream::once(async move { Ok(body) });
    request.set_payload(Payload::Stream {
        payload: Box::pin(stream),
    });
    if held {
        Ok(())
    } else {
        Err(AppError::StaleForm)
    }
}

/// Reads a bounded body whole.
async fn read_whole(mut payload: Payload) -> Result<web::Bytes, AppError> {
    let mut body = web::BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|error| AppError::BadRequest(format!("the body broke off: {error}")))?;
        if body.len() + chunk.len() > LARGEST_FORM {
            return Err(AppError::TooLarge("a form may have 256 KiB".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The visitor's address; X-Forwarded-For counts only from a proxy of the settings, and its last foreign entry.
fn address(app: &App, request: &ServiceRequest) -> String {
    let Some(peer) = request.peer_addr().map(|peer| peer.ip()) else {
        return String::new();
    };
    let trusted = |address: &IpAddr| app.settings.server.trusted_proxies.contains(address);
    if !trusted(&peer) {
        return peer.to_string();
    }
    request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|entry| entry.trim().parse::<IpAddr>().ok())
        .filter(|address| !trusted(address))
        .last()
        .unwrap_or(peer)
        .to_string()
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("text/html"))
        && !headers.contains_key("HX-Request")
}

/// Path and query of the page in which htmx asks for a piece, as it says itself.
fn shown(headers: &HeaderMap) -> String {
    let told = headers
        .get("HX-Current-URL")
        .and_then(|address| address.to_str().ok())
        .and_then(|address| address.parse::<actix_web::http::Uri>().ok());
    let path = told
        .as_ref()
        .and_then(|address| address.path_and_query())
        .map_or("/", |path| path.as_str());
    path.to_owned()
}

/// A failure that a person will read: as a page, or for htmx as one line.
fn draw_failure(app: &App, visit: &Visit, piece: bool, answer: ServiceResponse) -> ServiceResponse {
    let Some(error) = answer
        .response()
        .error()
        .and_then(|error| error.as_error::<AppError>())
    else {
        return answer;
    };
    let mut context = visit.context();
    context.insert("word", error.word());
    // What was asked for is not there in another language either; nor is it told from what is somebody else's.
    context.insert(
        "there",
        &format!("{}?", visit.here.split('?').next().unwrap_or("/")),
    );
    let detail = match error {
        AppError::BadRequest(words)
        | AppError::Conflict(words)
        | AppError::Crm(words)
        | AppError::Busy { message: words, .. }
        | AppError::TooLarge(words) => words.clone(),
        _ => String::new(),
    };
    context.insert("detail", &detail);
    let template = if piece {
        "error_piece.html"
    } else {
        "error.html"
    };
    let Ok(body) = app.pages.render(visit.lang, template, &context) else {
        return answer;
    };
    let mut drawn = html(body);
    *drawn.status_mut() = answer.status();
    if let Some(wait) = answer.headers().get(header::RETRY_AFTER) {
        drawn
            .headers_mut()
            .insert(header::RETRY_AFTER, wait.clone());
    }
    answer.into_response(drawn)
}

/// Headers of every page.
pub fn harden(headers: &mut HeaderMap, https: bool) {
    let mut set = |name: &'static str, value: &'static str| {
        let name = HeaderName::from_static(name);
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    set("content-security-policy", POLICY);
    set("x-content-type-options", "nosniff");
    set("x-frame-options", "DENY");
    set("referrer-policy", "same-origin");
    set("cross-origin-opener-policy", "same-origin");
    set(
        "permissions-policy",
        "camera=(), microphone=(), geolocation=()",
    );
    set("cache-control", "no-store");
    if https {
        set("strict-transport-security", "max-age=31536000");
    }
}

/// A path for use inside a query parameter.
pub fn url_escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
