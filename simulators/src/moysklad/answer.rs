//! How the real one says no: one envelope for both APIs, and an empty 415 for who does not take compressed answers. Called
//! by every method; decides nothing.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

/// A body with its status (204: none), or a refusal.
pub(crate) type Answer = Result<(u16, Value), Refuse>;

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) enum Refuse {
    /// The envelope: HTTP status, code, title, the parameter it is about.
    Told(u16, u32, String, Option<String>),
    /// Too many requests, with the milliseconds until the limit is open again.
    Throttled(u32, u64),
    /// No `gzip` in `Accept-Encoding`.
    Uncompressed,
}

impl Refuse {
    /// A refusal that is about no parameter.
    pub fn told(status: u16, code: u32, title: impl Into<String>) -> Self {
        Self::Told(status, code, title.into(), None)
    }

    /// A parameter that must be there is not.
    pub fn missing(parameter: &str) -> Self {
        let title = format!("Ошибка сохранения объекта: поле '{parameter}' не может быть пустым");
        Self::Told(412, 3000, title, Some(parameter.into()))
    }

    /// A parameter of another type.
    pub fn mistyped(parameter: &str) -> Self {
        let title = format!("Ошибка формата: неправильное значение поля '{parameter}'");
        Self::Told(412, 2016, title, Some(parameter.into()))
    }

    /// What is not there.
    pub fn unknown(what: &str) -> Self {
        Self::told(404, 1021, format!("Объект не найден: {what}"))
    }

    /// The status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Told(status, ..) => *status,
            Self::Throttled(..) => 429,
            Self::Uncompressed => 415,
        }
    }

    /// For the tally.
    pub fn reason(&self) -> String {
        match self {
            Self::Uncompressed => "Accept-Encoding without gzip".into(),
            _ => self.body().to_string(),
        }
    }

    fn body(&self) -> Value {
        let (code, title, parameter) = match self {
            Self::Told(_, code, title, parameter) => (*code, title.clone(), parameter.clone()),
            Self::Throttled(code, _) => (
                *code,
                "Превышено ограничение на количество запросов".into(),
                None,
            ),
            Self::Uncompressed => return Value::Null,
        };
        let mut error = json!({"error": title, "code": code, "error_message": title});
        if let Some(parameter) = parameter {
            error["parameter"] = json!(parameter);
        }
        json!({"errors": [error]})
    }

    /// As it is sent.
    pub fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status()).unwrap_or_default();
        let mut answer = HttpResponse::build(status);
        match &self {
            Self::Uncompressed => return answer.finish(),
            Self::Throttled(_, wait) => {
                answer
                    .insert_header(("X-RateLimit-Remaining", "0"))
                    .insert_header(("X-Lognex-Retry-After", wait.to_string()))
                    .insert_header(("X-Lognex-Reset", wait.to_string()));
            }
            Self::Told(401, code, title, _) => {
                answer
                    .insert_header(("X-Lognex-Auth", code.to_string()))
                    .insert_header(("X-Lognex-Auth-Message", urlencoded(title)));
            }
            Self::Told(..) => {}
        }
        answer
            .content_type("application/json;charset=utf-8")
            .body(self.body().to_string())
    }
}

/// Headers hold no Russian letters.
fn urlencoded(text: &str) -> String {
    let pair = serde_urlencoded::to_string([("", text)]).unwrap_or_default();
    pair.trim_start_matches('=').to_owned()
}
