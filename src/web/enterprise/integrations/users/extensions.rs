//! Which of the CRM's users has which extension: `user_extensions` of an integration's settings. An extension belongs to
//! one user. Pure; `page` and RetailCRM's module save what is decided here.

use std::collections::{BTreeMap, BTreeSet};

use actors::asterisk::Extension;
use actors::cache::Enterprise;
use serde::Serialize;
use serde_json::{Map, Value};

/// CRM user id → extension; `None`: the user is known to have none.
pub type Held = BTreeMap<String, Option<String>>;

/// A user who lost an extension to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub extension: String,
    pub from: String,
    pub to: String,
}

/// Where the CRM holds something else than we do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub user: String,
    pub ours: Option<String>,
    pub theirs: Option<String>,
}

/// What the settings say; `None` when nobody ever gave anyone an extension here.
pub fn read(settings: &Value) -> Option<Held> {
    let map = settings.get("user_extensions")?.as_object()?;
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Some(
        map.iter()
            .map(|(user, value)| (user.clone(), one(value)))
            .collect(),
    )
}

/// Extensions that can be given: the enterprise's own, and those that somebody has already.
pub fn given<'a>(enterprise: &'a Enterprise, held: &Held) -> impl Fn(&str) -> bool + use<'a> {
    let held = pairs(held);
    move |extension| {
        enterprise.extensions.contains_key(extension)
            || held.iter().any(|(_, known)| known == extension)
    }
}

/// As the settings hold it.
pub fn written(held: &Held) -> Value {
    held.iter()
        .map(|(user, extension)| (user.clone(), extension.clone().into()))
        .collect::<Map<_, _>>()
        .into()
}

/// As a registration tells it.
pub fn pairs(held: &Held) -> Vec<(String, String)> {
    held.iter()
        .filter_map(|(user, extension)| Some((user.clone(), extension.clone()?)))
        .collect()
}

/// Whether it can be the id of a user of a CRM whose ids are numbers.
pub fn is_number(user: &str) -> bool {
    user.parse::<u32>().is_ok()
}

/// Whether it can be the id of a user of any CRM at all.
pub fn is_id(user: &str) -> bool {
    (1..=100).contains(&user.len()) && user.chars().all(|c| c.is_ascii_graphic())
}

/// What somebody asks to be changed: user → extension, empty or `null` to take it away.
///
/// # Errors
/// An id that no user can have, an extension that cannot be one or that the enterprise does not have, an extension given
/// to two users at once; in words.
pub fn asked(
    told: &Map<String, Value>,
    is_user: impl Fn(&str) -> bool,
    has: impl Fn(&str) -> bool,
) -> Result<Held, String> {
    let mut asked = Held::new();
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for (user, value) in told {
        let user = user.trim();
        if !is_user(user) {
            return Err(format!("{user:?} is no id of a CRM user"));
        }
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            other => return Err(format!("user {user}: {other} is no extension")),
        };
        if text.is_empty() {
            asked.insert(user.to_owned(), None);
            continue;
        }
        let extension = Extension::parse(&text).map_err(|error| format!("user {user}: {error}"))?;
        if !has(&text) {
            return Err(format!(
                "user {user}: the enterprise has no extension {extension}"
            ));
        }
        if let Some(other) = given.insert(text.clone(), user.to_owned()) {
            return Err(format!(
                "extension {text} is given to two users, {other} and {user}"
            ));
        }
        asked.insert(user.to_owned(), Some(text));
    }
    Ok(asked)
}

/// What is held after a change, and who lost an extension by it. Users who are not named keep theirs, unless it was
/// given away.
pub fn changed(held: &Held, asked: &Held) -> (Held, Vec<Moved>) {
    let mut after = held.clone();
    let mut moved = Vec::new();
    for (user, extension) in asked {
        if let Some(extension) = extension {
            for (other, theirs) in &mut after {
                if other != user && theirs.as_ref() == Some(extension) {
                    *theirs = None;
                    if !asked.contains_key(other) {
                        moved.push(Moved {
                            extension: extension.clone(),
                            from: other.clone(),
                            to: user.clone(),
                        });
                    }
                }
            }
        }
        after.insert(user.clone(), extension.clone());
    }
    (after, moved)
}

/// Where the CRM differs. Users it does not know (any more) are left out: it could not hold anything for them.
pub fn differences(
    ours: &Held,
    theirs: &[(String, String)],
    knows: &BTreeSet<String>,
) -> Vec<Difference> {
    let theirs: BTreeMap<&str, &str> = theirs
        .iter()
        .map(|(user, extension)| (user.as_str(), extension.as_str()))
        .collect();
    let ours: BTreeMap<&str, &str> = ours
        .iter()
        .filter_map(|(user, extension)| Some((user.as_str(), extension.as_deref()?)))
        .filter(|(user, _)| knows.contains(*user))
        .collect();
    let users: BTreeSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
    let of = |map: &BTreeMap<&str, &str>, user: &str| {
        map.get(user).map(|&extension| extension.to_owned())
    };
    users
        .into_iter()
        .map(|user| Difference {
            user: user.to_owned(),
            ours: of(&ours, user),
            theirs: of(&theirs, user),
        })
        .filter(|one| one.ours != one.theirs)
        .collect()
}

/// What is taken over from the CRM when nothing is held here: one user for each extension, the first told.
pub fn taken_over(theirs: &[(String, String)]) -> Held {
    let mut taken = BTreeSet::new();
    theirs
        .iter()
        .filter(|(_, extension)| {
            Extension::parse(extension).is_ok() && taken.insert(extension.clone())
        })
        .map(|(user, extension)| (user.clone(), Some(extension.clone())))
        .collect()
}

/// Differences as a line of the log has them.
pub fn words(differences: &[Difference]) -> String {
    let shown = |extension: &Option<String>| extension.clone().unwrap_or_else(|| "none".into());
    differences
        .iter()
        .map(|one| {
            format!(
                "user {}: {} here, {} in the CRM",
                one.user,
                shown(&one.ours),
                shown(&one.theirs)
            )
        })
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn held(value: Value) -> Held {
        read(&json!({"user_extensions": value})).unwrap()
    }

    #[test]
    fn what_the_settings_say_is_read_however_it_was_written() {
        assert_eq!(read(&json!({})), None, "nobody ever gave anything");
        let read = held(json!({"16": "150", "17": 151, "18": null, "19": " "}));
        assert_eq!(
            written(&read),
            json!({"16": "150", "17": "151", "18": null, "19": null})
        );
        assert_eq!(
            pairs(&read),
            [("16".into(), "150".into()), ("17".into(), "151".into())]
        );
    }

    #[test]
    fn an_extension_belongs_to_one_user() {
        let before = held(json!({"16": "150", "17": "151", "18": null}));
        for (told, after, moved) in [
            (
                json!({"18": "152"}),
                json!({"16": "150", "17": "151", "18": "152"}),
                vec![],
            ),
            (
                json!({"18": "150"}),
                json!({"16": null, "17": "151", "18": "150"}),
                vec![("150", "16", "18")],
            ),
            (
                json!({"16": "151", "17": "150"}),
                json!({"16": "151", "17": "150", "18": null}),
                vec![],
            ),
            (
                json!({"16": ""}),
                json!({"16": null, "17": "151", "18": null}),
                vec![],
            ),
            (
                json!({"16": "150"}),
                json!({"16": "150", "17": "151", "18": null}),
                vec![],
            ),
        ] {
            let asked = asked(told.as_object().unwrap(), is_number, |_| true).unwrap();
            let (made, lost) = changed(&before, &asked);
            let lost: Vec<_> = lost
                .iter()
                .map(|one| (one.extension.as_str(), one.from.as_str(), one.to.as_str()))
                .collect();
            assert_eq!((written(&made), lost), (after, moved), "{told}");
        }
    }

    #[test]
    fn what_cannot_be_given_is_refused_in_words() {
        for (told, words) in [
            (json!({"anna": "150"}), "no id of a CRM user"),
            (json!({"16": "15a"}), "user 16"),
            (json!({"16": [1]}), "is no extension"),
            (json!({"16": "199"}), "the enterprise has no extension 199"),
            (
                json!({"16": "150", "17": "150"}),
                "is given to two users, 16 and 17",
            ),
        ] {
            let said = asked(told.as_object().unwrap(), is_number, |extension| {
                extension != "199"
            })
            .unwrap_err();
            assert!(said.contains(words), "{told}: {said}");
        }
    }

    #[test]
    fn ours_and_theirs_are_compared_for_users_the_crm_knows() {
        let ours = held(json!({"16": "150", "17": "151", "18": null, "999": "159"}));
        let theirs = [
            ("16".into(), "150".into()),
            ("17".into(), "152".into()),
            ("18".into(), "153".into()),
        ];
        let knows = ["16", "17", "18"].map(String::from).into();
        assert_eq!(
            words(&differences(&ours, &theirs, &knows)),
            "user 17: 151 here, 152 in the CRM; user 18: none here, 153 in the CRM"
        );
        let twice = [
            ("16".into(), "150".into()),
            ("17".into(), "150".into()),
            ("18".into(), "x".into()),
        ];
        assert_eq!(written(&taken_over(&twice)), json!({"16": "150"}));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_nobody_shares_an_extension(
            before in prop::collection::btree_map("[1-6]", prop::option::of("15[0-3]"), 0..6),
            told in prop::collection::btree_map("[1-6]", prop::option::of("15[0-3]"), 0..6),
        ) {
            let told: Map<String, Value> = told.into_iter().map(|(user, one)| (user, one.into())).collect();
            let (once, _) = changed(&Held::new(), &taken_over(&pairs(&before)));
            if let Ok(asked) = asked(&told, is_number, |_| true) {
                let (after, _) = changed(&once, &asked);
                let all: Vec<_> = pairs(&after).into_iter().map(|(_, extension)| extension).collect();
                let distinct: BTreeSet<_> = all.iter().collect();
                prop_assert_eq!(all.len(), distinct.len());
                for (user, extension) in &asked {
                    prop_assert_eq!(after.get(user), Some(extension));
                }
            }
        }
    }
}
