//! Plays captures of real hosts against a server and compares what they came to. Called by `patchbay replay`.
//!
//! ```text
//!   capture (files) ─► order (shuffle, double, deaths) ─► host, one per scenario ──HTTP──► server (killed now and then)
//!   expected.json ──► compare ◄── api (the server's calls), around (simulators, journal) ◄───────────┘
//! ```
//!
//! Each scenario is an enterprise of its own (`world`), so that all of them run at the same time.

pub mod api;
pub mod around;
pub mod capture;
pub mod compare;
#[cfg(test)]
mod compare_tests;
pub mod host;
pub mod order;
pub mod remote;
pub mod report;
pub mod seen;
pub mod server;
pub mod world;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use api::Api;
use capture::Scenario;
use compare::{Leeway, compare};
use host::Sent;
use order::Death;
use report::{Line, Verdict};
use seen::Call;
use server::Server;
use world::{Base, Outside, Seat};

use crate::temporary::Folder;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Options {
    pub folder: PathBuf,
    /// Names of scenarios; empty for all.
    pub only: Vec<String>,
    /// Times faster than life; `None`: without pauses.
    pub speed: Option<f64>,
    /// Draws the order of events.
    pub shuffle: Option<u64>,
    pub double: bool,
    /// How often the server is killed.
    pub kills: usize,
    /// Draws the moments of deaths.
    pub seed: u64,
    pub database: Option<String>,
    /// Leave the folder of the run behind, with its database and log.
    pub keep: bool,
}

/// What came of it.
pub struct Outcome {
    pub lines: Vec<Line>,
    /// How often the server was killed.
    pub kills: usize,
}

/// How long things take in the server under test, so that nothing is waited for longer than the captures need.
#[derive(Clone, Copy, Debug)]
pub struct Paces {
    pub lost: Duration,
    pub settle: Duration,
    pub chat: Duration,
    pub bot: u32,
}

impl Paces {
    fn of(options: &Options, scenarios: &[Scenario]) -> Paces {
        let played = |seconds: f64| {
            Duration::from_secs_f64(options.speed.map_or(0.0, |speed| seconds / speed))
        };
        let longest =
            |of: fn(&Scenario) -> f64| played(scenarios.iter().map(of).fold(0.0, f64::max));
        let speed = options.speed.unwrap_or(1_000.0).max(1.0);
        // While the server is down nothing arrives: that is silence too.
        let down = Duration::from_millis(1_500) * u32::try_from(options.kills).unwrap_or(100);
        let silence = match options.shuffle {
            Some(_) => longest(Scenario::length),
            None => longest(Scenario::longest_pause),
        };
        let spread = match options.shuffle {
            Some(_) => longest(Scenario::length),
            None => Duration::from_secs_f64(2.0 / speed),
        };
        Paces {
            lost: silence + down + Duration::from_secs(3),
            settle: spread + down + Duration::from_secs(1),
            chat: Duration::from_secs_f64(1.0 / speed).max(Duration::from_millis(10)),
            bot: (25.0 * speed).min(10_000.0) as u32,
        }
    }

    fn patience(&self) -> Duration {
        self.lost + self.settle + Duration::from_secs(90)
    }
}

/// The captures of the folder that are asked for, and lines about those that cannot be played.
fn choose(options: &Options) -> anyhow::Result<(Vec<Scenario>, Vec<Line>)> {
    let (mut scenarios, absent) = capture::read_folder(&options.folder)?;
    let wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    scenarios.retain(|scenario| wanted(&scenario.name));
    let mut lines: Vec<Line> = absent
        .into_iter()
        .filter(|name| wanted(name))
        .map(|name| Line {
            name,
            verdict: Verdict::Skipped(
                "expected.json names it, but there is no such capture".into(),
            ),
        })
        .collect();
    let (known, unknown): (Vec<_>, Vec<_>) = scenarios
        .into_iter()
        .partition(|scenario| scenario.expected.is_some());
    lines.extend(unknown.into_iter().map(|scenario| Line {
        name: scenario.name,
        verdict: Verdict::Skipped("expected.json does not say what it must come to".into()),
    }));
    anyhow::ensure!(
        !known.is_empty() || !lines.is_empty(),
        "there is no such scenario in {}",
        options.folder.display()
    );
    Ok((known, lines))
}

/// Plays against a server of our own. Blocks until all is compared.
///
/// # Errors
/// When something around the captures fails; differences are no errors.
pub fn run(options: &Options) -> anyhow::Result<Outcome> {
    let (scenarios, mut lines) = choose(options)?;
    let paces = Paces::of(options, &scenarios);
    let name = format!(
        "replay_{}_{}",
        std::process::id(),
        chrono::Utc::now().timestamp_millis()
    );
    let mut folder = Folder::new(&name)?;
    folder.keep = options.keep;
    let mut base = Base::create(
        &folder.path,
        options.database.as_deref(),
        &format!("patchbay_{name}"),
    )?;
    base.scratch.keep = options.keep;
    eprintln!("database: {}", base.scratch.words());
    let store = base.open()?;
    let system = actix_web::rt::System::new();
    let played = system.block_on(async {
        let outside = Outside::start(options.speed.is_some_and(|speed| speed <= 1.0)).await?;
        let seats = world::seat_all(&store, &outside, &scenarios).await?;
        // From here on the database is the server's alone.
        drop(store);
        let settings = base.settings(&folder.path, &paces, &outside.telegram.base_url);
        let mut server = Server::new(&folder.path, &settings)?;
        let whole = play_all(options, &paces, &scenarios, &seats, &base, &mut server);
        let (sent, calls) = tokio::select! {
            played = whole => played?,
            () = interrupted() => return Err(Interrupted.into()),
        };
        let kills = server.deaths;
        // Killed, not stopped: what is compared below is what a dead server leaves behind.
        server.kill()?;
        anyhow::Ok((outside, seats, sent, calls, kills))
    });
    let (outside, seats, sent, mut calls, kills) = match played {
        Ok(played) => played,
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => {
            folder.keep = true;
            base.scratch.keep = true;
            return Err(error.context(format!(
                "the run's folder is kept: {}",
                folder.path.display()
            )));
        }
    };
    let leeway = Leeway {
        killed: kills > 0,
        shuffled: options.shuffle.is_some(),
    };
    let store = base.open()?;
    let compared = system.block_on(async {
        for ((scenario, seat), sent) in scenarios.iter().zip(&seats).zip(&sent) {
            let (own, others): (Vec<Call>, Vec<Call>) = calls
                .into_iter()
                .partition(|call| call.enterprise_number == seat.number);
            calls = others;
            let around = around::gather(&store, &outside, seat, &own).await?;
            let expected = scenario.expected.as_deref().unwrap_or_default();
            let finding = compare(scenario, expected, &own, Some(&around), sent, leeway);
            lines.push(Line {
                name: scenario.name.clone(),
                verdict: Verdict::Compared(finding),
            });
        }
        anyhow::Ok(())
    });
    drop(store);
    compared?;
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Outcome { lines, kills })
}

/// Sends everything, kills and restarts, waits until all is quiet.
async fn play_all(
    options: &Options,
    paces: &Paces,
    scenarios: &[Scenario],
    seats: &[Seat],
    base: &Base,
    server: &mut Server,
) -> anyhow::Result<(Vec<Sent>, Vec<Call>)> {
    server.start().await?;
    let client = host::client();
    let (answers, counted) = watch::channel(0);
    let mut total = 0;
    let hosts: Vec<_> = scenarios
        .iter()
        .zip(seats)
        .map(|(scenario, seat)| {
            let mut sendings = order::sendings(scenario, options.shuffle, options.double);
            for sending in &mut sendings {
                sending.event = sending.event.signed(&scenario.token, &seat.token);
            }
            total += sendings.len();
            host::play(
                sendings,
                options.speed,
                client.clone(),
                server.address(),
                answers.clone(),
            )
        })
        .collect();
    let mut api = Api::with_key(client.clone(), server.address(), base.api_key.clone());
    let deaths = order::deaths(options.seed, total, options.kills);
    let (finished, all) = watch::channel(false);
    let hosts = async {
        let sent = futures_util::future::join_all(hosts).await;
        finished.send_replace(true);
        sent
    };
    let (sent, killed) = tokio::join!(hosts, kill_now_and_then(server, &deaths, counted, all));
    killed?;
    let calls = wait_until_quiet(&mut api, server, paces).await?;
    Ok((sent, calls))
}

async fn kill_now_and_then(
    server: &mut Server,
    deaths: &[Death],
    mut answers: watch::Receiver<usize>,
    mut finished: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    for death in deaths {
        match death {
            Death::AfterAnswers(number, wait) => {
                tokio::select! {
                    _ = answers.wait_for(|count| count >= number) => {}
                    _ = finished.wait_for(|all| *all) => {}
                }
                sleep(Duration::from_millis(*wait)).await;
            }
            Death::AfterTheLast(wait) => {
                let _ = finished.wait_for(|all| *all).await;
                sleep(Duration::from_millis(*wait)).await;
            }
        }
        server.kill()?;
        server.start().await?;
    }
    Ok(())
}

/// Waits until no call is in progress and nothing is left to be told; gives all calls. After a time it gives up, and
/// what is left shows in the comparison.
async fn wait_until_quiet(
    api: &mut Api,
    server: &mut Server,
    paces: &Paces,
) -> anyhow::Result<Vec<Call>> {
    let given_up = Instant::now() + paces.patience();
    loop {
        let live = api.live().await?;
        let calls = api.calls().await?;
        let open: i64 = calls.iter().map(|call| call.deliveries.open).sum();
        if (live.is_empty() && open == 0) || Instant::now() > given_up {
            if !live.is_empty() {
                eprintln!("still in progress: {live:?}");
            }
            return Ok(calls);
        }
        anyhow::ensure!(
            !server.has_ended(),
            "the server ended by itself:\n{}",
            server.last_words()
        );
        sleep(Duration::from_millis(100)).await;
    }
}

/// Somebody does not want to wait.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interrupted;

/// Ctrl-C or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::io::Result::Ok(())
    };
    if heard.await.is_err() {
        // Signals that cannot be listened for end the process by themselves.
        std::future::pending::<()>().await;
    }
}

/// A number for a run whose seed nobody gave.
pub fn draw_seed() -> u64 {
    u64::from(rand::random::<u32>())
}

/// One system for the whole of `remote`, as `run` has.
pub(crate) fn in_system<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    actix_web::rt::System::new().block_on(async {
        tokio::select! {
            done = work => done,
            () = interrupted() => Err(Interrupted.into()),
        }
    })
}
