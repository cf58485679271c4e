//! The cache over real databases of both kinds.

use std::time::Duration;

use actix::Arbiter;
use chrono::Utc;

use crate::cache::{Cache, Times};
use crate::store::Store;
use crate::store::enterprises::{self, NewEnterprise};
use crate::store::testing::{Kind, TestDatabase};

async fn add(store: &Store, number: &'static str) {
    let vault = store.vault().clone();
    let adding = store.write(move |conn| {
        let new = NewEnterprise {
            number: number.into(),
            name: format!("e{number}"),
            token: format!("token-{number}").into(),
            integrations: serde_json::json!({"retailcrm": {"enabled": true, "api_key": "k"}}),
            ..NewEnterprise::default()
        };
        enterprises::add(conn, &vault, &new, Utc::now())
    });
    adding.await.unwrap();
}

async fn serves_what_the_database_holds(kind: Kind) {
    let database = TestDatabase::new(kind);
    let store = database.store();
    for number in ["0367", "0368", "0369"] {
        add(&store, number).await;
    }
    let cache = Cache::start(store.clone(), Times::default(), &Arbiter::current());
    assert_eq!(cache.refresh().await.unwrap(), 3);
    let one = cache.by_token("token-0368").unwrap();
    assert_eq!((one.number.as_str(), one.name.as_str()), ("0368", "e0368"));
    assert!(one.integrations["retailcrm"].enabled);

    // Made after the refresh, and nobody told the cache: found by the first who asks.
    add(&store, "0400").await;
    let found = cache.find_token("token-0400").await.unwrap().unwrap();
    assert_eq!(found.number, "0400");
    assert_eq!(cache.find("e0400").await.unwrap().unwrap().id, found.id);
    assert_eq!(
        cache.find_id(found.id).await.unwrap().unwrap().number,
        "0400"
    );
    assert!(cache.find_token("token-0401").await.unwrap().is_none());
    assert!(cache.find("0401").await.unwrap().is_none());

    let (vault, id) = (store.vault().clone(), found.id);
    let none = serde_json::json!({});
    let save = store
        .write(move |conn| enterprises::save_integrations(conn, &vault, id, &none, Utc::now()));
    save.await.unwrap();
    assert!(cache.invalidate("0400").await.unwrap());
    assert!(cache.by_number("0400").unwrap().integrations.is_empty());
    assert_eq!(cache.stats().load_failures, 0);
}

#[actix_rt::test]
async fn serves_what_sqlite_holds() {
    serves_what_the_database_holds(Kind::Sqlite).await;
}

#[actix_rt::test]
async fn serves_what_postgresql_holds() {
    tokio::time::timeout(
        Duration::from_secs(60),
        serves_what_the_database_holds(Kind::Postgres),
    )
    .await
    .unwrap();
}

#[actix_rt::test]
async fn a_change_made_with_sql_arrives_in_every_process_within_a_second() {
    let database = TestDatabase::new(Kind::Postgres);
    let store = database.store();
    add(&store, "0367").await;
    let caches = [0, 1].map(|_| {
        let cache = Cache::start(store.clone(), Times::default(), &Arbiter::current());
        cache.listen(&store).unwrap();
        cache
    });
    for cache in &caches {
        cache.refresh().await.unwrap();
        wait_until(|| cache.stats().loads >= 2, Duration::from_secs(5)).await;
    }
    let url = database.url.clone();
    let said = tokio::task::spawn_blocking(move || {
        let mut psql = std::process::Command::new("psql");
        psql.args([
            &url,
            "-qc",
            "UPDATE enterprises SET name = 'by hand' WHERE number = '0367'",
        ]);
        psql.status().unwrap()
    });
    assert!(said.await.unwrap().success());
    for cache in &caches {
        let renamed = || cache.by_name("by hand").is_some();
        wait_until(renamed, Duration::from_secs(1)).await;
    }
}

/// Waits for a condition, at most so long.
async fn wait_until(condition: impl Fn() -> bool, most: Duration) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(most, waiting)
        .await
        .expect("it did not happen in time");
}
