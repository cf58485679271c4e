//! The answers of the Bot API and the words of its refusals. Called by the entry and the methods; it never decides
//! when to refuse.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use serde_json::{Value, json};

/// A request turned down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refuse {
    pub status: u16,
    pub description: String,
    pub parameters: Option<Value>,
    pub why: Why,
}

/// What a refusal counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The request broke a rule.
    Rule,
    /// It was over a limit.
    Limit,
    /// A script said so.
    Script,
    /// An error that clients are told to take for success.
    Harmless,
}

pub(crate) type Answer = Result<Value, Refuse>;

impl Refuse {
    pub fn new(status: u16, description: impl Into<String>) -> Self {
        Self {
            status,
            description: description.into(),
            parameters: None,
            why: Why::Rule,
        }
    }

    /// 400 with its prefix.
    pub fn bad(words: impl std::fmt::Display) -> Self {
        Self::new(400, format!("Bad Request: {words}"))
    }

    pub fn too_many(seconds: u64, why: Why) -> Self {
        let parameters = Some(json!({"retry_after": seconds}));
        Self {
            parameters,
            why,
            ..Self::new(429, format!("Too Many Requests: retry after {seconds}"))
        }
    }

    pub fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = HttpResponse::build(status);
        let mut body =
            json!({"ok": false, "error_code": self.status, "description": self.description});
        if let Some(parameters) = self.parameters {
            if let Some(seconds) = parameters.get("retry_after").and_then(Value::as_u64) {
                answer.insert_header((RETRY_AFTER, seconds.to_string()));
            }
            body["parameters"] = parameters;
        }
        answer.json(body)
    }
}
