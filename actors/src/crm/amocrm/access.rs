//! How we are let in: a long-lived token out of the settings, or a pair that somebody's code was exchanged for and that
//! is renewed a while before its end. Called by `mod.rs`. Pure; the pair is kept by the house.
//!
//! ```text
//!   code (20 minutes, once) ──▶ POST /oauth2/access_token ──▶ access, a day · refresh, three months, once
//!                                        ▲                                   │
//!                                        └───────── an hour ahead ───────────┘
//! ```

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::api::{self, LANE};
use super::settings::{OAuth, Settings};
use crate::integration::connector::{Answer, Failed, Step};
use crate::integration::known::{Known, Tokens};
use crate::integration::request::{Method, Reply, Request};

/// Renewed so long before the end: an hour in which the CRM may be away.
pub const AHEAD: Duration = Duration::from_secs(3600);

/// The settings with the token that is good now.
///
/// # Errors
/// Nobody has let us in.
pub fn let_in(settings: &Settings, known: &Known) -> Result<Settings, Failed> {
    match (&settings.oauth, &known.tokens) {
        (None, _) => Ok(settings.clone()),
        (Some(_), Some(tokens)) => Ok(settings.with_token(tokens.access.clone())),
        (Some(_), None) => Err(Failed::Settings {
            words:
                "nobody has let us into amoCRM yet: enter the authorization code in the settings"
                    .into(),
        }),
    }
}

/// A token that was refused is at its end, where there is another way than asking a person.
pub fn ended<T>(settings: &Settings, step: Step<T>, heard: &[Reply]) -> Step<T> {
    match step {
        Step::Failed(Failed::Settings { words })
            if settings.oauth.is_some()
                && heard.last().is_some_and(|reply| reply.status == 401) =>
        {
            Step::Failed(Failed::Expired { words })
        }
        step => step,
    }
}

/// Exchanges somebody's code.
pub fn authorize(settings: &Settings, code: &SecretString, heard: &[Reply]) -> Step<Answer> {
    let Some(oauth) = &settings.oauth else {
        return Step::Nothing("a code is of use with an integration's id and secret only".into());
    };
    match heard {
        [] => Step::Send(exchange(
            settings,
            oauth,
            "authorization_code",
            "code",
            code,
        )),
        [reply, ..] => match pair(reply) {
            Ok(tokens) => Step::End(Answer::Tokens(tokens)),
            Err(failed) => Step::Failed(failed),
        },
    }
}

/// The request for the next pair.
pub fn renew(settings: &Settings, tokens: &Tokens) -> Option<Request> {
    let oauth = settings.oauth.as_ref()?;
    let refresh = &tokens.refresh;
    Some(exchange(
        settings,
        oauth,
        "refresh_token",
        "refresh_token",
        refresh,
    ))
}

fn exchange(
    settings: &Settings,
    oauth: &OAuth,
    grant: &str,
    name: &str,
    secret: &SecretString,
) -> Request {
    let body = json!({
        "client_id": oauth.client_id, "client_secret": oauth.client_secret.expose_secret(),
        "grant_type": grant, name: secret.expose_secret(), "redirect_uri": oauth.redirect_uri,
    });
    let url = format!("{}/oauth2/access_token", settings.address);
    Request::new(Method::Post, url, LANE)
        .json(body.to_string())
        .secret(&oauth.client_secret)
        .secret(secret)
}

/// The pair in an answer.
///
/// # Errors
/// How the CRM said no; a token that was used already reads "Token has been revoked" there.
pub fn pair(reply: &Reply) -> Result<Tokens, Failed> {
    if matches!(reply.status, 400 | 401) {
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let said = ["title", "hint", "detail"].map(|name| api::words_of(&body, name));
        let said: Vec<String> = said.into_iter().filter(|words| !words.is_empty()).collect();
        return Err(Failed::Settings {
            words: format!(
                "amoCRM gives no access ({}): {}; get a new authorization code",
                reply.status,
                said.join("; ")
            ),
        });
    }
    let body = api::judge(reply)?;
    let secret = |name: &str| body.get(name)?.as_str().map(SecretString::from);
    let lasts = body.get("expires_in").and_then(Value::as_i64);
    match (secret("access_token"), secret("refresh_token")) {
        (Some(access), Some(refresh)) => Ok(Tokens {
            access,
            refresh,
            expires_at: lasts
                .and_then(TimeDelta::try_seconds)
                .map(|lasts| Utc::now() + lasts),
            extra: Value::Null,
        }),
        _ => Err(Failed::Later {
            words: "amoCRM's answer has no tokens in it".into(),
            after: None,
        }),
    }
}
