//! `patchbay emulate`: send the events of made-up calls to a server.

use crate::config::Loaded;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: Args, _settings: impl Fn() -> anyhow::Result<Loaded>) -> anyhow::Result<()> {
    anyhow::bail!("`patchbay emulate` is not in this build")
}
