//! Empty migrated databases of both kinds, for the tests of the whole project (feature `testing`). PostgreSQL is
//! the server that `PATCHBAY_TEST_POSTGRES` names, else a throw-away cluster that the first test of a process starts.
//! When there is neither, the test fails and says so: nothing is skipped.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "test support: a failure here is the test's failure"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::prelude::*;

use super::conn::{Conn, Place, with_database};
use super::{Options, Store, Vault, migrations};

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// An empty migrated database, removed when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    pub kind: Kind,
    pub url: String,
    name: String,
    folder: PathBuf,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

impl TestDatabase {
    /// Makes one. Blocks; call it from a plain thread or with `spawn_blocking`.
    pub fn new(kind: Kind) -> TestDatabase {
        let name = format!(
            "patchbay_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(&name);
        let url = match kind {
            Kind::Sqlite => {
                std::fs::create_dir_all(&folder).expect("a temporary folder");
                format!("sqlite://{}", folder.join("patchbay.db").display())
            }
            Kind::Postgres => {
                let server = server();
                plainly(|| administer(server, &format!("CREATE DATABASE {name}")));
                with_database(server, &name)
            }
        };
        let database = TestDatabase {
            kind,
            url,
            name,
            folder,
        };
        plainly(|| {
            migrations::run(&mut database.place().connect().expect("the test database opens"))
                .expect("migrations run")
        });
        database
    }

    /// A connection to it, for a test's own looking.
    pub fn connect(&self) -> Conn {
        self.place().connect().expect("the test database opens")
    }

    /// A store over it, with a fixed key.
    pub fn store(&self) -> Store {
        self.store_with(Options::default())
    }

    /// A store over it with other options.
    pub fn store_with(&self, options: Options) -> Store {
        plainly(|| Store::open(&self.url, vault(), options).expect("the store opens"))
    }

    fn place(&self) -> Place {
        Place::parse(&self.url).expect("a test database's URL")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        match self.kind {
            Kind::Sqlite => drop(std::fs::remove_dir_all(&self.folder)),
            Kind::Postgres => {
                let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
                // A test that failed must not fail a second time here: that would abort the process.
                let _ = std::thread::spawn(move || {
                    if let Ok(mut conn) = Place::parse(server()).and_then(|place| place.connect()) {
                        let _ = conn.execute_batch(&sql);
                    }
                })
                .join();
            }
        }
    }
}

/// The key of every test's store.
pub fn vault() -> Vault {
    Vault::new(&[7; 32])
}

/// One of each kind.
pub fn databases() -> Vec<TestDatabase> {
    vec![
        TestDatabase::new(Kind::Sqlite),
        TestDatabase::new(Kind::Postgres),
    ]
}

/// Makes one test per database out of functions that take `&TestDatabase`:
/// `for_each_database!(a_resend_changes_nothing, …);`
#[macro_export]
macro_rules! for_each_database {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $name() { super::$name(&$crate::store::testing::TestDatabase::new($crate::store::testing::Kind::Sqlite)); })+
        }
        mod on_postgres {
            $(#[test] fn $name() { super::$name(&$crate::store::testing::TestDatabase::new($crate::store::testing::Kind::Postgres)); })+
        }
    };
}

/// Runs a future to its end on a small runtime: for tests of async functions that are themselves plain.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// PostgreSQL connections must not be used where a runtime is: a test may be async, so this takes another thread.
fn plainly<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn administer(server: &str, sql: &str) {
    Place::parse(server)
        .unwrap()
        .connect()
        .expect("the PostgreSQL for tests answers")
        .execute_batch(sql)
        .expect("an administrative statement");
}

/// The PostgreSQL server for this process' tests.
pub fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("PATCHBAY_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => url,
        _ => start_cluster(false),
    })
}

#[expect(
    clippy::zombie_processes,
    reason = "the watching shell must outlive this process"
)]
/// Starts a cluster in a temporary folder; it is removed when this process has ended. `fsync` is for measuring: tests
/// are quicker without.
pub fn start_cluster(fsync: bool) -> String {
    let binaries = binaries().expect(
        "no PostgreSQL for tests: set PATCHBAY_TEST_POSTGRES to a server where databases may be created, or install postgresql",
    );
    let folder =
        std::env::temp_dir().join(format!("patchbay_cluster_{}_{fsync}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("its number")
        .port();
    let script = format!(
        "set -e; {bin}/initdb -D {data} -U postgres -A trust -E UTF8 --locale=C >/dev/null; \
         {bin}/pg_ctl -D {data} -w -t 60 -l {data}/log -o '-c listen_addresses=127.0.0.1 -p {port} -k {data} -c fsync={fsync} -c max_connections=300' start >/dev/null",
        bin = binaries.display(),
        data = folder.join("data").display(),
        fsync = if fsync { "on" } else { "off" },
    );
    let run = as_postgres(&folder, &script).status().expect("initdb runs");
    assert!(
        run.success(),
        "no PostgreSQL for tests: initdb or pg_ctl in {} failed; see {}",
        binaries.display(),
        folder.display()
    );
    // Nothing runs when a test process ends, so a shell outlives it to stop the cluster.
    let watch = format!(
        "while [ -d /proc/{pid} ]; do sleep 1; done; {bin}/pg_ctl -D {data} -m immediate stop >/dev/null 2>&1; rm -rf {folder}",
        pid = std::process::id(),
        bin = binaries.display(),
        data = folder.join("data").display(),
        folder = folder.display(),
    );
    as_postgres(&folder, &watch)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

/// PostgreSQL refuses to run as root: then everything runs as `postgres`.
fn as_postgres(folder: &Path, script: &str) -> Command {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout.starts_with(b"0\n"));
    if root {
        let owned = Command::new("chown").arg("postgres").arg(folder).status();
        assert!(
            owned.is_ok_and(|status| status.success()),
            "no PostgreSQL for tests: there is no user postgres to run it as"
        );
        let mut command = Command::new("setpriv");
        command
            .args([
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "sh",
                "-c",
                script,
            ])
            .current_dir(folder);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(folder);
        command
    }
}

fn binaries() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    packaged.sort();
    in_path
        .chain(packaged.into_iter().rev())
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// Runs statements straight on a database, for what only a test would do.
pub fn execute(conn: &mut Conn, sql: &str) {
    conn.execute_batch(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// One number out of a query, for a test's own counting.
pub fn number(conn: &mut Conn, sql: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        number: i64,
    }
    let sql = format!("SELECT CAST(({sql}) AS BIGINT) AS number");
    let row: Number = match conn {
        Conn::Sqlite(c) => diesel::sql_query(&sql).get_result(c).unwrap(),
        Conn::Postgres(c) => diesel::sql_query(&sql).get_result(c).unwrap(),
    };
    row.number
}
