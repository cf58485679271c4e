//! The actor of one call: one event at a time, decide → commit → publish. Started, fed and retired by its
//! registry; it touches no table but through the store's commit lane, and answers nobody before that.
//!
//! ```text
//!   Apply ──▶ decide (pure; a panic gives the event back to the registry)
//!                │
//!                ▼
//!             commit: the event, the call's row, the deliveries — one transaction
//!                │                                   │
//!                ▼ stored                            ▼ not stored
//!             answer the host, then nudge         answer 503 and die: the registry
//!             board, integrations, Telegram       rebuilds from the journal on the next event
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::prelude::*;
use chrono::{DateTime, Utc};

use super::effect::{Effects, Told};
use super::event::Event;
use super::intake::{Deps, Refused, Take, Taken};
use super::record::{CallId, Phase, Record};
use super::registry::{Broken, Exited, Registry, Stirred};
use super::state::CallState;
use crate::cache::snapshot::Enterprise;
use crate::store::{
    CallRow, CallState as RowState, Commit, Committed, CustomerChange, Merge, WriteError,
};

/// See the module's head.
pub struct CallActor {
    inner: Followed,
    registry: Addr<Registry>,
    deps: Arc<Deps>,
    guard: ExitGuard,
}

/// A call with what was called for so far: what a rebuild makes and an absorbed call hands over.
pub struct Followed {
    pub state: CallState,
    pub told: Told,
    pub enterprise: Arc<Enterprise>,
    /// As of the last event; `None` while only refining events came.
    pub record: Option<Arc<Record>>,
    /// How often the call was opened again after it had ended.
    pub reopened: u16,
}

/// Tells the registry that the actor is gone, also when it unwinds from a panic.
///
/// Its drop does nothing that can fail: a panic in there while unwinding would abort the process.
struct ExitGuard {
    call: CallId,
    registry: Addr<Registry>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        self.registry.do_send(Exited {
            call: self.call,
            panicked: std::thread::panicking(),
        });
    }
}

/// An event for this call, perhaps with a call that it showed to be a part of this one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Apply {
    pub take: Box<Take>,
    pub absorbed: Option<Box<Followed>>,
}

/// No hangup came for too long: close the call as lost.
#[derive(Message)]
#[rtype(result = "()")]
pub struct GiveUp;

/// Does this call have a client of its own?
#[derive(Message)]
#[rtype(result = "bool")]
pub struct HasOwnClient;

/// Hand everything over and end: this call is a part of another one.
#[derive(Message)]
#[rtype(result = "Option<Box<Followed>>")]
pub struct Surrender;

/// End quietly: the call is over and nothing more is expected.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Retire;

impl Followed {
    /// A call of which nothing is known yet.
    pub fn new(state: CallState, enterprise: Arc<Enterprise>) -> Followed {
        Followed {
            state,
            told: Told::default(),
            enterprise,
            record: None,
            reopened: 0,
        }
    }

    /// Takes an event in and says what it calls for. Pure but for what it keeps.
    pub fn apply(&mut self, event: &Event) -> Effects {
        #[cfg(test)]
        super::life::break_if_poisonous(event);
        self.state.apply(event);
        let record = self.state.record(&self.enterprise).map(Arc::new);
        let effects = record
            .as_deref()
            .map(|record| self.told.decide(record))
            .unwrap_or_default();
        let was_ended = self
            .record
            .as_deref()
            .is_some_and(|record| record.phase == Phase::Ended);
        if was_ended
            && record
                .as_deref()
                .is_some_and(|record| record.phase != Phase::Ended)
        {
            self.reopened = self.reopened.saturating_add(1);
        }
        self.record = record;
        effects
    }

    /// Takes in a call that turned out to be a part of this one.
    pub fn absorb(&mut self, other: &Followed) {
        self.state.absorb(&other.state);
        self.told.absorb(&other.told);
    }
}

impl CallActor {
    /// Starts the actor on the current arbiter.
    pub fn launch(inner: Followed, registry: Addr<Registry>, deps: Arc<Deps>) -> Addr<CallActor> {
        let guard = ExitGuard {
            call: inner.state.id,
            registry: registry.clone(),
        };
        CallActor {
            inner,
            registry,
            deps,
            guard,
        }
        .start()
    }

    /// Decides on an event, commits it and what it calls for, then answers and publishes.
    fn take(&mut self, take: Box<Take>, absorbed: Option<Box<Followed>>, ctx: &mut Context<Self>) {
        if self.inner.state.knows(&take.event.key) {
            take.answer(Ok(Taken {
                event: 0,
                call: Some(self.inner.state.id),
                duplicate: true,
            }));
            return;
        }
        self.inner.enterprise = take.enterprise.clone();
        let before = self.inner.record.clone();
        let reopened = self.inner.reopened;
        let decided = catch_unwind(AssertUnwindSafe(|| {
            if let Some(absorbed) = &absorbed {
                self.inner.absorb(absorbed);
            }
            self.inner.apply(&take.event)
        }));
        let Ok(effects) = decided else {
            // What the panic left of the state is not to be trusted: the registry rebuilds it from the journal.
            self.registry.do_send(Broken {
                call: self.inner.state.id,
                take,
            });
            ctx.stop();
            return;
        };
        let merge = absorbed.as_ref().map(|other| Merge {
            from: other.state.id,
            into: self.inner.state.id,
        });
        let gone = absorbed.and_then(|other| other.record);
        let commit = self.commit(&take, before.as_deref(), reopened, effects, merge);
        let store = self.deps.store.clone();
        let committing = async move { store.commit(commit).await };
        ctx.wait(committing.into_actor(self).map(move |outcome, actor, ctx| {
            actor.publish(*take, outcome, before.is_none(), gone, ctx);
        }));
    }

    fn commit(
        &self,
        take: &Take,
        before: Option<&Record>,
        reopened: u16,
        effects: Effects,
        merge: Option<Merge>,
    ) -> Commit {
        let now = take.event.received_time();
        let id = self.inner.state.id;
        let mut commit = Commit::of(take.row(Some(id)));
        commit.merge = merge;
        let Some(record) = &self.inner.record else {
            return commit;
        };
        let is_ended = record.phase == Phase::Ended;
        let was_ended = before.is_some_and(|record| record.phase == Phase::Ended);
        if before.is_none() || is_ended || was_ended {
            let state = if is_ended {
                RowState::Ended
            } else {
                RowState::Live
            };
            commit.call = Some(CallRow {
                record: record.clone(),
                state,
                fault: String::new(),
                at: now,
            });
        }
        commit.customer = effects
            .sums
            .into_iter()
            .map(|sums| CustomerChange {
                enterprise: record.enterprise,
                phone: sums.phone,
                calls: sums.calls,
                answered: sums.answered,
                missed: sums.missed,
                talk_seconds: sums.talk_seconds,
                at: record.received_at,
            })
            .collect();
        commit.deliveries =
            self.deps
                .dispatch
                .deliveries(&effects.notices, record, &self.inner.enterprise, now);
        if before.is_none() || self.inner.reopened != reopened {
            commit.deliveries.extend(self.deps.dispatch.message(
                self.inner.reopened,
                record,
                &self.inner.enterprise,
                now,
            ));
        }
        commit
    }

    fn publish(
        &mut self,
        take: Take,
        outcome: Result<Committed, WriteError>,
        first: bool,
        gone: Option<Arc<Record>>,
        ctx: &mut Context<Self>,
    ) {
        let call = self.inner.state.id;
        match outcome {
            Ok(Committed::Stored { event, deliveries }) => {
                take.answer(Ok(Taken {
                    event,
                    call: Some(call),
                    duplicate: false,
                }));
                let Some(record) = self.inner.record.clone() else {
                    return;
                };
                let ended = record.phase == Phase::Ended;
                if first || ended || self.inner.reopened > 0 {
                    self.registry.do_send(Stirred { call, ended });
                }
                if let Some(gone) = &gone {
                    self.deps.board.withdraw(gone.call);
                }
                self.deps.board.publish(record.clone());
                self.deps
                    .outlets
                    .changed(&self.inner.enterprise, record, deliveries, gone);
            }
            Ok(Committed::Duplicate) => {
                // The journal knew it and we did not: another process took it. What we think of the call is old.
                take.answer(Ok(Taken {
                    event: 0,
                    call: Some(call),
                    duplicate: true,
                }));
                ctx.stop();
            }
            Err(error) => {
                take.answer(Err(Refused::from(error)));
                ctx.stop();
            }
        }
    }
}

impl Actor for CallActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A call's mailbox holds what arrives during one commit; a host that floods one call waits its turn.
        ctx.set_mailbox_capacity(16);
    }
}

impl Handler<Apply> for CallActor {
    type Result = ();

    fn handle(&mut self, msg: Apply, ctx: &mut Self::Context) {
        self.take(msg.take, msg.absorbed, ctx);
    }
}

impl Handler<GiveUp> for CallActor {
    type Result = ();

    fn handle(&mut self, _: GiveUp, ctx: &mut Self::Context) {
        let now: DateTime<Utc> = Utc::now();
        match self.inner.record.clone() {
            Some(record) if record.phase != Phase::Ended => {
                let take = Take::lost(self.inner.enterprise.clone(), &record, now);
                self.take(Box::new(take), None, ctx);
            }
            _ => self.registry.do_send(Stirred {
                call: self.inner.state.id,
                ended: true,
            }),
        }
    }
}

impl Handler<HasOwnClient> for CallActor {
    type Result = bool;

    fn handle(&mut self, _: HasOwnClient, _: &mut Self::Context) -> bool {
        self.inner.state.has_own_client(&self.inner.enterprise)
    }
}

impl Handler<Surrender> for CallActor {
    type Result = Option<Box<Followed>>;

    fn handle(&mut self, _: Surrender, ctx: &mut Self::Context) -> Option<Box<Followed>> {
        ctx.stop();
        let empty = Followed::new(
            CallState::new(self.guard.call, 0, uuid::Uuid::nil()),
            self.inner.enterprise.clone(),
        );
        Some(Box::new(std::mem::replace(&mut self.inner, empty)))
    }
}

impl Handler<Retire> for CallActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
