//! Whom a CRM does not know: what becomes of such a caller, for every kind that can make something of one. A kind offers
//! some of the words in its field `unknown` (`Input::Choice`), the first is what holds until somebody chooses; its
//! connector asks `Strangers::of` when the CRM has answered that it knows nobody. Pure.
//!
//! Nobody in the house is ever made a client: neither who calls inside, nor one of the enterprise's own numbers.

use serde_json::Value;

use super::connector::Place;
use super::fields::{SettingsFault, text};
use crate::call::number::to_e164;
use crate::call::record::{Direction, Record};

/// The setting's name, in the form of every kind that has it.
pub const FIELD: &str = "unknown";

/// Every word there is; a kind offers those it can do. `lead` is a new deal or request, `unsorted` a place where calls
/// wait for a person.
pub const WORDS: &[&str] = &["nothing", "contact", "lead", "unsorted"];

/// What is made of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum New {
    Contact,
    Lead,
    Unsorted,
}

/// What the settings say about callers whom the CRM does not know.
#[derive(Clone, Debug)]
pub struct Strangers {
    /// `None`: nothing.
    wanted: Option<New>,
    country: String,
    /// The enterprise's own numbers: ids and names of its lines, as far as they are numbers.
    own: Vec<String>,
}

/// Digits of a number that are compared: what is before them is written in too many ways.
const COMPARED: usize = 10;
/// Fewer digits are an extension or a line's id.
const FEWEST: usize = 9;

impl Strangers {
    /// Reads the setting.
    ///
    /// # Errors
    /// When it holds a word that the kind does not offer.
    pub fn read(
        place: &Place<'_>,
        settings: &Value,
        offered: &[&str],
    ) -> Result<Strangers, SettingsFault> {
        let word = text(settings, FIELD).or(offered.first().copied());
        let wanted = match word.filter(|word| offered.contains(word)) {
            Some("nothing") => None,
            Some("contact") => Some(New::Contact),
            Some("lead") => Some(New::Lead),
            Some("unsorted") => Some(New::Unsorted),
            _ => {
                let words = format!("must be one of {}", offered.join(", "));
                return Err(SettingsFault::new(FIELD, words));
            }
        };
        let country = place.enterprise.country.clone();
        let lines = place.enterprise.lines.iter();
        let own = lines
            .flat_map(|(line, about)| [line.as_str(), about.name.as_str()])
            .filter(|text| digits(text).len() >= FEWEST)
            .map(|text| compared(text, &country))
            .collect();
        Ok(Strangers {
            wanted,
            country,
            own,
        })
    }

    /// What is to be made of this call's client, whom the CRM does not know.
    ///
    /// # Errors
    /// Why nothing, in words for the call's page.
    pub fn of(&self, record: &Record) -> Result<New, &'static str> {
        let phone = record.phone.as_deref().unwrap_or_default();
        if record.direction == Direction::Internal {
            return Err("an internal call makes nobody a client");
        }
        if digits(phone).is_empty() {
            return Err("there is no number");
        }
        if self.own.contains(&compared(phone, &self.country)) {
            return Err("it is one of the enterprise's own numbers");
        }
        self.wanted.ok_or("the CRM knows nobody with this number")
    }
}

/// A number as two of them are compared, however they are written.
fn compared(number: &str, country: &str) -> String {
    let whole = to_e164(number, country);
    let digits = digits(whole.as_deref().unwrap_or(number));
    digits[digits.len().saturating_sub(COMPARED)..].to_owned()
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::integration::sample;

    fn strangers(word: Value) -> Result<Strangers, SettingsFault> {
        let mut enterprise = sample::enterprise(&[]);
        let mut line = |id: &str, name: &str| {
            let about = crate::cache::snapshot::Line {
                name: name.into(),
                rules: Vec::new(),
            };
            enterprise.lines.insert(id.into(), about);
        };
        line("80173900017", "Office");
        line("7", "8 (029) 111-22-33");
        let place = Place {
            public_url: "",
            enterprise: &enterprise,
        };
        let settings = json!({"unknown": word});
        Strangers::read(&place, &settings, &["contact", "nothing"])
    }

    #[test]
    fn the_kinds_first_word_holds_until_somebody_chooses() {
        for (word, made) in [
            (json!(null), Some(Ok(New::Contact))),
            (json!(" "), Some(Ok(New::Contact))),
            (json!("contact"), Some(Ok(New::Contact))),
            (
                json!("nothing"),
                Some(Err("the CRM knows nobody with this number")),
            ),
            (json!("unsorted"), None),
            (json!("everything"), None),
        ] {
            let said = strangers(word.clone());
            let said = said
                .map(|strangers| strangers.of(&sample::ringing(1)))
                .map_err(|fault| assert_eq!(fault.field, FIELD));
            assert_eq!(said.ok(), made, "{word}");
        }
    }

    #[test]
    fn nobody_in_the_house_becomes_a_client() {
        let strangers = strangers(json!("contact")).unwrap();
        let of = |phone: Option<&str>, direction| {
            strangers.of(&Record {
                phone: phone.map(str::to_owned),
                direction,
                ..sample::ringing(1)
            })
        };
        for own in [
            "+375172000000", // a line's name: +375 17 200-00-00
            "80172000000",
            "+375173900017", // a line's id, in the country's own writing
            "+375291112233", // a line's name, in the country's own writing
        ] {
            assert!(of(Some(own), Direction::In).is_err(), "{own}");
            assert!(of(Some(own), Direction::Out).is_err(), "{own}");
        }
        assert!(of(None, Direction::In).is_err());
        assert!(of(Some("+375296254070"), Direction::Internal).is_err());
        assert_eq!(of(Some("+375296254070"), Direction::Out), Ok(New::Contact));
        assert_eq!(of(Some("+79172000000"), Direction::In), Ok(New::Contact));
    }
}
