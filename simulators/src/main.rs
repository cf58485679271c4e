//! Runs the simulators by themselves, for the demo and for benchmarks.

use clap::Parser;

/// Strict stand-ins for RetailCRM and the Telegram Bot API.
#[derive(Debug, Parser)]
struct Options {
    /// Where RetailCRM listens.
    #[arg(long, default_value = "127.0.0.1:9101")]
    retailcrm: String,
    /// Where the Telegram Bot API listens.
    #[arg(long, default_value = "127.0.0.1:9102")]
    telegram: String,
    /// Without rate limits.
    #[arg(long)]
    no_limits: bool,
}

fn main() -> anyhow::Result<()> {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("info"));
    let options = Options::parse();
    actix_rt::System::new().block_on(async {
        let mut settings = simulators::retailcrm::Settings::default();
        if options.no_limits {
            settings = settings.without_limits();
        }
        let retailcrm = simulators::retailcrm::start(&options.retailcrm, settings).await?;
        log::info!("RetailCRM on {}", retailcrm.base_url);
        actix_rt::signal::ctrl_c().await?;
        retailcrm.stop().await;
        Ok(())
    })
}
