//! Which call an event belongs to: every id a call was ever named by leads to it. Kept by the registry;
//! pure; forgets a call when told to.
//!
//! The ids that tie events to one call: the unique id, the linked id, the parent's id, and the channel that
//! was bridged. A bridge's own id ties nothing: two calls may meet in one bridge and stay two.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::event::{Event, EventKind};
use super::record::CallId;

/// Ids → call, for the calls in memory. 64-bit keyed hashes stand for (enterprise, id).
#[derive(Debug, Default)]
pub struct Aliases {
    hasher: RandomState,
    calls: HashMap<u64, CallId>,
}

impl Aliases {
    /// The ids of an event that lead to its call, the most telling first, none twice.
    pub fn ids(event: &Event) -> impl Iterator<Item = &str> {
        let channel = if event.kind == EventKind::Bridge {
            event.channel_id.as_str()
        } else {
            ""
        };
        let ids = [
            event.unique_id.as_str(),
            event.linked_id.as_str(),
            event.parent_id.as_str(),
            channel,
        ];
        (0..ids.len())
            .filter(move |index| !ids[*index].is_empty() && !ids[..*index].contains(&ids[*index]))
            .map(move |index| ids[index])
    }

    /// The calls that an event's ids lead to, each once, in the order of [`Aliases::ids`].
    pub fn find(&self, enterprise: i64, event: &Event) -> Vec<CallId> {
        let mut found: Vec<CallId> = Vec::new();
        for id in Aliases::ids(event) {
            if let Some(call) = self.get(enterprise, id)
                && !found.contains(&call)
            {
                found.push(call);
            }
        }
        found
    }

    /// The call an id leads to.
    pub fn get(&self, enterprise: i64, id: &str) -> Option<CallId> {
        self.calls.get(&self.hash(enterprise, id)).copied()
    }

    /// From now on the event's ids lead to `call`, unless they already lead to another one. Gives back the
    /// hashes that were new, so that the call can be forgotten later.
    pub fn learn(&mut self, enterprise: i64, event: &Event, call: CallId) -> Vec<u64> {
        let mut learned = Vec::new();
        for id in Aliases::ids(event) {
            let hash = self.hash(enterprise, id);
            if let std::collections::hash_map::Entry::Vacant(place) = self.calls.entry(hash) {
                place.insert(call);
                learned.push(hash);
            }
        }
        learned.shrink_to_fit();
        learned
    }

    /// The hashes of an absorbed call lead to its survivor.
    pub fn redirect(&mut self, hashes: &[u64], call: CallId) {
        for hash in hashes {
            self.calls.insert(*hash, call);
        }
    }

    /// Forgets a call by the hashes that [`Aliases::learn`] gave.
    pub fn forget(&mut self, hashes: &[u64]) {
        for hash in hashes {
            self.calls.remove(hash);
        }
    }

    /// How many ids are known.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// What stands for (enterprise, id) here.
    pub fn hash(&self, enterprise: i64, id: &str) -> u64 {
        self.hasher.hash_one((enterprise, id))
    }
}
