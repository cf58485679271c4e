//! The code by which a chat joins: made for a person to type and to follow as a link. Called by the Telegram page and by
//! `listener`; a code is kept nowhere, only its keyed hash.

use secrecy::{ExposeSecret, SecretString};

use crate::store::Vault;

/// Letters and digits that are not taken for one another when read aloud or from paper.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Sixty bits: nobody guesses one in the days it counts.
const LENGTH: usize = 12;

/// A code as it was made or read: twelve letters, without the lines between them.
#[derive(Clone)]
pub struct Code(SecretString);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code(…{})", self.hint())
    }
}

impl Code {
    /// A new one.
    pub fn random() -> Code {
        let bytes = rand::random::<[u8; LENGTH]>();
        let letters: String = bytes
            .iter()
            .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
            .collect();
        Code(letters.into())
    }

    /// Reads a code as people type it: in any case, with lines and spaces or without, O for 0, I and L for 1.
    pub fn read(text: &str) -> Option<Code> {
        let mut letters = String::with_capacity(LENGTH);
        for letter in text.trim().chars() {
            let letter = match letter.to_ascii_uppercase() {
                '-' | '–' | '—' | ' ' => continue,
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if letters.len() == LENGTH || !letter.is_ascii() || !LETTERS.contains(&(letter as u8)) {
                return None;
            }
            letters.push(letter);
        }
        (letters.len() == LENGTH).then(|| Code(letters.into()))
    }

    /// For the person who is to have it: three groups of four, also good in a link.
    pub fn text(&self) -> String {
        let letters = self.0.expose_secret();
        format!("{}-{}-{}", &letters[..4], &letters[4..8], &letters[8..])
    }

    /// The last four, to tell one code from another.
    pub fn hint(&self) -> &str {
        &self.0.expose_secret()[LENGTH - 4..]
    }

    /// What the table knows it by.
    pub fn fingerprint(&self, vault: &Vault) -> String {
        vault.fingerprint(&format!("telegram code {}", self.0.expose_secret()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::random();
        let text = code.text();
        let same = |typed: &str| Code::read(typed).is_some_and(|read| read.text() == text);
        assert!(same(&text) && same(&text.to_lowercase()));
        assert!(same(&text.replace('-', "")) && same(&format!(" {} ", text.replace('-', " "))));
        assert_eq!(
            Code::read("oil0-1111-1111").unwrap().text(),
            "0110-1111-1111"
        );
        for wrong in [
            "",
            "0110",
            "0110-1111-11112",
            "0110-1111-111!",
            "привет-всем-да",
            "0110-1111-111Ю",
            "UUUU-UUUU-UUUU",
        ] {
            assert!(Code::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_no_code() {
        let code = Code::random();
        assert!(
            !format!("{code:?}").contains(&code.text()[..4])
                || code.text()[..4] == code.text()[10..]
        );
    }
}
