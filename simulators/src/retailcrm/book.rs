//! What one account remembers: people, modules, events, cards, history, counts. Written by the methods under the
//! account's lock; it never checks what it is given.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::account::{ApiKey, Customer, NewAccount, User};
use super::state::Settings;
use crate::bucket::Bucket;
use crate::kept::Kept;
use crate::tally::Tally;

/// An event as it was received.
#[derive(Debug, Serialize)]
pub struct Event {
    /// When, in epoch milliseconds.
    pub at: i64,
    /// `in`, `out` or `hangup`.
    pub kind: &'static str,
    /// `callExternalId`, if given.
    pub call: Option<String>,
    /// The JSON of the field `event`.
    pub body: Box<RawValue>,
}

/// A pop-up card on one manager's screen.
#[derive(Debug, Clone, Serialize)]
pub struct Card {
    /// `callExternalId`, if given.
    pub call: Option<String>,
    /// `in` or `out`.
    pub kind: &'static str,
    /// The client's number as it was sent.
    pub phone: String,
    /// The client's name, if the number is known.
    pub client: Option<String>,
    /// The company's own number.
    pub external_phone: Option<String>,
    /// The extension whose manager sees it.
    pub code: Option<String>,
    /// The manager who sees it.
    pub user_id: Option<i64>,
    /// When it came up.
    pub opened: i64,
    /// When it was closed.
    pub closed: Option<i64>,
    /// Why: the `hangupStatus`.
    pub hangup: Option<String>,
    /// How often the same event came again while it was open.
    pub repeats: u32,
}

/// A call in the history.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// When it was uploaded, in epoch milliseconds.
    pub at: i64,
    /// When the call began, `Y-m-d H:i:s`.
    pub date: String,
    /// `in` or `out`.
    pub kind: String,
    /// The client's number as it was sent.
    pub phone: String,
    /// `answered`, `busy`, `failed`, `no answer`, `not allowed` or `unknown`.
    pub result: String,
    /// The key of deduplication.
    pub external_id: String,
    /// The extension of the user who handled it.
    pub code: Option<String>,
    /// That user.
    pub user_id: Option<i64>,
    /// Seconds of talk.
    pub duration: Option<i64>,
    /// Seconds of waiting.
    pub duration_waiting: Option<i64>,
    /// Where the recording is.
    pub record_url: Option<String>,
    /// The company's own number.
    pub external_phone: Option<String>,
    /// The client's name, if the number is known.
    pub client: Option<String>,
}

/// An integration module as it was registered.
#[derive(Debug, Clone, Serialize)]
pub struct Module {
    /// Its code.
    pub code: String,
    /// Whether it is switched on.
    pub active: bool,
    /// The whole `integrationModule`.
    pub body: Value,
    /// When it was created.
    pub created: i64,
    /// When it was edited last.
    pub edited: i64,
    /// How often it was edited.
    pub edits: u32,
}

impl Module {
    /// A member of `integrations.telephony`.
    pub fn telephony(&self, member: &str) -> Option<&Value> {
        self.body.pointer("/integrations/telephony")?.get(member)
    }
}

#[derive(Debug)]
pub(crate) struct Book {
    pub keys: Vec<ApiKey>,
    pub users: BTreeMap<i64, User>,
    pub customers: BTreeMap<i64, Customer>,
    pub sites: HashSet<String>,
    pub modules: BTreeMap<String, Module>,
    pub telephony_given: bool,
    /// Extension code → user id; rebuilt when users or modules change.
    pub codes: BTreeMap<String, i64>,
    pub events: Kept<Arc<Event>>,
    pub cards: Kept<Card>,
    /// Numbers of open cards by `callExternalId`, or by phone when there is none.
    pub open: HashMap<String, Vec<u64>>,
    pub calls: Kept<Arc<Call>>,
    pub tally: Tally,
    by_phone: HashMap<String, i64>,
    uploaded: HashSet<u64>,
    buckets: HashMap<(String, bool), Bucket>,
}

/// Only the digits of a number.
pub(crate) fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

impl Book {
    pub fn new(new: &NewAccount, settings: &Settings) -> Self {
        let mut book = Self {
            keys: new.keys.clone(),
            users: BTreeMap::new(),
            customers: BTreeMap::new(),
            sites: new.sites.iter().cloned().collect(),
            modules: BTreeMap::new(),
            telephony_given: new.telephony,
            codes: BTreeMap::new(),
            events: Kept::new(settings.keep),
            cards: Kept::new(settings.keep),
            open: HashMap::new(),
            calls: Kept::new(settings.keep),
            tally: Tally::new(settings.keep),
            by_phone: HashMap::new(),
            uploaded: HashSet::new(),
            buckets: HashMap::new(),
        };
        for user in &new.users {
            book.users.insert(user.id, user.clone());
        }
        for customer in &new.customers {
            book.put_customer(customer.clone());
        }
        book.gather_codes();
        book
    }

    pub fn put_user(&mut self, user: User) {
        self.users.insert(user.id, user);
        self.gather_codes();
    }

    pub fn put_customer(&mut self, customer: Customer) {
        if let Some(before) = self.customers.get(&customer.id) {
            for phone in &before.phones {
                self.by_phone.remove(&digits(phone));
            }
        }
        for phone in &customer.phones {
            self.by_phone.insert(digits(phone), customer.id);
        }
        self.customers.insert(customer.id, customer);
    }

    pub fn customer_by_phone(&self, phone: &str) -> Option<&Customer> {
        self.customers.get(self.by_phone.get(&digits(phone))?)
    }

    /// Whether events and uploads are accepted.
    pub fn telephony_on(&self) -> bool {
        self.telephony_given || self.modules.values().any(|module| module.active)
    }

    /// Users' own codes, then those of active modules, which win.
    pub fn gather_codes(&mut self) {
        self.codes.clear();
        for user in self.users.values() {
            if let Some(code) = &user.code {
                self.codes.insert(code.clone(), user.id);
            }
        }
        for module in self.modules.values().filter(|module| module.active) {
            let Some(Value::Array(pairs)) = module.telephony("additionalCodes") else {
                continue;
            };
            for pair in pairs {
                let code = pair.get("code").and_then(Value::as_str);
                let user = pair.get("userId").and_then(super::module::number);
                if let (Some(code), Some(user)) = (code, user)
                    && self.users.contains_key(&user)
                {
                    self.codes.insert(code.to_owned(), user);
                }
            }
        }
    }

    /// Whether one more request of this key may pass.
    pub fn admit(&mut self, key: &str, telephony: bool, rps: Option<u32>, now: Instant) -> bool {
        let Some(rps) = rps else { return true };
        let rate = f64::from(rps);
        let slot = (key.to_owned(), telephony);
        let bucket = self
            .buckets
            .entry(slot)
            .or_insert_with(|| Bucket::new(rate, rate, now));
        let pass = bucket.wait(now).is_none();
        if pass {
            bucket.spend();
        }
        pass
    }

    /// Notes an external id; false when it was uploaded before.
    pub fn first_upload(&mut self, external_id: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        external_id.hash(&mut hasher);
        self.uploaded.insert(hasher.finish())
    }
}
