//! How the real one says no, in its shapes. Called by every method; decides nothing.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

/// A body with status 200, or a refusal.
pub(crate) type Answer = Result<Value, Refuse>;

/// A refusal; nothing found is one too, and no fault of the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refuse {
    pub status: u16,
    pub words: String,
    /// The client did nothing wrong: a list is empty.
    pub harmless: bool,
}

impl Refuse {
    /// A path that is no method.
    pub fn no_route() -> Self {
        Self {
            status: 404,
            words: "No route found".into(),
            harmless: false,
        }
    }

    /// A field that is missing, or is not what it has to be.
    pub fn parameter(name: &str) -> Self {
        Self {
            status: 404,
            words: format!("Parameter {name} is wrong"),
            harmless: false,
        }
    }

    /// An empty list.
    pub fn nothing() -> Self {
        Self {
            status: 404,
            words: "Not found".into(),
            harmless: true,
        }
    }

    /// With a status of its own.
    pub fn of(status: u16, words: &str) -> Self {
        Self {
            status,
            words: words.into(),
            harmless: false,
        }
    }

    /// As it is sent.
    pub fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::NOT_FOUND);
        HttpResponse::build(status).json(json!({"result": self.status, "message": self.words}))
    }
}

/// What every method that makes something answers: the id is a text.
pub(crate) fn created(id: i64) -> Answer {
    Ok(json!({"result": 200, "id": id.to_string()}))
}
