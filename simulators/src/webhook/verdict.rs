//! Whether a request is what it says: the check a receiver makes, written from the specification and not from the
//! sender's code, so that a mistake there is no mistake here. Pure; the time is passed in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How old or early a message may be, as the specification's libraries have it.
const TOLERANCE: i64 = 5 * 60;

/// The three headers.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    pub id: Option<String>,
    pub timestamp: Option<String>,
    pub signature: Option<String>,
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    MissingHeaders,
    BadTimestamp,
    TooOld,
    TooNew,
    NoMatch,
}

impl Fault {
    /// The words of the specification's libraries.
    pub fn words(self) -> &'static str {
        match self {
            Fault::MissingHeaders => "Missing required headers",
            Fault::BadTimestamp => "Invalid Signature Headers",
            Fault::TooOld => "Message timestamp too old",
            Fault::TooNew => "Message timestamp too new",
            Fault::NoMatch => "No matching signature found",
        }
    }
}

/// The key inside `whsec_…`.
pub fn secret_bytes(secret: &str) -> Option<Vec<u8>> {
    STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
        .ok()
}

/// The signature of a message, as `v1,…`.
pub fn sign(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut text = format!("{id}.{timestamp}.").into_bytes();
    text.extend_from_slice(body);
    // A key of any length is one.
    let code = Hmac::<Sha256>::new_from_slice(key).map(|mut mac| {
        mac.update(&text);
        mac.finalize().into_bytes()
    });
    format!(
        "v1,{}",
        code.map(|code| STANDARD.encode(code)).unwrap_or_default()
    )
}

/// Which of the secrets signed it: their places in the list.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    secrets: &[String],
    headers: &Headers,
    body: &[u8],
    now: i64,
) -> Result<Vec<usize>, Fault> {
    let (Some(id), Some(timestamp), Some(signatures)) =
        (&headers.id, &headers.timestamp, &headers.signature)
    else {
        return Err(Fault::MissingHeaders);
    };
    let at: i64 = timestamp.parse().map_err(|_| Fault::BadTimestamp)?;
    if at < now - TOLERANCE {
        return Err(Fault::TooOld);
    }
    if at > now + TOLERANCE {
        return Err(Fault::TooNew);
    }
    let given: Vec<&str> = signatures.split(' ').collect();
    let good: Vec<usize> = secrets
        .iter()
        .enumerate()
        .filter_map(|(place, secret)| Some((place, secret_bytes(secret)?)))
        .filter(|(_, key)| given.contains(&sign(key, id, at, body).as_str()))
        .map(|(place, _)| place)
        .collect();
    if good.is_empty() {
        return Err(Fault::NoMatch);
    }
    Ok(good)
}
