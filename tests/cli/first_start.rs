//! A server on an empty database: it makes its first person, and tells the password once, to whoever started it.

use std::net::TcpListener;
use std::process::Child;
use std::time::{Duration, Instant};

use actors::store::testing::Kind;
use ureq::Body;
use ureq::http::{Request, Response};

use crate::terminal::Terminal;

/// A server that is stopped with the test, and what it says.
struct Server {
    base: String,
    child: Child,
}

impl Server {
    fn start(terminal: &mut Terminal) -> Server {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("its address").to_string();
        drop(free);
        terminal.export("PATCHBAY_SERVER__LISTEN", &address);
        let child = terminal.start_noted("serve", "out", "err");
        let server = Server {
            base: format!("http://{address}"),
            child,
        };
        let began = Instant::now();
        while server.ask("GET", "/health", "", "").is_none() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "no answer: {}",
                terminal.read("err")
            );
            std::thread::yield_now();
        }
        server
    }

    fn ask(&self, method: &str, path: &str, cookie: &str, form: &str) -> Option<Response<Body>> {
        let client: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("accept", "text/html")
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned())
            .expect("a request");
        client.run(request).ok()
    }

    /// The session's cookie, if this password is `admin`'s.
    fn log_in(&self, password: &str) -> Option<String> {
        let form = format!("login=admin&password={password}");
        let answer = self.ask("POST", "/login", "", &form).expect("an answer");
        let cookie = answer.headers().get("set-cookie")?.to_str().ok()?;
        Some(cookie.split(';').next()?.to_owned())
    }

    /// Where a page sends a browser.
    fn leads(&self, path: &str, cookie: &str) -> Option<String> {
        let answer = self.ask("GET", path, cookie, "").expect("an answer");
        let to = answer.headers().get("location")?;
        Some(to.to_str().expect("text").to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn told(said: &str) -> Option<String> {
    let rest = said.split_once("Password:")?.1;
    Some(rest.split_whitespace().next()?.to_owned())
}

fn the_password_is_told_once_and_exchanged(kind: Kind) {
    let mut terminal = Terminal::on(kind);
    let first = Server::start(&mut terminal);
    let password = told(&terminal.read("out")).expect("the password");
    assert!(password.len() >= 20, "{password}");
    assert!(!terminal.read("err").contains(&password), "not in the log");
    assert_eq!(
        first.log_in("admin"),
        None,
        "no password that everybody knows"
    );
    let cookie = first.log_in(&password).expect("let in");
    for path in ["/", "/live", "/system", "/people"] {
        let leads = first.leads(path, &cookie);
        // The first page of all leads on to setting up, which is not open yet.
        let to = if path == "/" {
            "/enterprises"
        } else {
            "/account"
        };
        assert_eq!(leads.as_deref(), Some(to), "{path}");
    }
    assert_eq!(
        first.leads("/account", &cookie),
        None,
        "the one page that is open"
    );
    drop(first);

    let second = Server::start(&mut terminal);
    assert_eq!(terminal.read("out"), "", "told once");
    assert!(
        second.log_in(&password).is_some(),
        "and nobody is made again"
    );
}

#[test]
fn the_password_is_told_once_and_exchanged_on_sqlite() {
    the_password_is_told_once_and_exchanged(Kind::Sqlite);
}

#[test]
fn the_password_is_told_once_and_exchanged_on_postgres() {
    the_password_is_told_once_and_exchanged(Kind::Postgres);
}

#[test]
fn a_password_may_be_given_and_is_told_to_nobody() {
    let mut terminal = Terminal::on(Kind::Sqlite);
    terminal.export("PATCHBAY_SUPERADMIN_PASSWORD", "short");
    let refused = terminal.run("serve").words();
    assert!(
        refused.contains("PATCHBAY_SUPERADMIN_PASSWORD is shorter than"),
        "{refused}"
    );

    terminal.export("PATCHBAY_SUPERADMIN_PASSWORD", "a-word-of-the-owner");
    let server = Server::start(&mut terminal);
    assert_eq!(terminal.read("out"), "");
    assert!(!terminal.read("err").contains("a-word-of-the-owner"));
    let cookie = server.log_in("a-word-of-the-owner").expect("let in");
    assert_eq!(server.leads("/live", &cookie), None, "open at once");
}
