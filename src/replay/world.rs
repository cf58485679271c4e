//! What a replay stands in: a folder and a database of its own, both simulators, and an enterprise per scenario with
//! its people, its line, its RetailCRM account and its bot. Made by `replay::run` before the server starts.

use std::path::Path;

use actors::cache::snapshot::Line;
use actors::store::enterprises::{self, NewEnterprise};
use actors::store::scratch::Scratch;
use actors::store::{Options, Store, Vault, telegram as chats, users};
use anyhow::Context as _;
use chrono::Utc;
use secrecy::SecretString;
use simulators::server::Running;
use simulators::{retailcrm, telegram};

use super::Paces;
use super::capture::Scenario;

/// The extensions of the captures' host and who has them.
const PEOPLE: [(&str, i64, &str, &str); 3] = [
    ("150", 16, "Анна", "Петрова"),
    ("151", 17, "Борис", "Ильин"),
    ("152", 18, "Вера", "Соколова"),
];
const LINE: &str = "0001367";
/// The one chat of each bot.
pub const CHAT: i64 = 501;

/// One scenario's place in the world.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The enterprise's id and number.
    pub enterprise: i64,
    pub number: String,
    pub token: String,
    /// The account at the CRM and its address.
    pub account: String,
    pub bot: String,
}

/// The database of the run and how to open it.
pub struct Base {
    pub scratch: Scratch,
    /// Hex of the key that seals its secrets.
    pub key: String,
    /// Opens the JSON of the server's pages.
    pub api_key: String,
}

impl Base {
    /// `url` is what `--database` named; without it a file in the folder. Blocks.
    ///
    /// # Errors
    /// When the database is not there or not empty.
    pub fn create(folder: &Path, url: Option<&str>, name: &str) -> anyhow::Result<Base> {
        let file = format!("sqlite:{}", folder.join("patchbay.db").display());
        let scratch = Scratch::create(url.unwrap_or(&file), name).context("--database")?;
        Ok(Base {
            scratch,
            key: Vault::new_key(),
            api_key: crate::web::session::new_token(),
        })
    }

    /// Opens it from this process. Blocks.
    ///
    /// # Errors
    /// When it is away.
    pub fn open(&self) -> anyhow::Result<Store> {
        let vault = Vault::from_text(&self.key)?;
        let options = Options {
            readers: 1,
            ..Options::default()
        };
        Ok(Store::open(self.scratch.url(), vault, options)?)
    }

    /// The settings file of the server under test.
    pub fn settings(&self, folder: &Path, paces: &Paces, telegram: &str) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let millis = |span: std::time::Duration| format!("\"{}ms\"", span.as_millis().max(1));
        format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\nstop_timeout = \"5s\"\n\
             [database]\nurl = {url}\n\
             [secrets]\nkey = {key}\n\
             [events]\nrate_per_enterprise = 1000000\nburst_per_enterprise = 1000000\n\
             [calls]\nlost_after = {lost}\nsettle_after = {settle}\n\
             [deliveries]\nsweep = \"200ms\"\nlease = \"5s\"\n\
             [telegram]\nbase_url = {telegram}\nchat_interval = {chat}\nrate_per_bot = {bot}\n\
             [log]\nfolder = {logs}\n\
             [api]\nkeys = [{api}]\n",
            url = text(self.scratch.url()),
            key = text(&self.key),
            lost = millis(paces.lost),
            settle = millis(paces.settle),
            telegram = text(telegram),
            chat = millis(paces.chat),
            bot = paces.bot,
            logs = text(&folder.join("logs").display().to_string()),
            api = text(&self.api_key),
        )
    }
}

/// Both simulators of a run.
pub struct Outside {
    pub crm: Running<retailcrm::State>,
    pub telegram: Running<telegram::State>,
}

impl Outside {
    /// Starts them inside the caller's actix system. Faster than life they have no rate limits: a day of calls in a
    /// minute is no flood.
    ///
    /// # Errors
    /// When no port is to be had.
    pub async fn start(limits: bool) -> anyhow::Result<Outside> {
        let mut crm = retailcrm::Settings {
            accounts: Vec::new(),
            ..retailcrm::Settings::default()
        };
        let mut bots = telegram::Settings {
            bots: Vec::new(),
            ..telegram::Settings::default()
        };
        if !limits {
            (crm, bots) = (crm.without_limits(), bots.without_limits());
        }
        Ok(Outside {
            crm: retailcrm::start("127.0.0.1:0", crm).await?,
            telegram: telegram::start("127.0.0.1:0", bots).await?,
        })
    }
}

/// Gives every scenario an enterprise with everything around it.
///
/// # Errors
/// The store's own.
pub async fn seat_all(
    store: &Store,
    outside: &Outside,
    scenarios: &[Scenario],
) -> anyhow::Result<Vec<Seat>> {
    let mut seats = Vec::new();
    for (place, scenario) in scenarios.iter().enumerate() {
        seats.push(seat(store, outside, scenario, place + 1).await?);
    }
    Ok(seats)
}

async fn seat(
    store: &Store,
    outside: &Outside,
    scenario: &Scenario,
    place: usize,
) -> anyhow::Result<Seat> {
    let account: String = scenario
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let key = format!("replay-key-{place}");
    outside.crm.state.add_account(&retailcrm::NewAccount {
        users: PEOPLE
            .iter()
            .map(|(extension, id, first, last)| {
                retailcrm::User::new(*id, first, last, Some(extension))
            })
            .collect(),
        telephony: true,
        ..retailcrm::NewAccount::new(&account, &key)
    });
    let bot = format!("{}:replay-{place}", 700_000 + place);
    outside.telegram.state.add_bot(&telegram::NewBot {
        chats: vec![telegram::NewChat::new(CHAT, "Супервизор")],
        ..telegram::NewBot::new(&bot, &scenario.name)
    });
    let new = NewEnterprise {
        number: format!("{place:04}"),
        name: scenario.name.clone(),
        token: SecretString::from(format!("{}-{place}", scenario.token)),
        bot_token: Some(SecretString::from(bot.clone())),
        country: "BY".into(),
        // The recordings were made on a host whose clock showed UTC.
        time_zone: "UTC".into(),
        integrations: serde_json::json!({
            "smart": {"primary": "retailcrm"},
            "retailcrm": {
                "enabled": true,
                "domain": format!("{}/a/{account}", outside.crm.base_url),
                "api_key": key,
                "user_extensions": PEOPLE
                    .iter()
                    .map(|(extension, id, _, _)| (id.to_string(), serde_json::Value::from(*extension)))
                    .collect::<serde_json::Map<_, _>>(),
            },
        }),
        ..NewEnterprise::default()
    };
    let seat = Seat {
        enterprise: 0,
        number: new.number.clone(),
        token: format!("{}-{place}", scenario.token),
        account,
        bot,
    };
    let vault = store.vault().clone();
    let enterprise = store
        .write(move |conn| {
            let now = Utc::now();
            let enterprise = enterprises::add(conn, &vault, &new, now)?;
            for (extension, _, first, last) in PEOPLE {
                let name = format!("{last} {first}");
                users::assign_extension(conn, enterprise, extension, None, &name)?;
            }
            enterprises::save_line(
                conn,
                enterprise,
                LINE,
                &Line {
                    name: "Городская линия".into(),
                    rules: Vec::new(),
                },
            )?;
            chats::subscribe(conn, enterprise, CHAT, "Супервизор", now)?;
            Ok(enterprise)
        })
        .await?;
    Ok(Seat { enterprise, ..seat })
}
