//! The lane that finds the call of a unique id the registry does not know: takes all look-ups that wait and asks
//! the database once for all. Used through `Store::find`; writes nothing.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::conn::{Conn, Place, on};
use super::schema::{call_events, calls};
use super::time::{Time, plain};
use super::writer::job::CallState;
use crate::call::record::CallId;

/// The call that an id belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub call: CallId,
    pub state: CallState,
    pub ended_at: Option<DateTime<Utc>>,
}

struct LookUp {
    enterprise: i64,
    ids: Vec<String>,
    answer: oneshot::Sender<Result<Option<Found>, StoreError>>,
}

/// The finder's mailbox.
pub(crate) struct Finder {
    look_ups: mpsc::Sender<LookUp>,
}

/// Look-ups in one query.
const TOGETHER: usize = 256;

impl Finder {
    pub(crate) fn start(place: Place, queue: usize) -> Result<Finder, StoreError> {
        let (look_ups, mut waiting) = mpsc::channel::<LookUp>(queue.max(1));
        std::thread::Builder::new()
            .name("store-find".into())
            .spawn(move || {
                let mut conn: Option<Conn> = None;
                let mut batch = Vec::with_capacity(TOGETHER);
                while waiting.blocking_recv_many(&mut batch, TOGETHER) > 0 {
                    let outcome =
                        catch_unwind(AssertUnwindSafe(|| answers(&place, &mut conn, &batch)));
                    let outcome = outcome.unwrap_or(Err(StoreError::Panicked));
                    if outcome.is_err() {
                        conn = None;
                    }
                    for (number, look_up) in batch.drain(..).enumerate() {
                        let one = outcome
                            .as_ref()
                            .map(|found| found.get(number).cloned().flatten())
                            .map_err(Clone::clone);
                        let _ = look_up.answer.send(one);
                    }
                }
            })
            .map_err(|e| StoreError::Away(e.to_string()))?;
        Ok(Finder { look_ups })
    }

    pub(crate) async fn find(
        &self,
        enterprise: i64,
        ids: Vec<String>,
    ) -> Result<Option<Found>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.look_ups
            .send(LookUp {
                enterprise,
                ids,
                answer,
            })
            .await
            .map_err(|_| StoreError::Away("the finder has ended".into()))?;
        answered.await.unwrap_or(Err(StoreError::Panicked))
    }
}

fn answers(
    place: &Place,
    conn: &mut Option<Conn>,
    batch: &[LookUp],
) -> Result<Vec<Option<Found>>, StoreError> {
    let conn = match conn {
        Some(conn) => conn,
        none => none.insert(place.connect()?),
    };
    let ids: Vec<&str> = batch
        .iter()
        .flat_map(|look_up| &look_up.ids)
        .map(String::as_str)
        .filter(|id| !id.is_empty())
        .collect();
    let known = find(conn, &ids)?;
    Ok(batch
        .iter()
        .map(|look_up| {
            look_up
                .ids
                .iter()
                .find_map(|id| known.get(&(look_up.enterprise, id.clone())).cloned())
        })
        .collect())
}

/// Enterprise, id, call.
type Hit = (i64, String, i64);
type LooseHit = (i64, String, Option<i64>);

/// Which call each of these ids belongs to: (enterprise, id) → call, survivors of merges in place of what they
/// absorbed. An event's own unique id goes before a linked id, and the later event or call before the earlier.
///
/// # Errors
/// The database's own.
pub fn find(conn: &mut Conn, ids: &[&str]) -> Result<HashMap<(i64, String), Found>, StoreError> {
    let ids: Vec<&str> = ids
        .iter()
        .copied()
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (by_linked, by_event): (Vec<Hit>, Vec<LooseHit>) = on!(conn, c => {
        let by_linked = calls::table
            .filter(calls::linked_id.eq_any(&ids))
            .select((calls::enterprise_id, calls::linked_id, calls::id))
            .order(calls::id)
            .load(c)?;
        let by_event = call_events::table
            .filter(call_events::unique_id.eq_any(&ids))
            .filter(call_events::call_id.is_not_null())
            .select((call_events::enterprise_id, call_events::unique_id, call_events::call_id))
            .order(call_events::id)
            .load(c)?;
        (by_linked, by_event)
    });
    let mut owner: HashMap<(i64, String), i64> = HashMap::new();
    let by_event = by_event
        .into_iter()
        .filter_map(|(enterprise, id, call)| Some((enterprise, id, call?)));
    for (enterprise, id, call) in by_linked.into_iter().chain(by_event) {
        owner.insert((enterprise, id), call);
    }
    let mut rows: HashMap<i64, Found> = HashMap::new();
    let mut forward: HashMap<i64, i64> = HashMap::new();
    let mut wanted: Vec<i64> = owner
        .values()
        .copied()
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    // A survivor may have been absorbed later itself; chains are short, and a bound ends a circle.
    for _ in 0..8 {
        if wanted.is_empty() {
            break;
        }
        let found: Vec<(i64, String, Option<Time>, Option<i64>)> = on!(conn, c => {
            calls::table.filter(calls::id.eq_any(&wanted)).select((calls::id, calls::state, calls::ended_at, calls::merged_into)).load(c)?
        });
        wanted.clear();
        for (id, state, ended_at, merged_into) in found {
            if let Some(into) = merged_into {
                forward.insert(id, into);
                if !rows.contains_key(&into) && !forward.contains_key(&into) {
                    wanted.push(into);
                }
            }
            rows.insert(
                id,
                Found {
                    call: CallId(id),
                    state: CallState::of(&state),
                    ended_at: plain(ended_at),
                },
            );
        }
    }
    let survivor = |mut call: i64| {
        for _ in 0..8 {
            let Some(into) = forward.get(&call) else {
                break;
            };
            call = *into;
        }
        call
    };
    let found = |call: i64| {
        let call = survivor(call);
        // An event may come before its call's row: then the call has only begun.
        rows.get(&call).cloned().unwrap_or(Found {
            call: CallId(call),
            state: CallState::Live,
            ended_at: None,
        })
    };
    Ok(owner
        .into_iter()
        .map(|(key, call)| (key, found(call)))
        .collect())
}
