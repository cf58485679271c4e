//! `patchbay enterprise add` and `list`: who is served, for the first ones and for scripts.

use actors::store::enterprises::{self, NewEnterprise};
use actors::store::{Store, StoreError};
use anyhow::Context as _;
use chrono::Utc;
use secrecy::SecretString;

use crate::config::Loaded;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Add an enterprise; prints the token its host signs events with.
    Add(Box<Add>),
    /// List the enterprises.
    List,
}

#[derive(clap::Args)]
pub struct Add {
    /// Its number, digits ("0367").
    pub number: String,
    /// Its name ("june").
    pub name: String,
    /// The token its host signs events with; without it one is made.
    #[arg(long)]
    pub token: Option<String>,
    /// Country of national number formats, two letters.
    #[arg(long, default_value = "BY")]
    pub country: String,
    /// Time zone of its clocks.
    #[arg(long, default_value = "Europe/Minsk")]
    pub zone: String,
    /// Language of its messages: ru or en.
    #[arg(long, default_value = "ru")]
    pub language: String,
    /// Address of its Asterisk host.
    #[arg(long, default_value = "")]
    pub host: String,
    /// Telegram bot's token; better given in PATCHBAY_BOT_TOKEN, where no process list shows it.
    #[arg(long, env = "PATCHBAY_BOT_TOKEN", hide_env_values = true)]
    pub bot_token: Option<String>,
    /// File with the integrations document (JSON).
    #[arg(long)]
    pub integrations: Option<std::path::PathBuf>,
}

pub fn run(command: Command, loaded: Loaded) -> anyhow::Result<()> {
    let store = crate::startup::open_store(&loaded.settings)?;
    actix_web::rt::System::new().block_on(async move {
        match command {
            Command::Add(new) => add(&store, new).await,
            Command::List => list(&store).await,
        }
    })
}

async fn add(store: &Store, new: Box<Add>) -> anyhow::Result<()> {
    anyhow::ensure!(
        !new.number.is_empty() && new.number.bytes().all(|byte| byte.is_ascii_digit()),
        "{} is no enterprise number: digits only",
        new.number
    );
    anyhow::ensure!(
        new.zone.parse::<chrono_tz::Tz>().is_ok(),
        "{} is no time zone; write it like Europe/Minsk",
        new.zone
    );
    anyhow::ensure!(
        new.country.len() == 2 && new.country.bytes().all(|byte| byte.is_ascii_uppercase()),
        "{} is no country; write it like BY",
        new.country
    );
    anyhow::ensure!(
        ["ru", "en"].contains(&new.language.as_str()),
        "--language is ru or en"
    );
    let integrations = match &new.integrations {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?
        }
        None => serde_json::Value::Null,
    };
    let new = *new;
    let token = new.token.unwrap_or_else(crate::web::session::new_token);
    let row = NewEnterprise {
        number: new.number.clone(),
        name: new.name.clone(),
        token: SecretString::from(token.clone()),
        country: new.country,
        time_zone: new.zone,
        language: new.language,
        host_address: new.host,
        bot_token: new.bot_token.map(SecretString::from),
        integrations,
        ..NewEnterprise::default()
    };
    let vault = store.vault().clone();
    match store
        .write(move |conn| enterprises::add(conn, &vault, &row, Utc::now()))
        .await
    {
        Ok(_) => {}
        Err(StoreError::Taken(_)) => {
            anyhow::bail!("an enterprise has this number or this token already")
        }
        Err(other) => return Err(other.into()),
    }
    println!(
        "added enterprise {} ({})\ntoken: {token}",
        new.number, new.name
    );
    Ok(())
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let vault = store.vault().clone();
    for enterprise in store
        .read(move |conn| enterprises::load_all(conn, &vault))
        .await?
    {
        let state = if enterprise.active { "active" } else { "off" };
        println!("{:<8} {:<24} {state}", enterprise.number, enterprise.name);
    }
    Ok(())
}
