//! The parent of all links: starts them on demand, hears of their deaths, puts idle ones away, and every second
//! looks into the table for what no nudge told. Started by `handle.rs`, which also reaches running links past it. Sends
//! nothing to a CRM and settles nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_rt::ArbiterHandle;
use chrono::Utc;
use tokio::sync::watch;

use super::actor::{Finish, Link, Look};
use super::observed::Observed;
use super::settings::Settings;
use crate::cache::Cache;
use crate::crm;
use crate::store::{Store, StoreError, outbox};

/// Deaths within a minute after which a link rests before it is started again.
const BUDGET: usize = 5;
const REST: Duration = Duration::from_secs(30);
/// Every so many looks: rows that came too late, leases that ran out.
const SWEEP: u64 = 4;
/// Rows closed as too late at a time.
const OVERDUE: i64 = 2_000;

/// One enterprise's link to one kind of CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkId {
    pub enterprise: i64,
    pub kind: &'static str,
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of enterprise {}", self.kind, self.enterprise)
    }
}

/// What every link needs.
pub struct House {
    pub store: Store,
    pub cache: Cache,
    pub settings: Settings,
}

/// A running link.
#[derive(Clone)]
pub struct Entry {
    pub addr: Addr<Link>,
    pub seen: watch::Receiver<Observed>,
    /// Tells a link from the one that was there before it.
    birth: u64,
}

/// What the registry shares with the handle: whoever has a nudge finds the link without asking the registry.
pub struct Shared {
    pub house: Arc<House>,
    links: RwLock<HashMap<LinkId, Entry>>,
    registry: RwLock<Option<Addr<Registry>>>,
    /// Deaths within the last minute.
    deaths: Mutex<HashMap<LinkId, Vec<Instant>>>,
    births: AtomicU64,
    arbiters: Vec<ArbiterHandle>,
}

impl Shared {
    /// With arbiters that are running; the registry is started by `launch`.
    pub fn new(house: House, arbiters: Vec<ArbiterHandle>) -> Arc<Self> {
        let links = RwLock::new(HashMap::new());
        Arc::new(Self {
            house: Arc::new(house),
            links,
            registry: RwLock::new(None),
            deaths: Mutex::default(),
            births: AtomicU64::new(0),
            arbiters,
        })
    }

    /// The link, if it runs.
    pub fn find(&self, id: LinkId) -> Option<Entry> {
        self.links().get(&id).cloned()
    }

    /// All running links.
    pub fn links(&self) -> RwLockReadGuard<'_, HashMap<LinkId, Entry>> {
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn links_mut(&self) -> RwLockWriteGuard<'_, HashMap<LinkId, Entry>> {
        self.links.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends to the link, which is started if it does not run. Sent under the lock: a link is never put away between
    /// being found and being sent to, and what one thread sends first arrives first. False when it rests after
    /// too many deaths.
    pub fn send<M>(self: &Arc<Self>, id: LinkId, message: M) -> bool
    where
        M: Message<Result = ()> + Send + 'static,
        Link: Handler<M>,
    {
        {
            let links = self.links();
            if let Some(entry) = links.get(&id).filter(|entry| entry.addr.connected()) {
                entry.addr.do_send(message);
                return true;
            }
        }
        self.started(id, |addr| addr.do_send(message)).is_some()
    }

    /// The link's address; started if it does not run.
    pub fn address(self: &Arc<Self>, id: LinkId) -> Option<Addr<Link>> {
        self.started(id, Clone::clone)
    }

    fn started<T>(self: &Arc<Self>, id: LinkId, then: impl FnOnce(&Addr<Link>) -> T) -> Option<T> {
        let mut links = self.links_mut();
        if let Some(entry) = links.get(&id).filter(|entry| entry.addr.connected()) {
            return Some(then(&entry.addr));
        }
        let deaths = {
            let deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
            let deaths = deaths.get(&id).map(Vec::as_slice).unwrap_or_default();
            let resting =
                deaths.len() > BUDGET && deaths.last().is_some_and(|last| last.elapsed() < REST);
            if resting {
                return None;
            }
            u32::try_from(deaths.len()).unwrap_or(u32::MAX)
        };
        let observed = Observed {
            enterprise: id.enterprise,
            integration: id.kind.to_owned(),
            deaths,
            idle_since: Some(Utc::now()),
            ..Observed::default()
        };
        let (tell, seen) = watch::channel(observed);
        let birth = self.births.fetch_add(1, Relaxed);
        let (house, shared) = (Arc::clone(&self.house), Arc::clone(self));
        let addr = Link::start_in_arbiter(self.arbiter(id)?, move |_| {
            Link::new(id, house, tell, ExitGuard { id, birth, shared })
        });
        let outcome = then(&addr);
        links.insert(id, Entry { addr, seen, birth });
        Some(outcome)
    }

    /// Notes a death; gives how long the link is to rest.
    fn note_death(&self, id: LinkId) -> Duration {
        let now = Instant::now();
        let mut deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        let deaths = deaths.entry(id).or_default();
        deaths.retain(|at| now - *at < Duration::from_secs(60));
        deaths.push(now);
        if deaths.len() > BUDGET {
            REST
        } else {
            Duration::ZERO
        }
    }

    /// The registry, unless it is just being started again.
    pub fn registry(&self) -> Option<Addr<Registry>> {
        self.registry
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stops the threads.
    pub fn stop_arbiters(&self) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }

    fn arbiter(&self, id: LinkId) -> Option<&ArbiterHandle> {
        let number = usize::try_from(id.enterprise.unsigned_abs()).unwrap_or(0) + id.kind.len();
        self.arbiters.get(number % self.arbiters.len().max(1))
    }
}

/// A link ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Exited {
    id: LinkId,
    birth: u64,
    panicked: bool,
}

/// Owned by a link; tells the registry of its end, also while it unwinds.
pub struct ExitGuard {
    id: LinkId,
    birth: u64,
    shared: Arc<Shared>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        if let Some(registry) = self.shared.registry() {
            registry.do_send(Exited {
                id: self.id,
                birth: self.birth,
                panicked: std::thread::panicking(),
            });
        }
    }
}

/// See the head of the file.
pub struct Registry {
    shared: Arc<Shared>,
    looks: u64,
    looking: bool,
    _watch: Rebirth,
}

/// Starts the registry again should a panic end it: nobody else watches it.
struct Rebirth(Arc<Shared>);

impl Drop for Rebirth {
    fn drop(&mut self) {
        if std::thread::panicking() {
            Registry::launch(&self.0);
        }
    }
}

impl Registry {
    /// Starts it on the first arbiter.
    pub fn launch(shared: &Arc<Shared>) {
        let Some(arbiter) = shared.arbiters.first() else {
            return;
        };
        let state = Arc::clone(shared);
        let addr = Registry::start_in_arbiter(arbiter, move |_| Registry {
            _watch: Rebirth(Arc::clone(&state)),
            shared: state,
            looks: 0,
            looking: false,
        });
        *shared
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(addr);
    }

    /// What the table holds that no nudge told.
    fn look(&mut self, ctx: &mut Context<Self>) {
        self.retire_idle();
        if self.looking {
            return;
        }
        self.looking = true;
        self.looks += 1;
        let sweep = self.looks % SWEEP == 1;
        let store = self.shared.house.store.clone();
        let work = async move {
            if sweep {
                sweep_table(&store).await?;
            }
            store.read(|conn| outbox::waiting(conn, Utc::now())).await
        };
        ctx.spawn(work.into_actor(self).map(|waiting, registry, _| {
            registry.looking = false;
            match waiting {
                Err(error) => log::warn!("the outbox cannot be looked into: {error}"),
                Ok(links) => {
                    for (enterprise, integration) in links {
                        // A kind this program does not know: another version's; its rows are closed when too old.
                        let Some(kind) = crm::find(&integration) else {
                            continue;
                        };
                        let id = LinkId {
                            enterprise,
                            kind: kind.name,
                        };
                        registry.shared.send(id, Look);
                    }
                }
            }
        }));
    }

    fn retire_idle(&mut self) {
        let limit = chrono::Duration::milliseconds(
            i64::try_from(self.shared.house.settings.idle_ms).unwrap_or(i64::MAX),
        );
        let now = Utc::now();
        // Under the lock, like `Shared::send`: nothing can be sent to a link after it was taken out.
        self.shared.links_mut().retain(|_, entry| {
            let seen = entry.seen.borrow();
            let keep = !seen.is_idle()
                || seen.paused
                || seen.idle_since.is_none_or(|since| now - since < limit);
            if !keep {
                entry.addr.do_send(Finish);
            }
            keep
        });
    }
}

/// Closes what came too late and frees what nobody is at any more.
async fn sweep_table(store: &Store) -> Result<(), StoreError> {
    let overdue = store
        .read(|conn| outbox::overdue(conn, Utc::now(), OVERDUE))
        .await?;
    if !overdue.is_empty() {
        let count = store
            .write(move |conn| outbox::close_overdue(conn, &overdue, Utc::now()))
            .await?;
        metrics::counter!("patchbay_deliveries_total", "integration" => "any", "result" => "missed").increment(count as u64);
    }
    store
        .write(|conn| outbox::reclaim(conn, Utc::now()))
        .await?;
    let backlog = store.read(outbox::backlog).await?;
    let mut sums: HashMap<String, i64> = crm::KINDS
        .iter()
        .map(|kind| (kind.name.to_owned(), 0))
        .collect();
    for (_, integration, count) in backlog {
        *sums.entry(integration).or_default() += count;
    }
    for (integration, count) in sums {
        metrics::gauge!("patchbay_deliveries_open", "integration" => integration).set(count as f64);
    }
    Ok(())
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let every = Duration::from_millis(self.shared.house.settings.look_every_ms.max(10));
        self.look(ctx);
        ctx.run_interval(every, |registry, ctx| registry.look(ctx));
    }
}

impl Handler<Exited> for Registry {
    type Result = ();

    fn handle(&mut self, exited: Exited, ctx: &mut Self::Context) {
        let Exited {
            id,
            birth,
            panicked,
        } = exited;
        {
            let mut links = self.shared.links_mut();
            if links.get(&id).is_some_and(|entry| entry.birth == birth) {
                links.remove(&id);
            }
        }
        if !panicked {
            return;
        }
        let rest = self.shared.note_death(id);
        log::error!("{id}: its actor died; it is started again in {rest:?}");
        metrics::counter!("patchbay_actor_deaths_total", "actor" => "integration").increment(1);
        ctx.run_later(rest, move |registry, ctx| {
            // First the new one, which recognises what it is handed in the meantime; then what the dead one held.
            if registry.shared.address(id).is_none() {
                return;
            }
            let (store, shared) = (registry.shared.house.store.clone(), registry.shared.clone());
            let work = async move {
                let owner = store.options().owner.clone();
                let link = (id.enterprise, id.kind);
                let freed = store
                    .write(move |conn| outbox::put_back_all(conn, &owner, Some(link)))
                    .await;
                if let Err(error) = freed {
                    log::warn!("{id}: what it held is free only when its leases end: {error}");
                }
                shared.send(id, Look);
            };
            ctx.spawn(work.into_actor(registry));
        });
    }
}
