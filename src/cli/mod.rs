//! The command line: one binary, a subcommand for each thing an operator does. Each file here is one subcommand;
//! they read the settings, do their thing and end with words when they cannot.

pub mod config;
pub mod demo;
pub mod emulate;
pub mod enterprise;
pub mod migrate;
pub mod replay;
pub mod serve;
pub mod user;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

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
