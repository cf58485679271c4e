//! The way in from the CRM: `accountUrl` carries a signed token; opening it gives a cookie that opens this one page of this
//! one enterprise, and sends the browser on to an address without the token. Registering again or removing the module ends
//! both. `gate` asks `guest` whom the cookie stands for.

use std::sync::Arc;

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::integration::fields::text;
use actors::store::audit::{self, NewEntry};
use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::token::{self, Claims, Purpose};
use super::{NAME, settings};
use crate::error::AppError;
use crate::state::App;
use crate::web::locale::Lang;
use crate::web::session::policy::Role;
use crate::web::session::{State, new_token, same};
use crate::web::visit::{Viewer, Visit, go};

/// The cookie of whoever came by a link; no page outside its path ever sees it.
pub const COOKIE: &str = "patchbay-retailcrm";
const PATH: &str = "/retailcrm-admin";
/// How long an account link is good.
const LINK: TimeDelta = TimeDelta::days(365);

/// What the link carries.
#[derive(Deserialize)]
pub struct Carried {
    #[serde(default)]
    token: String,
}

/// The token for an account link of this registration.
pub fn link_token(app: &App, number: &str, registration: &str) -> Result<String, AppError> {
    let claims = Claims::new(Purpose::Account, number, registration, Utc::now(), LINK);
    Ok(token::sign(app.store.vault(), &claims)?)
}

/// `GET|POST /retailcrm-admin/account?token=…`
pub async fn open(
    app: State,
    visit: Visit,
    carried: web::Query<Carried>,
) -> Result<HttpResponse, AppError> {
    let vault = app.store.vault();
    let claims = token::read(vault, &carried.token, Purpose::Account, Utc::now());
    let Some((claims, enterprise)) = living(&app, claims).await? else {
        log::warn!(
            "an account link that is not (any more) good was opened from {}",
            visit.address
        );
        return Err(AppError::Denied(
            "this link is no longer good: register the module again, or log in".into(),
        ));
    };
    let entry = NewEntry {
        enterprise: Some(enterprise.id),
        user: None,
        who: login(&enterprise.number),
        action: "retailcrm.open".into(),
        what: json!({"address": visit.address}),
    };
    app.store
        .write(move |conn| audit::add(conn, &entry, Utc::now()))
        .await?;
    let mut answer = go(&format!("{PATH}/?enterprise_number={}", enterprise.number));
    let session = cookie(&app, &enterprise.number, &claims.jti, new_token())?;
    answer.add_cookie(&session).map_err(AppError::unknown)?;
    Ok(answer)
}

/// Who this cookie stands for; `None` when its registration is no more.
pub async fn guest(app: &App, cookie: &str) -> Result<Option<Viewer>, AppError> {
    let claims = token::read(app.store.vault(), cookie, Purpose::Session, Utc::now());
    let Some((claims, enterprise)) = living(app, claims).await? else {
        return Ok(None);
    };
    Ok(Some(Viewer {
        user: 0,
        login: login(&enterprise.number),
        name: enterprise.name.clone(),
        role: Role::Guest,
        enterprise: Some(enterprise.id),
        session: 0,
        csrf: app
            .store
            .vault()
            .fingerprint(&format!("csrf {}", claims.sid)),
        language: Lang::parse(&enterprise.language),
        must_choose: false,
    }))
}

/// A guest who registers again ends the own link too: the session goes on under the new registration. The form's token
/// stays the same, it hangs on the session.
pub fn renewed(
    app: &App,
    visit: &Visit,
    request: &actix_web::HttpRequest,
    enterprise: &Enterprise,
    registration: &str,
) -> Result<Option<Cookie<'static>>, AppError> {
    if visit.viewer()?.role != Role::Guest {
        return Ok(None);
    }
    let before = request.cookie(COOKIE).and_then(|held| {
        token::read(
            app.store.vault(),
            held.value(),
            Purpose::Session,
            Utc::now(),
        )
    });
    let sid = before.map_or_else(new_token, |claims| claims.sid);
    cookie(app, &enterprise.number, registration, sid).map(Some)
}

/// The claims and their enterprise, while the registration they name is the one that holds.
async fn living(
    app: &App,
    claims: Option<Claims>,
) -> Result<Option<(Claims, Arc<Enterprise>)>, AppError> {
    let Some(claims) = claims else {
        return Ok(None);
    };
    let enterprise = match app.cache.by_number(&claims.sub) {
        Some(enterprise) => Some(enterprise),
        None => app
            .cache
            .find(&claims.sub)
            .await
            .map_err(|away| AppError::Busy {
                message: away.to_string(),
                retry_after: 2,
            })?,
    };
    Ok(enterprise
        .filter(|one| one.number == claims.sub && one.active)
        .filter(|one| {
            let stored = settings::stored(one);
            text(&stored, "account_token")
                .is_some_and(|held| same(held.as_bytes(), claims.jti.as_bytes()))
        })
        .map(|one| (claims, one)))
}

fn cookie(
    app: &App,
    number: &str,
    registration: &str,
    sid: String,
) -> Result<Cookie<'static>, AppError> {
    let life = app.settings.session.lifetime.0;
    let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
    let claims = Claims {
        sid,
        ..Claims::new(
            Purpose::Session,
            number,
            registration,
            Utc::now(),
            TimeDelta::seconds(seconds),
        )
    };
    Ok(
        Cookie::build(COOKIE, token::sign(app.store.vault(), &claims)?)
            .path(PATH)
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(app.settings.server.is_https())
            .max_age(Duration::seconds(seconds))
            .finish(),
    )
}

/// How the audit calls whoever came from the CRM: the link tells the account, not the person.
fn login(number: &str) -> String {
    format!("{NAME}@{number}")
}
