//! Sends events to a server as a host does: one after the other, at their times, each with the enterprise's token, and
//! tells what was sent and answered. Used by the page, the command and the busy hour. Reads nothing of the server but its
//! answers.

use std::time::{Duration, Instant};

use awc::error::SendRequestError;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::host::Event;

/// Longest answer that is read.
const ANSWER_LIMIT: usize = 64 * 1024;
/// What stands for the token wherever a person reads.
const MASK: &str = "•••";

/// Where the events go.
#[derive(Clone)]
pub struct Target {
    /// The server's address, without a slash at the end.
    pub url: String,
    /// The enterprise's token.
    pub token: SecretString,
    /// How often an event that was not taken (5xx, no answer) is sent again, as a host would.
    pub again: u32,
}

/// One event that was sent, and what came back. Holds no token.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// When it was due, in milliseconds after the first one.
    pub at_ms: u64,
    pub path: &'static str,
    pub event_id: Option<String>,
    /// The body, its token masked.
    pub body: Value,
    /// The status, when there was an answer.
    pub status: Option<u16>,
    /// The answer's body, or why there was none.
    pub answer: String,
    /// From sending to the answer's end, the last time it was sent.
    pub took_ms: f64,
    /// How often it was sent.
    pub tries: u32,
}

impl Sent {
    /// Whether the server took it.
    pub fn is_taken(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}

/// The player. One per arbiter; its connections are kept.
#[derive(Clone)]
pub struct Player {
    client: awc::Client,
}

impl Default for Player {
    fn default() -> Self {
        let connector = awc::Connector::new().timeout(Duration::from_secs(5));
        Self {
            client: awc::Client::builder()
                .connector(connector)
                .timeout(Duration::from_secs(30))
                .finish(),
        }
    }
}

impl Player {
    /// Plays events `speed` times faster than they happened, and tells of each when it was answered. A slow answer
    /// delays what follows: a host sends in order.
    pub async fn play(
        &self,
        target: &Target,
        events: &[Event],
        speed: f64,
        mut tell: impl FnMut(Sent),
    ) {
        let began = tokio::time::Instant::now();
        for event in events {
            tokio::time::sleep_until(began + scaled(event.at, speed)).await;
            tell(self.send(target, event).await);
        }
    }

    /// Sends one event now.
    pub async fn send(&self, target: &Target, event: &Event) -> Sent {
        let mut sent = Sent {
            at_ms: u64::try_from(event.at.as_millis()).unwrap_or(u64::MAX),
            path: event.path,
            event_id: event.event_id.clone(),
            body: with_token(&event.body, MASK),
            status: None,
            answer: String::new(),
            took_ms: 0.0,
            tries: 0,
        };
        let token = target.token.expose_secret();
        let body = with_token(&event.body, token);
        loop {
            sent.tries += 1;
            let began = Instant::now();
            let mut request = self
                .client
                .post(format!("{}{}", target.url, event.path))
                .insert_header(("Token", token));
            if let Some(id) = &event.event_id {
                request = request.insert_header(("X-Event-Id", id.as_str()));
            }
            sent.status = None;
            match request.send_json(&body).await {
                Ok(mut answer) => {
                    sent.status = Some(answer.status().as_u16());
                    sent.answer = match answer.body().limit(ANSWER_LIMIT).await {
                        Ok(bytes) => String::from_utf8_lossy(&bytes).replace(token, MASK),
                        Err(error) => format!("the answer broke off: {error}"),
                    };
                }
                Err(error) => sent.answer = words_for(&error),
            }
            sent.took_ms = began.elapsed().as_secs_f64() * 1000.0;
            let refused = sent.status.is_some_and(|status| status < 500);
            if refused || sent.tries > target.again {
                return sent;
            }
            tokio::time::sleep(Duration::from_millis(250 * u64::from(sent.tries.min(20)))).await;
        }
    }
}

/// How long a moment of the call is away when it is played faster.
pub fn scaled(at: Duration, speed: f64) -> Duration {
    at.div_f64(speed.clamp(0.1, 1000.0))
}

/// How long before the present a call has to begin by the host's clock, so that no event tells of the future although it
/// is sent sooner than it happens.
pub fn head_start(events: &[Event], speed: f64) -> Duration {
    let ahead = |event: &Event| event.happened.saturating_sub(scaled(event.at, speed));
    events.iter().map(ahead).max().unwrap_or_default()
}

fn with_token(body: &Map<String, Value>, token: &str) -> Value {
    let mut whole = Map::with_capacity(body.len() + 1);
    whole.insert("Token".into(), json!(token));
    whole.extend(body.clone());
    Value::Object(whole)
}

fn words_for(error: &SendRequestError) -> String {
    match error {
        SendRequestError::Url(_) => "the server's address is not a URL".into(),
        SendRequestError::Connect(_) => "the server cannot be reached".into(),
        SendRequestError::Timeout => "no answer in time".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
    use chrono::Utc;

    use super::super::patterns::{Pattern, Plan, compose};
    use super::*;

    type Heard = Arc<Mutex<Vec<(String, String, Value)>>>;

    async fn listener(statuses: Vec<u16>) -> (String, Heard) {
        let heard = Heard::default();
        let (keep, statuses) = (heard.clone(), Arc::new(Mutex::new(statuses)));
        let server = HttpServer::new(move || {
            let (keep, statuses) = (keep.clone(), statuses.clone());
            let take = move |request: HttpRequest, body: web::Json<Value>| {
                let id = request
                    .headers()
                    .get("x-event-id")
                    .map(|id| id.to_str().unwrap().to_owned());
                keep.lock().unwrap().push((
                    request.path().to_owned(),
                    id.unwrap_or_default(),
                    body.into_inner(),
                ));
                let status = statuses.lock().unwrap().pop().unwrap_or(200);
                async move {
                    HttpResponse::build(status.try_into().unwrap()).body("secret-token said back")
                }
            };
            App::new().default_service(web::to(take))
        });
        let server = server.workers(1).bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.disable_signals().run());
        (url, heard)
    }

    fn events() -> Vec<Event> {
        let plan = Plan {
            pattern: Pattern::Internal,
            phone: String::new(),
            extensions: vec!["150".into(), "151".into()],
            line: String::new(),
            ring: Duration::from_secs(1),
            talk: Duration::from_secs(1),
            began: Utc::now(),
            zone: chrono_tz::UTC,
            seed: 3,
        };
        compose(&plan).unwrap().1
    }

    #[actix_web::test]
    async fn events_arrive_in_order_with_token_and_identity_and_no_token_is_shown() {
        let (url, heard) = listener(vec![]).await;
        let target = Target {
            url,
            token: "secret-token".to_owned().into(),
            again: 0,
        };
        let events = events();
        let mut told = Vec::new();
        Player::default()
            .play(&target, &events, 1000.0, |sent| told.push(sent))
            .await;
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), events.len());
        for ((path, id, body), event) in heard.iter().zip(&events) {
            assert_eq!(
                (path.as_str(), id.as_str()),
                (event.path, event.event_id.as_deref().unwrap_or_default())
            );
            assert_eq!(body["Token"], "secret-token");
        }
        let shown = serde_json::to_string(&told).unwrap();
        assert!(
            !shown.contains("secret-token") && told.iter().all(Sent::is_taken),
            "{shown}"
        );
    }

    #[actix_web::test]
    async fn what_is_not_taken_is_sent_again_as_it_was() {
        let (url, heard) = listener(vec![503, 500]).await;
        let target = Target {
            url,
            token: "t".to_owned().into(),
            again: 5,
        };
        let sent = Player::default().send(&target, &events()[0]).await;
        assert_eq!((sent.tries, sent.status), (3, Some(200)));
        let heard = heard.lock().unwrap();
        assert!(heard.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[actix_web::test]
    async fn a_refusal_is_told_and_not_repeated() {
        let (url, heard) = listener(vec![403]).await;
        let target = Target {
            url,
            token: "t".to_owned().into(),
            again: 5,
        };
        let sent = Player::default().send(&target, &events()[0]).await;
        assert_eq!(
            (sent.tries, sent.status, heard.lock().unwrap().len()),
            (1, Some(403), 1)
        );
    }

    #[actix_web::test]
    async fn a_server_that_is_away_is_told_in_words() {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let target = Target {
            url: format!("http://{free}"),
            token: "t".to_owned().into(),
            again: 0,
        };
        let sent = Player::default().send(&target, &events()[0]).await;
        assert_eq!(
            (sent.status, sent.answer.as_str()),
            (None, "the server cannot be reached")
        );
    }
}
