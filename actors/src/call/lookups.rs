//! Events that wait for a look into the journal. Held by the registry, which does the looking: events with an id in common
//! wait for the same answer, so that a call's first events make one question and, if it is new, one call.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::intake::Take;

/// See the module's head. Ids are hashed as `Aliases` does it.
#[derive(Default)]
pub(super) struct Lookups {
    /// By the number of the look-up.
    #[expect(
        clippy::vec_box,
        reason = "a Take is large and stays where it is on its whole way"
    )]
    waiting: HashMap<u64, Vec<Box<Take>>>,
    /// Which look-up an id waits for.
    looked_for: HashMap<u64, u64>,
    /// The ids of each look-up.
    looking: HashMap<u64, Vec<u64>>,
    next: u64,
}

impl Lookups {
    /// Has an event with these ids wait. The number of the look-up that is to be begun for it; `None` when one is under way.
    pub fn wait(&mut self, ids: &[u64], take: Box<Take>) -> Option<u64> {
        let under_way = ids.iter().find_map(|id| self.looked_for.get(id).copied());
        let number = under_way.unwrap_or(self.next);
        for id in ids {
            if let Entry::Vacant(place) = self.looked_for.entry(*id) {
                place.insert(number);
                self.looking.entry(number).or_default().push(*id);
            }
        }
        self.waiting.entry(number).or_default().push(take);
        if under_way.is_some() {
            return None;
        }
        self.next += 1;
        Some(number)
    }

    /// Whoever waited for this look-up, in the order in which they came.
    #[expect(
        clippy::vec_box,
        reason = "a Take is large and stays where it is on its whole way"
    )]
    pub fn end(&mut self, number: u64) -> Vec<Box<Take>> {
        for id in self.looking.remove(&number).unwrap_or_default() {
            self.looked_for.remove(&id);
        }
        self.waiting.remove(&number).unwrap_or_default()
    }
}
