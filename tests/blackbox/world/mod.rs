//! The vocabulary of the black-box tests: a `World` is a database, the stand-ins of the services outside, and a
//! server between them, with two enterprises that must not know of each other.

pub mod answer;
pub mod cluster;
pub mod host;
pub mod journal;
pub mod load;
pub mod person;
pub mod server;
pub mod story;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use actors::store::enterprises::{self, NewEnterprise};
use actors::store::testing::{Kind, TestDatabase, vault};
use actors::store::users::{self, NewUser};
use actors::store::{Options, Store, telegram as subscribers};
use chrono::Utc;
use secrecy::SecretString;
use serde_json::{Value, json};
use simulators::retailcrm::{Account, NewAccount};
use simulators::server::Running;
use simulators::telegram::{Bot, NewBot, NewChat};
use simulators::{retailcrm, telegram};
use tempfile::TempDir;

pub use host::Host;
pub use person::Person;
pub use server::Server;

/// An enterprise of every world.
#[derive(Clone, Copy, Debug)]
pub struct Enterprise {
    pub number: &'static str,
    pub name: &'static str,
    pub token: &'static str,
    pub bot: &'static str,
    pub chat: i64,
}

/// The one most tests are about.
pub const JUNE: Enterprise = Enterprise {
    number: "0367",
    name: "june",
    token: "375293332255",
    bot: "1001:bot-of-june",
    chat: 501,
};

/// The other one.
pub const JULY: Enterprise = Enterprise {
    number: "0368",
    name: "july",
    token: "token-of-july-0368",
    bot: "1002:bot-of-july",
    chat: 502,
};

/// The key that opens machine surfaces from anywhere.
pub const API_KEY: &str = "an-api-key-for-tests";
/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";
/// The roles somebody has in each enterprise; logins are "admin@june" and so on, and "root" for the superadmin.
pub const ROLES: [&str; 3] = ["admin", "supervisor", "operator"];

/// A server with everything around it.
pub struct World {
    // Dropped first: the server must be gone before its database.
    pub server: Server,
    pub crm: Running<retailcrm::State>,
    pub telegram: Running<telegram::State>,
    /// The test's own way into the database.
    pub store: Store,
    settings: Vec<(String, String)>,
    _database: Option<TestDatabase>,
    _folder: TempDir,
}

/// A world to be made, with settings other than the usual ones.
pub struct Plan {
    place: Place,
    settings: Vec<(String, String)>,
    /// What June has beside RetailCRM.
    more: Vec<(&'static str, Value)>,
}

enum Place {
    Fresh(Kind),
    /// A database somewhere, empty.
    Url(String),
}

impl World {
    /// A world on a fresh database of this kind.
    pub fn on(kind: Kind) -> Plan {
        Plan::new(Place::Fresh(kind))
    }

    /// A world on an empty database that the test looks after itself.
    pub fn at(url: &str) -> Plan {
        Plan::new(Place::Url(url.to_owned()))
    }

    /// Another process on the same database, in a folder of its own.
    pub fn second(&self, folder: &std::path::Path) -> Server {
        Server::start(folder, named(&self.settings, "second"))
    }

    /// The Asterisk host of an enterprise.
    pub fn host(&self, enterprise: &Enterprise) -> Host {
        Host::new(&self.server, enterprise.token)
    }

    /// Somebody with a browser, logged in.
    pub fn person(&self, login: &str) -> Person {
        Person::log_in(&self.server, login, PASSWORD)
    }

    /// The CRM account of an enterprise.
    pub fn account(&self, enterprise: &Enterprise) -> std::sync::Arc<Account> {
        self.crm
            .state
            .account(enterprise.name)
            .expect("its account")
    }

    /// The bot of an enterprise.
    pub fn bot(&self, enterprise: &Enterprise) -> std::sync::Arc<Bot> {
        self.telegram.state.bot(enterprise.bot).expect("its bot")
    }

    /// Waits until nothing is left to be told, and fails with what is.
    pub fn settle(&self) {
        self.settle_within(Duration::from_secs(60));
    }

    /// The same, where CRMs that take a few requests a second have much to hear.
    pub fn settle_within(&self, limit: Duration) {
        let done = until_within(limit, || (self.left() == 0).then_some(()));
        assert!(
            done.is_some(),
            "left over: {}",
            journal::open_deliveries(&self.store)
        );
    }

    /// One number out of the database, past the server.
    pub fn number(&self, sql: &str) -> i64 {
        journal::number(&self.store, sql)
    }

    /// What is owed to somebody; a live call's message is not, its last word is yet to come.
    fn left(&self) -> i64 {
        self.number(
            "SELECT COUNT(*) FROM deliveries WHERE state IN ('due', 'leased') \
             AND NOT (integration = 'telegram' AND call_id IN (SELECT id FROM calls WHERE state = 'live'))",
        )
    }
}

impl Drop for World {
    /// Leftover work is a failure where it was forgotten, as long as the test has not failed already.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "---- what the server said last\n{}",
                self.server.last_words(60)
            );
        } else if self.server.is_running() {
            self.settle();
        }
        for handle in [self.crm.handle(), self.telegram.handle()] {
            let _stopping = handle.stop(false);
        }
    }
}

impl Plan {
    fn new(place: Place) -> Plan {
        let usual = [
            ("server.listen", "127.0.0.1:0"),
            ("server.workers", "2"),
            ("server.public_url", "http://patchbay.example"),
            ("api.keys", API_KEY),
            ("calls.settle_after", "150ms"),
            ("deliveries.sweep", "1s"),
            ("deliveries.lease", "5s"),
            ("telegram.chat_interval", "20ms"),
            ("telegram.rate_per_bot", "1000"),
            ("log.filter", "info"),
        ];
        Plan {
            place,
            settings: usual
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            more: Vec::new(),
        }
    }

    /// June is connected to this as well.
    pub fn connect(mut self, kind: &'static str, mut settings: Value) -> Plan {
        settings["enabled"] = true.into();
        self.more.push((kind, settings));
        self
    }

    /// Another value of a setting, by its name in `config.default.toml`.
    pub fn set(mut self, name: &str, value: &str) -> Plan {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the world and starts its server.
    pub fn start(self) -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (url, database) = match self.place {
            Place::Fresh(kind) => {
                let database = TestDatabase::new(kind);
                (database.url.clone(), Some(database))
            }
            Place::Url(url) => (url, None),
        };
        let crm =
            retailcrm::start_in_thread("127.0.0.1:0", crm_settings()).expect("the CRM's stand-in");
        let telegram =
            telegram::start_in_thread("127.0.0.1:0", bot_settings()).expect("Telegram's stand-in");
        let store = furnish(&url, &crm.base_url, self.more);
        let mut settings = self.settings;
        settings.extend([
            ("database.url".to_owned(), url.clone()),
            ("secrets.key".to_owned(), "07".repeat(32)),
            ("telegram.base_url".to_owned(), telegram.base_url.clone()),
        ]);
        let server = Server::start(folder.path(), named(&settings, "first"));
        World {
            server,
            settings,
            crm,
            telegram,
            store,
            _database: database,
            _folder: folder,
        }
    }
}

/// The settings of one of several processes.
fn named(settings: &[(String, String)], name: &str) -> Vec<(String, String)> {
    let name = ("server.name".to_owned(), name.to_owned());
    settings.iter().cloned().chain([name]).collect()
}

fn crm_settings() -> retailcrm::Settings {
    let account = |enterprise: &Enterprise| NewAccount {
        name: enterprise.name.to_owned(),
        ..NewAccount {
            keys: NewAccount::new("", &format!("key-of-{}", enterprise.name)).keys,
            ..NewAccount::demo()
        }
    };
    retailcrm::Settings {
        keep: 100_000,
        accounts: vec![account(&JUNE), account(&JULY)],
        ..retailcrm::Settings::default()
    }
    .without_limits()
}

fn bot_settings() -> telegram::Settings {
    let bot = |enterprise: &Enterprise| NewBot {
        chats: vec![NewChat::new(enterprise.chat, enterprise.name)],
        ..NewBot::new(enterprise.bot, enterprise.name)
    };
    telegram::Settings {
        keep: 100_000,
        bots: vec![bot(&JUNE), bot(&JULY)],
        ..telegram::Settings::default()
    }
    .without_limits()
}

/// Brings the database to its form and puts the enterprises and people in.
fn furnish(url: &str, crm: &str, more: Vec<(&'static str, Value)>) -> Store {
    let store = Store::open(
        url,
        vault(),
        Options {
            readers: 1,
            ..Options::default()
        },
    )
    .expect("the store opens");
    let (furnished, crm) = (store.clone(), crm.to_owned());
    let password = password_hash();
    actors::store::testing::wait(async move {
        let store = furnished;
        let vault = store.vault().clone();
        store
            .write(move |conn| {
                let now = Utc::now();
                users::add(conn, &user(None, "root", "superadmin", password), now)?;
                for enterprise in [JUNE, JULY] {
                    let mut row = row(&enterprise, &crm);
                    if enterprise.number == JUNE.number {
                        for (kind, settings) in &more {
                            row.integrations[*kind] = settings.clone();
                        }
                    }
                    let id = enterprises::add(conn, &vault, &row, now)?;
                    subscribers::subscribe(conn, id, enterprise.chat, enterprise.name, now)?;
                    for role in ROLES {
                        let login = format!("{role}@{}", enterprise.name);
                        let person =
                            users::add(conn, &user(Some(id), &login, role, password), now)?;
                        if role == "operator" {
                            users::assign_extension(conn, id, "150", Some(person), "Анна Петрова")?;
                        }
                    }
                    users::assign_extension(conn, id, "151", None, "Борис <Ильин>")?;
                    users::assign_extension(conn, id, "152", None, "Вера Соколова")?;
                }
                Ok(())
            })
            .await
            .expect("the world is furnished");
    });
    store
}

fn row(enterprise: &Enterprise, crm: &str) -> NewEnterprise {
    NewEnterprise {
        number: enterprise.number.into(),
        name: enterprise.name.into(),
        token: SecretString::from(enterprise.token),
        bot_token: Some(SecretString::from(enterprise.bot)),
        integrations: json!({
            "smart": {"primary": "retailcrm"},
            "retailcrm": {
                "enabled": true,
                "domain": format!("{crm}/a/{}", enterprise.name),
                "api_key": format!("key-of-{}", enterprise.name),
                "user_extensions": {"16": "150", "17": "151", "18": "152"},
            },
        }),
        ..NewEnterprise::default()
    }
}

fn user(enterprise: Option<i64>, login: &str, role: &str, hash: &str) -> NewUser {
    NewUser {
        enterprise,
        login: login.into(),
        full_name: String::new(),
        role: role.into(),
        password_hash: hash.into(),
        password_once: false,
        language: String::new(),
    }
}

/// Hashing is slow on purpose: once for all tests.
fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| patchbay::web::session::password::hash(PASSWORD).expect("a hash"))
}

/// Looks again and again until there is something, for half a minute.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(Duration::from_secs(30), look)
        .unwrap_or_else(|| panic!("waited 30 s in vain until {what}"))
}

/// Looks again and again until there is something or the time is over.
pub fn until_within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if began.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Makes one test per database out of functions that take a `Kind`.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $name() { super::$name(actors::store::testing::Kind::Sqlite); })+
        }
        mod on_postgres {
            $(#[test] fn $name() { super::$name(actors::store::testing::Kind::Postgres); })+
        }
    };
}
pub(crate) use on_both_databases;
