//! The settings as typed values, one struct per section of `config.default.toml`, where each is described.
//! Made by `config::load`; read by everything that is started. Secrets are never printed.

use std::net::SocketAddr;

use secrecy::SecretString;
use serde::Deserialize;

use super::span::{Size, Span, list, text};

/// All settings in effect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub server: Server,
    pub database: Database,
    pub secrets: Secrets,
    pub events: Events,
    pub calls: Calls,
    pub deliveries: Deliveries,
    pub hosts: Hosts,
    pub telegram: Telegram,
    pub cache: Cache,
    pub session: Session,
    pub retention: Retention,
    pub log: Log,
    pub api: Api,
}

/// How we are reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    #[serde(deserialize_with = "list")]
    pub listen: Vec<SocketAddr>,
    pub public_url: String,
    #[serde(deserialize_with = "text")]
    pub name: String,
    pub workers: usize,
    pub max_connections: usize,
    pub stop_timeout: Span,
    #[serde(deserialize_with = "list")]
    pub trusted_proxies: Vec<std::net::IpAddr>,
    #[serde(deserialize_with = "text")]
    pub assets: String,
}

impl Server {
    /// Whether visitors come over TLS, so that cookies may be marked Secure.
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// By whom leases are taken: what a former run of this very process held is free when it starts again, what
    /// another process holds is not.
    pub fn process(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let folder = std::env::current_dir().unwrap_or_default();
        let addresses: Vec<String> = self.listen.iter().map(ToString::to_string).collect();
        format!(
            "{} {} {}",
            machine.trim(),
            folder.display(),
            addresses.join(" ")
        )
    }

    /// Threads that serve HTTP, the 0 of the setting resolved.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            n => n,
        }
    }
}

/// Where everything is kept. The URL may hold a password: `Debug` does not show it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
    pub pool: u32,
    pub timeout: Span,
    pub pace: Span,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("url", &super::mask_url(&self.url))
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// The key that seals secrets at rest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    #[serde(deserialize_with = "secret")]
    pub key: SecretString,
    #[serde(deserialize_with = "text")]
    pub key_file: String,
}

/// What hosts may send.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    pub max_body: Size,
    pub queue: usize,
    pub rate_per_enterprise: u32,
    pub burst_per_enterprise: u32,
    pub in_flight_per_enterprise: usize,
    pub keep_refusals: usize,
}

/// How long calls live.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    pub lost_after: Span,
    pub settle_after: Span,
    pub retire_after: Span,
    pub recent: usize,
    pub live_history: usize,
}

/// How CRMs are told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliveries {
    pub timeout: Span,
    pub connect_timeout: Span,
    pub popup_useful_for: Span,
    #[serde(deserialize_with = "list")]
    pub popup_retry: Vec<Span>,
    #[serde(deserialize_with = "list")]
    pub upload_retry: Vec<Span>,
    pub hangup_useful_for: Span,
    pub upload_useful_for: Span,
    #[serde(deserialize_with = "list")]
    pub private_networks: Vec<actors::integration::network::Network>,
    pub switch_off_after: Span,
    pub threads: usize,
    pub concurrency: usize,
    pub queue: usize,
    pub breaker_failures: u32,
    pub breaker_pause: Span,
    pub breaker_longest_pause: Span,
    pub sweep: Span,
    pub lease: Span,
}

/// How Asterisk hosts are given commands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    pub connect_timeout: Span,
    pub command_timeout: Span,
    pub sessions: u32,
    pub idle: Span,
    pub waiting: usize,
    pub repeated_within: Span,
    pub agent_answers_within: Span,
    pub redirect_deadline: Span,
}

/// How chats are told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegram {
    pub base_url: String,
    pub link_url: String,
    pub timeout: Span,
    pub rate_per_bot: u32,
    pub chat_interval: Span,
    pub reply_within: Span,
}

/// How long configurations are remembered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    pub lifetime: Span,
    pub refresh: Span,
    pub jitter: Span,
    pub sweep: Span,
}

/// How long people stay logged in, and how often they may try.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub lifetime: Span,
    pub superadmin_lifetime: Span,
    pub attempts_per_name: u32,
    pub attempts_per_address: u32,
    pub window: Span,
}

/// How long things are kept, in days; 0 is for ever.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub events_days: u32,
    pub integration_logs_days: u32,
    pub refusals_days: u32,
    pub audit_days: u32,
}

/// What is logged, and where.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    #[serde(deserialize_with = "text")]
    pub filter: String,
    #[serde(deserialize_with = "text")]
    pub folder: String,
    pub rotate_size: Size,
    pub rotate_keep: usize,
}

/// Who may use the machine-readable surfaces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    #[serde(deserialize_with = "secrets")]
    pub keys: Vec<SecretString>,
    pub loopback: bool,
}

fn secret<'de, D: serde::Deserializer<'de>>(input: D) -> Result<SecretString, D::Error> {
    text(input).map(SecretString::from)
}

fn secrets<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<SecretString>, D::Error> {
    let keys: Vec<serde_json::Value> = list(input)?;
    Ok(keys
        .into_iter()
        .map(|key| match key {
            serde_json::Value::String(key) => SecretString::from(key),
            other => SecretString::from(other.to_string()),
        })
        .collect())
}
