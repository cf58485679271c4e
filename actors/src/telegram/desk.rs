//! What one bot has before it: the calls it tells of, what each chat shows of them, and whose turn it is. Owned by
//! the bot's actor; no network, no table, the time is passed in.
//!
//! A call waits in a chat's queue at most once, however many events it has: only how it stands when its turn comes
//! is told. So a flood of events costs memory by calls, not by events, and nothing that is told is out of date.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::plan::{self, Shown, Step, Wanted};
use super::present::Present;
use crate::call::record::CallId;

/// How long a correction of a message that is there lets new calls and last words go first.
const CORRECTION_WAITS: Duration = Duration::from_secs(5);

/// A turn: this call in this chat.
#[derive(Clone, Debug)]
pub struct Turn {
    pub chat: i64,
    pub present: Present,
    /// What the chat shows; `None` while nobody has looked into the table.
    pub shown: Option<Shown>,
    key: Instant,
    version: u64,
}

impl Turn {
    pub fn call(&self) -> CallId {
        self.present.record.call
    }
}

/// Whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// This chat's.
    Chat(i64),
    /// Nobody's before this time.
    Wait(Instant),
    /// Nothing waits, or only what waits for an answer.
    Nothing,
}

/// What became of a call in all chats, for the delivery's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    pub call: CallId,
    /// How many events the call had then.
    pub events: i32,
    /// Chats that show what they should.
    pub shown: usize,
    /// Why the others do not.
    pub notes: Vec<(i64, String)>,
    pub absorbed: bool,
}

#[derive(Debug)]
pub struct Desk {
    capacity: usize,
    chats: BTreeMap<i64, Chat>,
    calls: HashMap<CallId, Item>,
}

#[derive(Debug, Default)]
struct Chat {
    queue: BTreeSet<(Instant, CallId)>,
    busy: bool,
}

#[derive(Debug)]
struct Item {
    present: Present,
    version: u64,
    seats: Vec<(i64, Seat)>,
    /// Its end is on the way to the table.
    completed: bool,
}

#[derive(Debug, Default)]
struct Seat {
    shown: Option<Shown>,
    queued: Option<Instant>,
    /// It shows the last word of this version.
    finished: Option<u64>,
}

impl Item {
    fn seat(&mut self, chat: i64) -> &mut Seat {
        let index = match self.seats.iter().position(|(id, _)| *id == chat) {
            Some(index) => index,
            None => {
                self.seats.push((chat, Seat::default()));
                self.seats.len() - 1
            }
        };
        &mut self.seats[index].1
    }
}

impl Desk {
    /// `capacity`: calls kept at once; more stay in the table until there is room.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            chats: BTreeMap::new(),
            calls: HashMap::new(),
        }
    }

    /// The chats that are told; calls in progress are told to new ones too.
    pub fn set_chats(&mut self, active: &[i64], now: Instant) {
        for gone in self
            .chats
            .keys()
            .copied()
            .filter(|c| !active.contains(c))
            .collect::<Vec<_>>()
        {
            self.close(gone);
        }
        for &chat in active
            .iter()
            .filter(|c| !self.chats.contains_key(c))
            .collect::<Vec<_>>()
        {
            self.chats.insert(chat, Chat::default());
            for (call, item) in &mut self.calls {
                item.completed = false;
                enqueue(self.chats.get_mut(&chat), item, *call, chat, now);
            }
        }
    }

    /// A chat gets nothing any more.
    pub fn close(&mut self, chat: i64) {
        self.chats.remove(&chat);
        for item in self.calls.values_mut() {
            item.seats.retain(|(id, _)| *id != chat);
        }
    }

    /// A chat has another id now; its messages are not known under it.
    pub fn rename(&mut self, old: i64, new: i64, now: Instant) {
        let mut active: Vec<i64> = self.chats.keys().copied().filter(|c| *c != old).collect();
        active.push(new);
        self.set_chats(&active, now);
    }

    pub fn chats(&self) -> usize {
        self.chats.len()
    }

    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    pub fn knows(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// Whether this tells more of its call than is known here. The table does when the database's own answer to the last
    /// event was lost, and with it the nudge.
    pub fn is_news(&self, present: &Present) -> bool {
        self.calls.get(&present.record.call).is_none_or(|item| {
            item.present.record.events_count < present.record.events_count
                || (present.absorbed && !item.present.absorbed)
        })
    }

    /// How many more calls there is room for.
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.calls.len())
    }

    /// Takes what a call has come to. `false`: there is no room; the table remembers it.
    pub fn want(&mut self, present: Present, now: Instant) -> bool {
        let call = present.record.call;
        if !self.calls.contains_key(&call) && self.room() == 0 {
            return false;
        }
        let item = self.calls.entry(call).or_insert_with(|| Item {
            present: present.clone(),
            version: 0,
            seats: Vec::with_capacity(1),
            completed: false,
        });
        item.version += 1;
        item.completed = false;
        item.present = present.after(&item.present);
        for (chat, room) in &mut self.chats {
            enqueue(Some(room), item, call, *chat, now);
        }
        true
    }

    /// Whose turn it is, where `opens` says when a chat may be spoken to.
    pub fn next(&self, now: Instant, opens: impl Fn(i64) -> Instant) -> Next {
        let mut best: Option<(Instant, i64)> = None;
        let mut wait: Option<Instant> = None;
        for (&id, chat) in self.chats.iter().filter(|(_, chat)| !chat.busy) {
            let Some(&(key, _)) = chat.queue.first() else {
                continue;
            };
            match opens(id) {
                at if at > now => wait = Some(wait.map_or(at, |w| w.min(at))),
                _ if best.is_none_or(|(k, _)| key < k) => best = Some((key, id)),
                _ => {}
            }
        }
        match (best, wait) {
            (Some((_, chat)), _) => Next::Chat(chat),
            (None, Some(at)) => Next::Wait(at),
            (None, None) => Next::Nothing,
        }
    }

    /// Begins the turn of a chat's first call. The chat is busy until `end`.
    pub fn begin(&mut self, chat: i64) -> Option<Turn> {
        let room = self.chats.get_mut(&chat)?;
        let (key, call) = room.queue.pop_first()?;
        let item = self.calls.get_mut(&call)?;
        let seat = item.seat(chat);
        seat.queued = None;
        let shown = seat.shown.clone();
        room.busy = true;
        Some(Turn {
            chat,
            present: item.present.clone(),
            shown,
            key,
            version: item.version,
        })
    }

    /// Ends a turn. `wanted` and `shown`: what was looked for and what the chat shows now. Where they differ, or the call
    /// went on meanwhile, it waits again, in its old place when it was put off.
    pub fn end(&mut self, turn: &Turn, wanted: &Wanted, shown: Option<Shown>, now: Instant) {
        let Some(room) = self.chats.get_mut(&turn.chat) else {
            return;
        };
        room.busy = false;
        let call = turn.call();
        let Some(item) = self.calls.get_mut(&call) else {
            return;
        };
        let version = item.version;
        let seat = item.seat(turn.chat);
        if let Some(shown) = shown {
            seat.shown = Some(shown);
        }
        let reached = seat
            .shown
            .as_ref()
            .is_some_and(|shown| plan::next(shown, wanted) == Step::Nothing);
        if reached && version == turn.version {
            let finished = seat
                .shown
                .as_ref()
                .is_some_and(|shown| plan::finished(shown, wanted));
            seat.finished = finished.then_some(version);
        } else if reached {
            enqueue(Some(room), item, call, turn.chat, now);
        } else if seat.queued.is_none_or(|queued| queued > turn.key) {
            if let Some(later) = seat.queued.replace(turn.key) {
                room.queue.remove(&(later, call));
            }
            room.queue.insert((turn.key, call));
        }
    }

    /// Whether a call has come to its end in every chat; told once per end.
    pub fn complete(&mut self, call: CallId) -> Option<Completed> {
        let active: Vec<i64> = self.chats.keys().copied().collect();
        let item = self.calls.get_mut(&call)?;
        if item.completed || !item.present.over() {
            return None;
        }
        let version = item.version;
        if !active
            .iter()
            .all(|chat| item.seat(*chat).finished == Some(version))
        {
            return None;
        }
        item.completed = true;
        let mut completed = Completed {
            call,
            events: item.present.record.events_count,
            shown: 0,
            notes: Vec::new(),
            absorbed: item.present.absorbed,
        };
        for (chat, seat) in &item.seats {
            match seat
                .shown
                .as_ref()
                .map(|s| s.note.clone())
                .filter(|note| !note.is_empty())
            {
                Some(note) => completed.notes.push((*chat, note)),
                None => completed.shown += 1,
            }
        }
        Some(completed)
    }

    /// Every call that has come to its end, for when a chat went away.
    pub fn complete_all(&mut self) -> Vec<Completed> {
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        calls
            .into_iter()
            .filter_map(|call| self.complete(call))
            .collect()
    }

    /// The table has a call's end: it is forgotten, unless something came up meanwhile.
    pub fn forget(&mut self, call: CallId) {
        if self.calls.get(&call).is_some_and(|item| item.completed) {
            self.calls.remove(&call);
        }
    }

    /// How much waits, and since when.
    pub fn backlog(&self) -> (usize, Option<Instant>) {
        let waiting = self.chats.values().map(|chat| chat.queue.len()).sum();
        let oldest = self
            .chats
            .values()
            .filter_map(|chat| chat.queue.first())
            .map(|(key, _)| *key)
            .min();
        (waiting, oldest)
    }
}

fn enqueue(room: Option<&mut Chat>, item: &mut Item, call: CallId, chat: i64, now: Instant) {
    let over = item.present.over();
    let seat = item.seat(chat);
    let corrects = !over
        && seat
            .shown
            .as_ref()
            .is_some_and(|shown| shown.message_id.is_some());
    let key = if corrects {
        now + CORRECTION_WAITS
    } else {
        now
    };
    let Some(room) = room else { return };
    match seat.queued {
        // It keeps its place, unless the new one is before it.
        Some(queued) if queued <= key => {}
        earlier => {
            if let Some(queued) = earlier {
                room.queue.remove(&(queued, call));
            }
            room.queue.insert((key, call));
            seat.queued = Some(key);
        }
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
