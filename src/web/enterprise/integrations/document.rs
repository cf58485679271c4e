//! The integrations document between people and the database: secrets masked on the way out, a masked secret that comes
//! back unchanged taken for the stored one, what cannot work refused. Pure; used by the dialog, the JSON and the gateway.

use actors::cache::Enterprise;
use actors::crm;
use actors::integration::connector::{ADDRESS_KEY, Kind, Place};
use actors::integration::fields::{Field, Input};
use actors::integration::shut_out::SHUT_OUT;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::config::mask;
use crate::masked::{is_secret, masked};

/// For how long a former secret is good beside the new one.
const OVERLAP: chrono::Duration = chrono::Duration::hours(24);

/// The whole document with every secret masked.
pub fn masked_document(document: &Value) -> Value {
    match document {
        Value::Object(map) => map
            .iter()
            .map(|(kind, part)| (kind.clone(), masked(kind, part)))
            .collect(),
        _ => Value::Object(Map::new()),
    }
}

/// What came back, each masked secret that is as it was shown replaced by the stored one.
pub fn unmasked(kind: &str, told: Value, stored: &Value) -> Value {
    match told {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| {
                let before = stored.get(&name).unwrap_or(&Value::Null);
                let kept = match (&value, before) {
                    (Value::String(shown), Value::String(secret))
                        if is_secret(kind, &name)
                            && !secret.is_empty()
                            && *shown == mask(secret) =>
                    {
                        before.clone()
                    }
                    _ => unmasked("", value, before),
                };
                (name, kept)
            })
            .collect(),
        Value::Array(list) => list
            .into_iter()
            .enumerate()
            .map(|(at, value)| unmasked("", value, stored.get(at).unwrap_or(&Value::Null)))
            .collect(),
        other => other,
    }
}

/// The document after a change: the parts that are named replace theirs, `null` takes one away, the rest stays.
///
/// # Errors
/// What cannot be taken, in words.
pub fn changed(
    stored: &Value,
    told: Value,
    place: &Enterprise,
    public_url: &str,
    now: DateTime<Utc>,
) -> Result<Value, String> {
    let Value::Object(told) = told else {
        return Err("the document is an object: {\"retailcrm\": {…}}".into());
    };
    let mut document = match stored {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    for (name, part) in told {
        let before = document.get(&name).cloned().unwrap_or(Value::Null);
        if part.is_null() {
            document.remove(&name);
            continue;
        }
        if !part.is_object() {
            return Err(format!("{name}: an object, or null to take it away"));
        }
        let kind = crm::find(&name);
        // What an older installation brought along stays changeable; a misspelt name is told.
        if kind.is_none() && name != "smart" && before.is_null() {
            return Err(format!("there is no integration called {name}"));
        }
        if let Some(word) = part.get("enabled").filter(|word| !word.is_boolean()) {
            return Err(format!("{name}.enabled: true or false, not {word}"));
        }
        let mut part = unmasked(&name, part, &before);
        if let Some(kind) = kind {
            keep_former(kind, &before, &mut part, now);
            give_address(kind, &mut part);
        }
        if is_on(&part)
            && let Some(part) = part.as_object_mut()
        {
            // Why it was switched off is over when it is switched on, and who saves wants the CRM to be asked again.
            part.remove("switched_off");
            part.remove(SHUT_OUT);
        }
        if let Some(kind) = kind.filter(|_| is_on(&part)) {
            check(kind, &part, place, public_url)
                .map_err(|fault| format!("{name}.{}: {}", fault.field, fault.words))?;
        }
        document.insert(name, part);
    }
    Ok(Value::Object(document))
}

/// A secret that is exchanged goes on beside the new one for a day, where the kind has a field for the former one
/// (`former_secret` of `secret`): whoever knows only the old one has that long. One entered by hand has no end.
fn keep_former(kind: &Kind, before: &Value, part: &mut Value, now: DateTime<Utc>) {
    let Some(part) = part.as_object_mut() else {
        return;
    };
    for field in kind.fields {
        let Some(current) = field.name.strip_prefix("former_") else {
            continue;
        };
        let until = format!("{}_until", field.name);
        let old = before.get(current).filter(|old| **old != Value::Null);
        let by_hand = part.get(field.name) != before.get(field.name);
        if let Some(old) = old
            && part.get(current).is_some_and(|new| new != old)
            && !by_hand
        {
            let end = (now + OVERLAP).to_rfc3339_opts(SecondsFormat::Secs, true);
            part.insert(field.name.into(), old.clone());
            part.insert(until, end.into());
        } else if by_hand {
            part.remove(&until);
        }
    }
}

/// The address at which the CRM reaches us has a key; it is made once and stays until somebody takes it away.
fn give_address(kind: &Kind, part: &mut Value) {
    if let Some(part) = part.as_object_mut().filter(|_| kind.hears)
        && part
            .get(ADDRESS_KEY)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
    {
        let key = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>());
        part.insert(ADDRESS_KEY.into(), key.into());
    }
}

/// Whether a part is switched on.
pub fn is_on(part: &Value) -> bool {
    part.get("enabled")
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

/// Why settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub field: String,
    pub words: String,
    /// The field has nothing in it: a page says that in its own language.
    pub empty: bool,
}

/// Whether a kind can work with these settings.
///
/// # Errors
/// The first field that cannot be used.
pub fn check(
    kind: &Kind,
    settings: &Value,
    enterprise: &Enterprise,
    public_url: &str,
) -> Result<(), Fault> {
    let is_empty = |field: &&Field| match settings.get(field.name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(_) => false,
    };
    if let Some(field) = kind
        .fields
        .iter()
        .filter(|field| field.required)
        .find(is_empty)
    {
        return Err(Fault {
            field: field.name.into(),
            words: "must not be empty".into(),
            empty: true,
        });
    }
    let place = Place {
        public_url,
        enterprise,
    };
    (kind.connect)(&place, settings)
        .map(drop)
        .map_err(|fault| Fault {
            field: fault.field.into(),
            words: fault.words,
            empty: false,
        })
}

/// A form's fields as settings over the stored ones; what the form does not have stays.
pub fn filled_in(kind: &Kind, form: &[(String, String)], stored: &Value) -> Value {
    let told = |name: &str| {
        form.iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.trim())
    };
    let mut settings = match stored {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    for field in kind.fields {
        match field.input {
            Input::Extensions | Input::Code => {}
            Input::Flag(_) => {
                settings.insert(field.name.into(), told(field.name).is_some().into());
            }
            Input::Text | Input::Url | Input::Secret | Input::Choice(_) => match told(field.name) {
                None | Some("") => drop(settings.remove(field.name)),
                Some(text) => drop(settings.insert(field.name.into(), text.into())),
            },
        }
    }
    unmasked(kind.name, Value::Object(settings), stored)
}

/// What differs between two documents, by part and setting: what it was and what it is, secrets masked.
pub fn difference(before: &Value, after: &Value) -> Value {
    let empty = Map::new();
    let of = |document: &Value, kind: &str| document.get(kind).and_then(Value::as_object).cloned();
    let names = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
    let mut kinds: Vec<String> = [before, after]
        .into_iter()
        .flat_map(|document| names(document.as_object().unwrap_or(&empty)))
        .collect();
    kinds.sort();
    kinds.dedup();
    let mut told = Map::new();
    for kind in kinds {
        let (old, new) = (
            of(before, &kind).unwrap_or_default(),
            of(after, &kind).unwrap_or_default(),
        );
        let mut settings: Vec<String> = names(&old).into_iter().chain(names(&new)).collect();
        settings.sort();
        settings.dedup();
        let changes: Map<String, Value> = settings
            .into_iter()
            .filter(|name| old.get(name) != new.get(name))
            .map(|name| {
                let shown = |map: &Map<String, Value>| {
                    let one: Map<String, Value> = map
                        .get(&name)
                        .map(|value| (name.clone(), value.clone()))
                        .into_iter()
                        .collect();
                    masked(&kind, &Value::Object(one))
                        .get(&name)
                        .cloned()
                        .unwrap_or(Value::Null)
                };
                let change = Value::Array(vec![shown(&old), shown(&new)]);
                (name, change)
            })
            .collect();
        if !changes.is_empty() {
            told.insert(kind, Value::Object(changes));
        }
    }
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_are() {
        let settings = json!({
            "enabled": true,
            "domain": "https://shop.example",
            "api_key": "0123456789abcdef",
            "oauth": {"refresh_token": "fedcba9876543210", "expires": 5},
            "user_extensions": {"16": "150"},
        });
        let shown = masked("retailcrm", &settings);
        assert_eq!(
            shown,
            json!({
                "enabled": true,
                "domain": "https://shop.example",
                "api_key": "****cdef",
                "oauth": {"refresh_token": "****3210", "expires": 5},
                "user_extensions": {"16": "150"},
            })
        );
        assert_eq!(
            unmasked("retailcrm", shown, &settings),
            settings,
            "unchanged, it means what is stored"
        );
    }

    #[test]
    fn only_an_unchanged_mask_stands_for_the_stored_secret() {
        let stored = json!({"api_key": "0123456789abcdef", "domain": "****cdef"});
        for (told, kept) in [
            ("****cdef", "0123456789abcdef"),
            ("****0000", "****0000"),
            ("a new key that is long", "a new key that is long"),
            ("", ""),
        ] {
            let made = unmasked(
                "retailcrm",
                json!({"api_key": told, "domain": "****cdef"}),
                &stored,
            );
            assert_eq!(
                made,
                json!({"api_key": kept, "domain": "****cdef"}),
                "{told}"
            );
        }
        assert_eq!(
            unmasked("retailcrm", json!({"api_key": ""}), &json!({"api_key": ""})),
            json!({"api_key": ""})
        );
    }

    #[test]
    fn a_difference_names_what_changed_and_shows_no_secret() {
        let before = json!({"retailcrm": {"enabled": true, "api_key": "0123456789abcdef", "domain": "https://a"}});
        let after = json!({"retailcrm": {"enabled": false, "api_key": "fedcba9876543210", "domain": "https://a"}});
        assert_eq!(
            difference(&before, &after),
            json!({"retailcrm": {"enabled": [true, false], "api_key": ["****cdef", "****3210"]}})
        );
        assert_eq!(difference(&before, &before), json!({}));
        assert_eq!(
            difference(&Value::Null, &json!({"smart": {"primary": "x"}})),
            json!({"smart": {"primary": [null, "x"]}})
        );
    }

    #[test]
    fn a_secret_that_is_exchanged_goes_on_beside_the_new_one() {
        let enterprise = actors::integration::sample::enterprise(&[]);
        let now = actors::integration::sample::morning();
        let (old, new) = (
            "b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk",
            "bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3",
        );
        let change = |before: &Value, told: Value| {
            changed(before, json!({"webhook": told}), &enterprise, "", now).unwrap()["webhook"]
                .clone()
        };
        let url = "https://example.com/hook";
        let before = json!({"webhook": {"enabled": true, "url": url, "secret": old}});
        let masked_old = mask(old);
        let same = change(
            &before,
            json!({"enabled": true, "url": url, "secret": masked_old}),
        );
        assert_eq!(same, before["webhook"], "nothing was exchanged");
        let exchanged = change(&before, json!({"enabled": true, "url": url, "secret": new}));
        assert_eq!(
            exchanged,
            json!({
                "enabled": true, "url": url, "secret": new,
                "former_secret": old, "former_secret_until": "2026-03-02T11:05:09Z",
            })
        );
        let saved = json!({"webhook": exchanged});
        let kept = change(&saved, masked("webhook", &exchanged));
        assert_eq!(kept, exchanged, "another save prolongs nothing");
        let ended = change(
            &saved,
            json!({"enabled": true, "url": url, "secret": mask(new), "former_secret_until": "x"}),
        );
        assert_eq!(
            ended,
            json!({"enabled": true, "url": url, "secret": new}),
            "taken away by hand"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_secret_survives_being_shown(secret in ".{1,40}", address in ".{0,20}") {
            let stored = json!({"api_key": secret, "domain": address});
            let back = unmasked("retailcrm", masked("retailcrm", &stored), &stored);
            proptest::prop_assert_eq!(back, stored);
        }
    }
}
