//! The authorization server: `/oauth/authorize/` leads a browser back with a code, `/oauth/token/` gives tokens for a code
//! or for a refresh token, which is good once. Called by the entry; the portal asks `Access::check`.

use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::header;
use serde_json::{Value, json};

use super::answer::{Refuse, respond};
use super::params;
use super::state::{Book, Settings, State};

/// How long a code is good for.
const CODE: Duration = Duration::from_secs(30);

/// The tokens that were given.
#[derive(Debug, Default)]
pub(crate) struct Access {
    tokens: Vec<(String, Instant)>,
    refresh: Option<String>,
    codes: Vec<(String, Instant)>,
    issued: u32,
    /// Where the application waits for a code.
    pub redirect: String,
}

impl Access {
    /// Whether a request with this token is let in.
    pub fn check(&self, token: &str, now: Instant) -> Result<(), Refuse> {
        match self.tokens.iter().find(|(known, _)| known == token) {
            Some((_, end)) if now < *end => Ok(()),
            Some(_) => Err(Refuse::new(
                401,
                "expired_token",
                "The access token provided has expired",
            )),
            None => Err(Refuse::new(
                401,
                "NO_AUTH_FOUND",
                "Wrong authorization data",
            )),
        }
    }

    pub fn expire(&mut self) {
        let now = Instant::now();
        self.tokens.iter_mut().for_each(|(_, end)| *end = now);
    }

    pub fn revoke(&mut self) {
        self.expire();
        self.refresh = None;
    }

    /// A pair for one more hour; the former refresh token is dead.
    pub fn issue(&mut self, life: Duration) -> (String, String) {
        self.issued += 1;
        let number = self.issued;
        let (access, refresh) = (
            format!("access-token-{number}"),
            format!("refresh-token-{number}"),
        );
        self.tokens.push((access.clone(), Instant::now() + life));
        self.refresh = Some(refresh.clone());
        (access, refresh)
    }

    fn code(&mut self) -> String {
        self.issued += 1;
        let code = format!("code-{}", self.issued);
        self.codes.push((code.clone(), Instant::now() + CODE));
        code
    }

    fn take_code(&mut self, code: &str) -> bool {
        let now = Instant::now();
        let before = self.codes.len();
        let good = self
            .codes
            .iter()
            .any(|(known, end)| known == code && now < *end);
        self.codes.retain(|(known, _)| known != code);
        good && self.codes.len() < before
    }
}

pub(crate) fn serve(state: &State, path: &str, query: &str) -> HttpResponse {
    let told = params::read(query);
    let settings = &state.settings;
    let mut book = state.book();
    if path.trim_matches('/') == "oauth/authorize" {
        if params::text(&told, "client_id") != settings.client_id || book.access.redirect.is_empty()
        {
            return refuse(&mut book, 400, "invalid_client", "Application not found");
        }
        let code = book.access.code();
        let fields = [
            ("code", code.as_str()),
            ("state", &params::text(&told, "state")),
            ("domain", "127.0.0.1"),
            ("member_id", &settings.member_id),
            ("scope", &settings.scopes.join(",")),
        ];
        let query = serde_urlencoded::to_string(fields).unwrap_or_default();
        let joint = if book.access.redirect.contains('?') {
            '&'
        } else {
            '?'
        };
        let place = format!("{}{joint}{query}", book.access.redirect);
        return HttpResponse::Found()
            .insert_header((header::LOCATION, place))
            .finish();
    }
    let client = params::text(&told, "client_id") == settings.client_id
        && params::text(&told, "client_secret") == settings.client_secret;
    if !client {
        return refuse(&mut book, 400, "invalid_client", "Invalid client");
    }
    let good = match params::text(&told, "grant_type").as_str() {
        "authorization_code" => book.access.take_code(&params::text(&told, "code")),
        "refresh_token" => book
            .access
            .refresh
            .as_ref()
            .is_some_and(|known| *known == params::text(&told, "refresh_token")),
        _ => return refuse(&mut book, 400, "invalid_request", "Unknown grant type"),
    };
    if !good {
        return refuse(&mut book, 400, "invalid_grant", "Invalid grant");
    }
    respond(200, &given(&mut book, settings))
}

fn given(book: &mut Book, settings: &Settings) -> Value {
    let (access, refresh) = book.access.issue(settings.access_life);
    let seconds = settings.access_life.as_secs();
    // `domain` is the authorization server's own.
    json!({"access_token": access, "refresh_token": refresh, "expires_in": seconds, "expires": 1_788_250_000 + seconds,
        "scope": "app", "domain": "oauth.bitrix.info", "server_endpoint": "https://oauth.bitrix.info/rest/",
        "client_endpoint": "", "status": "L", "member_id": settings.member_id, "user_id": settings.webhook_user})
}

fn refuse(book: &mut Book, status: u16, code: &str, words: &str) -> HttpResponse {
    book.tally
        .refusal("oauth", status, format!("{code} {words}"));
    respond(status, &json!({"error": code, "error_description": words}))
}
