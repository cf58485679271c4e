//! `patchbay serve`: the server, until SIGTERM or SIGINT.

use crate::config::Loaded;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: Args, loaded: Loaded) -> anyhow::Result<()> {
    crate::logging::start(&loaded.settings.log.filter);
    if let Some(file) = &loaded.file {
        log::info!("settings from {}", file.display());
    }
    crate::startup::serve(loaded)
}
