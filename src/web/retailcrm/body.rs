//! A request's body as named values, sent as JSON or as a form. Pure; an empty or broken one is refused in words.

use actix_web::web;
use serde_json::{Map, Value};

use crate::error::AppError;

/// Reads a body that has to hold something; `wanted` says what, for whoever sent nothing.
///
/// # Errors
/// It is empty, or neither a JSON object nor a form.
pub fn read(body: &[u8], wanted: &str) -> Result<Map<String, Value>, AppError> {
    let found = read_any(body)?;
    if found.is_empty() {
        return Err(AppError::BadRequest(format!(
            "the body is empty: send {wanted}, as JSON or as a form"
        )));
    }
    Ok(found)
}

/// Reads a body that may be empty.
///
/// # Errors
/// It is neither a JSON object nor a form.
pub fn read_any(body: &[u8]) -> Result<Map<String, Value>, AppError> {
    let bad = |words: String| AppError::BadRequest(words);
    let text = std::str::from_utf8(body)
        .map_err(|_| bad("the body is no text in UTF-8".into()))?
        .trim();
    if text.is_empty() {
        return Ok(Map::new());
    }
    let mut found: Map<String, Value> = if text.starts_with(['{', '[', '"']) {
        serde_json::from_str(text)
            .map_err(|error| bad(format!("the body is no JSON object: {error}")))?
    } else if text.contains('=') {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|_| bad("the form cannot be read".into()))?;
        let pairs = pairs.into_inner().into_iter();
        pairs.map(|(name, value)| (name, value.into())).collect()
    } else {
        return Err(bad("the body is neither JSON nor a form".into()));
    };
    // The form's token is no setting.
    found.remove("csrf");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_forms_are_the_same() {
        for body in [
            r#"{"domain": "https://a.example", "send_dial": "1"}"#,
            "domain=https%3A%2F%2Fa.example&send_dial=1&csrf=x",
        ] {
            let found = Value::Object(read(body.as_bytes(), "x").unwrap());
            assert_eq!(
                found,
                json!({"domain": "https://a.example", "send_dial": "1"})
            );
        }
    }

    #[test]
    fn what_is_empty_or_broken_is_told_in_words() {
        for (body, words) in [
            (&b""[..], "is empty"),
            (b"  \n", "is empty"),
            (b"{}", "is empty"),
            (b"csrf=x", "is empty"),
            (b"{\"a\"", "no JSON object"),
            (b"[1]", "no JSON object"),
            (b"\"x\"", "no JSON object"),
            (b"nonsense", "neither JSON nor a form"),
            (b"\xff\xfe", "no text in UTF-8"),
        ] {
            let said = read(body, "domain").unwrap_err();
            assert!(said.to_string().contains(words), "{body:?}: {said}");
        }
    }
}
