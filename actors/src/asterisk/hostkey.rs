//! Keys by which hosts are known: read as people paste them, written as `known_hosts` has them, and what to ask a host for so
//! that it shows one of them. Pure; used by `pool.rs`, which compares.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The keys of the settings: kind and blob. Lines that are none are left out, as a comment would be.
pub(super) fn known(text: &str) -> Vec<(&str, Vec<u8>)> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| !is_kind(word));
            let kind = words.next()?;
            Some((kind, STANDARD.decode(words.next()?).ok()?))
        })
        .collect()
}

fn is_kind(word: &str) -> bool {
    word.starts_with("ssh-") || word.starts_with("ecdsa-")
}

/// What to ask for so that a host shows a key of this kind. Without asking, one known by its RSA key shows another, and
/// looks like a stranger.
pub(super) fn algorithms(kind: &str) -> &'static [&'static str] {
    match kind {
        "ssh-ed25519" => &["ssh-ed25519"],
        "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"],
        "ecdsa-sha2-nistp256" => &["ecdsa-sha2-nistp256"],
        "ecdsa-sha2-nistp384" => &["ecdsa-sha2-nistp384"],
        "ecdsa-sha2-nistp521" => &["ecdsa-sha2-nistp521"],
        _ => &[],
    }
}

/// A key's blob as `known_hosts` has it: it begins with its kind, which a length of four bytes precedes.
pub(super) fn written(blob: &[u8]) -> String {
    let kind = blob
        .get(..4)
        .and_then(|length| length.try_into().ok())
        .map(u32::from_be_bytes)
        .and_then(|length| blob.get(4..4usize.checked_add(length as usize)?))
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    format!("{kind} {}", STANDARD.encode(blob))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_keys_are_read_as_known_hosts_and_pub_files_have_them() {
        let blob = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 2, 7, 7]].concat();
        let line = written(&blob);
        assert!(
            line.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"),
            "{line}"
        );
        let text =
            format!("# the office\n{line} root@office\n[10.0.0.5]:2222 {line}\n\nssh-rsa §\n");
        assert_eq!(
            known(&text),
            vec![("ssh-ed25519", blob.clone()), ("ssh-ed25519", blob)]
        );
        assert!(known("").is_empty());
    }
}
