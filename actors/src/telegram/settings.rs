//! How Telegram is told, as the operator set it. Made at start-up from the configuration.

use std::time::Duration;

use super::limiter::Limits;

/// Telegram's own links.
const DEFAULT_LINKS: &str = "https://t.me";

#[derive(Clone, Debug)]
pub struct Settings {
    /// The Bot API's server, with any prefix: Telegram's own or a self-hosted one.
    pub base_url: String,
    /// Where links lead to bots: `{link_url}/{username}?start={code}`.
    pub link_url: String,
    /// Our own address as people reach it, for links to recordings; empty: no links.
    pub public_url: String,
    pub limits: Limits,
    /// Connecting and answering of one request.
    pub timeout: Duration,
    /// Requests of one bot under way at once, one per chat at most.
    pub requests_at_once: usize,
    /// Connections of all bots together.
    pub connections: usize,
    /// A new message replies to the number's previous one when that is not older than this.
    pub reply_within: chrono::TimeDelta,
    /// How often a bot looks into the table without being nudged.
    pub look_every: Duration,
    /// How often a bot whose token was refused asks whether it is known again.
    pub ask_again: Duration,
    /// Calls one bot keeps in memory; more stay in the table until there is room.
    pub calls_kept: usize,
    /// Longest pause after trouble of the server.
    pub longest_pause: Duration,
    /// How long one request waits for somebody to write to a bot.
    pub listen_for: Duration,
    /// Deaths within ten minutes after which a bot is started only once in ten minutes.
    pub restarts: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: super::api::DEFAULT_BASE.to_owned(),
            link_url: DEFAULT_LINKS.to_owned(),
            public_url: String::new(),
            limits: Limits::default(),
            timeout: Duration::from_secs(30),
            requests_at_once: 8,
            connections: 512,
            reply_within: chrono::TimeDelta::hours(24),
            look_every: Duration::from_secs(10),
            ask_again: Duration::from_secs(600),
            calls_kept: 5_000,
            longest_pause: Duration::from_secs(60),
            listen_for: Duration::from_secs(25),
            restarts: 5,
        }
    }
}

impl Settings {
    /// A pause after trouble, not longer than the operator wants, spread so that bots do not return all at once.
    pub fn pause(&self, planned: Duration) -> Duration {
        use rand::RngExt as _;
        planned
            .min(self.longest_pause)
            .mul_f64(rand::rng().random_range(0.75..1.0))
    }
}
