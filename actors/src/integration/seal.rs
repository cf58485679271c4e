//! The signature of Standard Webhooks 1.0 over a request: three headers that tell the receiver who sent this body,
//! when, and as which message. Asked for by a connector with `Request::seal`, put on by `attempt.rs` at the moment of
//! sending, because the signature holds the time of the try. Pure; sends nothing and keeps nothing.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// How a secret is marked where people see it.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the specification bounds them.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What a request is to be signed with.
#[derive(Clone, Debug)]
pub struct Seal {
    /// The message's own id: the same for every try of it, without a full stop.
    pub id: String,
    /// Each gives a signature of its own, so that a receiver that knows any of them accepts the request.
    pub keys: Vec<Key>,
}

/// One secret of a receiver. `Debug` shows nothing of it.
#[derive(Clone, Debug)]
pub struct Key {
    bytes: SecretSlice<u8>,
    /// A former secret signs until then.
    until: Option<DateTime<Utc>>,
}

/// Why a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error("is not base64; a secret looks like whsec_ and 32 letters or more")]
    NotBase64,
    #[error("has {0} bytes; a secret has from 24 to 64")]
    Length(usize),
}

impl Key {
    /// Reads a secret as people hand it on: base64, with or without `whsec_` before it.
    ///
    /// # Errors
    /// When it is not base64, or too short or long for a key.
    pub fn read(text: &str) -> Result<Key, KeyFault> {
        let text = text.trim();
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = STANDARD
            .decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(text))
            .map_err(|_| KeyFault::NotBase64)?;
        if !BYTES.contains(&bytes.len()) {
            return Err(KeyFault::Length(bytes.len()));
        }
        Ok(Key {
            bytes: bytes.into(),
            until: None,
        })
    }

    /// The same secret, on its way out: it signs until then.
    #[must_use]
    pub fn until(mut self, end: DateTime<Utc>) -> Key {
        self.until = Some(end);
        self
    }

    fn sign(&self, id: &str, at: i64, body: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.bytes.expose_secret())
            .expect("any length is a key");
        for part in [id, ".", &at.to_string(), ".", body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl Seal {
    /// The three headers of a try at `now`.
    pub fn headers(&self, body: &str, now: DateTime<Utc>) -> [(&'static str, String); 3] {
        let at = now.timestamp();
        let signatures: Vec<String> = self
            .keys
            .iter()
            .filter(|key| key.until.is_none_or(|end| now < end))
            .map(|key| key.sign(&self.id, at, body))
            .collect();
        [
            ("webhook-id", self.id.clone()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the specification's own libraries are tested with.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn signatures(keys: Vec<Key>, seconds: i64) -> Vec<String> {
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned();
        let [_, _, (_, value)] = Seal { id, keys }.headers(BODY, at(seconds));
        value.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_specifications_example_has_its_signature() {
        let key = Key::read(SECRET).unwrap();
        assert_eq!(signatures(vec![key], 1_614_265_330), [SIGNATURE]);
    }

    #[test]
    fn a_former_secret_signs_beside_the_new_one_until_its_end() {
        let keys = || {
            let former = Key::read(SECRET).unwrap().until(at(1_614_265_331));
            vec![Key::read(OTHER).unwrap(), former]
        };
        let overlap = signatures(keys(), 1_614_265_330);
        assert_eq!((overlap.len(), overlap[1].as_str()), (2, SIGNATURE));
        assert_eq!(signatures(keys(), 1_614_265_331).len(), 1);
    }

    #[test]
    fn a_secret_is_read_as_people_hand_it_on() {
        let bare = SECRET.trim_start_matches(PREFIX);
        let unpadded = OTHER.trim_end_matches('=');
        for good in [SECRET, bare, unpadded, &format!("  {SECRET}\n")] {
            assert!(Key::read(good).is_ok(), "{good}");
        }
        for (bad, fault) in [
            ("whsec_not base64", KeyFault::NotBase64),
            ("", KeyFault::Length(0)),
            ("whsec_c2hvcnQ=", KeyFault::Length(5)),
        ] {
            assert_eq!(Key::read(bad).err(), Some(fault), "{bad}");
        }
        let shown = format!("{:?}", Key::read(SECRET).unwrap());
        assert!(!shown.contains("194"), "{shown}");
        assert!(shown.contains("REDACTED"), "{shown}");
    }
}
