//! The pretended Asterisk host of one call: its clock, its channels and bridges, and the bodies of its events, field by
//! field as a real one with our dialplan kit and bridge forwarder sends them. Used by `patterns`; pure, its chance comes
//! from a seed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

/// One event as a host sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it is sent, after the call's first event.
    pub at: Duration,
    /// When it happened by the host's clock, after the call's beginning.
    pub happened: Duration,
    /// "/start", "/dial" …
    pub path: &'static str,
    /// The header `X-Event-Id`; the forwarder of bridge events sends none.
    pub event_id: Option<String>,
    /// The body without its token, which the player adds.
    pub body: Map<String, Value>,
}

/// Which way a call goes; the word `CallType` of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
    Internal,
}

/// Somebody a channel belongs to: how its numbers appear in bridge events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    pub name: String,
    pub unique_id: String,
    pub number: String,
}

/// How a call ended, in a host's words.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    pub cause: &'static str,
    pub dial_status: &'static str,
}

/// One call of the host, written down event by event.
pub struct Call {
    way: Way,
    phone: String,
    line: String,
    /// The extension that makes the call, or the first that is called.
    first: String,
    began: DateTime<Utc>,
    zone: Tz,
    now: Duration,
    chance: StdRng,
    /// The number after the dot of the next unique id.
    sequence: u64,
    channel: Channel,
    answered: Option<Duration>,
    events: Vec<Event>,
}

impl Call {
    /// `began`: the moment of the first event, told in `zone`. The same seed gives the same call, ids included.
    pub fn new(
        way: Way,
        phone: &str,
        line: &str,
        first: &str,
        began: DateTime<Utc>,
        zone: Tz,
        seed: u64,
    ) -> Call {
        let mut chance = StdRng::seed_from_u64(seed);
        let sequence = chance.random_range(10..1_000_000);
        let owner = match way {
            Way::In => "trunk",
            Way::Out | Way::Internal => first,
        };
        let number = match way {
            Way::In => phone,
            Way::Out | Way::Internal => first,
        };
        let mut call = Call {
            way,
            phone: phone.to_owned(),
            line: line.to_owned(),
            first: first.to_owned(),
            began,
            zone,
            now: Duration::ZERO,
            chance,
            sequence,
            channel: Channel {
                name: String::new(),
                unique_id: String::new(),
                number: String::new(),
            },
            answered: None,
            events: Vec::new(),
        };
        call.channel = call.new_channel(owner, number);
        call
    }

    /// The call's unique id.
    pub fn unique_id(&self) -> &str {
        &self.channel.unique_id
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Time goes on, by a little more or less than asked for, as it does.
    pub fn wait(&mut self, pause: Duration) {
        self.now += pause + Duration::from_millis(self.chance.random_range(5..60));
    }

    /// The channel of whoever is called next.
    pub fn new_channel(&mut self, owner: &str, number: &str) -> Channel {
        let second = (self.began + self.now_delta()).timestamp();
        let unique_id = format!("{second}.{}", self.sequence);
        let name = format!("PJSIP/{owner}-{:08x}", self.sequence);
        self.sequence += 1;
        Channel {
            name,
            unique_id,
            number: number.to_owned(),
        }
    }

    pub fn start(&mut self) {
        let body = self.body("start", &self.channel.clone());
        self.push("/start", body);
    }

    pub fn dial(&mut self, extensions: &[String]) {
        let mut body = self.body("dial", &self.channel.clone());
        body.insert("Extensions".into(), json!(extensions));
        self.push("/dial", body);
    }

    /// Somebody answers: the bridge is made, then told. Gives the bridge's id.
    pub fn bridge(&mut self, channel: &Channel, extension: &str) -> String {
        let bridge = uuid(&mut self.chance);
        self.forward("/bridge_create", bridge_body(&bridge, 0));
        self.wait(Duration::from_millis(20));
        self.answered.get_or_insert(self.now);
        let mut body = self.body("bridge", channel);
        body.insert("Extensions".into(), json!([extension]));
        body.insert("CallStatus".into(), json!("2"));
        self.push("/bridge", body);
        bridge
    }

    /// The talk ends: both leave, the first one first, and the bridge goes.
    pub fn part(&mut self, bridge: &str, first: &Channel, second: &Channel) {
        for (left, (who, other)) in [(1, (first, second)), (0, (second, first))] {
            let mut body = bridge_body(bridge, left);
            body.insert("UniqueId".into(), json!(who.unique_id));
            body.insert("LinkedId".into(), json!(self.channel.unique_id));
            body.insert("Channel".into(), json!(who.name));
            body.insert("CallerIDNum".into(), json!(who.number));
            body.insert("ConnectedLineNum".into(), json!(other.number));
            self.forward("/bridge_leave", body);
        }
        self.forward("/bridge_destroy", bridge_body(bridge, 0));
    }

    /// The line tells the callee's number, as it does on outgoing calls.
    pub fn new_caller(&mut self, channel: &Channel) {
        let mut body = Map::new();
        body.insert("UniqueId".into(), json!(channel.unique_id));
        body.insert("LinkedId".into(), json!(self.channel.unique_id));
        body.insert("Channel".into(), json!(channel.name));
        body.insert("CallerIDNum".into(), json!(channel.number));
        body.insert("ConnectedLineNum".into(), json!(self.first));
        self.forward("/new_callerid", body);
    }

    /// The call ends. `talked`: the extension that talked last, if any did; `last`: who was connected last.
    pub fn hangup(&mut self, talked: Option<&str>, last: &str, ending: Ending) {
        self.wait(Duration::from_millis(10));
        let mut body = self.body("hangup", &self.channel.clone());
        let ended = self.now;
        let seconds = |from: Duration| ended.saturating_sub(from).as_secs_f64().round() as u64;
        let talked = talked.filter(|_| self.answered.is_some());
        let answered = self.answered.filter(|_| talked.is_some());
        let record = talked.map_or(String::new(), |_| format!("{}.wav", self.channel.unique_id));
        body.insert(
            "CallStatus".into(),
            json!(if talked.is_some() { "2" } else { "0" }),
        );
        body.insert(
            "Extensions".into(),
            json!(talked.iter().collect::<Vec<_>>()),
        );
        body.insert("EndTime".into(), json!(self.clock(ended)));
        body.insert(
            "AnswerTime".into(),
            json!(answered.map_or(String::new(), |at| self.clock(at))),
        );
        body.insert("Duration".into(), json!(seconds(Duration::ZERO)));
        body.insert("BillSec".into(), json!(answered.map_or(0, seconds)));
        body.insert("HangupCause".into(), json!(ending.cause));
        body.insert("DialStatus".into(), json!(ending.dial_status));
        body.insert("RecordFile".into(), json!(record));
        body.insert("LastConnected".into(), json!(last));
        self.push("/hangup", body);
    }

    /// Every event, in the order in which they happened.
    pub fn into_events(self) -> Vec<Event> {
        self.events
    }

    fn body(&mut self, event: &str, channel: &Channel) -> Map<String, Value> {
        let connected = match self.way {
            Way::In => format!("1000{}", self.first),
            Way::Out | Way::Internal => self.phone.clone(),
        };
        let call_type = match self.way {
            Way::In => 0,
            Way::Out => 1,
            Way::Internal => 2,
        };
        let micros = (self.began + self.now_delta()).timestamp_micros();
        let number: u32 = self.chance.random_range(1_000..10_000);
        let fields = json!({
            "UniqueId": self.channel.unique_id,
            "Phone": self.phone,
            "CallerIDNum": self.channel.number,
            "ConnectedLineNum": connected,
            "CallType": call_type,
            "Trunk": if self.way == Way::Internal { "" } else { &self.line },
            "ExternalInitiated": self.way == Way::In,
            "StartTime": self.clock(Duration::ZERO),
            "DateReceived": self.clock(self.now),
            "EventId": format!("{micros}-{number}-{event}"),
            "LinkedId": self.channel.unique_id,
            "Channel": channel.name,
            "ChannelUniqueId": channel.unique_id,
        });
        match fields {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// An event of the dialplan kit: it carries its identity in body and header.
    fn push(&mut self, path: &'static str, body: Map<String, Value>) {
        let event_id = body
            .get("EventId")
            .and_then(Value::as_str)
            .map(str::to_owned);
        self.events.push(Event {
            at: self.now,
            happened: self.now,
            path,
            event_id,
            body,
        });
    }

    /// An event of the bridge forwarder: it has no identity, and its clock is the forwarder's.
    fn forward(&mut self, path: &'static str, mut body: Map<String, Value>) {
        body.insert("DateReceived".into(), json!(self.clock(self.now)));
        self.events.push(Event {
            at: self.now,
            happened: self.now,
            path,
            event_id: None,
            body,
        });
        self.now += Duration::from_millis(self.chance.random_range(1..4));
    }

    fn clock(&self, after: Duration) -> String {
        let at = self.began + TimeDelta::from_std(after).unwrap_or_default();
        at.with_timezone(&self.zone)
            .format("%Y-%m-%d %H:%M:%S")
            .to_string()
    }

    fn now_delta(&self) -> TimeDelta {
        TimeDelta::from_std(self.now).unwrap_or_default()
    }
}

fn bridge_body(bridge: &str, channels: u32) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("BridgeUniqueId".into(), json!(bridge));
    body.insert("BridgeType".into(), json!("basic"));
    body.insert("BridgeTechnology".into(), json!("simple_bridge"));
    body.insert("BridgeNumChannels".into(), json!(channels));
    body
}

fn uuid(chance: &mut StdRng) -> String {
    uuid::Builder::from_random_bytes(chance.random())
        .into_uuid()
        .to_string()
}
