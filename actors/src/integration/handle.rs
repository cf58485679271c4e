//! The way into this folder for everyone outside: start-up starts it, the call's actor nudges it, pages look and order.
//! Cheap to clone, usable from any thread. Holds no rule of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::Arbiter;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::watch;

use super::actor::{Ask, Finish, Nudge, Order};
use super::breaker::Position;
use super::connector::{Answer, Failed, Kind, Question};
use super::dispatch::deliveries_for;
use super::exchange::Exchanges;
use super::keeper::Keeper;
use super::known::Known;
use super::observed::Observed;
use super::registry::{House, LinkId, Registry, Shared};
use super::settings::Settings;
use super::trial;
use crate::cache::{Cache, Enterprise};
use crate::call::effect::Planned;
use crate::crm;
use crate::store::deliveries::{Delivery, NewDelivery};
use crate::store::outbox::{self, Again};
use crate::store::{Store, StoreError, crm_tokens};

/// All links of this process.
#[derive(Clone)]
pub struct Integrations {
    shared: Arc<Shared>,
}

impl Integrations {
    /// Frees what this process held when it last ended, and starts the registry and its threads. To be awaited inside
    /// an actix system, before the first event is taken.
    ///
    /// # Errors
    /// The database's own.
    pub async fn start(
        store: Store,
        cache: Cache,
        settings: Settings,
    ) -> Result<Integrations, StoreError> {
        let owner = store.options().owner.clone();
        let freed = store
            .write(move |conn| {
                crm_tokens::end_turns(conn, &owner)?;
                outbox::put_back_all(conn, &owner, None)
            })
            .await?;
        if freed > 0 {
            log::info!(
                "{freed} deliveries were under way when the server last ended; they are due again"
            );
        }
        let arbiters = (0..settings.threads.max(1))
            .map(|_| Arbiter::new().handle())
            .collect();
        let shared = Shared::new(
            House {
                store,
                cache,
                settings,
            },
            arbiters,
        );
        Registry::launch(&shared);
        Ok(Integrations { shared })
    }

    /// Where the links keep what they know.
    fn store(&self) -> &Store {
        &self.shared.house.store
    }

    /// The settings it runs with; `deliveries_for` wants them.
    pub fn settings(&self) -> &Settings {
        &self.shared.house.settings
    }

    /// What a call calls for, as rows for its commit: `deliveries_for` with `prepare`.
    pub fn deliveries(
        &self,
        planned: &[Planned],
        enterprise: &Enterprise,
        now: DateTime<Utc>,
    ) -> Vec<NewDelivery> {
        let mut rows = deliveries_for(planned, enterprise, self.settings(), now);
        self.prepare(&mut rows);
        rows
    }

    /// Before a commit: rows of a link that cannot take them now (paused, open breaker, full) are not leased to us; the
    /// table keeps them, and nobody has to give them back.
    pub fn prepare(&self, rows: &mut [NewDelivery]) {
        let links = self.shared.links();
        for row in rows.iter_mut().filter(|row| row.lease) {
            let id = crm::find(&row.integration).map(|kind| LinkId {
                enterprise: row.enterprise,
                kind: kind.name,
            });
            let busy = id.and_then(|id| links.get(&id)).is_some_and(|entry| {
                let seen = entry.seen.borrow();
                let full = seen.waiting >= self.shared.house.settings.queue;
                seen.paused || full || matches!(seen.breaker, Position::Open { .. })
            });
            row.lease = !busy;
        }
    }

    /// After a commit: the rows it wrote, as the store gave them back. Those that are leased to us go to their links
    /// at once; of those that are not the link only learns that they stand in the table, so that nothing of the same
    /// call overtakes them. Never waits; what is lost costs a lease's time.
    pub fn nudge(&self, rows: Vec<Delivery>) {
        let mut by_link: HashMap<LinkId, Vec<Delivery>> = HashMap::with_capacity(1);
        for row in rows {
            if let Some(kind) = crm::find(&row.integration) {
                let id = LinkId {
                    enterprise: row.enterprise,
                    kind: kind.name,
                };
                by_link.entry(id).or_default().push(row);
            }
        }
        for (id, rows) in by_link {
            self.shared.send(id, Nudge(rows));
        }
    }

    /// How every running link stands, by enterprise and kind.
    pub fn observe(&self) -> Vec<Observed> {
        let links = self.shared.links();
        let mut all: Vec<Observed> = links
            .values()
            .map(|entry| entry.seen.borrow().clone())
            .collect();
        all.sort_by(|a, b| (a.enterprise, &a.integration).cmp(&(b.enterprise, &b.integration)));
        all
    }

    /// Follows one link's state; `None` when it does not run (nothing was to be told lately).
    pub fn watch(&self, enterprise: i64, kind: &str) -> Option<watch::Receiver<Observed>> {
        self.shared
            .find(link(enterprise, kind)?)
            .map(|entry| entry.seen)
    }

    /// Resets a breaker, pauses or resumes. False when there is no such kind.
    pub async fn order(&self, enterprise: i64, kind: &str, order: Order) -> bool {
        let Some(link) = self.running(enterprise, kind) else {
            return false;
        };
        link.send(order).await.is_ok()
    }

    /// Sends settled deliveries once more, as `Again` says; gives how many. Pop-ups are of use for minutes then, history as long as ever.
    ///
    /// # Errors
    /// The database's own.
    pub async fn resend(&self, enterprise: i64, mut wanted: Again) -> Result<usize, StoreError> {
        let settings = &self.shared.house.settings;
        let (popup, history) = (
            Duration::from_millis(settings.hangup_life_ms),
            Duration::from_secs(settings.history_life_hours * 3_600),
        );
        wanted.lasting = crm::KINDS
            .iter()
            .filter(|kind| kind.lasting)
            .map(|kind| kind.name)
            .collect();
        let kinds = self
            .shared
            .house
            .store
            .write(move |conn| {
                let now = Utc::now();
                outbox::resend(conn, enterprise, &wanted, now, (now + popup, now + history))
            })
            .await?;
        let count = kinds.len();
        let mut links = kinds;
        links.sort_unstable();
        links.dedup();
        for kind in links {
            if let Some(link) = self.running(enterprise, &kind) {
                link.do_send(super::actor::Look);
            }
        }
        Ok(count)
    }

    /// Asks an enterprise's CRM something, through its link: same pace, same settings.
    ///
    /// # Errors
    /// How the CRM said no, or why it was not asked.
    pub async fn ask(
        &self,
        enterprise: i64,
        kind: &str,
        question: Question,
    ) -> Result<Answer, Failed> {
        let Some(link) = self.running(enterprise, kind) else {
            return Err(Failed::Settings {
                words: format!("there is no integration called {kind}"),
            });
        };
        link.send(Ask(question)).await.unwrap_or_else(|_| {
            Err(Failed::Later {
                words: "the link was restarted while asking".into(),
                after: None,
            })
        })
    }

    /// Asks with settings that are not saved yet: the connection test of the settings form. Runs where it is called,
    /// inside an actix system.
    ///
    /// # Errors
    /// The field that cannot be used, or how the CRM said no.
    pub async fn try_settings(
        &self,
        enterprise: &Enterprise,
        kind: &str,
        settings: &Value,
        question: &Question,
    ) -> Result<Answer, Failed> {
        let Some(kind) = crm::find(kind) else {
            return Err(Failed::Settings {
                words: format!("there is no integration called {kind}"),
            });
        };
        trial::ask(
            (self.settings(), self.store()),
            enterprise,
            kind,
            settings,
            question,
        )
        .await
    }

    /// As `try_settings`, with what was said and heard (masked), for the log.
    pub async fn converse(
        &self,
        enterprise: &Enterprise,
        kind: &'static Kind,
        settings: &Value,
        question: &Question,
    ) -> (Result<Answer, Failed>, Exchanges) {
        trial::converse(
            (self.settings(), self.store()),
            enterprise,
            kind,
            settings,
            question,
        )
        .await
    }

    /// What the link knows beside its settings, for a request of the CRM's own.
    ///
    /// # Errors
    /// Our database is away.
    pub async fn known(&self, enterprise: i64, kind: &'static Kind) -> Result<Known, Failed> {
        let keeper = Keeper {
            store: self.store().clone(),
            enterprise,
            kind,
        };
        keeper.known(None, true).await
    }

    /// Graceful end: what is in flight is finished, the rest goes back to the table, within `deadline`.
    pub async fn finish(&self, deadline: Duration) {
        let links: Vec<_> = {
            let links = self.shared.links();
            links.values().map(|entry| entry.addr.clone()).collect()
        };
        let all = join_all(links.iter().map(|link| link.send(Finish)));
        if actix_rt::time::timeout(deadline, all).await.is_err() {
            log::warn!(
                "some deliveries were still under way at the end; they are tried again after the start"
            );
        }
        self.shared.stop_arbiters();
    }

    /// Ends at once, as a kill would: nothing is finished, nothing given back.
    #[cfg(test)]
    pub(crate) fn kill(&self) {
        self.shared.stop_arbiters();
    }

    /// Makes a link's actor panic.
    #[cfg(test)]
    pub(crate) fn crash(&self, enterprise: i64, kind: &str) {
        if let Some(id) = link(enterprise, kind) {
            self.shared.send(id, super::actor::Crash);
        }
    }

    fn running(&self, enterprise: i64, kind: &str) -> Option<actix::Addr<super::actor::Link>> {
        self.shared.address(link(enterprise, kind)?)
    }
}

fn link(enterprise: i64, kind: &str) -> Option<LinkId> {
    crm::find(kind).map(|kind| LinkId {
        enterprise,
        kind: kind.name,
    })
}
