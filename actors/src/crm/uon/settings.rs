//! One enterprise's U-ON settings, read from the integrations document. Made by `Uon::new`; holds the key and prints it
//! nowhere.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::integration::connector::Place;
use crate::integration::fields::{SettingsFault, address, extensions, flag, secret, text};
use crate::integration::unknown::Strangers;

/// What can be made of a caller U-ON does not know: nothing but a row of the history that is nobody's yet, a client, or a
/// lead (of an incoming call); or the call is not told at all.
pub const UNKNOWN: &[&str] = &["unsorted", "contact", "lead", "nothing"];
/// Whose clock a call's beginning is written in: which one U-ON takes it for is not documented.
pub const TIME_ZONES: &[&str] = &["enterprise", "moscow"];
/// Where the API is.
const API: &str = "https://api.u-on.ru";

/// What an administrator entered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// No slash at the end.
    pub api: String,
    pub key: SecretString,
    /// `id12345`: what people see in the address of their cabinet. Without it pop-ups have no links.
    pub cabinet: Option<String>,
    pub moscow: bool,
    pub strangers: Strangers,
    pub send_dial: bool,
    pub send_upload: bool,
    /// Extension → manager.
    pub managers: BTreeMap<String, i64>,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn read(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        let key = secret(settings, "api_key")?;
        // It becomes a part of each address.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !key.expose_secret().chars().all(is_plain) {
            let words = "is not a key: it has letters and digits only";
            return Err(SettingsFault::new("api_key", words));
        }
        let moscow = match text(settings, "time_zone") {
            None | Some("enterprise") => false,
            Some("moscow") => true,
            Some(_) => {
                let words = format!("must be one of {}", TIME_ZONES.join(", "));
                return Err(SettingsFault::new("time_zone", words));
            }
        };
        Ok(Self {
            api: match text(settings, "api_url") {
                None => API.into(),
                Some(_) => address(settings, "api_url")?,
            },
            key,
            cabinet: cabinet(settings)?,
            moscow,
            strangers: Strangers::read(place, settings, UNKNOWN)?,
            send_dial: flag(settings, "send_dial", true),
            send_upload: flag(settings, "send_upload", true),
            managers: extensions(settings)?,
        })
    }

    /// Where a person opens a client.
    pub fn card(&self, client: i64) -> Option<String> {
        let cabinet = self.cabinet.as_ref()?;
        Some(format!(
            "https://{cabinet}.u-on.ru/client_edit.php?client_id={client}"
        ))
    }
}

/// The cabinet's name: as it is, its bare number, or the address of any of its pages.
fn cabinet(settings: &Value) -> Result<Option<String>, SettingsFault> {
    let Some(given) = text(settings, "cabinet") else {
        return Ok(None);
    };
    let host = given.split_once("://").map_or(given, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    let name = host.strip_suffix(".u-on.ru").unwrap_or(host);
    let name = name.to_ascii_lowercase();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        let words = "is not a cabinet, such as id12345 or https://id12345.u-on.ru";
        return Err(SettingsFault::new("cabinet", words));
    }
    let bare = name.chars().all(|c| c.is_ascii_digit());
    Ok(Some(if bare { format!("id{name}") } else { name }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::cabinet;

    #[test]
    fn a_cabinet_is_read_as_people_write_it() {
        for (given, read) in [
            ("id12345", Ok(Some("id12345"))),
            ("12345", Ok(Some("id12345"))),
            ("ID12345.u-on.ru", Ok(Some("id12345"))),
            (
                "https://id12345.u-on.ru/requests.php?x=1",
                Ok(Some("id12345")),
            ),
            ("", Ok(None)),
            ("two words", Err(())),
            ("a\"onclick=", Err(())),
        ] {
            let found = cabinet(&json!({"cabinet": given})).map_err(drop);
            assert_eq!(found, read.map(|name| name.map(str::to_owned)), "{given:?}");
        }
    }
}
