//! Words our own sentences (`actors::reason`) in the reader's language. Called by every template through `text | told`; what
//! is no sentence of ours, a CRM's answer or a system's error, stays as it was said.

use std::collections::HashMap;

use actors::reason;
use serde_json::Value;

use super::locale::Texts;

/// Names of what is filled in, as the locale files have them.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// The text as a reader of this language is told it. Sentences inside sentences, and several in a row, are worded too.
pub fn tell(texts: &Texts, text: &str) -> String {
    if let Some(found) = reason::read(text) {
        let arguments = NAMES.iter().zip(&found.parts);
        let arguments = arguments
            .map(|(name, part)| ((*name).to_owned(), Value::String(tell(texts, part))))
            .collect();
        return texts.text(&format!("said-{}", found.code), &arguments);
    }
    if let Some((first, rest)) = text.split_once("; ") {
        return format!("{}; {}", tell(texts, first), tell(texts, rest));
    }
    // The fault of a setting comes with the setting's name before it.
    if let Some((field, rest)) = text.split_once(": ")
        && field
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && reason::read(rest).is_some()
    {
        return format!("{field}: {}", tell(texts, rest));
    }
    span(texts, text).unwrap_or_else(|| text.to_owned())
}

/// "5s" and "350ms", as durations are written in our sentences.
fn span(texts: &Texts, text: &str) -> Option<String> {
    let (key, number) = match text.strip_suffix("ms") {
        Some(number) => ("unit-ms", number),
        None => ("unit-s", text.strip_suffix('s')?),
    };
    number.parse::<f64>().ok()?;
    let arguments = HashMap::from([("n".to_owned(), Value::from(number))]);
    Some(texts.text(key, &arguments))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::web::locale::Lang;

    fn texts(lang: Lang) -> Texts {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("locales");
        Texts::load(&folder, lang).expect("sound texts")
    }

    #[test]
    fn ours_is_worded_and_theirs_is_quoted() {
        let (ru, en) = (texts(Lang::Ru), texts(Lang::En));
        for (text, told) in [
            (
                "taken, but the CRM knows no user with 150, 151",
                "принято, но в CRM нет пользователя с номером 150, 151",
            ),
            (
                "given up, another try would come too late: no answer within 5s",
                "больше не пробуем, следующая попытка опоздала бы: нет ответа за 5 с",
            ),
            (
                "not sent in time to be of use; before that: cannot connect: Connection refused (os error 111)",
                "не отправлено вовремя, больше не нужно; до этого: не удаётся соединиться: Connection refused (os error 111)",
            ),
            (
                "the settings cannot be used: domain: must not be empty",
                "настройки не годятся: domain: не может быть пустым",
            ),
            (
                "shown in 1 of 2 chats; chat 7: Forbidden: bot was blocked by the user",
                "показано в чатах: 1 из 2; чат 7: Forbidden: bot was blocked by the user",
            ),
            ("Wrong \"apiKey\" value.", "Wrong \"apiKey\" value."),
            (
                "Invalid; the client is unknown",
                "Invalid; the client is unknown",
            ),
            ("", ""),
        ] {
            assert_eq!(tell(&ru, text), told);
            assert_eq!(tell(&en, text).replace(" s", "s"), text.replace(" s", "s"));
        }
    }

    #[test]
    fn every_sentence_has_its_words_in_both_languages() {
        for lang in Lang::ALL {
            let texts = texts(lang);
            for (code, sentence) in reason::all() {
                let mut text = sentence.to_owned();
                for part in ["Первое", "Второе", "Третье", "Четвёртое"] {
                    text = text.replacen("{}", part, 1);
                }
                let told = tell(&texts, &text);
                assert!(!told.starts_with("said-"), "{code}: {told}");
                for part in ["Первое", "Второе", "Третье", "Четвёртое"] {
                    assert_eq!(text.contains(part), told.contains(part), "{code}: {told}");
                }
                assert_eq!(told == text, lang == Lang::En, "{code}: {told}");
            }
        }
    }
}
