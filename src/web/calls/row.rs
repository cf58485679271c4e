//! A call as pages and JSON show it: the record with the names that its enterprise's configuration gives. Drawn from
//! the board for live calls, from the `calls` table for ended ones. Pure.

use actors::cache::Enterprise;
use actors::call::record::{Phase, Record};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// One call. Ids are texts: a browser's numbers cannot hold them.
#[derive(Clone, Debug, Serialize)]
pub struct CallRow {
    pub id: String,
    pub uuid: String,
    pub unique_id: String,
    pub linked_id: String,
    pub enterprise_number: String,
    pub enterprise_name: String,
    /// The enterprise's time zone, for showing times.
    pub zone: String,
    /// ringing, dialing, talking, held or ended.
    pub phase: &'static str,
    /// answered, missed, busy, failed or lost; `None` while live.
    pub result: Option<&'static str>,
    /// in, out or internal.
    pub direction: &'static str,
    /// E.164, or the extension called; `None`: withheld or not understood.
    pub phone: Option<String>,
    pub raw_phone: String,
    /// The client's name where a CRM told it. Untrusted.
    pub client: Option<String>,
    pub people: Vec<PersonRow>,
    pub rung: Vec<String>,
    pub talked: Vec<String>,
    pub made_by: Option<String>,
    pub line: String,
    pub line_name: String,
    pub received_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// From when the running clock counts: the answer, else the beginning.
    pub since: DateTime<Utc>,
    pub since_seconds: i64,
    pub wait_seconds: i32,
    pub talk_seconds: i32,
    pub recording: String,
    pub hung_up_by: String,
    pub request_id: String,
    pub events_count: i32,
    pub data_source: String,
    pub fault: String,
    pub deliveries: Deliveries,
}

/// An extension of a call and whose it is.
#[derive(Clone, Debug, Serialize)]
pub struct PersonRow {
    pub extension: String,
    pub name: String,
    /// Talks with the client at this moment.
    pub talking: bool,
}

/// How many deliveries of a call stand where; all zero where nobody asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deliveries {
    pub done: i64,
    pub open: i64,
    pub missed: i64,
    pub failed: i64,
}

impl CallRow {
    /// Draws a record. `enterprise` is `None` only when its configuration is not known at the moment.
    pub fn draw(
        record: &Record,
        client: Option<&str>,
        enterprise: Option<&Enterprise>,
        now: DateTime<Utc>,
    ) -> CallRow {
        let since = match record.phase {
            Phase::Talking | Phase::Held => record.answered_at.unwrap_or(record.received_at),
            _ => record.received_at,
        };
        let name = |extension: &str| {
            enterprise
                .and_then(|enterprise| enterprise.extensions.get(extension))
                .map(|person| person.name.clone())
                .unwrap_or_default()
        };
        CallRow {
            id: record.call.0.to_string(),
            uuid: record.uuid.to_string(),
            unique_id: record.unique_id.clone(),
            linked_id: record.linked_id.clone(),
            enterprise_number: enterprise
                .map(|enterprise| enterprise.number.clone())
                .unwrap_or_default(),
            enterprise_name: enterprise
                .map(|enterprise| enterprise.name.clone())
                .unwrap_or_default(),
            zone: enterprise
                .map_or(chrono_tz::UTC, |enterprise| enterprise.time_zone)
                .name()
                .to_owned(),
            phase: record.phase.as_str(),
            result: record.outcome.map(|outcome| outcome.as_str()),
            direction: record.direction.as_str(),
            phone: record.phone.clone(),
            raw_phone: record.raw_phone.clone(),
            client: client
                .map(str::to_owned)
                .filter(|client| !client.is_empty()),
            people: record
                .people()
                .into_iter()
                .map(|extension| PersonRow {
                    extension: extension.to_owned(),
                    name: name(extension),
                    talking: record.talking.as_deref() == Some(extension),
                })
                .collect(),
            rung: record.rung.clone(),
            talked: record.talked.clone(),
            made_by: record.made_by.clone(),
            line: record.line.clone(),
            line_name: enterprise
                .and_then(|enterprise| enterprise.lines.get(&record.line))
                .map(|line| line.name.clone())
                .unwrap_or_default(),
            received_at: record.received_at,
            answered_at: record.answered_at,
            ended_at: record.ended_at,
            since,
            since_seconds: (now - since).num_seconds().max(0),
            wait_seconds: record.wait_seconds,
            talk_seconds: record.talk_seconds,
            recording: record.recording.clone(),
            hung_up_by: record.hung_up_by.clone(),
            request_id: record.request_id.clone(),
            events_count: record.events_count,
            data_source: record.data_source.clone(),
            fault: String::new(),
            deliveries: Deliveries::default(),
        }
    }
}
