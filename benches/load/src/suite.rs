//! The whole comparison: each target on a fresh database, several rounds, medians. Called by `benches/run`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::client::Pace;
use super::drive::{Load, run};
use super::fairness::{self, Fairness};
use super::figures::percentile;
use super::neighbours::{self, Crms, Neighbours, Trouble};
use super::postgres::Postgres;
use super::process::Server;
use super::results::{Accepting, Delivering, Living, Results, Target};
use super::setup::{self, Destinations, Prepared};
use super::{conditions, crm, report, search};

#[derive(Args, Clone, Debug)]
pub struct Choice {
    /// One short round instead of three.
    #[arg(long)]
    pub quick: bool,
    /// The server's program.
    #[arg(long, default_value = "target/release/patchbay")]
    pub server: PathBuf,
    /// Where databases are made: on the disk whose fsync shall count.
    #[arg(long, default_value = "target/bench")]
    pub folder: PathBuf,
    /// Where the report is written.
    #[arg(long, default_value = "benches/RESULTS.md")]
    pub report: PathBuf,
    /// Only these parts: accept, deliver, memory, fairness, neighbours.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Threads of the load generator.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Live calls for memory and start-up.
    #[arg(long, default_value_t = 100_000)]
    pub live: u32,
}

impl Choice {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    fn rounds(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }
}

struct Bench<'c> {
    choice: &'c Choice,
    folder: tempfile::TempDir,
    program: PathBuf,
    postgres: Postgres,
    databases: std::cell::Cell<u32>,
}

/// Measures everything chosen, prints it and writes the report.
///
/// # Errors
/// When a server does not start or answers nothing.
fn measure(choice: &Choice) -> anyhow::Result<Results> {
    std::fs::create_dir_all(&choice.folder)?;
    // Absolute, because servers run in folders of their own.
    let folder = tempfile::Builder::new()
        .prefix("patchbay-bench-")
        .tempdir_in(std::fs::canonicalize(&choice.folder)?)?;
    let program = std::fs::canonicalize(&choice.server)
        .with_context(|| format!("{}: build it first", choice.server.display()))?;
    let postgres_folder = tempfile::Builder::new()
        .prefix("patchbay-bench-")
        .tempdir()?;
    let postgres = Postgres::start(postgres_folder.path())?;
    let mut results = Results {
        conditions: conditions::describe(folder.path(), &postgres.version)?,
        rounds: choice.rounds(),
        ..Results::default()
    };
    for line in &results.conditions {
        eprintln!("{line}");
    }
    let bench = Bench {
        choice,
        folder,
        program,
        postgres,
        databases: 0.into(),
    };
    if choice.wants("accept") {
        results.accepting = bench.accepting()?;
    }
    if choice.wants("deliver") {
        for target in [Target::Sqlite, Target::Postgres] {
            for rate in [2500.0, 5000.0] {
                results
                    .delivering
                    .push((target, bench.delivering(target, rate)?));
            }
        }
    }
    if choice.wants("memory") {
        for target in [Target::Sqlite, Target::Postgres] {
            results.living.push((target, bench.living(target)?));
        }
    }
    if choice.wants("fairness") {
        for target in [Target::Sqlite, Target::Postgres] {
            results.fairness.push((target, bench.fairness(target)?));
        }
    }
    if choice.wants("neighbours") {
        for target in [Target::Sqlite, Target::Postgres] {
            results.neighbours.push((target, bench.neighbours(target)?));
        }
    }
    Ok(results)
}

/// Runs the suite and reports.
///
/// # Errors
/// As `measure`, and when the report cannot be written.
pub fn compare(choice: &Choice) -> anyhow::Result<()> {
    let results = measure(choice)?;
    let text = report::text(&results);
    println!("{text}");
    if choice.only.is_empty() {
        std::fs::write(&choice.report, text)?;
    }
    Ok(())
}

/// Serves a prepared database until interrupted.
///
/// # Errors
/// When it does not start.
pub fn serve(url: &str, program: &Path, deliveries: bool) -> anyhow::Result<()> {
    let crm = crm::start(setup::ENTERPRISES + 1)?;
    let destinations = Destinations {
        crm: deliveries.then(|| crm.base_url.clone()),
        ..Destinations::default()
    };
    let folder = tempfile::tempdir()?;
    let prepared = setup::prepare(url, folder.path(), &destinations)?;
    let server = prepared.serve(&std::fs::canonicalize(program)?, false)?;
    println!(
        "process {} on {}; log in {}",
        server.id(),
        server.address,
        folder.path().display()
    );
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

impl Bench<'_> {
    fn load(&self, server: &Server) -> Load {
        let measure = Duration::from_secs(if self.choice.quick { 4 } else { 8 });
        Load {
            threads: self.choice.threads,
            measure,
            ..Load::usual(server.address)
        }
    }

    fn fresh(&self, target: Target, destinations: &Destinations) -> anyhow::Result<Prepared> {
        let number = self.databases.get();
        self.databases.set(number + 1);
        let folder = self.folder.path().join(format!("{number}"));
        std::fs::create_dir_all(&folder)?;
        let url = match target {
            Target::Postgres => self.postgres.database(&format!("bench_{number}"))?,
            Target::Bare | Target::Sqlite => {
                format!("sqlite:{}", folder.join("patchbay.db").display())
            }
        };
        setup::prepare(&url, &folder, destinations)
    }

    fn start(&self, target: Target) -> anyhow::Result<Server> {
        if target != Target::Bare {
            return self
                .fresh(target, &Destinations::default())?
                .serve(&self.program, false);
        }
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bare", "--workers", &workers.to_string()]);
        Server::start(command, &self.folder.path().join("bare.log"))
    }

    fn accepting(&self) -> anyhow::Result<Vec<(Target, Accepting)>> {
        let mut all: Vec<(Target, Accepting)> = Target::ALL
            .map(|target| (target, Accepting::default()))
            .into();
        for round in 1..=self.choice.rounds() {
            for (target, figures) in &mut all {
                eprintln!("round {round}, {}", target.name());
                let server = self.start(*target)?;
                let load = self.load(&server);
                let mut peak = search::peak(&load)?;
                eprintln!(
                    "    as fast as it answers: {:.0}/s, p99 {:.1} ms",
                    peak.rate(),
                    peak.service_ms(0.99)
                );
                let guess = figures
                    .sustained
                    .last()
                    .copied()
                    .unwrap_or(peak.rate() * 0.85);
                let sustained = search::sustained(&load, guess)?;
                let (cpu, database) = (server.cpu(), self.postgres.cpu());
                let mut half = run(&Load {
                    pace: Pace::Open,
                    rate: sustained / 2.0,
                    ..load
                })?;
                let sent = half.sample.sent.max(1) as f64;
                figures.peak.push(peak.rate());
                figures.sustained.push(sustained);
                figures.half_p50.push(half.late_ms(0.5));
                figures.half_p99.push(half.late_ms(0.99));
                figures
                    .cpu
                    .push((server.cpu().saturating_sub(cpu)).as_secs_f64() * 1000.0 / sent);
                figures.database_cpu.push(
                    self.postgres.cpu().saturating_sub(database).as_secs_f64() * 1000.0 / sent,
                );
                eprintln!(
                    "    at half of it: p50 {:.2} ms, p99 {:.2} ms",
                    half.late_ms(0.5),
                    half.late_ms(0.99)
                );
            }
        }
        Ok(all)
    }

    fn delivering(&self, target: Target, offered: f64) -> anyhow::Result<Delivering> {
        let mut figures = Delivering {
            offered,
            ..Delivering::default()
        };
        for round in 1..=self.choice.rounds() {
            eprintln!(
                "round {round}, {}, deliveries on, {offered:.0}/s",
                target.name()
            );
            let crm = crm::start(setup::ENTERPRISES + 1)?;
            let destinations = Destinations {
                crm: Some(crm.base_url.clone()),
                ..Destinations::default()
            };
            let server = self
                .fresh(target, &destinations)?
                .serve(&self.program, false)?;
            let load = Load {
                pace: Pace::Open,
                rate: offered,
                ..self.load(&server)
            };
            let (cpu, database) = (server.cpu(), self.postgres.cpu());
            let mut trial = run(&load)?;
            // Histories are due seconds after the last hangup, and their cost belongs to the events.
            wait_for_quiet(&server);
            let popups = crm::popups(&crm, &load, &trial, &(0..load.enterprises));
            let mut late = popups.late;
            let sent = trial.sample.sent.max(1) as f64;
            figures.accepted.push(trial.rate());
            figures.kept_up.push(trial.kept_up(offered));
            figures.p50.push(trial.late_ms(0.5));
            figures.p99.push(trial.late_ms(0.99));
            figures
                .popup_p50
                .push(f64::from(percentile(&mut late, 0.5)) / 1000.0);
            figures
                .popup_p99
                .push(f64::from(percentile(&mut late, 0.99)) / 1000.0);
            figures.popups_missing += popups.missing;
            figures
                .cpu
                .push(server.cpu().saturating_sub(cpu).as_secs_f64() * 1000.0 / sent);
            figures
                .database_cpu
                .push(self.postgres.cpu().saturating_sub(database).as_secs_f64() * 1000.0 / sent);
            eprintln!(
                "    {:.0}/s accepted, p99 {:.1} ms; pop-ups {} (missing {}), p99 {:.1} ms; histories {}; CPU {:.3} ms{}",
                trial.rate(),
                trial.late_ms(0.99),
                late.len(),
                popups.missing,
                figures.popup_p99.last().copied().unwrap_or(f64::NAN),
                popups.uploads,
                figures.cpu.last().copied().unwrap_or(f64::NAN),
                trial
                    .sample
                    .complaint
                    .as_deref()
                    .map(|words| format!("  {words}"))
                    .unwrap_or_default(),
            );
        }
        Ok(figures)
    }

    /// Calls that have begun and ring: two events each, none of them ended.
    fn living(&self, target: Target) -> anyhow::Result<Living> {
        eprintln!("{}, {} live calls", target.name(), self.choice.live);
        let prepared = self.fresh(target, &Destinations::default())?;
        let server = prepared.serve(&self.program, false)?;
        let load = Load {
            pace: Pace::Closed,
            steps: 2,
            warm_up: Duration::ZERO,
            measure: Duration::from_secs(300),
            ..self.load(&server)
        };
        let connections = load.enterprises * load.connections_each;
        let all = self.choice.live / connections;
        // The first calls bring buffers, caches (SQLite's page cache is 64 MiB) and threads to their size; what the
        // others add is memory for calls.
        let first = all * 3 / 10;
        run(&Load {
            most_calls: Some(first),
            ..load.clone()
        })?;
        wait_for_quiet(&server);
        let before = server.memory();
        let sent = run(&Load {
            most_calls: Some(all - first),
            ..load.clone()
        })?;
        wait_for_quiet(&server);
        let calls = all * connections;
        let counted = (all - first) * connections;
        let bytes_each = server.memory().saturating_sub(before) as f64 / f64::from(counted);
        eprintln!(
            "    {} events in {:.1} s; {bytes_each:.0} bytes for each live call",
            sent.sample.sent,
            sent.lasted.as_secs_f64()
        );
        server.kill();
        let again = prepared.serve(&self.program, false)?;
        eprintln!(
            "    killed; started again in {:.2} s",
            again.started_in.as_secs_f64()
        );
        Ok(Living {
            calls,
            bytes_each,
            start: again.started_in,
        })
    }

    fn fairness(&self, target: Target) -> anyhow::Result<Fairness> {
        eprintln!("{}, one enterprise floods", target.name());
        let server = self
            .fresh(target, &Destinations::default())?
            .serve(&self.program, true)?;
        let fairness = fairness::measure(&self.load(&server), 2000.0)?;
        eprintln!("    {fairness:?}");
        Ok(fairness)
    }
}

impl Bench<'_> {
    fn neighbours(&self, target: Target) -> anyhow::Result<Vec<Neighbours>> {
        let mut all = Trouble::ALL.map(Neighbours::of);
        for round in 1..=self.choice.rounds() {
            eprintln!("round {round}, {}, a CRM in trouble", target.name());
            for figures in &mut all {
                let crms = Crms::start(figures.trouble)?;
                let server = self
                    .fresh(target, &crms.destinations())?
                    .serve(&self.program, false)?;
                neighbours::measure(&self.load(&server), &crms, figures)?;
            }
        }
        Ok(all.into())
    }
}

/// Waits until the server has used next to no CPU for a second, at most a minute.
fn wait_for_quiet(server: &Server) {
    let until = Instant::now() + Duration::from_secs(60);
    let mut quiet = 0;
    while quiet < 4 && Instant::now() < until {
        let before = server.cpu();
        std::thread::sleep(Duration::from_millis(1000));
        quiet = if server.cpu().saturating_sub(before) <= Duration::from_millis(40) {
            quiet + 1
        } else {
            0
        };
    }
}
