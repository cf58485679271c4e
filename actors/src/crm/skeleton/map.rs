//! Our notice in the CRM's words. Pure. Write the CRM's spelling of results, directions and dates here and nowhere
//! else, and say in a comment where one of them bites.

use chrono_tz::Tz;
use serde::Serialize;

use crate::call::record::{Direction, Notice, Outcome};

/// A call as this CRM keeps it.
#[derive(Debug, Serialize)]
pub struct Call {
    pub id: String,
    pub direction: &'static str,
    pub phone: String,
    /// Whose call it was; nobody's when no extension was rung.
    pub extension: Option<String>,
    /// In the enterprise's own time, as this CRM wants it.
    pub begun: String,
    pub result: &'static str,
    pub seconds: i32,
    /// Where the recording is heard. It may come later: then the notice is of its own kind, and the same call is put again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

/// The notice's call.
pub fn call(notice: &Notice, public_url: &str, time_zone: Tz) -> Call {
    let record = &notice.record;
    Call {
        id: record.unique_id.clone(),
        direction: if record.direction == Direction::Out {
            "outgoing"
        } else {
            "incoming"
        },
        phone: record.phone.clone().unwrap_or_default(),
        extension: record.people().first().map(|one| (*one).to_owned()),
        begun: record
            .received_at
            .with_timezone(&time_zone)
            .format("%Y-%m-%dT%H:%M:%S")
            .to_string(),
        result: match record.outcome {
            None => "going on",
            Some(Outcome::Answered) => "talked",
            Some(Outcome::Busy) => "busy",
            Some(Outcome::Missed | Outcome::Failed | Outcome::Lost) => "not talked",
        },
        seconds: record.talk_seconds,
        recording: (!record.recording.is_empty() && !public_url.is_empty())
            .then(|| format!("{public_url}/recordings/file/{}", record.uuid)),
    }
}
