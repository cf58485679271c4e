//! A card file that a telephony can fill: the stand-in of a CRM that does not exist, written as those of real ones are, to
//! show how (docs/adding-a-crm.md). Strict: a wrong token, a member it does not know, a number that is not E.164 and a call
//! with an unknown result are refused. Called over HTTP by tests; it never calls out.
//!
//! ```text
//!   GET  /people?phone=     {"people": [{"id", "name", "phone"}]}        POST /people   {"name", "phone"} → {"id"}
//!   POST /cards             {"call", "person", "extensions"}             DELETE /cards/{call}
//!   PUT  /calls/{id}        the same id is the same call
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::entry;
use crate::scene::{self, Scene};
use crate::server::{self, Running};
use crate::tally::Tally;

/// What it lets in.
pub const TOKEN: &str = "cardfile-token";

const BODY_LIMIT: usize = 64 << 10;

/// A card that came up.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    pub call: String,
    pub person: u64,
    pub extensions: Vec<String>,
    #[serde(skip_deserializing)]
    pub is_closed: bool,
}

/// A call in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub phone: String,
    pub outgoing: bool,
    #[serde(default)]
    pub extension: Option<String>,
    /// talked | busy | missed.
    pub result: String,
    pub seconds: u32,
    #[serde(default)]
    pub recording: Option<String>,
}

/// Somebody in the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    pub name: String,
    pub phone: String,
}

/// What is in the file. Persons are numbered from 1.
#[derive(Debug)]
pub struct Book {
    people: Vec<Person>,
    cards: Vec<Card>,
    calls: BTreeMap<String, Call>,
    tally: Tally,
}

impl scene::Book for Book {
    type Settings = ();

    fn fresh((): &()) -> Self {
        Book {
            people: Vec::new(),
            cards: Vec::new(),
            calls: BTreeMap::new(),
            tally: Tally::new(100),
        }
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    fn shown(&self) -> Value {
        json!({"people": self.people, "cards": self.cards, "calls": self.calls})
    }
}

/// The whole file. A script's target is `cardfile`, the endpoint the path's first part.
pub type State = Scene<Book>;

type Answer = Result<(u16, Value), (u16, String)>;

impl State {
    /// Puts somebody in.
    pub fn add_person(&self, name: &str, phone: &str) {
        let (name, phone) = (name.to_owned(), phone.to_owned());
        self.book().people.push(Person { name, phone });
    }

    /// Everybody.
    pub fn people(&self) -> Vec<Person> {
        self.book().people.clone()
    }

    /// Cards as they came up.
    pub fn cards(&self) -> Vec<Card> {
        self.book().cards.clone()
    }

    /// Calls, by id.
    pub fn calls(&self) -> BTreeMap<String, Call> {
        self.book().calls.clone()
    }
}

/// Starts it in a thread of its own.
///
/// # Errors
/// When the address cannot be bound.
pub fn start_in_thread(bind: &str) -> anyhow::Result<Running<State>> {
    let bind = bind.to_owned();
    server::start_in_thread(async move || server::start(&bind, Arc::new(State::new(())), configure))
}

fn configure(state: Arc<State>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(Data::from(state))
            .default_service(web::to(serve));
    }
}

async fn serve(request: HttpRequest, payload: web::Payload, state: Data<State>) -> HttpResponse {
    let path: Vec<&str> = request.path().trim_matches('/').split('/').collect();
    let endpoint = match path.first() {
        Some(&"people") => "people",
        Some(&"cards") => "cards",
        Some(&"calls") => "calls",
        _ => "unknown",
    };
    let answer = async |body: &[u8]| {
        let (status, body) = match answer(&state, &request, &path, body) {
            Ok((status, body)) => (status, body),
            Err((status, error)) => {
                let mut book = state.book();
                book.tally.refusal(endpoint, status, error.clone());
                (status, json!({"error": error}))
            }
        };
        HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK)).json(body)
    };
    entry::serve(&state, ("cardfile", endpoint), payload, BODY_LIMIT, answer).await
}

fn answer(state: &State, request: &HttpRequest, path: &[&str], body: &[u8]) -> Answer {
    let header = request.headers().get("Authorization");
    if header.and_then(|value| value.to_str().ok()) != Some(&format!("Bearer {TOKEN}")) {
        return Err((401, "no such token".into()));
    }
    let mut book = state.book();
    match (request.method().as_str(), path) {
        ("GET", ["people"]) => Ok((200, found(&book, request.query_string()))),
        ("POST", ["people"]) => {
            let person: Person = read(body)?;
            number(&person.phone)?;
            book.people.push(person);
            Ok((201, json!({"id": book.people.len()})))
        }
        ("POST", ["cards"]) => {
            let card: Card = read(body)?;
            if card.person == 0 || card.person > book.people.len() as u64 {
                return Err((404, format!("no person {}", card.person)));
            }
            book.cards.push(card);
            Ok((201, json!({})))
        }
        ("DELETE", ["cards", call]) => {
            let open = |card: &&mut Card| card.call == *call && !card.is_closed;
            let closed = book.cards.iter_mut().filter(open);
            let count = closed.map(|card| card.is_closed = true).count();
            // Nothing to close is no fault: the card may never have come up.
            Ok((if count > 0 { 200 } else { 404 }, json!({})))
        }
        ("PUT", ["calls", id]) => {
            let call: Call = read(body)?;
            number(&call.phone)?;
            if !["talked", "busy", "missed"].contains(&call.result.as_str()) {
                return Err((400, format!("result: {}", call.result)));
            }
            let known = book.calls.insert((*id).to_owned(), call).is_some();
            Ok((if known { 200 } else { 201 }, json!({})))
        }
        _ => Err((404, "no such place".into())),
    }
}

fn found(book: &Book, query: &str) -> Value {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let phone = pairs.iter().find(|(name, _)| name == "phone");
    let people = book.people.iter().enumerate();
    let of = people.filter(|(_, one)| phone.is_some_and(|(_, phone)| *phone == one.phone));
    let list: Vec<Value> = of
        .map(|(place, one)| json!({"id": place + 1, "name": one.name, "phone": one.phone}))
        .collect();
    json!({"people": list})
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

fn number(phone: &str) -> Result<(), (u16, String)> {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    if (7..=15).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit()) {
        Ok(())
    } else {
        Err((400, format!("{phone} is no number")))
    }
}
