//! One enterprise's amoCRM settings, read from the integrations document. Made by `AmoCrm::new`; holds the token and
//! prints it nowhere.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use crate::integration::connector::Place;
use crate::integration::fields::{SettingsFault, address, extensions, flag, secret, text};
use crate::integration::unknown::Strangers;

/// What can be made of a caller amoCRM does not know: the history of an incoming call waits among the unsorted leads until a
/// person takes it, or a contact is made and the call stands in its history.
pub const UNKNOWN: &[&str] = &["unsorted", "contact", "nothing"];

/// What a code is exchanged with.
#[derive(Clone, Debug)]
pub struct OAuth {
    pub client_id: String,
    pub client_secret: SecretString,
    /// Our address, as it stands in the integration at amoCRM.
    pub redirect_uri: String,
}

/// What an administrator entered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://acme.amocrm.ru`, no slash at the end.
    pub address: String,
    /// The long-lived token of a private integration, or the one that is good now.
    pub token: SecretString,
    /// An integration that somebody lets in by a code, instead of a long-lived token.
    pub oauth: Option<OAuth>,
    /// What the stock Asterisk widget shows with each click; without it there are none.
    pub widget_secret: Option<SecretString>,
    pub strangers: Strangers,
    pub send_dial: bool,
    pub send_upload: bool,
    /// Extension → user id. amoCRM has no field for an extension, so this is the only place of it.
    users: BTreeMap<String, i64>,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn read(place: &Place<'_>, settings: &Value) -> Result<Self, SettingsFault> {
        let oauth = oauth(place, settings)?;
        Ok(Self {
            address: account(settings)?,
            token: match &oauth {
                Some(_) => SecretString::from(""),
                None => secret(settings, "access_token")?,
            },
            oauth,
            widget_secret: text(settings, "widget_secret").map(SecretString::from),
            strangers: Strangers::read(place, settings, UNKNOWN)?,
            send_dial: flag(settings, "send_dial", true),
            send_upload: flag(settings, "send_upload", true),
            users: extensions(settings)?,
        })
    }

    /// The same with the token that is good now.
    pub fn with_token(&self, token: SecretString) -> Self {
        Self {
            token,
            ..self.clone()
        }
    }

    /// The CRM user who has this extension.
    pub fn user_of(&self, extension: &str) -> Option<i64> {
        self.users.get(extension).copied()
    }
}

/// The integration's id and secret, unless there is a long-lived token, which needs neither.
fn oauth(place: &Place<'_>, settings: &Value) -> Result<Option<OAuth>, SettingsFault> {
    let Some(client_id) = text(settings, "client_id") else {
        return Ok(None);
    };
    if text(settings, "access_token").is_some() {
        return Ok(None);
    }
    Ok(Some(OAuth {
        client_id: client_id.to_owned(),
        client_secret: secret(settings, "client_secret")?,
        // Settings that were never saved have no address yet; nobody can have entered it at amoCRM either.
        redirect_uri: place.address("amocrm", settings).unwrap_or_default(),
    }))
}

/// The account's own host: from its bare name, as older documents have it, from a host or from an address. At the
/// vendor's domains the path of whatever page was copied is left out; elsewhere (a proxy, a simulator) it stays.
fn account(settings: &Value) -> Result<String, SettingsFault> {
    let given = text(settings, "subdomain")
        .ok_or_else(|| SettingsFault::new("subdomain", "must not be empty"))?;
    if given.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Ok(format!("https://{}.amocrm.ru", given.to_ascii_lowercase()));
    }
    let read = address(settings, "subdomain")?;
    let (scheme, rest) = read.split_once("://").unwrap_or(("https", &read));
    let host = rest.split('/').next().unwrap_or(rest);
    let vendor = [".amocrm.ru", ".amocrm.com", ".kommo.com"];
    Ok(if vendor.iter().any(|domain| host.ends_with(domain)) {
        format!("{scheme}://{host}")
    } else {
        read
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::account;

    #[test]
    fn the_account_is_read_as_people_write_it() {
        for (given, read) in [
            ("acme", Some("https://acme.amocrm.ru")),
            ("Acme", Some("https://acme.amocrm.ru")),
            ("acme.amocrm.ru", Some("https://acme.amocrm.ru")),
            (
                "https://acme.kommo.com/leads/detail/7",
                Some("https://acme.kommo.com"),
            ),
            ("http://127.0.0.1:9104/", Some("http://127.0.0.1:9104")),
            ("", None),
            ("two words", None),
        ] {
            let settings = json!({"subdomain": given});
            assert_eq!(account(&settings).ok().as_deref(), read, "{given:?}");
        }
    }
}
