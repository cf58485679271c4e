//! One request of a conversation and its answer: the CRM's pace waited for, signed, sent, masked, and noted for the log.
//! The innermost part of `attempt.rs` and `renewal.rs`; what an answer means, the connector says.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::attempt::Means;
use super::connector::Failed;
use super::http;
use super::request::{LOGGED, Reply, Request, Trouble};

/// Requests and answers of a try, masked, and the time they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchanges {
    pub request: String,
    pub response: String,
    pub milliseconds: u64,
    pub count: usize,
}

impl Exchanges {
    /// Notes one more.
    pub(super) fn add(
        &mut self,
        request: &Request,
        outcome: &Result<Reply, Trouble>,
        took: Duration,
    ) {
        let response = match outcome {
            Ok(reply) => reply.shown(&request.secrets),
            Err(trouble) => format!("({trouble})"),
        };
        for (text, addition) in [
            (&mut self.request, request.shown()),
            (&mut self.response, response),
        ] {
            if text.len() > LOGGED {
                continue;
            }
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(&addition);
        }
        self.milliseconds += u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.count += 1;
    }
}

impl Means {
    /// Waits for the CRM's rate limit, then sends; `None` when it is too late by then.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        history: bool,
        expires_at: Option<DateTime<Utc>>,
        exchanges: &mut Exchanges,
    ) -> Option<Result<Reply, Failed>> {
        loop {
            // The rest of a conversation that has begun is not given up for its age.
            if exchanges.count == 0 && expires_at.is_some_and(|end| Utc::now() >= end) {
                return None;
            }
            let taken = self
                .limiter
                .borrow_mut()
                .take(request.lane, history, Instant::now());
            match taken {
                Ok(()) => break,
                Err(wait) => actix_rt::time::sleep(wait).await,
            }
        }
        let begun = Instant::now();
        // Signed only now: a signature holds the time of this try.
        let sealed;
        let request = match &request.seal {
            Some(_) => {
                sealed = request.sealed(Utc::now());
                &sealed
            }
            None => request,
        };
        // What repeats our own secrets is masked before anybody reads it: later a text may be cut in the middle of one.
        let outcome = http::send(request, &self.terms)
            .await
            .map(|reply| reply.masked(&request.secrets).masked(&self.secrets));
        exchanges.add(request, &outcome, begun.elapsed());
        Some(outcome.map_err(failure))
    }
}

/// What no answer at all means for the delivery.
pub(super) fn failure(trouble: Trouble) -> Failed {
    let words = trouble.to_string();
    match trouble {
        Trouble::Address(_) => Failed::Settings { words },
        _ => Failed::Later { words, after: None },
    }
}
