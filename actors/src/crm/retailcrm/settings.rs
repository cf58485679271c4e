//! One enterprise's RetailCRM settings, read from the integrations document. Made by `RetailCrm::new`; holds the key
//! and prints it nowhere.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use crate::call::record::NoticeKind;
use crate::integration::fields::{SettingsFault, address, extensions, flag, secret, text};

/// What an administrator entered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://account.retailcrm.ru`, no slash at the end.
    pub domain: String,
    pub api_key: SecretString,
    /// How our module is known to the CRM; sent beside events, may be empty. Not a secret towards this CRM, but it
    /// opens click-to-call, so it is masked like one.
    pub client_id: Option<SecretString>,
    send_dial: bool,
    send_hangup: bool,
    send_upload: bool,
    /// Extension → CRM user id.
    users: BTreeMap<String, i64>,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn read(settings: &Value) -> Result<Self, SettingsFault> {
        Ok(Self {
            domain: account(&address(settings, "domain")?),
            api_key: secret(settings, "api_key")?,
            client_id: text(settings, "client_id").map(SecretString::from),
            send_dial: flag(settings, "send_dial", true),
            send_hangup: flag(settings, "send_hangup", true),
            send_upload: flag(settings, "send_upload", true),
            users: extensions(settings)?,
        })
    }

    /// Whether notices of this kind are switched on.
    pub fn sends(&self, kind: NoticeKind) -> bool {
        match kind {
            NoticeKind::Start => false,
            NoticeKind::Dial | NoticeKind::Bridge => self.send_dial,
            NoticeKind::Hangup => self.send_hangup,
            NoticeKind::Upload | NoticeKind::Recording => self.send_upload,
        }
    }

    /// The CRM user who has this extension, as far as we know.
    pub fn user_of(&self, extension: &str) -> Option<i64> {
        self.users.get(extension).copied()
    }
}

/// At the vendor's own domains an account is its host alone; whatever page's path was copied along is not part of it.
/// Elsewhere (a proxy of the customer's, a simulator) the path belongs to the address.
fn account(address: &str) -> String {
    let vendor = [
        ".retailcrm.ru",
        ".retailcrm.pro",
        ".retailcrm.io",
        ".simla.com",
        ".retailcrm.es",
    ];
    let host_end = address.find("://").and_then(|scheme| {
        address[scheme + 3..]
            .find('/')
            .map(|slash| scheme + 3 + slash)
    });
    match host_end {
        Some(end) if vendor.iter().any(|domain| address[..end].ends_with(domain)) => {
            address[..end].to_owned()
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::account;

    #[test]
    fn a_path_copied_from_the_browser_is_not_part_of_the_vendors_address() {
        for (given, read) in [
            (
                "https://demo.retailcrm.ru/orders/1",
                "https://demo.retailcrm.ru",
            ),
            ("https://demo.retailcrm.ru", "https://demo.retailcrm.ru"),
            ("http://127.0.0.1:8080/a/one", "http://127.0.0.1:8080/a/one"),
        ] {
            assert_eq!(account(given), read);
        }
    }
}
