//! What a method gives, and how the real one says no, in its shapes. Called by every method; decides nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

/// What a method gives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub result: Value,
    /// Of a list: how many there are in all, and where the next page starts.
    pub total: Option<usize>,
    pub next: Option<usize>,
}

impl From<Value> for Given {
    fn from(result: Value) -> Self {
        Self {
            result,
            ..Self::default()
        }
    }
}

/// A result or a refusal.
pub(crate) type Answer = Result<Given, Refuse>;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refuse {
    pub status: u16,
    pub code: String,
    pub words: String,
    /// Seconds until a method blocked for its cost is free again.
    pub free_in: Option<i64>,
}

impl Refuse {
    /// With a code of its own.
    pub fn new(status: u16, code: &str, words: &str) -> Self {
        Self {
            status,
            code: code.into(),
            words: words.into(),
            free_in: None,
        }
    }

    /// What a method throws: 400 and no code at all.
    pub fn core(words: impl Into<String>) -> Self {
        Self::new(400, "", &words.into())
    }

    /// As it stands in a body.
    pub fn body(&self) -> Value {
        json!({"error": self.code, "error_description": self.words})
    }

    /// As it is sent.
    pub fn into_response(self) -> HttpResponse {
        let mut body = self.body();
        if let Some(seconds) = self.free_in {
            body["time"] = time(0.0, Some(seconds));
        }
        respond(self.status, &body)
    }
}

/// A success, as it is sent.
pub(crate) fn success(given: Given) -> HttpResponse {
    let mut body = Map::new();
    body.insert("result".into(), given.result);
    if let Some(next) = given.next {
        body.insert("next".into(), next.into());
    }
    if let Some(total) = given.total {
        body.insert("total".into(), total.into());
    }
    body.insert("time".into(), time(0.285, Some(600)));
    respond(200, &body.into())
}

/// JSON with a status.
pub(crate) fn respond(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK))
        .content_type("application/json; charset=utf-8")
        .body(body.to_string())
}

/// The part `time`; the start is a whole number and the finish is not, as in the documentation.
pub(crate) fn time(operating: f64, free_in: Option<i64>) -> Value {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    let whole = now.floor();
    let start = whole as i64;
    let mut time = json!({"start": start, "finish": whole + 0.19, "duration": 0.19, "processing": 0,
        "date_start": date(start), "date_finish": date(start), "operating": operating});
    if let Some(seconds) = free_in {
        time["operating_reset_at"] = json!(start + seconds);
    }
    time
}

fn date(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0)
        .unwrap_or_default()
        .to_rfc3339()
}
