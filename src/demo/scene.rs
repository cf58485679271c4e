//! The made-up enterprise of the demo: its people, lines, clients, CRM users and chats. Everybody here is invented.
//! Used by `demo::run` only.

use actors::cache::snapshot::Line;
use actors::store::enterprises::{self, NewEnterprise};
use actors::store::users::{self, NewUser};
use actors::store::{Store, telegram as chats};
use chrono::Utc;
use secrecy::SecretString;
use simulators::{retailcrm, telegram};

use crate::emulator::busy_hour::Client;
use crate::web::session::password;
use crate::web::session::policy::Role;

/// What the host signs its events with.
pub const TOKEN: &str = "demo-host-token";
const NUMBER: &str = "0367";
/// The page where its CRMs are connected.
pub const INTEGRATIONS: &str = "/enterprise/0367/integrations";
const CRM_KEY: &str = "demo-key";
const BOT: &str = "123456:demo-bot-token";

/// An extension, the CRM user who has it (the last one is in no CRM: the call's page says why there was no pop-up),
/// first and last name.
const PEOPLE: [(&str, Option<i64>, &str, &str); 6] = [
    ("150", Some(16), "Анна", "Петрова"),
    ("151", Some(17), "Борис", "Ильин"),
    ("152", Some(18), "Вера", "Соколова"),
    ("153", Some(19), "Янка", "Кавальчук"),
    ("154", Some(20), "Алеся", "Мароз"),
    ("155", None, "Глеб", "Орлов"),
];

const LINES: [(&str, &str); 3] = [
    ("0001367", "Минск, городской"),
    ("0001368", "Реклама"),
    ("0001369", "Гродна, крама"),
];

/// People only: Telegram takes twenty messages a minute for a group, and a busy hour has more than that.
const CHATS: [(i64, &str); 2] = [(501, "Анна Петрова"), (502, "Дырэктар")];

/// Who talks with the bot and is told nothing yet: for whoever tries how a chat joins.
const OTHERS: [(i64, &str); 2] = [(503, "Вера Соколова"), (-1_001_234_567_890, "Отдел продаж")];

/// The extensions that calls go to.
pub fn extensions() -> Vec<String> {
    PEOPLE.map(|(extension, ..)| extension.to_owned()).to_vec()
}

/// The lines that calls come over.
pub fn lines() -> Vec<String> {
    LINES.map(|(line, _)| line.to_owned()).to_vec()
}

/// The CRM with the enterprise's managers and the clients it knows by name.
pub fn crm(clients: &[Client]) -> retailcrm::Settings {
    let managers: Vec<i64> = PEOPLE.iter().filter_map(|(_, user, ..)| *user).collect();
    let customers = clients
        .iter()
        .filter(|client| !client.name.is_empty())
        .enumerate()
        .map(|(number, client)| {
            retailcrm::Customer::new(
                60 + number as i64,
                &client.name,
                "",
                &client.phone,
                managers.get(number % (managers.len() + 1)).copied(),
            )
        })
        .collect();
    retailcrm::Settings {
        accounts: vec![retailcrm::NewAccount {
            users: PEOPLE
                .iter()
                .filter_map(|(extension, user, first, last)| {
                    Some(retailcrm::User::new((*user)?, first, last, Some(extension)))
                })
                .collect(),
            customers,
            telephony: true,
            ..retailcrm::NewAccount::new("demo", CRM_KEY)
        }],
        ..retailcrm::Settings::default()
    }
}

/// The bot and who talks with it.
pub fn bots() -> telegram::Settings {
    telegram::Settings {
        bots: vec![telegram::NewBot {
            chats: CHATS
                .iter()
                .chain(&OTHERS)
                .map(|(id, title)| telegram::NewChat::new(*id, title))
                .collect(),
            ..telegram::NewBot::new(BOT, "Звонки")
        }],
        ..telegram::Settings::default()
    }
}

/// Writes the enterprise and the person who looks at it into an empty store. `crm` is the CRM's address.
///
/// # Errors
/// The store's own.
pub async fn furnish(store: &Store, crm: &str, login: &str, word: &str) -> anyhow::Result<()> {
    let admin = NewUser {
        enterprise: None,
        login: login.to_owned(),
        full_name: String::new(),
        role: Role::Superadmin.as_str().into(),
        password_hash: password::hash(word)?,
        password_once: false,
        language: String::new(),
    };
    let people: serde_json::Map<String, serde_json::Value> = PEOPLE
        .iter()
        .filter_map(|(extension, user, ..)| Some(((*user)?.to_string(), (*extension).into())))
        .collect();
    let enterprise = NewEnterprise {
        number: NUMBER.into(),
        name: "Мебель «Юна»".into(),
        token: SecretString::from(TOKEN),
        bot_token: Some(SecretString::from(BOT)),
        integrations: serde_json::json!({
            "smart": {"primary": "retailcrm"},
            "retailcrm": {
                "enabled": true, "domain": crm, "api_key": CRM_KEY, "user_extensions": people,
            },
        }),
        ..NewEnterprise::default()
    };
    let vault = store.vault().clone();
    store
        .write(move |conn| {
            let now = Utc::now();
            users::add(conn, &admin, now)?;
            let id = enterprises::add(conn, &vault, &enterprise, now)?;
            for (extension, _, first, last) in PEOPLE {
                users::assign_extension(conn, id, extension, None, &format!("{last} {first}"))?;
            }
            for (line, name) in LINES {
                let rules = Vec::new();
                let name = name.to_owned();
                enterprises::save_line(conn, id, line, &Line { name, rules })?;
            }
            for (chat, name) in CHATS {
                chats::subscribe(conn, id, chat, name, now)?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}
