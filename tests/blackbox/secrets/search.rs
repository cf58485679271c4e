//! Looks for secrets in heaps of bytes: as they are, cut short, percent-encoded, in base64, in hex, escaped for JSON and
//! for HTML. Whatever is found is named by the secret's name, never shown.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Something that must not be found.
#[derive(Clone, Debug)]
pub struct Secret {
    pub name: String,
    pub value: String,
}

/// Bytes that a person or a program could get at.
pub struct Heap {
    pub title: String,
    pub bytes: Vec<u8>,
}

impl Heap {
    pub fn new(title: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Heap {
        Heap {
            title: title.into(),
            bytes: bytes.into(),
        }
    }
}

/// Fewer characters than this of a secret are no secret.
const PIECE: usize = 14;

/// Every form of a secret, by name.
pub fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms: Vec<(&'static str, Vec<u8>)> = vec![("plain", secret.into())];
    // A text cut in the middle of a secret shows its beginning; masks show the last four characters.
    let beginning: String = secret.chars().take(PIECE).collect();
    let rest = secret.chars().count().saturating_sub(4);
    let middle: String = secret
        .chars()
        .take(rest)
        .skip(rest.saturating_sub(PIECE))
        .collect();
    for piece in [beginning, middle] {
        if piece.chars().count() == PIECE && secret.len() > PIECE + 4 {
            forms.push(("a piece", piece.into()));
        }
    }
    let percent = |keep: &str, space: &str| -> String {
        let encode = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ if keep.as_bytes().contains(&byte) => char::from(byte).to_string(),
            b' ' => space.to_owned(),
            other => format!("%{other:02X}"),
        };
        secret.bytes().map(encode).collect()
    };
    for encoded in [
        percent("-_.~", "%20"),
        percent("*-._", "+"),
        percent("-_.~/:", "%20"),
    ] {
        forms.push(("percent-encoded", encoded.to_ascii_lowercase().into()));
        forms.push(("percent-encoded", encoded.into()));
    }
    // Inside a longer text base64 has three forms; the characters at either end depend on the neighbours.
    for shift in 0..3 {
        let mut bytes = vec![b'x'; shift];
        bytes.extend_from_slice(secret.as_bytes());
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&bytes);
            let (from, to) = ([0, 2, 3][shift], text.len() - 1);
            if to > from + 10 {
                forms.push(("base64", text.as_bytes()[from..to].to_vec()));
            }
        }
    }
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.push(("hex", hex.to_ascii_uppercase().into()));
    forms.push(("hex", hex.into()));
    let json = serde_json::to_string(secret).expect("a text");
    forms.push(("JSON", json.trim_matches('"').into()));
    let html = secret
        .replace('&', "&amp;")
        .replace('/', "&#x2F;")
        .replace('\'', "&#x27;")
        .replace('"', "&quot;");
    forms.push(("HTML", html.into()));
    let mut known = std::collections::HashSet::new();
    forms.retain(|(_, needle)| known.insert(needle.clone()));
    forms
}

/// What was found where, in words without the secret.
pub fn search(secrets: &[Secret], heaps: &[Heap]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        let forms = forms(&secret.value);
        for heap in heaps {
            for (form, needle) in &forms {
                if let Some(at) = position(&heap.bytes, needle) {
                    let from = at.saturating_sub(60);
                    let before = String::from_utf8_lossy(&heap.bytes[from..at]).replace('\n', "⏎");
                    found.push(format!(
                        "{} ({form}) in {}: …{before}",
                        secret.name, heap.title
                    ));
                    break;
                }
            }
        }
    }
    found
}

fn position(heap: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = heap.get(from..)?.iter().position(|byte| *byte == first) {
        let at = from + at;
        if heap[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[test]
fn a_secret_is_found_in_whatever_form() {
    let secret = Secret {
        name: "key".into(),
        value: "k+1/planted=A very ж long one".into(),
    };
    let basic = STANDARD_NO_PAD.encode(format!("user:{}:x", secret.value));
    for text in [
        format!("x{}x", secret.value),
        "k+1/planted=A very".to_owned(),
        "k%2B1%2Fplanted%3DA%20very%20%D0%B6%20long%20one".to_owned(),
        "k%2b1%2fplanted%3dA+very+%d0%b6+long+one".to_ascii_lowercase(),
        format!("Basic {basic}"),
        secret
            .value
            .bytes()
            .map(|byte| format!("{byte:02X}"))
            .collect(),
        "k+1&#x2F;planted=A very ж long one".to_owned(),
    ] {
        let heaps = [Heap::new("a page", text.clone())];
        assert_eq!(
            search(std::slice::from_ref(&secret), &heaps).len(),
            1,
            "{text}"
        );
    }
    let masked = [Heap::new("a page", "****g one, k+1/plan")];
    assert!(search(&[secret], &masked).is_empty());
}
