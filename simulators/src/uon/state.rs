//! What the cabinet holds, and how it behaves. Shared by the server's worker and by tests in other threads.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::bucket::Window;
use crate::kept::Kept;
use crate::scene::{self, Scene};
use crate::tally::Tally;

/// How the cabinet behaves; where that is not known of the real one, both ways can be had.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The key in every path.
    pub key: String,
    /// The cabinet's name, as in `id12345.u-on.ru`.
    pub cabinet: String,
    /// The status of a wrong key.
    pub wrong_key: u16,
    /// Whether nobody found is a 404; else an empty list.
    pub empty_is_404: bool,
    /// How long somebody new is not found by his number.
    pub index_delay_ms: u64,
    /// Whether the newest call stands first in the history.
    pub newest_first: bool,
    /// Whether the history gives a call's note back.
    pub history_has_notes: bool,
    /// Requests a second. `None`: no limit.
    pub per_second: Option<usize>,
    /// Who is known from the beginning.
    pub clients: Vec<Client>,
    pub managers: Vec<Manager>,
    /// How many entries of each kind it keeps.
    pub keep: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key: "K0demo00000000000001".into(),
            cabinet: "id12345".into(),
            wrong_key: 403,
            empty_is_404: true,
            index_delay_ms: 0,
            newest_first: false,
            history_has_notes: true,
            per_second: Some(10),
            clients: vec![
                Client {
                    note: "перезвонить на 375296254070".into(),
                    ..Client::new(4, "Примечаев", "Пётр", "375171111111", 0)
                },
                Client::new(5, "Петров", "Иван", "375296254070", 2),
                Client::new(6, "Тихая", "Ольга", "375291112233", 0),
            ],
            managers: vec![
                Manager::new(2, "Смирнова", "Анна", "150"),
                Manager::new(3, "Котов", "Борис", "151"),
                Manager {
                    active: false,
                    ..Manager::new(7, "Уволенный", "Сотрудник", "152")
                },
                Manager::new(8, "Новикова", "Вера", ""),
            ],
            keep: 10_000,
        }
    }
}

impl Settings {
    /// As if the limit were never reached, for benchmarks and tests of other things.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.per_second = None;
        self
    }
}

/// A client.
#[derive(Debug, Clone, Serialize)]
pub struct Client {
    pub u_id: i64,
    pub surname: String,
    pub name: String,
    pub patronymic: String,
    pub company: String,
    /// Phone, mobile, at home.
    pub phones: [String; 3],
    pub note: String,
    /// 0: nobody's.
    pub manager: i64,
    /// When it came to be, if a request made it.
    #[serde(skip)]
    pub made: Option<Instant>,
}

impl Client {
    /// With one number, a mobile one.
    pub fn new(u_id: i64, surname: &str, name: &str, phone: &str, manager: i64) -> Self {
        Self {
            u_id,
            surname: surname.into(),
            name: name.into(),
            patronymic: String::new(),
            company: String::new(),
            phones: [String::new(), phone.into(), String::new()],
            note: String::new(),
            manager,
            made: None,
        }
    }
}

/// A manager.
#[derive(Debug, Clone, Serialize)]
pub struct Manager {
    pub u_id: i64,
    pub surname: String,
    pub name: String,
    /// The internal number the cabinet keeps, may be empty.
    pub extension: String,
    pub active: bool,
}

impl Manager {
    /// Somebody who works there.
    pub fn new(u_id: i64, surname: &str, name: &str, extension: &str) -> Self {
        Self {
            u_id,
            surname: surname.into(),
            name: name.into(),
            extension: extension.into(),
            active: true,
        }
    }
}

/// A pop-up in a manager's cabinet.
#[derive(Debug, Clone, Serialize)]
pub struct Notification {
    pub at: i64,
    pub id: i64,
    pub manager: i64,
    pub text: String,
}

/// A row of the history of calls.
#[derive(Debug, Clone, Serialize)]
pub struct CallRow {
    pub at: i64,
    pub id: i64,
    pub phone: String,
    pub start: String,
    /// 2 incoming, 1 outgoing.
    pub direction: i64,
    pub duration: i64,
    pub record_link: String,
    pub manager: Option<i64>,
    pub client: Option<i64>,
    pub note: String,
}

/// An inquiry of a client.
#[derive(Debug, Clone, Serialize)]
pub struct Lead {
    pub at: i64,
    pub id: i64,
    pub client: i64,
    pub manager: i64,
    pub source: String,
    pub note: String,
}

/// A webhook somebody asked for.
#[derive(Debug, Clone, Serialize)]
pub struct Hook {
    pub id: i64,
    pub type_id: i64,
    pub url: String,
    pub method: String,
}

/// See above.
#[derive(Debug)]
pub struct Book {
    pub clients: Vec<Client>,
    pub managers: Vec<Manager>,
    pub notifications: Kept<Notification>,
    pub calls: Kept<CallRow>,
    pub leads: Kept<Lead>,
    pub hooks: Vec<Hook>,
    pub tally: Tally,
    pub may_get: bool,
    pub may_post: bool,
    next_id: i64,
    window: Option<Window>,
}

impl Book {
    /// An id that was never given.
    pub fn id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    /// Whether one more request may pass.
    pub fn admit(&mut self, now: Instant) -> bool {
        self.window.as_mut().is_none_or(|window| window.admit(now))
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
        json!({"notifications": self.notifications, "calls": self.calls, "leads": self.leads,
            "clients": self.clients, "managers": self.managers, "webhooks": self.hooks})
    }
}

/// One cabinet, with those whom the settings name.
pub type State = Scene<Book>;

impl State {
    /// What the key may do.
    pub fn permit(&self, get: bool, post: bool) {
        let mut book = self.book();
        (book.may_get, book.may_post) = (get, post);
    }

    /// Adds a client.
    pub fn add_client(&self, client: Client) {
        self.book().clients.push(client);
    }

    /// Adds a row to the history, from a time before ours.
    pub fn add_call(&self, phone: &str, note: &str) {
        let mut book = self.book();
        let client = super::people::owner(&book, phone).map(|one| one.u_id);
        let id = book.id();
        book.calls.push(CallRow {
            at: 0,
            id,
            phone: phone.into(),
            start: "2020-01-01 10:00:00".into(),
            direction: 2,
            duration: 1,
            record_link: String::new(),
            manager: None,
            client,
            note: note.into(),
        });
    }

    /// Asks for a webhook, as a person does in the cabinet.
    pub fn add_hook(&self, type_id: i64, url: &str, method: &str) {
        let mut book = self.book();
        let id = book.id();
        book.hooks.push(Hook {
            id,
            type_id,
            url: url.into(),
            method: method.into(),
        });
    }

    /// The pop-ups, oldest first.
    pub fn notifications(&self) -> Vec<Notification> {
        self.book().notifications.iter().cloned().collect()
    }

    /// The history of calls, oldest first.
    pub fn calls(&self) -> Vec<CallRow> {
        self.book().calls.iter().cloned().collect()
    }

    /// The leads, oldest first.
    pub fn leads(&self) -> Vec<Lead> {
        self.book().leads.iter().cloned().collect()
    }

    /// The clients.
    pub fn clients(&self) -> Vec<Client> {
        self.book().clients.clone()
    }

    /// The managers.
    pub fn managers(&self) -> Vec<Manager> {
        self.book().managers.clone()
    }

    /// The webhooks.
    pub fn hooks(&self) -> Vec<Hook> {
        self.book().hooks.clone()
    }
}

fn fresh(settings: &Settings) -> Book {
    Book {
        clients: settings.clients.clone(),
        managers: settings.managers.clone(),
        notifications: Kept::new(settings.keep),
        calls: Kept::new(settings.keep),
        leads: Kept::new(settings.keep),
        hooks: Vec::new(),
        tally: Tally::new(settings.keep),
        may_get: true,
        may_post: true,
        next_id: 400,
        window: settings
            .per_second
            .map(|count| Window::new(count, Duration::from_secs(1))),
    }
}
