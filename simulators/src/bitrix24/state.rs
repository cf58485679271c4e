//! What the portal holds, and how it behaves. Shared by the server's worker and by tests in other threads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::oauth::Access;
use crate::bucket::Bucket;
use crate::kept::Kept;
use crate::scene::{self, Scene};
use crate::tally::Tally;

/// How the portal behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose incoming webhook it is, and its secret.
    pub webhook_user: i64,
    pub webhook_secret: String,
    /// Whether a webhook may register and finish calls; the present documentation says it may not.
    pub webhook_registers: bool,
    /// What webhook and application are let to do.
    pub scopes: Vec<String>,
    /// `ERROR_CORE` where the real one gives an empty code.
    pub error_core: bool,
    /// Requests a second and at once; the real one leaks 2 and blocks above 50. `None`: no limit.
    pub rate: Option<(f64, f64)>,
    pub client_id: String,
    pub client_secret: String,
    pub member_id: String,
    pub application_token: String,
    /// How long an access token is good for.
    pub access_life: Duration,
    /// Whether recordings are really fetched; else every one is taken for fetched.
    pub fetches: bool,
    /// So many users more, for pages.
    pub more_users: usize,
    /// How many entries of each kind it keeps.
    pub keep: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            webhook_user: 12,
            webhook_secret: "k3yk3yk3yk3yk3yk".into(),
            webhook_registers: true,
            scopes: ["telephony", "crm", "user"].map(str::to_owned).to_vec(),
            error_core: false,
            rate: Some((2.0, 50.0)),
            client_id: "local.67a1b2c3d4e5f6.01234567".into(),
            client_secret: "demo-client-secret".into(),
            member_id: "5d0e8b7c1f2a4e6390b1c2d3e4f5a607".into(),
            application_token: "7be1d04f92a8c3560f1e2d3c4b5a6978".into(),
            access_life: Duration::from_secs(3600),
            fetches: true,
            more_users: 0,
            keep: 10_000,
        }
    }
}

impl Settings {
    /// As if the limit were never reached, for benchmarks and tests of other things.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.rate = None;
        self
    }

    /// The path of the incoming webhook: `/rest/12/k3y…/`.
    pub fn webhook_path(&self) -> String {
        format!("/rest/{}/{}/", self.webhook_user, self.webhook_secret)
    }
}

/// An employee.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    pub id: i64,
    pub name: &'static str,
    pub last_name: String,
    pub active: bool,
    /// `UF_PHONE_INNER`: absent, null, or a text that may be empty.
    pub inner: Option<Option<String>>,
}

/// A contact, a lead or a company.
#[derive(Debug, Clone, Serialize)]
pub struct Entity {
    /// CONTACT | LEAD | COMPANY.
    pub kind: &'static str,
    pub id: i64,
    pub name: String,
    pub phone: String,
    pub responsible: i64,
}

/// A registered call that is not finished.
#[derive(Debug, Clone, Serialize)]
pub struct Live {
    pub call_id: String,
    pub at: i64,
    pub user: i64,
    pub phone: String,
    pub kind: i64,
    pub line: String,
    pub external_id: String,
    pub start_date: String,
    /// Whose screens show its card now.
    pub shown: BTreeSet<i64>,
    pub entity: Option<(&'static str, i64)>,
    pub created_lead: Option<i64>,
    pub add_to_chat: bool,
    /// "webhook" or the client id: who registered it.
    pub by: String,
}

/// A row of the statistics.
#[derive(Debug, Clone, Serialize)]
pub struct Finished {
    pub id: i64,
    pub at: i64,
    pub call: Live,
    /// Who took it.
    pub user: i64,
    pub duration: i64,
    pub status: String,
    pub activity: Option<i64>,
    pub record: Option<Record>,
    /// How often a recording was attached.
    pub attached: u32,
}

/// An attached recording.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    pub file_id: i64,
    pub name: String,
    /// Where it was fetched; empty when it was sent along.
    pub url: String,
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// A card that was opened or closed on somebody's screen.
#[derive(Debug, Clone, Serialize)]
pub struct Card {
    pub at: i64,
    pub call_id: String,
    pub external_id: String,
    pub phone: String,
    pub user: i64,
    pub open: bool,
}

/// See above.
#[derive(Debug)]
pub struct Book {
    pub users: Vec<User>,
    pub entities: Vec<Entity>,
    pub live: BTreeMap<String, Live>,
    pub finished: Vec<Finished>,
    pub cards: Kept<Card>,
    pub lines: Vec<String>,
    /// Event → handler.
    pub handlers: BTreeMap<String, String>,
    pub tally: Tally,
    pub(crate) access: Access,
    /// Methods that cost too much until then.
    pub blocked: BTreeMap<String, Instant>,
    /// The host it had, and the address it has now.
    pub renamed: Option<(String, String)>,
    pub uploads: BTreeMap<String, (String, String)>,
    pub next_id: i64,
    bucket: Option<Bucket>,
}

impl Book {
    /// An id that was never given.
    pub fn id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    /// Whether one more request may pass.
    pub fn admit(&mut self, now: Instant) -> bool {
        self.bucket.as_mut().is_none_or(|bucket| bucket.admit(now))
    }

    /// The employee with this id, if he works here.
    pub fn user(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id && user.active)
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
        json!({"live": self.live.values().collect::<Vec<_>>(), "finished": self.finished, "cards": self.cards,
            "entities": self.entities, "handlers": self.handlers})
    }
}

/// One portal, with a few people and clients.
pub type State = Scene<Book>;

impl State {
    /// Adds an employee.
    pub fn add_user(&self, id: i64, name: &'static str, last_name: &str, inner: &str) {
        let mut user = user(id, name, last_name, true, Some(Some(inner)));
        let mut book = self.book();
        book.users.retain(|known| known.id != id);
        user.active = true;
        book.users.push(user);
    }

    /// Adds a contact; its id.
    pub fn add_contact(&self, name: &str, phone: &str, responsible: i64) -> i64 {
        let mut book = self.book();
        let id = book.id();
        book.entities
            .push(entity("CONTACT", id, name, phone, responsible));
        id
    }

    /// Calls that are registered and not finished, by id.
    pub fn live(&self) -> Vec<Live> {
        self.book().live.values().cloned().collect()
    }

    /// The statistics, oldest first.
    pub fn finished(&self) -> Vec<Finished> {
        self.book().finished.clone()
    }

    /// Cards opened and closed, oldest first.
    pub fn cards(&self) -> Vec<Card> {
        self.book().cards.iter().cloned().collect()
    }

    /// Contacts, leads and companies.
    pub fn entities(&self) -> Vec<Entity> {
        self.book().entities.clone()
    }

    /// Handlers of events by event.
    pub fn handlers(&self) -> BTreeMap<String, String> {
        self.book().handlers.clone()
    }

    /// Sends an event there from now on, as an outgoing webhook does.
    pub fn set_handler(&self, event: &str, url: &str) {
        self.book().handlers.insert(event.into(), url.into());
    }

    /// The portal forgets a live call, as it does by itself after hours.
    pub fn forget(&self, call_id: &str) {
        self.book().live.remove(call_id);
    }

    /// A method has cost too much: refused for so long.
    pub fn block(&self, method: &str, time: Duration) {
        let end = Instant::now() + time;
        self.book().blocked.insert(method.to_lowercase(), end);
    }

    /// Requests to `old` (a host with its port) are led to `new` (an address without a slash at the end) from now on.
    pub fn rename(&self, old: &str, new: &str) {
        self.book().renamed = Some((old.into(), new.into()));
    }

    /// Ends all access tokens; the refresh token stays good.
    pub fn expire(&self) {
        self.book().access.expire();
    }

    /// Ends all tokens.
    pub fn revoke(&self) {
        self.book().access.revoke();
    }
}

fn user(
    id: i64,
    name: &'static str,
    last_name: &str,
    active: bool,
    inner: Option<Option<&str>>,
) -> User {
    User {
        id,
        name,
        last_name: last_name.into(),
        active,
        inner: inner.map(|inner| inner.map(str::to_owned)),
    }
}

pub(crate) fn entity(
    kind: &'static str,
    id: i64,
    name: &str,
    phone: &str,
    responsible: i64,
) -> Entity {
    Entity {
        kind,
        id,
        name: name.into(),
        phone: phone.into(),
        responsible,
    }
}

fn fresh(settings: &Settings) -> Book {
    let mut users = vec![
        user(12, "Павел", "Админов", true, Some(None)),
        user(34, "Анна", "Смирнова", true, Some(Some("150"))),
        user(35, "Борис", "Котов", true, Some(Some("151"))),
        user(36, "Вера", "Безномерная", true, None),
        user(37, "Глеб", "Пустой", true, Some(Some(""))),
        user(38, "Денис", "Уволенный", false, Some(Some("152"))),
    ];
    for number in 0..settings.more_users {
        let id = 1_000 + i64::try_from(number).unwrap_or_default();
        let last = format!("Сотрудник {number}");
        users.push(user(id, "Ещё", &last, true, Some(None)));
    }
    Book {
        users,
        entities: vec![
            entity("CONTACT", 812, "Иван Петров", "+375 (29) 625-40-70", 34),
            entity("LEAD", 401, "Заявка с сайта", "+375 29 111-22-33", 35),
            entity("COMPANY", 77, "ООО Ромашка", "+375172223344", 35),
        ],
        live: BTreeMap::new(),
        finished: Vec::new(),
        cards: Kept::new(settings.keep),
        lines: Vec::new(),
        handlers: BTreeMap::new(),
        tally: Tally::new(settings.keep),
        access: Access::default(),
        blocked: BTreeMap::new(),
        renamed: None,
        uploads: BTreeMap::new(),
        next_id: 4_400,
        bucket: settings
            .rate
            .map(|(rate, burst)| Bucket::new(rate, burst, Instant::now())),
    }
}
