//! When each host was last heard, how late its events come, how far its clock is off and which Asterisk it runs.
//! Noted by the webhooks for each event they keep, read by the list of enterprises. In memory: what a host said before
//! this process started is told by its last call. Decides nothing and stores nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};

/// Stands for "not told".
const UNKNOWN: i64 = i64::MIN;

/// A host's clock that is off by less may as well be the way's own time.
const TRUSTED_WITHIN: i64 = 2_000;

/// See the module's head.
#[derive(Default)]
pub struct Heard(RwLock<HashMap<i64, Arc<Host>>>);

#[derive(Default)]
struct Host {
    at: AtomicI64,
    lag: AtomicI64,
    skew: AtomicI64,
    version: Mutex<String>,
}

/// What is known of one host; times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// When its last event came.
    pub at: DateTime<Utc>,
    /// How long after it happened that event was sent.
    pub lag: i64,
    /// How far the host's clock is ahead of ours; `None` while nothing tells.
    pub skew: Option<i64>,
    /// As the kit tells it, may be empty.
    pub version: String,
}

/// What the kit says of itself beside an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'a> {
    /// `X-Sent-At`: the host's clock at the sending, microseconds since 1970.
    sent_at: Option<i64>,
    /// `X-Asterisk-Version`.
    version: Option<&'a str>,
}

impl<'a> Sender<'a> {
    /// Reads the headers; what cannot be read was not said.
    pub fn of(headers: &'a HeaderMap) -> Sender<'a> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Sender {
            sent_at: text("X-Sent-At").and_then(|value| value.parse().ok()),
            version: text("X-Asterisk-Version").filter(|value| value.len() <= 60),
        }
    }
}

impl Heard {
    /// Notes an event: when it came and when it happened by the host's clock (microseconds since 1970).
    pub fn note(&self, enterprise: i64, received: i64, happened: i64, sender: Sender<'_>) {
        let host = self.host(enterprise);
        let (lag, skew) = match sender.sent_at {
            // Both by the host's clock, so that a clock that is off makes no lag.
            Some(sent) => (
                sent.saturating_sub(happened) / 1000,
                sent.saturating_sub(received) / 1000,
            ),
            None => {
                let lag = received.saturating_sub(happened) / 1000;
                // Nothing comes before it happened: then the clock is ahead. Behind looks the same as late.
                let skew = if lag < -TRUSTED_WITHIN { -lag } else { UNKNOWN };
                (lag, skew)
            }
        };
        host.at.store(received / 1000, Relaxed);
        host.lag.store(lag.max(0), Relaxed);
        host.skew.store(skew, Relaxed);
        if let Some(version) = sender.version {
            let mut known = host.version.lock().unwrap_or_else(PoisonError::into_inner);
            if *known != version {
                *known = version.to_owned();
            }
        }
    }

    /// What is known of the host of an enterprise, once it was heard.
    pub fn state(&self, enterprise: i64) -> Option<State> {
        let hosts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.get(&enterprise)?;
        Some(State {
            at: DateTime::from_timestamp_millis(host.at.load(Relaxed))?,
            lag: host.lag.load(Relaxed),
            skew: Some(host.skew.load(Relaxed)).filter(|skew| *skew != UNKNOWN),
            version: host
                .version
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        })
    }

    fn host(&self, enterprise: i64) -> Arc<Host> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = known.get(&enterprise) {
            return host.clone();
        }
        drop(known);
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(enterprise)
            .or_default()
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_262_400_000_000;
    const SECOND: i64 = 1_000_000;

    /// (seconds from the happening to our hearing, the host's clock at the sending) → (lag, skew) in milliseconds.
    #[test]
    fn lag_and_clock_are_told_apart_where_the_host_says_when_it_sent() {
        let cases = [
            ("in time, nothing said", 1, None, (1_000, None)),
            ("late or behind: nobody knows", 90, None, (90_000, None)),
            ("its clock is ahead", -60, None, (0, Some(60_000))),
            (
                "from the spool, a good clock",
                90,
                Some(0),
                (90_000, Some(0)),
            ),
            (
                "in time, a clock that is behind",
                300,
                Some(-300),
                (0, Some(-300_000)),
            ),
            (
                "in time, a clock that is ahead",
                -300,
                Some(300),
                (0, Some(300_000)),
            ),
        ];
        for (name, after, clock, (lag, skew)) in cases {
            let heard = Heard::default();
            let sender = Sender {
                sent_at: clock.map(|ahead: i64| NOON + ahead * SECOND),
                version: Some("16.28.0"),
            };
            heard.note(7, NOON, NOON - after * SECOND, sender);
            let state = heard.state(7).unwrap();
            assert_eq!((state.lag, state.skew), (lag, skew), "{name}");
            assert_eq!(state.version, "16.28.0");
            assert_eq!(state.at.timestamp_micros(), NOON);
        }
        assert_eq!(Heard::default().state(7), None);
    }
}
