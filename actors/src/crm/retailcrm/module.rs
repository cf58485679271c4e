//! Our telephony module in a RetailCRM account: `integration-modules/{code}` and its `edit`, which makes the module or
//! changes it. Called by `api.rs`. Pure. An edit replaces everything, lists too: what it leaves out is gone or blank.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::api::{OTHER, answered, judge, plain, request};
use super::settings::Settings;
use crate::call::record::NoticeKind;
use crate::integration::connector::{Answer, Failed, Step};
use crate::integration::registration::{Registered, Registration, Taken};
use crate::integration::request::{Method, Reply, Request, form_encode};

/// Makes the module, or makes it anew.
pub fn register(settings: &Settings, told: &Registration, heard: &[Reply]) -> Step<Answer> {
    match heard {
        [] => Step::Send(edit(settings, told)),
        [reply, ..] => answered(judge(reply).map(|body| Answer::Taken(taken(&body)))),
    }
}

/// Reads what the CRM holds.
pub fn read(settings: &Settings, code: &str, heard: &[Reply]) -> Step<Answer> {
    let Some(reply) = heard.first() else {
        return Step::Send(request(settings, Method::Get, &path(code, ""), OTHER));
    };
    match judge(reply) {
        Ok(body) => Step::End(Answer::Registration(Some(held(&body)))),
        // The same status says that the whole account is not there; its words are judged before.
        Err(Failed::Refused { .. }) if reply.status == 404 => Step::End(Answer::Registration(None)),
        Err(failed) => Step::Failed(failed),
    }
}

fn path(code: &str, act: &str) -> String {
    format!("/api/v5/integration-modules/{}{act}", form_encode(code))
}

fn edit(settings: &Settings, told: &Registration) -> Request {
    let rings = settings.sends(NoticeKind::Dial);
    // Everything the CRM demands stands at the root; what makes calls clickable is read from `integrations.telephony` only.
    let module = json!({
        "code": told.code,
        "name": told.name,
        "active": told.active,
        "clientId": told.client_id.expose_secret(),
        "baseUrl": told.base_url,
        "accountUrl": told.account_url.expose_secret(),
        "logo": told.logo,
        "integrations": {"telephony": {
            "makeCallUrl": told.make_call_url,
            "changeUserStatusUrl": told.status_url,
            // Users may take the module away, not bend it: managers' extensions are ours to keep.
            "allowEdit": false,
            "inputEventSupported": rings,
            "outputEventSupported": rings,
            "hangupEventSupported": settings.sends(NoticeKind::Hangup),
            "additionalCodes": told.extensions.iter()
                .map(|(user, extension)| json!({"userId": id(user), "code": extension}))
                .collect::<Vec<_>>(),
            "externalPhones": told.shop_phones.iter()
                .map(|(site, phone)| json!({"siteCode": site, "externalPhone": phone}))
                .collect::<Vec<_>>(),
        }},
    });
    request(settings, Method::Post, &path(&told.code, "/edit"), OTHER)
        .secret(&told.client_id)
        .secret(&told.account_url)
        .secret(&token_of(&told.account_url))
        .form(vec![("integrationModule", module.to_string())])
}

/// What the address of the account carries: good without the rest of it, too.
fn token_of(account_url: &SecretString) -> SecretString {
    let token = account_url.expose_secret().split("token=").nth(1);
    SecretString::from(token.unwrap_or_default())
}

/// Ids are numbers there; whatever else somebody wrote is sent as it is, for the CRM to refuse in its own words.
fn id(user: &str) -> Value {
    user.parse::<i64>().map_or_else(|_| user.into(), Into::into)
}

/// `info` is an object, or an empty list when there is nothing to say.
fn taken(body: &Value) -> Taken {
    let list = |name: &str| -> Vec<String> {
        let found = body.get("info").and_then(|info| info.get(name)?.as_array());
        found.into_iter().flatten().map(plain).collect()
    };
    Taken {
        unknown_users: list("notExistUsersIds"),
        unknown_shops: list("notExistSiteCodes"),
    }
}

fn held(body: &Value) -> Registered {
    let pairs = |list: &str, left: &str, right: &str| -> Vec<(String, String)> {
        let path = format!("/integrationModule/integrations/telephony/{list}");
        let found = body.pointer(&path).and_then(Value::as_array);
        found
            .into_iter()
            .flatten()
            .filter_map(|pair| Some((plain(pair.get(left)?), plain(pair.get(right)?))))
            .filter(|(left, right)| !left.is_empty() && !right.is_empty())
            .collect()
    };
    Registered {
        active: body
            .pointer("/integrationModule/active")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        extensions: pairs("additionalCodes", "userId", "code"),
        shop_phones: pairs("externalPhones", "siteCode", "externalPhone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::read(&json!({
            "domain": "demo-shop.retailcrm.ru", "api_key": "k000000001", "send_hangup": false,
        }))
        .unwrap()
    }

    fn told() -> Registration {
        Registration {
            code: "patchbay-0367".into(),
            name: "Patchbay (june)".into(),
            active: true,
            client_id: SecretString::from("c1-7f3a-unguessable"),
            base_url: "https://pbx.example".into(),
            account_url: SecretString::from(
                "https://pbx.example/retailcrm-admin/account?token=a.b.c",
            ),
            logo: "https://pbx.example/static/logo.svg".into(),
            make_call_url: "https://pbx.example/retailcrm/make-call".into(),
            status_url: "https://pbx.example/retailcrm/status".into(),
            extensions: vec![("16".into(), "151".into())],
            shop_phones: vec![("main-shop".into(), "+74950000001".into())],
        }
    }

    #[test]
    fn a_registration_is_one_json_text_in_a_form_and_shows_no_secret() {
        let Step::Send(request) = register(&settings(), &told(), &[]) else {
            panic!("no request")
        };
        insta::assert_snapshot!(request.shown());
    }

    #[test]
    fn what_the_crm_says_of_a_registration() {
        let hear = |status, body: &str| match register(
            &settings(),
            &told(),
            &[Reply::new(status, body)],
        ) {
            Step::End(Answer::Taken(taken)) => format!("taken: {}", taken.words()),
            Step::Failed(failed) => format!("{failed}"),
            other => format!("{other:?}"),
        };
        for (status, body, words) in [
            (201, r#"{"success": true, "info": []}"#, "taken: "),
            (
                200,
                r#"{"success": true, "info": {"notExistUsersIds": [999], "notExistSiteCodes": ["old"]}}"#,
                "taken: the CRM knows no user 999; the CRM knows no shop old",
            ),
            (
                400,
                r#"{"success": false, "errorMsg": "Errors in the entity format", "errors": {"logo": "Logo image must be svg"}}"#,
                "Errors in the entity format (logo: Logo image must be svg)",
            ),
            (
                400,
                r#"{"success": false, "errorMsg": "Input value \"integrationModule\" contains a non-scalar value"}"#,
                "Input value \"integrationModule\" contains a non-scalar value",
            ),
            (
                403,
                r#"{"success": false, "errorMsg": "Wrong \"apiKey\" value."}"#,
                "Wrong \"apiKey\" value.",
            ),
        ] {
            assert_eq!(hear(status, body), words, "{body}");
        }
    }

    #[test]
    fn what_the_crm_holds_is_read_whatever_ids_look_like() {
        let hear =
            |status, body: &str| read(&settings(), "patchbay-0367", &[Reply::new(status, body)]);
        let body = r#"{"success": true, "integrationModule": {"active": true, "integrations": {"telephony": {
            "additionalCodes": [{"userId": 16, "code": "151"}, {"userId": "17", "code": 152}, {"userId": 18, "code": ""}],
            "externalPhones": [{"siteCode": "main-shop", "externalPhone": "+74950000001"}]}}}}"#;
        let Step::End(Answer::Registration(Some(held))) = hear(200, body) else {
            panic!("nothing is held")
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            held,
            Registered {
                active: true,
                extensions: vec![pair("16", "151"), pair("17", "152")],
                shop_phones: vec![pair("main-shop", "+74950000001")],
            }
        );
        assert!(matches!(
            hear(404, r#"{"success": false, "errorMsg": "Not found"}"#),
            Step::End(Answer::Registration(None))
        ));
        for (status, body) in [
            (
                404,
                r#"{"success": false, "errorMsg": "Account does not exist."}"#,
            ),
            (403, r#"{"success": false, "errorMsg": "Access denied."}"#),
            (503, ""),
        ] {
            assert!(matches!(hear(status, body), Step::Failed(_)), "{body}");
        }
    }
}
