//! What a link's actor holds in memory: rows leased to us, a queue for each call. Owned by `actor.rs`. Pure; decides
//! only the order: of one call strictly by position and one at a time, between calls pop-ups before history.
//!
//! The table is the truth: the queue is bounded, and whatever it does not take goes back there. A call of which
//! something stands in the table is *away*: its newer rows are not taken either, or they would overtake; they
//! come back one by one through the claim, which gives out only the first open row of a call.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::call::record::CallId;
use crate::store::deliveries::Delivery;

/// How long a call is remembered to have rows in the table. Long after its last row was claimed; a call remembered
/// for too long only takes the way through the table.
const AWAY: Duration = Duration::from_secs(600);

/// See above.
#[derive(Debug, Default)]
pub struct Queue {
    calls: HashMap<CallId, Call>,
    /// Calls whose first row may go: pop-ups and closings, then history.
    urgent: VecDeque<CallId>,
    history: VecDeque<CallId>,
    away: HashMap<CallId, Instant>,
    waiting: usize,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Call {
    rows: BTreeMap<(i32, i64), Delivery>,
    /// One of its rows is being delivered.
    busy: bool,
}

/// Whether a delivery is history: it can wait, and it is never too late.
pub fn is_history(kind: &str) -> bool {
    kind.starts_with("upload") || kind == "recording"
}

impl Queue {
    /// Takes at most `capacity` rows at a time.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Rows waiting, those in flight not counted.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many more it takes.
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.waiting)
    }

    /// Takes a row that came with its event. Gives it back when there is no room, or when the call has others in the
    /// table: the caller returns it there.
    pub fn push(&mut self, row: Delivery, now: Instant) -> Option<Delivery> {
        if self.away.contains_key(&row.call) || self.waiting >= self.capacity {
            self.mark_away(row.call, now);
            return Some(row);
        }
        self.insert(row);
        None
    }

    /// Takes a row that was claimed from the table; there may be more of its call there.
    pub fn push_claimed(&mut self, row: Delivery, now: Instant) {
        // Nothing that comes with its event comes after history, so there is nothing to remember for ten minutes after
        // every call.
        if !is_history(&row.kind) {
            self.mark_away(row.call, now);
        }
        self.insert(row);
    }

    fn insert(&mut self, row: Delivery) {
        let id = row.call;
        let call = self.calls.entry(id).or_default();
        if call.rows.insert((row.position, row.id), row).is_none() {
            self.waiting += 1;
        }
        if !call.busy {
            // The new row may be the first one now; a place in line that is stale is skipped when it is met.
            self.ready(id);
        }
    }

    fn ready(&mut self, id: CallId) {
        let Some(first) = self
            .calls
            .get(&id)
            .and_then(|call| call.rows.first_key_value())
        else {
            return;
        };
        let line = if is_history(&first.1.kind) {
            &mut self.history
        } else {
            &mut self.urgent
        };
        line.push_back(id);
    }

    /// The next row to deliver, if any; its call is busy until `finish`.
    pub fn next(&mut self, history_too: bool) -> Option<Delivery> {
        while let Some(id) = self.urgent.pop_front() {
            if let Some(row) = self.begin(id, false) {
                return Some(row);
            }
        }
        while history_too && let Some(id) = self.history.pop_front() {
            if let Some(row) = self.begin(id, true) {
                return Some(row);
            }
        }
        None
    }

    fn begin(&mut self, id: CallId, history: bool) -> Option<Delivery> {
        let call = self.calls.get_mut(&id)?;
        let first = call.rows.first_entry()?;
        if call.busy || is_history(&first.get().kind) != history {
            return None;
        }
        call.busy = true;
        self.waiting -= 1;
        Some(first.remove())
    }

    /// More history rows that are ready, for one request with the one just taken; each call is busy until `finish`.
    pub fn more_history(&mut self, limit: usize) -> Vec<Delivery> {
        let mut rows = Vec::new();
        while rows.len() < limit
            && let Some(id) = self.history.pop_front()
        {
            rows.extend(self.begin(id, true));
        }
        rows
    }

    /// A row of this call was settled: its next may go.
    pub fn finish(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.busy = false;
        if call.rows.is_empty() {
            self.calls.remove(&id);
        } else {
            self.ready(id);
        }
    }

    /// A row of this call goes back to the table to be tried later: the others follow it there.
    pub fn give_up(&mut self, id: CallId, now: Instant) -> Vec<Delivery> {
        self.mark_away(id, now);
        let rows: Vec<Delivery> = self
            .calls
            .remove(&id)
            .map(|call| call.rows.into_values().collect())
            .unwrap_or_default();
        self.waiting -= rows.len();
        rows
    }

    /// Everything that waits goes back to the table (not what is in flight).
    pub fn give_up_all(&mut self, now: Instant) -> Vec<Delivery> {
        let ids: Vec<CallId> = self.calls.keys().copied().collect();
        let mut rows = Vec::with_capacity(self.waiting);
        for id in ids {
            if let Some(call) = self.calls.get_mut(&id) {
                rows.extend(std::mem::take(&mut call.rows).into_values());
                if !call.busy {
                    self.calls.remove(&id);
                }
            }
            self.mark_away(id, now);
        }
        self.urgent.clear();
        self.history.clear();
        self.waiting = 0;
        rows
    }

    /// Whether rows of this call may stand in the table.
    pub fn is_away(&self, id: CallId) -> bool {
        self.away.contains_key(&id)
    }

    /// History records that are ready, at most.
    pub fn history_ready(&self) -> usize {
        self.history.len()
    }

    /// All that wait.
    pub fn rows(&self) -> impl Iterator<Item = &Delivery> {
        self.calls.values().flat_map(|call| call.rows.values())
    }

    /// Remembers that rows of this call stand in the table.
    pub fn mark_away(&mut self, id: CallId, now: Instant) {
        self.away.insert(id, now + AWAY);
    }

    /// Forgets calls that were away long ago. Call it now and then.
    pub fn tidy(&mut self, now: Instant) {
        self.away.retain(|_, until| *until > now);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::store::deliveries::DeliveryState;

    pub(crate) fn row(id: i64, call: i64, position: i32, kind: &str) -> Delivery {
        Delivery {
            id,
            enterprise: 1,
            integration: "retailcrm".into(),
            call: CallId(call),
            unique_id: format!("1760000000.{call}"),
            kind: kind.into(),
            position,
            state: DeliveryState::Leased,
            payload: String::new(),
            attempts: 0,
            not_before: DateTime::UNIX_EPOCH,
            expires_at: None,
            leased_until: None,
            lease_owner: "test".into(),
            outcome: String::new(),
            created_at: DateTime::UNIX_EPOCH,
            finished_at: None,
        }
    }

    fn taken(queue: &mut Queue) -> Vec<i64> {
        std::iter::from_fn(|| queue.next(true))
            .map(|row| row.id)
            .collect()
    }

    #[test]
    fn one_call_goes_one_by_one_and_others_beside_it() {
        let now = Instant::now();
        let mut queue = Queue::new(10);
        for (id, call, position, kind) in
            [(2, 1, 2, "hangup"), (1, 1, 1, "dial"), (3, 2, 1, "dial")]
        {
            assert!(queue.push(row(id, call, position, kind), now).is_none());
        }
        let first = taken(&mut queue);
        assert_eq!(
            first.iter().copied().collect::<BTreeSet<_>>(),
            BTreeSet::from([1, 3]),
            "the hang-up waits for its dial"
        );
        queue.finish(CallId(1));
        assert_eq!(taken(&mut queue), [2]);
        queue.finish(CallId(1));
        queue.finish(CallId(2));
        assert!(queue.is_empty() && queue.calls.is_empty());
    }

    #[test]
    fn pop_ups_go_before_history() {
        let now = Instant::now();
        let mut queue = Queue::new(10);
        queue.push(row(1, 1, 90, "upload"), now);
        queue.push(row(2, 2, 90, "upload"), now);
        queue.push(row(3, 3, 1, "dial"), now);
        assert_eq!(queue.next(false).map(|row| row.id), Some(3));
        assert_eq!(queue.next(false), None);
        assert_eq!(queue.next(true).map(|row| row.id), Some(1));
        assert_eq!(queue.more_history(5).len(), 1);
    }

    #[test]
    fn what_is_too_much_stays_in_the_table_and_so_does_what_follows_it() {
        let now = Instant::now();
        let mut queue = Queue::new(1);
        assert!(queue.push(row(1, 1, 1, "dial"), now).is_none());
        assert_eq!(
            queue.push(row(2, 2, 1, "dial"), now).map(|row| row.id),
            Some(2)
        );
        assert_eq!(taken(&mut queue), [1]);
        assert_eq!(
            queue.push(row(3, 2, 2, "hangup"), now).map(|row| row.id),
            Some(3),
            "its dial is in the table"
        );
        queue.push_claimed(row(2, 2, 1, "dial"), now);
        assert_eq!(taken(&mut queue), [2]);
        queue.tidy(now + AWAY * 2);
        assert!(queue.push(row(4, 2, 3, "upload"), now).is_none());
    }

    #[test]
    fn a_row_that_is_tried_later_takes_the_rest_of_its_call_along() {
        let now = Instant::now();
        let mut queue = Queue::new(10);
        queue.push(row(1, 1, 1, "dial"), now);
        queue.push(row(2, 1, 2, "hangup"), now);
        queue.push(row(3, 2, 1, "dial"), now);
        assert_eq!(queue.next(true).map(|row| row.id), Some(1));
        assert_eq!(
            queue
                .give_up(CallId(1), now)
                .iter()
                .map(|row| row.id)
                .collect::<Vec<_>>(),
            [2]
        );
        assert_eq!(taken(&mut queue), [3]);
        assert!(queue.push(row(4, 1, 3, "upload"), now).is_some());
    }

    proptest! {
        /// Any interleaving: a call is never delivered twice at a time nor out of order, and nothing is lost.
        #[test]
        fn order_holds_and_nothing_is_lost(steps in proptest::collection::vec((0_u8..6, 0_i64..4, 0_i32..6), 1..200)) {
            let now = Instant::now();
            let mut queue = Queue::new(8);
            let mut flying: HashMap<CallId, i32> = HashMap::new();
            let mut held: BTreeSet<i64> = BTreeSet::new();
            let mut id = 0;
            for (what, call, position) in steps {
                match what {
                    0 | 1 => {
                        id += 1;
                        let kind = if position == 5 { "upload" } else { "dial" };
                        if queue.push(row(id, call, position, kind), now).is_none() { held.insert(id); }
                    }
                    2 | 3 => if let Some(row) = queue.next(what == 2) {
                        prop_assert!(held.remove(&row.id));
                        prop_assert!(flying.insert(row.call, row.position).is_none(), "two of a call at once");
                        if let Some(call) = queue.calls.get(&row.call) {
                            prop_assert!(call.rows.keys().all(|(other, _)| *other >= row.position));
                        }
                    },
                    4 => if flying.remove(&CallId(call)).is_some() { queue.finish(CallId(call)); },
                    _ => if flying.remove(&CallId(call)).is_some() {
                        for row in queue.give_up(CallId(call), now) { prop_assert!(held.remove(&row.id)); }
                    },
                }
                prop_assert_eq!(queue.len(), held.len());
            }
            for call in flying.keys() { queue.finish(*call); }
            while let Some(row) = queue.next(true) { held.remove(&row.id); queue.finish(row.call); }
            prop_assert!(held.is_empty(), "stuck: {:?}", held);
        }
    }
}
