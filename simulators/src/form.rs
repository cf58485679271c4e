//! Reads the fields of a request, wherever they are: query, urlencoded form, multipart form or JSON object. Called by
//! the stand-ins; it never judges whether a field is allowed.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;
use futures_util::StreamExt;
use serde_json::Value;

/// How the body was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// No body.
    Empty,
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `multipart/form-data`.
    Multipart,
    /// `application/json`.
    Json,
    /// Something else.
    Other,
}

/// The fields of a query or a body, in order.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Fields of a query string or an urlencoded body.
    pub fn urlencoded(bytes: &[u8]) -> Self {
        Self(serde_urlencoded::from_bytes(bytes).unwrap_or_default())
    }

    /// The scalar parts of a multipart body.
    pub fn multipart(body: &[u8], boundary: &str) -> Self {
        let mark = format!("--{boundary}");
        let mut found = Vec::new();
        for part in split(body, mark.as_bytes()).into_iter().skip(1) {
            if part.starts_with(b"--") {
                break;
            }
            let part = part.strip_prefix(b"\r\n").unwrap_or(part);
            let mut halves = split(part, b"\r\n\r\n").into_iter();
            let (Some(head), Some(_)) = (halves.next(), halves.next()) else {
                continue;
            };
            let content = part.get(head.len() + 4..).unwrap_or_default();
            let content = content.strip_suffix(b"\r\n").unwrap_or(content);
            let head = String::from_utf8_lossy(head);
            let Some(name) = head
                .split("name=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
            else {
                continue;
            };
            found.push((
                name.to_owned(),
                String::from_utf8_lossy(content).into_owned(),
            ));
        }
        Self(found)
    }

    /// The members of a JSON object: strings as they are, everything else as JSON text, null left out.
    pub fn json(bytes: &[u8]) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_slice(bytes) else {
            return None;
        };
        let text = |value| match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        Some(Self(
            members
                .into_iter()
                .filter_map(|(name, value)| Some((name, text(value)?)))
                .collect(),
        ))
    }

    /// The last field of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether there is a bracketed field `name[…]`.
    pub fn nested(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| {
            given
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('['))
        })
    }

    /// Adds the fields of another set.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at + mark.len() <= bytes.len() {
        if bytes.get(at..at + mark.len()) == Some(mark) {
            parts.push(bytes.get(start..at).unwrap_or_default());
            at += mark.len();
            start = at;
        } else {
            at += 1;
        }
    }
    parts.push(bytes.get(start..).unwrap_or_default());
    parts
}

/// How the body of this request is written.
pub fn encoding(request: &HttpRequest) -> Encoding {
    let given = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "" => Encoding::Empty,
        "application/x-www-form-urlencoded" => Encoding::Urlencoded,
        "multipart/form-data" => Encoding::Multipart,
        "application/json" => Encoding::Json,
        _ => Encoding::Other,
    }
}

/// The fields of a body that was read already; a broken JSON body gives `None`.
pub fn fields(request: &HttpRequest, body: &[u8]) -> Option<Fields> {
    match encoding(request) {
        Encoding::Empty | Encoding::Other => Some(Fields::default()),
        Encoding::Urlencoded => Some(Fields::urlencoded(body)),
        Encoding::Json if body.is_empty() => Some(Fields::default()),
        Encoding::Json => Fields::json(body),
        Encoding::Multipart => {
            let given = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
            let boundary = given
                .split("boundary=")
                .nth(1)?
                .split(';')
                .next()?
                .trim()
                .trim_matches('"');
            Some(Fields::multipart(body, boundary))
        }
    }
}

/// Reads a body of at most `limit` bytes; `None` when it is longer or the client went away.
pub async fn read(mut payload: Payload, limit: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.ok()?;
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urlencoded_and_sees_nested_fields() {
        let fields =
            Fields::urlencoded(b"event=%7B%22phone%22%3A%22%2B7900%22%7D&calls[0][date]=x&a=1&a=2");
        assert_eq!(fields.get("event"), Some(r#"{"phone":"+7900"}"#));
        assert_eq!(fields.get("a"), Some("2"));
        assert!(fields.nested("calls") && !fields.nested("event"));
    }

    #[test]
    fn reads_multipart() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"event\"\r\n\r\n{\"a\":\"x\r\n\r\ny\"}\r\n\
            --B\r\nContent-Disposition: form-data; name=\"clientId\"\r\nContent-Type: text/plain\r\n\r\nc1\r\n--B--\r\n";
        let fields = Fields::multipart(body, "B");
        assert_eq!(fields.get("event"), Some("{\"a\":\"x\r\n\r\ny\"}"));
        assert_eq!(fields.get("clientId"), Some("c1"));
    }

    #[test]
    fn reads_json_members_as_text() {
        let fields =
            Fields::json(br#"{"chat_id":-100,"text":"hi","markup":{"a":[1]},"none":null}"#)
                .unwrap_or_default();
        assert_eq!(fields.get("chat_id"), Some("-100"));
        assert_eq!(fields.get("markup"), Some(r#"{"a":[1]}"#));
        assert_eq!(fields.get("none"), None);
        assert!(Fields::json(b"[]").is_none());
    }
}
