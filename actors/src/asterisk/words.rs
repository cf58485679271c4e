//! The only values that may be part of a command line. Each can be made from a text in one way, which checks every
//! character, so that nothing in `command.rs` needs to quote. Pure.

use std::fmt;

/// A text that may not come near a command line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {must}")]
pub struct Malformed {
    pub what: &'static str,
    pub must: &'static str,
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal, $must:literal, $good:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is or not at all.
            ///
            /// # Errors
            /// One of its characters, or their number, is not allowed.
            pub fn parse(text: &str) -> Result<Self, Malformed> {
                let good: fn(&[u8]) -> bool = $good;
                if good(text.as_bytes()) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Malformed { what: $what, must: $must })
                }
            }

            /// The text, safe inside double quotes of a shell and as a part of Asterisk's own commands.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word!(
    /// An internal number: `^[0-9]{2,5}$`.
    Extension,
    "the extension",
    "2 to 5 digits",
    |text| (2..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
);

word!(
    /// A number outside: `^\+?[0-9]{6,15}$`.
    Number,
    "the number",
    "6 to 15 digits, perhaps with a + before them",
    |text| {
        let digits = text.strip_prefix(b"+").unwrap_or(text);
        (6..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
    }
);

word!(
    /// What a request is known by, on the host too: `^[0-9A-Za-z]{1,32}$`.
    RequestId,
    "the request's id",
    "1 to 32 letters and digits",
    |text| (1..=32).contains(&text.len()) && text.iter().all(u8::is_ascii_alphanumeric)
);

word!(
    /// A channel's unique id, which Asterisk takes in place of its name.
    UniqueId,
    "the unique id",
    "1 to 128 letters, digits, dots, dashes and underscores, a letter or digit first",
    |text| (1..=128).contains(&text.len())
        && text[0].is_ascii_alphanumeric()
        && text.iter().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(c))
);

word!(
    /// A context of the host's dialplan, from the enterprise's settings.
    Context,
    "the context",
    "1 to 79 letters, digits, dashes and underscores",
    |text| (1..=79).contains(&text.len()) && text.iter().all(|c| c.is_ascii_alphanumeric() || b"_-".contains(c))
);

impl RequestId {
    /// A new one; they grow with time.
    pub fn new() -> RequestId {
        RequestId(uuid::Uuid::now_v7().simple().to_string())
    }
}

impl Default for RequestId {
    fn default() -> Self {
        RequestId::new()
    }
}

impl Number {
    /// A number as people and CRMs write it: `+375 (29) 625-40-70`. Only blanks, dots, dashes and brackets are dropped.
    ///
    /// # Errors
    /// Anything else is in it, or too few or too many digits are left.
    pub fn read(text: &str) -> Result<Number, Malformed> {
        // Nobody writes a number this long; what is longer is not looked through.
        let text = text.get(..text.len().min(64)).unwrap_or(text);
        Number::parse(
            &text
                .trim_matches(' ')
                .replace([' ', '(', ')', '-', '.'], ""),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_an_extension_and_what_is_a_number() {
        for good in ["15", "150", "99999"] {
            assert!(Extension::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "1",
            "123456",
            "15a",
            "150\n",
            " 150",
            "１５０",
            "150;id",
            "-15",
        ] {
            assert!(Extension::parse(bad).is_err(), "{bad:?}");
        }
        for good in [
            "+375296254070",
            "375296254070",
            "101010",
            "+123456789012345",
        ] {
            assert!(Number::parse(good).is_ok(), "{good}");
        }
        let long = "1".repeat(1000);
        for bad in [
            "",
            "+",
            "12345",
            "++375296254070",
            "+375296254070\n",
            "1234567890123456",
            "$(id)",
            &long,
        ] {
            assert!(Number::parse(bad).is_err(), "{bad:?}");
            assert!(Number::read(bad).is_err() || bad.ends_with('\n'), "{bad:?}");
        }
    }

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for text in [
            "+375 (29) 625-40-70",
            "+375.29.625.40.70",
            " +375296254070 ",
        ] {
            assert_eq!(Number::read(text).unwrap().as_str(), "+375296254070");
        }
        for text in [
            "+375296254070;id",
            "+375296254070\n",
            "80 29 625 40 70 ext. 5",
            "`id`",
            "+375296254070&SIP/1",
        ] {
            assert!(Number::read(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        /// Whatever a text holds: only what the rule's own regular expression takes gets through.
        #[test]
        fn only_what_the_rules_say_gets_through(text in "[\\PC\\n\\r\\t]{0,20}|[+0-9]{0,18}") {
            let rule = |rule: &str| regex::Regex::new(rule).unwrap().is_match(&text) && !text.contains('\n');
            prop_assert_eq!(Extension::parse(&text).is_ok(), rule(r"^[0-9]{2,5}\z"));
            prop_assert_eq!(Number::parse(&text).is_ok(), rule(r"^\+?[0-9]{6,15}\z"));
            prop_assert_eq!(RequestId::parse(&text).is_ok(), rule(r"^[0-9A-Za-z]{1,32}\z"));
            prop_assert_eq!(Context::parse(&text).is_ok(), rule(r"^[0-9A-Za-z_-]{1,79}\z"));
        }
    }
}
