//! A throw-away PostgreSQL with the settings it comes with (fsync on), for the time of a benchmark.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// A running cluster in a folder of its own.
pub struct Postgres {
    server: Child,
    port: u16,
    binaries: PathBuf,
    pub version: String,
}

impl Postgres {
    /// Makes a cluster below `folder` and starts it.
    ///
    /// # Errors
    /// When there is no PostgreSQL on this machine or it does not start.
    pub fn start(folder: &Path) -> anyhow::Result<Postgres> {
        let binaries = find_binaries().context(
            "no PostgreSQL: initdb and postgres are neither in PATH nor in /usr/lib/postgresql",
        )?;
        let data = folder.join("postgres");
        std::fs::create_dir_all(&data)?;
        // The server refuses to run as root; its folder must then belong to somebody else, who must reach it.
        if am_root() {
            for above in data.ancestors().filter(|path| path.starts_with(folder)) {
                std::fs::set_permissions(above, std::fs::Permissions::from_mode(0o755))?;
            }
            ensure!(
                Command::new("chown")
                    .arg("postgres")
                    .arg(&data)
                    .status()?
                    .success(),
                "chown failed"
            );
        }
        let made = plain_user(&binaries.join("initdb"))
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .status()?;
        ensure!(made.success(), "initdb failed");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = plain_user(&binaries.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-c", "fsync=on", "-c", "synchronous_commit=on"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let version = Command::new(binaries.join("postgres"))
            .arg("--version")
            .output()?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let postgres = Postgres {
            server,
            port,
            binaries,
            version,
        };
        let until = Instant::now() + Duration::from_secs(30);
        while postgres.sql("postgres", "SELECT 1").is_err() {
            ensure!(
                Instant::now() < until,
                "PostgreSQL did not start within 30 s"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(postgres)
    }

    /// A new empty database; its URL.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn database(&self, name: &str) -> anyhow::Result<String> {
        self.sql(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )?;
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!(
            "postgres://postgres@127.0.0.1:{}/{name}",
            self.port
        ))
    }

    /// Runs a statement through psql.
    ///
    /// # Errors
    /// psql's.
    pub fn sql(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let out = Command::new(find_tool("psql", &self.binaries))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                "-d",
                database,
                "-AtXq",
                "-c",
                statement,
            ])
            .output()?;
        ensure!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// CPU time of all its processes that are alive.
    pub fn cpu(&self) -> Duration {
        super::process::cpu_of_family(self.server.id())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: fast shutdown, so that nothing stays behind in shared memory.
        let _ = Command::new("kill")
            .args(["-INT", &self.server.id().to_string()])
            .status();
        let _ = self.server.wait();
    }
}

fn am_root() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

/// A command as `postgres` when we are root, else as ourselves. `setpriv` replaces itself, so the id is the server's.
fn plain_user(program: &Path) -> Command {
    if am_root() {
        let mut command = Command::new("setpriv");
        command
            .args([
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "--",
            ])
            .arg(program);
        command.current_dir("/");
        command
    } else {
        Command::new(program)
    }
}

fn find_binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&path));
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

fn find_tool(name: &str, binaries: &Path) -> PathBuf {
    let beside = binaries.join(name);
    if beside.exists() {
        beside
    } else {
        PathBuf::from(name)
    }
}
