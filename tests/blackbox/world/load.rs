//! Hosts that keep calling while a test does something to the server, and remember what they were promised.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::host::Host;
use super::story;

/// One event that was answered 200.
#[derive(Clone, Debug)]
pub struct Promise {
    pub unique_id: String,
    /// Its EventId.
    pub event: String,
    pub kind: &'static str,
    /// When it was posted first.
    pub posted: Instant,
    /// How long the answer took that said yes.
    pub took: Duration,
}

/// Hosts at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    promises: Arc<Mutex<Vec<Promise>>>,
    hosts: Vec<JoinHandle<()>>,
}

impl Load {
    /// So many callers at a time, each waiting so long between two events.
    pub fn start(host: &Host, name: &str, callers: usize, pause: Duration) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let promises: Arc<Mutex<Vec<Promise>>> = Arc::default();
        let hosts = (0..callers)
            .map(|caller| {
                let (host, stop, promises) = (host.clone(), stop.clone(), promises.clone());
                let name = name.to_owned();
                std::thread::spawn(move || {
                    for call in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let unique_id = format!("{name}{caller}.{call}");
                        play(&host, &unique_id, caller, call, pause, &promises);
                    }
                })
            })
            .collect();
        Load {
            stop,
            promises,
            hosts,
        }
    }

    /// How many events were taken so far.
    pub fn taken(&self) -> usize {
        self.promises.lock().unwrap().len()
    }

    /// Lets the calls in progress come to their end; gives everything that was promised.
    pub fn finish(self) -> Vec<Promise> {
        self.stop.store(true, Ordering::Relaxed);
        for host in self.hosts {
            host.join().expect("a host came to its end");
        }
        let promises = self.promises.lock().unwrap();
        promises.clone()
    }
}

/// One answered call, each event sent until it is taken.
fn play(
    host: &Host,
    unique_id: &str,
    caller: usize,
    call: u32,
    pause: Duration,
    promises: &Mutex<Vec<Promise>>,
) {
    let phone = format!(
        "37529{:07}",
        1_000_000 + caller as u32 * 50_000 + call % 50_000
    );
    for (kind, body) in story::answered(unique_id, &phone, &["150", "151"], "150") {
        let posted = Instant::now();
        let took = host.insist(kind, &body);
        let event = body["EventId"].as_str().expect("an EventId").to_owned();
        promises.lock().unwrap().push(Promise {
            unique_id: unique_id.to_owned(),
            event,
            kind,
            posted,
            took,
        });
        std::thread::sleep(pause);
    }
}

/// The middle one of these durations.
pub fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
