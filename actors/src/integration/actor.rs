//! The actor of one link: takes nudges, claims from the table, keeps a few tries in flight, settles them. Started and
//! watched by `registry.rs`. It is wiring: order is `queue.rs`, pace `limiter.rs` and `breaker.rs`, a try `attempt.rs`.
//!
//! A try's way: `pump` takes a row → `Means::deliver` → `conclude` (what it means for link and row) → the store settles
//! it → `settled` frees the call and the slot. The slot is kept until the outcome is durable, so a database that is
//! away slows the link down instead of filling memory, and a call's next row never overtakes an outcome.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::watch;

use super::attempt::{Means, Tried};
use super::breaker::{Breaker, Permit};
use super::connector::{Answer, Failed, Place, Question};
use super::http::Timeouts;
use super::limiter::Limiter;
use super::observed::Observed;
use super::outcome::{self, Effect};
use super::queue::{Queue, is_history};
use super::registry::{ExitGuard, House, LinkId};
use crate::cache::snapshot::Enterprise;
use crate::crm;
use crate::store::deliveries::{Delivery, DeliveryState};
use crate::store::{Settlement, StoreError, WriteError, outbox};

/// Rows claimed at a time.
const CLAIM: usize = 64;
/// How many history records must wait before several are sent in one request.
const CROWD: usize = 4;
/// Slots that history leaves free for pop-ups.
const RESERVED: usize = 2;
/// Questions of people and dialplans at a time.
const QUESTIONS: usize = 8;
/// Before a database that was away is asked again.
const REST: Duration = Duration::from_millis(500);

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
    id: LinkId,
    house: Arc<House>,
    means: Option<Means>,
    /// The configuration `means` was made from.
    configured: Option<(Arc<Enterprise>, Value)>,
    queue: Queue,
    breaker: Breaker,
    /// In flight, by delivery; whether it is history.
    flying: HashMap<i64, (Delivery, bool)>,
    questions: usize,
    paused: bool,
    finishing: Option<tokio::sync::oneshot::Sender<()>>,
    looking: bool,
    look_again: bool,
    /// Rows on their way back to the table, in portions.
    returning: usize,
    wake: Option<(DateTime<Utc>, SpawnHandle)>,
    seen: watch::Sender<Observed>,
    _guard: ExitGuard,
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
            id,
            house,
            means: None,
            configured: None,
            flying: HashMap::new(),
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
    fn configure(&mut self) -> bool {
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
        let made =
            crm::find(self.id.kind).map(|kind| (kind.connect)(&place, &integration.settings));
        let connector: Arc<dyn super::connector::Connector> = match made {
            Some(Ok(connector)) => Arc::from(connector),
            Some(Err(fault)) => {
                return self.unusable(&format!("the settings cannot be used: {fault}"));
            }
            None => return self.unusable("no such kind of integration"),
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
        }
        self.means = Some(Means {
            connector,
            limiter,
            timeouts: Timeouts::of(&self.house.settings),
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

    /// Sends what may be sent now, and shows how things stand.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.paused || self.finishing.is_some() || !self.configure() {
            self.give_back_all(ctx);
        } else {
            while self.flying.len() < self.house.settings.concurrency.max(1) {
                match self.breaker.permit(Utc::now()) {
                    Permit::No(until) => {
                        self.give_back_all(ctx);
                        self.wake_at(until, ctx);
                        break;
                    }
                    Permit::One if !self.flying.is_empty() => break,
                    permit => {
                        if !self.launch(permit, ctx) {
                            break;
                        }
                    }
                }
            }
            if self.look_again && self.queue.len() < CLAIM / 2 {
                self.look(ctx);
            }
        }
        self.show(ctx);
    }

    /// Starts the next try. False when nothing is ready.
    fn launch(&mut self, permit: Permit, ctx: &mut Context<Self>) -> bool {
        let Some(means) = self.means.clone() else {
            return false;
        };
        let slots = self.house.settings.concurrency.max(1);
        let history_flying = self.flying.values().filter(|(_, history)| *history).count();
        let history_too = history_flying == 0 || history_flying + RESERVED < slots;
        let Some(row) = self.queue.next(history_too) else {
            return false;
        };
        let mut rows = vec![row];
        let crowd = permit == Permit::Yes && self.queue.history_ready() >= CROWD;
        if crowd && rows.iter().all(|row| is_history(&row.kind)) {
            rows.extend(
                self.queue
                    .more_history(means.connector.many().saturating_sub(1)),
            );
        }
        for row in &rows {
            self.flying
                .insert(row.id, (row.clone(), is_history(&row.kind)));
        }
        let work = async move {
            if rows.len() > 1
                && let Some(tried) = means.deliver_many(&rows).await
            {
                return rows.into_iter().zip(tried).collect();
            }
            let mut outcomes = Vec::with_capacity(rows.len());
            for row in rows {
                let tried = means.deliver(&row).await;
                outcomes.push((row, tried));
            }
            outcomes
        };
        ctx.spawn(
            work.into_actor(self)
                .map(|tried, link, ctx| link.conclude(tried, ctx)),
        );
        true
    }

    /// What tries mean for the link and for their rows; then to the store.
    fn conclude(&mut self, tried: Vec<(Delivery, Tried)>, ctx: &mut Context<Self>) {
        let now = Utc::now();
        let number = self.seen.borrow().enterprise_number.clone();
        let mut settlements = Vec::with_capacity(tried.len());
        for (row, tried) in tried {
            let trying = *self.breaker.position() == super::breaker::Position::Trying;
            let concluded = outcome::conclude(
                &row,
                &tried,
                &self.house.settings,
                trying,
                now,
                rand::random(),
            );
            self.feel(&concluded.effect, row.attempts, now, ctx);
            outcome::count(&row, &tried, &concluded);
            self.seen
                .send_modify(|seen| outcome::note(seen, &tried, &concluded, now));
            settlements.push((row.call, concluded.settlement(&row, tried, &number, now)));
        }
        let store = self.house.store.clone();
        let work = async move {
            let one = |(call, settlement): (_, Settlement)| {
                let store = store.clone();
                async move {
                    let again = match settlement.verdict {
                        crate::store::Verdict::Again(at) => Some(at),
                        _ => None,
                    };
                    let id = settlement.delivery;
                    settle(&store, settlement).await;
                    (call, id, again)
                }
            };
            futures_util::future::join_all(settlements.into_iter().map(one)).await
        };
        ctx.spawn(work.into_actor(self).map(|settled, link, ctx| {
            for (call, id, again) in settled {
                let history = link.flying.remove(&id).is_none_or(|(_, history)| history);
                match again {
                    Some(at) => {
                        let rest = link.queue.give_up(call, Instant::now());
                        link.give_back(rest, ctx);
                        link.wake_at(at, ctx);
                    }
                    None => link.queue.finish(call),
                }
                // What follows in the call may stand in the table.
                link.look_again |= again.is_none() && !history && link.queue.is_away(call);
            }
            link.pump(ctx);
        }));
    }

    /// What a try means for the link: breaker and pace.
    fn feel(
        &mut self,
        effect: &Effect,
        attempts: i32,
        now: DateTime<Utc>,
        ctx: &mut Context<Self>,
    ) {
        match effect {
            Effect::None => {}
            Effect::Alive => {
                if self.breaker.succeed() {
                    log::info!("{}: the CRM answers again", self.id);
                    self.hasten(ctx);
                }
            }
            Effect::Failure {
                failure,
                words,
                hold,
            } => {
                if let (Some(means), Some(hold)) = (&self.means, hold) {
                    let hold =
                        hold.unwrap_or_else(|| Duration::from_millis(100 << attempts.clamp(0, 6)));
                    means
                        .limiter
                        .borrow_mut()
                        .hold(hold.min(Duration::from_secs(10)), Instant::now());
                }
                if self.breaker.fail(*failure, words, now) {
                    log::warn!("{}: paused, the CRM fails: {words}", self.id);
                    self.seen.send_modify(|seen| seen.openings += 1);
                }
            }
        }
    }

    /// Rows that wait for their next try may go now.
    fn hasten(&mut self, ctx: &mut Context<Self>) {
        let (id, store) = (self.id, self.house.store.clone());
        let work = async move {
            store
                .write(move |conn| outbox::hasten(conn, id.enterprise, id.kind, Utc::now()))
                .await
        };
        ctx.spawn(work.into_actor(self).map(|_, link, ctx| link.look(ctx)));
    }

    /// Claims from the table, if there is room.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            self.look_again = true;
            return;
        }
        if self.paused || self.finishing.is_some() || !self.configure() {
            return;
        }
        let room = match self.breaker.permit(Utc::now()) {
            Permit::Yes => self.queue.room().min(CLAIM),
            Permit::One => usize::from(self.flying.is_empty() && self.queue.is_empty()),
            Permit::No(until) => return self.wake_at(until, ctx),
        };
        if room == 0 {
            self.look_again = true;
            return;
        }
        self.look_again = false;
        self.looking = true;
        let (id, store) = (self.id, self.house.store.clone());
        let work = async move {
            let options = store.options().clone();
            let claim = move |conn: &mut crate::store::Conn| {
                let now = Utc::now();
                let limit = i32::try_from(room).unwrap_or(i32::MAX);
                outbox::claim_heads(
                    conn,
                    id.enterprise,
                    id.kind,
                    &options.owner,
                    (now, now + options.lease),
                    limit,
                )
            };
            (store.write(claim).await, room)
        };
        ctx.spawn(work.into_actor(self).map(|(claimed, room), link, ctx| {
            link.looking = false;
            match claimed {
                Ok(rows) => {
                    link.look_again |= rows.len() >= room;
                    for row in rows {
                        if !link.flying.contains_key(&row.id) {
                            link.queue.push_claimed(row, Instant::now());
                        }
                    }
                }
                Err(error) => {
                    log::warn!("{}: nothing can be claimed: {error}", link.id);
                    link.wake_at(Utc::now() + REST, ctx);
                }
            }
            link.pump(ctx);
        }));
    }

    fn give_back_all(&mut self, ctx: &mut Context<Self>) {
        if !self.queue.is_empty() {
            let rows = self.queue.give_up_all(Instant::now());
            self.give_back(rows, ctx);
        }
    }

    /// Returns rows to the table, however long that takes.
    fn give_back(&mut self, rows: Vec<Delivery>, ctx: &mut Context<Self>) {
        if rows.is_empty() {
            return;
        }
        let ids: Vec<i64> = rows.into_iter().map(|row| row.id).collect();
        self.returning += 1;
        let store = self.house.store.clone();
        let work = async move {
            let owner = store.options().owner.clone();
            loop {
                let (owner, ids) = (owner.clone(), ids.clone());
                match store
                    .write(move |conn| outbox::put_back(conn, &owner, &ids))
                    .await
                {
                    Err(StoreError::Away(_) | StoreError::Full | StoreError::Panicked) => {
                        actix_rt::time::sleep(REST).await
                    }
                    _ => return,
                }
            }
        };
        ctx.spawn(work.into_actor(self).map(|(), link, ctx| {
            link.returning -= 1;
            link.look(ctx);
            link.show(ctx);
        }));
    }

    /// Looks into the table then, or earlier if that was to be.
    fn wake_at(&mut self, at: DateTime<Utc>, ctx: &mut Context<Self>) {
        if self.wake.as_ref().is_some_and(|(sooner, _)| *sooner <= at) {
            return;
        }
        if let Some((_, handle)) = self.wake.take() {
            ctx.cancel_future(handle);
        }
        let wait = (at - Utc::now()).to_std().unwrap_or_default() + Duration::from_millis(1);
        let handle = ctx.run_later(wait, |link, ctx| {
            link.wake = None;
            link.look(ctx);
            link.show(ctx);
        });
        self.wake = Some((at, handle));
    }

    /// Keeps the leases of what is in memory for long.
    fn renew(&mut self, ctx: &mut Context<Self>) {
        self.queue.tidy(Instant::now());
        let lease = self.house.store.options().lease;
        let soon = Utc::now() + lease / 2;
        let ids: Vec<i64> = self
            .flying
            .values()
            .map(|(row, _)| row)
            .chain(self.queue.rows())
            .filter(|row| row.leased_until.is_none_or(|until| until < soon))
            .map(|row| row.id)
            .collect();
        if ids.is_empty() {
            return;
        }
        let store = self.house.store.clone();
        let work = async move {
            let owner = store.options().owner.clone();
            store
                .write(move |conn| outbox::renew(conn, &owner, &ids, Utc::now() + lease))
                .await
        };
        ctx.spawn(work.into_actor(self).map(|_, _, _| ()));
    }

    fn show(&mut self, ctx: &mut Context<Self>) {
        let (waiting, in_flight, paused) = (self.queue.len(), self.flying.len(), self.paused);
        let breaker = self.breaker.position();
        self.seen.send_if_modified(|seen| {
            let idle = waiting == 0 && in_flight == 0;
            let changed = seen.waiting != waiting
                || seen.in_flight != in_flight
                || seen.paused != paused
                || seen.breaker != *breaker
                || (idle && seen.idle_since.is_none());
            if changed {
                seen.waiting = waiting;
                seen.in_flight = in_flight;
                seen.paused = paused;
                seen.breaker.clone_from(breaker);
                seen.idle_since = idle.then(|| seen.idle_since.unwrap_or_else(Utc::now));
            }
            changed
        });
        if in_flight == 0 && waiting == 0 && self.returning == 0 && self.finishing.is_some() {
            ctx.stop();
        }
    }
}

/// Stores an outcome, however long the database is away: without it the delivery would be sent again.
async fn settle(store: &crate::store::Store, settlement: Settlement) {
    let mut rest = Duration::from_millis(20);
    loop {
        match store.settle(settlement.clone()).await {
            Ok(()) => return,
            Err(WriteError::Refused(words)) => {
                return log::error!(
                    "the outcome of delivery {} cannot be stored: {words}",
                    settlement.delivery
                );
            }
            Err(WriteError::Full | WriteError::Away(_)) => {
                actix_rt::time::sleep(rest).await;
                rest = (rest * 2).min(Duration::from_secs(2));
            }
        }
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Nudges are small and must never be refused; the queue is what is bounded.
        ctx.set_mailbox_capacity(1024);
        self.configure();
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
        let (now, clock) = (Instant::now(), Utc::now());
        let mut rest = Vec::new();
        for row in rows {
            if row.state != DeliveryState::Leased {
                // History waits in the table in any case, and nothing comes after it.
                if !is_history(&row.kind) {
                    self.queue.mark_away(row.call, now);
                    self.look_again |= row.not_before <= clock;
                }
            } else if !self.flying.contains_key(&row.id) {
                rest.extend(self.queue.push(row, now));
            }
        }
        self.give_back(rest, ctx);
        self.pump(ctx);
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
        match order {
            Order::Reset => {
                self.breaker.reset();
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
        if question != Question::Test && matches!(self.breaker.permit(Utc::now()), Permit::No(_)) {
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
        self.pump(ctx);
        Box::pin(async move {
            // Dropped without a word means that the actor died: it is finished all the same.
            let _ = wait.await;
        })
    }
}
