//! Which click a call follows from, and how far it is: the last seconds' clicks, those whose calls nobody has named yet, and
//! the calls that were joined. Held by `requests.rs`, in memory only: it sends and writes nothing, and what another process or
//! the last one knows stands in the table.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::cache::snapshot::Enterprise;
use crate::call::number;
use crate::call::record::{CallId, Direction, Phase, Record};
use crate::store::requests::RequestState;

/// A click: enterprise, extension and number.
pub(super) type Key = (i64, String, String);

/// What became of a request, to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub enterprise: i64,
    pub id: String,
    pub state: RequestState,
    pub call: CallId,
    pub words: String,
}

/// See the module's head.
#[derive(Default)]
pub(super) struct Book {
    /// The last seconds' clicks, and their requests.
    recent: HashMap<Key, (Instant, String)>,
    /// Plain hosts say no request's id: their calls are known by extension and number.
    unnamed: Vec<Unnamed>,
    /// Calls that were joined to a request and how far it was; until they end.
    joined: HashMap<CallId, (String, RequestState)>,
}

/// A request to a plain host.
struct Unnamed {
    enterprise: i64,
    id: String,
    extension: String,
    /// E.164 where it is such a number.
    number: String,
    since: Instant,
}

impl Book {
    /// The request of the same click a moment ago; else remembers this one.
    pub fn seen(&mut self, key: &Key, id: &str, within: Duration) -> Option<String> {
        self.recent.retain(|_, (at, _)| at.elapsed() < within);
        if let Some((_, same)) = self.recent.get(key) {
            return Some(same.clone());
        }
        self.recent
            .insert(key.clone(), (Instant::now(), id.to_owned()));
        None
    }

    /// The click came to nothing: the next one is another.
    pub fn forget(&mut self, key: &Key) {
        self.recent.remove(key);
    }

    /// A call will follow that bears no request's id.
    pub fn expect(&mut self, enterprise: &Enterprise, id: &str, extension: &str, number: &str) {
        let number =
            number::to_e164(number, &enterprise.country).unwrap_or_else(|| number.to_owned());
        self.unnamed.push(Unnamed {
            enterprise: enterprise.id,
            id: id.to_owned(),
            extension: extension.to_owned(),
            number,
            since: Instant::now(),
        });
    }

    /// No call will follow from this request.
    pub fn expect_no_more(&mut self, id: &str) {
        self.unnamed.retain(|one| one.id != id);
    }

    /// A call changed: what that means for its request, if it has one and it is news. A call that is still to be named may
    /// come within `patience`.
    pub fn heard(&mut self, record: &Record, patience: Duration) -> Option<Change> {
        let known = self.joined.get(&record.call).cloned();
        let id = match &known {
            Some((id, _)) => id.clone(),
            None if !record.request_id.is_empty() => record.request_id.clone(),
            None => {
                self.unnamed.retain(|one| one.since.elapsed() < patience);
                let at = self.unnamed.iter().position(|one| one.is(record))?;
                self.unnamed.swap_remove(at).id
            }
        };
        let state = stand(record);
        if known.is_some_and(|(_, before)| before == state) {
            return None;
        }
        if record.phase == Phase::Ended {
            self.joined.remove(&record.call);
        } else {
            self.joined.insert(record.call, (id.clone(), state));
        }
        let words = match (record.phase, record.outcome) {
            (Phase::Ended, Some(outcome)) => outcome.as_str(),
            _ => "",
        };
        Some(Change {
            enterprise: record.enterprise,
            id,
            state,
            call: record.call,
            words: words.to_owned(),
        })
    }

    /// A call turned out to be a part of another.
    pub fn absorbed(&mut self, call: CallId, survivor: CallId) {
        if let Some(joined) = self.joined.remove(&call) {
            self.joined.entry(survivor).or_insert(joined);
        }
    }
}

impl Unnamed {
    /// Whether this is the call: the manager's phone rings, or the manager calls the number.
    fn is(&self, record: &Record) -> bool {
        let phone = record.phone.as_deref().unwrap_or_default();
        self.enterprise == record.enterprise
            && match record.direction {
                Direction::Internal => phone == self.extension && record.made_by.is_none(),
                Direction::Out => {
                    phone == self.number
                        && record.made_by.as_deref() == Some(self.extension.as_str())
                }
                _ => false,
            }
    }
}

/// How far a request is whose call stands like this.
fn stand(record: &Record) -> RequestState {
    // A plain host's call is internal for as long as only the manager's phone is in it.
    let only_agent = record.direction == Direction::Internal;
    match record.phase {
        Phase::Ended if only_agent && record.talked.is_empty() => RequestState::AgentMissed,
        Phase::Ended => RequestState::Ended,
        Phase::Talking | Phase::Held if !only_agent => RequestState::Talking,
        _ => RequestState::Ringing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::record::Outcome;
    use crate::integration::sample;

    fn record(direction: Direction, phase: Phase) -> Record {
        Record {
            direction,
            phase,
            talked: Vec::new(),
            ..sample::ringing(7)
        }
    }

    #[test]
    fn how_far_a_request_is_follows_from_its_call() {
        use Direction::{Internal, Out};
        for (direction, phase, talked, state) in [
            // A plain host: the manager's phone first.
            (Internal, Phase::Ringing, false, RequestState::Ringing),
            (Internal, Phase::Talking, true, RequestState::Ringing),
            (Internal, Phase::Ended, false, RequestState::AgentMissed),
            (Internal, Phase::Ended, true, RequestState::Ended),
            (Out, Phase::Ringing, false, RequestState::Ringing),
            (Out, Phase::Talking, true, RequestState::Talking),
            (Out, Phase::Held, true, RequestState::Talking),
            (Out, Phase::Ended, false, RequestState::Ended),
        ] {
            let mut record = record(direction, phase);
            if talked {
                record.talked.push("150".into());
            }
            assert_eq!(stand(&record), state, "{direction:?} {phase:?} {talked}");
        }
    }

    #[test]
    fn a_plain_hosts_call_is_known_by_extension_and_number() {
        let request = Unnamed {
            enterprise: 1,
            id: "r1".into(),
            extension: "150".into(),
            number: "+375296254070".into(),
            since: Instant::now(),
        };
        let call = |enterprise, direction, phone: &str, made_by: Option<&str>| Record {
            enterprise,
            phone: Some(phone.into()),
            made_by: made_by.map(str::to_owned),
            outcome: Some(Outcome::Missed),
            ..record(direction, Phase::Ringing)
        };
        use Direction::{In, Internal, Out};
        for (call, is) in [
            (call(1, Internal, "150", None), true),
            (call(1, Out, "+375296254070", Some("150")), true),
            (call(1, Internal, "150", Some("151")), false),
            (call(1, Internal, "151", None), false),
            (call(1, Out, "+375296254070", Some("151")), false),
            (call(1, Out, "+375296254071", Some("150")), false),
            (call(1, In, "+375296254070", None), false),
            (call(2, Internal, "150", None), false),
        ] {
            assert_eq!(request.is(&call), is, "{call:?}");
        }
    }
}
