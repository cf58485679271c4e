//! The house the calls live in, for the tests beside it: actors over a real store, one integration that only notes what it is
//! given.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::cache::Cache;
use crate::cache::snapshot::Enterprise;
use crate::call::effect::Planned;
use crate::call::event::{Body, EventKind};
use crate::call::intake::{Counters, Deps, Dispatch, Outlets, Refused, Take, Taken, Times};
use crate::call::record::{NoticeKind, Record};
use crate::call::{Calls, tests};
use crate::live::Board;
use crate::store::calls::{self, Filter};
use crate::store::deliveries::{self, Delivery, NewDelivery};
use crate::store::testing::{TestDatabase, databases};
use crate::store::{Store, enterprises, journal};

/// Every notice becomes a delivery to one integration; changes are kept for the test to look at.
#[derive(Default)]
struct Ears {
    heard: Mutex<Vec<Arc<Record>>>,
}

impl Outlets for Ears {
    fn changed(
        &self,
        _: &Arc<Enterprise>,
        record: Arc<Record>,
        _: Vec<Delivery>,
        _: Option<Arc<Record>>,
    ) {
        self.heard.lock().unwrap().push(record);
    }
}

impl Dispatch for Ears {
    fn deliveries(
        &self,
        notices: &[Planned],
        record: &Record,
        enterprise: &Enterprise,
        now: DateTime<Utc>,
    ) -> Vec<NewDelivery> {
        notices
            .iter()
            .filter(|plan| plan.notice.kind != NoticeKind::Start)
            .map(|plan| NewDelivery {
                enterprise: enterprise.id,
                integration: "ear".into(),
                call: record.call,
                unique_id: record.unique_id.clone(),
                kind: plan.key.clone(),
                position: plan.position,
                payload: serde_json::to_string(&plan.notice).unwrap(),
                not_before: now,
                expires_at: None,
                lease: false,
            })
            .collect()
    }

    fn message(&self, _: u16, _: &Record, _: &Enterprise, _: DateTime<Utc>) -> Option<NewDelivery> {
        None
    }
}

/// Calls with their actors over a store, as a process has them.
pub(super) struct House {
    pub calls: Calls,
    pub store: Store,
    pub board: Board,
    pub cache: Cache,
    pub enterprise: Arc<Enterprise>,
}

impl House {
    pub async fn open(store: Store, id: i64, times: Times) -> House {
        let cache = Cache::fixed(vec![Enterprise {
            id,
            ..tests::enterprise()
        }]);
        let board = Board::default();
        let ears = Arc::new(Ears::default());
        let deps = Arc::new(Deps {
            store: store.clone(),
            cache: cache.clone(),
            board: board.clone(),
            outlets: ears.clone(),
            dispatch: ears,
            times,
            counters: Counters::default(),
        });
        let reading = deps.clone();
        let unfinished = tokio::task::spawn_blocking(move || Calls::read_unfinished(&reading))
            .await
            .unwrap()
            .unwrap();
        let arbiter = Arbiter::new().handle();
        let enterprise = cache.by_id(id).unwrap();
        House {
            calls: Calls::start(deps, &[arbiter], unfinished),
            store,
            board,
            cache,
            enterprise,
        }
    }

    pub async fn send(&self, kind: EventKind, fields: Value) -> Result<Taken, Refused> {
        let raw = fields.to_string();
        let now = DateTime::from_timestamp_millis(Utc::now().timestamp_millis()).unwrap();
        let event = Body::read(raw.as_bytes()).unwrap().into_event(
            kind,
            self.enterprise.id,
            chrono_tz::UTC,
            None,
            now,
        );
        self.calls
            .take(Take {
                enterprise: self.enterprise.clone(),
                event,
                raw,
                source: "live",
                reply: None,
            })
            .await
    }

    /// The calls' rows, merged ones left out, oldest first.
    pub async fn rows(&self) -> Vec<Record> {
        let enterprise = self.enterprise.id;
        let mut rows = self
            .store
            .read(move |conn| {
                calls::page(
                    conn,
                    &Filter {
                        enterprise: Some(enterprise),
                        ..Filter::default()
                    },
                    0,
                    100,
                )
            })
            .await
            .unwrap();
        rows.sort_by_key(|row| row.record.call);
        rows.into_iter().map(|row| row.record).collect()
    }

    pub async fn kinds(&self, record: &Record) -> Vec<String> {
        let (enterprise, call) = (self.enterprise.id, record.call);
        let rows = self
            .store
            .read(move |conn| deliveries::of_call(conn, enterprise, call))
            .await
            .unwrap();
        rows.into_iter().map(|row| row.kind).collect()
    }

    pub async fn journal(&self) -> i64 {
        self.store
            .read(|conn| journal::count(conn, None))
            .await
            .unwrap()
    }

    /// Waits for a condition, at most ten seconds.
    pub async fn until(&self, what: &str, holds: impl Fn(&House) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited in vain until {what}");
    }
}

/// Runs a test in an enterprise of a fresh database of each kind.
pub(super) fn on_both(test: impl AsyncFn(&TestDatabase, i64)) {
    for database in databases() {
        let store = database.store();
        let mut conn = database.connect();
        let new = enterprises::NewEnterprise {
            number: "0367".into(),
            name: "june".into(),
            token: "t".to_owned().into(),
            ..Default::default()
        };
        let id = enterprises::add(&mut conn, store.vault(), &new, Utc::now()).unwrap();
        drop(store);
        actix_rt::System::new().block_on(test(&database, id));
    }
}
