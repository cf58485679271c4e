//! How many events a second the group-commit lane makes durable. Whole calls (start, dial, bridge, hangup; the call's
//! row at the first and the last event, the customer at the last, deliveries at dial and hangup) from 64 tasks that
//! each wait for their answer. Prints events/s and the answer's latency.
//!
//! `cargo bench -p actors --features testing --bench writer -- [--seconds N] [--tasks N] [--bare] [URL…]`
//! Without a URL: a SQLite file in the temporary folder (synchronous=FULL) and a throw-away PostgreSQL with fsync.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use actors::call::record::{CallId, Direction, Outcome, Phase, Record};
use actors::store::deliveries::NewDelivery;
use actors::store::enterprises::{self, NewEnterprise};
use actors::store::journal::NewEvent;
use actors::store::{
    CallRow, CallState, Commit, Committed, CustomerChange, Options, Store, new_call_id, testing,
};
use chrono::{DateTime, Utc};

struct Settings {
    seconds: u64,
    tasks: usize,
    bare: bool,
    urls: Vec<String>,
}

fn main() {
    let mut settings = Settings {
        seconds: 5,
        tasks: 64,
        bare: false,
        urls: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => settings.seconds = arguments.next().unwrap().parse().unwrap(),
            "--tasks" => settings.tasks = arguments.next().unwrap().parse().unwrap(),
            "--bare" => settings.bare = true,
            "--bench" => {}
            url => settings.urls.push(url.to_owned()),
        }
    }
    let mut kept = Vec::new();
    if settings.urls.is_empty() {
        let sqlite = testing::TestDatabase::new(testing::Kind::Sqlite);
        settings.urls.push(sqlite.url.clone());
        settings.urls.push(testing::start_cluster(true));
        kept.push(sqlite);
    }
    for url in &settings.urls {
        measure(url, &settings);
    }
}

fn measure(url: &str, settings: &Settings) {
    let store = Store::open(url, testing::vault(), Options::default()).unwrap();
    let before = store.writer_state();
    let enterprise = first_enterprise(&store);
    let stop = Arc::new(AtomicBool::new(false));
    let events = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    // Two threads of tasks, as two arbiters would be.
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (store, stop, events) = (store.clone(), Arc::clone(&stop), Arc::clone(&events));
            let (tasks, bare) = (settings.tasks / 2, settings.bare);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let running: Vec<_> = (0..tasks)
                        .map(|_| {
                            calls(
                                store.clone(),
                                enterprise,
                                bare,
                                Arc::clone(&stop),
                                Arc::clone(&events),
                            )
                        })
                        .collect();
                    futures_util::future::join_all(running).await
                })
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(settings.seconds));
    stop.store(true, Relaxed);
    let mut latencies: Vec<u32> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .flatten()
        .collect();
    let seconds = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let state = store.writer_state();
    let count = events.load(Relaxed);
    let writing = writing_time();
    let batches = state.batches - before.batches;
    println!(
        "{:8} {} events/s={:.0} p50={}us p99={}us batches={} events/batch={:.1} writer cpu/event={:.1}us",
        if url.starts_with("sqlite") {
            "sqlite"
        } else {
            "postgres"
        },
        if settings.bare { "bare" } else { "full" },
        count as f64 / seconds,
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
        batches,
        count as f64 / batches as f64,
        writing.as_secs_f64() * 1e6 / count as f64,
    );
}

/// Time on a processor of the writer's threads, which says more than the clock where the machine is shared.
fn writing_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let of = |task: std::fs::DirEntry| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let time = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos = time.split(' ').next()?.parse().ok()?;
        name.starts_with("store-write")
            .then(|| Duration::from_nanos(nanos))
    };
    tasks.filter_map(of).sum()
}

fn first_enterprise(store: &Store) -> i64 {
    let vault = store.vault().clone();
    let new = NewEnterprise {
        number: format!("{}", std::process::id()),
        name: "bench".into(),
        token: format!("bench{}", std::process::id()).into(),
        ..Default::default()
    };
    testing::wait(store.write(move |conn| enterprises::add(conn, &vault, &new, Utc::now())))
        .unwrap()
}

async fn calls(
    store: Store,
    enterprise: i64,
    bare: bool,
    stop: Arc<AtomicBool>,
    events: Arc<AtomicU64>,
) -> Vec<u32> {
    let mut latencies = Vec::new();
    while !stop.load(Relaxed) {
        let now = Utc::now();
        let call = new_call_id(now);
        for (number, kind) in ["start", "dial", "bridge", "hangup"]
            .into_iter()
            .enumerate()
        {
            let commit = commit(enterprise, call, number, kind, now, bare);
            let asked = Instant::now();
            let outcome = store.commit(commit).await.unwrap();
            assert!(matches!(outcome, Committed::Stored { .. }));
            latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            events.fetch_add(1, Relaxed);
        }
    }
    latencies
}

fn commit(
    enterprise: i64,
    call: CallId,
    number: usize,
    kind: &str,
    now: DateTime<Utc>,
    bare: bool,
) -> Commit {
    let unique_id = format!("{}.{}", call.0 >> 20, call.0 & 0xfffff);
    let mut commit = Commit::of(NewEvent {
        enterprise,
        call: Some(call),
        event_type: kind.into(),
        unique_id: unique_id.clone(),
        linked_id: unique_id.clone(),
        bridge_id: String::new(),
        event_timestamp: now,
        received_at: now,
        key: {
            let mut key = [0u8; 24];
            key[..8].copy_from_slice(
                &call
                    .0
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)
                    .to_le_bytes(),
            );
            key[8..16].copy_from_slice(&call.0.to_le_bytes());
            key[16] = u8::try_from(number).unwrap();
            key.to_vec()
        },
        host_event_id: String::new(),
        raw: format!(
            r#"{{"Token":"****","UniqueId":"{unique_id}","Phone":"+375296254070","Extensions":["150","151"],"pad":"{}"}}"#,
            "x".repeat(300)
        ),
        data_source: "live".into(),
        parked: false,
        note: String::new(),
    });
    let over = number == 3;
    if number == 0 || over {
        commit.call = Some(CallRow {
            record: Arc::new(record(enterprise, call, &unique_id, now, over)),
            state: if over {
                CallState::Ended
            } else {
                CallState::Live
            },
            fault: String::new(),
            at: now,
        });
    }
    if bare {
        return commit;
    }
    if over {
        commit.customer = vec![CustomerChange {
            enterprise,
            phone: format!("+37529{:07}", (call.0 & 0xfffff) % 20_000),
            calls: 1,
            answered: 1,
            missed: 0,
            talk_seconds: 30,
            at: now,
        }];
    }
    let delivery = |kind: &str, position| NewDelivery {
        enterprise,
        integration: "retailcrm".into(),
        call,
        unique_id: unique_id.clone(),
        kind: kind.into(),
        position,
        payload: serde_json::to_string(&record(enterprise, call, &unique_id, now, over)).unwrap(),
        not_before: now,
        expires_at: None,
        lease: true,
    };
    match number {
        1 => commit.deliveries.push(delivery("dial", 1)),
        3 => commit
            .deliveries
            .extend([delivery("hangup", 2), delivery("upload", 3)]),
        _ => {}
    }
    commit
}

fn record(
    enterprise: i64,
    call: CallId,
    unique_id: &str,
    now: DateTime<Utc>,
    over: bool,
) -> Record {
    Record {
        call,
        enterprise,
        uuid: uuid::Uuid::new_v4(),
        unique_id: unique_id.into(),
        linked_id: unique_id.into(),
        direction: Direction::In,
        phase: if over { Phase::Ended } else { Phase::Ringing },
        outcome: over.then_some(Outcome::Answered),
        phone: Some("+375296254070".into()),
        raw_phone: "80296254070".into(),
        line: "0001367".into(),
        rung: vec!["150".into(), "151".into()],
        talked: vec!["150".into()],
        talking: None,
        made_by: None,
        received_at: now,
        answered_at: over.then_some(now),
        ended_at: over.then_some(now),
        wait_seconds: 5,
        talk_seconds: 30,
        recording: String::new(),
        hung_up_by: String::new(),
        request_id: String::new(),
        events_count: 4,
        data_source: "live".into(),
    }
}
