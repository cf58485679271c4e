//! One enterprise's whole configuration as an immutable value, read by every event without a query.
//! Made by `store::enterprises::load`, kept by `cache::actor`; secrets in it are never printed.

use std::collections::{BTreeMap, HashMap};

use secrecy::SecretString;
use serde_json::Value;

/// An enterprise with its people, lines and integrations, as of one moment.
#[derive(Debug)]
pub struct Enterprise {
    pub id: i64,
    pub number: String,
    pub name: String,
    pub token: SecretString,
    pub active: bool,
    /// ISO 3166 country of its national number formats, "BY".
    pub country: String,
    pub time_zone: chrono_tz::Tz,
    /// "ru" or "en".
    pub language: String,
    pub bot_token: Option<SecretString>,
    pub secret: Option<SecretString>,
    pub debug_log: bool,
    pub settings: Value,
    /// Extension → person, for names on pages and in messages; the keys are the list of known extensions.
    pub extensions: HashMap<String, Person>,
    /// Line id → line.
    pub lines: HashMap<String, Line>,
    /// `smart.primary` of the integrations document.
    pub primary: Option<String>,
    /// Integration type ("retailcrm") → its part of the integrations document, enabled or not.
    pub integrations: BTreeMap<String, Integration>,
    /// Whether anyone is subscribed to the enterprise's bot.
    pub has_telegram_subscribers: bool,
    /// How its Asterisk takes commands.
    pub host: Host,
}

/// In `settings`: for how many days events are kept, 0 for ever; absent: as the server's settings say.
pub const EVENTS_DAYS: &str = "events_days";
/// In `settings`: whether CRMs and chats are told links to recordings; absent: they are.
pub const RECORDING_LINKS: &str = "recording_links";

impl Enterprise {
    /// Whether CRMs and chats are told links to recordings.
    pub fn tells_recordings(&self) -> bool {
        self.settings.get(RECORDING_LINKS) != Some(&Value::Bool(false))
    }
}

/// For how many days the events of an enterprise with these settings are kept; `None`: as the server's settings say.
pub fn events_days(settings: &Value) -> Option<u32> {
    settings
        .get(EVENTS_DAYS)
        .and_then(Value::as_u64)
        .and_then(|days| u32::try_from(days).ok())
}

/// How an enterprise's Asterisk takes commands over SSH. Everything but the key is no secret.
#[derive(Clone, Debug)]
pub struct Host {
    /// Name or address; empty: none is set, and no command can be given.
    pub address: String,
    pub port: u16,
    pub user: String,
    /// The host's public keys as `known_hosts` has them after the name (`ssh-ed25519 AAAA…`), one a line; empty: nobody
    /// has accepted one yet.
    pub host_key: String,
    /// Our private key in OpenSSH's format, without a passphrase.
    pub key: Option<SecretString>,
    pub kind: HostKind,
    /// Where a plain host rings extensions and calls outside.
    pub originate_context: String,
    /// Where a plain host sends a redirected caller.
    pub redirect_context: String,
}

impl Default for Host {
    fn default() -> Self {
        Host {
            address: String::new(),
            port: 22,
            user: String::new(),
            host_key: String::new(),
            key: None,
            kind: HostKind::Kit,
            originate_context: "inoffice".into(),
            redirect_context: "web-zapros".into(),
        }
    }
}

/// What a host understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HostKind {
    /// The words of our gate, a forced command that checks each.
    #[default]
    Kit,
    /// Asterisk's own console commands.
    Plain,
}

impl HostKind {
    /// The word in the `enterprises` table and in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            HostKind::Kit => "kit",
            HostKind::Plain => "plain",
        }
    }

    /// Reads the word; anything else is `None`.
    pub fn parse(word: &str) -> Option<HostKind> {
        [HostKind::Kit, HostKind::Plain]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// Whose extension it is.
#[derive(Clone, Debug, Default)]
pub struct Person {
    pub user_id: Option<i64>,
    /// Full name, may be empty.
    pub name: String,
}

/// An external line and how numbers that come over it are normalised.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pub name: String,
    pub rules: Vec<NumberRule>,
}

/// One step of normalisation: a regular expression and what replaces its match.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NumberRule {
    pub pattern: String,
    pub replacement: String,
}

/// One connection to one CRM. The settings hold secrets: `Debug` shows none of them.
#[derive(Clone)]
pub struct Integration {
    pub enabled: bool,
    pub settings: Value,
}

impl std::fmt::Debug for Integration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Integration")
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}
