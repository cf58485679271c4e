//! The handle every part reads configuration through: clone it freely, call it from any thread.
//! Reading what is known takes no lock and never waits; only `find_*`, `invalidate` and `refresh` ask the
//! actor. It never touches the database itself.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use actix::Message;
use actix_rt::ArbiterHandle;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::actor::CacheActor;
use super::messages::{Find, Invalidate, Key, Refresh, Reload};
use super::shared::{Shared, UnknownKey};
use super::snapshot::Enterprise;
use super::source::Source;
use super::stats::Stats;
use super::table::{Entry, Table};
use crate::store::listen::Heard;
use crate::store::{Store, StoreError};

/// Every time of the cache, in seconds but for the last two. A settings section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    /// An entry older than this is loaded anew when it is next used or swept.
    pub lifetime_seconds: u64,
    /// Everything is loaded anew this often …
    pub refresh_seconds: u64,
    /// … give or take up to this, so that several servers do not ask at once.
    pub refresh_jitter_seconds: u64,
    /// Expired entries are looked for this often.
    pub sweep_seconds: u64,
    /// How long an unknown token, number or name is answered "unknown" without asking again.
    pub unknown_seconds: u64,
    /// After a failed load, this long until the next try.
    pub retry_seconds: u64,
    /// A load that takes longer has failed.
    pub load_deadline_ms: u64,
    /// Unknown tokens are gathered for this long after the previous question about tokens.
    pub token_gather_ms: u64,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            lifetime_seconds: 90,
            refresh_seconds: 240,
            refresh_jitter_seconds: 60,
            sweep_seconds: 30,
            unknown_seconds: 5,
            retry_seconds: 5,
            load_deadline_ms: 10_000,
            token_gather_ms: 50,
        }
    }
}

/// Not known, and the database could not be asked: neither yes nor no. To a host this is 503, not 403.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not available now: {0}")]
pub struct Unavailable(pub String);

/// An enterprise with the age of what is known of it.
#[derive(Clone, Debug)]
pub struct Cached {
    pub enterprise: Arc<Enterprise>,
    pub cached_at: DateTime<Utc>,
    pub age: Duration,
    /// Past its lifetime and not loaded since: the database may be away.
    pub stale: bool,
}

/// See the module's head.
#[derive(Clone)]
pub struct Cache {
    pub(super) shared: Arc<Shared>,
}

impl Cache {
    /// Starts the cache's actor on `arbiter`. Nothing is loaded yet: await `refresh` before serving.
    pub fn start(source: impl Source, times: Times, arbiter: &ArbiterHandle) -> Cache {
        let cache = Cache::new(times, Some(Arc::new(source)), Some(arbiter.clone()));
        CacheActor::launch(&cache.shared);
        cache
    }

    /// A cache that knows these enterprises and asks nobody: for tests of other parts and for tools.
    pub fn fixed(enterprises: Vec<Enterprise>) -> Cache {
        let cache = Cache::new(Times::default(), None, None);
        cache.shared.install(enterprises, &[], 0);
        cache
    }

    /// Puts an enterprise in place of what is known of it, as a load after a save does: for tests of other parts.
    #[cfg(test)]
    pub(crate) fn replace(&self, enterprise: Enterprise) {
        self.shared.install(vec![enterprise], &[], 0);
    }

    fn new(times: Times, source: Option<Arc<dyn Source>>, arbiter: Option<ArbiterHandle>) -> Cache {
        Cache {
            shared: Arc::new(Shared::new(times, source, arbiter)),
        }
    }

    /// The enterprise with this token, from memory only. Inactive ones too: the caller decides.
    pub fn by_token(&self, token: &str) -> Option<Arc<Enterprise>> {
        let key = self.shared.token_key(token);
        self.read(|table| table.by_token(&key))
    }

    /// The enterprise with this id, from memory only.
    pub fn by_id(&self, id: i64) -> Option<Arc<Enterprise>> {
        self.read(|table| table.by_id(id))
    }

    /// The enterprise with this number, from memory only.
    pub fn by_number(&self, number: &str) -> Option<Arc<Enterprise>> {
        self.read(|table| table.by_number(number))
    }

    /// The enterprise with this name, from memory only; of several, the first made.
    pub fn by_name(&self, name: &str) -> Option<Arc<Enterprise>> {
        self.read(|table| table.by_name(name))
    }

    /// Every enterprise known, in order of id.
    pub fn all(&self) -> Vec<Arc<Enterprise>> {
        let table = self.shared.table.load();
        let mut all: Vec<_> = table
            .entries()
            .map(|entry| entry.enterprise.clone())
            .collect();
        all.sort_unstable_by_key(|enterprise| enterprise.id);
        all
    }

    /// What is known under a number, else under a name, with its age. Counts neither as hit nor as miss.
    pub fn describe(&self, number_or_name: &str) -> Option<Cached> {
        let table = self.shared.table.load();
        let entry = table
            .by_number(number_or_name)
            .or_else(|| table.by_name(number_or_name))?;
        let age = entry.loaded.elapsed();
        Some(Cached {
            enterprise: entry.enterprise.clone(),
            cached_at: entry.loaded_at,
            age,
            stale: age > self.shared.lifetime(),
        })
    }

    /// The enterprise with this token; asks the database once when it is unknown.
    ///
    /// # Errors
    /// The token is not known and the database could not be asked.
    pub async fn find_token(&self, token: &str) -> Result<Option<Arc<Enterprise>>, Unavailable> {
        let key = self.shared.token_key(token);
        if let Some(enterprise) = self.read(|table| table.by_token(&key)) {
            return Ok(Some(enterprise));
        }
        if self.shared.is_unknown(&UnknownKey::Token(key)) {
            return Ok(None);
        }
        self.ask(Find::Token(key, SecretString::from(token))).await
    }

    /// The enterprise with this id; asks the database once when it is unknown.
    ///
    /// # Errors
    /// As `find_token`.
    pub async fn find_id(&self, id: i64) -> Result<Option<Arc<Enterprise>>, Unavailable> {
        match self.by_id(id) {
            Some(enterprise) => Ok(Some(enterprise)),
            None => self.find_key(Key::Id(id)).await,
        }
    }

    /// The enterprise with this number, else with this name; asks the database when neither is known.
    ///
    /// # Errors
    /// As `find_token`.
    pub async fn find(&self, number_or_name: &str) -> Result<Option<Arc<Enterprise>>, Unavailable> {
        let known = self.read(|table| {
            table
                .by_number(number_or_name)
                .or_else(|| table.by_name(number_or_name))
        });
        if known.is_some() {
            return Ok(known);
        }
        if let Some(enterprise) = self
            .find_key(Key::Number(number_or_name.to_owned()))
            .await?
        {
            return Ok(Some(enterprise));
        }
        self.find_key(Key::Name(number_or_name.to_owned())).await
    }

    /// Loads one enterprise anew, now. After it every reader sees what the database held when this was called
    /// or later. `false`: there is no such enterprise (any more).
    ///
    /// # Errors
    /// The database did not answer; what was known stays in use, and is tried again soon.
    pub async fn invalidate(&self, number: &str) -> Result<bool, Unavailable> {
        self.shared.invalidations.fetch_add(1, Ordering::Relaxed);
        self.shared.forget_unknown();
        match self.shared.actor.load_full() {
            Some(actor) => actor
                .send(Invalidate(number.to_owned()))
                .await
                .map_err(|_gone| restarting())?,
            None => Ok(self.describe(number).is_some()),
        }
    }

    /// Loads everything anew, now; returns how many enterprises are known.
    ///
    /// # Errors
    /// As `invalidate`.
    pub async fn refresh(&self) -> Result<usize, Unavailable> {
        self.shared.forget_unknown();
        if let Some(actor) = self.shared.actor.load_full() {
            actor.send(Refresh).await.map_err(|_gone| restarting())??;
        }
        Ok(self.shared.table.load().len())
    }

    /// As `invalidate`, for callers that cannot wait, such as the listener for changes in the database.
    pub fn nudge(&self, number: &str) {
        self.shared.invalidations.fetch_add(1, Ordering::Relaxed);
        self.shared.forget_unknown();
        if let Some(actor) = self.shared.actor.load_full() {
            actor.do_send(Reload(vec![Key::Number(number.to_owned())]));
        }
    }

    /// As `nudge`, by id.
    fn nudge_id(&self, id: i64) {
        self.shared.invalidations.fetch_add(1, Ordering::Relaxed);
        self.shared.forget_unknown();
        if let Some(actor) = self.shared.actor.load_full() {
            actor.do_send(Reload(vec![Key::Id(id)]));
        }
    }

    /// Hears of changes made by other processes or straight in the database, for as long as this cache lives. Does
    /// nothing on SQLite, whose one process makes all changes.
    ///
    /// # Errors
    /// The listening thread cannot be started.
    pub fn listen(&self, store: &Store) -> Result<(), StoreError> {
        let cache = Arc::downgrade(&self.shared);
        let listener = store.listen(move |heard| {
            let Some(shared) = cache.upgrade() else {
                return;
            };
            let cache = Cache { shared };
            match heard {
                Heard::Changed(id) => cache.nudge_id(id),
                // What changed while nobody listened is not known.
                Heard::Listening => cache.nudge_all(),
            }
        })?;
        let mut kept = self
            .shared
            .listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = listener;
        Ok(())
    }

    /// As `refresh`, for callers that cannot wait: the listener after it lost its connection.
    pub fn nudge_all(&self) {
        self.shared.forget_unknown();
        if let Some(actor) = self.shared.actor.load_full() {
            actor.do_send(Reload(vec![Key::All]));
        }
    }

    /// The figures of this moment.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    fn read<'t>(
        &self,
        pick: impl for<'a> FnOnce(&'a Table) -> Option<&'a Arc<Entry>>,
    ) -> Option<Arc<Enterprise>> {
        let table = self.shared.table.load();
        let Some(entry) = pick(&table) else {
            self.shared.misses.add();
            return None;
        };
        self.shared.hits.add();
        if entry.loaded.elapsed() > self.shared.lifetime()
            && entry.claim_reload()
            && let Some(actor) = self.shared.actor.load_full()
        {
            actor.do_send(Reload(vec![Key::Id(entry.enterprise.id)]));
        }
        Some(entry.enterprise.clone())
    }

    async fn find_key(&self, key: Key) -> Result<Option<Arc<Enterprise>>, Unavailable> {
        if self.shared.is_unknown(&UnknownKey::Other(key.clone())) {
            return Ok(None);
        }
        self.ask(Find::Key(key)).await
    }

    async fn ask(&self, find: Find) -> Result<Option<Arc<Enterprise>>, Unavailable>
    where
        Find: Message<Result = Result<Option<Arc<Enterprise>>, Unavailable>>,
    {
        match self.shared.actor.load_full() {
            Some(actor) => actor.send(find).await.map_err(|_gone| restarting())?,
            None => Ok(None),
        }
    }
}

fn restarting() -> Unavailable {
    Unavailable("the cache is being restarted".to_owned())
}
