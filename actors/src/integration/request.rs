//! An HTTP request as a value and what came of it, so that connectors stay pure and every request is logged and
//! masked in one place. Made by `crm/*`, sent by `http.rs`, written to the log by `attempt.rs`. Sends nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::seal::Seal;

/// What stands in a log where a secret stood.
pub const MASK: &str = "•••";
/// Shorter secrets are masked in what is shown, not in what a connector reads.
const SHORTEST_HEARD: usize = 8;
/// Longest request or answer kept in `integration_logs`, in characters.
pub const LOGGED: usize = 4_000;

/// The HTTP methods CRMs use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// What goes with the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Empty,
    /// `application/x-www-form-urlencoded`; values as they are, before encoding.
    Form(Vec<(&'static str, String)>),
    /// `application/json`, already written out.
    Json(String),
}

/// One header; a secret one is masked wherever the request is shown.
#[derive(Clone, Debug)]
pub enum Header {
    Plain(&'static str, String),
    Secret(&'static str, SecretString),
}

/// A request to a CRM. `Debug` and `shown` print no secret.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Vec<Header>,
    pub body: Body,
    /// Which of the connector's rate limits it counts against.
    pub lane: &'static str,
    /// Secrets that stand in the URL or the body (a key in the path, a token in a form).
    pub secrets: Vec<SecretString>,
    /// Anybody may have written the URL: it is sent to public addresses and allowed networks only.
    pub guarded: bool,
    /// To be signed when it is sent.
    pub seal: Option<Seal>,
    /// The CRM does something slow in this request (it fetches a recording): the answer may take so long.
    pub patience: Option<Duration>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: impl Into<String>, lane: &'static str) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Body::Empty,
            lane,
            secrets: Vec::new(),
            guarded: false,
            seal: None,
            patience: None,
        }
    }

    /// Adds a header that may be shown.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push(Header::Plain(name, value.into()));
        self
    }

    /// Adds a header that is masked in logs, and its value wherever else it turns up.
    #[must_use]
    pub fn secret_header(mut self, name: &'static str, value: &SecretString) -> Self {
        self.headers.push(Header::Secret(name, value.clone()));
        self.secrets.push(value.clone());
        self
    }

    /// Masks this value wherever it stands in the request or comes back in the answer.
    #[must_use]
    pub fn secret(mut self, value: &SecretString) -> Self {
        self.secrets.push(value.clone());
        self
    }

    /// Keeps it from addresses that only the operator may open.
    #[must_use]
    pub fn guarded(mut self) -> Self {
        self.guarded = true;
        self
    }

    /// Has it signed when it is sent.
    #[must_use]
    pub fn seal(mut self, seal: Seal) -> Self {
        self.seal = Some(seal);
        self
    }

    /// Waits so long for the answer instead of the configured time.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// The request as it goes out now: with the headers of its signature, if it is to bear one.
    #[must_use]
    pub fn sealed(&self, now: DateTime<Utc>) -> Self {
        let mut request = self.clone();
        if let (Some(seal), Body::Json(body)) = (request.seal.take(), &self.body) {
            let headers = seal.headers(body, now);
            request
                .headers
                .extend(headers.map(|(name, value)| Header::Plain(name, value)));
        }
        request
    }

    /// Sets the body to a form.
    #[must_use]
    pub fn form(mut self, fields: Vec<(&'static str, String)>) -> Self {
        self.body = Body::Form(fields);
        self
    }

    /// Sets the body to JSON text.
    #[must_use]
    pub fn json(mut self, text: String) -> Self {
        self.body = Body::Json(text);
        self
    }

    /// The request as a person reads it in the log: method and URL, headers, one form field a line; masked, bounded.
    pub fn shown(&self) -> String {
        let mut text = format!("{} {}\n", self.method.as_str(), self.url);
        for header in &self.headers {
            match header {
                Header::Plain(name, value) => text.push_str(&format!("{name}: {value}\n")),
                Header::Secret(name, _) => text.push_str(&format!("{name}: {MASK}\n")),
            }
        }
        match &self.body {
            Body::Empty => {}
            Body::Json(json) => text.push_str(json),
            Body::Form(fields) => {
                for (name, value) in fields {
                    text.push_str(&format!("{name}={value}\n"));
                }
            }
        }
        bound(mask(text.trim_end(), &self.secrets))
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

/// What a CRM answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// `Retry-After`, when it was given in seconds.
    pub retry_after: Option<Duration>,
    /// `Location`, when it wants us elsewhere.
    pub location: Option<String>,
    /// The body as text; what is not UTF-8 is replaced, what is over the limit is left out.
    pub body: String,
}

impl Reply {
    /// An answer with only a status and a body, as tests and fixtures need it.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    /// The same without these secrets, for everybody who reads it from here on. What a person chose and is as short as a
    /// number or a word stays: it stands in an answer by accident, and the connector would read a mask in place of an id.
    #[must_use]
    pub fn masked(mut self, secrets: &[SecretString]) -> Self {
        let long = |secret: &&SecretString| secret.expose_secret().len() >= SHORTEST_HEARD;
        let secrets: Vec<SecretString> = secrets.iter().filter(long).cloned().collect();
        self.body = mask(&self.body, &secrets);
        self.location = self.location.map(|location| mask(&location, &secrets));
        self
    }

    /// The answer as a person reads it in the log; masked, bounded.
    pub fn shown(&self, secrets: &[SecretString]) -> String {
        bound(mask(
            &format!("{} {}", self.status, self.body.trim()),
            secrets,
        ))
    }
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// Nothing was heard in time; the CRM may have taken the request.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke; the CRM may have taken the request.
    #[error("the connection broke: {0}")]
    Cut(String),
    /// The address is not one that a request can be sent to.
    #[error("not a usable address: {0}")]
    Address(String),
}

/// Replaces every occurrence of a secret, as it is, percent-encoded or written in JSON.
pub fn mask(text: &str, secrets: &[SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        let plain = secret.expose_secret();
        if plain.len() < 3 {
            continue;
        }
        if text.contains(plain) {
            text = text.replace(plain, MASK);
        }
        for written in writings(plain) {
            if text.contains(&written) {
                text = text.replace(&written, MASK);
            }
        }
    }
    text
}

/// How else a secret is written; nothing for one of letters and digits alone.
fn writings(plain: &str) -> Vec<String> {
    if plain.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Vec::new();
    }
    let form = form_encode(plain);
    let percent = form.replace('+', "%20");
    // A path and a query leave some signs as they are.
    let lenient = percent
        .replace("%2F", "/")
        .replace("%3A", ":")
        .replace("%40", "@")
        .replace("%3D", "=");
    // What a form meant by a plus sign, read as an address.
    let spaced = plain.replace('+', " ");
    let json = serde_json::to_string(plain).unwrap_or_default();
    let json = json.get(1..json.len().saturating_sub(1));
    let json = json.unwrap_or_default().to_owned();
    let slashes = json.replace('/', "\\/");
    let mut all = Vec::new();
    for encoded in [form, percent, lenient] {
        all.push(lower(&encoded));
        all.push(encoded);
    }
    all.extend([spaced, json, slashes]);
    all.retain(|written| written != plain && written.len() > 2);
    all.dedup();
    all
}

/// The same with the digits of its percent signs in lower case.
fn lower(encoded: &str) -> String {
    let mut left = 0;
    let small = |c: char| {
        left = match c {
            '%' => 2,
            _ if left > 0 => left - 1,
            _ => return c,
        };
        c.to_ascii_lowercase()
    };
    encoded.chars().map(small).collect()
}

/// Whether a CRM names our own address, which ends with its key. The key is a secret of the settings, so an answer that names
/// the address is heard with a mask in the key's place; nothing but our key is masked there.
pub fn is_address(heard: &str, address: &str) -> bool {
    let masked = || {
        let (place, _) = address.rsplit_once('/')?;
        heard.strip_prefix(place)?.strip_prefix('/')
    };
    heard == address || masked() == Some(MASK)
}

/// One value in the encoding of forms and query strings.
pub fn form_encode(value: &str) -> String {
    serde_urlencoded::to_string([("", value)])
        .map(|pair| pair.trim_start_matches('=').to_owned())
        .unwrap_or_default()
}

/// At most `LOGGED` characters, and says so where some were left out.
fn bound(text: String) -> String {
    match text.char_indices().nth(LOGGED) {
        None => text,
        Some((at, _)) => format!("{}… ({} bytes more)", &text[..at], text.len() - at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_wherever_it_stands() {
        let key = SecretString::from("k/1 2+3");
        let request = Request::new(
            Method::Post,
            format!("https://crm.example/{}/x", form_encode("k/1 2+3")),
            "calls",
        )
        .secret_header("X-API-KEY", &key)
        .form(vec![
            ("token", "k/1 2+3".into()),
            ("phone", "+375291234567".into()),
        ]);
        assert_eq!(
            format!("{request:?}"),
            "POST https://crm.example/•••/x\nX-API-KEY: •••\ntoken=•••\nphone=+375291234567"
        );
        assert_eq!(
            Reply::new(403, "no such key k/1 2+3").shown(&request.secrets),
            "403 no such key •••"
        );
    }

    #[test]
    fn a_secret_is_masked_however_it_is_written() {
        let key = [SecretString::from("k/1 2+3=Ж\"")];
        for text in [
            "k/1 2+3=Ж\"",
            "k%2F1+2%2B3%3D%D0%96%22",
            "k%2f1%202%2b3%3d%d0%96%22",
            "k/1%202%2B3=%D0%96%22",
            "k/1 2+3=Ж\\\"",
            "k\\/1 2+3=Ж\\\"",
            "k/1 2 3=Ж\"",
        ] {
            assert_eq!(
                mask(&format!("a{text}b"), &key),
                format!("a{MASK}b"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_short_secret_costs_a_connector_nothing_of_what_it_hears() {
        let reply = Reply::new(200, r#"{"id": 150, "echo": "a-long-secret"}"#);
        let secrets = ["150", "a-long-secret"].map(SecretString::from);
        let heard = reply.masked(&secrets);
        assert_eq!(heard.body, r#"{"id": 150, "echo": "•••"}"#);
        assert!(
            !heard.shown(&secrets).contains("150"),
            "in the log it is masked"
        );
    }

    #[test]
    fn our_own_address_is_known_with_its_key_and_without() {
        let address = "https://pbx.example/crm/uon/k3y-of-ours";
        for (heard, ours) in [
            (address, true),
            ("https://pbx.example/crm/uon/•••", true),
            ("https://pbx.example/crm/uon/another", false),
            ("https://pbx.example/crm/bitrix24/•••", false),
            ("https://evil.example/crm/uon/•••", false),
            ("•••", false),
        ] {
            assert_eq!(is_address(heard, address), ours, "{heard}");
        }
    }

    #[test]
    fn a_long_answer_is_cut_at_a_character() {
        let shown = Reply::new(200, "ж".repeat(LOGGED * 2)).shown(&[]);
        assert!(shown.chars().count() < LOGGED + 40, "{}", shown.len());
        assert!(shown.ends_with("bytes more)"));
    }
}
