//! The login page and the way out.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use actors::store::audit::{self, NewEntry};
use actors::store::sessions::{self, NewSession};
use actors::store::users;
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;

use super::policy::Role;
use super::{COOKIE, State, password};
use crate::error::AppError;
use crate::web::visit::{Visit, go};

/// Where to go after login.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct Attempt {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`
pub async fn form(
    app: State,
    visit: Visit,
    query: web::Query<Next>,
) -> Result<HttpResponse, AppError> {
    if visit.viewer.is_some() {
        return Ok(go(inside(&query.next)));
    }
    draw(&app, &visit, inside(&query.next), "", "", 0)
}

/// `POST /login`
pub async fn submit(
    app: State,
    visit: Visit,
    request: HttpRequest,
    attempt: web::Form<Attempt>,
) -> Result<HttpResponse, AppError> {
    let Attempt {
        login,
        password,
        next,
    } = attempt.into_inner();
    let login = login.trim().to_owned();
    if let Err(wait) = app.throttle.take(&login, &visit.address) {
        log::warn!("login throttled for an attempt from {}", visit.address);
        return Ok(refused(
            draw(&app, &visit, inside(&next), &login, "login-throttled", wait)?,
            StatusCode::TOO_MANY_REQUESTS,
        ));
    }
    let name = login.clone();
    let found = app
        .store
        .read(move |conn| users::by_login(conn, &name))
        .await?
        .filter(|user| user.active);
    let hash = found.as_ref().map(|user| user.password_hash.clone());
    let right = web::block(move || password::verify(&password, hash.as_deref())).await?;
    let (Some(user), true) = (found, right) else {
        log::warn!("login refused from {}", visit.address);
        return Ok(refused(
            draw(&app, &visit, inside(&next), &login, "login-wrong", 0)?,
            StatusCode::UNAUTHORIZED,
        ));
    };

    let settings = &app.settings.session;
    let superadmin = user.role == Role::Superadmin.as_str();
    let lifetime = if superadmin {
        settings.superadmin_lifetime
    } else {
        settings.lifetime
    };
    let now = Utc::now();
    let token = super::new_token();
    let agent = request
        .headers()
        .get("user-agent")
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    let new = NewSession {
        token_hash: app.store.vault().fingerprint(&token),
        user: user.id,
        csrf: super::new_token(),
        address: visit.address.clone(),
        agent: agent.chars().take(200).collect(),
        expires_at: now + lifetime.0,
    };
    let entry = NewEntry {
        enterprise: user.enterprise,
        user: Some(user.id),
        who: user.login.clone(),
        action: "login".into(),
        what: json!({"address": visit.address}),
    };
    app.store
        .write(move |conn| {
            sessions::sweep(conn, now)?;
            sessions::add(conn, &new, now)?;
            audit::add(conn, &entry, now)
        })
        .await?;
    log::info!("{} logged in from {}", user.login, visit.address);
    let mut answer = go(inside(&next));
    answer
        .add_cookie(&cookie(&app, token, Some(lifetime.as_secs())))
        .map_err(AppError::unknown)?;
    Ok(answer)
}

/// `POST /logout`
pub async fn leave(app: State, visit: Visit) -> Result<HttpResponse, AppError> {
    let viewer = visit.viewer()?;
    let (user, session) = (viewer.user, viewer.session);
    let entry = NewEntry {
        enterprise: viewer.enterprise,
        user: Some(user),
        who: viewer.login.clone(),
        action: "logout".into(),
        what: json!({"address": visit.address}),
    };
    app.store
        .write(move |conn| {
            sessions::delete(conn, user, session)?;
            audit::add(conn, &entry, Utc::now())
        })
        .await?;
    let mut answer = go("/login");
    answer
        .add_removal_cookie(&cookie(&app, String::new(), None))
        .map_err(AppError::unknown)?;
    Ok(answer)
}

/// The session's cookie. It is never readable by scripts, and Secure when visitors come over TLS.
fn cookie(app: &State, token: String, seconds: Option<u64>) -> Cookie<'static> {
    let mut cookie = Cookie::build(COOKIE, token)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.settings.server.is_https())
        .finish();
    if let Some(seconds) = seconds {
        cookie.set_max_age(Duration::seconds(
            i64::try_from(seconds).unwrap_or(i64::MAX),
        ));
    }
    cookie
}

fn refused(mut answer: HttpResponse, status: StatusCode) -> HttpResponse {
    *answer.status_mut() = status;
    answer
}

fn draw(
    app: &State,
    visit: &Visit,
    next: &str,
    login: &str,
    problem: &str,
    wait: u64,
) -> Result<HttpResponse, AppError> {
    let mut context = visit.context();
    context.insert("next", next);
    context.insert("login", login);
    context.insert("problem", problem);
    context.insert("wait", &wait);
    visit.page(app, "login.html", &context)
}

/// A path of ours; anything that leads elsewhere becomes the way home.
fn inside(next: &str) -> &str {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.contains(|c: char| c.is_control());
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn nobody_is_sent_elsewhere_after_login() {
        for (next, goes) in [
            ("/live?x=1", "/live?x=1"),
            ("", "/"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ] {
            assert_eq!(inside(next), goes);
        }
    }
}
