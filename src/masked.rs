//! Integration settings as they may be shown and noted: every secret masked to its last four characters. Used by the
//! gateway's `/config`, the integrations dialog and the command line.

use actors::crm;
use actors::integration::fields::Input;
use actors::integration::secrets;
use serde_json::Value;

use crate::config::mask;

/// Whether this setting of a kind is never shown whole.
pub fn is_secret(kind: &str, name: &str) -> bool {
    let fields = crm::find(kind).map(|kind| kind.fields).unwrap_or_default();
    let declared = fields
        .iter()
        .any(|field| field.name == name && field.input == Input::Secret);
    declared || secrets::is_one(name)
}

/// Settings of an integration with every secret masked: those the CRM's form calls so, and whatever is named like one.
pub fn masked(kind: &str, settings: &Value) -> Value {
    match settings {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let shown = match value {
                    Value::String(text) if is_secret(kind, name) => mask(text).into(),
                    other => masked("", other),
                };
                (name.clone(), shown)
            })
            .collect(),
        Value::Array(list) => list.iter().map(|one| masked("", one)).collect(),
        other => other.clone(),
    }
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
        assert_eq!(
            masked("retailcrm", &settings),
            json!({
                "enabled": true,
                "domain": "https://shop.example",
                "api_key": "****cdef",
                "oauth": {"refresh_token": "****3210", "expires": 5},
                "user_extensions": {"16": "150"},
            })
        );
    }
}
