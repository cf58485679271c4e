//! The state machine of a call: a pure function of its events. The actor hands events in, the rebuild does
//! the same from the journal; nothing here reads a clock, a table or a setting.
//!
//! ```text
//!            start            dial                bridge
//!   (none) ─────────▶ ringing ─────▶ dialing ───────────────▶ talking ◀──┐ bridge: another
//!      │                 │              │ ▲                     │   │    │ extension took over
//!      │ dial, bridge,   │              │ └──── dial (transfer) ┘   ├────┘
//!      │ hangup: any of  │              │                           │ the client leaves the bridge
//!      │ them may be the │              │                           ▼
//!      │ first           │              │                         held ──▶ talking
//!      ▼                 ▼              ▼                           │
//!   ended ◀── every leg of the client has its hangup ───────────────┘
//!     │ ▲
//!     │ └── or none came for too long: lost
//!     └───▶ a late leg (a transfer that starts after the hangup) opens the call again
//! ```
//!
//! Order does not matter: each event is a fact, facts are kept in the order of the host's time, and what the
//! call is follows from all of them. So the same events, whatever order they arrived in and however often,
//! give the same record.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::course::{Course, SECOND, client_channels};
use super::event::{Event, EventKind};
use super::facts::{Fact, Facts, Word};
use super::legs::{Leg, Part, find_legs};
use super::number;
use super::record::{CallId, Direction, Outcome, Record};
use crate::cache::snapshot::Enterprise;

/// What is remembered of one call while it lives.
#[derive(Clone, Debug)]
pub struct CallState {
    pub id: CallId,
    pub enterprise: i64,
    pub uuid: Uuid,
    pub recovered: bool,
    facts: Facts,
    /// Raw external numbers met and what they are in E.164: normalising is dearer than everything else here.
    numbers: Vec<(Box<str>, Option<Box<str>>)>,
}

impl CallState {
    /// A call of which nothing is known yet.
    pub fn new(id: CallId, enterprise: i64, uuid: Uuid) -> CallState {
        CallState {
            id,
            enterprise,
            uuid,
            recovered: false,
            facts: Facts::default(),
            numbers: Vec::new(),
        }
    }

    /// Takes an event in; false when it was there already.
    pub fn apply(&mut self, event: &Event) -> bool {
        self.facts.insert(event)
    }

    /// Takes in everything of a call that turned out to be a part of this one.
    pub fn absorb(&mut self, other: &CallState) {
        self.facts.absorb(&other.facts);
    }

    /// Whether this event was taken in before.
    pub fn knows(&self, key: &[u8; 16]) -> bool {
        self.facts.contains(key)
    }

    /// Whether this call has a client of its own, so that it must not disappear in another call.
    pub fn has_own_client(&self, enterprise: &Enterprise) -> bool {
        let internal = |text: &str| number::is_internal(text, enterprise);
        let legs = find_legs(&self.facts, &internal);
        legs.iter().any(|leg| {
            leg.part == Part::Primary
                && leg.direction != Direction::Internal
                && leg.started
                && leg.first(|fact| fact.parent_id) == 0
        })
    }

    /// The call as its events so far make it; `None` while only refining events came (no call to show yet).
    pub fn record(&mut self, enterprise: &Enterprise) -> Option<Record> {
        let internal = |text: &str| number::is_internal(text, enterprise);
        let legs = find_legs(&self.facts, &internal);
        let primary = legs.iter().find(|leg| leg.part == Part::Primary)?;
        let raw_phone = client_number(&self.facts, primary, &internal);
        let line = self.facts.text(primary.first(|fact| fact.line)).to_owned();
        let phone = match primary.direction {
            Direction::Internal => Some(raw_phone.clone()).filter(|text| !text.is_empty()),
            // A line's rules are for what comes in over it; a dialled number is written in the country's way.
            Direction::In => known_number(&mut self.numbers, &raw_phone, &line, enterprise),
            Direction::Out => known_number(&mut self.numbers, &raw_phone, "", enterprise),
        };
        let course = Course::follow(&self.facts, &legs, primary, &internal);
        let text = |word: Word| self.facts.text(word);
        let made_by = made_by(&self.facts, primary, &internal);
        let client = phone
            .as_deref()
            .filter(|_| primary.direction != Direction::Internal);
        let rung = write_out(
            rung(&self.facts, &legs, primary, made_by.as_deref()),
            client,
            enterprise,
        );
        let talked = write_out(course.talked, client, enterprise);
        let end = course.end;
        let answered = course.answered_at;
        let finished = end.as_ref().map(|end| end.at);
        let talk_end = end
            .as_ref()
            .map(|end| if end.lost { course.last_heard } else { end.at });
        let seconds = |from: i64, to: i64| {
            i32::try_from((to - from + SECOND / 2).max(0) / SECOND).unwrap_or(i32::MAX)
        };
        let outcome = end
            .as_ref()
            .map(|end| outcome(&self.facts, &legs, primary, end.lost, answered.is_some()));
        let linked = primary.first(|fact| fact.linked_id);
        Some(Record {
            call: self.id,
            enterprise: self.enterprise,
            uuid: self.uuid,
            unique_id: text(primary.unique_id).to_owned(),
            linked_id: text(if linked == 0 {
                primary.unique_id
            } else {
                linked
            })
            .to_owned(),
            direction: primary.direction,
            phase: course.phase,
            outcome,
            phone,
            raw_phone,
            line,
            rung,
            talking: course.talking,
            made_by,
            received_at: time(course.received),
            answered_at: answered.map(time),
            ended_at: finished.map(time),
            wait_seconds: answered
                .or(finished)
                .map_or(0, |to| seconds(course.received, to)),
            talk_seconds: match (answered, talk_end) {
                (Some(from), Some(to)) => seconds(from, to),
                _ => 0,
            },
            recording: if answered.is_some() {
                text(primary.first(|fact| fact.recording)).to_owned()
            } else {
                String::new()
            },
            hung_up_by: if end.is_some() {
                hung_up_by(&self.facts, primary, answered.is_some())
            } else {
                String::new()
            },
            request_id: legs
                .iter()
                .map(|leg| leg.first(|fact| fact.request_id))
                .find(|word| *word != 0)
                .map_or_else(String::new, |word| text(word).to_owned()),
            talked,
            events_count: self.facts.count,
            data_source: if self.recovered { "recovery" } else { "live" }.to_owned(),
        })
    }
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

fn known_number(
    numbers: &mut Vec<(Box<str>, Option<Box<str>>)>,
    raw: &str,
    line: &str,
    enterprise: &Enterprise,
) -> Option<String> {
    if let Some((_, number)) = numbers.iter().find(|(known, _)| **known == *raw) {
        return number.as_deref().map(str::to_owned);
    }
    let number = number::normalise(raw, line, enterprise);
    numbers.reserve_exact(1);
    numbers.push((raw.into(), number.as_deref().map(Into::into)));
    number
}

/// The number of the other side: the caller of an incoming call, the callee of an outgoing or internal one.
fn client_number(facts: &Facts, primary: &Leg<'_>, is_internal: &dyn Fn(&str) -> bool) -> String {
    let phone = facts.text(primary.first(|fact| fact.phone));
    let other = match primary.direction {
        Direction::In => facts.text(primary.first(|fact| fact.caller)),
        Direction::Out | Direction::Internal => facts.text(primary.first(|fact| fact.connected)),
    };
    let named = if phone.is_empty() { other } else { phone };
    if primary.direction == Direction::Internal && !is_internal(named) {
        let rung = primary
            .of(EventKind::Dial)
            .flat_map(|dial| facts.extensions(dial))
            .next();
        return rung.unwrap_or(named).to_owned();
    }
    named.to_owned()
}

/// The extension that made an outgoing or internal call, where one did: a click-to-call's agent leg is
/// made by the server itself and has no caller.
fn made_by(facts: &Facts, primary: &Leg<'_>, is_internal: &dyn Fn(&str) -> bool) -> Option<String> {
    let caller = facts.text(primary.first(|fact| fact.caller));
    match primary.direction {
        Direction::In => None,
        _ if is_internal(caller) => Some(caller.to_owned()),
        Direction::Internal => None,
        Direction::Out => {
            let named = primary
                .facts
                .iter()
                .flat_map(|fact| facts.extensions(fact))
                .find(|text| is_internal(text));
            named.map(str::to_owned)
        }
    }
}

/// Extensions rung for the client, in order. The maker of an outgoing call is not rung by it, nor by the
/// agent's leg of a click-to-call. Of an incoming call without a dial its hangup tells, as its Extensions are those rung.
fn rung(facts: &Facts, legs: &[Leg<'_>], primary: &Leg<'_>, made_by: Option<&str>) -> Vec<String> {
    let external = primary.direction != Direction::Internal;
    let mut dials: Vec<&Fact> = legs
        .iter()
        .filter(|leg| match leg.part {
            // A colleague asked by phone rings for the client; the agent's leg of a click-to-call has no caller.
            Part::Internal => !external || leg.first(|fact| fact.caller) != 0,
            _ => true,
        })
        .flat_map(|leg| leg.of(EventKind::Dial))
        .collect();
    dials.sort_by_key(|fact| fact.at);
    if dials.is_empty() && primary.direction == Direction::In {
        dials.extend(primary.hangup());
    }
    let mut list: Vec<String> = Vec::new();
    for extension in dials.into_iter().flat_map(|dial| facts.extensions(dial)) {
        let maker = primary.direction == Direction::Out && Some(extension) == made_by;
        if !maker && !list.iter().any(|known| known == extension) {
            list.push(extension.to_owned());
        }
    }
    list
}

/// Extensions as they are, outside numbers (a forwarded call's mobile) in E.164, the client's own left out, none twice.
fn write_out(parties: Vec<String>, client: Option<&str>, enterprise: &Enterprise) -> Vec<String> {
    let mut list: Vec<String> = Vec::with_capacity(parties.len());
    for party in parties {
        let party = if number::is_internal(&party, enterprise) {
            party
        } else {
            number::to_e164(&party, &enterprise.country).unwrap_or(party)
        };
        if Some(party.as_str()) != client && !list.contains(&party) {
            list.push(party);
        }
    }
    list
}

/// What an ended call came to. That somebody talked counts more than any status a host sends.
fn outcome(
    facts: &Facts,
    legs: &[Leg<'_>],
    primary: &Leg<'_>,
    lost: bool,
    answered: bool,
) -> Outcome {
    if lost {
        return Outcome::Lost;
    }
    if answered {
        return Outcome::Answered;
    }
    let hangup = primary
        .hangup()
        .or_else(|| legs.iter().find_map(|leg| leg.hangup()));
    let Some(hangup) = hangup else {
        return Outcome::Missed;
    };
    let status = facts.text(hangup.dial_status);
    let cause = hangup.hangup_cause;
    if status == "BUSY" || (status.is_empty() && cause == Some(17)) {
        return Outcome::Busy;
    }
    // A phone of ours that is not there is a missed call; a number that cannot be reached is a failed one.
    let unreachable = matches!(status, "CHANUNAVAIL" | "CONGESTION")
        || (status.is_empty()
            && matches!(
                cause,
                Some(1 | 2 | 3 | 27 | 28 | 34 | 38 | 41 | 42 | 44 | 58 | 63 | 88)
            ));
    if primary.direction == Direction::Out && unreachable {
        Outcome::Failed
    } else {
        Outcome::Missed
    }
}

/// Who ended the call, where the events show it: the first of the two channels to leave the last bridge, or
/// the one who gave up ringing.
fn hung_up_by(facts: &Facts, primary: &Leg<'_>, answered: bool) -> String {
    let (client, agent) = ("client".to_owned(), "agent".to_owned());
    let leaves = || {
        facts
            .iter()
            .filter(|fact| fact.kind == EventKind::BridgeLeave)
    };
    if answered {
        let Some(last) = leaves().next_back() else {
            return String::new();
        };
        let first = leaves()
            .find(|fact| fact.bridge_id == last.bridge_id && fact.bridge_channels == Some(1));
        let channels = client_channels(&[primary]);
        return match first {
            Some(fact) if channels.contains(&fact.unique_id) => client,
            Some(_) if !channels.is_empty() => agent,
            _ => String::new(),
        };
    }
    let Some(hangup) = primary.hangup() else {
        return String::new();
    };
    let gave_up = facts.text(hangup.dial_status) == "CANCEL" || hangup.hangup_cause == Some(127);
    match primary.direction {
        Direction::In if gave_up => client,
        Direction::Out if gave_up => agent,
        _ => String::new(),
    }
}
