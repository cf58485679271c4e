//! Whether what was typed can be what it stands for. Each function is a parser of clap's: it gives the value or the words
//! that clap puts behind "invalid value … for …". None is for secrets, which clap would repeat.

use actors::call::number;

/// Digits, at least one.
fn digits(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An enterprise's number.
pub fn enterprise(text: &str) -> Result<String, String> {
    if digits(text, 20) {
        Ok(text.to_owned())
    } else {
        Err("an enterprise's number has digits only, as 0367".into())
    }
}

/// An extension.
pub fn extension(text: &str) -> Result<String, String> {
    if digits(text, 20) {
        Ok(text.to_owned())
    } else {
        Err("an extension has digits only, as 150".into())
    }
}

/// Something that has to be said: a name, the id of a line.
pub fn filled(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it must not be empty".into()),
        text if text.chars().count() > 200 => Err("it has more than 200 characters".into()),
        text if text.chars().any(char::is_control) => Err("it must be one line".into()),
        text => Ok(text.to_owned()),
    }
}

/// A country.
pub fn country(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    if number::is_country(&upper) {
        Ok(upper)
    } else {
        Err("it is no country; write its two letters, as BY".into())
    }
}

/// A time zone.
pub fn zone(text: &str) -> Result<String, String> {
    match text.parse::<chrono_tz::Tz>() {
        Ok(zone) => Ok(zone.name().to_owned()),
        Err(_) => Err("it is no time zone; write it like Europe/Minsk".into()),
    }
}

/// A host's address: a name or an IP address.
pub fn host(text: &str) -> Result<String, String> {
    let text = text.trim();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    if text.chars().all(good) && text.len() <= 253 {
        Ok(text.to_owned())
    } else {
        Err("it is no address of a host; write it like 192.168.1.10 or pbx.example.org".into())
    }
}

/// Whom to log in as on a host.
pub fn ssh_user(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(good) {
        Ok(text.to_owned())
    } else {
        Err("it is no user of a host; write it like patchbay".into())
    }
}

/// A Telegram chat.
pub fn chat(text: &str) -> Result<i64, String> {
    match text.parse::<i64>() {
        Ok(chat) if chat != 0 => Ok(chat),
        _ => Err(
            "a chat is a whole number, as 123456789, and a group's is below zero, as -1001234567890"
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_meant_is_taken() {
        type Check = fn(&str) -> Result<String, String>;
        let table: [(Check, &[&str], &[&str]); 7] = [
            (enterprise, &["0367", "1"], &["", "june", "03 67", "-1"]),
            (extension, &["150", "00"], &["", "15a", "+150"]),
            (filled, &["june", "Анна <Петрова>"], &["", "  ", "a\nb"]),
            (country, &["BY", "by"], &["", "BLR", "ZZ"]),
            (zone, &["Europe/Minsk", "UTC"], &["", "Minsk", "+3"]),
            (
                host,
                &["", "10.0.0.1", "pbx.example.org", "fe80::1"],
                &["a b", "http://x"],
            ),
            (ssh_user, &["patchbay", "root"], &["", "a b", "x;id"]),
        ];
        for (check, good, bad) in table {
            for text in good {
                assert!(check(text).is_ok(), "{text:?} is good");
            }
            for text in bad {
                assert!(check(text).is_err(), "{text:?} is bad");
            }
        }
        assert_eq!(chat("-1001234567890"), Ok(-1_001_234_567_890));
        assert!(chat("@june").is_err() && chat("0").is_err());
    }
}
