//! Plays one scenario's host: sends its events one after another, each until it is answered, as a host with a spool
//! does. Called by `replay::run`, one task per scenario; knows nothing of what the events should come to.

use std::time::Duration;

use awc::Client;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::capture::{Event, Identity};
use super::order::Sending;
use super::server::Address;

/// A host that got no answer waits so long before it sends again.
const AGAIN: Duration = Duration::from_millis(100);
/// A server that is away for longer than this ends the scenario.
const PATIENCE: Duration = Duration::from_secs(60);

/// How sending went.
#[derive(Debug, Default)]
pub struct Sent {
    /// Events answered 200, in the order of sending, copies included.
    pub taken: Vec<(Identity, Vec<u8>)>,
    /// Events that were refused for good: status, answer, whether the capture holds them as hostile text.
    pub refused: Vec<Refused>,
    /// Times an event was sent again because no answer or 503 came.
    pub resends: usize,
    /// Why the scenario was given up.
    pub given_up: Option<String>,
}

/// See [`Sent::refused`].
#[derive(Debug)]
pub struct Refused {
    pub what: String,
    pub status: u16,
    pub words: String,
    /// The recording's listener refused it too, or its body is none that must be taken.
    pub fair: bool,
}

/// A client with as many connections as there are scenarios.
pub fn client() -> Client {
    let connector = awc::Connector::new()
        .timeout(Duration::from_secs(2))
        .limit(0);
    Client::builder()
        .connector(connector)
        .disable_redirects()
        .timeout(Duration::from_secs(10))
        .finish()
}

/// Sends everything; returns when all is answered. `answers` counts over all scenarios.
pub async fn play(
    sendings: Vec<Sending>,
    speed: Option<f64>,
    client: Client,
    mut address: Address,
    answers: watch::Sender<usize>,
) -> Sent {
    let mut sent = Sent::default();
    let begun = Instant::now();
    for Sending { at, event } in sendings {
        if let Some(speed) = speed {
            sleep_until(begun + Duration::from_secs_f64((at / speed).max(0.0))).await;
        }
        let given_up = Instant::now() + PATIENCE;
        loop {
            match send(&event, &client, &mut address).await {
                Some((200, _)) => {
                    answers.send_modify(|count| *count += 1);
                    sent.taken.push((event.identity(), event.body));
                    break;
                }
                Some((status @ 400..=499, words)) if status != 429 && status != 408 => {
                    sent.refused.push(Refused {
                        what: format!("event {} ({})", event.index + 1, event.path),
                        status,
                        words,
                        fair: event.hostile
                            || event.answered.is_some_and(|answered| answered / 100 == 4),
                    });
                    break;
                }
                _ if Instant::now() > given_up => {
                    sent.given_up = Some(format!(
                        "event {} ({}) got no answer in {} s",
                        event.index + 1,
                        event.path,
                        PATIENCE.as_secs()
                    ));
                    return sent;
                }
                _ => {
                    sent.resends += 1;
                    sleep(AGAIN).await;
                }
            }
        }
    }
    sent
}

/// Status and answer; `None` when none came.
async fn send(event: &Event, client: &Client, address: &mut Address) -> Option<(u16, String)> {
    let base = timeout(PATIENCE, address.wait_for(Option::is_some))
        .await
        .ok()?
        .ok()?
        .clone()?;
    let mut request = client.post(format!("{base}{}", event.path));
    for (name, value) in &event.headers {
        // What the client writes itself must not stand there twice.
        if !["content-length", "host", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
            request = request.insert_header((name.as_str(), value.as_str()));
        }
    }
    let mut response = request.send_body(event.body.clone()).await.ok()?;
    let status = response.status().as_u16();
    let words = response.body().limit(64 << 10).await.ok()?;
    Some((status, String::from_utf8_lossy(&words).into_owned()))
}
