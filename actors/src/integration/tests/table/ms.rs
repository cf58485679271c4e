//! MoySklad in the table: a card opens, runs and closes; the call stands in the history from its first ring, and is filled
//! in at its end.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::moysklad::{self, Call, Settings, Shown, State};
use simulators::script::{Behaviour, Script};
use simulators::server::Running;

use super::{Seen, Stand};

struct Crm(Running<State>);

/// An account with one client more than it has from the start, and somebody at 152.
pub fn open() -> Box<dyn Stand> {
    let settings = Settings::default().without_limits();
    let crm = moysklad::start_in_thread("127.0.0.1:0", settings).unwrap();
    crm.state.add_counterparty("Анна Лис", "+375 29 123-45-67");
    crm.state.add_employee("Вера Соколова", Some("152"));
    Box::new(Crm(crm))
}

impl Crm {
    fn line(&self, call: &Call) -> String {
        let state = &self.0.state;
        let (clients, employees) = (state.counterparties(), state.employees());
        let client = clients
            .iter()
            .find(|one| Some(&one.id) == call.counterparty.as_ref());
        let whose = employees
            .iter()
            .find(|one| Some(&one.id) == call.employee.as_ref());
        let way = if call.is_incoming {
            "incoming"
        } else {
            "outgoing"
        };
        let end = match call.duration {
            None => "without an end",
            Some(0) => "not answered",
            Some(_) => "talked",
        };
        let recorded = if call.record_urls.is_empty() {
            ""
        } else {
            ", recorded"
        };
        format!(
            "{way} call of {}, by {}: {end}{recorded}",
            client.map_or("nobody they know", |one| &one.name),
            whose.map_or("nobody", |one| &one.name),
        )
    }
}

impl Stand for Crm {
    fn settings(&self) -> Value {
        json!({"api_address": self.0.base_url, "token": "demo-phone-key", "access_token": "demo-token"})
    }

    fn seen(&self) -> Seen {
        let calls = self.0.state.calls();
        let cards = calls.iter().flat_map(|call| call.cards.values());
        // Shuffled events may have a card shown for a part that turns out to belong to another call. MoySklad cannot take
        // such a call back: it stays as one that began and never ended, beside the history that is told.
        let (ended, left): (Vec<&Call>, Vec<&Call>) =
            calls.iter().partition(|call| call.end.is_some());
        let mut history: Vec<String> = ended.into_iter().map(|call| self.line(call)).collect();
        history.sort();
        // On a slow machine an answer may come too late, and the command is repeated with its number.
        let mut commands: Vec<String> = calls
            .iter()
            .flat_map(|call| call.commands.iter().cloned())
            .collect();
        commands.dedup();
        let left = left
            .into_iter()
            .map(|call| format!("left: {}", self.line(call)));
        Seen {
            cards: commands.into_iter().chain(left).collect(),
            open: cards.filter(|card| card.shown != Shown::Closed).count(),
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
        let words = json!({"errors": [{"error": "Превышено ограничение на количество запросов", "code": 1049}]});
        let signal = Behaviour::status(429).saying(words);
        (
            signal.header("X-Lognex-Retry-After", "1000"),
            Duration::from_secs(1),
        )
    }

    fn revoked(&self) -> Behaviour {
        Behaviour::status(401)
            .saying(json!({"errors": [{"error": "Ошибка аутентификации", "code": 1056}]}))
    }
}
