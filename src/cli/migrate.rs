//! `patchbay migrate`: bring the database to this version's form. `serve` does the same at its start; this is for
//! those who want to see it done before.

use crate::config::Loaded;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: Args, loaded: Loaded) -> anyhow::Result<()> {
    crate::logging::start(&loaded.settings.log.filter);
    crate::startup::open_store(&loaded.settings)?;
    println!(
        "{} has this version's form",
        crate::config::mask_url(&loaded.settings.database.url)
    );
    Ok(())
}
