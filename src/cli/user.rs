//! `patchbay user add`: people who log in.

use crate::config::Loaded;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Add a person; the password is asked for, or invented and told once.
    Add(Add),
}

#[derive(clap::Args)]
pub struct Add {
    /// Name to log in with.
    pub login: String,
}

pub fn run(_command: Command, _loaded: Loaded) -> anyhow::Result<()> {
    anyhow::bail!("`patchbay user` is not in this build")
}
