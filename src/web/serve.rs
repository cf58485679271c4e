//! Opens the listening addresses and runs the HTTP server until it is told to stop. Called by `startup` (and by
//! tests with port 0); makes no decisions about requests.

use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App as Application, HttpServer, Route, web};
use anyhow::Context as _;

use super::session::policy::Area;
use super::system::metrics::recorder;
use super::system::pulse::{EVERY, Pulse};
use super::{gate, routes, statics};
use crate::error::AppError;
use crate::state::App;

/// A server that has its addresses but was not polled yet.
pub struct Listening {
    pub server: Server,
    /// The addresses really taken: port 0 resolved.
    pub addresses: Vec<SocketAddr>,
}

/// Takes the addresses of the settings and prepares the server on them. Runs inside an actix system.
pub fn listen(app: web::Data<App>) -> anyhow::Result<Listening> {
    let settings = app.settings.clone();
    let mut listeners = Vec::new();
    for address in &settings.server.listen {
        let listener = open(*address).with_context(|| {
            format!("cannot listen on {address} (`server.listen`); another program may have it, or it is not an address of this machine")
        })?;
        listeners.push(listener);
    }
    let addresses = listeners
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<Vec<_>, _>>()?;
    let assets = app.pages.assets.clone();
    let pulse = web::Data::new(Pulse::default());
    beat(app.clone(), pulse.clone());
    // Counters that were counted before anybody looked are not lost.
    recorder();
    let mut server = HttpServer::new(move || {
        let assets = assets.clone();
        Application::new()
            .app_data(app.clone())
            .app_data(pulse.clone())
            .configure(move |config| configure(config, &assets))
    })
    .workers(settings.server.worker_count())
    .max_connections(settings.server.max_connections)
    .keep_alive(std::time::Duration::from_secs(75))
    .client_request_timeout(std::time::Duration::from_secs(15))
    .shutdown_timeout(settings.server.stop_timeout.as_secs())
    // Signals are `startup`'s: both of them stop gracefully, and the house after the door.
    .disable_signals();
    for listener in listeners {
        server = server.listen(listener)?;
    }
    Ok(Listening {
        server: server.run(),
        addresses,
    })
}

/// Once a second: the rate of events, and what the throttle may forget.
fn beat(app: web::Data<App>, pulse: web::Data<Pulse>) {
    actix_web::rt::spawn(async move {
        let mut stopping = app.stopping.clone();
        let mut seconds: u64 = 0;
        while !*stopping.borrow() {
            pulse.note(Instant::now(), app.store.writer_state().events);
            seconds += 1;
            if seconds.is_multiple_of(60) {
                app.throttle.sweep();
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                changed = stopping.changed() => if changed.is_err() { return },
            }
        }
    });
}

fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Puts the table, the static files and the answer to everything else into an application.
fn configure(config: &mut web::ServiceConfig, assets: &std::path::Path) {
    let mut resources: Vec<(&'static str, Vec<Route>)> = Vec::new();
    for entry in routes::table() {
        match resources.iter_mut().find(|(path, _)| *path == entry.path) {
            Some((_, routes)) => routes.push(entry.route),
            None => resources.push((entry.path, vec![entry.route])),
        }
    }
    // What cannot be read at all is refused in our own words, as a page where a person asks.
    config.app_data(web::FormConfig::default().error_handler(|error, _| {
        AppError::BadRequest(format!("the form cannot be read: {error}")).into()
    }));
    config.app_data(web::QueryConfig::default().error_handler(|error, _| {
        AppError::BadRequest(format!("the address cannot be read: {error}")).into()
    }));
    config.app_data(web::PathConfig::default().error_handler(|_, _| AppError::NotFound.into()));
    for (path, routes) in resources {
        let resource = routes
            .into_iter()
            .fold(web::resource(path), |resource, route| resource.route(route));
        config.service(resource);
    }
    config.service(statics::files(assets));
    config.default_service(
        web::to(|| async { Err::<&str, AppError>(AppError::NotFound) }).wrap(from_fn(
            |request, next| gate::pass(Area::Public, request, next),
        )),
    );
}
