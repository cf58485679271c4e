//! Login, logout, and who a cookie stands for. The cookie holds a random token; the database holds its hash, so that
//! neither a copy of the database nor a log opens a session.

pub mod login;
pub mod password;
pub mod policy;
pub mod throttle;

use actix_web::{HttpResponse, web};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::visit::{Viewer, Visit, go};
use crate::error::AppError;
use crate::state::App;
use policy::{Area, allows};

/// The session cookie's name.
pub const COOKIE: &str = "patchbay";

/// The person a cookie's token stands for, if its session is there and not expired.
pub async fn find(_app: &App, _token: &str) -> Result<Option<Viewer>, AppError> {
    Ok(None)
}

/// `GET /`: to the page that this role looks at first.
pub async fn home(visit: Visit) -> Result<HttpResponse, AppError> {
    let role = Some(visit.viewer()?.role);
    Ok(go(if allows(role, Area::Live) {
        "/live"
    } else {
        "/calls"
    }))
}

/// What `sessions.token_hash` holds for a token.
pub fn token_hash(token: &str) -> String {
    Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
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
