//! Seals secrets before they reach the database and opens them after. Used by `enterprises/` (tokens, keys,
//! the integrations document) and for looking up tokens by fingerprint. Never logs what it handles.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hmac::Mac;
use sha2::Sha256;

/// Why something could not be sealed or opened. Tells nothing of the secret or the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("the secret key must be 32 bytes, written in base64 or in hex (64 digits)")]
    Key,
    #[error("a stored secret cannot be opened: the secret key is not the one it was sealed with")]
    WrongKey,
    #[error("a stored secret is damaged")]
    Damaged,
}

/// The key that seals secrets, and what is derived from it. Cheap to clone; `Debug` shows nothing.
#[derive(Clone)]
pub struct Vault {
    cipher: ChaCha20Poly1305,
    fingerprints: [u8; 32],
    signatures: [u8; 32],
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

const MARK: &str = "v1:";
const NONCE: usize = 12;

impl Vault {
    /// Makes a vault from 32 bytes.
    pub fn new(key: &[u8; 32]) -> Vault {
        Vault {
            cipher: ChaCha20Poly1305::new(key.into()),
            fingerprints: mac(key, b"patchbay fingerprints"),
            signatures: mac(key, b"patchbay signatures"),
        }
    }

    /// Reads a key as the settings hold it: 32 bytes in base64 or hex.
    ///
    /// # Errors
    /// `Key` when it is neither.
    pub fn from_text(key: &str) -> Result<Vault, VaultError> {
        let key = key.trim();
        let bytes = hex::decode(key)
            .or_else(|_| STANDARD.decode(key))
            .map_err(|_| VaultError::Key)?;
        Ok(Vault::new(&bytes.try_into().map_err(|_| VaultError::Key)?))
    }

    /// A new random key in base64, for a first start.
    pub fn new_key() -> String {
        STANDARD.encode(rand::random::<[u8; 32]>())
    }

    /// Seals a text. The empty text stays empty, so that "not set" can be seen without the key.
    pub fn seal(&self, plain: &str) -> String {
        if plain.is_empty() {
            return String::new();
        }
        let nonce = rand::random::<[u8; NONCE]>();
        // Sealing in memory fails only for texts of 256 GiB; an empty secret is the safe answer to the impossible.
        let Ok(sealed) = self.cipher.encrypt(&Nonce::from(nonce), plain.as_bytes()) else {
            return String::new();
        };
        let mut out = nonce.to_vec();
        out.extend_from_slice(&sealed);
        format!("{MARK}{}", STANDARD.encode(out))
    }

    /// Opens what `seal` made.
    ///
    /// # Errors
    /// `WrongKey` when the key is another one, `Damaged` when the text is not one of ours.
    pub fn open(&self, sealed: &str) -> Result<String, VaultError> {
        if sealed.is_empty() {
            return Ok(String::new());
        }
        let bytes = STANDARD
            .decode(sealed.strip_prefix(MARK).ok_or(VaultError::Damaged)?)
            .map_err(|_| VaultError::Damaged)?;
        let (nonce, body) = bytes.split_at_checked(NONCE).ok_or(VaultError::Damaged)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| VaultError::Damaged)?;
        let plain = self
            .cipher
            .decrypt(&Nonce::from(nonce), body)
            .map_err(|_| VaultError::WrongKey)?;
        String::from_utf8(plain).map_err(|_| VaultError::Damaged)
    }

    /// HMAC-SHA256 of a text that leaves us and shall come back as it was; the key is this purpose's own.
    pub fn sign(&self, text: &str) -> [u8; 32] {
        mac(&self.signatures, text.as_bytes())
    }

    /// Whether `sign` made this of the text. Its time does not tell where they differ.
    pub fn is_signed(&self, text: &str, signature: &[u8]) -> bool {
        let (right, told) = (hmac_of(&self.signatures, text.as_bytes()), signature);
        right.verify_slice(told).is_ok()
    }

    /// A keyed hash, 64 hex digits: finds a token without its being readable in the database.
    pub fn fingerprint(&self, text: &str) -> String {
        hex::encode(mac(&self.fingerprints, text.as_bytes()))
    }
}

fn mac(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    hmac_of(key, text).finalize().into_bytes().into()
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac_of(key: &[u8; 32], text: &[u8]) -> hmac::Hmac<Sha256> {
    let mut mac =
        <hmac::Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any length is a key");
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let (one, other) = (Vault::new(&[1; 32]), Vault::new(&[2; 32]));
        let sealed = one.seal("токен");
        assert!(sealed.starts_with("v1:") && !sealed.contains("токен"));
        assert_eq!(one.open(&sealed), Ok("токен".into()));
        assert_eq!(other.open(&sealed), Err(VaultError::WrongKey));
        assert_eq!(one.open("токен"), Err(VaultError::Damaged));
        assert_eq!(one.open("v1:AAAA"), Err(VaultError::Damaged));
        assert_ne!(
            one.seal("токен"),
            sealed,
            "each sealing has a nonce of its own"
        );
    }

    #[test]
    fn nothing_stays_nothing() {
        let vault = Vault::new(&[1; 32]);
        assert_eq!(vault.seal(""), "");
        assert_eq!(vault.open(""), Ok(String::new()));
    }

    #[test]
    fn a_key_is_read_from_base64_and_hex() {
        let sealed = Vault::new(&[7; 32]).seal("x");
        for text in [hex::encode([7; 32]), STANDARD.encode([7; 32])] {
            assert_eq!(
                Vault::from_text(&text).unwrap().open(&sealed),
                Ok("x".into())
            );
        }
        assert_eq!(Vault::from_text("short").unwrap_err(), VaultError::Key);
        assert!(Vault::from_text(&Vault::new_key()).is_ok());
    }

    #[test]
    fn a_signature_is_of_one_text_and_one_key() {
        let (one, other) = (Vault::new(&[1; 32]), Vault::new(&[2; 32]));
        let signature = one.sign("text");
        assert!(one.is_signed("text", &signature));
        assert!(!one.is_signed("texts", &signature) && !other.is_signed("text", &signature));
        assert!(!one.is_signed("text", &signature[..31]) && !one.is_signed("text", &[]));
        assert_ne!(
            hex::encode(signature),
            one.fingerprint("text"),
            "keys of their own"
        );
    }

    #[test]
    fn fingerprints_depend_on_the_key() {
        let (one, other) = (Vault::new(&[1; 32]), Vault::new(&[2; 32]));
        assert_eq!(one.fingerprint("t"), one.fingerprint("t"));
        assert_ne!(one.fingerprint("t"), other.fingerprint("t"));
        assert_ne!(one.fingerprint("t"), one.fingerprint("u"));
    }
}
