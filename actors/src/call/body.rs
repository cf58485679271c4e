//! A host's JSON, read leniently: known fields in whatever type they come, unknown ones passed over, nothing but the
//! shape refused. Used by the webhooks and, on the journal's bytes, by a rebuild, so that both read the same.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::event::{CallType, Event, EventKind, host_micros, identify, is_sane, wall_clock};

/// Why a body cannot be kept as an event. The text is for the person who wires up a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is empty; send one JSON object")]
    Empty,
    #[error("the body is not UTF-8 (first bad byte at offset {0})")]
    NotUtf8(usize),
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    #[error(
        "the body is JSON but not an object; send one JSON object with UniqueId and the event's fields"
    )]
    NotAnObject,
    #[error("neither UniqueId nor BridgeUniqueId is given; an event needs one of them")]
    NoId,
    #[error("{field} is longer than {max} characters, which is all that can be kept")]
    IdTooLong { field: &'static str, max: usize },
}

/// The longest id kept. Asterisk's own limit for a unique id is 150.
pub const MAX_ID: usize = 200;
/// The longest text taken from any other field; longer ones are cut (the raw body keeps them whole).
const MAX_TEXT: usize = 200;
/// How many extensions of one event are followed; more stay in the raw body only.
pub const MAX_EXTENSIONS: usize = 256;

/// What a body says besides the event itself: the token, which is checked before anything else.
#[derive(Default)]
struct Fields {
    token: String,
    unique_id: String,
    linked_id: String,
    parent_id: String,
    channel_id: String,
    bridge_id: String,
    bridge_channels: String,
    phone: String,
    caller: String,
    connected: String,
    extensions: Vec<String>,
    call_type: String,
    call_status: String,
    trunk: String,
    event_id: String,
    start_time: String,
    date_received: String,
    end_time: String,
    answer_time: String,
    bill_sec: String,
    hangup_cause: String,
    dial_status: String,
    record_file: String,
    request_id: String,
    last_connected: String,
}

/// A body whose JSON has been read, before it is known whose it is.
pub struct Body<'a> {
    raw: &'a str,
    fields: Fields,
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("unique_id", &self.fields.unique_id)
            .finish_non_exhaustive()
    }
}

impl<'a> Body<'a> {
    /// A body that says nothing: of the events we write ourselves.
    pub(super) fn silent(raw: &'a str) -> Body<'a> {
        Body {
            raw,
            fields: Fields::default(),
        }
    }

    /// Reads a body. Unknown fields are passed over, known ones taken in whatever type they come.
    pub fn read(bytes: &'a [u8]) -> Result<Body<'a>, Unreadable> {
        let raw =
            std::str::from_utf8(bytes).map_err(|error| Unreadable::NotUtf8(error.valid_up_to()))?;
        if raw.trim_ascii().is_empty() {
            return Err(Unreadable::Empty);
        }
        let mut json = serde_json::Deserializer::from_str(raw);
        let fields = json.deserialize_any(FieldsVisitor).map_err(|error| {
            if error.is_data() {
                Unreadable::NotAnObject
            } else {
                Unreadable::NotJson(error.to_string())
            }
        })?;
        json.end()
            .map_err(|error| Unreadable::NotJson(error.to_string()))?;
        for (field, text) in [
            ("UniqueId", &fields.unique_id),
            ("LinkedId", &fields.linked_id),
            ("ParentUniqueId", &fields.parent_id),
            ("ChannelUniqueId", &fields.channel_id),
            ("BridgeUniqueId", &fields.bridge_id),
        ] {
            if text.len() > MAX_ID {
                return Err(Unreadable::IdTooLong { field, max: MAX_ID });
            }
        }
        if fields.unique_id.is_empty() && fields.bridge_id.is_empty() {
            return Err(Unreadable::NoId);
        }
        Ok(Body { raw, fields })
    }

    /// The token in the body, may be empty.
    pub fn token(&self) -> &str {
        &self.fields.token
    }

    /// The event this body is, for the enterprise whose token it carried.
    ///
    /// `header_id` is the header `X-Event-Id`. The identity of an event is its EventId (of the body, else
    /// of the header), else the bytes of the body; always within enterprise, unique id and kind.
    pub fn into_event(
        self,
        kind: EventKind,
        enterprise: i64,
        zone: Tz,
        header_id: Option<&str>,
        received: DateTime<Utc>,
    ) -> Event {
        let Body { raw, fields } = self;
        let host_event_id = match (fields.event_id.is_empty(), header_id) {
            (false, _) => fields.event_id,
            (true, Some(id)) => clean(id, MAX_TEXT),
            (true, None) => String::new(),
        };
        let key = identify(enterprise, kind, &fields.unique_id, &host_event_id, raw);
        let received = received.timestamp_micros();
        let told = match kind {
            EventKind::Start => [&fields.date_received, &fields.start_time],
            EventKind::Hangup => [&fields.date_received, &fields.end_time],
            EventKind::Bridge => [&fields.date_received, &fields.answer_time],
            _ => [&fields.date_received, &fields.date_received],
        };
        let at = host_micros(&host_event_id)
            .or_else(|| told.into_iter().find_map(|text| wall_clock(text, zone)))
            .filter(|at| is_sane(*at, received))
            .unwrap_or(received);
        Event {
            kind,
            unique_id: fields.unique_id,
            linked_id: fields.linked_id,
            parent_id: fields.parent_id,
            channel_id: fields.channel_id,
            bridge_id: fields.bridge_id,
            bridge_channels: fields.bridge_channels.parse().ok(),
            phone: fields.phone,
            caller: fields.caller,
            connected: fields.connected,
            extensions: fields.extensions,
            call_type: match fields.call_type.as_str() {
                "0" => Some(CallType::Incoming),
                "1" => Some(CallType::Outgoing),
                "2" => Some(CallType::Internal),
                _ => None,
            },
            answered: match fields.call_status.as_str() {
                "" => None,
                "2" => Some(true),
                _ => Some(false),
            },
            line: fields.trunk,
            last_connected: fields.last_connected,
            dial_status: fields.dial_status.to_ascii_uppercase(),
            hangup_cause: fields.hangup_cause.parse().ok(),
            recording: fields.record_file,
            request_id: fields.request_id,
            // A talk of over a day is a broken clock, not a talk.
            bill_seconds: fields
                .bill_sec
                .parse::<f64>()
                .ok()
                .filter(|s| (0.0..=86_400.0).contains(s))
                .map(|s| s as u32),
            at,
            received,
            host_event_id,
            key,
        }
    }
}

/// Text without control characters, cut to `max` characters' worth of bytes at a character's border.
fn clean(text: &str, max: usize) -> String {
    let text = text.trim();
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    if text[..end].chars().any(char::is_control) {
        text[..end].chars().filter(|c| !c.is_control()).collect()
    } else {
        text[..end].to_owned()
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let ids = MAX_ID * 4 + 1; // kept whole here, so that a too long one is refused, not cut
            let (slot, max) = match key.as_ref() {
                "Token" => (&mut fields.token, MAX_TEXT),
                "UniqueId" => (&mut fields.unique_id, ids),
                "LinkedId" => (&mut fields.linked_id, ids),
                "ParentUniqueId" => (&mut fields.parent_id, ids),
                "ChannelUniqueId" => (&mut fields.channel_id, ids),
                "BridgeUniqueId" => (&mut fields.bridge_id, ids),
                "BridgeNumChannels" => (&mut fields.bridge_channels, MAX_TEXT),
                "Phone" => (&mut fields.phone, MAX_TEXT),
                "CallerIDNum" => (&mut fields.caller, MAX_TEXT),
                "ConnectedLineNum" => (&mut fields.connected, MAX_TEXT),
                "CallType" => (&mut fields.call_type, MAX_TEXT),
                "CallStatus" => (&mut fields.call_status, MAX_TEXT),
                "Trunk" => (&mut fields.trunk, MAX_TEXT),
                "EventId" => (&mut fields.event_id, MAX_TEXT),
                "StartTime" => (&mut fields.start_time, MAX_TEXT),
                "DateReceived" => (&mut fields.date_received, MAX_TEXT),
                "EndTime" => (&mut fields.end_time, MAX_TEXT),
                "AnswerTime" => (&mut fields.answer_time, MAX_TEXT),
                "BillSec" => (&mut fields.bill_sec, MAX_TEXT),
                "HangupCause" => (&mut fields.hangup_cause, MAX_TEXT),
                "DialStatus" => (&mut fields.dial_status, MAX_TEXT),
                "RecordFile" => (&mut fields.record_file, MAX_TEXT),
                "RequestId" => (&mut fields.request_id, MAX_TEXT),
                "LastConnected" => (&mut fields.last_connected, MAX_TEXT),
                "Extensions" => {
                    fields.extensions = map.next_value::<Extensions>()?.0;
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = map.next_value_seed(Scalar { max })?;
        }
        Ok(fields)
    }
}

/// Any JSON value as text: strings cleaned, numbers and booleans written out, everything else "".
struct Scalar {
    max: usize,
}

impl<'de> serde::de::DeserializeSeed<'de> for Scalar {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(clean(text, self.max))
    }

    fn visit_bool<E>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E>(self, value: f64) -> Result<String, E> {
        // 1e308 is three hundred digits long.
        Ok(clean(&value.to_string(), self.max))
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<String, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }
}

/// An array of texts, or one text that may list several with commas.
struct Extensions(Vec<String>);

impl<'de> serde::Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Extensions, D::Error> {
        struct ListVisitor;
        impl<'de> Visitor<'de> for ListVisitor {
            type Value = Extensions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of extensions")
            }

            fn visit_str<E>(self, text: &str) -> Result<Extensions, E> {
                let mut list = Vec::new();
                for part in text.split([',', ';', '&']).take(MAX_EXTENSIONS) {
                    push_new(&mut list, clean(part, 40));
                }
                Ok(Extensions(list))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Extensions, E> {
                Ok(Extensions(vec![value.to_string()]))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Extensions, E> {
                Ok(Extensions(vec![value.to_string()]))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Extensions, E> {
                Ok(Extensions(Vec::new()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Extensions, E> {
                Ok(Extensions(Vec::new()))
            }

            fn visit_unit<E>(self) -> Result<Extensions, E> {
                Ok(Extensions(Vec::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Extensions, A::Error> {
                let mut list = Vec::new();
                while let Some(text) = {
                    if list.len() < MAX_EXTENSIONS {
                        seq.next_element_seed(Scalar { max: 40 })?
                    } else {
                        seq.next_element::<IgnoredAny>()?.map(|_| String::new())
                    }
                } {
                    push_new(&mut list, text);
                }
                Ok(Extensions(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extensions, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Extensions(Vec::new()))
            }
        }
        deserializer.deserialize_any(ListVisitor)
    }
}

fn push_new(list: &mut Vec<String>, text: String) {
    if !text.is_empty() && !list.contains(&text) {
        list.push(text);
    }
}
