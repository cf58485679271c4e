//! Starts a simulator on an address and stops it. Called by the `start` of each; it never decides what is served.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};
use anyhow::Context;

/// A simulator that is listening.
#[derive(Debug)]
pub struct Running<S> {
    /// The address it listens on; the port is the real one even if 0 was asked for.
    pub addr: SocketAddr,
    /// `http://127.0.0.1:port`, without a slash at the end.
    pub base_url: String,
    /// What it remembers; may be read and changed from any thread.
    pub state: Arc<S>,
    handle: ServerHandle,
}

impl<S> Running<S> {
    /// Closes the listener and all connections at once.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }

    /// The server's handle, for callers that stop several things together.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }
}

/// Listens on `bind` inside the caller's actix system, with one worker and without signal handlers.
///
/// # Errors
/// When the address cannot be bound.
pub fn start<S, F, C>(bind: &str, state: Arc<S>, configure: F) -> anyhow::Result<Running<S>>
where
    F: Fn(Arc<S>) -> C + Send + Clone + 'static,
    C: FnOnce(&mut ServiceConfig),
    S: Send + Sync + 'static,
{
    let shared = state.clone();
    let server = HttpServer::new(move || App::new().configure(configure(shared.clone())))
        .workers(1)
        .disable_signals()
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(1)
        .bind(bind)
        .with_context(|| format!("cannot listen on {bind}"))?;
    let addr = server
        .addrs()
        .first()
        .copied()
        .context("no address was bound")?;
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    Ok(Running {
        addr,
        base_url: format!("http://{addr}"),
        state,
        handle,
    })
}

/// Runs `start` in a thread with an actix system of its own, for callers that have none.
///
/// # Errors
/// When the thread or the server cannot be started.
pub fn start_in_thread<S, F>(start: F) -> anyhow::Result<Running<S>>
where
    F: AsyncFnOnce() -> anyhow::Result<Running<S>> + Send + 'static,
    S: Send + Sync + 'static,
{
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new()
        .name("simulator".into())
        .spawn(move || {
            let system = actix_rt::System::new();
            let started = system.block_on(start());
            let alive = started.is_ok();
            if tell.send(started).is_ok() && alive {
                // The system runs until the process ends; stopping the server leaves it idle.
                let _ = system.run();
            }
        })?;
    told.recv().context("the simulator's thread ended early")?
}
