//! Fills a database with the enterprises of the benchmark and says how the server is to be started on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use actors::store::enterprises::{self, NewEnterprise};
use actors::store::{Options, Store, Vault};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::process::Server;
use super::{crm, neighbours, traffic};

/// Enterprises of every run, and one more that floods.
pub const ENTERPRISES: u32 = 200;

const KEY: [u8; 32] = *b"benchmark key, opens no secrets.";

/// Where deliveries go; `None` of both: they are off.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    pub crm: Option<String>,
    pub telegram: Option<String>,
    /// Other CRMs for two thirds of the enterprises.
    pub beside: Option<Beside>,
}

/// See `neighbours`.
#[derive(Clone, Debug)]
pub struct Beside {
    /// The RetailCRM of the last third.
    pub troubled: String,
    /// The second CRM of the second third, a U-ON.Travel.
    pub other: String,
}

impl Destinations {
    /// The integrations document of an enterprise.
    fn of(&self, enterprise: u32) -> Value {
        let Some(usual) = &self.crm else {
            return Value::Null;
        };
        let beside = |number: u32| {
            let within = neighbours::third(number).contains(&enterprise);
            self.beside.as_ref().filter(|_| within)
        };
        let domain = beside(2).map_or(usual, |beside| &beside.troubled);
        let mut document = json!({
            "retailcrm": {
                "enabled": true, "domain": domain, "api_key": crm::key(enterprise),
                "client_id": format!("bench-{enterprise}"),
                "user_extensions": {"16": "150", "17": "151", "18": "152"},
            },
            "smart": {"primary": "retailcrm"},
        });
        if let Some(beside) = beside(1) {
            document["uon"] = json!({
                "enabled": true, "api_url": beside.other, "api_key": simulators::uon::Settings::default().key,
                "user_extensions": {"2": "150", "3": "151", "8": "152"},
            });
        }
        document
    }
}

/// A database ready for a server.
pub struct Prepared {
    pub url: String,
    folder: PathBuf,
    destinations: Destinations,
}

/// Makes the enterprises.
///
/// # Errors
/// The store's.
pub fn prepare(url: &str, folder: &Path, destinations: &Destinations) -> anyhow::Result<Prepared> {
    let vault = Vault::from_text(&key())?;
    let store = Store::open(url, vault.clone(), Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let told = destinations.clone();
    let telegram = destinations.telegram.is_some();
    runtime.block_on(store.write(move |conn| {
        for enterprise in 0..=ENTERPRISES {
            let integrations = told.of(enterprise);
            let new = NewEnterprise {
                number: format!("{enterprise:04}"),
                name: format!("bench {enterprise}"),
                token: SecretString::from(traffic::token(enterprise)),
                bot_token: telegram.then(|| {
                    SecretString::from(format!("{}:bench-bot-{enterprise}", 1000 + enterprise))
                }),
                integrations,
                ..NewEnterprise::default()
            };
            enterprises::add(conn, &vault, &new, chrono::Utc::now())?;
        }
        Ok(())
    }))?;
    Ok(Prepared {
        url: url.to_owned(),
        folder: folder.to_owned(),
        destinations: destinations.clone(),
    })
}

/// The key in hex, as the settings take it.
fn key() -> String {
    KEY.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Prepared {
    /// Starts the server on this database. `limits`: with the limits for one enterprise that it comes with.
    ///
    /// # Errors
    /// When it does not start.
    pub fn serve(&self, program: &Path, limits: bool) -> anyhow::Result<Server> {
        let mut command = Command::new(program);
        command
            .arg("serve")
            .current_dir(&self.folder)
            .env("PATCHBAY_SERVER__LISTEN", "127.0.0.1:0")
            .env("PATCHBAY_DATABASE__URL", &self.url)
            .env("PATCHBAY_SECRETS__KEY", key())
            .env("PATCHBAY_LOG__FILTER", "warn,patchbay=info");
        if let Some(telegram) = &self.destinations.telegram {
            command.env("PATCHBAY_TELEGRAM__BASE_URL", telegram);
        }
        if !limits {
            command
                .env("PATCHBAY_EVENTS__RATE_PER_ENTERPRISE", "1000000")
                .env("PATCHBAY_EVENTS__BURST_PER_ENTERPRISE", "1000000")
                .env("PATCHBAY_EVENTS__IN_FLIGHT_PER_ENTERPRISE", "100000");
        }
        Server::start(command, &self.folder.join("server.log"))
    }
}
