//! Patchbay: keeps every call event of every Asterisk host durably and patches each call through.
//! The one binary; see `patchbay::cli` for its subcommands.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match patchbay::cli::Cli::try_parse() {
        Ok(cli) => cli,
        // A wrong command line fails like everything else, with 1; asking for help is no failure.
        Err(words) => {
            let _told = words.print();
            return ExitCode::from(u8::from(words.use_stderr()));
        }
    };
    match patchbay::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("patchbay: {error:#}");
            ExitCode::FAILURE
        }
    }
}
