//! Two calls that turn out to be one: the one lets the other surrender its state. A part of the registry, called when an
//! event's ids lead to both; which facts tie two calls is `aliases.rs`, what the survivor makes of it `actor.rs`.

use actix::prelude::*;

use super::actor::{HasOwnClient, Surrender};
use super::intake::Take;
use super::record::CallId;
use super::registry::Registry;

impl Registry {
    /// Two calls turned out to be one, unless each has a client of its own: those stay two.
    pub(super) fn merge(
        &mut self,
        first: CallId,
        second: CallId,
        take: Box<Take>,
        ctx: &mut Context<Self>,
    ) {
        let (Some(one), Some(other)) = (self.calls.get(&first), self.calls.get(&second)) else {
            self.hand(first, take, None);
            return;
        };
        let (one, other) = (one.addr.clone(), other.addr.clone());
        self.mark_merging([first, second], true);
        let merging = async move {
            let has_client = (
                one.send(HasOwnClient).await.unwrap_or(false),
                other.send(HasOwnClient).await.unwrap_or(false),
            );
            match has_client {
                (true, true) => (first, None),
                // The call with the client goes on; of two without, the older.
                (true, false) => (
                    first,
                    Some((second, other.send(Surrender).await.ok().flatten())),
                ),
                (false, true) => (
                    second,
                    Some((first, one.send(Surrender).await.ok().flatten())),
                ),
                (false, false) if first < second => (
                    first,
                    Some((second, other.send(Surrender).await.ok().flatten())),
                ),
                (false, false) => (
                    second,
                    Some((first, one.send(Surrender).await.ok().flatten())),
                ),
            }
        };
        ctx.spawn(
            merging
                .into_actor(self)
                .map(move |(survivor, absorbed), registry, _| {
                    registry.mark_merging([first, second], false);
                    match absorbed {
                        Some((gone, Some(followed))) => {
                            if let Some(entry) = registry.remove(gone) {
                                registry.aliases.redirect(&entry.hashes, survivor);
                                if let Some(survivor) = registry.calls.get_mut(&survivor) {
                                    survivor.hashes.extend(entry.hashes);
                                }
                            }
                            registry.hand(survivor, take, Some(followed));
                        }
                        Some((died, None)) => {
                            registry.forget(died);
                            registry.hand(survivor, take, None);
                        }
                        None => registry.hand(survivor, take, None),
                    }
                }),
        );
    }

    fn mark_merging(&mut self, calls: [CallId; 2], merging: bool) {
        for call in calls {
            if let Some(entry) = self.calls.get_mut(&call) {
                entry.merging = merging;
            }
        }
    }
}
