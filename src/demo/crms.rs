//! The other CRMs and a receiver of webhooks, as a person of the demo may connect them on the page of integrations. Each
//! listens with what opens it; none is connected beforehand. Used by `demo::run` only.

use std::net::IpAddr;

use actix_web::dev::ServerHandle;
use simulators::server::Running;
use simulators::{amocrm, bitrix24, moysklad, uon, webhook};

use super::{free, reachable};

/// Taken where they are free, in the order below.
const PORTS: [u16; 5] = [9103, 9104, 9105, 9106, 9107];

/// One of them.
pub struct Stand {
    pub title: &'static str,
    pub address: String,
    /// What is entered in its card, in words.
    pub opened_by: String,
    handle: ServerHandle,
}

impl Stand {
    fn of<S>(title: &'static str, running: &Running<S>, opened_by: String) -> Stand {
        Stand {
            title,
            address: reachable(running.addr),
            opened_by,
            handle: running.handle(),
        }
    }

    /// Closes it at once.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

/// Starts them all.
///
/// # Errors
/// When one cannot listen.
pub async fn start(bind: IpAddr) -> anyhow::Result<Vec<Stand>> {
    let mut ports = PORTS.into_iter();
    let mut at = || free(bind, ports.next().unwrap_or_default()).map(|place| place.to_string());
    let (amo, portal, cabinet) = (
        amocrm::Settings::default(),
        // The demo's host records nothing: there is no file to be fetched.
        bitrix24::Settings {
            fetches: false,
            ..bitrix24::Settings::default()
        },
        uon::Settings::default(),
    );
    let (sklad, receiver) = (moysklad::Settings::default(), webhook::Settings::default());
    let words = [
        format!("token {}", amo.token),
        format!("webhook …{}", portal.webhook_path()),
        format!("key {}", cabinet.key),
        format!("key {}, token {}", sklad.phone_key, sklad.token),
        format!("secret {}", receiver.secrets.join(", ")),
    ];
    let [
        amo_words,
        portal_words,
        cabinet_words,
        sklad_words,
        receiver_words,
    ] = words;
    let receiver = webhook::start(&at()?, receiver).await?;
    let amo = amocrm::start(&at()?, amo).await?;
    let portal = bitrix24::start(&at()?, portal).await?;
    let sklad = moysklad::start(&at()?, sklad).await?;
    let cabinet = uon::start(&at()?, cabinet).await?;
    Ok(vec![
        Stand::of("amoCRM", &amo, amo_words),
        Stand::of("Bitrix24", &portal, portal_words),
        Stand::of("MoySklad", &sklad, sklad_words),
        Stand::of("U-ON", &cabinet, cabinet_words),
        Stand::of("Webhook", &receiver, receiver_words),
    ])
}
