//! What a number is: internal or external, and how an external one is written in E.164. Pure; used by the
//! state machine and by the "try a number" field of a line.

use std::cell::RefCell;
use std::collections::HashMap;

use ahash::RandomState;
use phonenumber::country;

use crate::cache::snapshot::{Enterprise, NumberRule};

/// The longest text that is looked at as a number; Asterisk cuts a caller's number at 79 characters.
const MAX_NUMBER: usize = 79;

/// Internal: 2 to 5 digits, or a number in the enterprise's list of extensions.
pub fn is_internal(text: &str, enterprise: &Enterprise) -> bool {
    ((2..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
        || (!text.is_empty() && enterprise.extensions.contains_key(text))
}

/// The external number in E.164 with `+`, by the line's rules and then the enterprise's country; `None` when
/// it is withheld or is no number.
///
/// Country formats are libphonenumber's: for BY, `8 029 …` and `80 29 …` are +375 29 ….
pub fn normalise(raw: &str, line: &str, enterprise: &Enterprise) -> Option<String> {
    let rules = enterprise
        .lines
        .get(line)
        .map_or(&[][..], |line| line.rules.as_slice());
    let text = apply_rules(raw, rules)
        .pop()
        .map_or_else(|| raw.to_owned(), |step| step.1);
    to_e164(&text, &enterprise.country)
}

/// The steps a line's rules take a number through: (pattern, what came out of it). A rule whose pattern
/// cannot be read changes nothing.
pub fn apply_rules(raw: &str, rules: &[NumberRule]) -> Vec<(String, String)> {
    let mut text: String = raw.chars().take(MAX_NUMBER).collect();
    let mut steps = Vec::with_capacity(rules.len());
    for rule in rules {
        if let Some(regex) = compiled(&rule.pattern) {
            text = regex.replace(&text, rule.replacement.as_str()).into_owned();
        }
        steps.push((rule.pattern.clone(), text.clone()));
    }
    steps
}

/// Whether a rule can do what it says: its pattern is a regular expression and its replacement names only what the
/// pattern catches. `$1375` is a trap: it names the 1375th group, where `${1}375` was meant.
///
/// # Errors
/// What is wrong, in words.
pub fn check_rule(rule: &NumberRule) -> Result<(), String> {
    let regex = compiled(&rule.pattern).ok_or_else(|| {
        let error = regex::Regex::new(&rule.pattern).err();
        let words = error.map_or_else(|| "it is too large".to_owned(), |error| error.to_string());
        // The library draws where it is on lines of its own; the last one says what it is.
        let last = words.lines().last().unwrap_or_default();
        let last = last.strip_prefix("error: ").unwrap_or(last);
        format!("{} is no regular expression: {last}", rule.pattern)
    })?;
    for name in named(&rule.replacement) {
        let known = match name.parse::<usize>() {
            Ok(group) => group < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|known| known == name),
        };
        if !known {
            return Err(format!(
                "{} names the group {name}, which {} does not have; a group before digits or letters is written ${{1}}",
                rule.replacement, rule.pattern
            ));
        }
    }
    Ok(())
}

/// The groups that a replacement names, read as `regex` reads them: `$name` as far as letters, digits and `_` go,
/// `${name}` up to the brace; `$$` is a dollar.
fn named(replacement: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let name = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').map(|(name, _)| name),
            None => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                Some(&rest[..rest.find(|c| !word(c)).unwrap_or(rest.len())])
            }
        };
        found.extend(name.filter(|name| !name.is_empty()));
    }
    found
}

/// Whether this is a country whose national formats are known: two capital letters of ISO 3166.
pub fn is_country(text: &str) -> bool {
    text.parse::<country::Id>()
        .is_ok_and(|id| id.as_ref() == text)
}

/// A rule's regular expression, compiled once per thread and kept: rules are few and every call meets them.
fn compiled(pattern: &str) -> Option<regex::Regex> {
    thread_local! {
        static COMPILED: std::cell::RefCell<HashMap<String, Option<regex::Regex>>> = std::cell::RefCell::default();
    }
    COMPILED.with_borrow_mut(|known| {
        if known.len() > 1000 {
            known.clear();
        }
        known
            .entry(pattern.to_owned())
            .or_insert_with(|| {
                regex::RegexBuilder::new(pattern)
                    .size_limit(1 << 20)
                    .build()
                    .ok()
            })
            .clone()
    })
}

/// E.164 of a number written in any way usual in `country`, or internationally with or without `+`.
///
/// Each event of a call asks for the same number again, and the answer takes some microseconds: this thread's last ones
/// are remembered.
pub fn to_e164(text: &str, country: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_NUMBER {
        return None;
    }
    thread_local! {
        static LAST: RefCell<Vec<Option<Known>>> = RefCell::new(vec![None; REMEMBERED]);
        static PLACES: RandomState = RandomState::new();
    }
    let place = PLACES.with(|places| places.hash_one((text, country))) as usize % REMEMBERED;
    LAST.with_borrow_mut(|last| {
        let Some(slot) = last.get_mut(place) else {
            return read_e164(text, country);
        };
        if let Some(known) = slot
            && known.text == text
            && known.country == country
        {
            return known.number.clone();
        }
        let number = read_e164(text, country);
        *slot = Some(Known {
            text: text.to_owned(),
            country: country.to_owned(),
            number: number.clone(),
        });
        number
    })
}

/// Numbers a thread remembers: some hundred kilobytes.
const REMEMBERED: usize = 1024;

/// A number and what it was read as.
#[derive(Clone)]
struct Known {
    text: String,
    country: String,
    number: Option<String>,
}

fn read_e164(text: &str, country: &str) -> Option<String> {
    // A caller may put anything here; only what is written like a number is one.
    if !text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '.' | '-'))
    {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !(6..=18).contains(&digits.len()) {
        return None;
    }
    let country: Option<country::Id> = country.parse().ok();
    let international = || valid(None, &format!("+{digits}"));
    if text.starts_with('+') {
        return Some(international().unwrap_or_else(|| format!("+{digits}")));
    }
    if let Some(rest) = digits
        .strip_prefix("00")
        .or_else(|| digits.strip_prefix("810"))
        && let Some(number) = valid(None, &format!("+{rest}"))
    {
        return Some(number);
    }
    // A full number with its own country code, as trunks usually give it, else the national format.
    let own_code = country
        .and_then(calling_code)
        .is_some_and(|code| digits.starts_with(&code));
    let national = || valid(country, &digits);
    // One try is dear, and the first nearly always hits.
    let known = if own_code {
        international().or_else(national)
    } else {
        national().or_else(international)
    };
    known.or_else(|| {
        // Not a number libphonenumber knows (a new range, a test range): keep it when it can only be
        // an international one.
        (digits.len() >= 10 && !digits.starts_with('0') && !digits.starts_with('8'))
            .then(|| format!("+{digits}"))
    })
}

fn valid(country: Option<country::Id>, text: &str) -> Option<String> {
    let number = phonenumber::parse(country, text).ok()?;
    phonenumber::is_valid(&number)
        .then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

fn calling_code(country: country::Id) -> Option<String> {
    phonenumber::metadata::DATABASE
        .by_id(country.as_ref())
        .map(|metadata| metadata.country_code().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_person_has_one_number() {
        let table = [
            ("375291234567", "BY", Some("+375291234567")),
            ("+375291234567", "BY", Some("+375291234567")),
            ("80291234567", "BY", Some("+375291234567")),
            ("8 029 123-45-67", "BY", Some("+375291234567")),
            ("80 29 123 45 67", "BY", Some("+375291234567")),
            ("029 123 45 67", "BY", Some("+375291234567")),
            ("291234567", "BY", Some("+375291234567")),
            ("00375291234567", "BY", Some("+375291234567")),
            ("810375291234567", "BY", Some("+375291234567")),
            ("79161112233", "BY", Some("+79161112233")),
            ("89161112233", "RU", Some("+79161112233")),
            ("9161112233", "RU", Some("+79161112233")),
            ("375291111111", "BY", Some("+375291111111")),
            ("+375296254070", "BY", Some("+375296254070")),
            ("", "BY", None),
            ("anonymous", "BY", None),
            ("<img src=x onerror=alert(1)>", "BY", None),
            ("$(touch x)", "BY", None),
            ("102", "BY", None),
            ("150", "BY", None),
        ];
        for (raw, country, expected) in table {
            assert_eq!(
                to_e164(raw, country).as_deref(),
                expected,
                "{raw} in {country}"
            );
        }
    }

    #[test]
    fn a_rule_that_cannot_do_what_it_says_is_found() {
        for (pattern, replacement, fault) in [
            (r"^8(\d{10})$", "+375$1", None),
            (r"^8(\d{10})$", "+375${1}0", None),
            (r"^(?<rest>\d+)$", "00$rest", None),
            ("^00", "", None),
            ("^00", "$$", None),
            ("^00", "costs 5$", None),
            ("(", "", Some("no regular expression: unclosed group")),
            (r"^8(\d+)", "$2", Some("names the group 2")),
            (r"^8(\d+)", "$1375", Some("names the group 1375")),
            (r"^8(\d+)", "${rest}", Some("names the group rest")),
        ] {
            let rule = NumberRule {
                pattern: pattern.into(),
                replacement: replacement.into(),
            };
            let said = check_rule(&rule).err();
            assert_eq!(
                said.is_some(),
                fault.is_some(),
                "{pattern} {replacement}: {said:?}"
            );
            assert!(said.unwrap_or_default().contains(fault.unwrap_or_default()));
        }
    }

    #[test]
    fn countries_are_those_whose_formats_are_known() {
        for (text, known) in [
            ("BY", true),
            ("RU", true),
            ("PL", true),
            ("by", false),
            ("ZZ", false),
            ("", false),
        ] {
            assert_eq!(is_country(text), known, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,200}", country in "[A-Z]{0,3}") {
            if let Some(number) = to_e164(&text, &country) {
                proptest::prop_assert!(number.starts_with('+'));
                proptest::prop_assert!(number[1..].bytes().all(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn normalising_twice_changes_nothing(digits in "[0-9]{6,15}") {
            if let Some(once) = to_e164(&digits, "BY") {
                proptest::prop_assert_eq!(to_e164(&once, "BY"), Some(once.clone()));
            }
        }
    }
}
