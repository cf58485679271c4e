//! What the rest of the house holds of Telegram: a clonable handle that takes nudges and tells how bots are doing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix::{Actor, ArbiterHandle};
use tokio::sync::oneshot;

use super::actor::{Board, Surroundings};
use super::inbox::Inbox;
use super::messages::{Attend, ObserveAll, Observed, StopAll};
use super::present::Present;
use super::registry::{Registry, Watch};
use super::settings::Settings;
use crate::cache::handle::Cache;
use crate::call::record::Record;
use crate::store::Store;

/// Telegram, for everyone else. Cheap to clone; may be used on any thread.
#[derive(Clone)]
pub struct Telegram {
    inbox: Arc<Inbox>,
}

impl Telegram {
    /// Starts the registry on an arbiter (best one of its own); it starts bots by itself.
    pub fn start(
        store: Store,
        cache: Cache,
        board: Board,
        settings: Settings,
        arbiter: &ArbiterHandle,
    ) -> Telegram {
        let inbox = Arc::new(Inbox::default());
        let world = Surroundings {
            settings: Arc::new(settings),
            cache,
            board,
        };
        launch(store, world, Arc::clone(&inbox), arbiter.clone());
        Telegram { inbox }
    }

    /// A call changed. Called after every commit that changes a call of an enterprise with a bot; also when the client's
    /// name becomes known later. Never waits. What is lost here is found in the table.
    pub fn nudge(&self, record: Arc<Record>, client: Option<Arc<str>>) {
        self.inbox.put(Present::new(record, client));
    }

    /// A call became a part of another one: its messages are taken away. `record`: as it was before.
    pub fn absorb(&self, record: Arc<Record>) {
        self.inbox.put(Present {
            absorbed: true,
            ..Present::new(record, None)
        });
    }

    /// A code was made by which chats join, or a bot has another token: bots that are to be listened to are, from now on.
    /// What is lost here is found in the table, half a minute later; by other processes too.
    pub fn attend(&self) {
        if let Some(registry) = self.inbox.registry() {
            registry.do_send(Attend);
        }
    }

    /// How every bot is doing; without those that do not answer in time.
    pub async fn observe(&self) -> Vec<Observed> {
        let Some(registry) = self.inbox.registry() else {
            return Vec::new();
        };
        registry
            .send(ObserveAll)
            .timeout(Duration::from_secs(2))
            .await
            .unwrap_or_default()
    }

    /// Lets what is under way finish and be written, begins nothing more. Returns after `limit` at the latest.
    pub async fn stop(&self, limit: Duration) {
        let Some(registry) = self.inbox.registry() else {
            return;
        };
        let (tell, told) = oneshot::channel();
        registry.do_send(StopAll(tell));
        if tokio::time::timeout(limit, told).await.is_err() {
            log::warn!(
                "telegram: not everything was told before the end; it will be told after the next start"
            );
        }
    }
}

/// Starts a registry, which starts its successor should it break.
fn launch(store: Store, world: Surroundings, inbox: Arc<Inbox>, arbiter: ArbiterHandle) {
    let home = arbiter.clone();
    arbiter.spawn_fn(move || {
        let again = (store.clone(), world.clone(), Arc::clone(&inbox), home);
        let restart = Box::new(move || {
            let (store, world, inbox, home) = again.clone();
            launch(store, world, inbox, home);
        });
        let watch = Watch {
            alive: Arc::new(AtomicBool::new(true)),
            restart,
        };
        Registry::new(store, world, inbox, watch).start();
    });
}
