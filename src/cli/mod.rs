//! The command line: one binary, a subcommand for each thing an operator does. Each file here is one subcommand, but for
//! `check`, `given` and `server`, which several use. They read the settings, do their thing and end with words when
//! they cannot.

pub mod check;
pub mod config;
pub mod demo;
pub mod emulate;
pub mod enterprise;
pub mod given;
pub mod migrate;
pub mod replay;
pub mod serve;
pub mod server;
pub mod user;

use std::path::PathBuf;

use actors::store::audit::NewEntry;
use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::config::Loaded;

/// Keeps every call event of every Asterisk host and patches each call through.
#[derive(Parser)]
#[command(name = "patchbay", version, about)]
pub struct Cli {
    /// Settings file; without it patchbay.toml of the working directory is read when it is there.
    #[arg(long, global = true, env = "PATCHBAY_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(serve::Args),
    /// Run a server with a made-up enterprise, CRM and Telegram, and calls going through it.
    Demo(demo::Args),
    /// Bring the database to this version's form, or say that it is.
    Migrate(migrate::Args),
    /// Print the settings in effect, secrets masked.
    Config(config::Args),
    /// Send the events of made-up calls to a server.
    Emulate(emulate::Args),
    /// Play captured events against a server and compare what they came to.
    Replay(replay::Args),
    /// People who log in.
    #[command(subcommand)]
    User(user::Command),
    /// Enterprises that are served.
    #[command(subcommand)]
    Enterprise(enterprise::Command),
}

/// Does what the command line says.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let settings = || -> anyhow::Result<Loaded> { Ok(crate::config::load(cli.config.as_deref())?) };
    match cli.command {
        Command::Serve(args) => serve::run(args, settings()?),
        Command::Demo(args) => demo::run(args),
        Command::Migrate(args) => migrate::run(args, settings()?),
        Command::Config(args) => config::run(args, settings()?),
        Command::Emulate(args) => emulate::run(args, settings),
        Command::Replay(args) => replay::run(args),
        Command::User(command) => user::run(command, settings()?),
        Command::Enterprise(command) => enterprise::run(command, settings()?),
    }
}

/// The audit row of a change that a command made; it goes into the change's own transaction.
pub(crate) fn entry(enterprise: Option<i64>, action: &str, what: Value) -> NewEntry {
    NewEntry {
        enterprise,
        user: None,
        who: "command line".into(),
        action: action.into(),
        what,
    }
}
