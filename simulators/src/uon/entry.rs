//! The way of a request: script, limit, key and its rights, body, method. Called by actix for every path that is neither
//! a page nor the control API; it never holds the book's lock across an await.

use std::time::Instant;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{Answer, Refuse};
use super::state::{Book, State};
use super::{calls, hooks, people};
use crate::entry;
use crate::form::{self, Fields};

const BODY_LIMIT: usize = 1 << 20;
/// The only cabinet; what a script's `target` names.
const TARGET: &str = "uon";

/// A path cut up: `/{key}/{endpoint}.json`, the last words being the endpoint's own.
struct Path<'a> {
    key: &'a str,
    words: Vec<&'a str>,
}

impl<'a> Path<'a> {
    fn read(path: &'a str) -> Option<Self> {
        let (key, rest) = path.strip_prefix('/')?.split_once('/')?;
        let rest = rest.strip_suffix(".json")?;
        let words: Vec<&str> = rest.split('/').collect();
        (!key.is_empty() && words.iter().all(|word| !word.is_empty()))
            .then_some(Self { key, words })
    }

    /// An endpoint's name in counts and scripts.
    fn name(&self, post: bool) -> &'static str {
        match (post, self.words.as_slice()) {
            (true, ["call_history", "create"]) => "call_history/create",
            (false, ["call_history", _]) => "call_history/read",
            (false, ["call_history_by_user", _, _]) => "call_history_by_user",
            (true, ["notification", "create"]) => "notification/create",
            (false, ["user", "phone", _]) => "user/phone",
            (true, ["user", "create"]) => "user/create",
            (false, ["user", _]) => "user",
            (true, ["lead", "create"]) => "lead/create",
            (false, ["manager"]) => "manager",
            (true, ["webhook", "create"]) => "webhook/create",
            (true, ["webhook", "update", _]) => "webhook/update",
            (true, ["webhook", "delete", _]) => "webhook/delete",
            (false, ["webhook", _]) => "webhook",
            _ => "unknown",
        }
    }
}

pub(crate) async fn serve(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let post = request.method() == Method::POST;
    let name = Path::read(request.path()).map_or("unknown", |path| path.name(post));
    let answer = async |body: &[u8]| answer(&request, body, &state, name);
    entry::serve(&state, (TARGET, name), payload, BODY_LIMIT, answer).await
}

fn answer(request: &HttpRequest, body: &[u8], state: &State, name: &'static str) -> HttpResponse {
    let mut book = state.book();
    match admit(&mut book, request, body, state, name) {
        Ok(json) => HttpResponse::Ok().json(json),
        Err(refuse) => {
            match (refuse.status, refuse.harmless) {
                (429, _) => book.tally.limited(),
                (_, true) => book.tally.harmless(),
                (status, false) => book.tally.refusal(name, status, refuse.words.clone()),
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
    if !book.admit(now) {
        return Err(Refuse::of(429, "Too many requests"));
    }
    let post = request.method() == Method::POST;
    let path = Path::read(request.path()).ok_or_else(Refuse::no_route)?;
    if path.key != settings.key {
        return Err(Refuse::of(settings.wrong_key, "Wrong key"));
    }
    let allowed = if post { book.may_post } else { book.may_get };
    if !allowed {
        return Err(Refuse::of(403, "Access denied"));
    }
    let read = || form::fields(request, body).ok_or_else(|| Refuse::of(404, "Body is wrong"));
    let fields = if post { read()? } else { Fields::default() };
    let number = |at: usize| {
        let word = path.words.get(at).copied().unwrap_or_default();
        word.parse::<i64>().map_err(|_| Refuse::no_route())
    };
    match name {
        "call_history/create" => calls::add(book, &fields),
        "call_history/read" => calls::list(book, settings, None, number(1)?),
        "call_history_by_user" => calls::list(book, settings, Some(number(1)?), number(2)?),
        "notification/create" => calls::notify(book, &fields),
        "user/phone" => {
            let phone = path.words.get(2).copied().unwrap_or_default();
            people::by_phone(book, settings, phone, now)
        }
        "user" => people::one(book, number(1)?),
        "user/create" => people::add_client(book, &fields, now),
        "lead/create" => people::add_lead(book, &fields, now),
        "manager" => people::managers(book),
        "webhook/create" => hooks::add(book, &fields),
        "webhook/update" => hooks::update(book, number(2)?, &fields),
        "webhook/delete" => hooks::remove(book, number(2)?),
        "webhook" => hooks::list(book, number(1)?),
        _ => Err(Refuse::no_route()),
    }
}
