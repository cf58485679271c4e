//! `patchbay migrate`: bring the database to this version's form.

use crate::config::Loaded;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _loaded: Loaded) -> anyhow::Result<()> {
    anyhow::bail!("`patchbay migrate` is not in this build")
}
