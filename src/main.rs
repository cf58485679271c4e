//! Patchbay: keeps every call event of every Asterisk host durably and patches each call through.
//! The one binary; see `patchbay::cli` for its subcommands.

use clap::Parser;

fn main() -> std::process::ExitCode {
    match patchbay::cli::run(patchbay::cli::Cli::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("patchbay: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
