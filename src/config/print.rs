//! Prints the settings in effect as the default file with its comments, secrets masked. Called by `patchbay config`.

use figment::{Figment, value::Value};

/// The default file's lines, each `key = …` carrying the value in effect and, when it is not the default, its source.
pub fn effective(figment: &Figment) -> String {
    let mut section = String::new();
    let mut text = String::new();
    for line in super::DEFAULTS.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.to_owned();
        }
        match line.split_once(" = ") {
            Some((key, default)) if !line.starts_with('#') => {
                let path = format!("{section}.{key}");
                let value = figment
                    .find_value(&path)
                    .map(|value| shown(&path, &value))
                    .unwrap_or_default();
                let origin = if value == default {
                    String::new()
                } else {
                    origin(figment, &path)
                };
                text.push_str(&format!("{key} = {value}{origin}\n"));
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

fn origin(figment: &Figment, path: &str) -> String {
    match figment.find_metadata(path) {
        Some(metadata) if metadata.name.contains("environment") => {
            "    # from the environment".to_owned()
        }
        Some(metadata) => match &metadata.source {
            Some(source) => format!("    # from {source}"),
            None => String::new(),
        },
        None => String::new(),
    }
}

/// A value as TOML would have it, with nothing secret in it.
fn shown(path: &str, value: &Value) -> String {
    match (path, value) {
        ("secrets.key", Value::String(_, key)) => quoted(&mask(key)),
        ("api.keys", Value::Array(_, keys)) => {
            let keys: Vec<String> = keys
                .iter()
                .map(|key| quoted(&mask(key.as_str().unwrap_or("****"))))
                .collect();
            format!("[{}]", keys.join(", "))
        }
        ("api.keys", Value::String(_, keys)) => quoted(
            &keys
                .split(',')
                .map(|key| mask(key.trim()))
                .collect::<Vec<_>>()
                .join(","),
        ),
        ("secrets.key" | "api.keys", _) => "\"****\"".to_owned(),
        ("database.url", Value::String(_, url)) => quoted(&super::mask_url(url)),
        (_, Value::String(_, text)) => quoted(text),
        (_, Value::Array(_, items)) => {
            format!(
                "[{}]",
                items
                    .iter()
                    .map(|item| shown("", item))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        (_, Value::Bool(_, truth)) => truth.to_string(),
        (_, Value::Num(_, number)) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (Some(n), _, _) => n.to_string(),
            (None, Some(n), _) => n.to_string(),
            (None, None, Some(n)) => n.to_string(),
            _ => String::new(),
        },
        (_, Value::Char(_, c)) => quoted(&c.to_string()),
        (_, Value::Dict(..) | Value::Empty(..)) => String::new(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The last four characters of a long secret, nothing of a short one.
pub fn mask(secret: &str) -> String {
    let count = secret.chars().count();
    if secret.is_empty() {
        String::new()
    } else if count < 12 {
        "****".to_owned()
    } else {
        format!("****{}", secret.chars().skip(count - 4).collect::<String>())
    }
}
