//! Where nudges wait for the registry: the latest of each call. Filled from any thread without waiting for anyone; a
//! flood of events overwrites what nobody has read yet, so it grows by calls, and not beyond its limit.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Addr;

use super::messages::Wake;
use super::present::Present;
use super::registry::Registry;
use crate::call::record::CallId;

/// Calls that may wait here. What comes beyond is dropped: the table has it, and bots look there.
const LIMIT: usize = 100_000;

#[derive(Default)]
pub struct Inbox {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    calls: HashMap<CallId, Present, ahash::RandomState>,
    registry: Option<Addr<Registry>>,
    /// The registry has been told that there is something.
    awake: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps how a call stands now.
    pub fn put(&self, present: Present) {
        let mut kept = self.lock();
        let call = present.record.call;
        if kept.calls.len() >= LIMIT && !kept.calls.contains_key(&call) {
            return;
        }
        let present = match kept.calls.get(&call) {
            Some(earlier) => present.after(earlier),
            None => present,
        };
        kept.calls.insert(call, present);
        if kept.awake {
            return;
        }
        if let Some(registry) = kept.registry.clone() {
            kept.awake = true;
            drop(kept);
            registry.do_send(Wake);
        }
    }

    /// Takes everything.
    pub fn empty(&self) -> Vec<Present> {
        let mut kept = self.lock();
        kept.awake = false;
        std::mem::take(&mut kept.calls).into_values().collect()
    }

    /// A registry begins to read here, the first one or the next one after a death.
    pub fn awaken(&self, registry: Addr<Registry>) {
        let mut kept = self.lock();
        kept.registry = Some(registry);
        kept.awake = false;
    }

    /// The registry that reads here.
    pub fn registry(&self) -> Option<Addr<Registry>> {
        self.lock().registry.clone()
    }
}
