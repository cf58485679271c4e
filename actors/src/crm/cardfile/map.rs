//! Our notice as a call of the card file. Pure. It knows three results: a call whose end nobody saw was talked on when somebody
//! talked.

use serde::Serialize;

use crate::call::record::{Direction, Notice, Outcome};

/// A call as the file keeps it.
#[derive(Debug, Serialize)]
pub struct Call {
    #[serde(skip)]
    pub id: String,
    pub phone: String,
    pub outgoing: bool,
    pub extension: Option<String>,
    pub result: &'static str,
    pub seconds: i32,
    pub recording: Option<String>,
}

/// The notice's call.
pub fn call(notice: &Notice, public_url: &str) -> Call {
    let record = &notice.record;
    let recorded = !record.recording.is_empty() && !public_url.is_empty();
    Call {
        id: record.unique_id.clone(),
        phone: record.phone.clone().unwrap_or_default(),
        outgoing: record.direction == Direction::Out,
        extension: record.people().first().map(|one| (*one).to_owned()),
        result: match record.outcome {
            _ if !record.talked.is_empty() => "talked",
            Some(Outcome::Busy) => "busy",
            _ => "missed",
        },
        seconds: record.talk_seconds.max(0),
        recording: recorded.then(|| format!("{public_url}/recordings/file/{}", record.uuid)),
    }
}
