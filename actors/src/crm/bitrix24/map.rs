//! Our words to Bitrix24's: whose call it is, the parameters of register and finish, what is kept of a call. Called by
//! `deliver.rs`. Pure.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::Settings;
use crate::call::record::{Direction, Outcome, Record};
use crate::integration::connector::Place;

/// Characters of a line's name that Bitrix24 keeps.
const LINE: usize = 50;

/// Digits of an inner number at most.
const LONGEST_INNER: usize = 6;

/// What the mapping needs to know of the enterprise, taken once per configuration.
#[derive(Clone, Debug)]
pub struct Facts {
    public_url: String,
    time_zone: Tz,
    /// Where Bitrix24 reaches us, once the settings are saved.
    pub address: Option<String>,
}

impl Facts {
    /// From the enterprise and our own address.
    pub fn of(place: &Place<'_>, settings: &Value) -> Self {
        Self {
            public_url: place.public_url.trim_end_matches('/').to_owned(),
            time_zone: place.enterprise.time_zone,
            address: place
                .address("bitrix24", settings)
                .filter(|_| !place.public_url.is_empty()),
        }
    }
}

/// What is kept of a call from one delivery to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Bitrix24's own id of it; empty: not registered, or lost there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    /// On whose screens its card is, as far as we told it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<i64>,
    /// A visitor of the site asked for it, then.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub asked: String,
    /// It is in the statistics.
    #[serde(skip_serializing_if = "is_false")]
    pub finished: bool,
    /// Its recording is there, or it has none.
    #[serde(skip_serializing_if = "is_false")]
    pub recorded: bool,
    /// The portal has lost it once: a second time is no accident.
    #[serde(skip_serializing_if = "is_false")]
    pub lost: bool,
    /// Whose client it was, for the outcome's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Memory {
    /// What was kept; nothing at first.
    pub fn read(kept: &Value) -> Self {
        serde_json::from_value(kept.clone()).unwrap_or_default()
    }

    /// To be kept.
    pub fn write(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Somebody of the CRM, as its methods name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A user's id.
    User(i64),
    /// The extension of somebody whom only Bitrix24 knows.
    Inner(String),
}

impl Who {
    /// As a parameter.
    fn param(&self) -> (&'static str, String) {
        match self {
            Who::User(id) => ("USER_ID", id.to_string()),
            Who::Inner(extension) => ("USER_PHONE_INNER", extension.clone()),
        }
    }
}

/// The users who have these extensions, each once.
pub fn users<'a>(
    settings: &Settings,
    extensions: impl IntoIterator<Item = &'a String>,
) -> Vec<i64> {
    let mut users = Vec::new();
    for extension in extensions {
        users.extend(settings.user_of(extension).filter(|id| !users.contains(id)));
    }
    users
}

/// Those of these extensions that nobody in our settings has.
pub fn unassigned(settings: &Settings, extensions: &[String]) -> Vec<String> {
    let free = |extension: &&String| settings.user_of(extension).is_none();
    extensions.iter().filter(free).cloned().collect()
}

/// Who can be named for a call with these extensions: first those whom we know, then those whom Bitrix24 may.
pub fn candidates(settings: &Settings, extensions: &[String]) -> Vec<Who> {
    let known = users(settings, extensions).into_iter().map(Who::User);
    let others = unassigned(settings, extensions).into_iter();
    let others = others.filter(|extension| is_inner(extension));
    known.chain(others.map(Who::Inner)).collect()
}

/// Whether it can be an inner number, and not one of the outside.
fn is_inner(extension: &str) -> bool {
    extension.len() <= LONGEST_INNER && extension.chars().all(|c| c.is_ascii_digit())
}

/// Whose call it was: who answered first; nobody did: who made it, else those who were rung; at last the one who has the
/// calls that nobody has.
pub fn responsible(record: &Record, settings: &Settings, owner: Option<i64>) -> Vec<Who> {
    let mut extensions: Vec<String> = Vec::new();
    for extension in record
        .talked
        .iter()
        .chain(&record.made_by)
        .chain(&record.rung)
    {
        if !extensions.contains(extension) {
            extensions.push(extension.clone());
        }
    }
    let mut all: Vec<Who> = extensions
        .iter()
        .filter_map(|extension| match settings.user_of(extension) {
            Some(user) => Some(Who::User(user)),
            // Forwarded to a mobile, a call was taken by nobody of the portal.
            None => is_inner(extension).then(|| Who::Inner(extension.clone())),
        })
        .collect();
    all.extend(settings.default_user.or(owner).map(Who::User));
    let mut seen: Vec<Who> = Vec::new();
    all.retain(|who| {
        let fresh = !seen.contains(who);
        seen.push(who.clone());
        fresh
    });
    all
}

/// The parameters of register. Named by our unique id, so that two calls from one number are two, and the same told twice
/// is one.
pub fn register(
    record: &Record,
    who: &Who,
    shown: bool,
    asked_for: bool,
    settings: &Settings,
    facts: &Facts,
) -> Vec<(&'static str, String)> {
    let kind = match record.direction {
        Direction::Out if asked_for => 4,
        Direction::Out => 1,
        Direction::In | Direction::Internal => 2,
    };
    let start = record.received_at.with_timezone(&facts.time_zone);
    let create = settings.strangers.of(record).is_ok();
    let mut params = vec![
        who.param(),
        ("PHONE_NUMBER", record.phone.clone().unwrap_or_default()),
        ("TYPE", kind.to_string()),
        (
            "CALL_START_DATE",
            start.format("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        ),
        ("CRM_CREATE", u8::from(create).to_string()),
        ("SHOW", u8::from(shown).to_string()),
        ("ADD_TO_CHAT", u8::from(settings.add_to_chat).to_string()),
        ("EXTERNAL_CALL_ID", record.unique_id.clone()),
    ];
    if settings.send_line && !record.line.is_empty() {
        let line = record.line.chars().take(LINE).collect();
        params.push(("LINE_NUMBER", line));
    }
    params
}

/// The parameters of finish.
pub fn finish(
    record: &Record,
    call_id: &str,
    who: &Who,
    settings: &Settings,
) -> Vec<(&'static str, String)> {
    vec![
        ("CALL_ID", call_id.to_owned()),
        who.param(),
        ("DURATION", record.talk_seconds.max(0).to_string()),
        ("STATUS_CODE", status(record).to_owned()),
        // What holds where it is left out, documentation and source tell differently.
        ("ADD_TO_CHAT", u8::from(settings.add_to_chat).to_string()),
    ]
}

/// An incoming call that nobody took is missed, whatever the reason: only so Bitrix24 counts it among those to be called
/// back.
fn status(record: &Record) -> &'static str {
    match (record.outcome, record.direction) {
        (Some(Outcome::Answered), _) => "200",
        (Some(Outcome::Lost), _) if !record.talked.is_empty() => "200",
        (_, Direction::In | Direction::Internal) => "304",
        (Some(Outcome::Busy), Direction::Out) => "486",
        (Some(Outcome::Failed), Direction::Out) => "404",
        (Some(Outcome::Missed) | None, Direction::Out) => "603-S",
        (Some(Outcome::Lost), Direction::Out) => "OTHER",
    }
}

/// Address and file name of the recording, where there is one. Bitrix24 takes names in wav and mp3 only, and its address
/// has no ending of its own.
pub fn recording(record: &Record, facts: &Facts) -> Option<(String, String)> {
    let heard = record.outcome == Some(Outcome::Answered) && !record.recording.is_empty();
    if !heard || facts.public_url.is_empty() {
        return None;
    }
    let ending = match record.recording.rsplit_once('.') {
        Some((_, ending)) if ending.eq_ignore_ascii_case("mp3") => "mp3",
        _ => "wav",
    };
    let url = format!("{}/recordings/file/{}", facts.public_url, record.uuid);
    Some((url, format!("{}.{ending}", record.unique_id)))
}
