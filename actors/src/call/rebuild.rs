//! Calls made again from the journal: one when an event comes for a call that is no longer in memory, all
//! unfinished ones at start-up. Reads only; what the events call for was called for when they came.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::actor::Followed;
use super::event::{Body, Event, EventKind};
use super::intake::Deps;
use super::record::CallId;
use super::state::CallState;
use crate::cache::Cache;
use crate::cache::snapshot::Enterprise;
use crate::store::deliveries::{self, Delivery, DeliveryState};
use crate::store::{Conn, StoreError, calls, journal};

/// A call as its journal makes it.
pub struct Rebuilt {
    pub followed: Followed,
    /// Its events, for their ids.
    pub events: Vec<Event>,
    /// When its last event arrived, milliseconds since 1970.
    pub last_heard: i64,
    /// What the table still has to tell CRMs of it; not read at start-up, when links look there by themselves.
    pub open: Vec<Delivery>,
}

/// Calls read from the journal together.
const TOGETHER: usize = 500;

/// Rebuilds one call; `None` when its enterprise is gone.
///
/// # Errors
/// The store's own.
pub async fn one(
    deps: &Deps,
    enterprise: i64,
    call: CallId,
) -> Result<Option<Rebuilt>, StoreError> {
    let Some(enterprise) = deps.cache.by_id(enterprise) else {
        return Ok(None);
    };
    let id = enterprise.id;
    let (events, uuid, mut open) = deps
        .store
        .read(move |conn| {
            let events = journal::of_calls(conn, &[call])?;
            Ok((
                events,
                calls::by_id(conn, Some(id), call)?.map(|row| row.record.uuid),
                deliveries::of_call(conn, id, call)?,
            ))
        })
        .await?;
    // Telegram asks the table by itself. Whoever has a lease, perhaps nobody was handed the row.
    open.retain_mut(|row| {
        let is_open = matches!(row.state, DeliveryState::Due | DeliveryState::Leased);
        row.state = DeliveryState::Due;
        is_open && row.integration != crate::telegram::INTEGRATION
    });
    Ok(Some(Rebuilt {
        open,
        ..fold(call, uuid, &enterprise, events)
    }))
}

/// Every unfinished call. Blocks on the database: for start-up, on a plain thread.
///
/// # Errors
/// The store's own.
pub fn unfinished(conn: &mut Conn, cache: &Cache) -> Result<Vec<Rebuilt>, StoreError> {
    let open = journal::unfinished(conn)?;
    let mut rebuilt = Vec::with_capacity(open.len());
    for chunk in open.chunks(TOGETHER) {
        let ids: Vec<CallId> = chunk.iter().map(|(_, call)| *call).collect();
        let mut events = journal::of_calls(conn, &ids)?.into_iter().peekable();
        let mut rows = calls::by_ids(conn, &ids)?.into_iter().peekable();
        for (enterprise, call) in chunk {
            let mut own = Vec::new();
            while let Some(event) = events.next_if(|event| event.call == Some(*call)) {
                own.push(event);
            }
            let uuid = rows
                .next_if(|row| row.record.call == *call)
                .map(|row| row.record.uuid);
            match cache.by_id(*enterprise) {
                Some(enterprise) => rebuilt.push(fold(*call, uuid, &enterprise, own)),
                None => log::warn!(
                    "call {} is of enterprise {enterprise}, which is gone",
                    call.0
                ),
            }
        }
    }
    Ok(rebuilt)
}

/// The journal's events, applied in its order.
fn fold(
    call: CallId,
    uuid: Option<uuid::Uuid>,
    enterprise: &Arc<Enterprise>,
    rows: Vec<journal::Event>,
) -> Rebuilt {
    let state = CallState::new(call, enterprise.id, uuid.unwrap_or_else(uuid::Uuid::new_v4));
    let mut followed = Followed::new(state, enterprise.clone());
    let mut events = Vec::with_capacity(rows.len());
    let mut last_heard = 0;
    for row in rows.into_iter().filter(|row| !row.parked) {
        last_heard = last_heard.max(row.received_at.timestamp_millis());
        followed.state.recovered |= row.data_source == "recovery";
        let Some(event) = read(&row, enterprise) else {
            log::error!("event {} of the journal cannot be read again", row.id);
            continue;
        };
        // An event that breaks the machine broke it when it came, and was set aside or its call given up;
        // the others must not suffer for it again.
        match catch_unwind(AssertUnwindSafe(|| followed.apply(&event))) {
            Ok(_) => events.push(event),
            Err(_) => log::error!(
                "event {} of the journal breaks its call {} and is passed over",
                row.id,
                call.0
            ),
        }
    }
    Rebuilt {
        followed,
        events,
        last_heard,
        open: Vec::new(),
    }
}

/// An event as it was first read: from the same bytes, with the identity the journal keeps.
pub(super) fn read(row: &journal::Event, enterprise: &Enterprise) -> Option<Event> {
    let kind = EventKind::parse(&row.event_type)?;
    let mut event = if kind == EventKind::Lost {
        Event::lost(
            enterprise.id,
            &row.unique_id,
            &row.linked_id,
            0,
            row.received_at,
        )
    } else {
        Body::read(row.raw.as_bytes()).ok()?.into_event(
            kind,
            enterprise.id,
            enterprise.time_zone,
            Some(&row.host_event_id),
            row.received_at,
        )
    };
    // The store puts bytes in front that sort its index; the identity is the rest.
    event.key = *row.key.last_chunk()?;
    Some(event)
}
