//! A server under measurement: started on a free port, watched through /proc, ended by its id.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;

/// A process that serves HTTP.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to the line that names its address.
    pub started_in: Duration,
}

impl Server {
    /// Starts a command and waits until it says `listening on http://…`. Everything it says goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started, ends, or says nothing of the kind for two minutes.
    pub fn start(mut command: Command, log: &Path) -> anyhow::Result<Server> {
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the server")?;
        let lines = child.stderr.take().context("no stderr")?;
        let path = log;
        let mut log = std::fs::File::create(path)?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                use std::io::Write;
                // A full disk must not stop the reading, or the server would stand still.
                let _ = writeln!(log, "{line}");
                if let Some((_, rest)) = line.split_once("listening on http://") {
                    let address: String = rest
                        .chars()
                        .take_while(|c| c.is_ascii_digit() || ".:".contains(*c))
                        .collect();
                    if let Ok(address) = address.parse::<SocketAddr>() {
                        let _gone = tell.send((address, began.elapsed()));
                    }
                }
            }
        });
        match told.recv_timeout(Duration::from_secs(120)) {
            Ok((address, started_in)) => Ok(Server {
                child,
                address,
                started_in,
            }),
            Err(_silent) => {
                let _ = child.kill();
                let _ = child.wait();
                let said = std::fs::read_to_string(path).unwrap_or_default();
                anyhow::bail!("the server did not start; it said:\n{said}")
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time used so far.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// Resident memory of its own in bytes: without the pages of files it has mapped, which are the kernel's cache.
    pub fn memory(&self) -> u64 {
        status_field(self.child.id(), "RssAnon:") * 1024
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// CPU time (user and system) of a process so far, its threads included.
pub fn cpu_of(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The command's name, in parentheses, may hold blanks; utime and stime are the 12th and 13th words after it.
    let ticks: u64 = stat
        .rsplit_once(')')
        .map(|(_, rest)| {
            rest.split_whitespace()
                .skip(11)
                .take(2)
                .filter_map(|word| word.parse::<u64>().ok())
                .sum()
        })
        .unwrap_or_default();
    Duration::from_millis(ticks * 10)
}

/// CPU time of a process and of its children, for a database of many processes.
pub fn cpu_of_family(id: u32) -> Duration {
    let children =
        std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = children
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .map(cpu_of);
    cpu_of(id) + children.sum::<Duration>()
}

fn status_field(id: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|word| word.parse().ok())
        .unwrap_or_default()
}
