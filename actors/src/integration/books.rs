//! A link's side of the table of deliveries: what it claims, keeps, gives back, settles, and when it looks again. Called by
//! `flow.rs` and `actor.rs`; decides nothing about what is sent or what became of it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::{DateTime, Utc};

use super::actor::Link;
use super::breaker::Permit;
use crate::call::record::CallId;
use crate::store::deliveries::Delivery;
use crate::store::{Settlement, Store, StoreError, WriteError, outbox};

/// Rows claimed at a time.
pub(super) const CLAIM: usize = 64;
/// Before a database that was away is asked again.
const REST: Duration = Duration::from_millis(500);

impl Link {
    /// Learns which calls have rows in the table: what is handed over must not overtake them.
    pub(super) fn learn(&mut self, ctx: &mut Context<Self>) {
        let (id, store) = (self.id, self.house.store.clone());
        let work = async move {
            loop {
                let open = store
                    .read(move |conn| outbox::open_rows(conn, id.enterprise, id.kind))
                    .await;
                match open {
                    Ok(open) => return open,
                    Err(error) => log::warn!("{id}: the table cannot be read: {error}"),
                }
                actix_rt::time::sleep(REST).await;
            }
        };
        ctx.spawn(work.into_actor(self).map(|open, link, ctx| {
            let early = link.early.take().unwrap_or_default();
            let handed: HashSet<i64> = early.iter().map(|row| row.id).collect();
            let now = Instant::now();
            for (row, call) in open {
                if !handed.contains(&row) {
                    link.queue.mark_away(CallId(call), now);
                }
            }
            link.take(early, ctx);
            link.look(ctx);
        }));
    }

    /// Claims from the table, if there is room.
    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            self.look_again = true;
            return;
        }
        if self.early.is_some() || self.finishing.is_some() || !self.configure() || self.paused {
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

    /// Returns all that waits.
    pub(super) fn give_back_all(&mut self, ctx: &mut Context<Self>) {
        if !self.queue.is_empty() {
            let rows = self.queue.give_up_all(Instant::now());
            self.give_back(rows, ctx);
        }
    }

    /// Returns rows to the table, however long that takes.
    pub(super) fn give_back(&mut self, rows: Vec<Delivery>, ctx: &mut Context<Self>) {
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
    pub(super) fn wake_at(&mut self, at: DateTime<Utc>, ctx: &mut Context<Self>) {
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
    pub(super) fn renew(&mut self, ctx: &mut Context<Self>) {
        self.queue.tidy(Instant::now());
        let lease = self.house.store.options().lease;
        let soon = Utc::now() + lease / 2;
        let flying = self.flying.iter().map(|(id, until)| (*id, *until));
        let waiting = self.queue.rows().map(|row| (row.id, row.leased_until));
        let ids: Vec<i64> = flying
            .chain(waiting)
            .filter(|(_, until)| until.is_none_or(|until| until < soon))
            .map(|(id, _)| id)
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

    /// Rows that wait for their next try may go now.
    pub(super) fn hasten(&mut self, ctx: &mut Context<Self>) {
        let (id, store) = (self.id, self.house.store.clone());
        let work = async move {
            store
                .write(move |conn| outbox::hasten(conn, id.enterprise, id.kind, Utc::now()))
                .await
        };
        ctx.spawn(work.into_actor(self).map(|_, link, ctx| link.look(ctx)));
    }
}

/// Stores an outcome, however long the database is away: without it the delivery would be sent again.
pub(super) async fn settle(store: &Store, settlement: Settlement) {
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
