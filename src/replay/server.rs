//! The server under test: a child process of this executable with settings of its own. Started, killed and started
//! again by `replay::run`; what it logs is kept in the run's folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{oneshot, watch};

/// How long a start may take, migrations included.
const START: Duration = Duration::from_secs(60);

/// A server that can be killed. Killed when dropped.
pub struct Server {
    settings: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    address: watch::Sender<Option<String>>,
    /// How often it was killed.
    pub deaths: usize,
}

/// Where the server is at the moment; `None` while it is down.
pub type Address = watch::Receiver<Option<String>>;

impl Server {
    /// Writes the settings (they hold the run's keys) into the folder; starts nothing yet.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn new(folder: &Path, settings: &str) -> anyhow::Result<Server> {
        let path = folder.join("patchbay.toml");
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(settings.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Server {
            settings: path,
            log: folder.join("server.log"),
            child: None,
            address: watch::Sender::new(None),
            deaths: 0,
        })
    }

    /// Follows its address over restarts.
    pub fn address(&self) -> Address {
        self.address.subscribe()
    }

    /// Where it writes its log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it does not come up; the words are the end of its log.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("this program's own path is not known")?;
        let mut command = Command::new(program);
        command.arg("--config").arg(&self.settings).arg("serve");
        // What is set for a server of this machine must not reach this one.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PATCHBAY_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the server cannot be started")?;
        let log = child.stderr.take().context("the server has no log")?;
        self.child = Some(child);
        let (tell, told) = oneshot::channel();
        let mut copy = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        std::thread::Builder::new()
            .name("server-log".into())
            .spawn(move || {
                let mut tell = Some(tell);
                for line in BufReader::new(log).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line);
                    // A log that cannot be kept is no reason to stop the run.
                    let _ = writeln!(copy, "{line}");
                    if let Some((_, address)) = line.split_once("listening on ")
                        && let Some(tell) = tell.take()
                    {
                        let _ = tell.send(address.trim().to_owned());
                    }
                }
            })?;
        match tokio::time::timeout(START, told).await {
            Ok(Ok(address)) => {
                self.address.send_replace(Some(address));
                Ok(())
            }
            _ => anyhow::bail!("the server did not start:\n{}", self.last_words()),
        }
    }

    /// SIGKILL, as a machine that loses power would; returns when the process is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.address.send_replace(None);
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
            self.deaths += 1;
        }
        Ok(())
    }

    /// Whether the process ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be killed here is gone already.
        let _ = self.kill();
    }
}
