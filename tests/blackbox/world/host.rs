//! An Asterisk host: posts events as real ones do, and sends them again when they were not taken.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::answer::{Answer, client, send};
use super::server::Server;

/// One host with its connection.
#[derive(Clone)]
pub struct Host {
    base: String,
    token: String,
    client: ureq::Agent,
}

impl Host {
    pub fn new(server: &Server, token: &str) -> Host {
        Host {
            base: server.base_url.clone(),
            token: token.to_owned(),
            client: client(),
        }
    }

    /// Posts an event of this kind, the token in its header; the answer, whatever it is.
    pub fn post(&self, kind: &str, body: &Value) -> Answer {
        self.post_raw(kind, body.to_string().as_bytes())
            .expect("an answer")
    }

    /// Posts these bytes; `Err` when nobody answered.
    pub fn post_raw(&self, kind: &str, body: &[u8]) -> Result<Answer, String> {
        let request = ureq::http::Request::post(format!("{}/{kind}", self.base))
            .header("content-type", "application/json")
            .header("token", &self.token)
            .body(body.to_vec())
            .expect("a request");
        send(&self.client, request)
    }

    /// Posts a story's events in order; all of them must be taken.
    pub fn tell(&self, story: &[(&str, Value)]) {
        for (kind, body) in story {
            let answer = self.post(kind, body);
            assert_eq!(answer.status, 200, "{kind}: {}", answer.body);
        }
    }

    /// Posts an event until it is taken, as a host's sender does; gives how long the answer took that said so.
    pub fn insist(&self, kind: &str, body: &Value) -> Duration {
        let began = Instant::now();
        let bytes = body.to_string();
        loop {
            match self.post_raw(kind, bytes.as_bytes()) {
                Ok(answer) if answer.status == 200 => return answer.took,
                Ok(answer) => assert!(
                    matches!(answer.status, 429 | 503),
                    "a host would give {kind} up: {} {}",
                    answer.status,
                    answer.body
                ),
                Err(_) => {}
            }
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "{kind} was not taken in two minutes"
            );
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}
