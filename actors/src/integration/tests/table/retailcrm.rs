//! RetailCRM in the table.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::retailcrm::{self, Customer, NewAccount, State, User};
use simulators::script::{Behaviour, Script};
use simulators::server::Running;

use super::{Seen, Stand};

struct Crm(Running<State>);

/// A shop of three managers and two clients.
pub fn open() -> Box<dyn Stand> {
    let account = NewAccount {
        users: vec![
            User::new(16, "Анна", "Смирнова", Some("150")),
            User::new(17, "Борис", "Котов", Some("151")),
            User::new(18, "Вера", "Соколова", Some("152")),
        ],
        customers: vec![
            Customer::new(60, "Иван", "Петров", "+375291234567", Some(16)),
            Customer::new(61, "Ольга", "Белая", "+375296254070", None),
        ],
        ..NewAccount::demo()
    };
    let settings = retailcrm::Settings {
        accounts: vec![account],
        ..retailcrm::Settings::default()
    };
    Box::new(Crm(retailcrm::start_in_thread(
        "127.0.0.1:0",
        settings.without_limits(),
    )
    .unwrap()))
}

impl Stand for Crm {
    fn settings(&self) -> Value {
        json!({"domain": self.0.base_url, "api_key": "demo-key", "client_id": "c1-7f3a",
            "user_extensions": {"16": "150", "17": "151", "18": "152"}})
    }

    fn seen(&self) -> Seen {
        let account = self.0.state.root_account().unwrap();
        let cards = account.cards();
        let client = |name: &Option<String>, phone: &str| {
            name.clone().unwrap_or_else(|| format!("unknown {phone}"))
        };
        let mut history: Vec<String> = account
            .calls()
            .iter()
            .map(|call| {
                let recorded = if call.record_url.is_some() {
                    ", recorded"
                } else {
                    ""
                };
                format!(
                    "call {} {} by {}: {}, {} s after {} s{recorded}",
                    call.kind,
                    client(&call.client, &call.phone),
                    call.code.as_deref().unwrap_or("nobody"),
                    call.result,
                    call.duration.unwrap_or_default(),
                    call.duration_waiting.unwrap_or_default(),
                )
            })
            .collect();
        history.sort();
        Seen {
            open: cards.iter().filter(|card| card.closed.is_none()).count(),
            cards: cards
                .iter()
                .map(|card| {
                    format!(
                        "card {} {} at {}, closed: {}",
                        card.kind,
                        client(&card.client, &card.phone),
                        card.code.as_deref().unwrap_or("nobody"),
                        card.hangup.as_deref().unwrap_or("no"),
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
        self.0.state.root_account().unwrap().counts().scripted
    }

    fn throttled(&self) -> (Behaviour, Duration) {
        let words = json!({"success": false, "errorMsg": "Rate limit exceeded"});
        let signal = Behaviour {
            retry_after: Some(1),
            ..Behaviour::status(503).saying(words)
        };
        (signal, Duration::from_secs(1))
    }

    fn revoked(&self) -> Behaviour {
        Behaviour::status(403)
            .saying(json!({"success": false, "errorMsg": "Wrong \"apiKey\" value."}))
    }
}
