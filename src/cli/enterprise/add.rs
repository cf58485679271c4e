//! `patchbay enterprise add`: who is served.

use actors::store::enterprises::{self, NewEnterprise};
use actors::store::{StoreError, audit};
use anyhow::{Context as _, bail, ensure};
use chrono::Utc;
use clap::builder::PossibleValuesParser;
use secrecy::SecretString;
use serde_json::json;

use super::desk::Desk;
use super::set::bot_token;
use crate::cli::{check, entry, given};

#[derive(clap::Args)]
pub struct Args {
    /// Its number, digits ("0367").
    #[arg(value_parser = check::enterprise)]
    number: String,
    /// Its name ("june").
    #[arg(value_parser = check::filled)]
    name: String,
    /// The token its host signs events with, - for standard input, env:NAME for an environment variable; without it
    /// one is made.
    #[arg(long)]
    token: Option<String>,
    /// Country of national number formats, two letters.
    #[arg(long, default_value = "BY", value_parser = check::country)]
    country: String,
    /// Time zone of its clocks.
    #[arg(long, default_value = "Europe/Minsk", value_parser = check::zone)]
    zone: String,
    /// Language of its messages: ru or en.
    #[arg(long, default_value = "ru", value_parser = PossibleValuesParser::new(["ru", "en"]))]
    language: String,
    /// Address of its Asterisk host.
    #[arg(long, default_value = "", value_parser = check::host)]
    host: String,
    /// Telegram bot's token; better given in PATCHBAY_BOT_TOKEN or as - for standard input, where no process list
    /// shows it.
    #[arg(long, env = "PATCHBAY_BOT_TOKEN", hide_env_values = true)]
    bot_token: Option<String>,
    /// File with the integrations document (JSON).
    #[arg(long)]
    integrations: Option<std::path::PathBuf>,
}

pub async fn run(desk: &Desk, args: Args) -> anyhow::Result<()> {
    let integrations = match &args.integrations {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?
        }
        None => serde_json::Value::Null,
    };
    let token = match &args.token {
        Some(token) => given::read(token, "--token")?,
        None => crate::web::session::new_token(),
    };
    ensure!(!token.is_empty(), "--token must not be empty");
    let bot_token = match &args.bot_token {
        Some(token) => bot_token(token)?,
        None => None,
    };
    let what = json!({
        "number": args.number, "name": args.name, "country": args.country, "time_zone": args.zone,
        "language": args.language, "host_address": args.host, "bot": bot_token.is_some(),
    });
    let row = NewEnterprise {
        number: args.number.clone(),
        name: args.name.clone(),
        token: SecretString::from(token.clone()),
        country: args.country,
        time_zone: args.zone,
        language: args.language,
        host_address: args.host,
        bot_token,
        integrations,
        ..NewEnterprise::default()
    };
    let vault = desk.store.vault().clone();
    let made = desk
        .store
        .write(move |conn| {
            let now = Utc::now();
            let id = enterprises::add(conn, &vault, &row, now)?;
            audit::add(conn, &entry(Some(id), "enterprise.add", what), now)
        })
        .await;
    match made {
        Ok(()) => {}
        Err(StoreError::Taken(_)) => bail!("an enterprise has this number or this token already"),
        Err(other) => return Err(other.into()),
    }
    println!(
        "added enterprise {} ({})\ntoken: {token}",
        args.number, args.name
    );
    desk.tell(&args.number).await;
    Ok(())
}
