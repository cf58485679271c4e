//! Puts the house together and opens the door; closes both in the right order. The only place that knows all parts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::ServerHandle;
use actix_web::web;
use actors::live::Board;
use actors::store::audit::{self, NewEntry};
use actors::store::calls::{self, Filter};
use actors::store::users::{self, NewUser};
use actors::store::{Options, Store};
use anyhow::Context as _;
use chrono::Utc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Loaded, Settings};
use crate::debug_log::{self, DebugLog};
use crate::house::House;
use crate::state::App;
use crate::web::emulator::runs::Runs;
use crate::web::enterprise::trials::Trials;
use crate::web::events::gauge::Gauge;
use crate::web::events::refusal::Refusals;
use crate::web::render::{Pages, find_assets};
use crate::web::retailcrm::Turns;
use crate::web::serve::{Listening, listen};
use crate::web::session::password;
use crate::web::session::policy::Role;
use crate::web::session::throttle::Throttle;

/// Runs the server until SIGTERM or SIGINT.
pub fn serve(loaded: Loaded) -> anyhow::Result<()> {
    let settings = Arc::new(loaded.settings);
    // Before actix: opening runs migrations and blocks.
    let store = open_store(&settings)?;
    actix_web::rt::System::new().block_on(run(settings, store))
}

/// Opens the database of the settings and brings it to this version's form.
pub fn open_store(settings: &Settings) -> anyhow::Result<Store> {
    let vault = crate::vault_key::open(settings)?;
    // A SQLite file has one process, wherever it listens.
    let alone = settings.database.url.starts_with("sqlite");
    let owner = match alone {
        true => Options::default().owner,
        false => settings.server.process(),
    };
    let options = Options {
        owner,
        readers: settings.database.pool,
        queue: settings.events.queue,
        lease: settings.deliveries.lease.0,
        pace: settings.database.pace.0,
        ..Options::default()
    };
    Store::open(&settings.database.url, vault, options).context("`database.url`")
}

/// The state of a server on this store. Runs inside an actix system.
pub async fn build(
    settings: Arc<Settings>,
    store: Store,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<App> {
    let pages = Pages::load(&find_assets(&settings.server.assets)?)?;
    let throttle = Throttle::new(&settings.session);
    let House {
        store,
        cache,
        board,
        calls,
        integrations,
        telegram,
        names,
        hosts,
        requests,
        redirects,
    } = House::start(&settings, store).await?;
    show_ended(&store, &board).await?;
    let debug_log = DebugLog::start(debug_log::Place {
        folder: settings.log.folder.clone().into(),
        rotate_size: settings.log.rotate_size.0 as u64,
        rotate_keep: settings.log.rotate_keep,
    })?;
    Ok(App {
        names,
        hosts,
        requests,
        redirects,
        debug_log,
        gauge: Gauge::new(&settings.events),
        heard: crate::web::events::heard::Heard::default(),
        refusals: Refusals::new(settings.events.keep_refusals),
        settings,
        store,
        cache,
        board,
        calls,
        integrations,
        telegram,
        started: Instant::now(),
        runs: Runs::default(),
        trials: Trials::default(),
        modules: Turns::default(),
        boot: format!("{:08x}", rand::random::<u32>()),
        pages,
        throttle,
        stopping,
    })
}

/// The live page's lower part after a restart: the last ended calls of the table.
async fn show_ended(store: &Store, board: &Board) -> anyhow::Result<()> {
    const SHOWN: i64 = 1000;
    let ended = store
        .read(|conn| calls::page(conn, &Filter::default(), 0, SHOWN))
        .await?;
    for call in ended.into_iter().rev() {
        board.publish(Arc::new(call.record));
    }
    Ok(())
}

async fn run(settings: Arc<Settings>, store: Store) -> anyhow::Result<()> {
    if settings.calls.lost_after.as_secs() < 60 {
        log::warn!(
            "`calls.lost_after` is under a minute: a longer silence within a call ends it as lost"
        );
    }
    greet_first_start(&store).await?;
    let running = start(settings, store).await?;
    let signal = wait_for_signal().await?;
    log::info!("{signal}: no new requests; finishing what is under way");
    running.stop().await?;
    log::info!("stopped");
    Ok(())
}

/// A server that answers requests.
pub struct Running {
    app: web::Data<App>,
    /// Where it listens: port 0 resolved.
    pub addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
    stopping: watch::Sender<bool>,
}

/// Starts everything and opens the door. Runs inside an actix system.
pub async fn start(settings: Arc<Settings>, store: Store) -> anyhow::Result<Running> {
    let (stopping, seen) = watch::channel(false);
    let app = web::Data::new(build(settings, store, seen).await?);
    let Listening { server, addresses } = listen(app.clone())?;
    for address in &addresses {
        log::info!("listening on http://{address}");
    }
    Ok(Running {
        app,
        addresses,
        handle: server.handle(),
        task: actix_web::rt::spawn(server),
        stopping,
    })
}

impl Running {
    /// Takes no new requests, lets those under way finish, then the deliveries; all within the settings' time.
    ///
    /// # Errors
    /// When the HTTP server ended badly.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stopping.send_replace(true);
        self.handle.stop(true).await;
        self.task.await.context("the server's task ended badly")??;
        let limit = *self.app.settings.server.stop_timeout;
        futures_util::future::join(
            self.app.integrations.finish(limit),
            self.app.telegram.stop(limit),
        )
        .await;
        Ok(())
    }
}

/// With no superadmin in the database: makes the superadmin `admin` and tells the password once, on the terminal and not in
/// the log. `PATCHBAY_SUPERADMIN_PASSWORD` gives one instead.
async fn greet_first_start(store: &Store) -> anyhow::Result<()> {
    let known = store.read(|conn| users::list(conn, None)).await?;
    if known
        .iter()
        .any(|user| user.role == Role::Superadmin.as_str())
    {
        return Ok(());
    }
    let given = std::env::var("PATCHBAY_SUPERADMIN_PASSWORD")
        .ok()
        .filter(|given| !given.is_empty());
    if let Some(given) = &given {
        anyhow::ensure!(
            given.chars().count() >= password::SHORTEST,
            "PATCHBAY_SUPERADMIN_PASSWORD is shorter than {} characters",
            password::SHORTEST
        );
    }
    let told = given.is_none();
    let word = given.unwrap_or_else(password::invent);
    let new = NewUser {
        enterprise: None,
        login: "admin".into(),
        full_name: String::new(),
        role: Role::Superadmin.as_str().into(),
        password_hash: password::hash(&word)?,
        password_once: told,
        language: String::new(),
    };
    let entry = NewEntry {
        enterprise: None,
        user: None,
        who: "first start".into(),
        action: "user.add".into(),
        what: serde_json::json!({"login": new.login, "role": new.role}),
    };
    store
        .write(move |conn| {
            let now = Utc::now();
            users::add(conn, &new, now)?;
            audit::add(conn, &entry, now)
        })
        .await?;
    log::info!("first start: made the superadmin \"admin\"");
    if told {
        println!(
            "\n  Log in as:  admin\n  Password:   {word}\n  It is shown this once; another is chosen after the first login.\n"
        );
    }
    Ok(())
}

/// The first of the two signals that ask a program to stop.
pub async fn wait_for_signal() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
