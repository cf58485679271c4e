//! The CRM beside the benchmark: the strict simulator with one account and a key for each enterprise, and what it
//! remembers of pop-ups.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use simulators::retailcrm::{self, ApiKey, NewAccount, Settings, State, User};
use simulators::server::Running;

use super::drive::{Load, Run};
use super::traffic::{Stream, parse_unique_id};

const ACCOUNT: &str = "bench";

/// The API key of an enterprise.
pub fn key(enterprise: u32) -> String {
    format!("bench-key-{enterprise}")
}

/// Starts the simulator in a thread of this process.
///
/// # Errors
/// When it cannot be started.
pub fn start(enterprises: u32) -> anyhow::Result<Running<State>> {
    let account = NewAccount {
        keys: (0..enterprises)
            .map(|enterprise| ApiKey {
                key: key(enterprise),
                denied: Vec::new(),
            })
            .collect(),
        users: (0..3i64)
            .map(|n| User::new(16 + n, "Анна", "Петрова", Some(&format!("{}", 150 + n))))
            .collect(),
        telephony: true,
        ..NewAccount::new(ACCOUNT, "unused-key")
    };
    let settings = Settings {
        keep: 2_000_000,
        accounts: vec![account],
        ..Settings::default()
    };
    retailcrm::start_in_thread("127.0.0.1:0", settings)
}

/// Requests that were sent, whatever became of them.
pub fn requests(crm: &Running<State>) -> u64 {
    let account = crm.state.account(ACCOUNT);
    account.map_or(0, |account| account.counts().requests.values().sum())
}

/// Pop-ups of a run.
pub struct Popups {
    /// Microseconds from the moment the first dial of a call was due to its pop-up; the simulator's clock counts whole
    /// milliseconds.
    pub late: Vec<u32>,
    /// Calls whose dial was due in the counted time and that have no pop-up.
    pub missing: usize,
    /// History records of the run's calls.
    pub uploads: usize,
}

/// Reads out what became of the calls of a run, as far as they are of these enterprises.
pub fn popups(crm: &Running<State>, load: &Load, run: &Run, enterprises: &Range<u32>) -> Popups {
    let Some(account) = crm.state.account(ACCOUNT) else {
        return Popups {
            late: Vec::new(),
            missing: 0,
            uploads: 0,
        };
    };
    let mut first: HashMap<(u32, u32), i64> = HashMap::new();
    for event in account
        .events()
        .iter()
        .filter(|event| event.kind != "hangup")
    {
        if let Some(call) = event
            .call
            .as_deref()
            .and_then(|id| parse_unique_id(run.mark, id))
        {
            first.entry(call).or_insert(event.at);
        }
    }
    // The connections begin 20 ms after the run is set up.
    let began = run.started + Duration::from_millis(20);
    let began = began
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros() as i64;
    let (from, to) = (
        load.warm_up.as_secs_f64(),
        (load.warm_up + load.measure).as_secs_f64(),
    );
    let (mut late, mut missing) = (Vec::new(), 0);
    let each = load.connections_each;
    for connection in enterprises.start * each..enterprises.end * each {
        let stream = Stream::new(
            connection,
            run.calls_each,
            load.call.as_secs_f64(),
            0,
            load.steps,
        );
        for call in 0.. {
            let due = stream.due(call, 1);
            if due >= to || stream.due(call, 0) >= to {
                break;
            }
            if due >= from {
                match first.get(&(connection, call)) {
                    // The end of the simulator's millisecond: never better than it was.
                    Some(at) => {
                        late.push((at * 1000 + 999 - began - (due * 1e6) as i64).max(0) as u32)
                    }
                    None => missing += 1,
                }
            }
        }
    }
    let uploads = account.calls().len();
    Popups {
        late,
        missing,
        uploads,
    }
}
