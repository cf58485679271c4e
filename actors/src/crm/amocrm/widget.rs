//! What amoCRM's browser sends us: clicks of its stock Asterisk widget (a script tag with everything in the query, so
//! each answer is 200 with a call of `asterisk_cb`), and the redirect after somebody let us in. Called by `mod.rs`. Pure.
//!
//! The widget also asks for the calls that go on and for those that were. Cards come by `/api/v2/events` and history by
//! `/api/v4/calls`: from here it hears of none, or every call would stand in the CRM twice.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::settings::Settings;
use crate::integration::incoming::{Done, Incoming, Spoken, Wish, is_secret};

/// What is wanted.
///
/// # Errors
/// Words for whoever looks into the browser's console.
pub fn hear(settings: &Settings, incoming: &Incoming) -> Result<Wish, String> {
    if let Some(code) = incoming.get("code") {
        let theirs = incoming.get("client_id");
        let ours = settings
            .oauth
            .as_ref()
            .map(|oauth| oauth.client_id.as_str());
        return match (ours, theirs) {
            (None, _) => Err("no integration's id and secret are in the settings".into()),
            (Some(ours), Some(theirs)) if ours != theirs => {
                Err("the code is for another integration".into())
            }
            _ => Ok(Wish::Code(SecretString::from(code))),
        };
    }
    let Some(secret) = &settings.widget_secret else {
        return Err("the widget's secret is not set in the settings".into());
    };
    if !is_secret(secret, incoming.get("_secret").unwrap_or_default()) {
        return Err("the widget's secret is wrong".into());
    }
    match incoming.get("_action") {
        Some("call") => match (incoming.get("from"), incoming.get("to")) {
            (Some(from), Some(to)) => Ok(Wish::Call {
                user: None,
                extension: Some(from.to_owned()),
                phone: dialled(to),
                memory: Value::Null,
            }),
            _ => Err(NO_PARAMS.into()),
        },
        Some("status" | "cdr" | "test_cdr") => Ok(Wish::Nothing(
            "cards and history come by amoCRM's own interface".into(),
        )),
        _ => Err(NO_PARAMS.into()),
    }
}

/// The widget's own word for a request that lacks something.
const NO_PARAMS: &str = "NO_PARAMS";

/// A number as a contact's card has it: with brackets, dashes and blanks.
fn dialled(number: &str) -> String {
    number
        .chars()
        .filter(|c| !matches!(c, ' ' | '(' | ')' | '-' | '\u{a0}'))
        .collect()
}

/// How the widget is answered.
pub fn speak(incoming: &Incoming, outcome: Result<&Done, (u16, &str)>) -> Spoken {
    if incoming.get("code").is_some() {
        return Spoken::json(outcome);
    }
    let action = incoming.get("_action").unwrap_or_default();
    let said = match outcome {
        Ok(Done::Called { request, .. }) => {
            json!({"status": "ok", "action": action, "data": {"request_id": request}})
        }
        Ok(_) => json!({"status": "ok", "action": action, "data": []}),
        Err((_, NO_PARAMS)) => {
            return Spoken {
                status: 200,
                content_type: "text/plain; charset=utf-8",
                body: NO_PARAMS.into(),
            };
        }
        Err((_, words)) => json!({"status": "error", "action": action, "data": words}),
    };
    let bare = matches!(action, "cdr" | "test_cdr");
    Spoken {
        status: 200,
        content_type: if bare {
            "application/json"
        } else {
            "text/javascript; charset=utf-8"
        },
        // `<` cannot end a script tag that way.
        body: if bare {
            said.to_string()
        } else {
            format!("asterisk_cb({});", said.to_string().replace('<', "\\u003c"))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::connector::Place;
    use crate::integration::sample;

    fn settings(told: &Value) -> Settings {
        let enterprise = sample::enterprise(&[]);
        let place = Place {
            public_url: "https://pbx.example",
            enterprise: &enterprise,
        };
        Settings::read(&place, told).unwrap()
    }

    fn with_widget() -> Settings {
        settings(&json!({"subdomain": "acme", "access_token": "t", "widget_secret": "w1dget"}))
    }

    fn incoming(fields: &[(&str, &str)]) -> Incoming {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Incoming {
            fields: fields.collect(),
            ..Incoming::default()
        }
    }

    #[test]
    fn a_click_names_extension_and_number() {
        let click = incoming(&[
            ("_login", "x"),
            ("_secret", "w1dget"),
            ("_action", "call"),
            ("from", "151"),
            ("to", "+375 (29) 625-40-70"),
        ]);
        let Ok(Wish::Call {
            extension, phone, ..
        }) = hear(&with_widget(), &click)
        else {
            panic!("no call");
        };
        assert_eq!(extension.as_deref(), Some("151"));
        assert_eq!(phone, "+375296254070");
        let done = Done::Called {
            request: "r1".into(),
            repeated: false,
        };
        assert_eq!(
            speak(&click, Ok(&done)).body,
            r#"asterisk_cb({"action":"call","data":{"request_id":"r1"},"status":"ok"});"#
        );
        let said = speak(&click, Err((502, "the host said </script>")));
        assert_eq!(
            (said.status, said.body.as_str()),
            (
                200,
                r#"asterisk_cb({"action":"call","data":"the host said \u003c/script>","status":"error"});"#
            )
        );
    }

    #[test]
    fn who_does_not_know_the_secret_gets_nothing() {
        let told = |secret: &'static str| {
            incoming(&[
                ("_secret", secret),
                ("_action", "call"),
                ("from", "151"),
                ("to", "1"),
            ])
        };
        assert!(hear(&with_widget(), &told("")).is_err());
        assert!(hear(&with_widget(), &told("w1dge")).is_err());
        let none = settings(&json!({"subdomain": "acme", "access_token": "t"}));
        assert!(hear(&none, &told("")).is_err(), "no secret is no password");
    }

    #[test]
    fn lists_are_empty_and_what_is_missing_is_told() {
        for (action, body) in [
            (
                "status",
                r#"asterisk_cb({"action":"status","data":[],"status":"ok"});"#,
            ),
            ("cdr", r#"{"action":"cdr","data":[],"status":"ok"}"#),
        ] {
            let asked = incoming(&[("_secret", "w1dget"), ("_action", action)]);
            assert!(matches!(hear(&with_widget(), &asked), Ok(Wish::Nothing(_))));
            assert_eq!(speak(&asked, Ok(&Done::Nothing(String::new()))).body, body);
        }
        let asked = incoming(&[("_secret", "w1dget"), ("_action", "call"), ("from", "151")]);
        let words = hear(&with_widget(), &asked).unwrap_err();
        assert_eq!(speak(&asked, Err((400, &words))).body, "NO_PARAMS");
    }

    #[test]
    fn a_code_is_taken_for_our_own_integration_only() {
        let oauth = settings(
            &json!({"subdomain": "acme", "client_id": "7c1d", "client_secret": "s", "address_key": "k"}),
        );
        let code = |client: &'static str| {
            incoming(&[
                ("code", "c0de"),
                ("client_id", client),
                ("referer", "acme.amocrm.ru"),
            ])
        };
        assert!(matches!(hear(&oauth, &code("7c1d")), Ok(Wish::Code(_))));
        assert!(hear(&oauth, &code("other")).is_err());
        assert!(hear(&with_widget(), &code("7c1d")).is_err());
    }
}
