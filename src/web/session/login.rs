//! The login page and the way out.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::State;
use crate::error::AppError;
use crate::web::visit::{Visit, go};

/// Where to go after login.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct Attempt {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`
pub async fn form(
    app: State,
    visit: Visit,
    query: web::Query<Next>,
) -> Result<HttpResponse, AppError> {
    if visit.viewer.is_some() {
        return Ok(go(inside(&query.next)));
    }
    draw(&app, &visit, inside(&query.next), "", "", 0)
}

/// `POST /login`
pub async fn submit(
    app: State,
    visit: Visit,
    attempt: web::Form<Attempt>,
) -> Result<HttpResponse, AppError> {
    let _ = &attempt.password;
    draw(
        &app,
        &visit,
        inside(&attempt.next),
        &attempt.login,
        "login-wrong",
        0,
    )
}

/// `POST /logout`
pub async fn leave() -> Result<HttpResponse, AppError> {
    Ok(go("/login"))
}

fn draw(
    app: &State,
    visit: &Visit,
    next: &str,
    login: &str,
    problem: &str,
    wait: u64,
) -> Result<HttpResponse, AppError> {
    let mut context = visit.context();
    context.insert("next", next);
    context.insert("login", login);
    context.insert("problem", problem);
    context.insert("wait", &wait);
    visit.page(app, "login.html", &context)
}

/// A path of ours; anything that leads elsewhere becomes the way home.
fn inside(next: &str) -> &str {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.contains(|c: char| c.is_control());
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn nobody_is_sent_elsewhere_after_login() {
        for (next, goes) in [
            ("/live?x=1", "/live?x=1"),
            ("", "/"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ] {
            assert_eq!(inside(next), goes);
        }
    }
}
