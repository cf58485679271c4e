//! How a failure becomes an answer. The only place that knows HTTP statuses of failures.
//!
//! The policy:
//! 1. Outside requests (`cli`, `startup`) failures are `anyhow` and end the program with words.
//! 2. What a caller decides on is a `thiserror` enum of the module that failed; it knows nothing of HTTP.
//! 3. A handler returns `AppError`. What we know becomes its own variant with words for the caller; everything else
//!    becomes `Unknown`: logged in full, answered 500 without a detail.
//! 4. Machine surfaces get `{"error": word, "message": words}`; a browser gets a page (made by `web::gate`, which
//!    knows the visitor's language).
//! 5. What belongs to another enterprise does not exist: `NotFound`, never `Forbidden`.

use actix_web::{HttpResponse, ResponseError, http::StatusCode, http::header};
use actors::asterisk::HostError;
use actors::call::intake::Refused;
use actors::store::StoreError;
use serde_json::json;

use crate::web::events::refusal::Refusal;

/// What a handler may answer instead of its result.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Not there, or not there for this visitor.
    #[error("there is nothing here")]
    NotFound,
    /// Not there, and the caller may know what: machines ask by names.
    #[error("{0}")]
    Missing(String),
    /// Nobody is logged in, or no valid key was given.
    #[error("log in first, or send a valid key")]
    Unauthenticated,
    /// The secret in the request is nobody's; the words say which.
    #[error("{0}")]
    Denied(String),
    /// A CRM did not do what it was asked; its words.
    #[error("{0}")]
    Crm(String),
    /// An Asterisk host did not do what it was asked.
    #[error("{0}")]
    Host(#[from] HostError),
    /// Known, but this kind of page is not for that role.
    #[error("your role does not open this page")]
    Forbidden,
    /// Known, with a password that somebody else knows too.
    #[error("choose a password of your own first: the one you have was made for you")]
    PasswordOnce,
    /// The form's token is missing or stale.
    #[error("the form is out of date: reload the page and send it again")]
    StaleForm,
    /// What was sent cannot be used; the words say why.
    #[error("{0}")]
    BadRequest(String),
    /// It is already so, or somebody was faster.
    #[error("{0}")]
    Conflict(String),
    /// More was sent than is accepted.
    #[error("too large: {0}")]
    TooLarge(String),
    /// Too often; seconds to wait.
    #[error("too many attempts: wait {0} s")]
    TooMany(u64),
    /// We cannot take it now; the sender should come again after these seconds.
    #[error("not available now: {message}")]
    Busy { message: String, retry_after: u64 },
    /// An event that was not taken; each reason has its status below.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// `/health` says no; the body is its own.
    #[error("this process cannot do its work")]
    Unhealthy(serde_json::Value),
    /// Anything not foreseen. The cause is logged, never sent.
    #[error("something went wrong on our side")]
    Unknown(#[source] anyhow::Error),
}

impl AppError {
    /// The stable word for machines and for the locale files (`error-…`).
    pub fn word(&self) -> &'static str {
        match self {
            AppError::NotFound | AppError::Missing(_) => "not-found",
            AppError::Unauthenticated => "unauthenticated",
            AppError::Denied(_) => "denied",
            AppError::Crm(_) => "crm",
            AppError::Host(error) => error.word(),
            AppError::Forbidden => "forbidden",
            AppError::PasswordOnce => "password-once",
            AppError::StaleForm => "stale-form",
            AppError::BadRequest(_) => "bad-request",
            AppError::Conflict(_) => "conflict",
            AppError::TooLarge(_) => "too-large",
            AppError::TooMany(_) => "too-many",
            AppError::Busy { .. } => "busy",
            AppError::Refused(refusal) => refusal.word(),
            AppError::Unhealthy(_) => "busy",
            AppError::Unknown(_) => "internal",
        }
    }

    /// Wraps what was not foreseen, so that `?` reads well where no `From` fits.
    pub fn unknown(cause: impl Into<anyhow::Error>) -> Self {
        AppError::Unknown(cause.into())
    }
}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        match self {
            AppError::NotFound | AppError::Missing(_) => StatusCode::NOT_FOUND,
            AppError::Unauthenticated => StatusCode::UNAUTHORIZED,
            AppError::Denied(_) => StatusCode::UNAUTHORIZED,
            AppError::Crm(_) => StatusCode::BAD_GATEWAY,
            AppError::Host(error) => host_status(error),
            AppError::Forbidden | AppError::PasswordOnce | AppError::StaleForm => {
                StatusCode::FORBIDDEN
            }
            AppError::BadRequest(_) => StatusCode::BAD_REQUEST,
            AppError::Conflict(_) => StatusCode::CONFLICT,
            AppError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            AppError::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            AppError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            AppError::Refused(refusal) => refusal_status(refusal),
            AppError::Unhealthy(_) => StatusCode::SERVICE_UNAVAILABLE,
            AppError::Unknown(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let AppError::Unknown(cause) = self {
            log::error!("a request failed: {cause:#}");
        }
        let mut answer = HttpResponse::build(self.status_code());
        match self {
            AppError::Busy {
                retry_after: seconds,
                ..
            }
            | AppError::TooMany(seconds) => {
                answer.insert_header((header::RETRY_AFTER, *seconds));
            }
            AppError::Refused(Refusal::TooFast { wait }) => {
                answer.insert_header((header::RETRY_AFTER, *wait));
            }
            // So that the host sends it again instead of giving it up.
            AppError::Refused(_) if self.status_code() == StatusCode::SERVICE_UNAVAILABLE => {
                answer.insert_header((header::RETRY_AFTER, 1));
            }
            _ => {}
        }
        if let AppError::Unhealthy(body) = self {
            return answer.json(body);
        }
        answer.json(json!({"error": self.word(), "message": self.to_string()}))
    }
}

/// 4xx: the caller can change something; 5xx: somebody has to look after the host.
fn host_status(error: &HostError) -> StatusCode {
    match error {
        HostError::UnknownExtension(_) | HostError::UnknownNumber => StatusCode::BAD_REQUEST,
        HostError::NotSet(_) | HostError::NotWaiting | HostError::CallerGone => {
            StatusCode::CONFLICT
        }
        HostError::Timeout => StatusCode::GATEWAY_TIMEOUT,
        HostError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        HostError::Down(_)
        | HostError::HostKeyUnknown { .. }
        | HostError::HostKeyChanged { .. }
        | HostError::KeyRefused(_)
        | HostError::AsteriskNotRunning
        | HostError::AsteriskMissing
        | HostError::Refused(_) => StatusCode::BAD_GATEWAY,
    }
}

/// 4xx: sending the same again helps nobody; 429 and 503: it does.
fn refusal_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Unreadable(_) | Refusal::Broken(_) => StatusCode::BAD_REQUEST,
        Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::NoToken | Refusal::UnknownToken | Refusal::SwitchedOff => StatusCode::FORBIDDEN,
        Refusal::TooFast { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::NotKept(Refused::Unstorable(_)) => StatusCode::BAD_REQUEST,
        Refusal::TooManyAtOnce { .. } | Refusal::Unavailable(_) | Refusal::NotKept(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => AppError::NotFound,
            StoreError::Taken(_) => AppError::Conflict("there is one of this name already".into()),
            StoreError::Away(_) | StoreError::Full | StoreError::Panicked => {
                log::warn!("a request could not be served: {error}");
                AppError::Busy {
                    message: "the database does not answer".into(),
                    retry_after: 2,
                }
            }
            other => AppError::Unknown(other.into()),
        }
    }
}

impl From<tera::Error> for AppError {
    fn from(error: tera::Error) -> Self {
        AppError::Unknown(error.into())
    }
}

impl From<serde_json::Error> for AppError {
    fn from(error: serde_json::Error) -> Self {
        AppError::Unknown(error.into())
    }
}

impl From<actix_web::error::BlockingError> for AppError {
    fn from(error: actix_web::error::BlockingError) -> Self {
        AppError::Unknown(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_as_agreed() {
        let table = [
            (AppError::NotFound, 404),
            (AppError::Unauthenticated, 401),
            (AppError::Denied("x".into()), 401),
            (AppError::Crm("x".into()), 502),
            (HostError::Timeout.into(), 504),
            (HostError::AsteriskNotRunning.into(), 502),
            (HostError::UnknownExtension("159".into()).into(), 400),
            (AppError::Forbidden, 403),
            (AppError::PasswordOnce, 403),
            (AppError::StaleForm, 403),
            (AppError::BadRequest("x".into()), 400),
            (AppError::Conflict("x".into()), 409),
            (AppError::TooLarge("x".into()), 413),
            (AppError::TooMany(9), 429),
            (
                AppError::Busy {
                    message: "x".into(),
                    retry_after: 1,
                },
                503,
            ),
            (AppError::Unknown(anyhow::anyhow!("password hunter2")), 500),
            (StoreError::NotFound.into(), 404),
            (StoreError::Taken("users.login".into()).into(), 409),
            (StoreError::Full.into(), 503),
            (StoreError::Away("x".into()).into(), 503),
            (StoreError::Refused("x".into()).into(), 500),
        ];
        for (error, status) in table {
            assert_eq!(error.status_code().as_u16(), status, "{error}");
        }
    }

    #[actix_web::test]
    async fn the_unknown_says_nothing_of_its_cause() {
        let answer = AppError::Unknown(anyhow::anyhow!("password hunter2")).error_response();
        let body = actix_web::body::to_bytes(answer.into_body())
            .await
            .expect("a body in memory");
        assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
    }
}
