//! One enterprise's MoySklad settings, read from the integrations document. Made by `MoySklad::new`; holds two secrets and
//! prints neither: the key of the Phone API cannot read names, the token of the JSON API cannot tell of calls.

use secrecy::SecretString;
use serde_json::Value;

use crate::integration::connector::Place;
use crate::integration::fields::{SettingsFault, address, flag, secret, text};
use crate::integration::unknown::Strangers;

/// What can be made of a caller MoySklad does not know.
pub const UNKNOWN: &[&str] = &["nothing", "contact"];
/// Everybody's address; another one only before a proxy or a simulator.
const ADDRESS: &str = "https://api.moysklad.ru";

/// What an administrator entered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// No slash at the end.
    pub address: String,
    /// The key of the Phone API solution.
    pub phone_key: SecretString,
    /// The access token of the JSON API; without it nobody's name is asked for.
    pub token: Option<SecretString>,
    pub strangers: Strangers,
    /// Whether callers whom the CRM does not know are to become somebody.
    pub makes_clients: bool,
    pub send_dial: bool,
    pub send_upload: bool,
    /// Whether a click without the right signature is refused.
    pub check_signature: bool,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn read(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        let strangers = Strangers::read(place, settings, UNKNOWN)?;
        let token = text(settings, "access_token").map(SecretString::from);
        let makes_clients = text(settings, "unknown") == Some("contact");
        if makes_clients && token.is_none() {
            let words = "is needed for new counterparties: only the JSON API makes them";
            return Err(SettingsFault::new("access_token", words));
        }
        Ok(Self {
            address: match text(settings, "api_address") {
                None => ADDRESS.into(),
                Some(_) => address(settings, "api_address")?,
            },
            phone_key: secret(settings, "token")?,
            token,
            strangers,
            makes_clients,
            send_dial: flag(settings, "send_dial", true),
            send_upload: flag(settings, "send_upload", true),
            check_signature: flag(settings, "check_signature", true),
        })
    }
}
