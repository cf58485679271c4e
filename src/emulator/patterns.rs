//! The patterns of calls one may choose: what happens in each, and when. Pure: a plan gives a list of timed events, the
//! same for the same seed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::host::{Call, Ending, Event, Way};

/// What kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    IncomingAnswered,
    IncomingMissed,
    IncomingBusy,
    RingGroup,
    IncomingTransfer,
    OutgoingAnswered,
    OutgoingNotAnswered,
    Internal,
    HangupWithoutDial,
    OutOfOrder,
    Duplicated,
}

impl Pattern {
    pub const ALL: [Pattern; 11] = [
        Pattern::IncomingAnswered,
        Pattern::IncomingMissed,
        Pattern::IncomingBusy,
        Pattern::RingGroup,
        Pattern::IncomingTransfer,
        Pattern::OutgoingAnswered,
        Pattern::OutgoingNotAnswered,
        Pattern::Internal,
        Pattern::HangupWithoutDial,
        Pattern::OutOfOrder,
        Pattern::Duplicated,
    ];

    /// The word on the command line, in forms and in the keys of texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Pattern::IncomingAnswered => "incoming-answered",
            Pattern::IncomingMissed => "incoming-missed",
            Pattern::IncomingBusy => "incoming-busy",
            Pattern::RingGroup => "ring-group",
            Pattern::IncomingTransfer => "incoming-transfer",
            Pattern::OutgoingAnswered => "outgoing-answered",
            Pattern::OutgoingNotAnswered => "outgoing-not-answered",
            Pattern::Internal => "internal",
            Pattern::HangupWithoutDial => "hangup-without-dial",
            Pattern::OutOfOrder => "out-of-order",
            Pattern::Duplicated => "duplicated",
        }
    }

    /// Extensions that a call of this kind needs at least.
    pub fn needs(self) -> usize {
        match self {
            Pattern::RingGroup | Pattern::IncomingTransfer | Pattern::Internal => 2,
            _ => 1,
        }
    }
}

/// Everything one chooses.
#[derive(Clone, Debug)]
pub struct Plan {
    pub pattern: Pattern,
    /// The client's number as the host gives it.
    pub phone: String,
    /// Who is rung, in order; the first one makes outgoing and internal calls.
    pub extensions: Vec<String>,
    /// The external line (trunk).
    pub line: String,
    /// How long phones ring.
    pub ring: Duration,
    /// How long is talked; a transfer is talked so long twice.
    pub talk: Duration,
    /// The moment of the first event by the host's clock, and the zone of that clock.
    pub began: DateTime<Utc>,
    pub zone: Tz,
    pub seed: u64,
}

/// Why a plan cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    #[error("this pattern needs {0} extensions at least")]
    FewExtensions(usize),
    #[error("no more than 50 extensions")]
    ManyExtensions,
    #[error("ringing and talking may take 10 minutes at most")]
    TooLong,
    #[error("the number, the line and each extension may have 80 characters at most")]
    LongWord,
}

const ANSWERED: Ending = Ending {
    cause: "16",
    dial_status: "ANSWER",
};
const NOT_ANSWERED: Ending = Ending {
    cause: "16",
    dial_status: "NOANSWER",
};
const BUSY: Ending = Ending {
    cause: "17",
    dial_status: "BUSY",
};
const ABANDONED: Ending = Ending {
    cause: "127",
    dial_status: "",
};

/// The events of a plan, in the order in which they are sent, and the unique id of their call.
///
/// # Errors
/// When the plan does not fit its pattern.
pub fn compose(plan: &Plan) -> Result<(String, Vec<Event>), BadPlan> {
    check(plan)?;
    let way = match plan.pattern {
        Pattern::OutgoingAnswered | Pattern::OutgoingNotAnswered => Way::Out,
        Pattern::Internal => Way::Internal,
        _ => Way::In,
    };
    let first = &plan.extensions[0];
    let phone = if way == Way::Internal {
        &plan.extensions[1]
    } else {
        &plan.phone
    };
    let mut call = Call::new(
        way, phone, &plan.line, first, plan.began, plan.zone, plan.seed,
    );
    match plan.pattern {
        Pattern::IncomingAnswered | Pattern::OutOfOrder | Pattern::Duplicated => {
            incoming(&mut call, plan, 1)
        }
        Pattern::RingGroup => incoming(&mut call, plan, plan.extensions.len()),
        Pattern::IncomingMissed => {
            call.start();
            call.wait(Duration::from_millis(20));
            call.dial(&plan.extensions);
            call.wait(plan.ring);
            call.hangup(None, first, NOT_ANSWERED);
        }
        Pattern::IncomingBusy => {
            call.start();
            call.wait(Duration::from_millis(20));
            call.dial(&plan.extensions[..1]);
            call.hangup(None, first, BUSY);
        }
        Pattern::IncomingTransfer => transfer(&mut call, plan),
        Pattern::OutgoingAnswered | Pattern::OutgoingNotAnswered => outgoing(&mut call, plan),
        Pattern::Internal => {
            call.start();
            call.wait(Duration::from_millis(20));
            call.dial(&plan.extensions[1..2]);
            call.wait(plan.ring);
            talk(&mut call, plan, phone, phone);
            call.hangup(Some(phone), phone, ANSWERED);
        }
        Pattern::HangupWithoutDial => {
            call.start();
            call.wait(plan.ring);
            call.hangup(None, "", ABANDONED);
        }
    }
    let unique_id = call.unique_id().to_owned();
    let mut events = call.into_events();
    match plan.pattern {
        Pattern::OutOfOrder => disorder(&mut events, plan.seed),
        Pattern::Duplicated => double(&mut events, plan.seed),
        _ => {}
    }
    Ok((unique_id, events))
}

fn check(plan: &Plan) -> Result<(), BadPlan> {
    let words = plan.extensions.iter().chain([&plan.phone, &plan.line]);
    let longest = Duration::from_secs(600);
    match plan.extensions.len() {
        count if count < plan.pattern.needs() => Err(BadPlan::FewExtensions(plan.pattern.needs())),
        count if count > 50 => Err(BadPlan::ManyExtensions),
        _ if plan.ring > longest || plan.talk > longest => Err(BadPlan::TooLong),
        _ if words.into_iter().any(|word| word.chars().count() > 80) => Err(BadPlan::LongWord),
        _ => Ok(()),
    }
}

/// A client calls, `rung` extensions ring, the last of them answers: with a group it is not always the first.
fn incoming(call: &mut Call, plan: &Plan, rung: usize) {
    let group = &plan.extensions[..rung];
    let who = &group[rung - 1];
    call.start();
    call.wait(Duration::from_millis(20));
    call.dial(group);
    call.wait(plan.ring);
    talk(call, plan, who, who);
    call.hangup(Some(who), who, ANSWERED);
}

/// The first extension hands the client on to the second without asking.
fn transfer(call: &mut Call, plan: &Plan) {
    let (first, second) = (&plan.extensions[0], &plan.extensions[1]);
    call.start();
    call.wait(Duration::from_millis(20));
    call.dial(std::slice::from_ref(first));
    call.wait(plan.ring);
    talk(call, plan, first, first);
    call.wait(Duration::from_millis(60));
    call.dial(std::slice::from_ref(second));
    call.wait(plan.ring);
    talk(call, plan, second, second);
    call.hangup(Some(second), second, ANSWERED);
}

fn outgoing(call: &mut Call, plan: &Plan) {
    let who = &plan.extensions[0];
    let line = call.new_channel("trunk", &plan.phone);
    call.new_caller(&line);
    call.wait(Duration::from_millis(40));
    call.start();
    call.wait(Duration::from_millis(10));
    call.dial(std::slice::from_ref(who));
    call.wait(plan.ring);
    if plan.pattern == Pattern::OutgoingNotAnswered {
        return call.hangup(None, &plan.phone, NOT_ANSWERED);
    }
    let bridge = call.bridge(&line, who);
    call.wait(plan.talk);
    call.part(&bridge, &call.channel(), &line);
    call.hangup(Some(who), &plan.phone, ANSWERED);
}

/// An extension answers and talks with the caller.
fn talk(call: &mut Call, plan: &Plan, owner: &str, extension: &str) {
    let channel = call.new_channel(owner, extension);
    let bridge = call.bridge(&channel, extension);
    call.wait(plan.talk);
    call.part(&bridge, &call.channel(), &channel);
}

/// The call is over when its events arrive, all within a moment and mixed up; never in the true order.
fn disorder(events: &mut [Event], seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed ^ 0x5eed);
    events.shuffle(&mut chance);
    if events.first().is_some_and(|event| event.path == "/start") {
        events.reverse();
    }
    let mut at = Duration::ZERO;
    for event in events {
        event.at = at;
        at += Duration::from_millis(chance.random_range(20..400));
    }
}

/// Everything twice, as a host does that got no answer: the second time a little later, with the same identity.
fn double(events: &mut Vec<Event>, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed ^ 0xd0b1e);
    let again = events.iter().map(|event| {
        let later = Duration::from_millis(chance.random_range(20..400));
        Event {
            at: event.at + later,
            ..event.clone()
        }
    });
    let again: Vec<Event> = again.collect();
    events.extend(again);
    events.sort_by_key(|event| event.at);
}

#[cfg(test)]
#[path = "patterns_tests.rs"]
mod tests;
