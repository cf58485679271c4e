//! Puts the house together and opens the door; closes both in the right order. The only place that knows all parts.

use std::sync::Arc;

use actix_web::web;
use anyhow::Context as _;

use crate::config::{Loaded, Settings};
use crate::state::App;
use crate::web::render::{Pages, find_assets};
use crate::web::serve::{Listening, listen};
use crate::web::session::throttle::Throttle;

/// Runs the server until SIGTERM or SIGINT.
pub fn serve(loaded: Loaded) -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(run(Arc::new(loaded.settings)))
}

async fn run(settings: Arc<Settings>) -> anyhow::Result<()> {
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let pages = Pages::load(&find_assets(&settings.server.assets)?)?;
    let throttle = Throttle::new(&settings.session);
    let app = web::Data::new(App {
        settings,
        pages,
        throttle,
        stopping,
    });
    let Listening { server, addresses } = listen(app.clone())?;
    for address in &addresses {
        log::info!("listening on http://{address}");
    }
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);

    let signal = wait_for_signal().await?;
    log::info!("{signal}: no new requests; finishing what is under way");
    let _ = stop.send(true);
    handle.stop(true).await;
    running.await.context("the server's task ended badly")??;
    log::info!("stopped");
    Ok(())
}

/// The first of the two signals that ask a program to stop.
async fn wait_for_signal() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
