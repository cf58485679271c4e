//! `patchbay enterprise set`: changes what is set of an enterprise itself; what is not named stays.

use actors::store::StoreError;
use actors::store::enterprises::{self, NewEnterprise};
use actors::telegram::api;
use anyhow::ensure;
use clap::builder::{BoolishValueParser, PossibleValuesParser};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::desk::Desk;
use crate::cli::{check, given};
use crate::config::mask;

#[derive(clap::Args)]
pub struct Args {
    /// The enterprise's number.
    #[arg(value_parser = check::enterprise)]
    number: String,
    /// Its name.
    #[arg(long, value_parser = check::filled)]
    name: Option<String>,
    /// Country of national number formats, two letters.
    #[arg(long, value_parser = check::country)]
    country: Option<String>,
    /// Time zone of its clocks, as Europe/Minsk.
    #[arg(long, value_parser = check::zone)]
    zone: Option<String>,
    /// Language of its messages: ru or en.
    #[arg(long, value_parser = PossibleValuesParser::new(["ru", "en"]))]
    language: Option<String>,
    /// Address of its Asterisk host.
    #[arg(long, value_parser = check::host)]
    host: Option<String>,
    /// Whether it is served: yes or no. Events of one that is not are refused.
    #[arg(long, value_parser = BoolishValueParser::new(), value_name = "YES_OR_NO")]
    active: Option<bool>,
    /// Whether its events are written to a log of their own: yes or no.
    #[arg(long, value_parser = BoolishValueParser::new(), value_name = "YES_OR_NO")]
    debug_log: Option<bool>,
    /// Telegram bot's token: - reads it from standard input, env:NAME from an environment variable, '' takes the bot
    /// away.
    #[arg(long, value_name = "TOKEN")]
    bot_token: Option<String>,
}

pub async fn run(desk: &Desk, args: Args) -> anyhow::Result<()> {
    let enterprise = desk.enterprise(&args.number).await?;
    let bot = args.bot_token.as_deref().map(bot_token).transpose()?;
    let what = said(&args, bot.as_ref());
    ensure!(
        !what.is_empty(),
        "nothing to change: name what, as --name or --zone (see --help)"
    );
    let words: Vec<String> = what
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} = {text}"),
            Value::Bool(yes) => format!("{name} = {}", if *yes { "yes" } else { "no" }),
            other => format!("{name} = {other}"),
        })
        .collect();
    let (id, number) = (enterprise.id, args.number.clone());
    let what = Value::Object(what);
    desk.change(
        &enterprise,
        "enterprise.set",
        what,
        move |conn, vault, now| {
            let mut row = enterprises::details(conn, vault, id)?.ok_or(StoreError::NotFound)?;
            apply(&mut row, args, bot);
            enterprises::update(conn, vault, id, &row, now)
        },
    )
    .await?;
    println!("{number}: {}", words.join(", "));
    desk.tell(&number).await;
    Ok(())
}

/// What is to be changed, by the option's name, secrets masked: for the audit and for the terminal.
fn said(args: &Args, bot: Option<&Option<SecretString>>) -> Map<String, Value> {
    let text = |given: &Option<String>| given.clone().map(Value::from);
    let bot = bot.map(|token| match token {
        Some(token) => Value::from(mask(token.expose_secret())),
        None => Value::from("none"),
    });
    [
        ("name", text(&args.name)),
        ("country", text(&args.country)),
        ("zone", text(&args.zone)),
        ("language", text(&args.language)),
        ("host", text(&args.host)),
        ("active", args.active.map(Value::from)),
        ("debug-log", args.debug_log.map(Value::from)),
        ("bot-token", bot),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

fn apply(row: &mut NewEnterprise, args: Args, bot: Option<Option<SecretString>>) {
    let put = |place: &mut String, given: Option<String>| {
        if let Some(given) = given {
            *place = given;
        }
    };
    put(&mut row.name, args.name);
    put(&mut row.country, args.country);
    put(&mut row.time_zone, args.zone);
    put(&mut row.language, args.language);
    put(&mut row.host_address, args.host);
    row.active = args.active.unwrap_or(row.active);
    row.debug_log = args.debug_log.unwrap_or(row.debug_log);
    if let Some(bot) = bot {
        row.bot_token = bot;
    }
}

/// A bot's token as it was given; `None` for an empty one.
///
/// # Errors
/// When it does not have the form of one. The words do not repeat it.
pub fn bot_token(text: &str) -> anyhow::Result<Option<SecretString>> {
    let token = given::read(text, "--bot-token")?;
    ensure!(
        token.is_empty() || api::well_formed(&token),
        "--bot-token does not have the form of a bot's token, 123456:AA…, as @BotFather tells it"
    );
    Ok(Some(token)
        .filter(|token| !token.is_empty())
        .map(SecretString::from))
}
