//! `patchbay emulate`: send the events of made-up calls to a server, as a host would, and print what it answered.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chrono::Utc;
use rand::RngExt;
use secrecy::SecretString;

use crate::config::Loaded;
use crate::emulator::busy_hour::{self, Hour};
use crate::emulator::patterns::{Pattern, Plan, compose};
use crate::emulator::player::{Player, Sent, Target, head_start};

#[derive(clap::Args)]
pub struct Args {
    /// The server's address; without it the first one of the settings.
    #[arg(long)]
    pub url: Option<String>,
    /// The enterprise's token; better given in PATCHBAY_TOKEN, where no process list shows it.
    #[arg(long, env = "PATCHBAY_TOKEN", hide_env_values = true)]
    pub token: String,
    /// What kind of call.
    #[arg(
        long,
        value_enum,
        default_value = "incoming-answered",
        conflicts_with = "busy_hour"
    )]
    pub pattern: Pattern,
    /// An endless stream of calls instead, so many a minute.
    #[arg(long, value_name = "CALLS_PER_MINUTE")]
    pub busy_hour: Option<f64>,
    /// The client's number.
    #[arg(long, default_value = "375291234567")]
    pub phone: String,
    /// Extensions, comma-separated.
    #[arg(long, value_delimiter = ',', default_value = "150,151,152")]
    pub extensions: Vec<String>,
    /// The line (trunk).
    #[arg(long, default_value = "0001367")]
    pub line: String,
    /// Seconds of ringing.
    #[arg(long, default_value_t = 4.0)]
    pub ring: f64,
    /// Seconds of talking.
    #[arg(long, default_value_t = 15.0)]
    pub talk: f64,
    /// How many times faster than it happens.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Time zone of the host's clock.
    #[arg(long, default_value = "Europe/Minsk")]
    pub zone: chrono_tz::Tz,
    /// The same seed is the same call; without it each is another.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many calls, one after the other.
    #[arg(long, default_value_t = 1)]
    pub repeat: u32,
    /// How often an event that the server did not take is sent again.
    #[arg(long, default_value_t = 3)]
    pub again: u32,
    /// Print each event's body too.
    #[arg(long, short)]
    pub verbose: bool,
}

pub fn run(args: Args, settings: impl Fn() -> anyhow::Result<Loaded>) -> anyhow::Result<()> {
    ensure!(
        args.speed > 0.0 && args.speed.is_finite(),
        "--speed is a number above 0"
    );
    let url = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => own_address(&settings()?)?,
    };
    let target = Target {
        url,
        token: SecretString::from(args.token.clone()),
        again: args.again,
    };
    actix_web::rt::System::new().block_on(async move {
        let player = Player::default();
        match args.busy_hour {
            Some(rate) => {
                let lines = vec![args.line.clone()];
                let hour = Hour {
                    zone: args.zone,
                    ..Hour::demo(args.extensions.clone(), lines, rate)
                };
                ensure!(
                    hour.extensions.len() >= 2,
                    "a busy hour needs two extensions at least"
                );
                println!("calls go to {} until this is interrupted", target.url);
                busy_hour::run(player, target, hour, args.speed, 500).await;
                Ok(())
            }
            None => calls(&player, &target, &args).await,
        }
    })
}

async fn calls(player: &Player, target: &Target, args: &Args) -> anyhow::Result<()> {
    let mut lost = 0;
    for number in 0..u64::from(args.repeat) {
        let seed = args
            .seed
            .map_or_else(|| rand::rng().random(), |seed| seed.wrapping_add(number));
        let seconds = |of: f64, name: &str| {
            Duration::try_from_secs_f64(of)
                .with_context(|| format!("--{name} is a number of seconds"))
        };
        let mut plan = Plan {
            pattern: args.pattern,
            phone: args.phone.clone(),
            extensions: args.extensions.clone(),
            line: args.line.clone(),
            ring: seconds(args.ring, "ring")?,
            talk: seconds(args.talk, "talk")?,
            began: Utc::now(),
            zone: args.zone,
            seed,
        };
        plan.began -= head_start(&compose(&plan)?.1, args.speed);
        let (unique_id, events) = compose(&plan)?;
        println!("{} {unique_id}", plan.pattern.as_str());
        player
            .play(target, &events, args.speed, |sent| {
                lost += usize::from(!sent.is_taken());
                println!("{}", line(&sent, args.verbose));
            })
            .await;
    }
    if lost > 0 {
        bail!("{lost} events were not taken");
    }
    Ok(())
}

fn line(sent: &Sent, verbose: bool) -> String {
    let at = Duration::from_millis(sent.at_ms).as_secs_f64();
    let status = sent
        .status
        .map_or_else(|| "---".to_owned(), |status| status.to_string());
    let again = if sent.tries > 1 {
        format!(" (sent {} times)", sent.tries)
    } else {
        String::new()
    };
    let mut line = format!(
        "{at:>8.2} {:<15} {status} {:>7.1} ms  {}{again}",
        sent.path,
        sent.took_ms,
        sent.answer.trim()
    );
    if verbose {
        line.push_str(&format!("\n         {}", sent.body));
    }
    line
}

/// The first address that the settings name, as this machine reaches it.
fn own_address(loaded: &Loaded) -> anyhow::Result<String> {
    let listen = &loaded.settings.server.listen;
    let first = listen
        .first()
        .context("the settings name no address; give --url")?;
    let first = first.to_string();
    let reachable = first
        .replace("0.0.0.0:", "127.0.0.1:")
        .replace("[::]:", "[::1]:");
    Ok(format!("http://{reachable}"))
}
