//! What a link knows beside the settings and the notice, and hands to a connector with each step: what it kept about
//! the call, and the tokens a CRM gave us. Read and kept by `keeper.rs`. Values only.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// See the module's head. `default()` is what a link knows at first: nothing.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Which conversation this is: another number whenever a delivery is tried again. What was kept under another number
    /// was kept by a try that ended or was cut off, which a connector can tell in no other way.
    pub talk: u32,
    /// What this connector kept about this call, by `Step::Keep`; `Null` at first. Only for kinds that remember.
    pub memory: Value,
    /// Only for kinds that authorize, once a person has let us in.
    pub tokens: Option<Tokens>,
}

/// A pair of tokens as a CRM gave it. `Debug` shows neither.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: SecretString,
    pub refresh: SecretString,
    /// When the access token ends, as far as the CRM said so.
    pub expires_at: Option<DateTime<Utc>>,
    /// What else belongs to them (the portal's address …); no secret: it may be shown.
    pub extra: Value,
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Tokens {}

impl Tokens {
    /// As it is sealed.
    pub fn text(&self) -> String {
        json!({
            "access": self.access.expose_secret(),
            "refresh": self.refresh.expose_secret(),
            "expires_at": self.expires_at,
            "extra": self.extra,
        })
        .to_string()
    }

    /// Reads what `text` wrote.
    pub fn parse(text: &str) -> Option<Tokens> {
        let value: Value = serde_json::from_str(text).ok()?;
        let secret = |name: &str| value.get(name)?.as_str().map(SecretString::from);
        Some(Tokens {
            access: secret("access")?,
            refresh: secret("refresh")?,
            expires_at: serde_json::from_value(value.get("expires_at")?.clone()).ok()?,
            extra: value.get("extra").cloned().unwrap_or(Value::Null),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_written_and_never_shown() {
        let tokens = Tokens {
            access: "an access token".into(),
            refresh: "a refresh token".into(),
            expires_at: Some(DateTime::UNIX_EPOCH),
            extra: json!({"portal": "acme"}),
        };
        let again = Tokens::parse(&tokens.text()).unwrap();
        assert_eq!(again.text(), tokens.text());
        let shown = format!("{tokens:?}");
        assert!(
            !shown.contains("token\"") && !shown.contains("an access"),
            "{shown}"
        );
        assert!(Tokens::parse("{}").is_none());
    }
}
