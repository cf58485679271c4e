//! What is remembered of a call's events while it lives: only what the state machine reads, packed, in the
//! order of the host's time. Filled by `state.rs`; never drops a leg's event, caps the refining ones.

use super::event::{CallType, Event, EventKind};

/// An index into the call's words; 0 is "".
pub type Word = u16;

/// One event of a call, packed: texts are indices into [`Facts::words`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Microseconds since 1970, the host's clock where it can be trusted.
    pub at: i64,
    /// Half of the event's key, to tell a resend.
    pub key: u64,
    pub kind: EventKind,
    pub call_type: Option<CallType>,
    pub answered: Option<bool>,
    pub bridge_channels: Option<u8>,
    pub hangup_cause: Option<u16>,
    pub bill_seconds: Option<u32>,
    pub unique_id: Word,
    pub linked_id: Word,
    pub parent_id: Word,
    pub channel_id: Word,
    pub bridge_id: Word,
    pub phone: Word,
    pub caller: Word,
    pub connected: Word,
    pub line: Word,
    pub last_connected: Word,
    pub dial_status: Word,
    pub recording: Word,
    pub request_id: Word,
    /// Extensions joined by ','.
    pub extensions: Word,
}

/// Leg events beyond this are journalled but no longer followed.
const MAX_MAIN: usize = 2_000;
/// Refining events (new_callerid, bridge_leave) beyond this are journalled but no longer followed.
const MAX_SIDE: usize = 400;

/// The facts of one call, ordered, with the table of their texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    words: Vec<Box<str>>,
    list: Vec<Fact>,
    /// Events applied, those beyond the caps included.
    pub count: i32,
}

impl Facts {
    /// Takes an event in. False: it was there already and nothing changed.
    pub fn insert(&mut self, event: &Event) -> bool {
        let key = short_key(&event.key);
        if self.list.iter().any(|fact| fact.key == key) {
            return false;
        }
        self.count += 1;
        let main = event.kind.is_main() || event.kind == EventKind::Lost;
        let same = self
            .list
            .iter()
            .filter(|fact| fact.kind.is_main() == main)
            .count();
        if same >= if main { MAX_MAIN } else { MAX_SIDE } {
            return true;
        }
        let fact = self.pack(event, key);
        let place = self
            .list
            .partition_point(|other| self.rank(other) <= self.rank(&fact));
        // A live call has two or three facts, and there may be a hundred thousand calls: no room in advance.
        self.list.reserve_exact(1);
        self.list.insert(place, fact);
        true
    }

    /// Whether an event with this key was taken in.
    pub fn contains(&self, key: &[u8; 16]) -> bool {
        let key = short_key(key);
        self.list.iter().any(|fact| fact.key == key)
    }

    /// Takes all facts of an absorbed call in.
    pub fn absorb(&mut self, other: &Facts) {
        for fact in &other.list {
            if self.list.iter().any(|own| own.key == fact.key) {
                continue;
            }
            let mut moved = fact.clone();
            for (slot, word) in [
                (&mut moved.unique_id, fact.unique_id),
                (&mut moved.linked_id, fact.linked_id),
                (&mut moved.parent_id, fact.parent_id),
                (&mut moved.channel_id, fact.channel_id),
                (&mut moved.bridge_id, fact.bridge_id),
                (&mut moved.phone, fact.phone),
                (&mut moved.caller, fact.caller),
                (&mut moved.connected, fact.connected),
                (&mut moved.line, fact.line),
                (&mut moved.last_connected, fact.last_connected),
                (&mut moved.dial_status, fact.dial_status),
                (&mut moved.recording, fact.recording),
                (&mut moved.request_id, fact.request_id),
                (&mut moved.extensions, fact.extensions),
            ] {
                *slot = self.word(other.text(word));
            }
            let place = self
                .list
                .partition_point(|own| self.rank(own) <= self.rank(&moved));
            self.list.insert(place, moved);
        }
        self.count += other.count;
    }

    /// The facts in the order of the host's time.
    pub fn iter(&self) -> std::slice::Iter<'_, Fact> {
        self.list.iter()
    }

    /// The text of a word.
    pub fn text(&self, word: Word) -> &str {
        if word == 0 {
            ""
        } else {
            self.words
                .get(usize::from(word) - 1)
                .map_or("", |text| text)
        }
    }

    /// The extensions a fact names.
    pub fn extensions<'a>(&'a self, fact: &Fact) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text(fact.extensions)
            .split(',')
            .filter(|text| !text.is_empty())
    }

    /// The order of facts. It depends on nothing but the events themselves, so that the same events
    /// give the same order however they arrived; of two at the same moment the one that usually comes first.
    fn rank(&self, fact: &Fact) -> (i64, EventKind, std::cmp::Reverse<Option<u8>>, u64) {
        (
            fact.at,
            fact.kind,
            std::cmp::Reverse(fact.bridge_channels),
            fact.key,
        )
    }

    fn word(&mut self, text: &str) -> Word {
        if text.is_empty() {
            return 0;
        }
        let place = self
            .words
            .iter()
            .position(|known| &**known == text)
            .unwrap_or_else(|| {
                self.words.reserve_exact(1);
                self.words.push(text.into());
                self.words.len() - 1
            });
        // Capped facts times their texts stay far below the index's end.
        Word::try_from(place + 1).unwrap_or(0)
    }

    fn pack(&mut self, event: &Event, key: u64) -> Fact {
        let extensions = match event.extensions.as_slice() {
            [] => 0,
            [one] => self.word(one),
            many => self.word(&many.join(",")),
        };
        Fact {
            at: event.at,
            key,
            kind: event.kind,
            call_type: event.call_type,
            answered: event.answered,
            bridge_channels: event
                .bridge_channels
                .map(|count| u8::try_from(count).unwrap_or(u8::MAX)),
            hangup_cause: event.hangup_cause,
            bill_seconds: event.bill_seconds,
            unique_id: self.word(&event.unique_id),
            linked_id: self.word(&event.linked_id),
            parent_id: self.word(&event.parent_id),
            channel_id: self.word(&event.channel_id),
            bridge_id: self.word(&event.bridge_id),
            phone: self.word(&event.phone),
            caller: self.word(&event.caller),
            connected: self.word(&event.connected),
            line: self.word(&event.line),
            last_connected: self.word(&event.last_connected),
            dial_status: self.word(&event.dial_status),
            recording: self.word(&event.recording),
            request_id: self.word(&event.request_id),
            extensions,
        }
    }
}

/// Half of an event's key: its end, since what begins a key may be chosen to sort well rather than to differ.
fn short_key(key: &[u8; 16]) -> u64 {
    let mut half = [0; 8];
    half.copy_from_slice(&key[8..]);
    u64::from_be_bytes(half)
}
