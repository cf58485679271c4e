//! What the account holds, and how it behaves. Shared by the server's worker and by tests in other threads.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::bucket::Window;
use crate::kept::Kept;
use crate::scene::{self, Scene};
use crate::tally::Tally;

/// How the account behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The long-lived token.
    pub token: String,
    /// Whether that token is an administrator's.
    pub is_admin: bool,
    pub is_unsorted_on: bool,
    /// Requests a second; the real one allows seven. `None`: no limit.
    pub per_second: Option<usize>,
    /// Requests over the limit, in a row with others, that have the client shut out.
    pub patience: u32,
    pub client_id: String,
    pub client_secret: String,
    pub refresh_token: String,
    /// What a person is shown to let somebody in; good once.
    pub code: String,
    /// Where the integration has the person sent.
    pub redirect_uri: String,
    /// How many entries of each kind it keeps.
    pub keep: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token: "demo-token".into(),
            is_admin: true,
            is_unsorted_on: true,
            per_second: Some(7),
            patience: 10,
            client_id: "7c1d3a52-0000-4000-8000-1f2e3d4c5b6a".into(),
            client_secret: "demo-secret".into(),
            refresh_token: "def50200-0".into(),
            code: "demo-code".into(),
            redirect_uri: "https://pbx.example/crm/amocrm/demo-key".into(),
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

/// A contact or a company.
#[derive(Debug, Clone, Serialize)]
pub struct Entity {
    /// contacts | companies.
    pub list: &'static str,
    pub id: i64,
    pub name: String,
    pub phones: Vec<String>,
    /// A text field that is not a number, for decoys.
    pub remark: String,
    pub responsible: i64,
    /// Its active leads.
    pub leads: Vec<i64>,
}

/// A call in somebody's history.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    pub at: i64,
    pub id: i64,
    /// contact | company | lead.
    pub entity_type: &'static str,
    pub entity_id: i64,
    /// The call as it was posted.
    pub call: Value,
}

/// A call among the unsorted leads.
#[derive(Debug, Clone, Serialize)]
pub struct Unsorted {
    pub at: i64,
    pub uid: String,
    pub item: Value,
}

/// A card that was shown.
#[derive(Debug, Clone, Serialize)]
pub struct Popup {
    pub at: i64,
    pub phone: String,
    /// Empty: everybody sees it.
    pub users: Vec<i64>,
}

/// See above.
#[derive(Debug)]
pub struct Book {
    pub users: Vec<(i64, String, bool)>,
    pub entities: Vec<Entity>,
    pub notes: Kept<Note>,
    pub unsorted: Kept<Unsorted>,
    pub popups: Kept<Popup>,
    pub tally: Tally,
    pub access: Vec<(String, Instant)>,
    pub refresh: String,
    pub code: String,
    pub redirect_uri: String,
    pub issued: u32,
    pub next_id: i64,
    pub over: u32,
    pub blocked: bool,
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
        json!({"popups": self.popups, "notes": self.notes, "unsorted": self.unsorted,
            "entities": self.entities, "blocked": self.blocked})
    }
}

/// One account, with two users and a few clients.
pub type State = Scene<Book>;

impl State {
    /// Adds a contact with a number; its id.
    pub fn add_contact(&self, name: &str, phone: &str) -> i64 {
        let mut book = self.book();
        let id = book.id();
        book.entities
            .push(entity("contacts", id, name, phone, Vec::new()));
        id
    }

    /// The calls in everybody's history, oldest first.
    pub fn notes(&self) -> Vec<Note> {
        self.book().notes.iter().cloned().collect()
    }

    /// The unsorted leads, oldest first.
    pub fn unsorted(&self) -> Vec<Unsorted> {
        self.book().unsorted.iter().cloned().collect()
    }

    /// The cards that were shown, oldest first.
    pub fn popups(&self) -> Vec<Popup> {
        self.book().popups.iter().cloned().collect()
    }

    /// Contacts and companies.
    pub fn entities(&self) -> Vec<Entity> {
        self.book().entities.clone()
    }

    /// Shuts every client out, or lets them in again.
    pub fn block(&self, blocked: bool) {
        let mut book = self.book();
        book.blocked = blocked;
        book.over = 0;
    }

    /// A person enters this address in the integration and is shown a new code.
    pub fn integrate(&self, redirect_uri: &str) -> String {
        let mut book = self.book();
        book.redirect_uri = redirect_uri.to_owned();
        let id = book.id();
        book.code = format!("code-{id}");
        book.code.clone()
    }

    /// Ends every access token, as a day does.
    pub fn expire(&self) {
        self.book().access.clear();
    }

    /// Takes the access away: the refresh token is dead too.
    pub fn revoke(&self) {
        let mut book = self.book();
        book.access.clear();
        book.refresh = String::from("revoked");
    }
}

pub(crate) fn entity(
    list: &'static str,
    id: i64,
    name: &str,
    phone: &str,
    leads: Vec<i64>,
) -> Entity {
    Entity {
        list,
        id,
        name: name.into(),
        phones: vec![phone.into()],
        remark: String::new(),
        responsible: 7_654_321,
        leads,
    }
}

fn fresh(settings: &Settings) -> Book {
    let mut decoy = entity(
        "contacts",
        5_511_222,
        "Пётр Примечание",
        "+375 17 111-11-11",
        vec![],
    );
    decoy.remark = "перезвонить на 375296254070".into();
    Book {
        users: vec![
            (7_654_321, "Анна Смирнова".into(), true),
            (7_654_322, "Борис Котов".into(), true),
            (7_654_323, "Уволенный Сотрудник".into(), false),
        ],
        entities: vec![
            decoy,
            entity(
                "contacts",
                5_511_223,
                "Иван Петров",
                "+375 (29) 625-40-70",
                vec![],
            ),
            entity(
                "contacts",
                5_511_224,
                "Ольга Сделкина",
                "+375 29 111-22-33",
                vec![9_922_001],
            ),
            entity(
                "companies",
                5_511_225,
                "ООО Ромашка",
                "+375172223344",
                vec![],
            ),
        ],
        notes: Kept::new(settings.keep),
        unsorted: Kept::new(settings.keep),
        popups: Kept::new(settings.keep),
        tally: Tally::new(settings.keep),
        access: Vec::new(),
        refresh: settings.refresh_token.clone(),
        code: settings.code.clone(),
        redirect_uri: settings.redirect_uri.clone(),
        issued: 0,
        next_id: 88_000_000,
        over: 0,
        blocked: false,
        window: settings
            .per_second
            .map(|count| Window::new(count, Duration::from_secs(1))),
    }
}
