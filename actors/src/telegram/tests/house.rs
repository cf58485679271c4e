//! A house with one enterprise, its bot at the simulator, and calls to play. Conditions are waited for, never times.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::Arbiter;
use chrono::{DateTime, TimeDelta, Utc};
use simulators::server::Running;
use simulators::telegram::{Bot, ChatView, Message, NewBot, NewChat, State};

use crate::cache::handle::Cache;
use crate::call::record::{CallId, Direction, Outcome, Phase, Record};
use crate::store::deliveries::{self, NewDelivery};
use crate::store::enterprises::{self, NewEnterprise};
use crate::store::journal::NewEvent;
use crate::store::testing::{TestDatabase, number};
use crate::store::{CallRow, CallState, Commit, Conn, Store, telegram};
use crate::telegram::limiter::Limits;
use crate::telegram::{INTEGRATION, KIND, Observed, Settings, Telegram, text};

pub const TOKEN: &str = "123456:house-bot-token";
pub const PATIENCE: Duration = Duration::from_secs(20);

type Live = Arc<Mutex<HashMap<CallId, Arc<Record>>>>;

pub struct House {
    pub store: Store,
    pub enterprise: i64,
    pub simulator: Running<State>,
    pub bot: Arc<Bot>,
    pub telegram: Telegram,
    pub settings: Settings,
    /// How many more times asking the board breaks the bot.
    pub breaks: Arc<AtomicU32>,
    live: Live,
    arbiter: Arbiter,
}

/// Everything as fast as the simulator takes it, and a bot that looks often.
pub fn quick() -> Settings {
    Settings {
        public_url: "https://pb.example".into(),
        limits: Limits {
            chat_pace: Duration::from_millis(1),
            chat_burst: 100,
            group_per_minute: 10_000,
            bot_per_second: 10_000,
        },
        timeout: Duration::from_secs(2),
        look_every: Duration::from_millis(50),
        ask_again: Duration::from_millis(100),
        listen_for: Duration::from_secs(2),
        longest_pause: Duration::from_millis(50),
        ..Settings::default()
    }
}

/// Runs a test in a house whose bot has these chats and whose simulator sets no limits.
pub fn in_house<F: AsyncFnOnce(&mut House)>(database: &TestDatabase, chats: &[i64], test: F) {
    let settings = simulators::telegram::Settings::default().without_limits();
    in_house_with(database, chats, quick(), settings, test);
}

pub fn in_house_with<F: AsyncFnOnce(&mut House)>(
    database: &TestDatabase,
    chats: &[i64],
    mut settings: Settings,
    mut simulator: simulators::telegram::Settings,
    test: F,
) {
    let chats_of_bot = chats.iter().map(|id| NewChat::new(*id, "chat")).collect();
    simulator.bots = vec![NewBot {
        chats: chats_of_bot,
        ..NewBot::new(TOKEN, "bot")
    }];
    actix::System::new().block_on(async {
        let simulator = simulators::telegram::start("127.0.0.1:0", simulator)
            .await
            .unwrap();
        settings.base_url = simulator.base_url.clone();
        let store = database.store();
        let vault = store.vault().clone();
        let new = NewEnterprise {
            number: "0367".into(),
            name: "june".into(),
            token: "t".into(),
            ..Default::default()
        };
        let subscribed = chats.to_vec();
        let enterprise = store
            .write(move |conn| {
                let id = enterprises::add(conn, &vault, &new, Utc::now())?;
                for chat in subscribed {
                    telegram::subscribe(conn, id, chat, "chat", Utc::now())?;
                }
                Ok(id)
            })
            .await
            .unwrap();
        let live = Live::default();
        let breaks = Arc::new(AtomicU32::new(0));
        let bot = simulator.state.bot(TOKEN).unwrap();
        let (telegram, arbiter) = start(&store, enterprise, TOKEN, &live, &breaks, &settings);
        let mut house = House {
            store,
            enterprise,
            simulator,
            bot,
            telegram,
            settings,
            breaks,
            live,
            arbiter,
        };
        test(&mut house).await;
        house.telegram.stop(Duration::from_secs(5)).await;
        house.arbiter.stop();
    });
}

fn start(
    store: &Store,
    enterprise: i64,
    token: &str,
    live: &Live,
    breaks: &Arc<AtomicU32>,
    settings: &Settings,
) -> (Telegram, Arbiter) {
    let mut known = text::tests::enterprise("ru");
    known.id = enterprise;
    known.bot_token = Some(token.to_owned().into());
    let (board, breaks) = (Arc::clone(live), Arc::clone(breaks));
    let present = move |call| {
        let left = breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        assert!(left.is_err(), "the board breaks, as this test wants it");
        Some((Arc::clone(board.lock().unwrap().get(&call)?), None))
    };
    let arbiter = Arbiter::new();
    let (store, cache) = (store.clone(), Cache::fixed(vec![known]));
    (
        Telegram::start(
            store,
            cache,
            Arc::new(present),
            settings.clone(),
            &arbiter.handle(),
        ),
        arbiter,
    )
}

impl House {
    /// Ends Telegram at once, as a crash would, and starts it again, maybe with another token.
    pub fn restart(&mut self, token: &str) {
        self.arbiter.stop();
        let (telegram, arbiter) = start(
            &self.store,
            self.enterprise,
            token,
            &self.live,
            &self.breaks,
            &self.settings,
        );
        self.telegram = telegram;
        self.arbiter = arbiter;
    }

    /// The same, but what is under way is finished first.
    pub async fn restart_gracefully(&mut self) {
        self.telegram.stop(PATIENCE).await;
        self.restart(TOKEN);
    }

    /// Commits a call's state as the house does, with its delivery, and nudges.
    pub async fn tell(&self, record: &Record) {
        self.commit(record, CallState::Live).await;
        self.telegram.nudge(Arc::new(record.clone()), None);
    }

    /// Commits without a nudge: it was lost.
    pub async fn commit(&self, record: &Record, state: CallState) {
        let state = if record.phase == Phase::Ended {
            CallState::Ended
        } else {
            state
        };
        let at = Utc::now();
        let event = NewEvent {
            enterprise: self.enterprise,
            call: Some(record.call),
            event_type: format!("{:?}", record.phase).to_lowercase(),
            unique_id: record.unique_id.clone(),
            linked_id: record.linked_id.clone(),
            bridge_id: String::new(),
            event_timestamp: at,
            received_at: at,
            key: uuid::Uuid::new_v4().as_bytes().to_vec(),
            host_event_id: String::new(),
            raw: "{}".into(),
            data_source: "live".into(),
            parked: false,
            note: String::new(),
        };
        let delivery = NewDelivery {
            enterprise: self.enterprise,
            integration: INTEGRATION.into(),
            call: record.call,
            unique_id: record.unique_id.clone(),
            kind: KIND.into(),
            position: 0,
            payload: "{}".into(),
            not_before: at,
            expires_at: None,
            lease: false,
        };
        let record = Arc::new(record.clone());
        self.live
            .lock()
            .unwrap()
            .insert(record.call, Arc::clone(&record));
        let call = CallRow {
            record,
            state,
            fault: String::new(),
            at,
        };
        let commit = Commit {
            call: Some(call),
            deliveries: vec![delivery],
            ..Commit::of(event)
        };
        self.store.commit(commit).await.unwrap();
    }

    /// What a chat shows: messages of the bot that are not deleted, oldest first.
    pub fn screen(&self, chat: i64) -> Vec<Message> {
        let view: Option<ChatView> = self.bot.chat(chat);
        view.into_iter()
            .flat_map(|c| c.messages)
            .filter(|m| !m.incoming && m.deleted.is_none())
            .collect()
    }

    /// The texts of it.
    pub fn texts(&self, chat: i64) -> Vec<String> {
        self.screen(chat)
            .iter()
            .map(|m| m.text().to_owned())
            .collect()
    }

    /// Waits until what a query counts is so many.
    pub async fn counts(&self, sql: &str, wanted: i64) {
        let end = Instant::now() + PATIENCE;
        loop {
            let query = sql.to_owned();
            let count = self
                .store
                .read(move |conn| Ok(number(conn, &query)))
                .await
                .unwrap();
            if count == wanted {
                return;
            }
            assert!(
                Instant::now() < end,
                "never came: {sql} = {wanted}, but {count}"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until every delivery has an end.
    pub async fn all_told(&self) {
        self.counts(
            "SELECT count(*) FROM deliveries WHERE state IN ('due', 'leased')",
            0,
        )
        .await;
    }

    pub async fn outcome(&self, call: i64) -> String {
        let enterprise = self.enterprise;
        let all = move |conn: &mut Conn| deliveries::of_call(conn, enterprise, CallId(call));
        let all = self.store.read(all).await.unwrap();
        all.iter()
            .map(|d| format!("{}: {}", d.state.as_str(), d.outcome))
            .collect()
    }

    pub async fn observed(&self) -> Observed {
        self.telegram
            .observe()
            .await
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    /// Waits until the bot says so of itself.
    pub async fn observes(&self, what: &str, so: impl Fn(&Observed) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let observed = self.observed().await;
            if so(&observed) {
                return;
            }
            assert!(Instant::now() < end, "never came: {what}; {observed:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Waits for a condition, without taking the processor from those who bring it about.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A call of a client, in a phase; ended ones were answered.
pub fn call(house: &House, id: i64, phase: Phase) -> Record {
    let mut record = text::tests::record(Direction::In, phase);
    record.call = CallId(id);
    record.enterprise = house.enterprise;
    record.uuid = uuid::Uuid::from_u128(id.unsigned_abs().into());
    record.unique_id = format!("1795194153.{id}");
    record.phone = Some(format!("+37529{id:07}"));
    record.received_at = now() - TimeDelta::seconds(5);
    if phase != Phase::Ringing {
        record.rung = vec!["150".into(), "151".into()];
    }
    if matches!(phase, Phase::Talking | Phase::Ended) {
        record.talked = vec!["151".into()];
        record.talking = Some("151".into());
    }
    if phase == Phase::Ended {
        record.outcome = Some(Outcome::Answered);
        record.talk_seconds = 65;
    }
    record
}

pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Everything that is logged by anyone, at every level.
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Ear;

impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // The simulator stands for Telegram: what it logs is not ours.
        if !record.target().starts_with("simulators") {
            HEARD
                .lock()
                .unwrap()
                .push(format!("{} {}", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

/// Begins to hear the log.
pub fn listen() {
    if log::set_logger(&Ear).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}

pub fn heard() -> Vec<String> {
    HEARD.lock().unwrap().clone()
}
