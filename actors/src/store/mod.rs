//! What is remembered; the only SQL in the project. Called by the call registry, the integrations, Telegram, the
//! cache and the pages; knows none of them. Everything blocking runs on this folder's own threads:
//!
//! ```text
//!   commit, settle, write ──► writer (one thread, one transaction for all that waits) ──► database
//!   find ───────────────────► finder (one thread, one query for all that waits)      ──►   "
//!   read ───────────────────► readers (a few threads, r2d2 pool)                     ──►   "
//! ```

pub mod audit;
pub mod calls;
pub(crate) mod checkpoint;
pub mod conn;
pub mod crm_tokens;
pub mod customers;
pub mod deliveries;
pub mod enterprises;
pub mod error;
pub mod finder;
pub mod heartbeat;
pub mod invitations;
pub mod journal;
pub(crate) mod key;
pub mod listen;
pub mod logs;
pub mod memories;
pub mod migrations;
pub mod outbox;
pub mod owed;
pub(crate) mod readers;
pub mod refusals;
pub mod requests;
pub mod retention;
pub(crate) mod schema;
pub mod scratch;
pub mod sessions;
pub mod telegram;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod users;
pub mod vault;
pub mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::call::record::CallId;

pub use conn::Conn;
pub use error::{StoreError, WriteError};
pub use vault::Vault;
pub use writer::job::{
    CallRow, CallState, Commit, Committed, CustomerChange, Merge, Settlement, Verdict,
};

/// How the store is run. Every field has a default that suits one machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Reader threads, each with one connection at most.
    pub readers: u32,
    /// Jobs that may wait for the writer; one more is refused with `WriteError::Full`.
    pub queue: usize,
    /// Jobs in one transaction at most.
    pub batch: usize,
    /// From one commit to the next at least, while jobs come thick.
    pub pace: Duration,
    /// How long the outcomes of deliveries wait for company before they are written: nobody waits for them.
    pub settlements: Duration,
    /// Who takes leases: the same after a restart of the same process, another for every process.
    pub owner: String,
    /// How long a lease is ours.
    pub lease: Duration,
    /// Batches in flight at once on PostgreSQL. SQLite has one writer.
    pub postgres_writers: usize,
    /// How often SQLite's log is moved into its file.
    pub checkpoint_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            readers: 4,
            queue: 10_000,
            batch: 512,
            pace: Duration::from_millis(8),
            settlements: Duration::from_millis(25),
            owner: "patchbay".into(),
            lease: Duration::from_secs(60),
            postgres_writers: 2,
            checkpoint_every: Duration::from_secs(1),
        }
    }
}

/// The store's handle: cheap to clone. When the last one is dropped its threads finish what waits and end.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    place: conn::Place,
    vault: Vault,
    options: Options,
    writer: writer::Writer,
    finder: finder::Finder,
    readers: readers::Readers,
    _checkpoint: Option<checkpoint::Checkpoint>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("place", &self.inner.place)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database, runs pending migrations, checks the secret key and starts the threads. Blocks: call it
    /// from `main` or a plain thread, before actix, never from async code.
    ///
    /// # Errors
    /// `Url` for a wrong URL, `Away` when the database does not answer, `Refused` for a failed migration, `Sealed`
    /// when what is stored was sealed with another key.
    pub fn open(url: &str, vault: Vault, options: Options) -> Result<Store, StoreError> {
        let place = conn::Place::parse(url)?;
        let mut conn = place.connect()?;
        for name in migrations::run(&mut conn)? {
            log::info!("migration {name} done");
        }
        key::check(&mut conn, &vault)?;
        let readers = readers::Readers::start(&place, options.readers)?;
        let finder = finder::Finder::start(place.clone(), options.queue)?;
        let writer = writer::Writer::start(place.clone(), &options)?;
        let checkpoint = if place.is_sqlite() {
            Some(checkpoint::Checkpoint::start(
                place.clone(),
                options.checkpoint_every,
            )?)
        } else {
            None
        };
        Ok(Store {
            inner: Arc::new(Inner {
                place,
                vault,
                options,
                writer,
                finder,
                readers,
                _checkpoint: checkpoint,
            }),
        })
    }

    /// The vault that seals this store's secrets.
    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// The options it was opened with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Where the data is.
    pub fn place(&self) -> &conn::Place {
        &self.inner.place
    }

    /// Runs `work` on a reader thread. For reading, and for claims that are one statement.
    ///
    /// # Errors
    /// What `work` gave; `Away` when no connection can be had; `Panicked` when `work` panicked.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.readers.run(work).await
    }

    /// Runs `work` in a transaction of the writer's. For writes that people cause; one failing hurts no other.
    ///
    /// # Errors
    /// What `work` gave, in which case nothing of it stays; `Full`, `Away` or `Panicked`.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.writer.run(work).await
    }

    /// Commits one event with everything it made of its call. When this gives `Ok` it is durable.
    ///
    /// # Errors
    /// `Full` when too much waits, `Away` when the database cannot take it now (answer 503), `Refused` when it never
    /// will take this one.
    pub async fn commit(&self, commit: Commit) -> Result<Committed, WriteError> {
        self.inner.writer.commit(commit).await
    }

    /// Records what became of a delivery, with its log row.
    ///
    /// # Errors
    /// As `commit`.
    pub async fn settle(&self, settlement: Settlement) -> Result<(), WriteError> {
        self.inner.writer.settle(settlement).await
    }

    /// Which call of the enterprise any of these unique ids belongs to: by events that carried it, or as a call's linked
    /// id. The earliest id of the list that is known decides. Merged calls lead to
    /// their survivor. Look-ups that wait at the same time become one query.
    ///
    /// # Errors
    /// `Away`, `Full` or `Panicked`.
    pub async fn find(
        &self,
        enterprise: i64,
        ids: Vec<String>,
    ) -> Result<Option<finder::Found>, StoreError> {
        self.inner.finder.find(enterprise, ids).await
    }

    /// How the writer is doing, for `/health` and `/metrics`.
    pub fn writer_state(&self) -> writer::state::Observed {
        self.inner.writer.observed()
    }
}

/// Makes `CallId`s that grow with time: milliseconds since 1970 shifted by 20 bits, and a counter below, so that
/// ids of one process are unique and ordered and those of several very nearly so.
pub fn new_call_id(now: chrono::DateTime<chrono::Utc>) -> CallId {
    use std::sync::atomic::{AtomicI64, Ordering};
    static LAST: AtomicI64 = AtomicI64::new(0);
    let floor = now.timestamp_millis() << 20;
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        Some(floor.max(last + 1))
    });
    CallId(floor.max(last.unwrap_or(0) + 1))
}
