//! `patchbay enterprise add`: enterprises that are served.

use crate::config::Loaded;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Add an enterprise; prints the token its host signs events with.
    Add(Add),
}

#[derive(clap::Args)]
pub struct Add {
    /// Its number, digits.
    pub number: String,
}

pub fn run(_command: Command, _loaded: Loaded) -> anyhow::Result<()> {
    anyhow::bail!("`patchbay enterprise` is not in this build")
}
