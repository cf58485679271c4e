//! Commands beside a running server: it knows of the change at once, and calls go where the commands said.

use std::net::{SocketAddr, TcpListener};
use std::process::Child;
use std::time::{Duration, Instant};

use actors::store::testing::Kind;
use simulators::retailcrm::{self, NewAccount};
use simulators::telegram::{self, NewBot, NewChat};

use crate::terminal::Terminal;

/// A server that is stopped with the test.
struct Server {
    address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts one; the terminal's settings name its address from then on, as a settings file would.
    fn beside(terminal: &mut Terminal) -> Server {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("its address");
        drop(free);
        terminal.export("PATCHBAY_SERVER__LISTEN", &address.to_string());
        let child = terminal.start("serve");
        let server = Server { address, child };
        until("the server answers", || {
            server.status("GET", "/health", "").is_some()
        });
        server
    }

    /// The status of a request signed with this token.
    fn status(&self, method: &str, path: &str, token: &str) -> Option<u16> {
        let client: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("token", token)
            .header("content-type", "application/json")
            .body(r#"{"UniqueId": "1759230684.16", "Phone": "375296254070"}"#.to_owned())
            .expect("a request");
        let answer = client.run(request).ok()?;
        Some(answer.status().as_u16())
    }

    /// Whether an event with this token is taken.
    fn takes(&self, token: &str) -> bool {
        self.status("POST", "/start", token) == Some(200)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn until(what: &str, mut look: impl FnMut() -> bool) {
    let began = Instant::now();
    while !look() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "waited 30 s in vain until {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn token_in(said: &str) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix("token: "));
    let token = line.and_then(|rest| rest.split(' ').next());
    token.expect("a token").to_owned()
}

fn an_enterprise_is_put_to_work_without_a_restart(kind: Kind) {
    let crm = retailcrm::start_in_thread(
        "127.0.0.1:0",
        retailcrm::Settings {
            accounts: vec![NewAccount {
                name: "june".into(),
                keys: NewAccount::new("", "key-of-june").keys,
                ..NewAccount::demo()
            }],
            ..retailcrm::Settings::default()
        }
        .without_limits(),
    )
    .expect("the CRM's stand-in");
    let chats = telegram::start_in_thread(
        "127.0.0.1:0",
        telegram::Settings {
            bots: vec![NewBot {
                chats: vec![NewChat::new(501, "Director")],
                ..NewBot::new("1001:bot-of-june", "june")
            }],
            ..telegram::Settings::default()
        }
        .without_limits(),
    )
    .expect("Telegram's stand-in");
    let mut terminal = Terminal::on(kind);
    terminal.export("PATCHBAY_TELEGRAM__BASE_URL", &chats.base_url);
    terminal.export("PATCHBAY_CALLS__SETTLE_AFTER", "150ms");
    terminal.export("CRM_KEY", "key-of-june");
    let server = Server::beside(&mut terminal);
    let knows = |said: &str| {
        let words = match kind {
            Kind::Sqlite => format!("the server at {} uses it now", server.address),
            Kind::Postgres => "running servers are told by PostgreSQL".to_owned(),
        };
        assert!(said.contains(&words), "{said}");
    };

    let said = terminal.run("enterprise add 0367 june").well();
    knows(&said);
    let token = token_in(&said);
    until("its host is known", || server.takes(&token));

    // A key that the CRM does not know is not saved.
    let integration = format!(
        "enterprise integration 0367 retailcrm --set domain={}/a/june --set user_extensions=16=150,17=151",
        crm.base_url
    );
    let said = terminal
        .run(&format!(
            "{integration} --set api_key=wrong --enable --test"
        ))
        .words();
    assert!(
        said.contains("RetailCRM does not take these settings"),
        "{said}"
    );
    assert!(said.contains("nothing was saved"), "{said}");
    let shown = terminal.run("enterprise integration 0367 retailcrm").well();
    assert!(shown.contains("not set up"), "{shown}");
    let said = terminal
        .run(&format!(
            "{integration} --set api_key=env:CRM_KEY --enable --test"
        ))
        .well();
    assert!(
        said.starts_with("RetailCRM answers: the key works"),
        "{said}"
    );
    knows(&said);

    knows(
        &terminal
            .run("enterprise set 0367 --bot-token 1001:bot-of-june")
            .well(),
    );
    knows(
        &terminal
            .run("enterprise telegram 0367 add 501 --name Director")
            .well(),
    );
    let said = terminal.run("enterprise telegram 0367 test 502");
    assert!(
        said.out.contains("the chat is closed to the bot"),
        "{said:?}"
    );
    assert!(said.words().contains("1 of 1 chats got no message"));
    let said = terminal.run("enterprise telegram 0367 test").well();
    assert_eq!(said, "501              sent\n");
    let bot = chats.state.bot("1001:bot-of-june").expect("the bot");
    assert_eq!(bot.messages(501).len(), 1);
    assert!(bot.messages(501)[0].text().ends_with("june"));
    knows(
        &terminal
            .run("enterprise extension 0367 add 150 --name 'Анна Петрова'")
            .well(),
    );

    // On PostgreSQL a change is told beside the answer; a call a moment later meets it.
    let account = crm.state.account("june").expect("the account");
    let mut calls = 0;
    until("a call reaches the CRM and the chat", || {
        calls += 1;
        terminal
            .run(&format!(
                "emulate --token {token} --extensions 150 --speed 200"
            ))
            .well();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            if account.call_count() > 0 && bot.messages(501).len() > 1 {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    });
    assert!(
        account
            .cards()
            .iter()
            .any(|card| card.code.as_deref() == Some("150"))
    );
    if kind == Kind::Sqlite {
        assert_eq!(calls, 1, "the first call already met every change");
    }

    let said = terminal.run("enterprise rotate-token 0367").well();
    knows(&said);
    let new = token_in(&said);
    until("the new token is taken", || server.takes(&new));
    until("the old token is refused", || !server.takes(&token));
    knows(&terminal.run("enterprise set 0367 --active no").well());
    until("nothing is taken any more", || !server.takes(&new));
    for handle in [crm.handle(), chats.handle()] {
        let _stopping = handle.stop(false);
    }
}

#[test]
fn an_enterprise_is_put_to_work_without_a_restart_on_sqlite() {
    an_enterprise_is_put_to_work_without_a_restart(Kind::Sqlite);
}

#[test]
fn an_enterprise_is_put_to_work_without_a_restart_on_postgres() {
    an_enterprise_is_put_to_work_without_a_restart(Kind::Postgres);
}

#[test]
fn a_server_that_does_not_let_itself_be_told_is_named() {
    let mut terminal = Terminal::on(Kind::Sqlite);
    terminal.export("PATCHBAY_API__LOOPBACK", "false");
    let _server = Server::beside(&mut terminal);
    let said = terminal.run("enterprise add 0367 june").well();
    assert!(
        said.contains("did not let itself be told (HTTP 401"),
        "{said}"
    );
    assert!(said.contains("within 120 s"), "{said}");
}

#[test]
fn a_key_of_the_settings_opens_a_server_that_trusts_no_loopback() {
    let mut terminal = Terminal::on(Kind::Sqlite);
    terminal.export("PATCHBAY_API__LOOPBACK", "false");
    terminal.export("PATCHBAY_API__KEYS", "a-key-of-the-settings");
    let _server = Server::beside(&mut terminal);
    let said = terminal.run("enterprise add 0367 june").well();
    assert!(said.contains("uses it now"), "{said}");
}

#[test]
fn a_server_on_another_database_is_told_apart() {
    let mut there = Terminal::on(Kind::Sqlite);
    let server = Server::beside(&mut there);
    let mut here = Terminal::on(Kind::Sqlite);
    here.export("PATCHBAY_SERVER__LISTEN", &server.address.to_string());
    let said = here.run("enterprise add 0367 june").well();
    assert!(
        said.contains("does it run on another database than sqlite:"),
        "{said}"
    );
}
