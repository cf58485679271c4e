//! What a commit's values look like as columns: made in the caller's task, so that the writer's one thread only binds
//! them. Decides nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::job::{CallRow, CallState, Commit, Committed, Merge, Settlement};
use super::lane::Lease;
use crate::call::record::Record;
use crate::store::deliveries::{Delivery, DeliveryState, NewDelivery};
use crate::store::journal::NewEvent;
use crate::store::time::truncate;

/// A job of the hot lane, ready to be bound.
pub(crate) enum Hot {
    Commit(Box<Prepared>),
    Settle(Box<Settlement>),
}

/// What became of a hot job.
pub(crate) enum Done {
    Committed(Committed),
    Plain,
}

/// A commit with its columns.
pub(crate) struct Prepared {
    pub event: NewEvent,
    pub call: Option<CallColumns>,
    pub customer: Vec<super::job::CustomerChange>,
    pub deliveries: Vec<NewDelivery>,
    pub withdraw: Vec<(String, String)>,
    pub merge: Option<Merge>,
}

/// A call's row with what is derived for it.
pub(crate) struct CallColumns {
    pub record: Arc<Record>,
    pub state: CallState,
    pub fault: String,
    pub at: DateTime<Utc>,
    pub uuid: String,
    pub extension: String,
    pub rung: String,
    pub talked: String,
}

impl From<Commit> for Prepared {
    fn from(commit: Commit) -> Self {
        let mut event = commit.event;
        for text in [
            &mut event.event_type,
            &mut event.unique_id,
            &mut event.linked_id,
            &mut event.bridge_id,
            &mut event.host_event_id,
            &mut event.raw,
            &mut event.note,
        ] {
            strip(text);
        }
        event.key = stored_key(&event);
        let mut deliveries = commit.deliveries;
        for delivery in &mut deliveries {
            for text in [
                &mut delivery.unique_id,
                &mut delivery.kind,
                &mut delivery.payload,
            ] {
                strip(text);
            }
        }
        let mut customer = commit.customer;
        for change in &mut customer {
            strip(&mut change.phone);
        }
        Prepared {
            event,
            call: commit.call.map(CallColumns::from),
            customer,
            deliveries,
            withdraw: commit.withdraw,
            merge: commit.merge,
        }
    }
}

impl From<CallRow> for CallColumns {
    fn from(mut row: CallRow) -> Self {
        strip(&mut row.fault);
        if has_nul(&row.record) {
            strip_record(Arc::make_mut(&mut row.record));
        }
        let record = row.record;
        CallColumns {
            uuid: record.uuid.to_string(),
            extension: record.people().join(","),
            rung: json(&record.rung),
            talked: json(&record.talked),
            state: row.state,
            fault: row.fault,
            at: row.at,
            record,
        }
    }
}

/// A list of extensions as JSON. A list of strings always has a JSON form.
fn json(list: &[String]) -> String {
    if list.is_empty() {
        "[]".into()
    } else {
        serde_json::to_string(list).unwrap_or_else(|_| "[]".into())
    }
}

/// PostgreSQL cannot keep a NUL in a text, and a host's JSON may spell one: it is left out, or the event would be
/// refused for ever.
pub(crate) fn strip(text: &mut String) {
    if text.as_bytes().contains(&0) {
        text.retain(|letter| letter != '\0');
    }
}

fn texts(record: &mut Record) -> impl Iterator<Item = &mut String> {
    [
        &mut record.unique_id,
        &mut record.linked_id,
        &mut record.raw_phone,
        &mut record.line,
        &mut record.recording,
        &mut record.hung_up_by,
        &mut record.request_id,
        &mut record.data_source,
    ]
    .into_iter()
    .chain(&mut record.phone)
    .chain(&mut record.made_by)
    .chain(&mut record.talking)
    .chain(&mut record.rung)
    .chain(&mut record.talked)
}

fn has_nul(record: &Record) -> bool {
    [
        &record.unique_id,
        &record.linked_id,
        &record.raw_phone,
        &record.line,
        &record.recording,
        &record.hung_up_by,
        &record.request_id,
        &record.data_source,
    ]
    .into_iter()
    .chain(&record.phone)
    .chain(&record.made_by)
    .chain(&record.talking)
    .chain(&record.rung)
    .chain(&record.talked)
    .any(|text| text.as_bytes().contains(&0))
}

fn strip_record(record: &mut Record) {
    texts(record).for_each(strip);
}

/// Bytes in front of an event's identity in its column.
pub(crate) const KEY_PREFIX: usize = 4;

/// The event's identity with the seconds of its unique id in front. Asterisk's ids begin with them, so the newest
/// events meet in the newest pages of the index, and a commit touches few of them however long the journal grows.
fn stored_key(event: &NewEvent) -> Vec<u8> {
    let id = if event.unique_id.is_empty() {
        &event.bridge_id
    } else {
        &event.unique_id
    };
    let digits = id.bytes().take_while(u8::is_ascii_digit).take(10);
    let seconds = digits.fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let mut key = Vec::with_capacity(KEY_PREFIX + event.key.len());
    key.extend_from_slice(&u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes());
    key.extend_from_slice(&event.key);
    key
}

/// Whether a delivery is ours from the moment it is written.
pub(crate) fn leased(new: &NewDelivery, now: DateTime<Utc>) -> bool {
    new.lease && new.not_before <= now
}

/// The row that the table has now, without reading it again.
pub(crate) fn as_written(
    new: &NewDelivery,
    id: i64,
    created_at: DateTime<Utc>,
    lease: &Lease,
    now: DateTime<Utc>,
) -> Delivery {
    let leased = leased(new, now);
    Delivery {
        id,
        enterprise: new.enterprise,
        integration: new.integration.clone(),
        call: new.call,
        unique_id: new.unique_id.clone(),
        kind: new.kind.clone(),
        position: new.position,
        state: if leased {
            DeliveryState::Leased
        } else {
            DeliveryState::Due
        },
        payload: new.payload.clone(),
        attempts: 0,
        not_before: truncate(new.not_before),
        expires_at: new.expires_at.map(truncate),
        leased_until: leased.then(|| truncate(now + lease.length)),
        lease_owner: if leased {
            lease.owner.clone()
        } else {
            String::new()
        },
        outcome: String::new(),
        created_at,
        finished_at: None,
    }
}

/// What makes one call of two. Deliveries that the survivor has too are withdrawn while nobody is at them; the others
/// become the survivor's. Rare, so it is written out with its two numbers and a time, and serves both databases.
pub(crate) fn merge_sql(merge: &Merge, now: DateTime<Utc>) -> String {
    let (from, into) = (merge.from.0, merge.into.0);
    let now = truncate(now).format("%F %T%.3f");
    let twin = "SELECT 1 FROM deliveries AS o WHERE o.integration = deliveries.integration AND o.kind = deliveries.kind";
    format!(
        "UPDATE call_events SET call_id = {into} WHERE call_id = {from}; \
         UPDATE calls SET state = 'merged', merged_into = {into}, updated_at = '{now}' WHERE id = {from}; \
         UPDATE deliveries SET state = 'withdrawn', outcome = 'merged into another call', finished_at = '{now}' \
         WHERE call_id = {from} AND state = 'due' AND EXISTS ({twin} AND o.call_id = {into}); \
         UPDATE deliveries SET call_id = {into} \
         WHERE call_id = {from} AND state IN ('due', 'leased') AND NOT EXISTS ({twin} AND o.call_id = {into});"
    )
}
