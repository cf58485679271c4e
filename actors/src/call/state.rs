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

use super::event::{Event, EventKind};
use super::facts::{Fact, Facts, Word};
use super::legs::{Leg, Part, find_legs};
use super::number;
use super::record::{CallId, Direction, Outcome, Phase, Record};
use crate::cache::snapshot::Enterprise;

/// A talk that a host says it ended within this time of the answer may be a Local channel stepping aside.
const OPTIMISED_WITHIN: i64 = 3_000_000;
const SECOND: i64 = 1_000_000;

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
/// agent's leg of a click-to-call.
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
    let mut list: Vec<String> = Vec::new();
    for extension in dials.into_iter().flat_map(|dial| facts.extensions(dial)) {
        let maker = primary.direction == Direction::Out && Some(extension) == made_by;
        if !maker && !list.iter().any(|known| known == extension) {
            list.push(extension.to_owned());
        }
    }
    list
}

/// How an ended call ended.
struct End {
    at: i64,
    lost: bool,
}

/// The course of a call: who talked with the client and when, what goes on now, how it ended.
struct Course {
    received: i64,
    last_heard: i64,
    talked: Vec<String>,
    talking: Option<String>,
    answered_at: Option<i64>,
    phase: Phase,
    end: Option<End>,
}

impl Course {
    fn follow(
        facts: &Facts,
        legs: &[Leg<'_>],
        primary: &Leg<'_>,
        is_internal: &dyn Fn(&str) -> bool,
    ) -> Course {
        let external = primary.direction != Direction::Internal;
        let of_client: Vec<&Leg<'_>> = legs
            .iter()
            .filter(|leg| match leg.part {
                Part::Primary => true,
                Part::Client | Part::Channel => external,
                Part::Internal => !external,
                Part::Consultation => false,
            })
            .collect();
        let main = || facts.iter().filter(|fact| fact.kind.is_main());
        let received = main().map(|fact| fact.at).min().unwrap_or_default();
        let last_heard = facts
            .iter()
            .filter(|fact| fact.kind != EventKind::Lost)
            .map(|fact| fact.at)
            .max()
            .unwrap_or(received);
        let talks = find_talks(facts, legs, &of_client, primary, is_internal);
        let mut talked: Vec<String> = Vec::new();
        for talk in talks.iter().filter(|talk| !talk.extension.is_empty()) {
            if !talked.iter().any(|known| known == talk.extension) {
                talked.push(talk.extension.to_owned());
            }
        }
        // Of a call whose hangup alone came, the host's own count tells when it began to talk.
        let only_ended = main().all(|fact| fact.kind == EventKind::Hangup);
        let received = match talks.first() {
            Some(first) if only_ended => first.at.min(received),
            _ => received,
        };
        let answered_at = talks.first().map(|talk| talk.at.max(received));
        let end = find_end(facts, legs, &of_client, &talks);
        let last_bridge = of_client
            .iter()
            .flat_map(|leg| leg.of(EventKind::Bridge))
            .max_by_key(|fact| fact.at);
        let last_dial = of_client
            .iter()
            .flat_map(|leg| leg.of(EventKind::Dial))
            .map(|fact| fact.at)
            .max();
        let left = client_leaves(facts, &of_client).map(|fact| fact.at).max();
        let phase = match (&end, last_bridge, last_dial) {
            (Some(_), _, _) => Phase::Ended,
            (None, Some(bridge), Some(dial)) if dial > bridge.at => Phase::Dialing,
            (None, Some(bridge), _)
                if left.is_some_and(|left| left > bridge.at) && !is_stepping_aside(legs) =>
            {
                Phase::Held
            }
            (None, Some(_), _) => Phase::Talking,
            (None, None, Some(_)) => Phase::Dialing,
            (None, None, None) if answered_at.is_some() => Phase::Talking,
            (None, None, None) => Phase::Ringing,
        };
        let talking = match phase {
            Phase::Talking => talks
                .last()
                .map(|talk| talk.extension.to_owned())
                .filter(|text| !text.is_empty()),
            _ => None,
        };
        Course {
            received,
            last_heard,
            talked,
            talking,
            answered_at,
            phase,
            end,
        }
    }
}

/// Somebody talking with the client, as one event shows it.
struct Talk<'a> {
    at: i64,
    extension: &'a str,
}

/// Every sign that somebody talked with the client, in order of time.
///
/// A bridge on one of the client's legs is the plain sign. Takeovers that no bridge event tells (an attended
/// transfer, a parked call fetched) show in whom the client's channel left last, or in the hangup's
/// LastConnected. A host that lost its bridge events still says at the hangup who answered.
fn find_talks<'a>(
    facts: &'a Facts,
    legs: &[Leg<'a>],
    of_client: &[&Leg<'a>],
    primary: &Leg<'a>,
    is_internal: &dyn Fn(&str) -> bool,
) -> Vec<Talk<'a>> {
    let mut talks: Vec<Talk<'a>> = Vec::new();
    for bridge in of_client.iter().flat_map(|leg| leg.of(EventKind::Bridge)) {
        let forwarded_to = legs
            .iter()
            .find(|leg| leg.unique_id == bridge.unique_id && is_forwarded(facts, leg, is_internal))
            .map(|leg| facts.text(leg.first(|fact| fact.phone)));
        let named = forwarded_to.or_else(|| facts.extensions(bridge).next());
        let sides = [bridge.connected, bridge.caller].map(|word| facts.text(word));
        let extension = named
            .or_else(|| sides.into_iter().find(|text| is_internal(text)))
            .unwrap_or("");
        talks.push(Talk {
            at: bridge.at,
            extension,
        });
    }
    // A consultation becomes a talk with the client once the client's number stands on its channel.
    let client = facts.text(primary.first(|fact| fact.caller));
    for leg in legs
        .iter()
        .filter(|leg| leg.part == Part::Consultation && !client.is_empty())
    {
        let handed_over = facts.iter().find(|fact| {
            fact.unique_id == leg.unique_id
                && !fact.kind.is_main()
                && facts.text(fact.caller) == client
        });
        if let (Some(sign), Some(bridge)) = (handed_over, leg.of(EventKind::Bridge).next_back()) {
            talks.extend(facts.extensions(bridge).next().map(|extension| Talk {
                at: sign.at,
                extension,
            }));
        }
    }
    let bridged = talks.iter().map(|talk| talk.at).max();
    for leave in client_leaves(facts, of_client) {
        let with = facts.text(leave.connected);
        // Times of refining events are whole seconds: one second earlier than its bridge is not earlier.
        if is_internal(with) && bridged.is_some() {
            talks.push(Talk {
                at: leave.at + SECOND,
                extension: with,
            });
        }
    }
    for hangup in of_client
        .iter()
        .filter(|leg| leg.part != Part::Channel)
        .filter_map(|leg| leg.hangup())
    {
        if hangup.answered != Some(true) {
            continue;
        }
        let since = hangup.at - i64::from(hangup.bill_seconds.unwrap_or(0)) * SECOND;
        match facts.extensions(hangup).next() {
            Some(extension) if !talks.iter().any(|talk| talk.extension == extension) => {
                let at = if bridged.is_some() { hangup.at } else { since };
                talks.push(Talk { at, extension });
            }
            None if talks.is_empty() => talks.push(Talk {
                at: since,
                extension: "",
            }),
            _ => {}
        }
        let last = facts.text(hangup.last_connected);
        let rang_in_vain = legs
            .iter()
            .flat_map(|leg| leg.of(EventKind::Dial))
            .any(|dial| {
                bridged.is_none_or(|at| dial.at > at)
                    && facts.extensions(dial).any(|extension| extension == last)
            });
        if matches!(facts.text(hangup.dial_status), "" | "ANSWER")
            && is_internal(last)
            && !rang_in_vain
        {
            talks.push(Talk {
                at: hangup.at,
                extension: last,
            });
        }
    }
    talks.sort_by_key(|talk| talk.at);
    talks
}

/// A leg that a phone's forwarding opened: it calls out, and its caller is the client.
fn is_forwarded(facts: &Facts, leg: &Leg<'_>, is_internal: &dyn Fn(&str) -> bool) -> bool {
    let caller = facts.text(leg.first(|fact| fact.caller));
    leg.part == Part::Client
        && leg.direction == Direction::Out
        && !caller.is_empty()
        && !is_internal(caller)
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

/// The client's own channels leaving a bridge.
///
/// On an incoming call the call's channel is the client's; on an outgoing one the channel that was bridged to it.
fn client_leaves<'a>(facts: &'a Facts, of_client: &[&Leg<'a>]) -> impl Iterator<Item = &'a Fact> {
    let channels: Vec<Word> = client_channels(of_client);
    facts.iter().filter(move |fact| {
        fact.kind == EventKind::BridgeLeave && channels.contains(&fact.unique_id)
    })
}

fn client_channels(of_client: &[&Leg<'_>]) -> Vec<Word> {
    let mut channels = Vec::new();
    for leg in of_client.iter().filter(|leg| leg.part != Part::Channel) {
        match leg.direction {
            Direction::In => channels.push(leg.unique_id),
            Direction::Out => channels.extend(
                leg.of(EventKind::Bridge)
                    .map(|fact| fact.channel_id)
                    .filter(|id| *id != 0),
            ),
            Direction::Internal => {}
        }
    }
    channels
}

/// When and how the call ended: every leg of the client has its hangup, or it was given up as lost.
fn find_end(
    facts: &Facts,
    legs: &[Leg<'_>],
    of_client: &[&Leg<'_>],
    talks: &[Talk<'_>],
) -> Option<End> {
    let counted = || of_client.iter().filter(|leg| leg.part != Part::Channel);
    let open = counted().any(|leg| leg.hangup().is_none());
    let hung_up = counted()
        .filter_map(|leg| leg.hangup())
        .map(|fact| fact.at)
        .max();
    let heard = facts
        .iter()
        .filter(|fact| fact.kind.is_main())
        .map(|fact| fact.at)
        .max()
        .unwrap_or_default();
    let given_up = facts
        .iter()
        .filter(|fact| fact.kind == EventKind::Lost)
        .map(|fact| fact.at)
        .max()
        .filter(|at| *at >= heard);
    match (open, hung_up) {
        (false, Some(at)) if is_stepping_aside(legs) => match last_parting(facts, legs, at) {
            Some(parting) => Some(End {
                at: parting.max(at),
                lost: false,
            }),
            // It was answered and its hangup came: at worst we do not know when it ended.
            None => given_up.map(|_| End {
                at,
                lost: talks.is_empty(),
            }),
        }
        .or_else(|| (!is_watched(facts)).then_some(End { at, lost: false })),
        (false, Some(at)) => Some(End { at, lost: false }),
        _ => given_up.map(|at| End { at, lost: true }),
    }
}

/// A click-to-call whose Local channels step aside: both hangups come right after the client's answer while
/// the talk goes on.
fn is_stepping_aside(legs: &[Leg<'_>]) -> bool {
    let Some(client) = legs
        .iter()
        .find(|leg| leg.part == Part::Primary && leg.direction == Direction::Out)
    else {
        return false;
    };
    let agent = legs
        .iter()
        .any(|leg| leg.part == Part::Internal && leg.started);
    let bridge = client.of(EventKind::Bridge).map(|fact| fact.at).max();
    match (agent, bridge, client.hangup()) {
        (true, Some(bridge), Some(hangup)) => {
            hangup.answered == Some(true)
                && hangup.at - bridge < OPTIMISED_WITHIN
                && hangup.bill_seconds.unwrap_or(0) <= 1
        }
        _ => false,
    }
}

/// Whether this host tells of bridges and channels at all, so that the end of the talk will be told.
fn is_watched(facts: &Facts) -> bool {
    facts
        .iter()
        .any(|fact| matches!(fact.kind, EventKind::BridgeLeave | EventKind::NewCallerId))
}

/// When the two real channels of a stepped-aside click-to-call parted: both left a bridge, or one of them
/// did well after the hangup (at the hangup itself one of them merely changes bridges).
fn last_parting(facts: &Facts, legs: &[Leg<'_>], hangup: i64) -> Option<i64> {
    let channel_of = |part: Part| {
        legs.iter()
            .filter(move |leg| leg.part == part)
            .flat_map(|leg| leg.of(EventKind::Bridge))
            .map(|fact| fact.channel_id)
            .next_back()
    };
    let left = |channel: Option<Word>| {
        facts
            .iter()
            .filter(move |fact| {
                fact.kind == EventKind::BridgeLeave && Some(fact.unique_id) == channel
            })
            .map(|fact| fact.at)
            .max()
    };
    match (
        left(channel_of(Part::Primary)),
        left(channel_of(Part::Internal)),
    ) {
        (Some(client), Some(agent)) => Some(client.max(agent)),
        (Some(one), None) | (None, Some(one)) if one > hangup + 2 * SECOND => Some(one),
        _ => None,
    }
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
