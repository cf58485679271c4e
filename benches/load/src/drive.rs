//! One run: many hosts' connections on a few threads. Called by the suite and by `load drive`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::{Job, Pace, work};
use super::figures::{Sample, percentile};
use super::traffic::{Host, STEPS, Stream};

/// What to send.
#[derive(Clone, Debug)]
pub struct Load {
    pub address: SocketAddr,
    pub enterprises: u32,
    /// The first enterprise of this load; a flood comes from one that the others do not use.
    pub first_enterprise: u32,
    pub connections_each: u32,
    pub threads: usize,
    pub pace: Pace,
    /// Events a second, all enterprises together (open pace).
    pub rate: f64,
    /// Length of a call.
    pub call: Duration,
    pub warm_up: Duration,
    pub measure: Duration,
    /// Events sent of each call, from its beginning.
    pub steps: usize,
    /// No more than so many calls on each connection.
    pub most_calls: Option<u32>,
    /// How late a connection may get before it gives up.
    pub patience: Duration,
}

impl Load {
    /// The usual: two hundred enterprises, two connections each.
    pub fn usual(address: SocketAddr) -> Load {
        Load {
            address,
            enterprises: 200,
            first_enterprise: 0,
            connections_each: 2,
            threads: 1,
            pace: Pace::Open,
            rate: 1000.0,
            call: Duration::from_secs(2),
            warm_up: Duration::from_secs(3),
            measure: Duration::from_secs(6),
            steps: STEPS,
            most_calls: None,
            patience: Duration::from_secs(3),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Run {
    /// The mark in the unique ids of this run.
    pub mark: i64,
    pub started: std::time::SystemTime,
    pub sample: Sample,
    pub measured: Duration,
    /// Each connection's calls a second.
    pub calls_each: f64,
    /// From the first event to the last answer.
    pub lasted: Duration,
}

impl Run {
    /// Events answered 200 per second of the counted time.
    pub fn rate(&self) -> f64 {
        self.sample.accepted() as f64 / self.measured.as_secs_f64()
    }

    /// Milliseconds.
    pub fn late_ms(&mut self, share: f64) -> f64 {
        f64::from(percentile(&mut self.sample.late, share)) / 1000.0
    }

    /// Milliseconds.
    pub fn service_ms(&mut self, share: f64) -> f64 {
        f64::from(percentile(&mut self.sample.service, share)) / 1000.0
    }

    /// Whether the server kept up: everything answered 200, nobody gave up, nothing a quarter of a second late.
    pub fn kept_up(&mut self, offered: f64) -> bool {
        !self.sample.gave_up
            && self.sample.accepted() == self.sample.counted()
            && self.rate() >= offered * 0.98
            && self.late_ms(0.99) <= 250.0
    }
}

/// Runs a load to its end. Blocks.
///
/// # Errors
/// When threads cannot be started.
pub fn run(load: &Load) -> anyhow::Result<Run> {
    static MARKS: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);
    let started = std::time::SystemTime::now();
    let now = started.duration_since(std::time::UNIX_EPOCH)?.as_secs() as i64;
    // Every run of this process has unique ids of its own, whatever second it begins in.
    let mark = now + MARKS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let connections = load.enterprises * load.connections_each;
    let calls_each = match load.pace {
        Pace::Open => load.rate / load.steps as f64 / f64::from(connections),
        // Sixteen calls at a time, in the time of the stream.
        Pace::Closed => 16.0 / load.call.as_secs_f64(),
    };
    let whole = load.warm_up + load.measure;
    let calls = match load.pace {
        Pace::Open => (calls_each * whole.as_secs_f64()).ceil() as u32,
        Pace::Closed => u32::MAX,
    };
    let calls = load.most_calls.map_or(calls, |most| most.min(calls));
    let start = Instant::now() + Duration::from_millis(20);
    let handles: Vec<_> = (0..load.threads)
        .map(|thread| {
            let load = load.clone();
            std::thread::Builder::new()
                .name(format!("load-{thread}"))
                .spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()?;
                    let local = tokio::task::LocalSet::new();
                    let mine = (0..connections)
                        .filter(|connection| *connection as usize % load.threads == thread);
                    let tasks: Vec<_> = mine
                        .map(|connection| {
                            let id = connection + load.first_enterprise * load.connections_each;
                            let job = Job {
                                address: load.address,
                                host: Host::new(mark, id, id / load.connections_each),
                                stream: Stream::new(
                                    id,
                                    calls_each,
                                    load.call.as_secs_f64(),
                                    calls,
                                    load.steps,
                                ),
                                pace: load.pace,
                                start,
                                count_from: load.warm_up,
                                count_to: whole,
                                patience: load.patience,
                                stop_at: (load.pace == Pace::Closed).then_some(whole),
                            };
                            local.spawn_local(work(job))
                        })
                        .collect();
                    let mut sample = Sample::default();
                    local.block_on(&runtime, async {
                        for task in tasks {
                            if let Ok(one) = task.await {
                                sample.merge(one);
                            }
                        }
                    });
                    anyhow::Ok(sample)
                })
        })
        .collect::<Result<_, _>>()?;
    let mut sample = Sample::default();
    for handle in handles {
        let one = handle
            .join()
            .map_err(|_panic| anyhow::anyhow!("a load thread panicked"))??;
        sample.merge(one);
    }
    Ok(Run {
        mark,
        started,
        sample,
        measured: load.measure,
        calls_each,
        lasted: start.elapsed(),
    })
}
