//! Login, logout, and who a cookie stands for. The cookie holds a random token; the database holds its hash, so that
//! neither a copy of the database nor a log opens a session.

pub mod account;
pub mod login;
pub mod password;
pub mod policy;
pub mod throttle;

use actix_web::{HttpResponse, web};
use actors::store::sessions;
use chrono::Utc;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::locale::Lang;
use super::visit::{Viewer, Visit, go};
use crate::error::AppError;
use crate::state::App;
use policy::{Area, Role, allows};

/// The session cookie's name.
pub const COOKIE: &str = "patchbay";

/// The person a cookie's token stands for, if its session is there and not expired.
pub async fn find(app: &App, token: &str) -> Result<Option<Viewer>, AppError> {
    let hash = app.store.vault().fingerprint(token);
    let now = Utc::now();
    let found = app
        .store
        .read(move |conn| sessions::find(conn, &hash, now))
        .await?;
    let Some((session, user)) = found else {
        return Ok(None);
    };
    let Some(role) = Role::parse(&user.role) else {
        log::error!(
            "user {} has the unknown role {}; not let in",
            user.login,
            user.role
        );
        return Ok(None);
    };
    if now - session.last_seen_at > chrono::Duration::minutes(1) {
        let (store, id) = (app.store.clone(), session.id);
        // Nobody waits for this note.
        actix_web::rt::spawn(async move {
            store
                .write(move |conn| sessions::touch(conn, id, now))
                .await
        });
    }
    Ok(Some(Viewer {
        user: user.id,
        name: if user.full_name.is_empty() {
            user.login.clone()
        } else {
            user.full_name
        },
        login: user.login,
        role,
        enterprise: user.enterprise,
        session: session.id,
        csrf: session.csrf,
        language: Lang::parse(&user.language),
        must_choose: user.password_once,
    }))
}

/// `GET /`: to the page that this role looks at first.
pub async fn home(app: State, visit: Visit) -> Result<HttpResponse, AppError> {
    let role = Some(visit.viewer()?.role);
    // Where nothing is set up yet, the first thing to do is to set something up.
    let bare = allows(role, Area::System) && app.cache.all().is_empty();
    Ok(go(if bare {
        "/enterprises"
    } else if allows(role, Area::Live) {
        "/live"
    } else {
        "/calls"
    }))
}

/// A token of 256 bits from the system's generator, safe in a cookie and in a form.
pub fn new_token() -> String {
    use base64::Engine;
    let bytes: [u8; 32] = rand::random();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Equality whose time does not tell where two values differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.iter()
        .zip(b.iter())
        .fold(0, |difference, (x, y)| difference | (x ^ y))
        == 0
}

/// Whether it is one of the keys of the settings.
pub fn is_api_key(settings: &crate::config::Api, key: &str) -> bool {
    settings
        .keys
        .iter()
        .filter(|known| same(known.expose_secret().as_bytes(), key.as_bytes()))
        .count()
        > 0
}

/// For handlers: the application's state as actix hands it out.
pub type State = web::Data<App>;
