//! What holds for every connector, asked of each kind in `KINDS` and of the skeleton.

use serde_json::{Value, json};

use super::{KINDS, skeleton};
use crate::call::record::NoticeKind;
use crate::integration::connector::{Connector, Delivered, Failed, Kind, Place, Question, Step};
use crate::integration::fields::Input;
use crate::integration::known::Known;
use crate::integration::request::Reply;
use crate::integration::sample;
use crate::integration::unknown::{FIELD, WORDS};

/// Also long enough, and base64, for a signing secret.
const SECRET: &str = "v3rys3cretv4luev3rys3cretv4lue12";

fn all() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().chain([&skeleton::KIND])
}

/// Settings with something plausible in every field.
fn settings(kind: &Kind) -> Value {
    let value = |input: Input| match input {
        Input::Text => json!("text"),
        Input::Code => json!(null),
        Input::Url => json!("https://crm.example"),
        Input::Secret => json!(SECRET),
        Input::Flag(_) => json!(true),
        Input::Choice(words) => json!(words.first()),
        Input::Extensions => json!({"16": "150"}),
    };
    kind.fields
        .iter()
        .map(|field| match field.name {
            // A secret that is an address.
            "webhook_url" => json!(format!("https://crm.example/rest/1/{SECRET}/")),
            "default_user" => json!("12"),
            _ => value(field.input),
        })
        .zip(kind.fields)
        .map(|(value, field)| (field.name.to_owned(), value))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn connected(kind: &Kind) -> Box<dyn Connector> {
    let enterprise = sample::enterprise(&[]);
    let place = Place {
        public_url: "https://pbx.example",
        enterprise: &enterprise,
    };
    (kind.connect)(&place, &settings(kind)).unwrap_or_else(|fault| panic!("{}: {fault}", kind.name))
}

#[test]
fn names_are_words_and_tell_kinds_apart() {
    let mut names: Vec<&str> = all().map(|kind| kind.name).collect();
    assert!(names.iter().all(|name| {
        name.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    }));
    assert!(!names.contains(&"telegram"), "taken");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all().count());
}

#[test]
fn what_is_made_of_unknown_callers_is_chosen_with_the_common_words() {
    for kind in all() {
        let field = kind.fields.iter().find(|field| field.name == FIELD);
        let Some(Input::Choice(words)) = field.map(|field| field.input) else {
            assert!(field.is_none(), "{}: {FIELD} is a choice", kind.name);
            continue;
        };
        assert!(words.contains(&"nothing"), "{}", kind.name);
        assert!(words.iter().all(|word| WORDS.contains(word)), "{words:?}");
        let enterprise = sample::enterprise(&[]);
        let place = Place {
            public_url: "",
            enterprise: &enterprise,
        };
        for (word, is_taken) in words.iter().map(|word| (*word, true)).chain([("?", false)]) {
            let mut settings = settings(kind);
            settings[FIELD] = json!(word);
            let made = (kind.connect)(&place, &settings);
            assert_eq!(made.is_ok(), is_taken, "{} {word}", kind.name);
        }
    }
}

#[test]
fn a_required_field_is_missed_by_its_name() {
    for kind in all() {
        let enterprise = sample::enterprise(&[]);
        let place = Place {
            public_url: "",
            enterprise: &enterprise,
        };
        for field in kind.fields.iter().filter(|field| field.required) {
            let mut settings = settings(kind);
            settings[field.name] = json!("");
            let fault = (kind.connect)(&place, &settings)
                .err()
                .unwrap_or_else(|| panic!("{}: {}", kind.name, field.name));
            assert_eq!(fault.field, field.name);
        }
    }
}

#[test]
fn whatever_is_sent_or_asked_shows_no_secret() {
    for kind in all() {
        let connector = connected(kind);
        for notice in kind.wants {
            let notice = sample::notice(*notice, sample::answered(1));
            if let Step::Send(request) = connector.deliver(&notice, &Known::default(), &[]) {
                assert!(!format!("{request:?}").contains(SECRET), "{request:?}");
                assert!(
                    !Reply::new(400, SECRET)
                        .shown(&request.secrets)
                        .contains(SECRET),
                    "{}",
                    kind.name
                );
            }
        }
        let phone = "+375296254070".to_owned();
        for question in [
            Question::Test,
            Question::Customer {
                phone: phone.clone(),
            },
            Question::Responsible { phone },
            Question::Managers,
        ] {
            if let Step::Send(request) = connector.ask(&question, &Known::default(), &[]) {
                assert!(!format!("{request:?}").contains(SECRET), "{request:?}");
            }
        }
    }
}

#[test]
fn trouble_is_told_apart_the_same_way_everywhere() {
    for kind in all() {
        let connector = connected(kind);
        for notice_kind in kind.wants {
            let notice = sample::notice(*notice_kind, sample::answered(1));
            let first = connector.deliver(&notice, &Known::default(), &[]);
            if kind.remembers && matches!(first, Step::Nothing(_)) {
                // Of a call that the CRM never heard of there may be nothing to say.
                continue;
            }
            let hear = |status, body: &str| {
                connector.deliver(&notice, &Known::default(), &[Reply::new(status, body)])
            };
            let what = format!("{} {notice_kind:?}", kind.name);
            for status in [500, 502, 504] {
                assert!(
                    matches!(
                        hear(status, "<html>oops"),
                        Step::Failed(Failed::Later { .. })
                    ),
                    "{what} {status}"
                );
            }
            assert!(
                matches!(hear(429, ""), Step::Failed(Failed::Throttled { .. })),
                "{what}"
            );
            assert!(
                matches!(hear(401, ""), Step::Failed(Failed::Settings { .. })),
                "{what}"
            );
            assert!(
                matches!(hear(302, ""), Step::Failed(Failed::Settings { .. })),
                "{what}"
            );
            assert!(
                matches!(hear(400, "{}"), Step::Failed(Failed::Refused { .. })),
                "{what}"
            );
            // A proxy's page with status 200 is not a success, and may be gone the next time. What a receiver of events
            // says beside its status is its own matter.
            assert!(
                kind.lasting
                    || matches!(hear(200, "<html>hello"), Step::Failed(Failed::Later { .. })),
                "{what}"
            );
        }
    }
}

#[test]
fn no_answer_breaks_a_connector() {
    let bodies = [
        "",
        "null",
        "[]",
        "[[]]",
        "{}",
        "1",
        "\"x\"",
        r#"{"success":true}"#,
        r#"{"success":"true","manager":[],"customer":7,"users":{}}"#,
        "{\"a\":",
        "\u{fffd}",
    ];
    for kind in all() {
        let connector = connected(kind);
        for body in bodies {
            for status in [200, 201, 204, 400, 404, 405, 500, 503, 999] {
                let heard = [Reply::new(status, body)];
                for notice in [
                    NoticeKind::Dial,
                    NoticeKind::Bridge,
                    NoticeKind::Hangup,
                    NoticeKind::Upload,
                ] {
                    let step = connector.deliver(
                        &sample::notice(notice, sample::answered(1)),
                        &Known::default(),
                        &heard,
                    );
                    if let Step::End(Delivered::Taken(_)) = step {
                        assert!(
                            status < 300,
                            "{} took {status} {body} for a success",
                            kind.name
                        );
                    }
                }
                let phone = "+375296254070".to_owned();
                for question in [
                    Question::Test,
                    Question::Customer {
                        phone: phone.clone(),
                    },
                    Question::Responsible { phone },
                    Question::Managers,
                ] {
                    let _ = connector.ask(&question, &Known::default(), &heard);
                }
            }
        }
    }
}
