//! What an administrator enters. Read with the functions of `integration/fields.rs`, which give each field's fault its words.
//! Secrets are `SecretString`: they have no `Debug` of their own and so cannot reach a log.

use secrecy::SecretString;
use serde_json::Value;

use crate::integration::connector::Place;
use crate::integration::fields::{SettingsFault, address, secret};
use crate::integration::unknown::Strangers;

/// What can be made of a caller this CRM does not know; the first until somebody chooses. The words are
/// `unknown::WORDS`, and who never becomes a client is known there.
pub const UNKNOWN: &[&str] = &["nothing", "contact"];

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// No slash at the end.
    pub address: String,
    pub token: SecretString,
    pub strangers: Strangers,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn read(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        Ok(Self {
            address: address(settings, "address")?,
            token: secret(settings, "token")?,
            strangers: Strangers::read(place, settings, UNKNOWN)?,
        })
    }
}
