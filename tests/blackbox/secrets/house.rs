//! A house full of known secrets: two enterprises whose CRMs, bots, receivers and hosts repeat whatever they are told, a
//! server that logs everything it can, and a notebook of every answer it gives.

use std::cell::RefCell;
use std::path::Path;

use actors::integration::known::Tokens;
use actors::store::enterprises::{self, NewEnterprise};
use actors::store::testing::wait;
use actors::store::users::{self, NewUser};
use actors::store::{Options, Store, Vault, crm_tokens, telegram};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::echo::Echo;
use super::search::{Heap, Secret};
use crate::world::answer::Answer;
use crate::world::server::{Server, program};
use crate::world::{Host, Person};

pub const KEY: [u8; 32] = *b"\x93planted\x01key/of+the=vault\xfe012345";
pub const API_KEY: &str = "an+api/key=planted in the settings";
pub const TOKEN: [&str; 2] = ["token/of+june=planted0367", "token/of+july=planted0368"];
pub const SECRET: [&str; 2] = ["june+click/secret=0367XY", "july+click/secret=0368XY"];
pub const CLIENT: &str = "client+id/planted=for RetailCRM";
pub const ROOT: &str = "root's pass/word+planted=1 ж";
pub const ADMIN: &str = "admin's pass/word+planted=2 ж";

/// Everything outside, one that repeats for each.
pub struct Outside {
    pub retailcrm: Echo,
    pub amocrm: [Echo; 2],
    pub bitrix24: Echo,
    pub moysklad: Echo,
    pub uon: Echo,
    pub webhook: Echo,
    pub telegram: Echo,
    pub ssh: Echo,
}

pub struct House {
    pub server: Server,
    pub store: Store,
    pub outside: Outside,
    pub secrets: RefCell<Vec<Secret>>,
    pub heaps: RefCell<Vec<Heap>>,
    settings: Vec<(String, String)>,
    folder: TempDir,
}

impl House {
    pub fn open() -> House {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let outside = Outside {
            retailcrm: Echo::start(),
            amocrm: [Echo::start(), Echo::start()],
            bitrix24: Echo::start(),
            moysklad: Echo::start(),
            uon: Echo::start(),
            webhook: Echo::start(),
            telegram: Echo::start(),
            ssh: Echo::start(),
        };
        let url = format!("sqlite:{}/x.db", folder.path().display());
        let secrets = RefCell::new(Vec::new());
        let store = furnish(&url, &outside, &secrets);
        let key = STANDARD.encode(KEY);
        let settings: Vec<(String, String)> = [
            ("server.listen", "127.0.0.1:0"),
            ("server.workers", "2"),
            ("server.public_url", "http://patchbay.example"),
            ("database.url", &url),
            ("secrets.key", &key),
            ("api.keys", API_KEY),
            ("telegram.base_url", &outside.telegram.url()),
            ("telegram.chat_interval", "20ms"),
            ("calls.settle_after", "150ms"),
            ("deliveries.popup_retry", "50ms,100ms"),
            ("deliveries.upload_retry", "50ms,100ms"),
            ("deliveries.breaker_pause", "50ms"),
            ("deliveries.breaker_longest_pause", "100ms"),
            ("deliveries.private_networks", "127.0.0.0/8"),
            ("log.filter", "trace"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let server = Server::start(folder.path(), settings.clone());
        let house = House {
            server,
            store,
            outside,
            secrets,
            heaps: RefCell::default(),
            settings,
            folder,
        };
        house.plant("the vault's key", &key);
        house.plant(
            "the vault's key in hex",
            &KEY.map(|byte| format!("{byte:02x}")).concat(),
        );
        house.plant("an API key of the settings", API_KEY);
        house
    }

    /// From now on this must not be found.
    pub fn plant(&self, name: &str, value: &str) {
        plant(&self.secrets, name, value);
    }

    /// A request by somebody; the answer is noted, unless it shows something once by design.
    pub fn ask(&self, who: &Somebody, method: &str, path: &str, body: &Value) -> Answer {
        let answer = who.ask(method, path, body);
        self.note(
            &format!("the answer to {method} {path} of {}", who.name),
            &answer,
        );
        answer
    }

    pub fn note(&self, title: &str, answer: &Answer) {
        let bytes = format!("{:?}\n{}", answer.headers, answer.body);
        self.heaps.borrow_mut().push(Heap::new(title, bytes));
    }

    pub fn host(&self, at: usize) -> Host {
        Host::new(&self.server, TOKEN[at])
    }

    /// What a command of the program prints.
    pub fn command(&self, words: &[&str]) {
        let output = program(self.folder.path(), &self.settings)
            .args(words)
            .output()
            .expect("the program runs");
        let all = [output.stdout, output.stderr].concat();
        let title = format!("what `patchbay {}` prints", words.join(" "));
        self.heaps.borrow_mut().push(Heap::new(title, all));
    }

    /// The server's log and every file it wrote, the database with its journal of changes among them.
    pub fn collect(&self) {
        let mut heaps = self.heaps.borrow_mut();
        heaps.push(Heap::new("the log", self.server.last_words(usize::MAX)));
        let mut files = 0;
        files_of(self.folder.path(), &mut |path| {
            files += 1;
            let bytes = std::fs::read(path).expect("a file");
            heaps.push(Heap::new(format!("the file {}", path.display()), bytes));
        });
        assert!(files >= 4, "database, its WAL, and two debug logs: {files}");
    }
}

fn files_of(folder: &Path, each: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            files_of(&entry.path(), each);
        } else {
            each(&entry.path());
        }
    }
}

/// Somebody with or without a session.
pub struct Somebody {
    pub name: &'static str,
    pub person: Person,
    csrf: String,
}

impl Somebody {
    pub fn new(name: &'static str, person: Person) -> Somebody {
        let page = person.open("/account").body;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1);
        let csrf = csrf.and_then(|rest| rest.split('"').next());
        let csrf = csrf.unwrap_or_default().to_owned();
        Somebody { name, person, csrf }
    }

    /// An object of texts goes as a form when the path is no API's.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let mut headers = vec![
            ("x-csrf-token", self.csrf.as_str()),
            ("accept", "text/html"),
            ("accept-language", "en"),
        ];
        let api =
            path.contains("/api/") || path.ends_with("/config") || path.starts_with("/dispatch");
        let body = if method == "GET" {
            String::new()
        } else if api {
            headers.push(("content-type", "application/json"));
            body.to_string()
        } else {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
            form(body)
        };
        self.person.request(method, path, &headers, &body)
    }
}

/// Fields in the encoding of forms.
pub fn form(fields: &Value) -> String {
    let pairs = fields.as_object().into_iter().flatten();
    let encode = |text: &str| -> String {
        let one = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        text.bytes().map(one).collect()
    };
    pairs
        .map(|(name, value)| format!("{name}={}", encode(value.as_str().unwrap_or_default())))
        .collect::<Vec<_>>()
        .join("&")
}

fn plant(secrets: &RefCell<Vec<Secret>>, name: &str, value: &str) {
    secrets.borrow_mut().push(Secret {
        name: name.into(),
        value: value.into(),
    });
}

/// What of a private key's text is nobody's business: its seed, as far as it stands on one line. The rest is its public half
/// and what all keys have in common.
pub fn heart(key: &str) -> String {
    let lines: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    let bytes = STANDARD.decode(lines.concat()).expect("base64");
    let at = bytes.windows(4).rposition(|window| window == [0, 0, 0, 64]);
    let at = at.expect("seed and public half together") + 4;
    let (mut from, to) = ((at * 8).div_ceil(6) + 1, (at + 32) * 8 / 6 - 1);
    let (mut begins, mut best) = (0, String::new());
    for line in lines {
        let end = to.min(begins + line.len());
        if from < end && end - from > best.len() {
            best = line[from - begins..end - begins].to_owned();
        }
        begins += line.len();
        from = from.max(begins);
    }
    best
}

/// Fills the database, and notes what must not be found.
fn furnish(url: &str, outside: &Outside, secrets: &RefCell<Vec<Secret>>) -> Store {
    let store = Store::open(url, Vault::new(&KEY), Options::default()).expect("the store opens");
    let keep = |name: &str, value: &str| {
        plant(secrets, name, value);
        value.to_owned()
    };
    keep("the superadmin's password", ROOT);
    keep("the administrator's password", ADMIN);
    keep("RetailCRM's clientId", CLIENT);
    let documents = [
        json!({
            "smart": {"primary": "retailcrm"},
            "retailcrm": {
                "enabled": true, "domain": outside.retailcrm.url(), "api_key": keep("RetailCRM's key", "retail+key/planted=RK 0001"),
                "client_id": CLIENT, "registered_at": "2026-11-21T03:00:00Z", "module_code": "patchbay-0367",
                "registered_with": outside.retailcrm.url(), "account_token": keep("the account link's id", "account+link/planted=0001"),
                "user_extensions": {"16": "150", "17": "151"},
            },
            "amocrm": {
                "enabled": true, "subdomain": outside.amocrm[0].url(), "user_extensions": {"16": "150"},
                "access_token": keep("amoCRM's token", "amo+token/planted=AT0001"),
                "widget_secret": keep("amoCRM's widget's secret", "amo+widget/planted=WS0001"),
            },
            "bitrix24": {
                "enabled": true, "user_extensions": {"34": "150"},
                "webhook_url": format!("{}/rest/12/{}/", outside.bitrix24.url(), keep("Bitrix24's webhook", "b24-webhook_planted-BW0001")),
                "application_token": keep("Bitrix24's application token", "b24+hear/planted=BH0001"),
            },
            "ms": {
                "enabled": true, "api_address": outside.moysklad.url(),
                "token": keep("MoySklad's key", "ms+phone/planted=MK0001"),
                "access_token": keep("MoySklad's token", "ms+remap/planted=MT0001"),
            },
            "uon": {
                "enabled": true, "api_url": outside.uon.url(), "cabinet": "id12345",
                "user_extensions": {"2": "150"}, "api_key": keep("U-ON's key", "uonKeyPlantedUK0001"),
            },
            "webhook": {
                "enabled": true, "url": format!("{}/hook", outside.webhook.url()),
                "secret": keep("the webhook's secret", "whsec_cGxhbnRlZC1zZWNyZXQtb2YtdGhlLXdlYmhvb2s="),
                "former_secret": keep("the webhook's former secret", "whsec_Zm9ybWVyLXBsYW50ZWQtc2VjcmV0LW9mLWl0LWFsbA=="),
            },
        }),
        json!({"amocrm": {
            "enabled": true, "subdomain": outside.amocrm[1].url(), "user_extensions": {"16": "150"},
            "client_id": "client-0001", "client_secret": keep("amoCRM's client secret", "amo+client/planted=CS0001"),
        }}),
    ];
    let tokens = Tokens {
        access: keep("amoCRM's access token", "amo+access/planted=TK0002").into(),
        refresh: keep("amoCRM's refresh token", "amo+refresh/planted=TK0003").into(),
        expires_at: None,
        extra: Value::Null,
    };
    let bots = [
        "1001:planted-bot-of-june-AAE_x",
        "1002:planted-bot-of-july-AAE_x",
    ];
    let mut rows = Vec::new();
    for (at, (number, name)) in [("0367", "june"), ("0368", "july")].iter().enumerate() {
        keep(&format!("{name}'s token"), TOKEN[at]);
        keep(&format!("{name}'s secret"), SECRET[at]);
        keep(&format!("{name}'s bot"), bots[at]);
        let key = patchbay::host_keys::make().expect("a key");
        keep(&format!("{name}'s SSH key"), &heart(key.expose_secret()));
        let port = outside.ssh.address.rsplit(':').next().expect("a port");
        rows.push(NewEnterprise {
            number: (*number).into(),
            name: (*name).into(),
            token: SecretString::from(TOKEN[at]),
            secret: Some(SecretString::from(SECRET[at])),
            bot_token: Some(SecretString::from(bots[at])),
            host_address: "127.0.0.1".into(),
            // One that is no SSH server, and a port at which nobody listens.
            ssh_port: if at == 0 {
                port.parse().expect("a number")
            } else {
                1
            },
            ssh_user: "asterisk".into(),
            ssh_key: Some(key),
            debug_log: true,
            integrations: documents[at].clone(),
            ..NewEnterprise::default()
        });
    }
    let hash = |word| patchbay::web::session::password::hash(word).expect("a hash");
    let people = [
        (None, "root", "superadmin", hash(ROOT)),
        (Some(1), "admin", "admin", hash(ADMIN)),
    ];
    let furnished = store.clone();
    wait(async move {
        let vault = furnished.vault().clone();
        let work = move |conn: &mut actors::store::Conn| {
            let now = Utc::now();
            for (at, row) in rows.iter().enumerate() {
                let id = enterprises::add(conn, &vault, row, now)?;
                telegram::subscribe(conn, id, 501 + at as i64, "a chat", now)?;
                users::assign_extension(conn, id, "150", None, "Anna")?;
            }
            for (enterprise, login, role, hash) in &people {
                let new = NewUser {
                    enterprise: *enterprise,
                    login: (*login).into(),
                    full_name: String::new(),
                    role: (*role).into(),
                    password_hash: hash.clone(),
                    password_once: false,
                    language: String::new(),
                };
                users::add(conn, &new, now)?;
            }
            crm_tokens::save(conn, &vault, 2, "amocrm", &tokens, now)
        };
        furnished.write(work).await.expect("furnished");
    });
    store
}
