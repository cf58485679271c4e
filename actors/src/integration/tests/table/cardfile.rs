//! The card file in the table.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::cardfile::{self, State, TOKEN};
use simulators::script::{Behaviour, Script};
use simulators::server::Running;

use super::{Seen, Stand};

struct Crm(Running<State>);

/// A card file with two clients.
pub fn open() -> Box<dyn Stand> {
    let crm = cardfile::start_in_thread("127.0.0.1:0").unwrap();
    crm.state.add_person("Иван Петров", "+375291234567");
    crm.state.add_person("Ольга Белая", "+375296254070");
    Box::new(Crm(crm))
}

impl Stand for Crm {
    fn settings(&self) -> Value {
        json!({"address": self.0.base_url, "token": TOKEN})
    }

    fn seen(&self) -> Seen {
        let state = &self.0.state;
        let (people, cards) = (state.people(), state.cards());
        let name = |phone: &str| {
            let known = people.iter().find(|one| one.phone == phone);
            known.map_or_else(|| format!("unknown {phone}"), |one| one.name.clone())
        };
        let mut history: Vec<String> = state
            .calls()
            .values()
            .map(|call| {
                let way = if call.outgoing { "to" } else { "from" };
                let by = call.extension.as_deref().unwrap_or("nobody");
                let recorded = if call.recording.is_some() {
                    ", recorded"
                } else {
                    ""
                };
                let (who, result, seconds) = (name(&call.phone), &call.result, call.seconds);
                format!("call {way} {who} by {by}: {result}, {seconds} s{recorded}")
            })
            .collect();
        history.sort();
        Seen {
            open: cards.iter().filter(|card| !card.is_closed).count(),
            cards: cards
                .iter()
                .map(|card| {
                    let person = usize::try_from(card.person).unwrap() - 1;
                    let closed = if card.is_closed { ", closed" } else { "" };
                    format!(
                        "card {} at {:?}{closed}",
                        people[person].name, card.extensions
                    )
                })
                .collect(),
            history,
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
            ..Behaviour::status(429).saying(json!({"error": "too many requests"}))
        };
        (words, Duration::from_secs(1))
    }

    fn revoked(&self) -> Behaviour {
        Behaviour::status(401).saying(json!({"error": "no such token"}))
    }
}
