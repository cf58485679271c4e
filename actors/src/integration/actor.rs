//! The actor of one link: its state, and the messages it hears. Started and watched by `registry.rs`. It is wiring: how
//! rows flow is `flow.rs`, order `queue.rs`, pace `limiter.rs` and `breaker.rs`, a try `attempt.rs`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::watch;

use super::attempt::Means;
use super::breaker::{Breaker, Failure, Permit};
use super::connector::{Answer, Failed, Place, Question};
use super::http::Terms;
use super::keeper::Keeper;
use super::limiter::Limiter;
use super::observed::Observed;
use super::queue::Queue;
use super::registry::{ExitGuard, House, LinkId};
use super::{secrets, shut_out};
use crate::cache::snapshot::Enterprise;
use crate::crm;
use crate::store::deliveries::Delivery;

/// Questions of people and dialplans at a time.
const QUESTIONS: usize = 8;

/// Rows that were just committed, leased to us.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Nudge(pub Vec<Delivery>);

/// Something is due in the table.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Look;

/// What a person may order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Order {
    /// Close the breaker and try again at once.
    Reset,
    Pause,
    Resume,
}

/// A question to the CRM.
#[derive(Debug, Message)]
#[rtype(result = "Result<Answer, Failed>")]
pub struct Ask(pub Question);

/// Finish what is in flight, give back the rest, end. Answered when that is done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Finish;

/// See the head of the file.
pub struct Link {
    pub(super) id: LinkId,
    pub(super) house: Arc<House>,
    pub(super) means: Option<Means>,
    /// The configuration `means` was made from.
    pub(super) configured: Option<(Arc<Enterprise>, Value)>,
    pub(super) queue: Queue,
    pub(super) breaker: Breaker,
    /// What was handed over before the link knew which calls have rows in the table; `None` once it knows.
    pub(super) early: Option<Vec<Delivery>>,
    /// Deliveries in flight, and until when they are leased to us.
    pub(super) flying: HashMap<i64, Option<DateTime<Utc>>>,
    /// Requests under way, and those of them that carry history; one may carry many rows.
    pub(super) requests: usize,
    pub(super) history_requests: usize,
    pub(super) questions: usize,
    pub(super) paused: bool,
    pub(super) finishing: Option<tokio::sync::oneshot::Sender<()>>,
    pub(super) looking: bool,
    pub(super) look_again: bool,
    /// Rows on their way back to the table, in portions.
    pub(super) returning: usize,
    pub(super) wake: Option<(DateTime<Utc>, SpawnHandle)>,
    pub(super) seen: watch::Sender<Observed>,
    pub(super) _guard: ExitGuard,
}

impl Link {
    /// Ready to be started on an arbiter.
    pub(super) fn new(
        id: LinkId,
        house: Arc<House>,
        seen: watch::Sender<Observed>,
        guard: ExitGuard,
    ) -> Self {
        let settings = &house.settings;
        Self {
            queue: Queue::new(settings.queue),
            breaker: Breaker::new(settings.breaker.clone()),
            early: Some(Vec::new()),
            id,
            house,
            means: None,
            configured: None,
            flying: HashMap::new(),
            requests: 0,
            history_requests: 0,
            questions: 0,
            paused: false,
            finishing: None,
            looking: false,
            look_again: false,
            returning: 0,
            wake: None,
            seen,
            _guard: guard,
        }
    }

    /// Takes up a changed configuration. False when nothing can be sent with it.
    pub(super) fn configure(&mut self) -> bool {
        let Some(enterprise) = self.house.cache.by_id(self.id.enterprise) else {
            return self.unusable("the enterprise is not known");
        };
        if let Some((known, _)) = &self.configured
            && Arc::ptr_eq(known, &enterprise)
        {
            return self.means.is_some();
        }
        let Some(integration) = enterprise
            .integrations
            .get(self.id.kind)
            .filter(|one| one.enabled && enterprise.active)
        else {
            return self.unusable("the integration is switched off");
        };
        let place = Place {
            public_url: &self.house.settings.public_url,
            enterprise: &enterprise,
        };
        let Some(kind) = crm::find(self.id.kind) else {
            return self.unusable("no such kind of integration");
        };
        let connector: Arc<dyn super::connector::Connector> =
            match (kind.connect)(&place, &integration.settings) {
                Ok(connector) => Arc::from(connector),
                Err(fault) => {
                    return self.unusable(&format!("the settings cannot be used: {fault}"));
                }
            };
        let same = self
            .configured
            .as_ref()
            .is_some_and(|(_, settings)| *settings == integration.settings);
        let limiter = match &self.means {
            Some(means) if same => means.limiter.clone(),
            _ => Rc::new(RefCell::new(Limiter::new(
                &connector.rates(),
                Instant::now(),
            ))),
        };
        if !same {
            // A new key or address deserves a new chance.
            self.breaker.reset();
            // A pause is part of the settings, so that it outlives this process and every process keeps it.
            self.paused = integration.settings.get("paused") == Some(&Value::Bool(true));
            // So is that we were shut out, until a person says that we may ask again.
            if let Some(words) = shut_out::words(&integration.settings) {
                self.breaker.fail(Failure::Blocked, words, Utc::now());
            }
        }
        self.means = Some(Means {
            connector,
            limiter,
            recordings: enterprise.tells_recordings(),
            terms: Terms::of(&self.house.settings),
            renewal_rests: Default::default(),
            keeper: Keeper {
                store: self.house.store.clone(),
                enterprise: self.id.enterprise,
                kind,
            },
            secrets: secrets::of(kind, &integration.settings).into(),
        });
        let number = enterprise.number.clone();
        self.configured = Some((Arc::clone(&enterprise), integration.settings.clone()));
        self.seen.send_modify(|seen| {
            seen.fault.clear();
            seen.enterprise_number = number;
        });
        true
    }

    fn unusable(&mut self, words: &str) -> bool {
        self.means = None;
        self.configured = None;
        if self.seen.borrow().fault != words {
            log::warn!("{}: {words}; its deliveries wait", self.id);
            self.seen.send_modify(|seen| seen.fault = words.to_owned());
        }
        false
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Nudges are small and must never be refused; the queue is what is bounded.
        ctx.set_mailbox_capacity(1024);
        self.configure();
        self.learn(ctx);
        let every = (self.house.store.options().lease / 4).max(Duration::from_millis(50));
        ctx.run_interval(every, |link, ctx| link.renew(ctx));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if let Some(done) = self.finishing.take() {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }
}

impl Handler<Nudge> for Link {
    type Result = ();

    fn handle(&mut self, Nudge(rows): Nudge, ctx: &mut Self::Context) {
        match &mut self.early {
            Some(early) => early.extend(rows),
            None => self.take(rows, ctx),
        }
    }
}

impl Handler<Look> for Link {
    type Result = ();

    fn handle(&mut self, _: Look, ctx: &mut Self::Context) {
        self.look(ctx);
        self.show(ctx);
    }
}

impl Handler<Order> for Link {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Self::Context) {
        log::info!("{}: {order:?}, by hand", self.id);
        // The settings first: what a person orders now counts more than what they said before.
        self.configure();
        match order {
            Order::Reset => {
                self.breaker.reset();
                self.forget_shut_out(ctx);
                self.hasten(ctx);
            }
            Order::Pause => self.paused = true,
            Order::Resume => {
                self.paused = false;
                self.look(ctx);
            }
        }
        self.pump(ctx);
    }
}

impl Handler<Ask> for Link {
    type Result = ResponseActFuture<Self, Result<Answer, Failed>>;

    fn handle(&mut self, Ask(question): Ask, _: &mut Self::Context) -> Self::Result {
        let refused = |words: &str| {
            Err(Failed::Later {
                words: words.to_owned(),
                after: None,
            })
        };
        if !self.configure() {
            let words = self.seen.borrow().fault.clone();
            return Box::pin(actix::fut::ready(Err(Failed::Settings { words })));
        }
        if !matches!(question, Question::Test)
            && matches!(self.breaker.permit(Utc::now()), Permit::No(_))
        {
            return Box::pin(actix::fut::ready(refused(
                "the CRM fails and is left alone for a moment",
            )));
        }
        let (Some(means), true) = (self.means.clone(), self.questions < QUESTIONS) else {
            return Box::pin(actix::fut::ready(refused(
                "too many questions are waiting for the CRM's answer",
            )));
        };
        self.questions += 1;
        let work = async move { means.ask(&question).await.0 };
        Box::pin(work.into_actor(self).map(|outcome, link, _| {
            link.questions -= 1;
            outcome
        }))
    }
}

/// Die of a panic: for the tests of those who watch.
#[cfg(test)]
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Crash;

#[cfg(test)]
impl Handler<Crash> for Link {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("as the test wants");
    }
}

impl Handler<Finish> for Link {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) -> Self::Result {
        let (done, wait) = tokio::sync::oneshot::channel();
        self.finishing = Some(done);
        let early = self.early.take().unwrap_or_default();
        self.give_back(early, ctx);
        self.pump(ctx);
        Box::pin(async move {
            // Dropped without a word means that the actor died: it is finished all the same.
            let _ = wait.await;
        })
    }
}
