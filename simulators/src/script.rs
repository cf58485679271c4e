//! Misbehaviour on request: delays, error statuses, dropped and hanging connections, for the next N requests or until
//! changed. Set by tests and by the control API, asked by the entry of each simulator; without a script it costs one
//! atomic read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It does not: it is served (after the delay).
    #[default]
    None,
    /// Answered with `status` and `body`.
    Status,
    /// The request is read, then the connection is closed without an answer.
    Drop,
    /// The connection is closed at once, nothing is read or counted, as when a service is down.
    Down,
    /// No answer ever comes.
    Hang,
}

/// One line of a script.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// The account's name or the bot's token; absent: all of them.
    pub target: Option<String>,
    /// The endpoint's name or its beginning (`telephony` stands for all below it); absent: all of them.
    pub endpoint: Option<String>,
    /// For so many requests; absent: until changed.
    pub times: Option<u64>,
    /// Wait before anything else happens.
    pub delay_ms: u64,
    /// What happens.
    pub fault: Fault,
    /// The request is taken and stored first, and only the answer fails.
    pub after: bool,
    /// For `Fault::Status`; 503 unless told.
    pub status: Option<u16>,
    /// For `Fault::Status`: a string is sent as it is, anything else as JSON.
    pub body: Option<Value>,
    /// For `Fault::Status`: a `Retry-After` header, in seconds.
    pub retry_after: Option<u64>,
    /// For `Fault::Status`: more headers, names and values.
    pub headers: Vec<(String, String)>,
}

impl Behaviour {
    /// Served, but after a delay.
    pub fn delay(ms: u64) -> Self {
        Self {
            delay_ms: ms,
            ..Self::default()
        }
    }

    /// Answered with this status and an empty body.
    pub fn status(status: u16) -> Self {
        Self {
            fault: Fault::Status,
            status: Some(status),
            ..Self::default()
        }
    }

    /// Fails in this way.
    pub fn fault(fault: Fault) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// Only at this endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Only for this account or bot.
    #[must_use]
    pub fn on(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    /// Only for the next so many requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Answered with this body: a text as it is, anything else as JSON.
    #[must_use]
    pub fn saying(mut self, body: impl Into<Value>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Answered with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request is taken and stored, only the answer fails.
    #[must_use]
    pub fn after(mut self) -> Self {
        self.after = true;
        self
    }

    fn meets(&self, target: &str, endpoint: &str) -> bool {
        self.target.as_deref().is_none_or(|wanted| wanted == target)
            && self
                .endpoint
                .as_deref()
                .is_none_or(|wanted| endpoint.starts_with(wanted))
    }

    /// Waits out the delay.
    pub async fn wait(&self) {
        if self.delay_ms > 0 {
            actix_rt::time::sleep(Duration::from_millis(self.delay_ms)).await;
        }
    }

    /// The failing answer.
    pub async fn fail(&self) -> HttpResponse {
        match self.fault {
            Fault::Hang => {
                actix_rt::time::sleep(Duration::from_secs(3600)).await;
                cut()
            }
            Fault::Drop | Fault::Down => cut(),
            Fault::Status | Fault::None => {
                let status = self
                    .status
                    .and_then(|status| StatusCode::from_u16(status).ok());
                let mut answer =
                    HttpResponse::build(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE));
                if let Some(seconds) = self.retry_after {
                    answer.insert_header((RETRY_AFTER, seconds.to_string()));
                }
                for (name, value) in &self.headers {
                    answer.insert_header((name.as_str(), value.as_str()));
                }
                match &self.body {
                    None => answer.finish(),
                    Some(Value::String(text)) => {
                        if self.headers.is_empty() {
                            answer.content_type("text/html");
                        }
                        answer.body(text.clone())
                    }
                    Some(json) => answer.json(json),
                }
            }
        }
    }
}

/// Closes the connection without an answer: a body that breaks before its first byte makes actix close the connection
/// before the head is written out.
fn cut() -> HttpResponse {
    let broken: Result<Bytes, std::io::Error> = Err(std::io::ErrorKind::ConnectionReset.into());
    HttpResponse::Ok().body(BodyStream::new(futures_util::stream::iter([broken])))
}

/// The script of one simulator.
#[derive(Debug, Default)]
pub struct Script {
    any: AtomicBool,
    lines: Mutex<Vec<Behaviour>>,
}

impl Script {
    /// Adds a line. The newest matching line decides.
    pub fn set(&self, behaviour: Behaviour) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(behaviour);
        self.any.store(true, Ordering::Release);
    }

    /// Forgets all lines.
    pub fn clear(&self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clear();
        self.any.store(false, Ordering::Release);
    }

    /// A copy of the lines that still hold.
    pub fn lines(&self) -> Vec<Behaviour> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What happens to this request; uses up one of a line's times.
    pub fn take(&self, target: &str, endpoint: &str) -> Option<Behaviour> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let index = lines
            .iter()
            .rposition(|line| line.meets(target, endpoint))?;
        let line = lines.get_mut(index)?;
        let found = line.clone();
        if let Some(times) = &mut line.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                lines.remove(index);
            }
        }
        if found.times == Some(0) {
            return None;
        }
        self.any.store(!lines.is_empty(), Ordering::Release);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_matching_line_decides_until_it_is_used_up() {
        let script = Script::default();
        assert!(script.take("demo", "users").is_none());
        script.set(Behaviour::status(500));
        script.set(Behaviour::status(429).at("telephony").on("demo").times(1));
        assert_eq!(
            script.take("demo", "users").and_then(|line| line.status),
            Some(500)
        );
        assert_eq!(
            script
                .take("demo", "telephony/call/event")
                .and_then(|line| line.status),
            Some(429)
        );
        assert_eq!(
            script
                .take("demo", "telephony/call/event")
                .and_then(|line| line.status),
            Some(500)
        );
        script.clear();
        assert!(script.take("demo", "users").is_none());
    }
}
