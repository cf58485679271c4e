//! The way of a request: script, block, limit, token, body, method. Called by actix for every path that is neither a
//! page nor the control API; it never holds the book's lock across an await.

use std::time::Instant;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::answer::{Answer, Refuse};
use super::state::{Book, State};
use super::{calls, oauth, people};
use crate::entry;

const BODY_LIMIT: usize = 4 << 20;
/// The only account; what a script's `target` names.
const TARGET: &str = "amocrm";

/// An endpoint's name in counts and scripts.
fn name_of(post: bool, path: &str) -> &'static str {
    match (post, path) {
        (true, "/oauth2/access_token") => "oauth",
        (false, "/api/v4/account") => "account",
        (false, "/api/v4/users") => "users",
        (false, "/api/v4/contacts") => "contacts",
        (false, "/api/v4/companies") => "companies",
        (true, "/api/v4/contacts") => "contacts/add",
        (false, "/api/v4/contacts/notes") => "notes/contact",
        (false, "/api/v4/companies/notes") => "notes/company",
        (false, "/api/v4/leads/notes") => "notes/lead",
        (false, "/api/v4/leads/unsorted") => "unsorted",
        (true, "/api/v4/leads/unsorted/sip") => "unsorted/add",
        (true, "/api/v4/calls") => "calls/add",
        (true, "/api/v2/events") => "events",
        _ => "unknown",
    }
}

pub(crate) async fn serve(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let name = name_of(request.method() == Method::POST, request.path());
    let answer = async |body: &[u8]| answer(&request, body, &state, name);
    entry::serve(&state, (TARGET, name), payload, BODY_LIMIT, answer).await
}

fn answer(request: &HttpRequest, body: &[u8], state: &State, name: &'static str) -> HttpResponse {
    let mut book = state.book();
    match admit(&mut book, request, body, state, name) {
        Ok((204, _)) => HttpResponse::NoContent().finish(),
        Ok((status, json)) => {
            if status >= 400 {
                book.tally.refusal(name, status, json.to_string());
            }
            let mut answer =
                HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
            answer
                .content_type("application/hal+json")
                .body(json.to_string())
        }
        Err(refuse) => {
            if refuse.status() == 429 {
                book.tally.limited();
            } else {
                book.tally.refusal(name, refuse.status(), refuse.reason());
            }
            refuse.into_response()
        }
    }
}

fn admit(
    book: &mut Book,
    request: &HttpRequest,
    body: &[u8],
    state: &State,
    name: &'static str,
) -> Answer {
    let (settings, now) = (&state.settings, Instant::now());
    if book.blocked {
        return Err(Refuse::Page(403));
    }
    if !book.admit(now) {
        book.over += 1;
        book.blocked = book.over > settings.patience;
        return Err(Refuse::Page(429));
    }
    let read = || -> Result<Value, Refuse> {
        serde_json::from_slice(body)
            .map_err(|_| Refuse::problem(400, "Bad Request", "Invalid JSON"))
    };
    if name == "oauth" {
        return oauth::exchange(book, settings, &read()?);
    }
    let header = request.headers().get("Authorization");
    let token = header
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !oauth::knows(book, settings, token, now) {
        return Err(Refuse::problem(401, "Unauthorized", "Неверный токен"));
    }
    let query: Vec<(String, String)> =
        serde_urlencoded::from_str(request.query_string()).unwrap_or_default();
    match name {
        "account" => people::account(settings),
        "users" => people::users(book, settings, &query),
        "contacts" => people::search(book, "contacts", &query),
        "companies" => people::search(book, "companies", &query),
        "contacts/add" => people::add_contacts(book, &read()?),
        "notes/contact" => calls::notes(book, "contact", &query),
        "notes/company" => calls::notes(book, "company", &query),
        "notes/lead" => calls::notes(book, "lead", &query),
        "unsorted" => calls::unsorted(book, &query),
        "unsorted/add" => calls::add_unsorted(book, settings, &read()?),
        "calls/add" => calls::add(book, &read()?),
        "events" => calls::show(book, &read()?),
        _ => Err(Refuse::problem(404, "Not Found", "Not found")),
    }
}
