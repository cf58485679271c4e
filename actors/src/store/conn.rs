//! One connection of either database, and the one way a transaction is made. Used by every file of
//! `store/`; nothing outside this folder sees the macro or the enum's arms. Never called from async code.

use std::time::{Duration, Instant};

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::r2d2::R2D2Connection;
use diesel::{Connection, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};

use super::StoreError;

/// A PostgreSQL connection that blocks its thread, on a runtime of its own.
pub(crate) type PgConn = AsyncConnectionWrapper<AsyncPgConnection, OwnRuntime>;

/// A connection to either database; one query text serves both.
#[expect(
    clippy::large_enum_variant,
    reason = "a handful exist, each on its own thread"
)]
pub enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConn),
}

/// Compiles the same diesel expression for both kinds of connection.
macro_rules! on {
    ($conn:expr, $inner:ident => $body:expr) => {
        match $conn {
            $crate::store::conn::Conn::Sqlite($inner) => $body,
            $crate::store::conn::Conn::Postgres($inner) => $body,
        }
    };
}
pub(crate) use on;

/// The runtime under a PostgreSQL connection. diesel-async's default one has no timers, with which
/// `connect_timeout` panics, and inside an arbiter it would borrow the arbiter's own runtime.
pub struct OwnRuntime(tokio::runtime::Runtime);

impl BlockOn for OwnRuntime {
    fn block_on<F: Future>(&self, f: F) -> F::Output {
        self.0.block_on(f)
    }

    #[expect(
        clippy::expect_used,
        reason = "the trait leaves no way to fail; only a process out of file descriptors gets here"
    )]
    fn get_runtime() -> Self {
        OwnRuntime(
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime for a PostgreSQL connection"),
        )
    }
}

/// Where the data is, as the settings' URL says.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// Path of the database file.
    Sqlite(String),
    /// A complete PostgreSQL URL, timeouts included. Holds a password: never printed.
    Postgres(String),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Sqlite(path) => write!(f, "sqlite:{path}"),
            Place::Postgres(_) => write!(f, "postgres://…"),
        }
    }
}

impl Place {
    /// Reads `sqlite:PATH`, `sqlite://PATH`, `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// Words for the operator when the scheme is missing or another one, or when SQLite is asked to live in memory
    /// (several connections could not share it, and nothing would survive).
    pub fn parse(url: &str) -> Result<Place, StoreError> {
        let url = url.trim();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Place::Postgres(with_timeouts(url)));
        }
        if let Some(path) = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
        {
            if path.is_empty() || path.contains(":memory:") {
                return Err(StoreError::Url("the database URL sqlite: needs the path of a file, as in sqlite:///var/lib/patchbay/patchbay.db".into()));
            }
            return Ok(Place::Sqlite(path.to_owned()));
        }
        Err(StoreError::Url(
            "the database URL must begin with sqlite: or postgres://, as in sqlite:///var/lib/patchbay/patchbay.db".into(),
        ))
    }

    /// Whether this is SQLite.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Place::Sqlite(_))
    }

    /// Opens a connection and sets it up.
    ///
    /// # Errors
    /// `Away` with the database's words; never with the URL, which may hold a password.
    pub fn connect(&self) -> Result<Conn, StoreError> {
        match self {
            Place::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(path)
                    .map_err(|e| StoreError::Away(format!("cannot open {path}: {e}")))?;
                conn.batch_execute(SQLITE_SETUP)?;
                Ok(Conn::Sqlite(conn))
            }
            Place::Postgres(url) => {
                let mut conn = PgConn::establish(url)
                    .map_err(|e| StoreError::Away(format!("cannot connect to PostgreSQL: {e}")))?;
                conn.batch_execute(POSTGRES_SETUP)?;
                Ok(Conn::Postgres(conn))
            }
        }
    }
}

/// `synchronous=FULL`: an event answered 200 must survive a power cut. Checkpoints are another thread's work
/// (`checkpoint.rs`), so that no commit waits for one. The cache is small on purpose: SQLite walks through its whole table
/// at nearly every commit. The file is not mapped: a failing disk would then be a signal that ends the process.
/// The busy_timeout comes first: the first look into the file may meet a process that is just closing it.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout=10000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; \
     PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000; \
     PRAGMA journal_size_limit=67108864;";

/// A synchronous call has no timeout of its own, so the server is told to give up. A young database has no statistics
/// yet, and without them PostgreSQL reads whole tables where it has an index for every query of ours; nor is any of
/// them worth compiling.
pub(super) const POSTGRES_SETUP: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
     SET idle_in_transaction_session_timeout = '60s'; SET synchronous_commit = on; SET timezone = 'UTC'; \
     SET enable_seqscan = off; SET jit = off;";

/// Adds the timeouts that the URL does not set itself.
fn with_timeouts(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in [
        ("connect_timeout", "5"),
        ("tcp_user_timeout", "15"),
        ("keepalives_idle", "15"),
    ] {
        if !url.contains(name) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(name);
            url.push('=');
            url.push_str(value);
        }
    }
    url
}

/// The server's URL with another database in it.
pub(crate) fn with_database(server: &str, name: &str) -> String {
    let (front, query) = server
        .split_once('?')
        .map_or((server, None), |(front, query)| (front, Some(query)));
    let host_from = front.find("://").map_or(0, |at| at + 3);
    let front = front[host_from..]
        .find('/')
        .map_or(front, |slash| &front[..host_from + slash]);
    match query {
        Some(query) => format!("{front}/{name}?{query}"),
        None => format!("{front}/{name}"),
    }
}

impl Conn {
    /// Whether this is SQLite.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Conn::Sqlite(_))
    }

    /// Runs `work` in one transaction: committed when it gives `Ok`, rolled back otherwise. On SQLite it begins
    /// IMMEDIATE, because a read that turns into a write fails at once with BUSY whatever the timeout. Inside
    /// another transaction it is a savepoint, so functions that use it compose.
    ///
    /// # Errors
    /// What `work` gave, or the database's refusal to begin or to commit.
    pub fn transaction<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin().map_err(E::from)?;
        match work(self) {
            Ok(value) => {
                self.commit().map_err(E::from)?;
                Ok(value)
            }
            Err(error) => {
                if let Err(rollback) = self.rollback() {
                    log::warn!("a rollback failed: {rollback}");
                }
                Err(error)
            }
        }
    }

    fn depth(&mut self) -> u32 {
        fn of<C: Connection>(conn: &mut C) -> u32 {
            C::TransactionManager::transaction_manager_status_mut(conn)
                .transaction_depth()
                .ok()
                .flatten()
                .map_or(0, u32::from)
        }
        on!(self, c => of(c))
    }

    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        let nested = self.depth() > 0;
        match self {
            Conn::Sqlite(c) if !nested => {
                diesel::connection::AnsiTransactionManager::begin_transaction_sql(
                    c,
                    "BEGIN IMMEDIATE",
                )?
            }
            Conn::Sqlite(c) => begin(c)?,
            Conn::Postgres(c) => begin(c)?,
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        fn of<C: Connection>(conn: &mut C) -> diesel::QueryResult<()> {
            C::TransactionManager::commit_transaction(conn)
        }
        Ok(on!(self, c => of(c))?)
    }

    pub(crate) fn rollback(&mut self) -> Result<(), StoreError> {
        fn of<C: Connection>(conn: &mut C) -> diesel::QueryResult<()> {
            C::TransactionManager::rollback_transaction(conn)
        }
        Ok(on!(self, c => of(c))?)
    }

    /// Rolls back open savepoints until `depth` transactions are left open.
    pub(crate) fn rollback_to(&mut self, depth: u32) -> Result<(), StoreError> {
        while self.depth() > depth {
            self.rollback()?;
        }
        Ok(())
    }

    /// Whether the connection cannot be used again: closed by the other side, or left inside a transaction.
    pub(crate) fn is_broken(&mut self) -> bool {
        self.depth() > 0
            || match self {
                Conn::Sqlite(c) => c.is_broken(),
                Conn::Postgres(c) => c.is_broken(),
            }
    }

    /// Runs statements that give no rows. SQL outside this folder belongs only into tests.
    pub(crate) fn execute_batch(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(on!(self, c => c.batch_execute(sql))?)
    }
}

fn begin<C: Connection>(conn: &mut C) -> diesel::QueryResult<()> {
    C::TransactionManager::begin_transaction(conn)
}

/// Makes connections for the readers' pool.
#[derive(Debug)]
pub(crate) struct Maker(pub Place);

/// A pooled connection, and when it was last seen to work.
pub(crate) struct Pooled {
    pub conn: Conn,
    seen: Instant,
}

/// A PostgreSQL connection that rested longer than this is asked whether it still lives before it is handed out.
const REST: Duration = Duration::from_millis(500);

impl r2d2::ManageConnection for Maker {
    type Connection = Pooled;
    type Error = StoreError;

    fn connect(&self) -> Result<Pooled, StoreError> {
        Ok(Pooled {
            conn: self.0.connect()?,
            seen: Instant::now(),
        })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), StoreError> {
        if let Conn::Postgres(c) = &mut pooled.conn
            && pooled.seen.elapsed() > REST
        {
            c.ping()?;
        }
        pooled.seen = Instant::now();
        Ok(())
    }

    /// A panic inside a transaction leaves it open: such a connection is thrown away.
    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking() || pooled.conn.is_broken()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_chooses_the_database() {
        assert_eq!(
            Place::parse("sqlite:///var/lib/p.db").unwrap(),
            Place::Sqlite("/var/lib/p.db".into())
        );
        assert_eq!(
            Place::parse("sqlite:p.db").unwrap(),
            Place::Sqlite("p.db".into())
        );
        let Place::Postgres(url) = Place::parse("postgres://u:p@h/db?connect_timeout=2").unwrap()
        else {
            panic!("not PostgreSQL")
        };
        assert!(url.starts_with("postgres://u:p@h/db?connect_timeout=2&tcp_user_timeout="));
        for wrong in [
            "/var/lib/p.db",
            "",
            "mysql://x",
            "sqlite:",
            "sqlite::memory:",
        ] {
            assert!(
                matches!(Place::parse(wrong), Err(StoreError::Url(_))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_url_with_a_password_is_not_printed() {
        let place = Place::parse("postgres://u:hidden@h/db").unwrap();
        assert!(!format!("{place:?}").contains("hidden"));
    }
}
