//! One enterprise's Bitrix24 settings, read from the integrations document. Made by `Bitrix24::new`; holds secrets and
//! prints them nowhere.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use crate::integration::connector::Place;
use crate::integration::fields::{SettingsFault, address, extensions, flag, secret, text};
use crate::integration::unknown::Strangers;

/// The words of the setting `mode`, as the form offers them; the first is the default.
pub const MODES: &[&str] = &["webhook", "application"];
/// What can be made of a caller Bitrix24 does not know: it makes the lead itself (a contact and a deal where leads are
/// switched off) when it is told to, with the call.
pub const UNKNOWN: &[&str] = &["nothing", "lead"];
/// Where tokens are given, for all portals, hosted or not.
const AUTHORITY: &str = "https://oauth.bitrix.info";

/// How we are let in.
#[derive(Clone, Debug)]
pub enum Way {
    /// An incoming webhook: whose it is and its secret stand in its address.
    Webhook { user: i64, secret: SecretString },
    /// A local application with tokens.
    Application {
        client_id: SecretString,
        client_secret: SecretString,
        /// No slash at the end.
        authority: String,
    },
}

/// What an administrator entered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://acme.bitrix24.ru`, no slash at the end.
    pub portal: String,
    pub way: Way,
    /// What the portal shows with each event of an outgoing webhook; an application tells its own when it is installed.
    pub application_token: Option<SecretString>,
    pub strangers: Strangers,
    /// To whom calls belong that nobody of the CRM took or was rung for.
    pub default_user: Option<i64>,
    /// Rung for a visitor of the site who wants to be called back.
    pub callback_extension: Option<String>,
    pub send_dial: bool,
    pub send_upload: bool,
    pub send_line: bool,
    pub add_to_chat: bool,
    /// Extension → user id.
    users: BTreeMap<String, i64>,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn read(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        let (portal, way) = match text(settings, "mode") {
            None | Some("webhook") => webhook(settings)?,
            Some("application") => application(settings)?,
            Some(_) => {
                let words = format!("must be one of {}", MODES.join(", "));
                return Err(SettingsFault::new("mode", words));
            }
        };
        let owner = match &way {
            Way::Webhook { user, .. } => Some(*user),
            Way::Application { .. } => None,
        };
        Ok(Self {
            portal,
            way,
            application_token: text(settings, "application_token").map(SecretString::from),
            strangers: Strangers::read(place, settings, UNKNOWN)?,
            default_user: match text(settings, "default_user") {
                None => owner,
                Some(text) => Some(text.parse().map_err(|_| {
                    SettingsFault::new("default_user", "is no user id: a number, such as 12")
                })?),
            },
            callback_extension: text(settings, "callback_extension").map(str::to_owned),
            send_dial: flag(settings, "send_dial", true),
            send_upload: flag(settings, "send_upload", true),
            send_line: flag(settings, "send_line", true),
            add_to_chat: flag(settings, "add_to_chat", false),
            users: extensions(settings)?,
        })
    }

    /// The CRM user who has this extension, as far as we know.
    pub fn user_of(&self, extension: &str) -> Option<i64> {
        self.users.get(extension).copied()
    }
}

/// `https://acme.bitrix24.ru/rest/12/k3y…/`, with or without the method that Bitrix24 puts behind it as an example.
fn webhook(settings: &Value) -> Result<(String, Way), SettingsFault> {
    let fault = |words: &str| SettingsFault::new("webhook_url", words);
    let given = text(settings, "webhook_url").ok_or_else(|| fault("must not be empty"))?;
    let shape = "is no incoming webhook, such as https://acme.bitrix24.ru/rest/12/a1b2c3d4e5f6/";
    let (portal, rest) = given.split_once("/rest/").ok_or_else(|| fault(shape))?;
    let mut parts = rest.split('/');
    let user = parts.next().and_then(|part| part.parse().ok());
    let secret = parts.next().filter(|part| {
        part.len() >= 3
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    });
    let (Some(user), Some(secret)) = (user, secret) else {
        return Err(fault(shape));
    };
    let portal = serde_json::json!({ "webhook_url": portal });
    let portal = address(&portal, "webhook_url").map_err(|_| fault(shape))?;
    let secret = SecretString::from(secret);
    Ok((portal, Way::Webhook { user, secret }))
}

fn application(settings: &Value) -> Result<(String, Way), SettingsFault> {
    let portal = host(&address(settings, "portal")?);
    let authority = match text(settings, "authority") {
        None => AUTHORITY.to_owned(),
        Some(_) => address(settings, "authority")?,
    };
    let way = Way::Application {
        client_id: secret(settings, "client_id")?,
        client_secret: secret(settings, "client_secret")?,
        authority,
    };
    Ok((portal, way))
}

/// Scheme and host of an address, whatever page's path was copied along.
pub fn host(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
            format!("{scheme}://{host}")
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_webhook_is_read_as_bitrix24_shows_it() {
        for (given, portal) in [
            (
                "https://acme.bitrix24.ru/rest/12/k3yk3y/",
                Some("https://acme.bitrix24.ru"),
            ),
            (
                "acme.bitrix24.ru/rest/12/k3yk3y",
                Some("https://acme.bitrix24.ru"),
            ),
            (
                "https://acme.bitrix24.ru/rest/12/k3yk3y/profile.json",
                Some("https://acme.bitrix24.ru"),
            ),
            (
                "http://127.0.0.1:9105/rest/12/k3yk3y/",
                Some("http://127.0.0.1:9105"),
            ),
            ("https://acme.bitrix24.ru/", None),
            ("https://acme.bitrix24.ru/rest/k3yk3y/", None),
            ("https://acme.bitrix24.ru/rest/12/", None),
            ("", None),
        ] {
            let read = webhook(&json!({ "webhook_url": given })).ok();
            assert_eq!(
                read.as_ref().map(|(portal, _)| portal.as_str()),
                portal,
                "{given:?}"
            );
            if let Some((_, Way::Webhook { user, secret })) = read {
                assert_eq!((user, secret.expose_secret()), (12, "k3yk3y"));
            }
        }
    }
}
