//! Trials of the way to enterprises' hosts that were begun on this server: how far each has come, and how it ended. Kept in
//! memory, the latest of each enterprise; filled by the task that tries, read by the page of the host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actors::asterisk::HostError;

/// How a trial stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// When each step was behind us, in milliseconds from the beginning.
    pub steps: Vec<u128>,
    /// What came of it, with the time it took.
    pub outcome: Option<(Result<String, HostError>, u128)>,
}

/// One trial.
#[derive(Debug)]
pub struct Trial {
    began: Instant,
    standing: Mutex<Standing>,
}

impl Trial {
    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more step is behind us.
    pub fn step(&self) {
        let after = self.began.elapsed().as_millis();
        self.lock().steps.push(after);
    }

    /// It is over.
    pub fn end(&self, outcome: Result<String, HostError>) {
        let after = self.began.elapsed().as_millis();
        self.lock().outcome = Some((outcome, after));
    }

    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    fn is_over(&self) -> bool {
        self.lock().outcome.is_some()
    }

    /// Waits for the end, but not longer than this.
    pub async fn wait(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while !self.is_over() && Instant::now() < end {
            actix_web::rt::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The latest trial of each enterprise.
#[derive(Debug, Default)]
pub struct Trials {
    kept: Mutex<HashMap<i64, Arc<Trial>>>,
}

impl Trials {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<Trial>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A trial that begins. `None`: one is going on; another would tell nothing else.
    pub fn begin(&self, enterprise: i64) -> Option<Arc<Trial>> {
        let mut kept = self.lock();
        if kept.get(&enterprise).is_some_and(|trial| !trial.is_over()) {
            return None;
        }
        let trial = Arc::new(Trial {
            began: Instant::now(),
            standing: Mutex::default(),
        });
        kept.insert(enterprise, Arc::clone(&trial));
        Some(trial)
    }

    /// The enterprise's latest.
    pub fn latest(&self, enterprise: i64) -> Option<Arc<Trial>> {
        self.lock().get(&enterprise).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_at_a_time_and_tells_how_far_it_is() {
        let trials = Trials::default();
        let first = trials.begin(1).expect("the first");
        assert!(trials.begin(1).is_none(), "it goes on");
        assert!(trials.begin(2).is_some(), "another enterprise's");
        first.step();
        first.step();
        let latest = trials.latest(1).expect("it is kept").standing();
        assert!(latest.steps.len() == 2 && latest.outcome.is_none());
        first.end(Err(HostError::Timeout));
        assert!(first.is_over() && trials.begin(1).is_some());
        assert!(trials.latest(3).is_none());
    }
}
