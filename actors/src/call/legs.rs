//! The legs of a call: what its facts say of each unique id, and what part each plays. Read by `state.rs`
//! alone; pure.
//!
//! One logical call shows several unique ids (a consultation, a transfer's second leg, a forwarded call's
//! outgoing half, the agent's leg of a click-to-call). Exactly one of them is the client's own: the primary.

use super::event::{CallType, EventKind};
use super::facts::{Fact, Facts, Word};
use super::record::Direction;

/// What part a leg plays in the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The client's own leg.
    Primary,
    /// Another leg on which the client may talk: a transfer's, a forwarded call's.
    Client,
    /// An agent asks a colleague before handing the client over: the client hears music.
    Consultation,
    /// Between extensions only.
    Internal,
    /// Nothing but a hangup or a bridge of some channel of the call.
    Channel,
}

/// One unique id with its facts.
#[derive(Debug)]
pub struct Leg<'a> {
    pub unique_id: Word,
    pub part: Part,
    pub direction: Direction,
    /// start or dial was seen.
    pub started: bool,
    pub facts: Vec<&'a Fact>,
}

impl<'a> Leg<'a> {
    /// The first text that a fact of this leg gives for a field.
    pub fn first(&self, pick: impl Fn(&Fact) -> Word) -> Word {
        self.facts
            .iter()
            .map(|fact| pick(fact))
            .find(|word| *word != 0)
            .unwrap_or(0)
    }

    /// Facts of one kind, in order.
    pub fn of(&self, kind: EventKind) -> impl DoubleEndedIterator<Item = &'a Fact> + '_ {
        self.facts
            .iter()
            .copied()
            .filter(move |fact| fact.kind == kind)
    }

    /// The hangup that ends this leg, if it came.
    ///
    /// Cause 26 is "answered elsewhere": a phone of a group that stops ringing, not an end. A hangup told once more to bring
    /// the recording ends nothing: the leg ended with the one before.
    pub fn hangup(&self) -> Option<&'a Fact> {
        let mut facts = self.facts.iter().rev().copied().peekable();
        while let Some(fact) = facts.next() {
            if fact.kind != EventKind::Hangup || fact.hangup_cause == Some(26) {
                continue;
            }
            let brings_recording = facts.peek().is_some_and(|before| {
                before.kind == EventKind::Hangup
                    && before.hangup_cause != Some(26)
                    && before.recording == 0
                    && fact.recording != 0
            });
            if !brings_recording {
                return Some(fact);
            }
        }
        None
    }

    fn at(&self) -> i64 {
        self.facts.first().map_or(i64::MAX, |fact| fact.at)
    }
}

/// The legs of a call, by their first event; the primary, if there is any leg, is marked.
///
/// `is_internal` tells an extension from an external number.
pub fn find_legs<'a>(facts: &'a Facts, is_internal: &dyn Fn(&str) -> bool) -> Vec<Leg<'a>> {
    let mut legs: Vec<Leg<'a>> = Vec::with_capacity(2);
    for fact in facts
        .iter()
        .filter(|fact| fact.kind.is_main() && fact.unique_id != 0)
    {
        match legs.iter_mut().find(|leg| leg.unique_id == fact.unique_id) {
            Some(leg) => leg.facts.push(fact),
            None => legs.push(Leg {
                unique_id: fact.unique_id,
                part: Part::Channel,
                direction: Direction::Internal,
                started: false,
                facts: vec![fact],
            }),
        }
    }
    let started: Vec<Word> = legs
        .iter()
        .filter(|leg| leg.facts.iter().any(|fact| is_starting(fact)))
        .map(|leg| leg.unique_id)
        .collect();
    for leg in &mut legs {
        leg.started = leg.facts.iter().any(|fact| is_starting(fact));
        leg.direction = direction(leg, facts, is_internal);
        leg.part = match leg.direction {
            _ if !started.is_empty() && !leg.started => Part::Channel,
            _ if is_mere_channel(leg, &started) => Part::Channel,
            Direction::Internal => Part::Internal,
            Direction::In | Direction::Out => Part::Client,
        };
    }
    mark_primary(&mut legs, facts, is_internal);
    legs
}

fn is_starting(fact: &Fact) -> bool {
    matches!(fact.kind, EventKind::Start | EventKind::Dial)
}

/// A forwarder without a dialplan tells of every channel as if it were a call: no CallType, and the linked id
/// is that of the call it belongs to.
fn is_mere_channel(leg: &Leg<'_>, started: &[Word]) -> bool {
    let linked = leg.first(|fact| fact.linked_id);
    leg.facts.iter().all(|fact| fact.call_type.is_none())
        && linked != leg.unique_id
        && started.contains(&linked)
        && leg.first(|fact| fact.parent_id) == 0
}

/// CallType decides, but where both sides are extensions the call is internal; without CallType the sides do.
fn direction(leg: &Leg<'_>, facts: &Facts, is_internal: &dyn Fn(&str) -> bool) -> Direction {
    let text = |pick: fn(&Fact) -> Word| facts.text(leg.first(pick));
    let (phone, caller, connected) = (text(|f| f.phone), text(|f| f.caller), text(|f| f.connected));
    let called = if phone.is_empty() { connected } else { phone };
    let call_type = leg.facts.iter().find_map(|fact| fact.call_type);
    match call_type {
        Some(CallType::Internal) => Direction::Internal,
        Some(_) if is_internal(caller) && is_internal(called) => Direction::Internal,
        Some(CallType::Incoming) => Direction::In,
        Some(CallType::Outgoing) => Direction::Out,
        None if is_internal(caller) => {
            let named = leg
                .facts
                .iter()
                .any(|fact| facts.extensions(fact).next().is_some());
            if is_internal(called) || (called.is_empty() && named) {
                Direction::Internal
            } else {
                Direction::Out
            }
        }
        None => Direction::In,
    }
}

/// The primary is the client's earliest leg that no other leg of the call is the parent of; a client leg
/// that an agent opened under it is a consultation until the client is seen on it.
fn mark_primary(legs: &mut [Leg<'_>], facts: &Facts, is_internal: &dyn Fn(&str) -> bool) {
    let ids: Vec<Word> = legs.iter().map(|leg| leg.unique_id).collect();
    let parent = |leg: &Leg<'_>| leg.first(|fact| fact.parent_id);
    let first = |legs: &[Leg<'_>], fits: &dyn Fn(&Leg<'_>) -> bool| {
        (0..legs.len())
            .filter(|index| fits(&legs[*index]))
            .min_by_key(|index| (legs[*index].at(), *index))
    };
    let primary = first(legs, &|leg| {
        leg.part == Part::Client && (parent(leg) == 0 || !ids.contains(&parent(leg)))
    })
    .or_else(|| first(legs, &|leg| leg.part == Part::Client))
    .or_else(|| first(legs, &|leg| leg.part == Part::Internal))
    .or_else(|| first(legs, &|_| true));
    let Some(primary) = primary else { return };
    let client = facts.text(legs[primary].first(|fact| match legs[primary].direction {
        Direction::In => fact.caller,
        Direction::Out | Direction::Internal => fact.connected,
    }));
    for (index, leg) in legs.iter_mut().enumerate() {
        if index == primary {
            leg.part = Part::Primary;
            continue;
        }
        let under = parent(leg);
        if under == 0 || under == leg.unique_id {
            continue;
        }
        let caller = facts.text(leg.first(|fact| fact.caller));
        if leg.part == Part::Client && leg.direction == Direction::In && is_internal(caller) {
            leg.part = Part::Consultation;
        } else if leg.part == Part::Internal && !client.is_empty() && caller == client {
            // An agent sent the client on to a colleague: the host calls that internal, the client does not.
            leg.part = Part::Client;
            leg.direction = Direction::In;
        }
    }
}
