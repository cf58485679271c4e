//! What the account holds, and how it behaves. Shared by the server's worker and by tests in other threads.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cards::{Card, Shown};
use super::outbound::Signature;
use crate::bucket::Window;
use crate::clock::now_ms;
use crate::kept::Kept;
use crate::scene::{self, Scene};
use crate::tally::Tally;

/// What a second call with the same external id comes to; the real one's answer is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// Another call: the one that hurts.
    Another,
    /// 412, code 3006.
    Refused,
}

/// How the account behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The key of the Phone API solution.
    pub phone_key: String,
    /// The access token of the JSON API.
    pub token: String,
    /// Whether the Phone API solution is installed.
    pub is_installed: bool,
    pub duplicates: Duplicates,
    /// Requests of the Phone API in five seconds; the real one allows 100. `None`: no limit.
    pub phone_limit: Option<usize>,
    /// Requests of the JSON API in three seconds; `None`: no limit.
    pub remap_limit: Option<usize>,
    /// Requests at once.
    pub at_once: usize,
    pub signature: Signature,
    /// How many calls and refusals it keeps.
    pub keep: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            phone_key: "demo-phone-key".into(),
            token: "demo-token".into(),
            is_installed: true,
            duplicates: Duplicates::Another,
            phone_limit: Some(100),
            remap_limit: Some(15),
            at_once: 5,
            signature: Signature::Values,
            keep: 10_000,
        }
    }
}

impl Settings {
    /// As if the limits were never reached, for benchmarks and tests of other things.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        (self.phone_limit, self.remap_limit) = (None, None);
        self
    }
}

/// Somebody who works there.
#[derive(Debug, Clone, Serialize)]
pub struct Employee {
    pub id: String,
    /// The login: what a click names.
    pub uid: String,
    pub name: String,
    /// As typed into the employee's card.
    pub extension: Option<String>,
}

/// A contact person of a counterparty.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    pub name: String,
    pub phone: String,
}

/// A client.
#[derive(Debug, Clone, Serialize)]
pub struct Counterparty {
    pub id: String,
    pub name: String,
    pub phone: String,
    pub email: String,
    /// The employee's id.
    pub owner: String,
    pub persons: Vec<Person>,
}

/// A call in the history, with the cards that were shown for it.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// When it was created.
    pub at: i64,
    pub id: String,
    pub external_id: String,
    pub number: String,
    pub is_incoming: bool,
    /// Moscow time, as all times here.
    pub start: NaiveDateTime,
    pub end: Option<NaiveDateTime>,
    /// Milliseconds.
    pub duration: Option<i64>,
    pub extension: Option<String>,
    pub employee: Option<String>,
    pub counterparty: Option<String>,
    pub record_urls: Vec<String>,
    pub comment: Option<String>,
    /// By extension.
    pub cards: BTreeMap<String, Card>,
    /// The highest number of a command.
    pub sequence: i64,
    /// Commands as they were obeyed: "SHOW 151".
    pub commands: Vec<String>,
}

/// See above.
#[derive(Debug)]
pub struct Book {
    pub employees: Vec<Employee>,
    pub counterparties: Vec<Counterparty>,
    pub calls: Kept<Call>,
    pub tally: Tally,
    /// Where clicks go.
    pub provider: String,
    /// Requests that are not answered yet.
    pub under_way: usize,
    next_id: u64,
    phone: Option<Window>,
    remap: Option<Window>,
}

impl Book {
    /// An id that was never given.
    pub fn id(&mut self) -> String {
        self.next_id += 1;
        format!("4d5e6f70-aaaa-11f0-0a80-{:012}", self.next_id)
    }

    /// Whether one more request may pass, else the milliseconds until it may.
    pub fn admit(&mut self, is_remap: bool, now: Instant) -> Result<(), u64> {
        let window = if is_remap {
            &mut self.remap
        } else {
            &mut self.phone
        };
        let Some(window) = window else {
            return Ok(());
        };
        match window.wait(now) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a few seconds"
            )]
            Some(seconds) => Err((seconds * 1000.0).ceil() as u64),
            None => {
                window.spend(now);
                Ok(())
            }
        }
    }

    pub fn employee_of(&self, extension: &str) -> Option<&Employee> {
        let theirs = |one: &&Employee| one.extension.as_deref() == Some(extension);
        self.employees.iter().find(theirs)
    }
}

impl scene::Book for Book {
    type Settings = Settings;

    fn fresh(settings: &Settings) -> Self {
        fresh(settings)
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    fn shown(&self) -> Value {
        json!({"calls": self.calls, "counterparties": self.counterparties, "employees": self.employees,
            "provider": self.provider})
    }
}

/// One account, with three employees and three clients.
pub type State = Scene<Book>;

impl State {
    /// Adds somebody who works there; the id.
    pub fn add_employee(&self, name: &str, extension: Option<&str>) -> String {
        let mut book = self.book();
        let id = book.id();
        let uid = format!("e{}@demo", book.employees.len() + 1);
        book.employees.push(Employee {
            id: id.clone(),
            uid,
            name: name.into(),
            extension: extension.map(Into::into),
        });
        id
    }

    /// Adds a client; the id.
    pub fn add_counterparty(&self, name: &str, phone: &str) -> String {
        let mut book = self.book();
        let id = book.id();
        let owner = book.employees.first().map(|one| one.id.clone());
        let client = counterparty(&id, name, phone, &owner.unwrap_or_default());
        book.counterparties.push(client);
        id
    }

    /// What was typed into the solution's settings as the provider's address.
    pub fn set_provider(&self, url: &str) {
        self.book().provider = url.into();
    }

    /// The history, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.book().calls.iter().cloned().collect()
    }

    /// Who has a card before their eyes for a call of this external id: extension and how it stands.
    pub fn cards(&self, external_id: &str) -> Vec<(String, Shown)> {
        let book = self.book();
        let call = book.calls.iter().find(|one| one.external_id == external_id);
        let cards = call.into_iter().flat_map(|call| call.cards.iter());
        cards
            .map(|(extension, card)| (extension.clone(), card.shown))
            .collect()
    }

    /// The clients.
    pub fn counterparties(&self) -> Vec<Counterparty> {
        self.book().counterparties.clone()
    }

    /// The employees.
    pub fn employees(&self) -> Vec<Employee> {
        self.book().employees.clone()
    }
}

/// A call that begins now.
pub(crate) fn call(id: String, external_id: &str, number: &str, start: NaiveDateTime) -> Call {
    Call {
        at: now_ms(),
        id,
        external_id: external_id.into(),
        number: number.into(),
        is_incoming: true,
        start,
        end: None,
        duration: None,
        extension: None,
        employee: None,
        counterparty: None,
        record_urls: Vec::new(),
        comment: None,
        cards: BTreeMap::new(),
        sequence: 0,
        commands: Vec::new(),
    }
}

pub(crate) fn counterparty(id: &str, name: &str, phone: &str, owner: &str) -> Counterparty {
    Counterparty {
        id: id.into(),
        name: name.into(),
        phone: phone.into(),
        email: String::new(),
        owner: owner.into(),
        persons: Vec::new(),
    }
}

const ANNA: &str = "22222222-aaaa-11f0-0a80-000000000150";
const BORIS: &str = "22222222-aaaa-11f0-0a80-000000000151";

fn fresh(settings: &Settings) -> Book {
    let employee = |id: &str, uid: &str, name: &str, extension: Option<&str>| Employee {
        id: id.into(),
        uid: uid.into(),
        name: name.into(),
        extension: extension.map(Into::into),
    };
    let client = |number: u8, name: &str, phone: &str, owner: &str| {
        let id = format!("33333333-aaaa-11f0-0a80-{number:012}");
        counterparty(&id, name, phone, owner)
    };
    let decoy = Counterparty {
        email: "296254070@example.org".into(),
        ..client(1, "Пётр Примечание", "+375 17 111-11-11", ANNA)
    };
    let company = Counterparty {
        persons: vec![
            Person {
                name: "Ольга Сергеевна".into(),
                phone: "8 (029) 111-22-33".into(),
            },
            Person {
                name: "Склад".into(),
                phone: "+375172223345".into(),
            },
        ],
        ..client(3, "ООО «Ромашка»", "+375172223344", ANNA)
    };
    let window = |limit: Option<usize>, seconds| {
        limit.map(|count| Window::new(count, Duration::from_secs(seconds)))
    };
    Book {
        employees: vec![
            employee(ANNA, "anna@demo", "Смирнова А. П.", Some("150")),
            employee(BORIS, "boris@demo", "Котов Б. И.", Some("151")),
            employee(
                "22222222-aaaa-11f0-0a80-000000000999",
                "sklad@demo",
                "Кладовщик В.",
                None,
            ),
        ],
        counterparties: vec![
            decoy,
            client(2, "Иван Петров", "+375 (29) 625-40-70", BORIS),
            company,
        ],
        calls: Kept::new(settings.keep),
        tally: Tally::new(settings.keep),
        provider: String::new(),
        under_way: 0,
        next_id: 0,
        phone: window(settings.phone_limit, 5),
        remap: window(settings.remap_limit, 3),
    }
}
