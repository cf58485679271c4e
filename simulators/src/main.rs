//! Runs the simulators by themselves, for the demo and for benchmarks.

use clap::Parser;
use simulators::{amocrm, bitrix24, moysklad, retailcrm, telegram, uon, webhook};

/// Strict stand-ins for the CRMs, a receiver of webhooks and the Telegram Bot API.
#[derive(Debug, Parser)]
struct Options {
    /// Where RetailCRM listens.
    #[arg(long, default_value = "127.0.0.1:9101")]
    retailcrm: String,
    /// Where the Telegram Bot API listens.
    #[arg(long, default_value = "127.0.0.1:9102")]
    telegram: String,
    /// Where the receiver of webhooks listens.
    #[arg(long, default_value = "127.0.0.1:9103")]
    webhook: String,
    /// Where amoCRM listens.
    #[arg(long, default_value = "127.0.0.1:9104")]
    amocrm: String,
    /// Where Bitrix24 listens.
    #[arg(long, default_value = "127.0.0.1:9105")]
    bitrix24: String,
    /// Where U-ON.Travel listens.
    #[arg(long, default_value = "127.0.0.1:9107")]
    uon: String,
    /// Where MoySklad listens.
    #[arg(long, default_value = "127.0.0.1:9106")]
    moysklad: String,
    /// Telegram chats come into being when they are written to.
    #[arg(long)]
    any_chat: bool,
    /// Without rate limits.
    #[arg(long)]
    no_limits: bool,
}

fn main() -> anyhow::Result<()> {
    env_logger::init_from_env(env_logger::Env::default().default_filter_or("info"));
    let options = Options::parse();
    actix_rt::System::new().block_on(async {
        let mut crm = retailcrm::Settings::default();
        let mut bots = telegram::Settings {
            any_chat: options.any_chat,
            ..telegram::Settings::default()
        };
        if options.no_limits {
            (crm, bots) = (crm.without_limits(), bots.without_limits());
        }
        let crm = retailcrm::start(&options.retailcrm, crm).await?;
        log::info!("RetailCRM on {}, key demo-key", crm.base_url);
        let bots = telegram::start(&options.telegram, bots).await?;
        log::info!(
            "Telegram Bot API on {}, token {}",
            bots.base_url,
            telegram::NewBot::demo().token
        );
        let mut amo = amocrm::Settings::default();
        if options.no_limits {
            amo = amo.without_limits();
        }
        let token = amo.token.clone();
        let amo = amocrm::start(&options.amocrm, amo).await?;
        log::info!("amoCRM on {}, token {token}", amo.base_url);
        let mut portal = bitrix24::Settings::default();
        if options.no_limits {
            portal = portal.without_limits();
        }
        let path = portal.webhook_path();
        let portal = bitrix24::start(&options.bitrix24, portal).await?;
        log::info!(
            "Bitrix24 on {}, webhook {}{path}",
            portal.base_url,
            portal.base_url
        );
        let mut cabinet = uon::Settings::default();
        if options.no_limits {
            cabinet = cabinet.without_limits();
        }
        let key = cabinet.key.clone();
        let cabinet = uon::start(&options.uon, cabinet).await?;
        log::info!("U-ON.Travel on {}, key {key}", cabinet.base_url);
        let mut sklad = moysklad::Settings::default();
        if options.no_limits {
            sklad = sklad.without_limits();
        }
        let (key, token) = (sklad.phone_key.clone(), sklad.token.clone());
        let sklad = moysklad::start(&options.moysklad, sklad).await?;
        log::info!("MoySklad on {}, key {key}, token {token}", sklad.base_url);
        let receiver = webhook::Settings::default();
        let secret = receiver.secrets.join(", ");
        let receiver = webhook::start(&options.webhook, receiver).await?;
        log::info!("webhooks on {}, secret {secret}", receiver.base_url);
        actix_rt::signal::ctrl_c().await?;
        receiver.stop().await;
        cabinet.stop().await;
        portal.stop().await;
        sklad.stop().await;
        amo.stop().await;
        crm.stop().await;
        bots.stop().await;
        Ok(())
    })
}
