//! The keys of the way to an Asterisk host, as text: ours, made here and shown by its public half only, and the host's own,
//! shown by its fingerprint. Used by the host's page and by `patchbay enterprise host`; keeps nothing and connects nowhere.

use actors::cache::snapshot::HostKind;
use secrecy::{ExposeSecret, SecretString};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey};

/// What the kit's installation puts before our public key: the key can do nothing but ask our gate.
const FORCED: &str = "command=\"/usr/local/lib/patchbay/patchbay-gate\",restrict";

/// A fresh Ed25519 key, as OpenSSH writes a private key without a passphrase.
///
/// # Errors
/// The text cannot be written; no key of ours ever did that.
pub fn make() -> Result<SecretString, ssh_key::Error> {
    let pair = Ed25519Keypair::from_seed(&rand::random());
    let mut key = PrivateKey::from(pair);
    key.set_comment("patchbay");
    Ok(SecretString::from(key.to_openssh(LineEnding::LF)?.as_str()))
}

/// A private key that somebody brought, with the line ends OpenSSH wants; `None` when it is none.
pub fn brought(text: &str) -> Option<SecretString> {
    let text = text.trim().replace("\r\n", "\n");
    (text.starts_with("-----BEGIN ") && text.contains("PRIVATE KEY-----"))
        .then(|| SecretString::from(format!("{text}\n")))
}

/// The line for the host's `authorized_keys`; `None` for a key whose public half cannot be told from it.
pub fn public_half(key: &SecretString, kind: HostKind) -> Option<String> {
    let key = PrivateKey::from_openssh(key.expose_secret()).ok()?;
    let line = key.public_key().to_openssh().ok()?;
    Some(match kind {
        HostKind::Kit => format!("{FORCED} {line}"),
        HostKind::Plain => line,
    })
}

/// A host's public key as it is kept: kind, key, comment, in one line; `None` when the text is none.
pub fn public(text: &str) -> Option<String> {
    PublicKey::from_openssh(text.trim()).ok()?.to_openssh().ok()
}

/// Fingerprints of the keys that were accepted, as `ssh-keygen -lf` writes them.
pub fn accepted(known: &str) -> Vec<String> {
    known
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(fingerprint)
        .collect()
}

/// `SHA256:…` of a line of a public key; the line itself where it cannot be read.
pub fn fingerprint(line: &str) -> String {
    PublicKey::from_openssh(line.trim()).map_or_else(
        |_| line.trim().to_owned(),
        |key| key.fingerprint(HashAlg::Sha256).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_has_a_public_half_that_a_kit_binds_to_its_gate() {
        let key = make().unwrap();
        let plain = public_half(&key, HostKind::Plain).unwrap();
        assert!(plain.starts_with("ssh-ed25519 AAAA") && plain.ends_with(" patchbay"));
        let bound = public_half(&key, HostKind::Kit).unwrap();
        assert_eq!(bound, format!("{FORCED} {plain}"));
        assert!(fingerprint(&plain).starts_with("SHA256:"));
        assert_ne!(make().unwrap().expose_secret(), key.expose_secret());
        let kept = brought(&key.expose_secret().replace('\n', "\r\n")).unwrap();
        assert_eq!(kept.expose_secret().trim(), key.expose_secret().trim());
    }

    #[test]
    fn what_is_no_key_is_shown_as_it_is_and_not_kept() {
        assert_eq!(fingerprint(" no key "), "no key");
        assert_eq!(public_half(&"secret".into(), HostKind::Plain), None);
        assert!(brought("ssh-ed25519 AAAA").is_none());
        assert_eq!(public("-----BEGIN"), None);
    }
}
