//! Our words to amoCRM's: a notice becomes a pop-up event, a call or an item among the unsorted leads. Called by
//! `mod.rs`. Pure; members without a value are left out, because notes refuse `null`.

use serde::Serialize;
use serde_json::{Value, json};

use super::settings::Settings;
use crate::call::record::{Direction, Notice, Outcome, Record};
use crate::integration::connector::Place;

/// How we are known to the CRM: shown beside each call, and the uid of the source of unsorted leads. Never changes: the
/// CRM would take another one for another telephony.
const SOURCE: &str = "patchbay";

/// What the mapping needs to know of the enterprise, taken once per configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    public_url: String,
}

impl Facts {
    /// From our own address.
    pub fn of(place: &Place<'_>) -> Self {
        Self {
            public_url: place.public_url.trim_end_matches('/').to_owned(),
        }
    }
}

/// One member of the list posted to `/api/v4/calls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// inbound | outbound.
    pub direction: &'static str,
    /// Our unique id. The CRM keeps it, but does not look whether it has it.
    pub uniq: String,
    /// Seconds of talk.
    pub duration: i32,
    pub source: &'static str,
    /// https, or browsers do not play it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    pub phone: String,
    pub call_status: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responsible_user_id: Option<i64>,
    /// A user's id, or the extension where no user has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_responsible: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    pub request_id: &'static str,
}

/// The body of the pop-up of an incoming call.
///
/// # Errors
/// Words when no user of the CRM has one of the extensions: an event without users is shown to everybody.
pub fn popup(notice: &Notice, settings: &Settings) -> Result<Value, String> {
    let record = &notice.record;
    if record.direction == Direction::Out {
        return Err("amoCRM shows a card for incoming calls only".into());
    }
    let mut users: Vec<i64> = Vec::new();
    for extension in &notice.extensions {
        users.extend(settings.user_of(extension).filter(|id| !users.contains(id)));
    }
    if users.is_empty() {
        return Err(format!(
            "no amoCRM user is assigned to {}",
            notice.extensions.join(", ")
        ));
    }
    let phone = record.phone.as_deref().unwrap_or_default();
    Ok(json!({"add": [{"type": "phone_call", "phone_number": phone, "users": users}]}))
}

/// The call as it stands in the client's history.
pub fn call(notice: &Notice, settings: &Settings, facts: &Facts) -> Call {
    let record = &notice.record;
    let whose = responsible(record);
    let user = whose.and_then(|extension| settings.user_of(extension));
    Call {
        direction: if record.direction == Direction::Out {
            "outbound"
        } else {
            "inbound"
        },
        uniq: record.unique_id.clone(),
        duration: record.talk_seconds.max(0),
        source: SOURCE,
        link: link(record, facts),
        phone: record.phone.clone().unwrap_or_default(),
        call_status: status(record),
        responsible_user_id: user,
        call_responsible: user
            .map(Value::from)
            .or_else(|| whose.map(|extension| json!(extension))),
        created_by: user,
        created_at: record.received_at.timestamp(),
        request_id: "0",
    }
}

/// The body of an item among the unsorted leads. Which members the CRM demands is not documented, so all are sent; the
/// client's number stands in `phone` and in the older `from`, whose meaning the CRM has changed.
pub fn unsorted(call: &Call) -> Value {
    let mut metadata = json!({
        "uniq": call.uniq, "phone": call.phone, "from": call.phone, "called_at": call.created_at,
        "duration": call.duration, "service_code": SOURCE, "is_call_event_needed": true,
    });
    if let Some(link) = &call.link {
        metadata["link"] = json!(link);
    }
    if let Some(whose) = &call.call_responsible {
        metadata["call_responsible"] = whose.clone();
    }
    json!([{
        "source_uid": SOURCE, "source_name": "Patchbay", "created_at": call.created_at, "request_id": "0",
        "metadata": metadata,
        "_embedded": {"contacts": [person(&call.phone)], "leads": [{"name": call.phone}]},
    }])
}

/// The body of a new contact: nothing but its number is known.
pub fn contact(call: &Call) -> Value {
    let mut contact = person(&call.phone);
    contact["request_id"] = json!("0");
    if let Some(user) = call.responsible_user_id {
        contact["responsible_user_id"] = json!(user);
    }
    json!([contact])
}

fn person(phone: &str) -> Value {
    json!({"name": phone, "custom_fields_values": [
        {"field_code": "PHONE", "values": [{"value": phone, "enum_code": "WORK"}]},
    ]})
}

/// What the CRM compares of a number: its last ten digits.
pub fn tail(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(10)..].iter().collect()
}

/// Whose call it was: who answered first; nobody did: who made it, else who was rung first.
fn responsible(record: &Record) -> Option<&str> {
    let first = record.talked.first().or(record.made_by.as_ref());
    first.or(record.rung.first()).map(String::as_str)
}

/// 4 talked, 5 wrong number, 6 no answer, 7 busy. A lost call is one whose end nobody saw.
fn status(record: &Record) -> u8 {
    match record.outcome {
        Some(Outcome::Answered) => 4,
        Some(Outcome::Lost) if !record.talked.is_empty() => 4,
        Some(Outcome::Failed) => 5,
        Some(Outcome::Busy) => 7,
        Some(Outcome::Missed | Outcome::Lost) | None => 6,
    }
}

fn link(record: &Record, facts: &Facts) -> Option<String> {
    let heard = record.outcome == Some(Outcome::Answered) && !record.recording.is_empty();
    (heard && !facts.public_url.is_empty())
        .then(|| format!("{}/recordings/file/{}", facts.public_url, record.uuid))
}
