//! `patchbay config`: what is in effect, so that nobody has to guess which file or variable won.

use crate::config::Loaded;

#[derive(clap::Args)]
pub struct Args {}

/// Prints the default file with the values in effect; where one is not the default, its source.
pub fn run(_args: Args, loaded: Loaded) -> anyhow::Result<()> {
    use std::io::Write;
    let text = match &loaded.file {
        Some(file) => format!("# settings file: {}\n\n{}", file.display(), loaded.print()),
        None => loaded.print(),
    };
    // A reader that stops early (`| head`) is no failure.
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
