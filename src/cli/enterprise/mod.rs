//! `patchbay enterprise …`: setting an enterprise up from the command line. One file per command; `desk` is what all of
//! them work at: the store, the enterprise that is meant, and its changes with their audit rows.

mod add;
mod desk;
mod extension;
mod host;
mod integration;
mod line;
mod list;
mod set;
mod show;
mod telegram;
mod token;

use crate::cli::check;
use crate::config::Loaded;
use desk::Desk;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Add an enterprise; prints the token its host signs events with.
    Add(Box<add::Args>),
    /// List the enterprises.
    List,
    /// Show everything that is set of an enterprise, secrets masked.
    Show(Number),
    /// Change an enterprise: its name, country, time zone, language, host, bot …
    Set(Box<set::Args>),
    /// Say how its Asterisk host takes commands over SSH, make our key for it, accept its key, try it.
    Host(Box<host::Args>),
    /// Give an enterprise a new token, printed this once; the old one is refused from then on.
    RotateToken(Number),
    /// Add and remove extensions, and say whose they are.
    Extension(extension::Args),
    /// Name external lines and say how numbers that come over them are to be read.
    Line(line::Args),
    /// Connect a CRM, switch it on or off, and try the connection.
    Integration(integration::Args),
    /// Say which Telegram chats follow the calls.
    Telegram(telegram::Args),
}

#[derive(clap::Args)]
pub struct Number {
    /// The enterprise's number.
    #[arg(value_parser = check::enterprise)]
    number: String,
}

pub fn run(command: Command, loaded: Loaded) -> anyhow::Result<()> {
    let store = crate::startup::open_store(&loaded.settings)?;
    let desk = Desk::new(store, loaded.settings);
    actix_web::rt::System::new().block_on(async move {
        match command {
            Command::Add(args) => add::run(&desk, *args).await,
            Command::List => list::run(&desk).await,
            Command::Show(of) => show::run(&desk, &of.number).await,
            Command::Set(args) => set::run(&desk, *args).await,
            Command::Host(args) => host::run(&desk, *args).await,
            Command::RotateToken(of) => token::run(&desk, &of.number).await,
            Command::Extension(args) => extension::run(&desk, args).await,
            Command::Line(args) => line::run(&desk, args).await,
            Command::Integration(args) => integration::run(&desk, args).await,
            Command::Telegram(args) => telegram::run(&desk, args).await,
        }
    })
}
