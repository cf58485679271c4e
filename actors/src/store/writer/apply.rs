//! The rows of a batch, inside the writer's transaction: events, then the calls they changed, customers,
//! deliveries, merges; and the outcomes of deliveries. Called only by `lane.rs`; begins and commits nothing.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::job::{CallRow, Commit, Committed, CustomerChange, Merge, Settlement, Verdict};
use super::lane::Lease;
use crate::store::StoreError;
use crate::store::conn::{Conn, on};
use crate::store::deliveries::{Delivery, NewDelivery, Row};
use crate::store::journal::NewEvent;
use crate::store::logs;
use crate::store::schema::{call_events, calls, customers, deliveries, integration_logs};
use crate::store::time::{Time, maybe};

/// Writes every commit of a batch; what became of each, in order.
pub(crate) fn commits(
    conn: &mut Conn,
    commits: &[Box<Commit>],
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Vec<Committed>, StoreError> {
    commits
        .iter()
        .map(|commit| one(conn, commit, lease, now))
        .collect()
}

fn one(
    conn: &mut Conn,
    commit: &Commit,
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Committed, StoreError> {
    let Some(event) = event(conn, &commit.event)? else {
        return Ok(Committed::Duplicate);
    };
    if let Some(merge) = &commit.merge {
        merge_calls(conn, merge, now)?;
    }
    if let Some(row) = &commit.call {
        call(conn, row)?;
    }
    for change in &commit.customer {
        customer(conn, change)?;
    }
    let mut changed = Vec::new();
    for new in &commit.deliveries {
        changed.extend(delivery(conn, new, lease, now)?);
    }
    if let Some(call) = commit.event.call {
        for (integration, kind) in &commit.withdraw {
            on!(conn, c => {
                diesel::update(deliveries::table.filter(deliveries::call_id.eq(call.0)).filter(deliveries::integration.eq(integration))
                    .filter(deliveries::kind.eq(kind)).filter(deliveries::state.eq("due")))
                    .set((deliveries::state.eq("withdrawn"), deliveries::finished_at.eq(Some(Time::from(now)))))
                    .execute(c)?
            });
        }
    }
    Ok(Committed::Stored {
        event,
        deliveries: changed,
    })
}

/// PostgreSQL cannot keep a NUL in a text, and a host's JSON may spell one: it is left out.
fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    if text.as_bytes().contains(&0) {
        text.replace('\0', "").into()
    } else {
        text.into()
    }
}

fn event(conn: &mut Conn, event: &NewEvent) -> Result<Option<i64>, StoreError> {
    use call_events::dsl as e;
    Ok(on!(conn, c => {
        diesel::insert_into(call_events::table)
            .values((
                e::enterprise_id.eq(event.enterprise),
                e::call_id.eq(event.call.map(|call| call.0)),
                e::event_type.eq(clean(&event.event_type)),
                e::unique_id.eq(clean(&event.unique_id)),
                e::linked_id.eq(clean(&event.linked_id)),
                e::bridge_id.eq(clean(&event.bridge_id)),
                e::event_timestamp.eq(Time::from(event.event_timestamp)),
                e::received_at.eq(Time::from(event.received_at)),
                e::event_key.eq(&event.key),
                e::host_event_id.eq(clean(&event.host_event_id)),
                e::raw_data.eq(clean(&event.raw)),
                e::data_source.eq(&event.data_source),
                e::telegram_sent.eq(false),
                e::parked.eq(event.parked),
                e::note.eq(clean(&event.note)),
            ))
            .on_conflict(e::event_key)
            .do_nothing()
            .returning(e::id)
            .get_result(c)
            .optional()?
    }))
}

fn call(conn: &mut Conn, row: &CallRow) -> Result<(), StoreError> {
    use calls::dsl as k;
    let record = &row.record;
    on!(conn, c => {
        diesel::insert_into(calls::table)
            .values((
                (
                    k::id.eq(record.call.0),
                    k::uuid.eq(record.uuid.to_string()),
                    k::enterprise_id.eq(record.enterprise),
                    k::unique_id.eq(clean(&record.unique_id)),
                    k::linked_id.eq(clean(&record.linked_id)),
                    k::state.eq(row.state.as_str()),
                    k::phone.eq(record.phone.as_deref().map(clean)),
                    k::raw_phone.eq(clean(&record.raw_phone)),
                    k::extension.eq(record.people().join(",").replace('\0', "")),
                    k::rung.eq(serde_json::to_string(&record.rung)?),
                    k::talked.eq(serde_json::to_string(&record.talked)?),
                    k::made_by.eq(record.made_by.as_deref().map(clean)),
                    k::line.eq(clean(&record.line)),
                    k::direction.eq(record.direction.as_str()),
                ),
                (
                    k::result.eq(record.outcome.map(|outcome| outcome.as_str())),
                    k::received_at.eq(Time::from(record.received_at)),
                    k::answered_at.eq(maybe(record.answered_at)),
                    k::ended_at.eq(maybe(record.ended_at)),
                    k::wait_seconds.eq(record.wait_seconds),
                    k::talk_seconds.eq(record.talk_seconds),
                    k::recording.eq(clean(&record.recording)),
                    k::hung_up_by.eq(clean(&record.hung_up_by)),
                    k::request_id.eq(clean(&record.request_id)),
                    k::events_count.eq(record.events_count),
                    k::data_source.eq(&record.data_source),
                    k::fault.eq(clean(&row.fault)),
                    k::updated_at.eq(Time::from(row.at)),
                ),
            ))
            .on_conflict(k::id)
            .do_update()
            .set((
                (
                    k::unique_id.eq(excluded(k::unique_id)),
                    k::linked_id.eq(excluded(k::linked_id)),
                    k::state.eq(excluded(k::state)),
                    k::phone.eq(excluded(k::phone)),
                    k::raw_phone.eq(excluded(k::raw_phone)),
                    k::extension.eq(excluded(k::extension)),
                    k::rung.eq(excluded(k::rung)),
                    k::talked.eq(excluded(k::talked)),
                    k::made_by.eq(excluded(k::made_by)),
                    k::line.eq(excluded(k::line)),
                    k::direction.eq(excluded(k::direction)),
                    k::result.eq(excluded(k::result)),
                ),
                (
                    k::received_at.eq(excluded(k::received_at)),
                    k::answered_at.eq(excluded(k::answered_at)),
                    k::ended_at.eq(excluded(k::ended_at)),
                    k::wait_seconds.eq(excluded(k::wait_seconds)),
                    k::talk_seconds.eq(excluded(k::talk_seconds)),
                    k::recording.eq(excluded(k::recording)),
                    k::hung_up_by.eq(excluded(k::hung_up_by)),
                    k::request_id.eq(excluded(k::request_id)),
                    k::events_count.eq(excluded(k::events_count)),
                    k::data_source.eq(excluded(k::data_source)),
                    k::fault.eq(excluded(k::fault)),
                    k::updated_at.eq(excluded(k::updated_at)),
                ),
            ))
            .execute(c)?
    });
    Ok(())
}

fn customer(conn: &mut Conn, change: &CustomerChange) -> Result<(), StoreError> {
    use customers::dsl as u;
    let at = Time::from(change.at);
    on!(conn, c => {
        diesel::insert_into(customers::table)
            .values((
                u::enterprise_id.eq(change.enterprise),
                u::phone.eq(clean(&change.phone)),
                u::calls_count.eq(change.calls),
                u::answered_count.eq(change.answered),
                u::missed_count.eq(change.missed),
                u::talk_seconds.eq(change.talk_seconds),
                u::first_call_at.eq(at),
                u::last_call_at.eq(at),
            ))
            .on_conflict((u::enterprise_id, u::phone))
            .do_update()
            .set((
                u::calls_count.eq(u::calls_count + excluded(u::calls_count)),
                u::answered_count.eq(u::answered_count + excluded(u::answered_count)),
                u::missed_count.eq(u::missed_count + excluded(u::missed_count)),
                u::talk_seconds.eq(u::talk_seconds + excluded(u::talk_seconds)),
                u::last_call_at.eq(excluded(u::last_call_at)),
            ))
            .execute(c)?
    });
    Ok(())
}

fn delivery(
    conn: &mut Conn,
    new: &NewDelivery,
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<Option<Delivery>, StoreError> {
    use deliveries::dsl as d;
    let leased = new.lease && new.not_before <= now;
    let (state, owner) = if leased {
        ("leased", lease.owner.as_str())
    } else {
        ("due", "")
    };
    let until = leased.then(|| Time::from(now + lease.length));
    let row: Option<Row> = on!(conn, c => {
        let upsert = diesel::insert_into(deliveries::table)
            .values((
                d::enterprise_id.eq(new.enterprise),
                d::integration.eq(&new.integration),
                d::call_id.eq(new.call.0),
                d::unique_id.eq(clean(&new.unique_id)),
                d::kind.eq(clean(&new.kind)),
                d::position.eq(new.position),
                d::state.eq(state),
                d::payload.eq(&new.payload),
                d::attempts.eq(0),
                d::not_before.eq(Time::from(new.not_before)),
                d::expires_at.eq(maybe(new.expires_at)),
                d::leased_until.eq(until),
                d::lease_owner.eq(owner),
                d::created_at.eq(Time::from(now)),
            ))
            .on_conflict((d::call_id, d::integration, d::kind))
            .do_update()
            .set((
                d::payload.eq(excluded(d::payload)),
                d::position.eq(excluded(d::position)),
                d::state.eq(excluded(d::state)),
                d::not_before.eq(excluded(d::not_before)),
                d::expires_at.eq(excluded(d::expires_at)),
                d::leased_until.eq(excluded(d::leased_until)),
                d::lease_owner.eq(excluded(d::lease_owner)),
            ))
            ;
        // `QueryDsl` would shadow the method, which is the condition of DO UPDATE here.
        diesel::query_dsl::methods::FilterDsl::filter(upsert, d::state.eq("due").and(d::attempts.eq(0)))
            .returning(deliveries::all_columns)
            .get_result(c)
            .optional()?
    });
    row.map(Delivery::try_from).transpose()
}

/// The absorbed call's events become the survivor's; its open deliveries too, where the survivor has none of the
/// kind, and are withdrawn where it has.
fn merge_calls(conn: &mut Conn, merge: &Merge, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (from, into) = (merge.from.0, merge.into.0);
    let now = Time::from(now);
    on!(conn, c => {
        diesel::update(call_events::table.filter(call_events::call_id.eq(from))).set(call_events::call_id.eq(into)).execute(c)?;
        diesel::update(calls::table.filter(calls::id.eq(from)))
            .set((calls::state.eq("merged"), calls::merged_into.eq(into), calls::updated_at.eq(now)))
            .execute(c)?;
        let taken: Vec<(String, String)> = deliveries::table
            .filter(deliveries::call_id.eq(into))
            .select((deliveries::integration, deliveries::kind))
            .load(c)?;
        let open: Vec<(i64, String, String)> = deliveries::table
            .filter(deliveries::call_id.eq(from))
            .filter(deliveries::state.eq("due"))
            .select((deliveries::id, deliveries::integration, deliveries::kind))
            .load(c)?;
        for (id, integration, kind) in open {
            let one = diesel::update(deliveries::table.filter(deliveries::id.eq(id)));
            if taken.contains(&(integration, kind)) {
                one.set((deliveries::state.eq("withdrawn"), deliveries::outcome.eq("merged into another call"), deliveries::finished_at.eq(Some(now))))
                    .execute(c)?;
            } else {
                one.set(deliveries::call_id.eq(into)).execute(c)?;
            }
        }
    });
    Ok(())
}

/// Writes what became of deliveries, with their log rows.
pub(crate) fn settlements(
    conn: &mut Conn,
    settlements: &[Box<Settlement>],
) -> Result<(), StoreError> {
    use deliveries::dsl as d;
    for settlement in settlements {
        let at = Time::from(settlement.at);
        let words = clean(&settlement.words);
        on!(conn, c => {
            let one = diesel::update(deliveries::table.filter(d::id.eq(settlement.delivery)));
            match (&settlement.verdict, settlement.verdict.state()) {
                (Verdict::Again(when), _) => one
                    .set((d::state.eq("due"), d::attempts.eq(settlement.attempts), d::outcome.eq(words), d::not_before.eq(Time::from(*when)),
                        d::leased_until.eq(None::<Time>), d::lease_owner.eq("")))
                    .execute(c)?,
                (_, Some(state)) => one
                    .set((d::state.eq(state), d::attempts.eq(settlement.attempts), d::outcome.eq(words), d::finished_at.eq(Some(at)),
                        d::leased_until.eq(None::<Time>), d::lease_owner.eq("")))
                    .execute(c)?,
                (_, None) => one.set(d::outcome.eq(words)).execute(c)?,
            };
            if let Some(log) = &settlement.log {
                diesel::insert_into(integration_logs::table).values(logs::Insert::from(log)).execute(c)?;
            }
        });
    }
    Ok(())
}
