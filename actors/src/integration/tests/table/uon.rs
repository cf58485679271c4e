//! U-ON.Travel in the table: a pop-up cannot be closed from outside, a call that nobody knows stands in the history all
//! the same, and a row that went without its recording stays so.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::script::{Behaviour, Script};
use simulators::server::Running;
use simulators::uon::{self, Client, Settings, State};

use super::{Seen, Stand};

struct Crm(Running<State>);

/// A cabinet with three managers and one client more than it has from the start.
pub fn open() -> Box<dyn Stand> {
    let settings = Settings::default().without_limits();
    let crm = uon::start_in_thread("127.0.0.1:0", settings).unwrap();
    let client = Client::new(9, "Лис", "Анна", "375291234567", 3);
    crm.state.add_client(client);
    Box::new(Crm(crm))
}

impl Stand for Crm {
    fn settings(&self) -> Value {
        json!({"api_url": self.0.base_url, "api_key": "K0demo00000000000001", "cabinet": "id12345",
            "user_extensions": {"2": "150", "3": "151", "8": "152"}})
    }

    fn seen(&self) -> Seen {
        let state = &self.0.state;
        let (managers, clients) = (state.managers(), state.clients());
        let manager = |id: i64| {
            let found = managers.iter().find(|one| one.u_id == id);
            found.map_or_else(|| "nobody".into(), |one| one.name.clone())
        };
        // The text without the link and the line.
        let text = |card: &str| {
            let parts: Vec<String> = card.split("<br/>").take(3).map(bare).collect();
            parts.join(", ")
        };
        let row = |row: uon::CallRow| {
            let client = clients.iter().find(|one| Some(one.u_id) == row.client);
            let client = client.map_or_else(
                || format!("nobody, {}", row.phone),
                |one| format!("{} {}", one.surname, one.name),
            );
            let way = if row.direction == 2 { "in" } else { "out" };
            let recorded = if row.record_link.is_empty() {
                ""
            } else {
                ", recorded"
            };
            // The unique id is a number of the capture's own.
            let note = row.note.rsplit_once(" · ").map_or("", |(note, _)| note);
            format!(
                "{way} of {client}, by {}: {} s{recorded}; {note}",
                manager(row.manager.unwrap_or(0)),
                row.duration
            )
        };
        let mut history: Vec<String> = state.calls().into_iter().map(row).collect();
        history.sort();
        Seen {
            cards: state
                .notifications()
                .iter()
                .map(|card| format!("{} is shown: {}", manager(card.manager), text(&card.text)))
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
        // It names no time.
        let words = json!({"result": 429, "message": "Too many requests"});
        (
            Behaviour::status(429).saying(words),
            Duration::from_millis(100),
        )
    }

    fn revoked(&self) -> Behaviour {
        Behaviour::status(401).saying(json!({"result": 401, "message": "Wrong key"}))
    }
}

fn bare(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for letter in html.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => is_tag = false,
            other if !is_tag => text.push(other),
            _ => {}
        }
    }
    text
}
