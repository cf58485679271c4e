//! The course of a call: who talked with the client and when, what goes on now, how it ended. Read from the facts and
//! legs by `state.rs`; pure. What each sign is worth was learnt from hosts of many kinds: the reasons stand with it.

use super::event::EventKind;
use super::facts::{Fact, Facts, Word};
use super::legs::{Leg, Part};
use super::record::{Direction, Phase};

/// A talk that a host says it ended within this time of the answer may be a Local channel stepping aside.
const OPTIMISED_WITHIN: i64 = 3_000_000;
pub(super) const SECOND: i64 = 1_000_000;

/// How an ended call ended.
pub(super) struct End {
    pub at: i64,
    pub lost: bool,
}

/// The course of a call: who talked with the client and when, what goes on now, how it ended.
pub(super) struct Course {
    pub received: i64,
    pub last_heard: i64,
    pub talked: Vec<String>,
    pub talking: Option<String>,
    pub answered_at: Option<i64>,
    pub phase: Phase,
    pub end: Option<End>,
}

impl Course {
    pub fn follow(
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

/// The client's own channels leaving a bridge.
///
/// On an incoming call the call's channel is the client's; on an outgoing one the channel that was bridged to it.
fn client_leaves<'a>(facts: &'a Facts, of_client: &[&Leg<'a>]) -> impl Iterator<Item = &'a Fact> {
    let channels: Vec<Word> = client_channels(of_client);
    facts.iter().filter(move |fact| {
        fact.kind == EventKind::BridgeLeave && channels.contains(&fact.unique_id)
    })
}

pub(super) fn client_channels(of_client: &[&Leg<'_>]) -> Vec<Word> {
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
