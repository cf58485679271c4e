//! The way of a request: account, script, endpoint, key, limit, rights, body, method. Called by actix for every path
//! that is neither a page nor the control API; it never holds the account's lock across an await.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};

use super::account::Account;
use super::answer::{Answer, Refuse};
use super::book::Book;
use super::route::{self, Endpoint, Found};
use super::state::{Settings, State};
use super::{event, module, people, upload};
use crate::form::{self, Encoding, Fields};
use crate::script::Fault;

const BODY_LIMIT: usize = 4 << 20;

/// A request whose fields were read.
pub(crate) struct Asked<'a> {
    pub query: &'a Fields,
    pub body: &'a Fields,
    pub settings: &'a Settings,
}

impl Asked<'_> {
    /// A field that carries JSON in a string.
    pub fn json_field(&self, name: &str) -> Result<&str, Refuse> {
        if self.body.nested(name) {
            return Err(Refuse::non_scalar(name));
        }
        match self.body.get(name).map(str::trim) {
            None | Some("") => Err(Refuse::missing(name)),
            Some(text) => Ok(text),
        }
    }
}

pub(crate) async fn serve(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let (named, path) = route::account(request.path());
    let post = request.method() == Method::POST;
    let found = route::find(post, path);
    let name = match &found {
        Found::Endpoint(endpoint) => endpoint.name(),
        Found::WrongVerb | Found::Unknown => "unknown",
    };
    let target = named.unwrap_or_else(|| state.root());
    let script = state.script.take(target, name);
    if let Some(line) = &script {
        line.wait().await;
        if line.fault == Fault::Down {
            return line.fail().await;
        }
    }
    let Some(account) = state.account(target) else {
        return no_account(request.method());
    };
    let Some(body) = form::read(payload, BODY_LIMIT).await else {
        return HttpResponse::build(StatusCode::PAYLOAD_TOO_LARGE).finish();
    };
    if let Some(line) = script.filter(|line| line.fault != Fault::None) {
        if line.after {
            let _ = answer(&request, &body, &state, &account, found);
        } else {
            account.book().tally.request(name);
        }
        account.book().tally.scripted();
        return line.fail().await;
    }
    answer(&request, &body, &state, &account, found)
}

fn answer(
    request: &HttpRequest,
    body: &[u8],
    state: &State,
    account: &Arc<Account>,
    found: Found,
) -> HttpResponse {
    let query = Fields::urlencoded(request.query_string().as_bytes());
    // JSON bodies are not read: to the real one their fields are missing.
    let body = match form::encoding(request) {
        Encoding::Urlencoded | Encoding::Multipart => {
            form::fields(request, body).unwrap_or_default()
        }
        Encoding::Empty | Encoding::Json | Encoding::Other => Fields::default(),
    };
    let header = request
        .headers()
        .get("X-API-KEY")
        .and_then(|value| value.to_str().ok());
    let key = header
        .or_else(|| query.get("apiKey"))
        .or_else(|| body.get("apiKey"));
    let asked = Asked {
        query: &query,
        body: &body,
        settings: &state.settings,
    };

    let mut book = account.book();
    let (name, outcome) = match found {
        Found::Unknown => ("unknown", Err(Refuse::new(404, "API method not found"))),
        Found::WrongVerb => ("unknown", Err(Refuse::new(405, "Method Not Allowed"))),
        Found::Endpoint(endpoint) => (endpoint.name(), admit(&mut book, key, &endpoint, &asked)),
    };
    book.tally.request(name);
    match outcome {
        Ok((status, json)) => {
            drop(book);
            HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK)).json(json)
        }
        Err(refuse) => {
            if refuse.status == 503 {
                book.tally.limited();
            } else {
                let reason = format!(
                    "{} ({} {})",
                    refuse.reason(),
                    request.method(),
                    request.path()
                );
                book.tally.refusal(name, refuse.status, reason);
            }
            drop(book);
            refuse.into_response()
        }
    }
}

fn admit(book: &mut Book, key: Option<&str>, endpoint: &Endpoint, asked: &Asked<'_>) -> Answer {
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Err(Refuse::new(403, "\"apiKey\" is missing."));
    };
    let Some(known) = book.keys.iter().find(|known| known.key == key) else {
        return Err(Refuse::new(403, "Wrong \"apiKey\" value."));
    };
    let denied = known
        .denied
        .iter()
        .any(|beginning| endpoint.name().starts_with(beginning.as_str()));
    let telephony = endpoint.telephony();
    let rps = if telephony {
        asked.settings.telephony_rps
    } else {
        asked.settings.general_rps
    };
    if !book.admit(key, telephony, rps, Instant::now()) {
        return Err(Refuse::new(503, "Rate limit exceeded"));
    }
    if denied {
        return Err(Refuse::new(403, "Access denied."));
    }
    match endpoint {
        Endpoint::ApiVersions => people::versions(),
        Endpoint::SystemInfo => people::system_info(),
        Endpoint::Credentials => people::credentials(book, key),
        Endpoint::CallEvent => event::accept(book, asked),
        Endpoint::CallsUpload => upload::accept(book, asked),
        Endpoint::Manager => people::manager(book, asked),
        Endpoint::ModuleGet(code) => module::get(book, code),
        Endpoint::ModuleEdit(code) => module::edit(book, code, asked),
        Endpoint::Users => people::users(book, asked),
        Endpoint::User(id) => people::user(book, id),
        Endpoint::UserStatus(id) => people::set_status(book, id, asked),
        Endpoint::Customers => people::customers(book, asked),
    }
}

/// An unknown subdomain: JSON for GET, the web server's own page for everything else.
fn no_account(method: &Method) -> HttpResponse {
    if method == Method::GET {
        return Refuse::new(404, "Account does not exist.").into_response();
    }
    HttpResponse::build(StatusCode::METHOD_NOT_ALLOWED).content_type("text/html").body(
        "<html>\r\n<head><title>405 Not Allowed</title></head>\r\n<body>\r\n<center><h1>405 Not Allowed</h1></center>\
         \r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    )
}
