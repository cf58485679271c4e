//! `calls`: one row per logical call. Written by the writer from `Record`s; read here for pages, recordings and
//! rebuilding. Decides nothing about a call.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::conn::on;
use super::schema::calls;
use super::time::{Time, plain};
use super::writer::job::CallState;
use super::{Conn, StoreError};
use crate::call::record::{CallId, Direction, Outcome, Phase, Record};

/// A call's row: its record as it was last written, and what only the row knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub record: Record,
    pub state: CallState,
    pub merged_into: Option<CallId>,
    pub fault: String,
    pub updated_at: DateTime<Utc>,
}

#[derive(Queryable)]
struct Row {
    id: i64,
    uuid: String,
    enterprise: i64,
    unique_id: String,
    linked_id: String,
    state: String,
    phone: Option<String>,
    raw_phone: String,
    _extension: String,
    rung: String,
    talked: String,
    made_by: Option<String>,
    line: String,
    direction: String,
    result: Option<String>,
    received_at: Time,
    answered_at: Option<Time>,
    ended_at: Option<Time>,
    wait_seconds: i32,
    talk_seconds: i32,
    recording: String,
    hung_up_by: String,
    request_id: String,
    events_count: i32,
    data_source: String,
    merged_into: Option<i64>,
    fault: String,
    updated_at: Time,
}

impl TryFrom<Row> for Call {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Call, StoreError> {
        let state = CallState::of(&row.state);
        let outcome = row.result.as_deref().and_then(outcome);
        let talked: Vec<String> = serde_json::from_str(&row.talked)?;
        let rung: Vec<String> = serde_json::from_str(&row.rung)?;
        // The row keeps no phase: of a live call the registry knows it, and this is the nearest the row can tell.
        let phase = match state {
            CallState::Live if row.answered_at.is_some() => Phase::Talking,
            CallState::Live if !rung.is_empty() => Phase::Dialing,
            CallState::Live => Phase::Ringing,
            _ => Phase::Ended,
        };
        Ok(Call {
            record: Record {
                call: CallId(row.id),
                enterprise: row.enterprise,
                uuid: row
                    .uuid
                    .parse()
                    .map_err(|_| StoreError::Damaged(format!("call {} has no uuid", row.id)))?,
                unique_id: row.unique_id,
                linked_id: row.linked_id,
                direction: match row.direction.as_str() {
                    "out" => Direction::Out,
                    "internal" => Direction::Internal,
                    _ => Direction::In,
                },
                phase,
                outcome,
                phone: row.phone,
                raw_phone: row.raw_phone,
                line: row.line,
                rung,
                talked,
                talking: None,
                made_by: row.made_by,
                received_at: row.received_at.0,
                answered_at: plain(row.answered_at),
                ended_at: plain(row.ended_at),
                wait_seconds: row.wait_seconds,
                talk_seconds: row.talk_seconds,
                recording: row.recording,
                hung_up_by: row.hung_up_by,
                request_id: row.request_id,
                events_count: row.events_count,
                data_source: row.data_source,
            },
            state,
            merged_into: row.merged_into.map(CallId),
            fault: row.fault,
            updated_at: row.updated_at.0,
        })
    }
}

fn outcome(word: &str) -> Option<Outcome> {
    [
        Outcome::Answered,
        Outcome::Missed,
        Outcome::Busy,
        Outcome::Failed,
        Outcome::Lost,
    ]
    .into_iter()
    .find(|o| o.as_str() == word)
}

/// Which ended calls a person asks for. Empty fields ask for all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `None`: of every enterprise, for superadmins only.
    pub enterprise: Option<i64>,
    pub from: Option<DateTime<Utc>>,
    /// Not included.
    pub to: Option<DateTime<Utc>>,
    /// Part of the number.
    pub phone: String,
    /// An extension that was rung, talked or called.
    pub extension: String,
    pub outcome: Option<Outcome>,
    pub direction: Option<Direction>,
}

macro_rules! filtered {
    ($filter:expr) => {{
        let filter = $filter;
        // Merged calls are parts of others and shadows nobody's calls: no page lists them.
        let mut query = calls::table.filter(calls::state.eq("ended")).into_boxed();
        if let Some(enterprise) = filter.enterprise {
            query = query.filter(calls::enterprise_id.eq(enterprise));
        }
        if let Some(from) = filter.from {
            query = query.filter(calls::received_at.ge(Time::from(from)));
        }
        if let Some(to) = filter.to {
            query = query.filter(calls::received_at.lt(Time::from(to)));
        }
        if !filter.phone.is_empty() {
            let part = format!("%{}%", escaped(&filter.phone));
            query = query.filter(
                calls::phone
                    .like(part.clone())
                    .escape('\\')
                    .assume_not_null()
                    .or(calls::raw_phone.like(part).escape('\\')),
            );
        }
        if !filter.extension.is_empty() {
            // The lists are JSON: an extension stands in them between quotes.
            let part = format!("%\"{}\"%", escaped(&filter.extension));
            query = query.filter(
                calls::rung
                    .like(part.clone())
                    .escape('\\')
                    .or(calls::talked.like(part).escape('\\'))
                    .or(calls::made_by
                        .eq(filter.extension.clone())
                        .assume_not_null()),
            );
        }
        if let Some(outcome) = filter.outcome {
            query = query.filter(calls::result.eq(outcome.as_str()));
        }
        if let Some(direction) = filter.direction {
            query = query.filter(calls::direction.eq(direction.as_str()));
        }
        query
    }};
}

/// Takes the meaning from a pattern's own characters.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// A page of ended calls, latest first; `page` counts from 0.
///
/// # Errors
/// The database's own.
pub fn page(
    conn: &mut Conn,
    filter: &Filter,
    page: i64,
    size: i64,
) -> Result<Vec<Call>, StoreError> {
    page_from(conn, filter, page.max(0) * size, size)
}

/// Ended calls, latest first, without the first `skip` of them.
///
/// # Errors
/// The database's own.
pub fn page_from(
    conn: &mut Conn,
    filter: &Filter,
    skip: i64,
    size: i64,
) -> Result<Vec<Call>, StoreError> {
    let rows: Vec<Row> = on!(conn, c => {
        filtered!(filter).order((calls::received_at.desc(), calls::id.desc())).limit(size).offset(skip).load(c)?
    });
    rows.into_iter().map(Call::try_from).collect()
}

/// How many ended calls there are of each result, most first.
///
/// # Errors
/// The database's own.
pub fn counts(conn: &mut Conn, filter: &Filter) -> Result<Vec<(Outcome, i64)>, StoreError> {
    let mut counts = Vec::new();
    for outcome in [
        Outcome::Answered,
        Outcome::Missed,
        Outcome::Busy,
        Outcome::Failed,
        Outcome::Lost,
    ] {
        if filter.outcome.is_some_and(|wanted| wanted != outcome) {
            continue;
        }
        let one = Filter {
            outcome: Some(outcome),
            ..filter.clone()
        };
        let count: i64 = on!(conn, c => filtered!(&one).count().get_result(c)?);
        if count > 0 {
            counts.push((outcome, count));
        }
    }
    counts.sort_by_key(|(_, count)| -count);
    Ok(counts)
}

/// One call of the enterprise; `enterprise` is `None` for a superadmin.
///
/// # Errors
/// `Damaged` when the row cannot be understood.
pub fn by_id(
    conn: &mut Conn,
    enterprise: Option<i64>,
    call: CallId,
) -> Result<Option<Call>, StoreError> {
    let row: Option<Row> =
        on!(conn, c => calls::table.filter(calls::id.eq(call.0)).first(c).optional()?);
    let call = row.map(Call::try_from).transpose()?;
    Ok(call.filter(|call| enterprise.is_none_or(|wanted| call.record.enterprise == wanted)))
}

/// One call by its public uuid, of whichever enterprise: whoever knows the uuid may have the recording.
///
/// # Errors
/// `Damaged` when the row cannot be understood.
pub fn by_uuid(conn: &mut Conn, uuid: uuid::Uuid) -> Result<Option<Call>, StoreError> {
    let row: Option<Row> =
        on!(conn, c => calls::table.filter(calls::uuid.eq(uuid.to_string())).first(c).optional()?);
    row.map(Call::try_from).transpose()
}

/// Many calls by id, in the order of ids: rows the registry starts from.
///
/// # Errors
/// `Damaged` when a row cannot be understood.
pub fn by_ids(conn: &mut Conn, ids: &[CallId]) -> Result<Vec<Call>, StoreError> {
    let ids: Vec<i64> = ids.iter().map(|call| call.0).collect();
    let rows: Vec<Row> =
        on!(conn, c => calls::table.filter(calls::id.eq_any(&ids)).order(calls::id).load(c)?);
    rows.into_iter().map(Call::try_from).collect()
}

/// How many calls are not over, of one enterprise or of all.
///
/// # Errors
/// The database's own.
pub fn count_live(conn: &mut Conn, enterprise: Option<i64>) -> Result<i64, StoreError> {
    let live = diesel::dsl::sql::<Bool>("state = 'live'");
    Ok(on!(conn, c => match enterprise {
        Some(enterprise) => calls::table.filter(live).filter(calls::enterprise_id.eq(enterprise)).count().get_result(c)?,
        None => calls::table.filter(live).count().get_result(c)?,
    }))
}

/// When the enterprise's latest call came in.
///
/// # Errors
/// The database's own.
pub fn last_received(
    conn: &mut Conn,
    enterprise: i64,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let last: Option<Time> = on!(conn, c => {
        calls::table
            .filter(calls::enterprise_id.eq(enterprise))
            .select(diesel::dsl::max(calls::received_at))
            .first(c)?
    });
    Ok(plain(last))
}
