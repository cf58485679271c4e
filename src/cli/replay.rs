//! `patchbay replay`: Play captured events against a server and compare what they came to.

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("`patchbay replay` is not in this build")
}
