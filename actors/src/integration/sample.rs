//! Calls and enterprises for tests of this folder and of every CRM's: one story, changed where a test needs it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::cache::snapshot::{Enterprise, Integration, Line, Person};
use crate::call::record::{CallId, Direction, Notice, NoticeKind, Outcome, Phase, Record};

/// 2026-03-01 11:05:09 UTC: 14:05:09 in Minsk.
pub fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_363_109, 0).unwrap_or_default()
}

/// The enterprise "0367" with extensions 150 to 152, two lines and the integrations given.
pub fn enterprise(integrations: &[(&str, Value)]) -> Enterprise {
    let person = |name: &str| Person {
        user_id: None,
        name: name.into(),
    };
    let line = |name: &str| Line {
        name: name.into(),
        rules: Vec::new(),
    };
    Enterprise {
        id: 1,
        number: "0367".into(),
        name: "june".into(),
        token: "tok".to_owned().into(),
        active: true,
        country: "BY".into(),
        time_zone: chrono_tz::Europe::Minsk,
        language: "ru".into(),
        bot_token: None,
        secret: None,
        debug_log: false,
        settings: Value::Null,
        extensions: HashMap::from([
            ("150".into(), person("Anna")),
            ("151".into(), person("Boris")),
            ("152".into(), person("")),
        ]),
        lines: HashMap::from([
            ("0001367".into(), line("+375 17 200-00-00")),
            ("0001368".into(), line("Sales")),
        ]),
        primary: None,
        integrations: integrations
            .iter()
            .map(|(name, settings)| {
                (
                    (*name).to_owned(),
                    Integration {
                        enabled: true,
                        settings: settings.clone(),
                    },
                )
            })
            .collect::<BTreeMap<_, _>>(),
        has_telegram_subscribers: false,
        host: Default::default(),
    }
}

/// An incoming call that rings 150 and 151.
pub fn ringing(call: i64) -> Record {
    Record {
        call: CallId(call),
        enterprise: 1,
        uuid: uuid::Uuid::from_u128(
            0x0193_5d00_0000_7000_8000_0000_0000_0000 + u128::from(call.unsigned_abs()),
        ),
        unique_id: format!("1772363109.{call}"),
        linked_id: format!("1772363109.{call}"),
        direction: Direction::In,
        phase: Phase::Dialing,
        outcome: None,
        phone: Some("+375296254070".into()),
        raw_phone: "80296254070".into(),
        line: "0001367".into(),
        rung: vec!["150".into(), "151".into()],
        talked: Vec::new(),
        talking: None,
        made_by: None,
        received_at: morning(),
        answered_at: None,
        ended_at: None,
        wait_seconds: 0,
        talk_seconds: 0,
        recording: String::new(),
        hung_up_by: String::new(),
        request_id: String::new(),
        events_count: 2,
        data_source: "live".into(),
    }
}

/// The same call at its end: 151 talked for a minute.
pub fn answered(call: i64) -> Record {
    Record {
        phase: Phase::Ended,
        outcome: Some(Outcome::Answered),
        talked: vec!["151".into()],
        answered_at: Some(morning() + chrono::Duration::seconds(9)),
        ended_at: Some(morning() + chrono::Duration::seconds(71)),
        wait_seconds: 9,
        talk_seconds: 62,
        recording: "1772363109.wav".into(),
        hung_up_by: "client".into(),
        events_count: 4,
        ..ringing(call)
    }
}

/// The same call when nobody answered, or as `outcome` says.
pub fn unanswered(call: i64, outcome: Outcome) -> Record {
    Record {
        outcome: Some(outcome),
        talked: Vec::new(),
        answered_at: None,
        wait_seconds: 30,
        talk_seconds: 0,
        recording: String::new(),
        ..answered(call)
    }
}

/// The same call the other way: 150 called out.
pub fn outgoing(record: Record) -> Record {
    let talked = if record.talked.is_empty() {
        Vec::new()
    } else {
        vec!["150".to_owned()]
    };
    Record {
        direction: Direction::Out,
        rung: Vec::new(),
        made_by: Some("150".into()),
        talked,
        ..record
    }
}

/// What a CRM would be told.
pub fn notice(kind: NoticeKind, record: Record) -> Notice {
    let extensions = match kind {
        NoticeKind::Dial => record.rung.clone(),
        NoticeKind::Bridge => record.talked.clone(),
        NoticeKind::Start | NoticeKind::Hangup | NoticeKind::Upload | NoticeKind::Recording => {
            Vec::new()
        }
    };
    Notice {
        kind,
        extensions,
        synthetic: false,
        at: None,
        record,
    }
}
