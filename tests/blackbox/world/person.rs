//! Somebody at a browser, as far as HTTP goes: logs in with the form, keeps the cookie.

use super::answer::{Answer, client, send};
use super::server::Server;

/// A visitor; without a cookie nobody in particular.
#[derive(Clone)]
pub struct Person {
    base: String,
    cookie: String,
    client: ureq::Agent,
}

impl Person {
    /// Somebody who is not logged in.
    pub fn stranger(server: &Server) -> Person {
        Person {
            base: server.base_url.clone(),
            cookie: String::new(),
            client: client(),
        }
    }

    /// Logs in with the form.
    pub fn log_in(server: &Server, login: &str, password: &str) -> Person {
        let mut person = Person::stranger(server);
        let form = format!("login={login}&password={}", password.replace(' ', "+"));
        let answer = person.request(
            "POST",
            "/login",
            &[("content-type", "application/x-www-form-urlencoded")],
            &form,
        );
        assert_eq!(
            answer.status, 303,
            "{login} could not log in: {}",
            answer.body
        );
        person.cookie = answer
            .header("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        person
    }

    /// The cookie of the session, name and value.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Reads a path as a program would.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[("accept", "application/json")], "")
    }

    /// Reads a page as a browser would.
    pub fn open(&self, path: &str) -> Answer {
        self.request(
            "GET",
            path,
            &[("accept", "text/html"), ("accept-language", "en")],
            "",
        )
    }

    /// Any request.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("cookie", &self.cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(
            &self.client,
            request.body(body.as_bytes().to_vec()).expect("a request"),
        )
        .expect("an answer")
    }
}
