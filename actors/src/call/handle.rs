//! The door's handle to all calls: hands an event to the registry of its enterprise's shard and waits for the
//! commit. Used by the webhooks, the gateway and the recovery; knows no HTTP.

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::intake::{Deps, Refused, Take, Taken};
use super::rebuild::{self, Rebuilt};
use super::registry::{Adopt, Registry};
use crate::store::{Commit, Committed, StoreError};

/// See the module's head. Clone it freely.
#[derive(Clone)]
pub struct Calls {
    shards: Arc<[Addr<Registry>]>,
    deps: Arc<Deps>,
}

impl Calls {
    /// Starts a registry on each arbiter and gives them the calls rebuilt from the journal.
    pub fn start(deps: Arc<Deps>, arbiters: &[ArbiterHandle], unfinished: Vec<Rebuilt>) -> Calls {
        let shards: Arc<[Addr<Registry>]> = arbiters
            .iter()
            .map(|arbiter| {
                let deps = deps.clone();
                Registry::start_in_arbiter(arbiter, move |ctx| {
                    // Web handlers never wait for room here: what is under way is bounded at the door.
                    ctx.set_mailbox_capacity(0);
                    Registry::new(deps)
                })
            })
            .collect();
        let calls = Calls { shards, deps };
        let mut shares: Vec<Vec<Rebuilt>> = calls.shards.iter().map(|_| Vec::new()).collect();
        for rebuilt in unfinished {
            let shard = calls.shard(rebuilt.followed.state.enterprise);
            shares[shard].push(rebuilt);
        }
        for (shard, share) in calls.shards.iter().zip(shares) {
            shard.do_send(Adopt(share));
        }
        calls
    }

    /// Reads every unfinished call from the journal; before `start`, on a plain thread.
    ///
    /// # Errors
    /// The store's own.
    pub fn read_unfinished(deps: &Deps) -> Result<Vec<Rebuilt>, StoreError> {
        let mut conn = deps.store.place().connect()?;
        rebuild::unfinished(&mut conn, &deps.cache)
    }

    /// Keeps an event and does everything it calls for. `Ok` means durable.
    ///
    /// # Errors
    /// The event is not kept and should be sent again; see `Refused`.
    pub async fn take(&self, mut take: Take) -> Result<Taken, Refused> {
        if take.event.kind.is_of_bridge() {
            // Names only its bridge: belongs to whatever call later names that bridge, and changes none.
            return match self.deps.store.commit(Commit::of(take.row(None))).await? {
                Committed::Stored { event, .. } => Ok(Taken {
                    event,
                    call: None,
                    duplicate: false,
                }),
                Committed::Duplicate => Ok(Taken {
                    event: 0,
                    call: None,
                    duplicate: true,
                }),
            };
        }
        let (reply, answer) = oneshot::channel();
        take.reply = Some(reply);
        self.shards[self.shard(take.enterprise.id)].do_send(take);
        answer
            .await
            .unwrap_or_else(|_| Err(Refused::Away("its call is being restarted".into())))
    }

    /// What all registries work with and count.
    pub fn deps(&self) -> &Deps {
        &self.deps
    }

    /// Calls of one enterprise are one shard's: two of them may turn out to be one.
    fn shard(&self, enterprise: i64) -> usize {
        usize::try_from(enterprise.rem_euclid(self.shards.len() as i64)).unwrap_or(0)
    }
}
