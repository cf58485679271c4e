//! One message of an Asterisk host in our words: its kind, its ids, when it happened, what makes it the same event when
//! it comes again. Made from a `Body`; read by the state machine; changes nothing.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

pub use super::body::{Body, MAX_EXTENSIONS, MAX_ID, Unreadable};

/// The kinds of events a host posts, one webhook each, and the one we write ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    Start,
    NewCallerId,
    Dial,
    BridgeCreate,
    Bridge,
    BridgeLeave,
    BridgeDestroy,
    Hangup,
    /// Ours: no hangup came within the configured time. Journalled like any other event.
    Lost,
}

impl EventKind {
    /// Every kind, in the order in which a call usually shows them.
    pub const ALL: [EventKind; 9] = [
        EventKind::Start,
        EventKind::NewCallerId,
        EventKind::Dial,
        EventKind::BridgeCreate,
        EventKind::Bridge,
        EventKind::BridgeLeave,
        EventKind::BridgeDestroy,
        EventKind::Hangup,
        EventKind::Lost,
    ];

    /// The word in the URL and in `call_events.event_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Start => "start",
            EventKind::NewCallerId => "new_callerid",
            EventKind::Dial => "dial",
            EventKind::BridgeCreate => "bridge_create",
            EventKind::Bridge => "bridge",
            EventKind::BridgeLeave => "bridge_leave",
            EventKind::BridgeDestroy => "bridge_destroy",
            EventKind::Hangup => "hangup",
            EventKind::Lost => "lost",
        }
    }

    /// The kind a word names, if it names one.
    pub fn parse(word: &str) -> Option<EventKind> {
        EventKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// Whether the event names only a bridge, so that no call can be told from it alone.
    pub fn is_of_bridge(self) -> bool {
        matches!(self, EventKind::BridgeCreate | EventKind::BridgeDestroy)
    }

    /// Whether the event speaks of a leg's course; the others only refine what is known.
    pub fn is_main(self) -> bool {
        matches!(
            self,
            EventKind::Start | EventKind::Dial | EventKind::Bridge | EventKind::Hangup
        )
    }
}

/// 0 incoming, 1 outgoing, 2 internal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallType {
    Incoming,
    Outgoing,
    Internal,
}

/// One event in our words. Absent and empty texts are both "".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    pub unique_id: String,
    pub linked_id: String,
    pub parent_id: String,
    /// The channel the event is about, where it is another than the call's own.
    pub channel_id: String,
    pub bridge_id: String,
    /// Channels left in the bridge.
    pub bridge_channels: Option<u32>,
    pub phone: String,
    pub caller: String,
    pub connected: String,
    pub extensions: Vec<String>,
    pub call_type: Option<CallType>,
    /// CallStatus: "2" answered, "0" not.
    pub answered: Option<bool>,
    pub line: String,
    pub last_connected: String,
    pub dial_status: String,
    pub hangup_cause: Option<u16>,
    pub recording: String,
    pub request_id: String,
    /// Seconds from the answer to the end as the host counted them.
    pub bill_seconds: Option<u32>,
    /// When it happened: microseconds since 1970, by the host's clock where that can be trusted.
    pub at: i64,
    /// When it arrived here, microseconds since 1970.
    pub received: i64,
    /// The identity the host gave it, may be empty.
    pub host_event_id: String,
    /// Identity of the event: a resend has the same.
    pub key: [u8; 16],
}

impl Event {
    /// The event we write ourselves when a call is given up as lost.
    pub fn lost(
        enterprise: i64,
        unique_id: &str,
        linked_id: &str,
        events_so_far: i32,
        now: DateTime<Utc>,
    ) -> Event {
        let raw = lost_body(events_so_far);
        let mut event =
            Body::silent(&raw).into_event(EventKind::Lost, enterprise, Tz::UTC, None, now);
        event.unique_id = unique_id.to_owned();
        event.linked_id = linked_id.to_owned();
        event.key = identify(enterprise, EventKind::Lost, unique_id, "", &raw);
        event
    }

    /// When it arrived, as a time.
    pub fn received_time(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.received).unwrap_or_default()
    }

    /// When it happened, as a time.
    pub fn time(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.at).unwrap_or_default()
    }
}

/// The body journalled with [`Event::lost`].
pub fn lost_body(events_so_far: i32) -> String {
    format!("{{\"reason\":\"no hangup came\",\"events\":{events_so_far}}}")
}

/// Identity of an event: 96 bits of a SHA-256 over what makes it the same, after the second that begins its unique id.
/// So events of about one time stand together in the journal's unique index; wholly random keys would each bring
/// another page of it to the disk.
pub(super) fn identify(
    enterprise: i64,
    kind: EventKind,
    unique_id: &str,
    host_event_id: &str,
    raw: &str,
) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(enterprise.to_be_bytes());
    hash.update(kind.as_str());
    hash.update([0]);
    hash.update(unique_id);
    hash.update([0]);
    if host_event_id.is_empty() {
        hash.update([1]);
        hash.update(raw);
    } else {
        hash.update([2]);
        hash.update(host_event_id);
    }
    let digest = hash.finalize();
    let mut key = [0; 16];
    key[..4].copy_from_slice(&second(unique_id).to_be_bytes());
    key[4..].copy_from_slice(&digest[..12]);
    key
}

/// The seconds since 1970 that Asterisk's unique ids begin with, 0 of other ids: nothing but an order depends on it.
fn second(unique_id: &str) -> u32 {
    let digits = unique_id.bytes().take_while(u8::is_ascii_digit).count();
    unique_id[..digits].parse().unwrap_or_default()
}

/// The kit's event ids begin with sixteen digits: microseconds since 1970.
pub(super) fn host_micros(event_id: &str) -> Option<i64> {
    let digits = event_id.get(..16)?;
    let ends = event_id
        .as_bytes()
        .get(16)
        .is_none_or(|next| !next.is_ascii_digit());
    if !ends || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// "YYYY-MM-DD HH:MM:SS", with or without fractions, on a clock in `zone`.
pub(super) fn wall_clock(text: &str, zone: Tz) -> Option<i64> {
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f"))
        .ok()?;
    // The hour that a zone lives through twice is taken the first time; one it skips is read as UTC.
    let time = zone
        .from_local_datetime(&naive)
        .earliest()
        .map_or_else(|| naive.and_utc(), |time| time.to_utc());
    Some(time.timestamp_micros())
}

/// Whether a host's clock can be believed: not before 2015, not over a day ahead of ours. Far in the past is
/// believed: a host's spool may be resent days later.
pub(super) fn is_sane(at: i64, received: i64) -> bool {
    const YEAR_2015: i64 = 1_420_070_400_000_000;
    const DAY: i64 = 86_400_000_000;
    at >= YEAR_2015 && at <= received.saturating_add(DAY)
}
