//! The integration's settings as the module's page changes them: what a body may name, and the one transaction that
//! writes a change with its audit row. Settings this page does not know stay as they are.

use std::sync::Arc;

use actors::cache::Enterprise;
use actors::crm;
use actors::integration::actor::Order;
use actors::integration::connector::Kind;
use actors::integration::fields::flag;
use actors::store::{audit, enterprises};
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::NAME;
use crate::error::AppError;
use crate::state::App;
use crate::web::enterprise::integrations::document::{difference, is_on, unmasked};
use crate::web::enterprise::integrations::users::extensions;
use crate::web::enterprise::{note, spread};
use crate::web::visit::Visit;

const TEXTS: [&str; 5] = ["domain", "api_key", "module_code", "logo", "shop_phones"];
const FLAGS: [&str; 5] = [
    "enabled",
    "send_dial",
    "send_hangup",
    "send_upload",
    "allow_number",
];
/// Flags that the page's form shows: an unchecked box is not sent.
const BOXES: [&str; 4] = ["send_dial", "send_hangup", "send_upload", "allow_number"];

/// RetailCRM, described by its connector.
pub fn kind() -> Result<&'static Kind, AppError> {
    crm::find(NAME).ok_or(AppError::NotFound)
}

/// What is saved, as this process knows it; `Value::Null` when nothing is.
pub fn stored(enterprise: &Enterprise) -> Value {
    enterprise
        .integrations
        .get(NAME)
        .map_or(Value::Null, |part| part.settings.clone())
}

/// What is saved, as the database has it this moment: for acts that change it.
pub async fn stored_now(app: &App, enterprise: &Enterprise) -> Result<Value, AppError> {
    let (id, vault) = (enterprise.id, app.store.vault().clone());
    let document = app
        .store
        .read(move |conn| enterprises::integrations(conn, &vault, id))
        .await?;
    Ok(document.get(NAME).cloned().unwrap_or(Value::Null))
}

/// The settings with what a body names over the stored ones; a masked secret that is unchanged stays the stored one.
///
/// # Errors
/// A value that cannot be what it shall be, in words.
pub fn given(body: &Map<String, Value>, stored: &Value) -> Result<Value, AppError> {
    let mut settings = stored.as_object().cloned().unwrap_or_default();
    for name in TEXTS {
        match body.get(name) {
            None => {}
            Some(Value::String(text)) if !text.trim().is_empty() => {
                settings.insert(name.into(), text.trim().into());
            }
            Some(Value::String(_) | Value::Null) => drop(settings.remove(name)),
            Some(other) => {
                return Err(AppError::BadRequest(format!("{name}: a text, not {other}")));
            }
        }
    }
    let form = body.contains_key("boxes");
    for name in FLAGS {
        match body.get(name) {
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                let on = flag(&Value::Object(body.clone()), name, true);
                settings.insert(name.into(), on.into());
            }
            Some(other) => {
                return Err(AppError::BadRequest(format!(
                    "{name}: true or false, not {other}"
                )));
            }
            None if form && BOXES.contains(&name) => {
                drop(settings.insert(name.into(), false.into()))
            }
            None => {}
        }
    }
    if let Some(held) = body.get("user_extensions") {
        let told = held.as_object().ok_or_else(|| {
            AppError::BadRequest("user_extensions: an object, CRM user id to extension".into())
        })?;
        let held = extensions::asked(told, extensions::is_number, |_| true)
            .map_err(AppError::BadRequest)?;
        settings.insert("user_extensions".into(), extensions::written(&held));
    }
    Ok(unmasked(NAME, Value::Object(settings), stored))
}

/// Whether a body names any setting at all.
pub fn names_any(body: &Map<String, Value>) -> bool {
    body.keys().any(|name| {
        TEXTS.contains(&name.as_str())
            || FLAGS.contains(&name.as_str())
            || name == "user_extensions"
    })
}

/// What differs between two states of the settings, as a patch for `save`.
pub fn patch(before: &Value, after: &Value) -> Value {
    let empty = Map::new();
    let (before, after) = (
        before.as_object().unwrap_or(&empty),
        after.as_object().unwrap_or(&empty),
    );
    let gone = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .map(|name| (name.clone(), Value::Null));
    let new = after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value));
    gone.chain(new.map(|(name, value)| (name.clone(), value.clone())))
        .collect::<Map<_, _>>()
        .into()
}

/// Puts what a patch names into the stored settings (`null` takes a setting away; `Value::Null` all of them), notes it, and
/// lets every reader see it.
pub async fn save(
    app: &App,
    visit: &Visit,
    enterprise: &Arc<Enterprise>,
    action: &str,
    patch: Value,
) -> Result<(), AppError> {
    let (id, vault) = (enterprise.id, app.store.vault().clone());
    let entry = note(visit, id, action, Value::Null)?;
    let is_renewed = app
        .store
        .write(move |conn| {
            let before = enterprises::integrations(conn, &vault, id)?;
            let mut after = before.clone();
            if let Some(document) = after.as_object_mut() {
                match &patch {
                    Value::Object(changes) => {
                        let part = document.entry(NAME).or_insert_with(|| json!({}));
                        changes
                            .iter()
                            .for_each(|(name, value)| apply(part, name, value));
                    }
                    _ => drop(document.remove(NAME)),
                }
            }
            if before != after {
                enterprises::save_integrations(conn, &vault, id, &after, Utc::now())?;
                let what = difference(&before, &after);
                audit::add(
                    conn,
                    &audit::NewEntry {
                        what,
                        ..entry.clone()
                    },
                    Utc::now(),
                )?;
            }
            let part = after.get(NAME).filter(|part| is_on(part));
            Ok(part.is_some() && part != before.get(NAME))
        })
        .await?;
    spread(app, &enterprise.number).await;
    if is_renewed {
        // What waited for a wrong key to be mended waits no longer.
        app.integrations.order(id, NAME, Order::Reset).await;
    }
    Ok(())
}

fn apply(part: &mut Value, name: &str, value: &Value) {
    match part {
        Value::Object(part) if value.is_null() => drop(part.remove(name)),
        Value::Object(part) => drop(part.insert(name.to_owned(), value.clone())),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_changes_what_it_names() {
        let stored = json!({
            "enabled": true, "domain": "https://a.example", "api_key": "0123456789abcdef", "client_id": "kept", "send_dial": true,
        });
        let read = |body: Value| given(body.as_object().unwrap(), &stored).unwrap();
        let changed = read(
            json!({"domain": " https://b.example ", "api_key": "****cdef", "send_upload": "0"}),
        );
        assert_eq!(
            patch(&stored, &changed),
            json!({"domain": "https://b.example", "send_upload": false}),
            "a masked key that came back is the stored one"
        );
        let form = read(json!({"boxes": "1", "send_upload": "1"}));
        assert_eq!(
            patch(&stored, &form),
            json!({"send_dial": false, "send_hangup": false, "send_upload": true, "allow_number": false})
        );
        assert_eq!(
            patch(&stored, &read(json!({"api_key": ""}))),
            json!({"api_key": null})
        );
        for bad in [
            json!({"domain": 5}),
            json!({"send_dial": []}),
            json!({"user_extensions": "150"}),
            json!({"user_extensions": {"16": "150", "17": "150"}}),
        ] {
            assert!(given(bad.as_object().unwrap(), &stored).is_err(), "{bad}");
        }
    }
}
