//! Questions of ours and what amoCRM answers: does the token work, who calls, whose client it is, who works there.
//! Called by `mod.rs`. Pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::api;
use super::settings::Settings;
use crate::integration::connector::{Answer, Customer, Failed, Manager, Question, Step};
use crate::integration::request::Reply;

/// Pages of users at most.
const MOST_PAGES: usize = 100;

/// The next step towards an answer.
pub fn ask(settings: &Settings, question: &Question, heard: &[Reply]) -> Step<Answer> {
    match question {
        Question::Test => match heard {
            [] => Step::Send(api::get(settings, "/api/v4/account")),
            [reply, ..] => answered(api::judge(reply).map(|body| works(settings, &body))),
        },
        Question::Customer { phone } => person(settings, phone, heard, |found| {
            Answer::Customer(
                found
                    .filter(|one| !one.name.is_empty())
                    .map(|one| Customer {
                        link: format!("{}/{}/detail/{}", settings.address, one.list, one.id),
                        name: one.name,
                    }),
            )
        }),
        Question::Responsible { phone } => person(settings, phone, heard, |found| {
            // The name is not asked for: the extension is found by the id, in our own settings.
            let user = found.and_then(|one| one.responsible);
            Answer::Responsible(user.map(|id| Manager {
                id: id.to_string(),
                name: String::new(),
                extension: None,
            }))
        }),
        Question::Managers => managers(settings, heard),
        Question::Register(_) | Question::Registration { .. } | Question::Authorize { .. } => {
            Step::Nothing("amoCRM keeps no list of telephonies".into())
        }
    }
}

/// Contacts first, then companies.
fn person(
    settings: &Settings,
    phone: &str,
    heard: &[Reply],
    answer: impl Fn(Option<api::Found>) -> Answer,
) -> Step<Answer> {
    for (place, list) in ["contacts", "companies"].into_iter().enumerate() {
        let Some(reply) = heard.get(place) else {
            return Step::Send(api::find(settings, list, phone));
        };
        match api::found(reply, list, phone) {
            Ok(None) => {}
            Ok(found) => return Step::End(answer(found)),
            Err(failed) => return Step::Failed(failed),
        }
    }
    Step::End(answer(None))
}

/// Page after page of active users. Only an administrator's token may ask.
fn managers(settings: &Settings, heard: &[Reply]) -> Step<Answer> {
    let mut found = Vec::new();
    let mut more = true;
    for reply in heard {
        let body = match api::judge(reply) {
            Ok(body) => body,
            Err(failed) => return Step::Failed(failed),
        };
        let active =
            |one: &&Value| one.pointer("/rights/is_active").and_then(Value::as_bool) != Some(false);
        let users = api::items(&body, "users").iter().filter(active);
        found.extend(users.filter_map(|one| {
            Some(Manager {
                id: one.get("id")?.as_i64()?.to_string(),
                name: api::words_of(one, "name"),
                extension: None,
            })
        }));
        let pages = body.get("_page_count").and_then(Value::as_u64).unwrap_or(1);
        let read = u64::try_from(heard.len()).unwrap_or(u64::MAX);
        more = read < pages && heard.len() < MOST_PAGES;
    }
    if !more {
        return Step::End(Answer::Managers(found));
    }
    let (limit, page) = (api::PAGE, heard.len() + 1);
    let path = format!("/api/v4/users?limit={limit}&page={page}");
    Step::Send(api::get(settings, &path))
}

fn works(settings: &Settings, account: &Value) -> Answer {
    let mut words = format!("the token works: {}", api::words_of(account, "name"));
    if account.get("is_unsorted_on").and_then(Value::as_bool) == Some(false) {
        words.push_str(
            "; \"unsorted\" is switched off in the account, unknown callers cannot be put there",
        );
    }
    if let Some(end) = expires(settings.token.expose_secret()) {
        words.push_str(&format!("; it is valid until {end}"));
    }
    Answer::Works(words)
}

/// The day a long-lived token ends, as it says itself: it is a JWT, and cannot be refreshed.
fn expires(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let end = DateTime::from_timestamp(claims.get("exp")?.as_i64()?, 0)?;
    Some(end.format("%Y-%m-%d").to_string())
}

fn answered(result: Result<Answer, Failed>) -> Step<Answer> {
    match result {
        Ok(answer) => Step::End(answer),
        Err(failed) => Step::Failed(failed),
    }
}
