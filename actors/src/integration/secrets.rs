//! Which settings of an integration are secrets. Asked wherever settings are shown, and by every conversation with a CRM,
//! so that a CRM that repeats them is not repeated. Pure.

use secrecy::SecretString;
use serde_json::Value;

use super::connector::Kind;
use super::fields::Input;

/// Words in the names of settings that are never shown whole, whatever their form says.
const SECRET: [&str; 6] = ["key", "token", "secret", "password", "client_id", "webhook"];

/// Whether a setting of this name is a secret by its name.
pub fn is_one(name: &str) -> bool {
    let lower = name.to_lowercase();
    SECRET.iter().any(|word| lower.contains(word))
}

/// Every secret that settings of a kind hold, also deeper down.
pub fn of(kind: &Kind, settings: &Value) -> Vec<SecretString> {
    let declared = |name: &str| {
        let mut fields = kind.fields.iter();
        fields.any(|field| field.name == name && field.input == Input::Secret)
    };
    let mut found = Vec::new();
    let mut open: Vec<(bool, &Value)> = vec![(false, settings)];
    while let Some((secret, value)) = open.pop() {
        match value {
            Value::Object(map) => {
                let inner = map.iter();
                open.extend(inner.map(|(name, value)| (declared(name) || is_one(name), value)));
            }
            Value::Array(list) => open.extend(list.iter().map(|value| (secret, value))),
            Value::String(text) if secret && text.len() >= SHORTEST_SECRET => {
                found.push(SecretString::from(text.as_str()));
            }
            _ => {}
        }
    }
    found
}

/// What is shorter is found in too many texts by chance.
const SHORTEST_SECRET: usize = 8;

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_by_form_and_by_name_however_deep() {
        let kind = crate::crm::find("retailcrm").expect("a kind");
        let settings = json!({
            "enabled": true, "domain": "https://a.example", "api_key": "0123456789", "client_id": "abcdefghij",
            "oauth": {"refresh_token": "klmnopqrst", "expires": 5}, "user_names": {"16": "Petrova Anna"}, "token": "short",
        });
        let mut found: Vec<String> = of(kind, &settings)
            .iter()
            .map(|secret| secret.expose_secret().to_owned())
            .collect();
        found.sort();
        assert_eq!(found, ["0123456789", "abcdefghij", "klmnopqrst"]);
    }
}
