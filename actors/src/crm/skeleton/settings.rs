//! What an administrator enters. Read with the functions of `connector.rs`, which give each field's fault its words.
//! Secrets are `SecretString`: they have no `Debug` of their own and so cannot reach a log.

use secrecy::SecretString;
use serde_json::Value;

use crate::integration::connector::{SettingsFault, address, secret};

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// No slash at the end.
    pub address: String,
    pub token: SecretString,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn read(settings: &Value) -> Result<Self, SettingsFault> {
        Ok(Self {
            address: address(settings, "address")?,
            token: secret(settings, "token")?,
        })
    }
}
