//! A receiver of events in the table: what it hears of a call's course stands for the cards; that the call ended, and has its recording,
//! for the history.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use simulators::script::{Behaviour, Script};
use simulators::server::Running;
use simulators::webhook::{self, Message, State};

use super::{Seen, Stand};

struct Receiver(Running<State>);

/// A receiver that verifies signatures.
pub fn open() -> Box<dyn Stand> {
    let receiver = webhook::start_in_thread("127.0.0.1:0", webhook::Settings::default()).unwrap();
    Box::new(Receiver(receiver))
}

impl Stand for Receiver {
    fn settings(&self) -> Value {
        json!({"url": self.0.base_url, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    }

    fn seen(&self) -> Seen {
        let messages = self.0.state.events();
        let mut calls: BTreeMap<String, (String, &str)> = BTreeMap::new();
        for message in &messages {
            let call = calls.entry(message.text("call_id").to_owned());
            match message.kind() {
                "recording.ready" => call.or_default().1 = ", recorded",
                "call.ended" => {
                    let (way, phone) = (message.text("direction"), message.text("phone"));
                    call.or_default().0 = format!("call {way} {phone}: ended");
                }
                _ => {}
            }
        }
        Seen {
            cards: messages.iter().map(moment).collect(),
            open: 0,
            history: calls
                .into_values()
                .map(|(line, recorded)| format!("{line}{recorded}"))
                .collect(),
        }
    }

    fn refused(&self) -> u64 {
        self.0.state.refused()
    }

    fn script(&self) -> &Script {
        &self.0.state.script
    }

    fn scripted(&self) -> u64 {
        self.0.state.counts().scripted
    }

    fn throttled(&self) -> (Behaviour, Duration) {
        let words = Behaviour {
            retry_after: Some(1),
            ..Behaviour::status(429)
        };
        (words, Duration::from_secs(1))
    }

    fn revoked(&self) -> Behaviour {
        Behaviour::status(410)
    }

    fn says_a_bare_yes(&self) -> bool {
        true
    }
}

/// An event as it was known then: a host whose events come in a wrong order is told of no second end.
fn moment(message: &Message) -> String {
    let data = &message.body["data"];
    let texts = |name: &str| {
        let list = data[name].as_array().into_iter().flatten();
        list.filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match message.kind() {
        "call.ended" => {
            let (outcome, seconds) = (message.text("outcome"), &data["talk_seconds"]);
            format!(
                "call.ended {outcome}, {seconds} s with [{}]",
                texts("talked")
            )
        }
        kind => format!("{kind} [{}]", texts("extensions")),
    }
}
