//! Bitrix24 in the table: a card follows the call from screen to screen, and the call stands in the statistics once.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::bitrix24::{self, Settings, State};
use simulators::script::{Behaviour, Script};
use simulators::server::Running;

use super::{Seen, Stand};

/// The request of an answered call that ends it and has its recording fetched.
const FETCHES: usize = 3;

struct Crm(Running<State>);

/// A portal with two clients, one more than it has from the start. Recordings are taken for fetched: nothing serves them.
pub fn open() -> Box<dyn Stand> {
    let settings = Settings {
        fetches: false,
        ..Settings::default().without_limits()
    };
    let crm = bitrix24::start_in_thread("127.0.0.1:0", settings).unwrap();
    crm.state.add_contact("Анна Лис", "+375291234567", 34);
    crm.state.add_user(36, "Вера", "Соколова", "152");
    Box::new(Crm(crm))
}

impl Stand for Crm {
    fn settings(&self) -> Value {
        let webhook = format!(
            "{}{}",
            self.0.base_url,
            self.0.state.settings.webhook_path()
        );
        json!({"webhook_url": webhook, "unknown": "lead",
            "user_extensions": {"34": "150", "35": "151", "36": "152"}})
    }

    fn seen(&self) -> Seen {
        let state = &self.0.state;
        let entities = state.entities();
        let client = |whose: Option<(&str, i64)>| {
            let one = whose.and_then(|(kind, id)| {
                let mut all = entities.iter();
                all.find(|one| one.kind == kind && one.id == id)
            });
            one.map_or("nobody", |one| one.name.as_str())
        };
        let mut history: Vec<String> = state
            .finished()
            .iter()
            .map(|one| {
                let recorded = if one.record.is_some() {
                    ", recorded"
                } else {
                    ""
                };
                let way = match one.call.kind {
                    1 => "outgoing",
                    2 => "incoming",
                    _ => "another",
                };
                let (who, seconds) = (one.user, one.duration);
                let name = client(one.call.entity);
                format!(
                    "{way} call of {name} by {who}: {}, {seconds} s{recorded}",
                    one.status
                )
            })
            .collect();
        history.sort();
        Seen {
            cards: state
                .cards()
                .iter()
                .map(|card| match card.open {
                    true => format!("card {} at {}", card.phone, card.user),
                    false => format!("closed at {}", card.user),
                })
                .collect(),
            open: state.live().iter().map(|call| call.shown.len()).sum(),
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
        // It names no time; a second is what its limit needs.
        let words =
            json!({"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"});
        (Behaviour::status(503).saying(words), Duration::from_secs(1))
    }

    fn fetches_from(&self) -> Option<usize> {
        Some(FETCHES)
    }

    fn revoked(&self) -> Behaviour {
        let words = json!({"error": "INVALID_CREDENTIALS", "error_description": "Invalid request credentials"});
        Behaviour::status(403).saying(words)
    }
}
