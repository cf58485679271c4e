//! How we are let in: the address requests go to and what they bear, tokens exchanged, renewed and heard of. Called by
//! `mod.rs` and `talk.rs`. Pure.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::settings::{Settings, Way, host};
use crate::integration::connector::{Failed, judge_status};
use crate::integration::incoming::Incoming;
use crate::integration::known::{Known, Tokens};
use crate::integration::request::{Method, Reply, Request, form_encode};

/// All requests count against one limit.
pub const LANE: &str = "all";

/// Where requests go and what they bear.
#[derive(Clone, Debug)]
pub struct Access {
    /// Scheme and host.
    pub portal: String,
    /// From the host to the method, slashes included; holds the webhook's secret.
    path: SecretString,
    auth: Option<SecretString>,
    secret: SecretString,
}

impl Access {
    /// As the settings and the tokens have it.
    ///
    /// # Errors
    /// Nobody has let the application in.
    pub fn of(settings: &Settings, known: &Known) -> Result<Self, Failed> {
        match (&settings.way, &known.tokens) {
            (Way::Webhook { user, secret }, _) => Ok(Self {
                portal: settings.portal.clone(),
                path: format!("/rest/{user}/{}/", secret.expose_secret()).into(),
                auth: None,
                secret: secret.clone(),
            }),
            (Way::Application { .. }, Some(tokens)) => Ok(Self {
                portal: text(&tokens.extra, "portal")
                    .unwrap_or_else(|| settings.portal.clone()),
                path: "/rest/".to_owned().into(),
                auth: Some(tokens.access.clone()),
                secret: tokens.access.clone(),
            }),
            (Way::Application { .. }, None) => Err(Failed::Settings {
                words: "the application is not installed in Bitrix24 yet: put our address into it and install it there"
                    .into(),
            }),
        }
    }

    /// One call of a method.
    pub fn request(&self, method: &str, mut params: Value) -> Request {
        if let (Some(auth), Some(params)) = (&self.auth, params.as_object_mut()) {
            params.insert("auth".into(), auth.expose_secret().into());
        }
        let url = format!("{}{}{method}", self.portal, self.path.expose_secret());
        Request::new(Method::Post, url, LANE)
            .secret(&self.secret)
            .json(params.to_string())
    }

    /// The new host of a renamed portal, from its redirect: an address as safe as the former one. What was sent to the
    /// old host was not taken there.
    pub fn elsewhere(&self, reply: &Reply) -> Option<String> {
        let place = reply
            .location
            .as_deref()
            .filter(|_| matches!(reply.status, 301 | 302 | 307 | 308))?;
        let new = host(place);
        let safe = new.starts_with("https://")
            || (new.starts_with("http://") && self.portal.starts_with("http://"));
        (safe && new != self.portal && !new.contains('@')).then_some(new)
    }
}

/// The request that exchanges a code or a refresh token for tokens.
pub fn exchange(
    settings: &Settings,
    grant: &str,
    name: &str,
    value: &SecretString,
) -> Option<Request> {
    let Way::Application {
        client_id,
        client_secret,
        authority,
    } = &settings.way
    else {
        return None;
    };
    let url = format!(
        "{authority}/oauth/token/?grant_type={grant}&client_id={}&client_secret={}&{name}={}",
        form_encode(client_id.expose_secret()),
        form_encode(client_secret.expose_secret()),
        form_encode(value.expose_secret()),
    );
    Some(
        Request::new(Method::Get, url, "tokens")
            .secret(client_secret)
            .secret(client_id)
            .secret(value),
    )
}

/// The tokens of an answer; what it does not tell again is taken from the former ones.
///
/// # Errors
/// How the authorization server said no.
pub fn exchanged(former: Option<&Tokens>, reply: &Reply) -> Result<Tokens, Failed> {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let code = text(&body, "error").unwrap_or_default();
    let said = text(&body, "error_description").unwrap_or_default();
    let words = format!(
        "the authorization server answered {} {code} {said}",
        reply.status
    );
    if matches!(
        code.as_str(),
        "invalid_grant" | "invalid_client" | "PAYMENT_REQUIRED" | "invalid_request"
    ) {
        let words =
            format!("{words}: install the application in Bitrix24 again, or check its keys");
        return Err(Failed::Settings { words });
    }
    if let Some(failed) = judge_status(reply, words.clone()) {
        return Err(failed);
    }
    let mut extra = former
        .map(|tokens| tokens.extra.clone())
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    // Told by the authorization server itself: a portal that was renamed is followed.
    if let Some(endpoint) = text(&body, "client_endpoint") {
        extra["portal"] = host(&endpoint).into();
    }
    if let Some(user) = body.get("user_id").and_then(Value::as_i64) {
        extra["user"] = user.into();
    }
    let secret = |name: &str| text(&body, name).map(SecretString::from);
    match (secret("access_token"), secret("refresh_token")) {
        (Some(access), Some(refresh)) => Ok(Tokens {
            access,
            refresh,
            expires_at: expiry(body.get("expires").and_then(Value::as_i64)),
            extra,
        }),
        _ => Err(Failed::Later { words, after: None }),
    }
}

/// The tokens that an installation brings.
///
/// # Errors
/// Words when they are another portal's, or missing.
pub fn installed(settings: &Settings, incoming: &Incoming) -> Result<Tokens, String> {
    let auth = |name: &str| incoming.get(&format!("auth[{name}]"));
    let domain = auth("domain").unwrap_or_default();
    let ours = settings.portal.split("://").last().unwrap_or_default();
    if !domain.eq_ignore_ascii_case(ours) {
        return Err(format!(
            "this is the application of {ours}, not of {domain}"
        ));
    }
    let (Some(access), Some(refresh)) = (auth("access_token"), auth("refresh_token")) else {
        return Err("the installation brought no tokens".into());
    };
    let mut extra = Map::new();
    if let Some(token) = auth("application_token") {
        extra.insert("application".into(), digest(token).into());
    }
    if let Some(user) = auth("user_id").and_then(|user| user.parse::<i64>().ok()) {
        extra.insert("user".into(), user.into());
    }
    Ok(Tokens {
        access: access.into(),
        refresh: refresh.into(),
        expires_at: expiry(auth("expires").and_then(|at| at.parse().ok())),
        extra: extra.into(),
    })
}

/// Who let the application in, as far as we were told.
pub fn owner(known: &Known) -> Option<i64> {
    known.tokens.as_ref()?.extra.get("user")?.as_i64()
}

/// Whether an event bears the token we know this portal's events by; looked at to its end, so that the time it takes tells
/// nothing. Of an application only the token's digest is kept.
pub fn is_theirs(settings: &Settings, known: &Known, token: &str) -> Result<bool, String> {
    let entered = settings
        .application_token
        .as_ref()
        .map(|token| digest(token.expose_secret()));
    let installed = known
        .tokens
        .as_ref()
        .and_then(|tokens| text(&tokens.extra, "application"));
    let Some(wanted) = entered.or(installed) else {
        return Err("no application token is known: enter it in the settings".into());
    };
    let told = digest(token);
    let pairs = wanted.bytes().zip(told.bytes());
    let difference = pairs.fold(0, |all, (one, other)| all | (one ^ other));
    Ok(wanted.len() == told.len() && difference == 0)
}

fn digest(token: &str) -> String {
    let hash = Sha256::digest(token.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expiry(seconds: Option<i64>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds?, 0)
}

fn text(value: &Value, name: &str) -> Option<String> {
    let text = value.get(name)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
