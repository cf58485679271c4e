//! `patchbay demo`: run a server with a made-up enterprise, CRM and Telegram, and calls going through it.

use std::net::IpAddr;

#[derive(clap::Args)]
pub struct Args {
    /// Address to listen on; beyond this machine the password is an invented one.
    #[arg(long, default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Calls begun in a minute, on average.
    #[arg(long, value_name = "N", default_value_t = 12.0)]
    pub calls_per_minute: f64,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.calls_per_minute > 0.0 && args.calls_per_minute.is_finite(),
        "--calls-per-minute is a number above 0"
    );
    // What is printed should stay in sight: only what goes wrong is logged.
    crate::logging::start("warn");
    crate::demo::run(crate::demo::Options {
        bind: args.bind,
        calls_per_minute: args.calls_per_minute,
    })
}
