//! A small world for whole-link tests: a real database, the house's integrations in a system of their own, and the
//! strict RetailCRM. Tests are plain functions; they wait for conditions, never for time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use simulators::retailcrm::{self, Account, NewAccount, State};
use simulators::server::Running;

use crate::cache::{Cache, Enterprise};
use crate::call::effect::{Planned, When};
use crate::call::record::{CallId, NoticeKind, Record};
use crate::integration::retry::Plan;
use crate::integration::{Integrations, Settings, breaker, sample};
use crate::store::deliveries::{self, Delivery, DeliveryState};
use crate::store::enterprises::{self, NewEnterprise};
use crate::store::journal::NewEvent;
use crate::store::testing::{TestDatabase, wait};
use crate::store::{Commit, Committed, Options, Store};

/// Nothing here takes longer, unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings with the real proportions in milliseconds instead of minutes.
pub fn fast() -> Settings {
    Settings {
        public_url: "https://pbx.example".into(),
        answer_timeout_ms: 400,
        connect_timeout_ms: 300,
        popup_retry: Plan(vec![30, 60, 120, 240]),
        history_retry: Plan(vec![40, 80, 160]),
        settle_ms: 0,
        breaker: breaker::Limits {
            failures: 4,
            pause_ms: 60,
            longest_pause_ms: 200,
        },
        look_every_ms: 40,
        ..Settings::default()
    }
}

pub struct World {
    pub crm: Running<State>,
    pub store: Store,
    cache: Cache,
    enterprises: Vec<Arc<Enterprise>>,
    house: Option<House>,
    told: AtomicU64,
}

struct House {
    integrations: Integrations,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl World {
    /// One enterprise, connected to the CRM's account `demo`.
    pub fn new(database: &TestDatabase) -> World {
        World::with(
            database,
            1,
            fast(),
            retailcrm::Settings::default().without_limits(),
        )
    }

    /// So many enterprises, each with an account of its own: `demo`, `a1`, `a2` …
    pub fn with(
        database: &TestDatabase,
        count: usize,
        settings: Settings,
        mut crm: retailcrm::Settings,
    ) -> World {
        for number in 1..count {
            crm.accounts.push(NewAccount {
                name: format!("a{number}"),
                ..NewAccount::demo()
            });
        }
        let crm = retailcrm::start_in_thread("127.0.0.1:0", crm).unwrap();
        let store = database.store_with(Options {
            lease: Duration::from_secs(20),
            ..Options::default()
        });
        let mut known = Vec::new();
        for number in 0..count {
            let domain = if number == 0 {
                crm.base_url.clone()
            } else {
                format!("{}/a/a{number}", crm.base_url)
            };
            let on = json!({"domain": domain, "api_key": "demo-key", "client_id": "c1-7f3a", "user_extensions": {"16": "150", "17": "151"}});
            let new = NewEnterprise {
                number: format!("{:04}", 367 + number),
                token: format!("t{number}").into(),
                ..Default::default()
            };
            let vault = store.vault().clone();
            let id =
                wait(store.write(move |conn| enterprises::add(conn, &vault, &new, Utc::now())))
                    .unwrap();
            let sample = sample::enterprise(&[("retailcrm", on)]);
            known.push(Enterprise {
                id,
                number: format!("{:04}", 367 + number),
                token: format!("t{number}").into(),
                ..sample
            });
        }
        let cache = Cache::fixed(known);
        let enterprises = cache.all();
        let mut world = World {
            crm,
            store,
            cache,
            enterprises,
            house: None,
            told: AtomicU64::new(0),
        };
        world.start(settings);
        world
    }

    /// Starts the house (again).
    pub fn start(&mut self, settings: Settings) {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let (store, cache) = (self.store.clone(), self.cache.clone());
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let integrations = Integrations::start(store, cache, settings).await.unwrap();
                tell.send(integrations).unwrap();
                let _ = ended.await;
            });
        });
        let integrations = told.recv().unwrap();
        self.house = Some(House {
            integrations,
            end: Some(end),
            thread: Some(thread),
        });
    }

    /// Ends the house as kill -9 does.
    pub fn kill(&mut self) {
        if let Some(mut house) = self.house.take() {
            house.integrations.kill();
            house.end.take();
            house.thread.take().unwrap().join().unwrap();
        }
    }

    pub fn integrations(&self) -> &Integrations {
        &self.house.as_ref().unwrap().integrations
    }

    pub fn enterprise(&self, number: usize) -> &Arc<Enterprise> {
        &self.enterprises[number]
    }

    /// The CRM's account of an enterprise.
    pub fn account(&self, number: usize) -> Arc<Account> {
        let name = if number == 0 {
            "demo".to_owned()
        } else {
            format!("a{number}")
        };
        self.crm.state.account(&name).unwrap()
    }

    /// Connects the enterprise to another kind instead.
    pub fn connect(&mut self, number: usize, kind: &str, settings: Value) {
        self.connect_all(number, &[(kind, settings)]);
    }

    /// Connects the enterprise to these kinds instead.
    pub fn connect_all(&mut self, number: usize, integrations: &[(&str, Value)]) {
        let old = &self.enterprises[number];
        let new = Enterprise {
            id: old.id,
            number: old.number.clone(),
            token: format!("t{number}").into(),
            ..sample::enterprise(integrations)
        };
        self.cache.replace(new);
        self.enterprises = self.cache.all();
    }

    /// Gives the enterprise other settings, as an administrator's save does.
    pub fn save(&mut self, number: usize, settings: Value) {
        self.connect(number, "retailcrm", settings);
    }

    /// What the call's actor does for an event: one commit, then the nudge.
    pub fn tell(&self, number: usize, record: Record, notices: &[NoticeKind]) {
        self.commit(number, record, notices, true);
    }

    /// The same, and the nudge is lost.
    pub fn tell_quietly(&self, number: usize, record: Record, notices: &[NoticeKind]) {
        self.commit(number, record, notices, false);
    }

    /// Tells what a call of a capture calls for, one commit a notice.
    pub fn tell_planned(&self, number: usize, planned: Planned) {
        // The same may be called for again: each is an event of its own.
        let key = format!(
            "{}/{}",
            planned.key,
            self.told.fetch_add(1, Ordering::Relaxed)
        );
        self.commit_planned(number, vec![planned], &[&key], true);
    }

    fn commit(&self, number: usize, record: Record, notices: &[NoticeKind], nudge: bool) {
        let planned = notices.iter().map(|kind| plan(*kind, &record)).collect();
        let words: Vec<&str> = notices.iter().map(|kind| kind.as_str()).collect();
        self.commit_planned(number, planned, &words, nudge);
    }

    fn commit_planned(
        &self,
        number: usize,
        mut planned: Vec<Planned>,
        words: &[&str],
        nudge: bool,
    ) {
        let enterprise = self.enterprise(number);
        let now = Utc::now();
        for one in &mut planned {
            one.notice.record.enterprise = enterprise.id;
        }
        let mut commit = Commit::of(event(&planned[0].notice.record, words, now));
        commit.deliveries = self.integrations().deliveries(&planned, enterprise, now);
        match wait(self.store.commit(commit)).unwrap() {
            Committed::Stored { deliveries, .. } if nudge => self.integrations().nudge(deliveries),
            Committed::Stored { .. } => {}
            Committed::Duplicate => panic!("the test told the same event twice"),
        }
    }

    /// A whole call in three events.
    pub fn play(&self, number: usize, call: i64) {
        self.tell(number, sample::ringing(call), &[NoticeKind::Dial]);
        self.tell(
            number,
            sample::answered(call),
            &[NoticeKind::Hangup, NoticeKind::Upload],
        );
    }

    /// A call's deliveries, in order.
    pub fn rows(&self, number: usize, call: i64) -> Vec<Delivery> {
        let id = self.enterprise(number).id;
        wait(
            self.store
                .read(move |conn| deliveries::of_call(conn, id, CallId(call))),
        )
        .unwrap()
    }

    /// "dial done", "upload failed" … of a call.
    pub fn states(&self, number: usize, call: i64) -> Vec<String> {
        let word = |row: &Delivery| format!("{} {}", row.kind, row.state.as_str());
        self.rows(number, call).iter().map(word).collect()
    }

    /// Waits until it holds.
    pub fn until(&self, what: &str, holds: impl Fn(&World) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain until {what}; {:#?}",
                self.integrations().observe()
            );
            // Whatever is waited for is in another thread: it is asked again rather than slept for.
            std::thread::park_timeout(Duration::from_millis(3));
        }
    }

    /// Waits until a call has nothing open.
    pub fn settled(&self, number: usize, call: i64) {
        self.until(&format!("call {call} is settled"), |world| {
            let rows = world.rows(number, call);
            !rows.is_empty()
                && rows
                    .iter()
                    .all(|row| !matches!(row.state, DeliveryState::Due | DeliveryState::Leased))
        });
    }

    /// Waits until nobody has anything open.
    pub fn idle(&self) {
        self.until("nothing is open", |world| {
            wait(world.store.read(crate::store::outbox::backlog))
                .unwrap()
                .is_empty()
        });
    }

    /// A call's events as the CRM received them, in order: "in", "hangup".
    pub fn heard(&self, number: usize, call: i64) -> Vec<&'static str> {
        let id = format!("1772363109.{call}");
        self.account(number)
            .events()
            .iter()
            .filter(|event| event.call.as_deref() == Some(&id))
            .map(|event| event.kind)
            .collect()
    }

    /// How often the CRM's history has a call.
    pub fn in_history(&self, number: usize, call: i64) -> usize {
        let id = format!("1772363109.{call}");
        self.account(number)
            .calls()
            .iter()
            .filter(|one| one.external_id == id)
            .count()
    }
}

impl Drop for World {
    /// A forgotten delivery surfaces in the test that forgot it.
    fn drop(&mut self) {
        let refused = self.crm.state.refused();
        let open = wait(self.store.read(crate::store::outbox::backlog));
        self.kill();
        if !std::thread::panicking() {
            assert_eq!(open.unwrap(), [], "deliveries are left over");
            assert_eq!(refused, 0, "the CRM refused something");
        }
    }
}

fn plan(kind: NoticeKind, record: &Record) -> Planned {
    let (position, when) = match kind {
        NoticeKind::Start => (0, When::Now),
        NoticeKind::Dial => (1, When::Now),
        NoticeKind::Bridge => (2, When::Now),
        NoticeKind::Hangup => (3, When::Now),
        NoticeKind::Upload => (1_000, When::Settled),
        NoticeKind::Recording => (1_001, When::Settled),
    };
    Planned {
        key: kind.as_str().into(),
        position,
        when,
        notice: sample::notice(kind, record.clone()),
    }
}

fn event(record: &Record, words: &[&str], now: DateTime<Utc>) -> NewEvent {
    NewEvent {
        enterprise: record.enterprise,
        call: Some(record.call),
        event_type: words.first().copied().unwrap_or("start").into(),
        unique_id: record.unique_id.clone(),
        linked_id: record.linked_id.clone(),
        bridge_id: String::new(),
        event_timestamp: now,
        received_at: now,
        key: format!(
            "{}/{}/{}",
            record.enterprise,
            record.unique_id,
            words.join(",")
        )
        .into_bytes(),
        host_event_id: String::new(),
        raw: "{}".into(),
        data_source: "live".into(),
        parked: false,
        note: String::new(),
    }
}
