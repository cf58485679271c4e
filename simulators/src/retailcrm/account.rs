//! An account of the CRM with its people, as tests and the control API create it, and the view of what happened in it.
//! Called from any thread; locks are held for a copy of pointers only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::book::{Book, Call, Card, Event, Module};
use super::state::Settings;
use crate::tally::Counts;

/// An API key and what it may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The key itself.
    pub key: String,
    /// Beginnings of endpoint names the key has no right to, such as `telephony` or `integration-modules`.
    #[serde(default)]
    pub denied: Vec<String>,
}

/// A user of the CRM.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The CRM's id of the user.
    pub id: i64,
    /// First name.
    #[serde(default)]
    pub first_name: String,
    /// Last name.
    #[serde(default)]
    pub last_name: String,
    /// Address for logging in.
    #[serde(default)]
    pub email: String,
    /// An extension set in the CRM itself; others come with the module's `additionalCodes`.
    #[serde(default)]
    pub code: Option<String>,
    /// Whether the user may log in.
    #[serde(default = "yes")]
    pub active: bool,
    /// `free`, `busy`, `dinner` or `break`.
    #[serde(default = "free")]
    pub status: String,
}

fn yes() -> bool {
    true
}

fn free() -> String {
    "free".into()
}

impl User {
    /// An active manager who is free.
    pub fn new(id: i64, first_name: &str, last_name: &str, code: Option<&str>) -> Self {
        Self {
            id,
            first_name: first_name.into(),
            last_name: last_name.into(),
            email: format!("user{id}@shop.example"),
            code: code.map(Into::into),
            active: true,
            status: free(),
        }
    }

    /// Last name and first name, as lists show them.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.last_name, self.first_name)
            .trim()
            .to_owned()
    }
}

/// A client of the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// The CRM's id of the client.
    pub id: i64,
    /// First name.
    #[serde(default)]
    pub first_name: String,
    /// Last name.
    #[serde(default)]
    pub last_name: String,
    /// Numbers in any notation; compared by their digits.
    pub phones: Vec<String>,
    /// The responsible user.
    #[serde(default)]
    pub manager_id: Option<i64>,
}

impl Customer {
    /// A client with one phone.
    pub fn new(
        id: i64,
        first_name: &str,
        last_name: &str,
        phone: &str,
        manager_id: Option<i64>,
    ) -> Self {
        let (first_name, last_name) = (first_name.into(), last_name.into());
        Self {
            id,
            first_name,
            last_name,
            phones: vec![phone.into()],
            manager_id,
        }
    }

    /// First name and last name, as cards show them.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
            .trim()
            .to_owned()
    }
}

/// What an account starts with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its place in URLs, `/a/{name}`.
    pub name: String,
    /// Its API keys.
    pub keys: Vec<ApiKey>,
    /// Its users.
    #[serde(default)]
    pub users: Vec<User>,
    /// Its clients.
    #[serde(default)]
    pub customers: Vec<Customer>,
    /// Symbolic codes of its shops.
    #[serde(default)]
    pub sites: Vec<String>,
    /// Telephony works although no module was registered.
    #[serde(default)]
    pub telephony: bool,
}

impl NewAccount {
    /// An account with one key of all rights and nothing else.
    pub fn new(name: &str, key: &str) -> Self {
        Self {
            name: name.into(),
            keys: vec![ApiKey {
                key: key.into(),
                denied: Vec::new(),
            }],
            users: Vec::new(),
            customers: Vec::new(),
            sites: Vec::new(),
            telephony: false,
        }
    }

    /// The account of the demo: named `demo`, key `demo-key`, managers 150 to 152, telephony on.
    pub fn demo() -> Self {
        Self {
            users: vec![
                User::new(16, "Анна", "Петрова", Some("150")),
                User::new(17, "Борис", "Ильин", Some("151")),
                User::new(18, "Вера", "Соколова", Some("152")),
                User::new(19, "Глеб", "Орлов", None),
            ],
            customers: vec![
                Customer::new(60, "Иван", "Сидоров", "+375296254070", Some(16)),
                Customer::new(61, "Мария", "Кузнецова", "+79001234567", Some(17)),
                Customer::new(62, "<b>Ольга</b>", "& \"Компания\"", "+375291112233", None),
            ],
            sites: vec!["main-shop".into()],
            telephony: true,
            ..Self::new("demo", "demo-key")
        }
    }
}

/// One account.
#[derive(Debug)]
pub struct Account {
    /// Its place in URLs, `/a/{name}`.
    pub name: String,
    book: Mutex<Book>,
}

impl Account {
    pub(crate) fn new(new: &NewAccount, settings: &Settings) -> Self {
        Self {
            name: new.name.clone(),
            book: Mutex::new(Book::new(new, settings)),
        }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a user, or replaces the one with the same id.
    pub fn put_user(&self, user: User) {
        self.book().put_user(user);
    }

    /// Adds a client, or replaces the one with the same id.
    pub fn put_customer(&self, customer: Customer) {
        self.book().put_customer(customer);
    }

    /// Adds a key, or replaces the one that reads the same.
    pub fn put_key(&self, key: ApiKey) {
        let mut book = self.book();
        book.keys.retain(|known| known.key != key.key);
        book.keys.push(key);
    }

    /// Makes a key invalid.
    pub fn revoke_key(&self, key: &str) {
        self.book().keys.retain(|known| known.key != key);
    }

    /// The events received, oldest first (the newest that are kept).
    pub fn events(&self) -> Vec<Arc<Event>> {
        self.book().events.iter().cloned().collect()
    }

    /// The pop-up cards, oldest first, one for each manager who saw the call.
    pub fn cards(&self) -> Vec<Card> {
        self.book().cards.iter().cloned().collect()
    }

    /// The history, in order of upload.
    pub fn calls(&self) -> Vec<Arc<Call>> {
        self.book().calls.iter().cloned().collect()
    }

    /// The telephony modules registered, by code.
    pub fn modules(&self) -> Vec<Module> {
        self.book().modules.values().cloned().collect()
    }

    /// The present extension codes, each with the user it belongs to.
    pub fn codes(&self) -> Vec<(String, i64)> {
        self.book()
            .codes
            .iter()
            .map(|(code, user)| (code.clone(), *user))
            .collect()
    }

    /// How many events were ever received.
    pub fn event_count(&self) -> u64 {
        self.book().events.total()
    }

    /// How many calls were ever added to the history.
    pub fn call_count(&self) -> u64 {
        self.book().calls.total()
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.book().tally.counts()
    }

    /// Everything stored, as the control API shows it.
    pub fn dump(&self) -> Value {
        super::control::dump(self)
    }
}
