//! The way of a request: script, the portal's new name, limit, access, parameters, method. Called by actix for every path
//! that is neither a page nor the control API; it never holds the book's lock across an await.

use std::time::Instant;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::answer::{Answer, Refuse, success};
use super::state::State;
use super::{batch, methods, oauth, params, record};
use crate::{entry, form};

const BODY_LIMIT: usize = 32 << 20;
/// The only portal; what a script's `target` names.
const TARGET: &str = "bitrix24";

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    Webhook,
    Application,
}

pub(crate) async fn serve(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let path = request.path().to_owned();
    let (access, method) = route(&path);
    let name = methods::name_of(&method);
    let answer = async |body: &[u8]| respond(&request, access.clone(), &method, body, &state).await;
    entry::serve(&state, (TARGET, name), payload, BODY_LIMIT, answer).await
}

async fn respond(
    request: &HttpRequest,
    access: Option<(String, String)>,
    method: &str,
    body: &[u8],
    state: &State,
) -> HttpResponse {
    let name = methods::name_of(method);
    if name == "oauth" {
        return oauth::serve(state, request.path(), request.query_string());
    }
    if let Some(place) = led_elsewhere(request, state) {
        return HttpResponse::Found()
            .insert_header((header::LOCATION, place))
            .finish();
    }
    match answer(request, access, method, body, state).await {
        Ok(given) => success(given),
        Err(refuse) => {
            let mut book = state.book();
            match refuse.status {
                503 | 429 => book.tally.limited(),
                401 if refuse.code == "expired_token" => book.tally.harmless(),
                _ if methods::is_question(name, &refuse) => book.tally.harmless(),
                status => {
                    let words = format!("{} {}", refuse.code, refuse.words);
                    book.tally.refusal(name, status, words);
                }
            }
            refuse.into_response()
        }
    }
}

/// Access and method of a path: `/rest/12/secret/method` of a webhook, `/rest/method` of an application; with or without
/// `.json`, a slash at the end, in any letter case.
fn route(path: &str) -> (Option<(String, String)>, String) {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let method = |name: &str| {
        let name = name.to_lowercase();
        let bare = name
            .strip_suffix(".json")
            .or_else(|| name.strip_suffix(".xml"));
        bare.unwrap_or(&name).to_owned()
    };
    match parts.as_slice() {
        ["oauth", ..] => (None, "oauth".into()),
        ["rest", user, secret, name] => (Some(((*user).into(), (*secret).into())), method(name)),
        ["rest", name] => (None, method(name)),
        _ => (None, String::new()),
    }
}

fn led_elsewhere(request: &HttpRequest, state: &State) -> Option<String> {
    let book = state.book();
    let (old, new) = book.renamed.as_ref()?;
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    (host == old).then(|| format!("{new}{}", request.uri()))
}

async fn answer(
    request: &HttpRequest,
    access: Option<(String, String)>,
    method: &str,
    body: &[u8],
    state: &State,
) -> Answer {
    let mut told = params::read(request.query_string());
    match form::encoding(request) {
        form::Encoding::Json if !body.is_empty() => {
            let read: Value = serde_json::from_slice(body).unwrap_or_else(|_| json!({}));
            params::merge(&mut told, read);
        }
        form::Encoding::Urlencoded => {
            let text = String::from_utf8_lossy(body);
            params::merge(&mut told, params::read(&text));
        }
        _ => {}
    }
    if !state.book().admit(Instant::now()) {
        return Err(Refuse::new(
            503,
            "QUERY_LIMIT_EXCEEDED",
            "Too many requests",
        ));
    }
    if method == "upload" {
        return record::upload(state, &told, body);
    }
    let caller = let_in(state, access, &told)?;
    if method == "batch" {
        return batch::run(state, &caller, &told).await;
    }
    methods::call(state, &caller, method, &told).await
}

fn let_in(state: &State, access: Option<(String, String)>, told: &Value) -> Result<Caller, Refuse> {
    let settings = &state.settings;
    if let Some((user, secret)) = access {
        let right = user == settings.webhook_user.to_string() && secret == settings.webhook_secret;
        return match right {
            true => Ok(Caller::Webhook),
            false => Err(Refuse::new(
                403,
                "INVALID_CREDENTIALS",
                "Invalid request credentials",
            )),
        };
    }
    let token = params::text(told, "auth");
    state
        .book()
        .access
        .check(&token, Instant::now())
        .map(|()| Caller::Application)
}
