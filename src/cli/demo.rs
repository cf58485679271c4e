//! `patchbay demo`: Run a server with a made-up enterprise, CRM and Telegram, and calls going through it.

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("`patchbay demo` is not in this build")
}
