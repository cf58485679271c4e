//! How the real one says no, in its shapes. Called by every method; decides nothing.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

/// A body with its status, or a refusal.
pub(crate) type Answer = Result<(u16, Value), Refuse>;

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) enum Refuse {
    /// `application/problem+json`.
    Problem(u16, Value),
    /// The web server in front, which speaks HTML.
    Page(u16),
}

impl Refuse {
    /// A problem with a title and a detail.
    pub fn problem(status: u16, title: &str, detail: &str) -> Self {
        let kind = format!("https://httpstatus.es/{status}");
        Self::Problem(
            status,
            json!({"title": title, "type": kind, "status": status, "detail": detail}),
        )
    }

    /// A body that breaks a rule, at a place in it.
    pub fn invalid(request_id: &Value, code: &str, path: &str, detail: &str) -> Self {
        let errors = json!([{"code": code, "path": path, "detail": detail}]);
        let id = request_id.as_str().unwrap_or("0");
        Self::Problem(
            400,
            json!({"validation-errors": [{"request_id": id, "errors": errors}], "title": "Bad Request",
                "type": "https://httpstatus.es/400", "status": 400, "detail": "Request validation failed"}),
        )
    }

    /// The status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Problem(status, _) | Self::Page(status) => *status,
        }
    }

    /// For the tally.
    pub fn reason(&self) -> String {
        match self {
            Self::Problem(_, body) => body.to_string(),
            Self::Page(status) => format!("an HTML page with {status}"),
        }
    }

    /// As it is sent.
    pub fn into_response(self) -> HttpResponse {
        let mut answer =
            HttpResponse::build(StatusCode::from_u16(self.status()).unwrap_or_default());
        match self {
            Self::Problem(_, body) => answer
                .content_type("application/problem+json")
                .body(body.to_string()),
            Self::Page(status) => answer.content_type("text/html").body(format!(
                "<html>\r\n<head><title>{status}</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"
            )),
        }
    }
}
