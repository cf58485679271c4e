//! The benchmark of events: a load of whole calls against a bare handler and against Patchbay on both databases, side by
//! side in one run. See ../README.md. `benches/run` builds and starts it.

mod bare;
mod client;
mod conditions;
mod crm;
mod drive;
mod fairness;
mod figures;
mod neighbours;
mod postgres;
mod process;
mod report;
mod results;
mod search;
mod setup;
mod suite;
mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole comparison; writes a report.
    Suite(suite::Choice),
    /// Serve the bare handler.
    Bare {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
        #[arg(long, default_value_t = 2)]
        workers: usize,
    },
    /// One load against a server that runs already (with the benchmark's enterprises).
    Drive {
        address: SocketAddr,
        /// Events a second; 0: as fast as the answers come.
        #[arg(long, default_value_t = 0.0)]
        rate: f64,
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        #[arg(long, default_value_t = 1)]
        threads: usize,
        #[arg(long, default_value_t = 2)]
        connections: u32,
        /// Length of a call in seconds.
        #[arg(long, default_value_t = 2.0)]
        call: f64,
    },
    /// Fill a database with the benchmark's enterprises and serve it until interrupted: for profiling by hand.
    Serve {
        url: String,
        #[arg(long, default_value = "target/release/patchbay")]
        server: PathBuf,
        #[arg(long)]
        deliveries: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Options::parse().command {
        Command::Suite(choice) => suite::compare(&choice),
        Command::Bare { listen, workers } => bare::serve(&listen, workers),
        Command::Drive {
            address,
            rate,
            seconds,
            threads,
            connections,
            call,
        } => {
            let load = drive::Load {
                threads,
                rate,
                connections_each: connections,
                pace: if rate > 0.0 {
                    client::Pace::Open
                } else {
                    client::Pace::Closed
                },
                call: Duration::from_secs_f64(call),
                warm_up: Duration::from_secs(1),
                measure: Duration::from_secs_f64(seconds),
                ..drive::Load::usual(address)
            };
            let mut run = drive::run(&load)?;
            println!(
                "{:.0} events/s; from due: p50 {:.2} ms, p99 {:.2} ms, worst {:.2} ms; from sent: p50 {:.2} ms, p99 {:.2} ms; {:?}{}",
                run.rate(),
                run.late_ms(0.5),
                run.late_ms(0.99),
                run.late_ms(1.0),
                run.service_ms(0.5),
                run.service_ms(0.99),
                run.sample.by_status,
                if run.sample.gave_up {
                    "; the server fell behind"
                } else {
                    ""
                },
            );
            if let Some(complaint) = &run.sample.complaint {
                println!("first refusal: {complaint}");
            }
            Ok(())
        }
        Command::Serve {
            url,
            server,
            deliveries,
        } => suite::serve(&url, &server, deliveries),
    }
}
