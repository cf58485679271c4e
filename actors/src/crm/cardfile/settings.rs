//! What an administrator enters. Made by `connect`; holds the token and prints it nowhere.

use secrecy::SecretString;
use serde_json::Value;

use crate::integration::connector::Place;
use crate::integration::fields::{SettingsFault, address, secret};
use crate::integration::unknown::Strangers;

/// What can be made of a caller the file does not have; the first until somebody chooses.
pub const UNKNOWN: &[&str] = &["contact", "nothing"];

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
