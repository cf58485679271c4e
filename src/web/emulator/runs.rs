//! Emulated calls that were begun on this server and what has been sent of them so far. Kept in memory, the latest only;
//! filled by the task that plays a call, read by the page.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actors::call::record::CallId;
use uuid::Uuid;

use crate::emulator::patterns::Pattern;
use crate::emulator::player::Sent;

/// Runs that are remembered.
const KEPT: usize = 200;
/// Runs that may be going on at once.
const AT_ONCE: usize = 50;

/// One emulated call.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: Uuid,
    pub enterprise: i64,
    pub pattern: Pattern,
    pub unique_id: String,
    /// Events it consists of.
    pub events: usize,
    pub sent: Vec<Sent>,
    pub done: bool,
    /// The call that the server made of it, once it was looked for and found.
    pub call: Option<CallId>,
}

/// All runs of this process.
#[derive(Debug, Default)]
pub struct Runs {
    kept: Mutex<VecDeque<Run>>,
}

impl Runs {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Run>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a run that begins; `false` when too many are going on.
    pub fn begin(&self, run: Run) -> bool {
        let mut kept = self.lock();
        if kept.iter().filter(|run| !run.done).count() >= AT_ONCE {
            return false;
        }
        if kept.len() >= KEPT
            && let Some(index) = kept.iter().position(|run| run.done)
        {
            kept.remove(index);
        }
        kept.push_back(run);
        true
    }

    /// Changes a run that is remembered.
    pub fn change(&self, id: Uuid, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.lock().iter_mut().find(|run| run.id == id) {
            change(run);
        }
    }

    /// A copy of a run.
    pub fn get(&self, id: Uuid) -> Option<Run> {
        self.lock().iter().find(|run| run.id == id).cloned()
    }
}

/// Marks its run as done however its task ends.
pub struct Ending {
    pub app: actix_web::web::Data<crate::state::App>,
    pub run: Uuid,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.app.runs.change(self.run, |run| run.done = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u128) -> Run {
        Run {
            id: Uuid::from_u128(number),
            enterprise: 1,
            pattern: Pattern::Internal,
            unique_id: "1.1".into(),
            events: 3,
            sent: vec![],
            done: false,
            call: None,
        }
    }

    #[test]
    fn only_so_many_go_on_at_once_and_only_the_latest_are_kept() {
        let runs = Runs::default();
        for number in 0..AT_ONCE as u128 {
            assert!(runs.begin(run(number)));
        }
        assert!(!runs.begin(run(1000)));
        for number in 0..1000 {
            runs.change(Uuid::from_u128(number), |run| run.done = true);
            runs.begin(run(number + AT_ONCE as u128));
        }
        assert_eq!(runs.lock().len(), KEPT);
        assert!(runs.get(Uuid::from_u128(0)).is_none());
    }
}
