//! The built program as a child process: started on a free port, killed, started again on the same port.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::until;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_patchbay");

/// A server that runs, or was killed and may run again.
pub struct Server {
    /// `http://127.0.0.1:port`; stays the same over restarts.
    pub base_url: String,
    pub address: SocketAddr,
    child: Child,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts the program in this folder and waits until it listens.
    pub fn start(folder: &Path, settings: Vec<(String, String)>) -> Server {
        let said = Arc::default();
        let child = spawn(folder, &settings, &said);
        let mut server = Server {
            base_url: String::new(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            child,
            folder: folder.to_owned(),
            settings,
            said,
        };
        server.address = server.wait_until_it_listens(0);
        server.base_url = format!("http://{}", server.address);
        server
    }

    /// SIGKILL, as the worst case has it.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server's end");
    }

    /// SIGTERM, and waits for the end; gives whether the program said that all was well.
    pub fn stop(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .arg(&pid)
                .status()
                .expect("kill runs")
                .success()
        );
        self.child.wait().expect("the server's end").success()
    }

    /// Starts it again after `kill` or `stop`, on the same port.
    pub fn start_again(&mut self) {
        let from = self.said.lock().unwrap().len();
        let address = self.address.to_string();
        self.settings.retain(|(name, _)| name != "server.listen");
        self.settings.push(("server.listen".to_owned(), address));
        self.child = spawn(&self.folder, &self.settings, &self.said);
        self.wait_until_it_listens(from);
    }

    /// Whether the process is there.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// The last lines of its log.
    pub fn last_words(&self, lines: usize) -> String {
        let said = self.said.lock().unwrap();
        said[said.len().saturating_sub(lines)..].join("\n")
    }

    /// Whether the log says this anywhere.
    pub fn said(&self, words: &str) -> bool {
        self.said
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(words))
    }

    fn wait_until_it_listens(&mut self, from: usize) -> SocketAddr {
        let said = self.said.clone();
        until("the server listens", || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!(
                    "the server ended with {status}:\n{}",
                    said.lock().unwrap()[from..].join("\n")
                );
            }
            said.lock().unwrap()[from..].iter().find_map(|line| {
                line.split("listening on http://")
                    .nth(1)?
                    .trim()
                    .parse()
                    .ok()
            })
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// The program with these settings in its environment and nothing else of ours.
pub fn program(folder: &Path, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).env_remove("RUST_LOG");
    for (name, value) in settings {
        // What is no setting of a section has a variable of its own.
        let variable = name.replace('.', "__").to_uppercase();
        command.env(format!("PATCHBAY_{variable}"), value);
    }
    command
}

fn spawn(folder: &Path, settings: &[(String, String)], said: &Arc<Mutex<Vec<String>>>) -> Child {
    let mut child = program(folder, settings)
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let errors = child.stderr.take().expect("its log");
    let said = said.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(errors).lines().map_while(Result::ok) {
            said.lock().unwrap().push(line);
        }
    });
    child
}
