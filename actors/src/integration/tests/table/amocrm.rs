//! amoCRM in the table: a card cannot be closed from outside, and whom nobody knows waits among the unsorted.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::amocrm::{self, Settings, State};
use simulators::script::{Behaviour, Script};
use simulators::server::Running;

use super::{Seen, Stand};

struct Crm(Running<State>);

/// An account with two clients, one more than it has from the start.
pub fn open() -> Box<dyn Stand> {
    let settings = Settings::default().without_limits();
    let crm = amocrm::start_in_thread("127.0.0.1:0", settings).unwrap();
    crm.state.add_contact("Анна Лис", "+375291234567");
    Box::new(Crm(crm))
}

impl Stand for Crm {
    fn settings(&self) -> Value {
        json!({"subdomain": self.0.base_url, "access_token": "demo-token",
            "user_extensions": {"7654321": "150", "7654322": "151"}})
    }

    fn seen(&self) -> Seen {
        let state = &self.0.state;
        let entities = state.entities();
        let line = |call: &Value| {
            let recorded = if call["link"].is_string() {
                ", recorded"
            } else {
                ""
            };
            let way = call["direction"].as_str().unwrap_or("inbound");
            let (whose, seconds) = (&call["call_responsible"], &call["duration"]);
            let status = match call["call_status"].as_u64() {
                Some(4) => "talked",
                Some(5) => "wrong number",
                Some(6) => "no answer",
                Some(7) => "busy",
                _ => "no status",
            };
            format!("{way} by {whose}: {status}, {seconds} s{recorded}")
        };
        let notes = state.notes().into_iter().map(|note| {
            let of = entities.iter().find(|one| one.id == note.entity_id);
            let name = of.map_or("nobody", |one| &one.name);
            format!("call of {name}, {}", line(&note.call))
        });
        let unsorted = state.unsorted().into_iter().map(|one| {
            let call = &one.item["metadata"];
            format!("unsorted call of {}, {}", call["phone"], line(call))
        });
        let mut history: Vec<String> = notes.chain(unsorted).collect();
        history.sort();
        Seen {
            cards: state
                .popups()
                .iter()
                .map(|card| format!("card {} at {:?}", card.phone, card.users))
                .collect(),
            open: 0,
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
        let page = Behaviour {
            retry_after: Some(1),
            ..Behaviour::status(429).saying("<html>429 Too Many Requests</html>")
        };
        (page, Duration::from_secs(1))
    }

    fn revoked(&self) -> Behaviour {
        Behaviour::status(401)
            .saying(json!({"title": "Unauthorized", "status": 401, "detail": "Неверный токен"}))
    }
}
