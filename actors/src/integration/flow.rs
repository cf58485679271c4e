//! How rows flow through a link: out of the queue, through a try, to their outcome. The inner half of `actor.rs`, which
//! holds the state and hears the messages; nothing else calls this. Claims, leases and returns are `books.rs`.
//!
//! ```text
//!   table ──look──▶ queue ──launch──▶ Means::deliver ──conclude──▶ store.settle ──▶ slot and call are free: pump
//!     ▲               │ pause, breaker, retry                             │
//!     └───give_back───┴──────────────── again, not before ────────────────┘
//! ```

use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::{DateTime, Utc};

use super::actor::Link;
use super::attempt::Tried;
use super::books::{CLAIM, settle};
use super::breaker::{Failure, Permit, Position};
use super::outcome::{self, Effect};
use super::queue::is_history;
use super::surrender;

use crate::crm;
use crate::store::deliveries::{Delivery, DeliveryState};
use crate::store::{Settlement, Verdict};

/// How many history records must wait before several are sent in one request.
const CROWD: usize = 4;
/// Slots that history leaves free for pop-ups.
const RESERVED: usize = 2;

impl Link {
    /// Takes rows that come from their commit.
    pub(super) fn take(&mut self, rows: Vec<Delivery>, ctx: &mut Context<Self>) {
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

    /// Sends what may be sent now, and shows how things stand.
    pub(super) fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.finishing.is_some() || !self.configure() || self.paused {
            self.give_back_all(ctx);
        } else {
            while self.requests < self.slots() {
                match self.breaker.permit(Utc::now()) {
                    Permit::No(until) => {
                        self.give_back_all(ctx);
                        self.wake_at(until, ctx);
                        break;
                    }
                    Permit::One if self.requests > 0 => break,
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

    /// Requests at once: as many as the operator allows, and the CRM takes.
    fn slots(&self) -> usize {
        let most = self.means.as_ref();
        let most = most.map_or(usize::MAX, |means| means.connector.at_once());
        self.house.settings.concurrency.min(most).max(1)
    }

    /// Starts the next try. False when nothing is ready.
    fn launch(&mut self, permit: Permit, ctx: &mut Context<Self>) -> bool {
        let Some(means) = self.means.clone() else {
            return false;
        };
        let slots = self.slots();
        let history_too = self.history_requests == 0 || self.history_requests + RESERVED < slots;
        let Some(row) = self.queue.next(history_too) else {
            return false;
        };
        let mut rows = vec![row];
        let history = rows.iter().all(|row| is_history(&row.kind));
        let crowd = permit == Permit::Yes && self.queue.history_ready() >= CROWD;
        if crowd && history {
            rows.extend(
                self.queue
                    .more_history(means.connector.many().saturating_sub(1)),
            );
        }
        for row in &rows {
            self.flying.insert(row.id, row.leased_until);
        }
        self.requests += 1;
        self.history_requests += usize::from(history);
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
                .map(move |tried, link, ctx| link.conclude(tried, history, ctx)),
        );
        true
    }

    /// What tries mean for the link and for their rows; then to the store.
    fn conclude(&mut self, tried: Vec<(Delivery, Tried)>, history: bool, ctx: &mut Context<Self>) {
        let now = Utc::now();
        let number = self.seen.borrow().enterprise_number.clone();
        let mut settlements = Vec::with_capacity(tried.len());
        let mut dead = None;
        for (row, tried) in tried {
            let trying = *self.breaker.position() == Position::Trying;
            let concluded = outcome::conclude(
                &row,
                &tried,
                &self.house.settings,
                trying,
                now,
                rand::random(),
            );
            if !tried.beside {
                self.feel(&concluded.effect, row.attempts, now, ctx);
            }
            if let Effect::Failure { words, .. } = &concluded.effect
                && crm::find(self.id.kind).is_some_and(|kind| kind.lasting)
                && row.created_at + surrender::patience(&self.house) <= now
            {
                dead = Some(words.clone());
            }
            outcome::count(&row, &tried, &concluded);
            self.seen
                .send_modify(|seen| outcome::note(seen, &tried, &concluded, now));
            settlements.push((row.call, concluded.settlement(&row, tried, &number, now)));
        }
        let (store, house, id) = (self.house.store.clone(), self.house.clone(), self.id);
        let work = async move {
            let one = |(call, settlement): (_, Settlement)| {
                let store = store.clone();
                async move {
                    let again = match settlement.verdict {
                        Verdict::Again(at) => Some(at),
                        _ => None,
                    };
                    let id = settlement.delivery;
                    settle(&store, settlement).await;
                    (call, id, again)
                }
            };
            let settled = futures_util::future::join_all(settlements.into_iter().map(one)).await;
            // After the outcomes, for the log tells since when nothing was taken.
            if let Some(words) = dead
                && let Err(error) =
                    surrender::switch_off_if_dead(&house, id, &number, &words, now).await
            {
                log::warn!("{id}: cannot be switched off: {error}");
            }
            settled
        };
        ctx.spawn(work.into_actor(self).map(move |settled, link, ctx| {
            link.requests -= 1;
            link.history_requests -= usize::from(history);
            for (call, id, again) in settled {
                link.flying.remove(&id);
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
                if *failure == Failure::Blocked {
                    self.keep_shut_out(words.clone(), now, ctx);
                }
            }
        }
    }

    pub(super) fn show(&mut self, ctx: &mut Context<Self>) {
        let early = self.early.as_ref().map_or(0, Vec::len);
        let (waiting, in_flight, paused) =
            (self.queue.len() + early, self.flying.len(), self.paused);
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
