//! The fields of a CRM's settings: how a kind declares them, how a connector reads what was entered, and what is wrong with
//! it. Used by `crm/*/settings.rs`, and by whoever draws the form. Says nothing in a person's language: the texts are in the
//! locales.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;

/// One field of the settings form. Its texts are in the locales: `integration-{kind}-{name}` and the same with
/// `-help`, which says where in the CRM the value is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Key in the settings document.
    pub name: &'static str,
    pub input: Input,
    pub required: bool,
}

impl Field {
    /// One that must be filled in.
    pub const fn required(name: &'static str, input: Input) -> Field {
        Field {
            name,
            input,
            required: true,
        }
    }

    /// One that may stay empty.
    pub const fn optional(name: &'static str, input: Input) -> Field {
        Field {
            name,
            input,
            required: false,
        }
    }
}

/// How a field is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    Text,
    Url,
    /// Shown masked, never sent back to the browser.
    Secret,
    /// A code by which somebody lets us in: exchanged for tokens when it is entered, never stored.
    Code,
    /// A check box; the value when it is absent.
    Flag(bool),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// CRM user id → extension; edited on the page of managers, not in the form.
    Extensions,
}

/// Why settings cannot be used: the field and the reason, for the form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {words}")]
pub struct SettingsFault {
    pub field: &'static str,
    pub words: String,
}

impl SettingsFault {
    /// A fault of one field.
    pub fn new(field: &'static str, words: impl Into<String>) -> Self {
        Self {
            field,
            words: words.into(),
        }
    }
}

/// A text setting: trimmed, `None` when absent or empty.
pub fn text<'a>(settings: &'a Value, name: &str) -> Option<&'a str> {
    settings
        .get(name)
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// A secret setting that must be there.
///
/// # Errors
/// When it is absent or empty.
pub fn secret(settings: &Value, name: &'static str) -> Result<SecretString, SettingsFault> {
    text(settings, name)
        .map(SecretString::from)
        .ok_or_else(|| SettingsFault::new(name, "must not be empty"))
}

/// An address that must be there: with a scheme (https unless told), without a slash at the end and without what
/// people copy along from the browser's line or the API's manual (`/api/…`, a query).
///
/// # Errors
/// When it is absent, or no `http` or `https` address.
pub fn address(settings: &Value, name: &'static str) -> Result<String, SettingsFault> {
    let fault = || SettingsFault::new(name, "is not an address, such as https://shop.example");
    let given =
        text(settings, name).ok_or_else(|| SettingsFault::new(name, "must not be empty"))?;
    let with_scheme = if given.contains("://") {
        given.to_owned()
    } else {
        format!("https://{given}")
    };
    let uri: awc::http::Uri = with_scheme.parse().map_err(|_| fault())?;
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme @ ("http" | "https")), Some(authority))
            if !authority.as_str().contains('@') =>
        {
            let path = uri.path().split("/api").next().unwrap_or_default();
            Ok(format!(
                "{scheme}://{authority}{}",
                path.trim_end_matches('/')
            ))
        }
        _ => Err(fault()),
    }
}

/// A flag: a boolean, or the words a form or an older document writes for one.
pub fn flag(settings: &Value, name: &str, default: bool) -> bool {
    match settings.get(name) {
        Some(Value::Bool(value)) => *value,
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        Some(Value::String(word)) => match word.trim() {
            "" => default,
            word => !matches!(word, "0" | "false" | "off" | "no"),
        },
        _ => default,
    }
}

/// The setting that says whose extension is which.
const USER_EXTENSIONS: &str = "user_extensions";

/// Whose extension is which, `{"16": "151"}` in the settings, the other way round: extension → user id.
///
/// # Errors
/// When it is no map, or a user's id no number.
pub fn extensions(settings: &Value) -> Result<BTreeMap<String, i64>, SettingsFault> {
    let fault = |words: String| SettingsFault::new(USER_EXTENSIONS, words);
    let map = match settings.get(USER_EXTENSIONS) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map,
        // PHP writes an empty map as a list.
        Some(Value::Array(list)) if list.is_empty() => return Ok(BTreeMap::new()),
        Some(_) => return Err(fault("must be a map of CRM user to extension".into())),
    };
    map.iter()
        .filter_map(|(user, extension)| {
            let extension = match extension {
                Value::String(text) if !text.trim().is_empty() => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            let id = user.trim().parse();
            let id = id.map_err(|_| fault(format!("{user} is no CRM user id")));
            Some(id.map(|id| (extension, id)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (given, read) in [
            (
                "demo-shop.retailcrm.ru",
                Some("https://demo-shop.retailcrm.ru"),
            ),
            (
                " https://demo-shop.retailcrm.ru/ ",
                Some("https://demo-shop.retailcrm.ru"),
            ),
            (
                "https://demo-shop.retailcrm.ru/api/v5",
                Some("https://demo-shop.retailcrm.ru"),
            ),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            (
                "http://127.0.0.1:8080/a/one/",
                Some("http://127.0.0.1:8080/a/one"),
            ),
            ("ftp://x", None),
            ("https://", None),
            ("https://key@demo-shop.retailcrm.ru", None),
            ("", None),
            ("two words", None),
        ] {
            assert_eq!(
                address(&json!({"domain": given}), "domain").ok().as_deref(),
                read,
                "{given:?}"
            );
        }
    }

    #[test]
    fn flags_are_read_as_forms_write_them() {
        for (given, read) in [
            (json!(false), false),
            (json!("0"), false),
            (json!("on"), true),
            (json!(1), true),
            (json!(null), true),
            (json!(""), true),
        ] {
            assert_eq!(flag(&json!({"send": given}), "send", true), read, "{given}");
        }
    }

    #[test]
    fn whose_extension_is_which_is_read_as_forms_and_older_documents_write_it() {
        let read = |map: Value| {
            let settings = json!({"user_extensions": map});
            extensions(&settings)
                .map(|read| read.into_iter().collect::<Vec<_>>())
                .map_err(|fault| fault.words)
        };
        let whose = |extension: &str, user| (extension.to_owned(), user);
        for (given, expected) in [
            (json!(null), Ok(vec![])),
            (json!([]), Ok(vec![])),
            (
                json!({"16": "151", " 7 ": 150, "8": "", "9": null}),
                Ok(vec![whose("150", 7), whose("151", 16)]),
            ),
            (
                json!({"anna": "151"}),
                Err("anna is no CRM user id".to_owned()),
            ),
            (
                json!([16]),
                Err("must be a map of CRM user to extension".to_owned()),
            ),
        ] {
            assert_eq!(read(given.clone()), expected, "{given}");
        }
    }
}
