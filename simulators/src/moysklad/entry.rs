//! The way of a request: script, compression, key, limits, body, method. Called by actix for every path under `/api`; it
//! never holds the book's lock across an await.

use std::time::Instant;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::answer::{Answer, Refuse};
use super::phone::{self, Name};
use super::remap;
use super::state::{Book, State};
use crate::entry;

const BODY_LIMIT: usize = 4 << 20;
/// The only account; what a script's `target` names.
const TARGET: &str = "moysklad";
const PHONE: &str = "/api/phone/1.0/";
const REMAP: &str = "/api/remap/1.2/";

/// What a request is to, and its name in counts and scripts.
#[derive(Debug, Clone, Copy)]
enum Endpoint<'a> {
    Create,
    Update(Name<'a>),
    Command(Name<'a>),
    Extensions,
    Counterparties,
    AddCounterparty,
    Persons(&'a str),
    Employees,
    Myself,
    Unknown,
}

impl<'a> Endpoint<'a> {
    fn of(method: &Method, path: &'a str) -> Self {
        let rest = path
            .strip_prefix(PHONE)
            .or_else(|| path.strip_prefix(REMAP));
        let parts: Vec<&str> = rest.unwrap_or_default().split('/').collect();
        let (post, put, get) = (
            method == Method::POST,
            method == Method::PUT,
            method == Method::GET,
        );
        if path.starts_with(PHONE) {
            match parts.as_slice() {
                ["call"] if post => Self::Create,
                ["call", "extid", id] if put => Self::Update(Name::External(id)),
                ["call", id] if put => Self::Update(Name::Id(id)),
                ["call", "extid", id, "event"] if post => Self::Command(Name::External(id)),
                ["call", id, "event"] if post => Self::Command(Name::Id(id)),
                ["employee"] if get => Self::Extensions,
                _ => Self::Unknown,
            }
        } else {
            match parts.as_slice() {
                ["entity", "counterparty"] if get => Self::Counterparties,
                ["entity", "counterparty"] if post => Self::AddCounterparty,
                ["entity", "counterparty", id, "contactpersons"] if get => Self::Persons(id),
                ["entity", "employee"] if get => Self::Employees,
                ["context", "employee"] if get => Self::Myself,
                _ => Self::Unknown,
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Create => "call/create",
            Self::Update(Name::Id(_)) => "call/update",
            Self::Update(Name::External(_)) => "call/extid",
            Self::Command(_) => "call/event",
            Self::Extensions => "employee",
            Self::Counterparties => "remap/counterparty",
            Self::AddCounterparty => "remap/add",
            Self::Persons(_) => "remap/persons",
            Self::Employees => "remap/employee",
            Self::Myself => "remap/context",
            Self::Unknown => "unknown",
        }
    }
}

pub(crate) async fn serve(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let endpoint = Endpoint::of(request.method(), request.path());
    let name = endpoint.name();
    let under_way = UnderWay::begin(&state);
    let crowded = under_way.number > state.settings.at_once;
    let answer = async |body: &[u8]| answer(&request, body, &state, endpoint, crowded);
    entry::serve(&state, (TARGET, name), payload, BODY_LIMIT, answer).await
}

fn answer(
    request: &HttpRequest,
    body: &[u8],
    state: &State,
    endpoint: Endpoint<'_>,
    crowded: bool,
) -> HttpResponse {
    let mut book = state.book();
    match admit(&mut book, request, body, state, endpoint, crowded) {
        Ok((204, _)) => HttpResponse::NoContent().finish(),
        Ok((status, json)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            HttpResponse::build(status)
                .content_type("application/json;charset=utf-8")
                .body(json.to_string())
        }
        Err(refuse) => {
            if refuse.status() == 429 {
                book.tally.limited();
            } else if is_question(endpoint) && refuse.status() == 404 {
                // Whether it holds a call can only be asked by filling it in.
                book.tally.harmless();
            } else {
                book.tally
                    .refusal(endpoint.name(), refuse.status(), refuse.reason());
            }
            refuse.into_response()
        }
    }
}

fn is_question(endpoint: Endpoint<'_>) -> bool {
    matches!(endpoint, Endpoint::Update(Name::External(_)))
}

fn admit(
    book: &mut Book,
    request: &HttpRequest,
    body: &[u8],
    state: &State,
    endpoint: Endpoint<'_>,
    crowded: bool,
) -> Answer {
    let settings = &state.settings;
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    if !header("Accept-Encoding").is_some_and(|told| told.contains("gzip")) {
        return Err(Refuse::Uncompressed);
    }
    let is_remap = request.path().starts_with(REMAP);
    if is_remap {
        if header("Authorization") != Some(format!("Bearer {}", settings.token).as_str()) {
            return Err(Refuse::told(
                401,
                1056,
                "Ошибка аутентификации: Неправильный пароль или имя пользователя или ключ авторизации",
            ));
        }
        let accept = header("Accept").filter(|told| *told != "*/*");
        if accept.is_some_and(|told| told != "application/json;charset=utf-8") {
            return Err(Refuse::told(
                400,
                1062,
                "Неверное значение заголовка 'Accept'",
            ));
        }
    } else {
        if header("Lognex-Phone-Auth-Token") != Some(settings.phone_key.as_str()) {
            return Err(Refuse::told(401, 1056, "Ошибка аутентификации"));
        }
        if !settings.is_installed {
            return Err(Refuse::told(403, 55008, "Решение Phone API не подключено"));
        }
    }
    if crowded {
        return Err(Refuse::Throttled(1073, 1000));
    }
    book.admit(is_remap, Instant::now())
        .map_err(|wait| Refuse::Throttled(1049, wait))?;
    let read = || -> Result<Value, Refuse> {
        if !header("Content-Type").is_some_and(|told| told.starts_with("application/json")) {
            return Err(Refuse::told(415, 1061, "Content-Type: application/json"));
        }
        let read: Option<Value> = serde_json::from_slice(body).ok();
        read.filter(Value::is_object)
            .ok_or_else(|| Refuse::told(400, 2001, "Ошибка формата: некорректный JSON"))
    };
    let query: Vec<(String, String)> =
        serde_urlencoded::from_str(request.query_string()).unwrap_or_default();
    let base = {
        let info = request.connection_info();
        format!("{}://{}", info.scheme(), info.host())
    };
    match endpoint {
        Endpoint::Create => phone::create(book, settings, &read()?, &base),
        Endpoint::Update(name) => phone::update(book, name, &read()?, &base),
        Endpoint::Command(name) => phone::command(book, name, &read()?),
        Endpoint::Extensions => phone::employees(book, &query, &base),
        Endpoint::Counterparties => remap::counterparties(book, &query, &base),
        Endpoint::AddCounterparty => remap::add(book, &read()?, &base),
        Endpoint::Persons(id) => remap::persons(book, id, &query, &base),
        Endpoint::Employees => remap::employees(book, &query, &base),
        Endpoint::Myself => remap::myself(book, &base),
        Endpoint::Unknown => Err(Refuse::told(404, 1002, "Неизвестный ресурс")),
    }
}

/// One request among those under way, and how many they are with it.
struct UnderWay<'a> {
    state: &'a State,
    number: usize,
}

impl<'a> UnderWay<'a> {
    fn begin(state: &'a State) -> Self {
        let mut book = state.book();
        book.under_way += 1;
        let number = book.under_way;
        Self { state, number }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut book = self.state.book();
        // The book may have been exchanged for a fresh one meanwhile.
        book.under_way = book.under_way.saturating_sub(1);
    }
}
