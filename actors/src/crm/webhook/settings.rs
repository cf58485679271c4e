//! What an administrator enters: where events go, with which secret they are signed, which are sent. The former secret
//! and its end are put there by a save that changes the secret, not by a person. Only read here.

use awc::http::Uri;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::map::Type;
use crate::integration::fields::{SettingsFault, flag, secret, text};
use crate::integration::seal::Key;

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As it was entered, path and query with it.
    pub url: String,
    /// What signs: the secret, and the former one while it does.
    pub keys: Vec<Key>,
    /// The same as texts, to be masked wherever they turn up.
    pub secrets: Vec<SecretString>,
    /// Events that are not sent.
    pub silent: Vec<Type>,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn read(settings: &Value) -> Result<Self, SettingsFault> {
        let url = url(settings)?;
        let current = secret(settings, "secret")?;
        let mut keys = vec![key("secret", &current)?];
        let mut secrets = vec![current];
        if let Some(former) = text(settings, "former_secret").map(SecretString::from) {
            let end = text(settings, "former_secret_until")
                .and_then(|until| DateTime::parse_from_rfc3339(until).ok())
                .map(|until| until.with_timezone(&Utc));
            let former_key = key("former_secret", &former)?;
            keys.push(match end {
                Some(end) => former_key.until(end),
                // Entered by hand: it signs for as long as it stands there.
                None => former_key,
            });
            secrets.push(former);
        }
        let silent = Type::ALL
            .into_iter()
            .filter(|event| !flag(settings, event.flag(), true))
            .collect();
        Ok(Self {
            url,
            keys,
            secrets,
            silent,
        })
    }
}

fn key(field: &'static str, secret: &SecretString) -> Result<Key, SettingsFault> {
    Key::read(secret.expose_secret()).map_err(|fault| SettingsFault::new(field, fault.to_string()))
}

/// A whole address, unlike a CRM's: what stands after the host is the receiver's own business.
fn url(settings: &Value) -> Result<String, SettingsFault> {
    let fault = |words: &str| SettingsFault::new("url", words);
    let given = text(settings, "url").ok_or_else(|| fault("must not be empty"))?;
    let wrong = "is not an address, such as https://example.com/patchbay/events";
    let uri: Uri = given.parse().map_err(|_| fault(wrong))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => Err(
            fault("must hold no name and password: the signature says who sends"),
        ),
        (Some("http" | "https"), Some(authority)) if !authority.host().is_empty() => {
            Ok(given.to_owned())
        }
        _ => Err(fault(wrong)),
    }
}
