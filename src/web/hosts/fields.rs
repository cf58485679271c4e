//! The fields of a request however a caller sent them: in the query, as a form or as JSON. Pure.

use std::collections::BTreeMap;

use actix_web::{HttpMessage as _, HttpRequest, web};
use serde_json::Value;

use crate::error::AppError;

/// Characters of one value that are looked at; nothing of ours is as long.
const LONGEST: usize = 2048;

/// Names and values; a body's win over the query's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads query and body.
    ///
    /// # Errors
    /// The body is neither a form nor a JSON object.
    pub fn read(request: &HttpRequest, body: &[u8]) -> Result<Fields, AppError> {
        let mut fields = Fields::default();
        fields.take_form(request.query_string())?;
        let text = std::str::from_utf8(body)
            .map_err(|_| AppError::BadRequest("the body is no text in UTF-8".into()))?
            .trim();
        if text.starts_with('{') {
            fields.take_json(text)?;
        } else if request.content_type().ends_with("json") && !text.is_empty() {
            return Err(AppError::BadRequest("the body is no JSON object".into()));
        } else {
            fields.take_form(text)?;
        }
        Ok(fields)
    }

    /// All of them, as they came.
    pub fn all(self) -> BTreeMap<String, String> {
        self.0
    }

    /// A value without blanks around it; `None` when it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A number to call. In a query a bare `+` means a blank, and people forget to write it as `%2B`.
    pub fn phone(&self) -> String {
        let told = self.0.get("phone").map(String::as_str).unwrap_or_default();
        match told.strip_prefix(' ') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("+{rest}"),
            _ => told.trim().to_owned(),
        }
    }

    fn take_form(&mut self, text: &str) -> Result<(), AppError> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|_| AppError::BadRequest("the fields cannot be read".into()))?;
        for (name, value) in pairs.into_inner() {
            self.put(name, value);
        }
        Ok(())
    }

    fn take_json(&mut self, text: &str) -> Result<(), AppError> {
        let object: serde_json::Map<String, Value> =
            serde_json::from_str(text).map_err(|error| {
                AppError::BadRequest(format!("the body is no JSON object: {error}"))
            })?;
        for (name, value) in object {
            match value {
                Value::String(text) => self.put(name, text),
                Value::Number(number) => self.put(name, number.to_string()),
                _ => {}
            }
        }
        Ok(())
    }

    fn put(&mut self, name: String, value: String) {
        if value.len() <= LONGEST {
            self.0.insert(name, value);
        } else {
            // Cut, it might become something else; empty, it is refused in words.
            self.0.insert(name, String::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn read(uri: &str, kind: &str, body: &str) -> Result<Fields, AppError> {
        let request = TestRequest::with_uri(uri)
            .insert_header(("content-type", kind))
            .to_http_request();
        Fields::read(&request, body.as_bytes())
    }

    #[test]
    fn a_field_is_the_same_in_the_query_in_a_form_and_in_json() {
        let form = "application/x-www-form-urlencoded";
        for (uri, kind, body) in [
            ("/x?userId=16&phone=%2B375296254070", "", ""),
            ("/x", form, "userId=16&phone=%2B375296254070"),
            (
                "/x",
                "application/json",
                r#"{"userId": 16, "phone": "+375296254070"}"#,
            ),
            ("/x?userId=17", form, "userId=16&phone=%2B375296254070"),
            // Some send JSON and call it a form.
            (
                "/x",
                form,
                r#"{"userId": "16", "phone": " +375296254070 ", "nested": {"a": 1}}"#,
            ),
        ] {
            let fields = read(uri, kind, body).unwrap();
            assert_eq!(fields.get("userId"), Some("16"), "{uri} {body}");
            assert_eq!(fields.get("phone"), Some("+375296254070"), "{uri} {body}");
            assert_eq!(fields.get("code"), None);
        }
    }

    #[test]
    fn a_bare_plus_in_a_query_is_still_a_plus() {
        for query in ["phone=+375296254070", "phone=%2B375296254070"] {
            let fields = read(&format!("/x?{query}"), "", "").unwrap();
            assert_eq!(fields.phone(), "+375296254070", "{query}");
        }
        assert_eq!(
            read("/x?phone=375296254070", "", "").unwrap().phone(),
            "375296254070"
        );
        assert_eq!(read("/x", "", "").unwrap().phone(), "");
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_what_is_too_long_is_nothing() {
        for body in ["{", "[1]", "\"x\""] {
            assert!(read("/x", "application/json", body).is_err(), "{body}");
        }
        let long = format!("/x?phone={}", "1".repeat(3000));
        assert_eq!(read(&long, "", "").unwrap().get("phone"), None);
    }
}
