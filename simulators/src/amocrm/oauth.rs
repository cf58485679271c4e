//! `POST /oauth2/access_token`: a pair of tokens for a person's code or for a refresh token,
//! each of which is dead from then on. Called by the entry.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::{Answer, Refuse};
use super::state::{Book, Settings};

/// How long an access token is good for.
const LIFE: Duration = Duration::from_secs(86_400);

pub(crate) fn exchange(book: &mut Book, settings: &Settings, body: &Value) -> Answer {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("client_id") != settings.client_id || text("client_secret") != settings.client_secret {
        return Err(Refuse::problem(
            401,
            "Некорректный клиент",
            "Авторизация клиента не прошла",
        ));
    }
    let dead = |hint: &str| {
        Err(Refuse::Problem(
            401,
            json!({"hint": hint, "title": "Некорректный запрос",
                "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson", "status": 401,
                "detail": "В запросе отсутствует ряд параметров или параметры невалидны"}),
        ))
    };
    if text("redirect_uri") != book.redirect_uri {
        return dead("Check the `redirect_uri` parameter");
    }
    match text("grant_type") {
        "authorization_code" if text("code") == book.code => book.code = String::from("used"),
        "authorization_code" => return dead("Authorization code has been revoked"),
        "refresh_token" if text("refresh_token") == book.refresh => {}
        "refresh_token" => return dead("Token has been revoked"),
        _ => return dead("Check the parameters"),
    }
    book.issued += 1;
    let number = book.issued;
    book.refresh = format!("def50200-{number}");
    let access = format!("access-{number}");
    book.access.push((access.clone(), Instant::now() + LIFE));
    Ok((
        200,
        json!({"token_type": "Bearer", "expires_in": LIFE.as_secs(), "access_token": access,
            "refresh_token": book.refresh}),
    ))
}

/// Whether requests with this token are let in.
pub(crate) fn knows(book: &Book, settings: &Settings, token: &str, now: Instant) -> bool {
    token == settings.token
        || book
            .access
            .iter()
            .any(|(known, end)| known == token && now < *end)
}
