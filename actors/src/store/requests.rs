//! `call_requests`: each click-to-call and what became of it; and `manager_statuses`. Written by `asterisk::requests`,
//! read by pages. Decides nothing.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use super::conn::on;
use super::schema::{call_requests, manager_statuses};
use super::time::Time;
use super::{Conn, StoreError, memories};
use crate::call::record::CallId;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// The host was told, or is being told; nothing was heard of it yet.
    Accepted,
    /// A phone rings: the manager's, then the client's.
    Ringing,
    Talking,
    Ended,
    /// The manager did not pick up.
    AgentMissed,
    /// The host did not take it; the words say why.
    Failed,
}

impl RequestState {
    const ALL: [RequestState; 6] = [
        RequestState::Accepted,
        RequestState::Ringing,
        RequestState::Talking,
        RequestState::Ended,
        RequestState::AgentMissed,
        RequestState::Failed,
    ];

    /// The word in the table, in JSON and in pages' keys.
    pub fn as_str(self) -> &'static str {
        match self {
            RequestState::Accepted => "accepted",
            RequestState::Ringing => "ringing",
            RequestState::Talking => "talking",
            RequestState::Ended => "ended",
            RequestState::AgentMissed => "agent_missed",
            RequestState::Failed => "failed",
        }
    }

    fn parse(word: &str) -> Option<RequestState> {
        RequestState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A click that was not seen before.
#[derive(Clone, Debug)]
pub struct NewRequest {
    pub id: String,
    pub enterprise: i64,
    pub extension: String,
    pub number: String,
    /// The CRM's kind, or "api".
    pub source: String,
    /// What the CRM's connector is to know of the call that follows, `Null` for nothing.
    pub memory: serde_json::Value,
    pub at: DateTime<Utc>,
}

/// A request as the table has it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Request {
    pub id: String,
    #[serde(skip)]
    pub enterprise: i64,
    pub extension: String,
    pub number: String,
    pub source: String,
    pub state: RequestState,
    pub words: String,
    /// As text: the numbers are too large for a browser's.
    #[serde(serialize_with = "as_text")]
    pub call: Option<CallId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

fn as_text<S: serde::Serializer>(call: &Option<CallId>, to: S) -> Result<S::Ok, S::Error> {
    match call {
        Some(call) => to.serialize_some(&call.0.to_string()),
        None => to.serialize_none(),
    }
}

#[derive(Queryable)]
struct Row {
    id: String,
    enterprise: i64,
    extension: String,
    number: String,
    source: String,
    state: String,
    words: String,
    call: Option<i64>,
    created_at: Time,
    updated_at: Time,
}

impl From<Row> for Request {
    fn from(row: Row) -> Request {
        Request {
            id: row.id,
            enterprise: row.enterprise,
            extension: row.extension,
            number: row.number,
            source: row.source,
            state: RequestState::parse(&row.state).unwrap_or(RequestState::Failed),
            words: row.words,
            call: row.call.map(CallId),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

/// For how long a CRM may tell of the same click again.
const ECHO: TimeDelta = TimeDelta::minutes(10);

/// Adds a request, unless the same extension was to call the same number less than `within` ago and that did not fail, or
/// the CRM told of this very click before (the same memory: its own id of the call stands in it): then it gives that
/// one's id and adds nothing.
///
/// # Errors
/// The database's own.
pub fn add(
    conn: &mut Conn,
    new: &NewRequest,
    within: TimeDelta,
) -> Result<Option<String>, StoreError> {
    use call_requests::dsl as r;
    if !new.memory.is_null() {
        let since = new.at - ECHO;
        let told = memories::request_with(conn, new.enterprise, &new.source, &new.memory, since)?;
        if told.is_some() {
            return Ok(told);
        }
    }
    let same = on!(conn, c => {
        let same: Option<String> = r::call_requests
            .filter(r::enterprise_id.eq(new.enterprise))
            .filter(r::created_at.gt(Time::from(new.at - within)))
            .filter(r::extension.eq(&new.extension))
            .filter(r::number.eq(&new.number))
            .filter(r::state.ne(RequestState::Failed.as_str()))
            .order(r::created_at.desc())
            .select(r::id)
            .first(c)
            .optional()?;
        if same.is_none() {
            diesel::insert_into(r::call_requests)
                .values((
                    r::id.eq(&new.id),
                    r::enterprise_id.eq(new.enterprise),
                    r::extension.eq(&new.extension),
                    r::number.eq(&new.number),
                    r::source.eq(&new.source),
                    r::state.eq(RequestState::Accepted.as_str()),
                    r::created_at.eq(Time::from(new.at)),
                    r::updated_at.eq(Time::from(new.at)),
                ))
                .execute(c)?;
        }
        same
    });
    if same.is_none() && !new.memory.is_null() {
        let name = memories::of_request(&new.id);
        memories::keep(
            conn,
            new.enterprise,
            &new.source,
            &name,
            &new.memory,
            new.at,
        )?;
    }
    Ok(same)
}

/// Writes what became of an enterprise's request; a call once known stays. False when there is no such request: the
/// host's word for it is not trusted.
///
/// # Errors
/// The database's own.
pub fn advance(
    conn: &mut Conn,
    enterprise: i64,
    id: &str,
    state: RequestState,
    call: Option<CallId>,
    words: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    use call_requests::dsl as r;
    Ok(on!(conn, c => {
        let row = r::call_requests.filter(r::id.eq(id)).filter(r::enterprise_id.eq(enterprise));
        let changed = diesel::update(row)
            .set((
                r::state.eq(state.as_str()),
                r::words.eq(words),
                r::updated_at.eq(Time::from(now)),
                call.map(|call| r::call_id.eq(call.0)),
            ))
            .execute(c)?;
        changed > 0
    }))
}

/// Whether `give_up` would find anything.
///
/// # Errors
/// The database's own.
pub fn any_silent(conn: &mut Conn, before: DateTime<Utc>) -> Result<bool, StoreError> {
    use call_requests::dsl as r;
    let silent = r::call_requests
        .filter(r::state.eq("accepted"))
        .filter(r::created_at.lt(Time::from(before)));
    Ok(on!(conn, c => diesel::select(diesel::dsl::exists(silent)).get_result(c)?))
}

/// Requests made before a time of which nothing was heard: the manager did not pick up. Gives how many.
///
/// # Errors
/// The database's own.
pub fn give_up(
    conn: &mut Conn,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    use call_requests::dsl as r;
    Ok(on!(conn, c => {
        diesel::update(r::call_requests.filter(r::state.eq("accepted")).filter(r::created_at.lt(Time::from(before))))
            .set((r::state.eq(RequestState::AgentMissed.as_str()), r::updated_at.eq(Time::from(now))))
            .execute(c)?
    }))
}

/// One request of an enterprise (or of any, for superadmins).
///
/// # Errors
/// The database's own.
pub fn by_id(
    conn: &mut Conn,
    enterprise: Option<i64>,
    id: &str,
) -> Result<Option<Request>, StoreError> {
    use call_requests::dsl as r;
    let row: Option<Row> = on!(conn, c => {
        let mut query = r::call_requests.filter(r::id.eq(id)).into_boxed();
        if let Some(enterprise) = enterprise {
            query = query.filter(r::enterprise_id.eq(enterprise));
        }
        query.first(c).optional()?
    });
    Ok(row.map(Request::from))
}

/// The request a call follows, if any.
///
/// # Errors
/// The database's own.
pub fn of_call(
    conn: &mut Conn,
    enterprise: i64,
    call: CallId,
) -> Result<Option<Request>, StoreError> {
    use call_requests::dsl as r;
    let row: Option<Row> = on!(conn, c => {
        r::call_requests
            .filter(r::call_id.eq(call.0))
            .filter(r::enterprise_id.eq(enterprise))
            .order(r::created_at)
            .first(c)
            .optional()?
    });
    Ok(row.map(Request::from))
}

/// The latest requests of an enterprise (or of all, for superadmins).
///
/// # Errors
/// The database's own.
pub fn recent(
    conn: &mut Conn,
    enterprise: Option<i64>,
    limit: i64,
) -> Result<Vec<Request>, StoreError> {
    use call_requests::dsl as r;
    let rows: Vec<Row> = on!(conn, c => {
        let mut query = r::call_requests.order(r::created_at.desc()).limit(limit).into_boxed();
        if let Some(enterprise) = enterprise {
            query = query.filter(r::enterprise_id.eq(enterprise));
        }
        query.load(c)?
    });
    Ok(rows.into_iter().map(Request::from).collect())
}

/// What a CRM last told of one of its managers.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, serde::Serialize)]
pub struct ManagerStatus {
    pub integration: String,
    /// The CRM's id of the user.
    pub manager: String,
    pub status: String,
    #[diesel(deserialize_as = Time)]
    pub at: DateTime<Utc>,
}

/// Keeps what a CRM tells of a manager, in place of what it told before.
///
/// # Errors
/// The database's own.
pub fn save_status(
    conn: &mut Conn,
    enterprise: i64,
    told: &ManagerStatus,
) -> Result<(), StoreError> {
    use diesel::upsert::excluded;
    use manager_statuses::dsl as m;
    on!(conn, c => {
        diesel::insert_into(m::manager_statuses)
            .values((
                m::enterprise_id.eq(enterprise),
                m::integration.eq(&told.integration),
                m::manager.eq(&told.manager),
                m::status.eq(&told.status),
                m::updated_at.eq(Time::from(told.at)),
            ))
            .on_conflict((m::enterprise_id, m::integration, m::manager))
            .do_update()
            .set((m::status.eq(excluded(m::status)), m::updated_at.eq(excluded(m::updated_at))))
            .execute(c)?
    });
    Ok(())
}

/// What is known of the managers of an enterprise.
///
/// # Errors
/// The database's own.
pub fn statuses(conn: &mut Conn, enterprise: i64) -> Result<Vec<ManagerStatus>, StoreError> {
    use manager_statuses::dsl as m;
    Ok(on!(conn, c => {
        m::manager_statuses
            .filter(m::enterprise_id.eq(enterprise))
            .order((m::integration, m::manager))
            .select((m::integration, m::manager, m::status, m::updated_at))
            .load(c)?
    }))
}
