//! `patchbay replay`: play captured events against a server and compare what they came to.

use std::path::PathBuf;

use crate::replay::remote::{Pass, Target};
use crate::replay::{Options, compare::count, draw_seed, remote, report, run as play};

#[derive(clap::Args)]
pub struct Args {
    /// Folder with captures (*.jsonl) and expected.json.
    pub folder: PathBuf,
    /// Only this scenario; may be given more than once.
    #[arg(long, value_name = "SCENARIO")]
    pub only: Vec<String>,
    /// Times faster than recorded; 0 or "max": without pauses.
    #[arg(long, value_name = "N", default_value = "10", value_parser = speed)]
    pub speed: Speed,
    /// Send the events of each scenario in an order drawn from this number.
    #[arg(long, value_name = "SEED")]
    pub shuffle: Option<u64>,
    /// Send each event twice.
    #[arg(long)]
    pub double: bool,
    /// Kill the server and start it again at random moments, 8 times or as often as is said.
    #[arg(long, value_name = "TIMES", num_args = 0..=1, require_equals = true, default_missing_value = "8",
          default_value = "0", hide_default_value = true)]
    pub kill: usize,
    /// Draws the moments of killing; without it one is drawn and told.
    #[arg(long)]
    pub seed: Option<u64>,
    /// A new SQLite file, or a PostgreSQL server: a database is made on it and removed again, or, where its user may not
    /// do that, its own database is used if it is empty.
    #[arg(
        long,
        value_name = "URL",
        env = "PATCHBAY_REPLAY_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// Play against this server instead of one started for it. Only its calls are compared then. An API key of it is
    /// read from PATCHBAY_API_KEY, or a password from PATCHBAY_PASSWORD.
    #[arg(long, conflicts_with_all = ["database", "kill", "keep"])]
    pub url: Option<String>,
    /// With --url: who asks for the calls.
    #[arg(long, default_value = "admin", requires = "url")]
    pub login: String,
    /// With --url: the token of the enterprise to play as; without it the one in the captures.
    #[arg(long, requires = "url", env = "PATCHBAY_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Keep the folder of the run: settings, database, the server's log.
    #[arg(long)]
    pub keep: bool,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// `None`: without pauses.
#[derive(Clone, Copy, Debug)]
pub struct Speed(Option<f64>);

fn speed(text: &str) -> Result<Speed, String> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(Speed(None)),
        Ok(0.0) => Ok(Speed(None)),
        Ok(number) if number.is_finite() && number > 0.0 => Ok(Speed(Some(number))),
        _ => Err("a number from 0, or \"max\"".into()),
    }
}

pub fn run(args: Args) -> anyhow::Result<()> {
    crate::logging::start("warn");
    let seed = args.seed.or(args.shuffle).unwrap_or_else(draw_seed);
    let options = Options {
        folder: args.folder,
        only: args.only,
        speed: args.speed.0,
        shuffle: args.shuffle,
        double: args.double,
        kills: args.kill,
        seed,
        database: args.database,
        keep: args.keep,
    };
    let outcome = match args.url {
        None => play(&options)?,
        Some(url) => {
            eprintln!("{url}: calls are compared; its CRM, its chats and its journal are not");
            let pass = match (read("PATCHBAY_API_KEY"), read("PATCHBAY_PASSWORD")) {
                (Some(key), _) => Pass::Key(key),
                (None, Some(password)) => Pass::Login {
                    name: args.login,
                    password,
                },
                (None, None) => anyhow::bail!(
                    "set PATCHBAY_API_KEY to an API key of {url}, or PATCHBAY_PASSWORD to the password of {}",
                    args.login
                ),
            };
            let token = args.token;
            remote::run(&options, &Target { url, token, pass })?
        }
    };
    let drawn = (options.kills > 0 || options.shuffle.is_some()).then_some(seed);
    if args.json {
        println!("{:#}", report::json(&outcome.lines, drawn, outcome.kills));
    } else {
        if let Some(seed) = options.shuffle {
            println!("order drawn from {seed}");
        }
        if options.kills > 0 {
            println!(
                "server killed {}, moments drawn from {seed}",
                count(outcome.kills, "time")
            );
        }
        println!("{}", report::text(&outcome.lines));
    }
    let failed = report::counts(&outcome.lines).failed;
    anyhow::ensure!(failed == 0, "{} not as expected", count(failed, "scenario"));
    Ok(())
}

fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
