//! What the pages of all stand-ins share: escaping, the frame with its style, and the few lines of script that
//! fetch the page again each second and put the new content in place. It never writes unescaped text.

mod sheet;

use std::hash::{BuildHasher, Hasher, RandomState};

use actix_web::http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpRequest, HttpResponse};

pub(crate) use sheet::{NOTHING, SHOWN, Sheet};

/// Text made safe for HTML content and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// The language a page is read in. The CRMs' own pages are Russian, as their users' are; what is of no country asks.
#[derive(Clone, Copy)]
pub(crate) enum Tongue {
    Ru,
    En,
}

impl Tongue {
    /// English for a browser that names it first.
    pub fn of(request: &HttpRequest) -> Self {
        let wanted = request
            .headers()
            .get(ACCEPT_LANGUAGE)
            .and_then(|wanted| wanted.to_str().ok());
        if wanted.is_some_and(|wanted| wanted.trim_start().starts_with("en")) {
            Tongue::En
        } else {
            Tongue::Ru
        }
    }

    /// The one of two wordings.
    pub fn say<'a>(self, ru: &'a str, en: &'a str) -> &'a str {
        match self {
            Tongue::Ru => ru,
            Tongue::En => en,
        }
    }
}

/// A whole page. `body` is HTML; the script replaces its `main` with that of a fresh copy.
pub(crate) fn frame(title: &str, style: &str, body: &str) -> HttpResponse {
    frame_in(Tongue::Ru, title, style, body)
}

/// The same in one of the languages.
pub(crate) fn frame_in(tongue: Tongue, title: &str, style: &str, body: &str) -> HttpResponse {
    let nonce = RandomState::new().build_hasher().finish();
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce:x}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'"
    );
    let html = format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><style>{style}</style></head>\n<body>{body}\n<div id=\"toast\" role=\"status\"></div>\
         <script nonce=\"{nonce:x}\">{}</script></body></html>\n",
        tongue.say("ru", "en"),
        escape(title),
        include_str!("refresh.js"),
    );
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(html)
}

/// Up to two first letters of a name, for a round picture.
pub(crate) fn initials(name: &str) -> String {
    let firsts = name
        .split_whitespace()
        .filter_map(|word| word.chars().find(|letter| letter.is_alphanumeric()));
    escape(
        &firsts
            .take(2)
            .flat_map(char::to_uppercase)
            .collect::<String>(),
    )
}

/// One of eight colours that stays with a number.
pub(crate) fn tint(id: i64) -> u64 {
    id.unsigned_abs() % 8
}
