//! What is kept for how long: once a day removes what is older than the server's settings, and for events the enterprise's
//! own, want it kept. Started by the house; removes in small parts on the writer, so no event waits for it. A call's own row
//! is never removed, nor is anything of a call that goes on.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use chrono::{DateTime, TimeDelta, Utc};

use crate::store::{Store, StoreError, invitations, memories, retention as table};

/// Rows looked at, and rows removed, at once.
const SEEN: i64 = 1_000;
const PART: i64 = 200;
/// Between two parts that were removed: the writer has events to write.
const BREATH: Duration = Duration::from_millis(20);
/// How often it is looked whether a round is due, and how long after another one it is.
const LOOK: Duration = Duration::from_secs(900);
const ROUND: TimeDelta = TimeDelta::hours(24);

/// Days that what connectors keep of calls stays where logs are kept for ever: no delivery is tried for longer.
const MEMORIES: u32 = 90;

/// Days that things are kept; 0 is for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Events of enterprises that want nothing else.
    pub events: u32,
    /// Integration logs, settled deliveries, messages in Telegram, and what connectors keep of calls.
    pub logs: u32,
    pub refusals: u32,
    pub audit: u32,
}

/// How much a round removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub events: usize,
    pub rest: usize,
}

/// Begins to look every quarter of an hour whether a round is due; one process of several does it.
pub fn start(store: Store, terms: Terms, arbiter: &ArbiterHandle) {
    arbiter.spawn(async move {
        loop {
            actix_rt::time::sleep(LOOK).await;
            let now = Utc::now();
            match begin(&store, now).await {
                Ok(false) => continue,
                Ok(true) => {}
                Err(error) => {
                    log::warn!("what is old is not looked for: {error}");
                    continue;
                }
            }
            match round(&store, terms, now).await {
                Ok(Removed { events: 0, rest: 0 }) => {}
                Ok(Removed { events, rest }) => {
                    log::info!("removed {events} events and {rest} other rows that are older than the settings keep");
                }
                Err(error) => log::warn!("what is old is not all removed: {error}"),
            }
        }
    });
}

async fn begin(store: &Store, now: DateTime<Utc>) -> Result<bool, StoreError> {
    store
        .write(move |conn| table::begin(conn, now, now - ROUND))
        .await
}

/// The time before which things that are kept so many days go; `None`: they are kept for ever.
fn cutoff(days: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (days > 0).then(|| now - TimeDelta::days(i64::from(days)))
}

/// Removes everything that is older than the terms keep.
///
/// # Errors
/// The database's own; what was removed stays so, and the next round goes on.
pub async fn round(store: &Store, terms: Terms, now: DateTime<Utc>) -> Result<Removed, StoreError> {
    let mut removed = Removed {
        events: events(store, terms, now).await?,
        rest: 0,
    };
    if let Some(before) = cutoff(terms.logs, now) {
        removed.rest += parts(store, move |conn| table::logs(conn, before, PART)).await?;
    }
    let days = if terms.logs == 0 {
        MEMORIES
    } else {
        terms.logs
    };
    if let Some(before) = cutoff(days, now) {
        let forget = move |conn: &mut _| memories::forget(conn, before);
        removed.rest += store.write(forget).await?;
    }
    if let Some(before) = cutoff(terms.refusals, now) {
        removed.rest += parts(store, move |conn| table::refused(conn, before, PART)).await?;
    }
    if let Some(before) = cutoff(terms.audit, now) {
        removed.rest += parts(store, move |conn| table::audit(conn, before, PART)).await?;
    }
    let forget = move |conn: &mut _| invitations::forget(conn, now);
    removed.rest += store.write(forget).await?;
    Ok(removed)
}

/// Removes parts until nothing is left.
async fn parts(
    store: &Store,
    part: impl Fn(&mut crate::store::Conn) -> Result<usize, StoreError> + Clone + Send + 'static,
) -> Result<usize, StoreError> {
    let mut sum = 0;
    loop {
        let removed = store.write(part.clone()).await?;
        if removed == 0 {
            return Ok(sum);
        }
        sum += removed;
        actix_rt::time::sleep(BREATH).await;
    }
}

/// Goes through the events from the oldest on, as far as the shortest wish reaches, once for all enterprises.
async fn events(store: &Store, terms: Terms, now: DateTime<Utc>) -> Result<usize, StoreError> {
    let cutoffs: HashMap<i64, DateTime<Utc>> = store
        .read(table::wishes)
        .await?
        .into_iter()
        .filter_map(|(id, days)| Some((id, cutoff(days.unwrap_or(terms.events), now)?)))
        .collect();
    let Some(latest) = cutoffs.values().max().copied() else {
        return Ok(0);
    };
    let (mut after, mut sum) = (0, 0);
    loop {
        let seen = store
            .read(move |conn| table::events(conn, after, SEEN))
            .await?;
        let Some(last) = seen.last() else {
            return Ok(sum);
        };
        after = last.id;
        let done = last.received_at >= latest;
        let old: Vec<i64> = seen
            .iter()
            .filter(|one| {
                let before = cutoffs.get(&one.enterprise);
                before.is_some_and(|before| one.received_at < *before)
            })
            .map(|one| one.id)
            .collect();
        for part in old.chunks(PART as usize) {
            let part = part.to_vec();
            let remove = move |conn: &mut _| table::remove_events(conn, &part);
            sum += store.write(remove).await?;
            actix_rt::time::sleep(BREATH).await;
        }
        if done {
            return Ok(sum);
        }
    }
}
