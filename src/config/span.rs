//! Durations and sizes as people write them: "90s", "1h30m", "256KiB". Read by the settings' structs, printed
//! back by `patchbay config`; knows nothing of any particular setting.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

/// A duration that reads "300ms", "90s", "5m", "4h", "30d" and sums of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl std::ops::Deref for Span {
    type Target = Duration;
    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || {
            format!(
                "\"{text}\" is not a duration; write it like \"90s\", \"5m\", \"4h\" or \"1h30m\""
            )
        };
        let mut rest = text.trim();
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(words());
        }
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let letters = rest[digits..]
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len() - digits);
            let amount: u64 = rest[..digits].parse().map_err(|_| words())?;
            let millis = match &rest[digits..digits + letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(words()),
            };
            let part = amount.checked_mul(millis).ok_or_else(words)?;
            total = total
                .checked_add(Duration::from_millis(part))
                .ok_or_else(words)?;
            rest = rest[digits + letters..].trim_start();
        }
        Ok(Span(total))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(i64),
        }
        match Written::deserialize(input)? {
            Written::Text(text) => text.parse().map_err(D::Error::custom),
            Written::Number(0) => Ok(Span(Duration::ZERO)),
            Written::Number(n) => Err(D::Error::custom(format!(
                "{n} has no unit; write it like \"{n}s\" or \"{n}m\""
            ))),
        }
    }
}

/// A size in bytes that reads "256KiB", "1MiB", "10MB" or a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || format!("\"{text}\" is not a size; write it like \"256KiB\" or \"1MiB\"");
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let amount: usize = text[..digits].parse().map_err(|_| words())?;
        let factor = match text[digits..].trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "KB" | "kB" => 1_000,
            "MB" => 1_000_000,
            _ => return Err(words()),
        };
        amount.checked_mul(factor).map(Size).ok_or_else(words)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(usize),
            Text(String),
        }
        match Written::deserialize(input)? {
            Written::Text(text) => text.parse().map_err(D::Error::custom),
            Written::Number(bytes) => Ok(Size(bytes)),
        }
    }
}

/// A list written as a list, or (in the environment) as one comma-separated text.
pub fn list<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    input: D,
) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<serde_json::Value>),
        One(serde_json::Value),
    }
    let items = match Written::deserialize(input)? {
        Written::List(items) => items,
        Written::One(serde_json::Value::String(text)) => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| serde_json::Value::String(item.to_owned()))
            .collect(),
        Written::One(other) => vec![other],
    };
    items
        .into_iter()
        .map(|item| serde_json::from_value(item).map_err(D::Error::custom))
        .collect()
}

/// A text that an environment variable may have made look like a number or a truth value.
pub fn text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(input)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Null => Ok(String::new()),
        other => Ok(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (written, millis) in [
            ("300ms", 300),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("30d", 2_592_000_000),
            (" 2 s", 0),
        ] {
            match written.parse::<Span>() {
                Ok(span) => assert_eq!(span.as_millis(), millis, "{written}"),
                Err(_) => assert_eq!(millis, 0, "{written}"),
            }
        }
        for wrong in [
            "",
            "90",
            "s",
            "-5s",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong:?} must be refused");
        }
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        for (written, bytes) in [
            ("256KiB", 262_144),
            ("1MiB", 1_048_576),
            ("4096", 4096),
            ("10 MB", 10_000_000),
        ] {
            assert_eq!(written.parse::<Size>(), Ok(Size(bytes)), "{written}");
        }
        for wrong in ["", "KiB", "1 parsec", "-1"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong:?} must be refused");
        }
    }
}
