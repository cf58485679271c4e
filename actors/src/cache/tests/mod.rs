//! What the cache promises, with a list in place of the database and time that stands still.

mod loading;
mod names;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Arbiter;
use futures_util::future::{BoxFuture, join_all};
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio::time::{Instant, advance, pause};

use super::snapshot::Enterprise;
use super::*;

/// Id, number, name; the token is `token-NUMBER`.
type Row = (i64, &'static str, &'static str);

/// A database of a list. Each load waits for a permit, so a test decides when it ends.
#[derive(Clone)]
struct Fake {
    rows: Arc<Mutex<Vec<Row>>>,
    away: Arc<AtomicBool>,
    loads: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<Which>>>,
    gate: Arc<Semaphore>,
}

impl Fake {
    fn new() -> Fake {
        Fake {
            rows: Arc::new(Mutex::new(vec![(1, "0367", "june"), (2, "0368", "july")])),
            away: Arc::default(),
            loads: Arc::default(),
            asked: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    fn rename(&self, id: i64, name: &'static str) {
        self.rows
            .lock()
            .unwrap()
            .iter_mut()
            .filter(|row| row.0 == id)
            .for_each(|row| row.2 = name);
    }
}

impl Source for Fake {
    fn load(&self, which: Which) -> BoxFuture<'static, Result<Vec<Enterprise>, SourceError>> {
        let fake = self.clone();
        // The read begins here, whenever it ends.
        let rows = fake.rows.lock().unwrap().clone();
        fake.loads.fetch_add(1, Ordering::SeqCst);
        fake.asked.lock().unwrap().push(which.clone());
        Box::pin(async move {
            fake.gate.acquire().await.unwrap().forget();
            if fake.away.load(Ordering::SeqCst) {
                return Err(SourceError("connection refused".into()));
            }
            let wanted = |(id, number, name): &(i64, &str, &str)| match &which {
                Which::All => true,
                Which::Ids(ids) => ids.contains(id),
                Which::Numbers(numbers) => numbers.iter().any(|wanted| wanted == number),
                Which::Names(names) => names.iter().any(|wanted| wanted == name),
                Which::Tokens(tokens) => tokens
                    .iter()
                    .any(|token| token.expose_secret() == format!("token-{number}")),
            };
            Ok(rows
                .iter()
                .filter(|row| wanted(row))
                .map(|(id, number, name)| enterprise(*id, number, name))
                .collect())
        })
    }
}

/// An enterprise with nothing but its names; its token is `token-NUMBER`.
pub(crate) fn enterprise(id: i64, number: &str, name: &str) -> Enterprise {
    Enterprise {
        id,
        number: number.into(),
        name: name.into(),
        token: format!("token-{number}").into(),
        active: true,
        country: "BY".into(),
        time_zone: chrono_tz::Europe::Minsk,
        language: "ru".into(),
        bot_token: None,
        secret: None,
        debug_log: false,
        settings: serde_json::Value::Null,
        extensions: Default::default(),
        lines: Default::default(),
        primary: None,
        integrations: Default::default(),
        has_telegram_subscribers: false,
        host: Default::default(),
    }
}

/// A cache over `fake` on the test's own arbiter, filled, with time standing still from now on.
async fn filled(fake: &Fake) -> Cache {
    let cache = Cache::start(fake.clone(), Times::default(), &Arbiter::current());
    cache.refresh().await.unwrap();
    pause();
    cache
}

/// Lets everything that can run without time passing run.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[actix_rt::test]
async fn what_is_known_is_read_without_a_load() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    for _ in 0..1000 {
        assert_eq!(cache.by_token("token-0367").unwrap().id, 1);
        assert_eq!(cache.by_number("0368").unwrap().id, 2);
        assert_eq!(cache.by_name("july").unwrap().id, 2);
        assert_eq!(cache.by_id(1).unwrap().number, "0367");
        assert_eq!(cache.find_token("token-0368").await.unwrap().unwrap().id, 2);
    }
    assert_eq!(fake.loads(), 1);
    let stats = cache.stats();
    assert_eq!(
        (stats.entries, stats.hits, stats.misses, stats.hit_ratio),
        (2, 5000, 0, 1.0)
    );
    assert!(stats.last_full_refresh.is_some());
}

#[actix_rt::test]
async fn an_unknown_token_is_loaded_once_however_many_ask() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    fake.rows.lock().unwrap().push((3, "0400", "new"));
    let asked = join_all((0..500).map(|_| cache.find_token("token-0400"))).await;
    assert!(
        asked
            .into_iter()
            .all(|found| found.unwrap().unwrap().id == 3)
    );
    assert_eq!(fake.loads(), 2);
}

#[actix_rt::test]
async fn a_flood_of_unknown_tokens_is_a_few_questions() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    let flood: Vec<String> = (0..3000).map(|n| format!("guess-{n}")).collect();
    let asked = join_all(flood.iter().map(|token| cache.find_token(token))).await;
    assert!(asked.into_iter().all(|found| found.unwrap().is_none()));
    assert!(fake.loads() <= 4, "{} loads", fake.loads());
    // The same ones again, within five seconds: none at all.
    let before = fake.loads();
    advance(Duration::from_secs(4)).await;
    for token in &flood {
        assert!(cache.find_token(token).await.unwrap().is_none());
    }
    assert_eq!(fake.loads(), before);
    // Later they are asked for again: the enterprise may have been made meanwhile.
    advance(Duration::from_secs(2)).await;
    assert!(cache.find_token("guess-1").await.unwrap().is_none());
    assert_eq!(fake.loads(), before + 1);
}

#[actix_rt::test]
async fn an_expired_entry_serves_while_one_reload_runs() {
    let fake = Fake::new();
    let times = Times {
        sweep_seconds: 10_000,
        refresh_seconds: 100_000,
        ..Times::default()
    };
    let cache = Cache::start(fake.clone(), times, &Arbiter::current());
    cache.refresh().await.unwrap();
    pause();
    fake.rename(1, "june-2");
    advance(Duration::from_secs(89)).await;
    assert_eq!(cache.by_number("0367").unwrap().name, "june");
    settle().await;
    assert_eq!(fake.loads(), 1, "not expired yet");
    advance(Duration::from_secs(2)).await;
    for _ in 0..100 {
        assert_eq!(
            cache.by_number("0367").unwrap().name,
            "june",
            "the old one serves meanwhile"
        );
    }
    settle().await;
    assert_eq!(fake.loads(), 2, "one reload, of this entry");
    assert_eq!(cache.by_number("0367").unwrap().name, "june-2");
    assert!(matches!(fake.asked.lock().unwrap()[1], Which::Ids(ref ids) if ids == &[1]));
}

#[actix_rt::test]
async fn the_sweep_loads_expired_entries_together_and_drops_the_deleted() {
    let fake = Fake::new();
    let times = Times {
        refresh_seconds: 100_000,
        refresh_jitter_seconds: 0,
        ..Times::default()
    };
    let cache = Cache::start(fake.clone(), times, &Arbiter::current());
    cache.refresh().await.unwrap();
    pause();
    fake.rows.lock().unwrap().retain(|row| row.0 != 2);
    for _ in 0..13 {
        advance(Duration::from_secs(10)).await;
        settle().await;
    }
    assert_eq!(fake.loads(), 2, "one load for both");
    assert!(cache.by_number("0367").is_some());
    assert!(cache.by_number("0368").is_none());
    assert!(cache.by_token("token-0368").is_none());
}

#[actix_rt::test]
async fn everything_is_refreshed_every_four_minutes_give_or_take_one() {
    let mut pauses = Vec::new();
    for _ in 0..30 {
        let fake = Fake::new();
        let times = Times {
            sweep_seconds: 100_000,
            ..Times::default()
        };
        let cache = Cache::start(fake.clone(), times, &Arbiter::current());
        cache.refresh().await.unwrap();
        pause();
        let began = Instant::now();
        while fake.loads() == 1 {
            advance(Duration::from_secs(1)).await;
            settle().await;
        }
        pauses.push(began.elapsed().as_secs());
        tokio::time::resume();
    }
    assert!(
        pauses.iter().all(|pause| (180..=301).contains(pause)),
        "{pauses:?}"
    );
    assert!(
        pauses.iter().max().unwrap() - pauses.iter().min().unwrap() > 30,
        "jitter: {pauses:?}"
    );
}

#[actix_rt::test]
async fn a_database_that_is_away_leaves_the_last_known_in_use() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    fake.away.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        advance(Duration::from_secs(10)).await;
        settle().await;
        assert_eq!(cache.by_token("token-0367").unwrap().name, "june");
    }
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.stale, stats.source), (2, 2, "away"));
    assert_eq!(stats.last_error.as_deref(), Some("connection refused"));
    assert!(cache.describe("june").unwrap().stale);
    // Unknown and unanswerable is neither yes nor no.
    assert!(cache.find_token("token-0400").await.is_err());
    assert!(cache.invalidate("0367").await.is_err());

    fake.away.store(false, Ordering::SeqCst);
    fake.rename(1, "june-2");
    for _ in 0..6 {
        advance(Duration::from_secs(1)).await;
        settle().await;
    }
    assert_eq!(
        cache.by_token("token-0367").unwrap().name,
        "june-2",
        "tried again within five seconds"
    );
    assert_eq!((cache.stats().stale, cache.stats().source), (0, "ok"));
}

#[actix_rt::test]
async fn a_save_is_seen_at_once() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    fake.rename(1, "june-2");
    assert_eq!(cache.by_id(1).unwrap().name, "june");
    assert!(cache.invalidate("0367").await.unwrap());
    assert_eq!(cache.by_id(1).unwrap().name, "june-2");
    assert!(cache.by_name("june").is_none());
    assert_eq!(cache.stats().invalidations, 1);
}

#[actix_rt::test]
async fn an_answer_from_before_a_save_never_replaces_one_from_after_it() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    fake.gate.forget_permits(Semaphore::MAX_PERMITS);
    // A full refresh reads the old name and is slow.
    cache.nudge_all();
    settle().await;
    fake.rename(1, "june-2");
    let save = {
        let cache = cache.clone();
        actix_rt::spawn(async move { cache.invalidate("0367").await })
    };
    settle().await;
    fake.gate.add_permits(2);
    assert!(save.await.unwrap().unwrap());
    settle().await;
    assert_eq!(cache.by_id(1).unwrap().name, "june-2");
}

#[actix_rt::test]
async fn saves_during_a_load_lead_to_one_more_load_not_to_many() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    fake.gate.forget_permits(Semaphore::MAX_PERMITS);
    let saves: Vec<_> = (0..100)
        .map(|_| {
            let cache = cache.clone();
            actix_rt::spawn(async move { cache.invalidate("0367").await })
        })
        .collect();
    settle().await;
    assert_eq!(
        fake.loads(),
        2,
        "the first is under way, the others wait for the next"
    );
    fake.gate.add_permits(10);
    for save in saves {
        assert!(save.await.unwrap().unwrap());
    }
    assert_eq!(fake.loads(), 3);
}

#[actix_rt::test]
async fn an_enterprise_that_got_another_number_is_followed() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    fake.rows.lock().unwrap()[0].1 = "0999";
    cache.invalidate("0367").await.unwrap();
    settle().await;
    assert!(cache.by_number("0367").is_none());
    assert_eq!(cache.by_number("0999").unwrap().id, 1);
    assert_eq!(cache.by_token("token-0999").unwrap().id, 1);
    assert!(cache.by_token("token-0367").is_none());
}

#[actix_rt::test]
async fn a_load_that_never_ends_has_failed_after_its_deadline() {
    let fake = Fake::new();
    let cache = filled(&fake).await;
    fake.gate.forget_permits(Semaphore::MAX_PERMITS);
    // Paused time runs on by itself while everybody waits.
    assert!(cache.find("0400").await.is_err());
    assert_eq!(cache.by_number("0367").unwrap().id, 1);
}

#[actix_rt::test]
async fn a_panic_in_the_actor_is_survived() {
    struct Fragile(Fake, AtomicBool);
    impl Source for Fragile {
        fn load(&self, which: Which) -> BoxFuture<'static, Result<Vec<Enterprise>, SourceError>> {
            let load = self.0.load(which);
            let panics = self.1.swap(false, Ordering::SeqCst);
            Box::pin(async move {
                assert!(!panics, "as a test");
                load.await
            })
        }
    }
    let fake = Fake::new();
    let cache = Cache::start(
        Fragile(fake.clone(), true.into()),
        Times::default(),
        &Arbiter::current(),
    );
    assert!(cache.refresh().await.is_err());
    settle().await;
    assert_eq!(cache.refresh().await.unwrap(), 2);
    assert_eq!(cache.stats().restarts, 1);
    assert_eq!(cache.by_token("token-0367").unwrap().id, 1);
}

#[test]
fn a_fixed_cache_asks_nobody() {
    let cache = Cache::fixed(vec![enterprise(1, "0367", "june")]);
    assert_eq!(cache.by_token("token-0367").unwrap().id, 1);
    assert!(cache.by_token("token-0368").is_none());
    assert_eq!(cache.stats().hit_ratio, 0.5);
}
