//! A PostgreSQL of a test's own, to be restarted, starved or killed without hurting other tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A cluster that ends with its test.
pub struct Cluster {
    /// Its folder and whatever keeps that alive.
    data: PathBuf,
    port: u16,
    binaries: PathBuf,
    _folder: tempfile::TempDir,
}

impl Cluster {
    /// A fresh one, in the temporary folder.
    pub fn start() -> Cluster {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().to_owned();
        Cluster::start_in(folder, &place)
    }

    /// A fresh one whose files are in `place`.
    pub fn start_in(folder: tempfile::TempDir, place: &Path) -> Cluster {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        drop(listener);
        for open in [folder.path(), place] {
            let mode = Command::new("chmod").arg("a+rx").arg(open).status();
            assert!(mode.is_ok_and(|status| status.success()));
        }
        let home = place.join("cluster");
        std::fs::create_dir(&home).expect("a folder for the cluster");
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(&home).status();
            assert!(
                owned.is_ok_and(|status| status.success()),
                "there is no user postgres"
            );
        }
        let cluster = Cluster {
            data: home.join("data"),
            port,
            binaries: binaries(),
            _folder: folder,
        };
        // Small WAL files, so that a small disk is enough.
        let made = cluster.run(
            "initdb",
            &[
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--wal-segsize=1",
            ],
        );
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        assert!(cluster.begin(), "the cluster does not start");
        cluster
    }

    /// The URL of its one database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it; true when it answers.
    pub fn begin(&self) -> bool {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -p {} -k {} -c max_wal_size=4MB -c min_wal_size=2MB -c shared_buffers=8MB",
            self.port,
            self.data.display()
        );
        let log = self.data.join("log");
        let log = log.to_string_lossy().into_owned();
        self.run(
            "pg_ctl",
            &["-w", "-t", "60", "-l", &log, "-o", &options, "start"],
        )
        .status
        .success()
    }

    /// As after a power cut: nothing is written any more, and it recovers from its log.
    pub fn restart_at_once(&self) {
        self.run("pg_ctl", &["-m", "immediate", "-w", "-t", "60", "stop"]);
        assert!(self.begin(), "the cluster does not come back");
    }

    /// Whether its server process is there.
    pub fn is_running(&self) -> bool {
        self.run("pg_ctl", &["status"]).status.success()
    }

    /// One of its programs, on its data, as a user that PostgreSQL accepts.
    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let program = self.binaries.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        // The server outlives pg_ctl and must not hold our pipes.
        let (out, err) = (
            tempfile::tempfile().expect("a file"),
            tempfile::tempfile().expect("a file"),
        );
        command
            .arg("-D")
            .arg(&self.data)
            .args(arguments)
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .stdout(out)
            .stderr(err.try_clone().expect("a file"));
        let status = command.status().expect("PostgreSQL's programs run");
        let mut stderr = Vec::new();
        let mut err = err;
        std::io::Seek::rewind(&mut err).expect("rewound");
        std::io::Read::read_to_end(&mut err, &mut stderr).expect("its words");
        Output {
            status,
            stdout: Vec::new(),
            stderr,
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout == b"0\n")
}

fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed")
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL's server programs")
}
