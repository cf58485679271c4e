//! The board: every live call as the last committed event left it, the last ended ones, and a numbered ring
//! of changes from which a page that lost its connection resumes. Call actors publish, pages read; it decides
//! nothing and remembers nothing over a restart (the journal does).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use serde::Serialize;
use tokio::sync::watch;

use crate::call::record::{CallId, Phase, Record};

/// Ended calls kept per enterprise for the lower part of the page.
const ENDED_KEPT: usize = 20;
/// Changes kept for pages that resume.
const CHANGES_KEPT: usize = 8_192;

/// One call as pages show it.
#[derive(Clone, Debug, Serialize)]
pub struct CallView {
    pub record: Arc<Record>,
    /// The client's name, once a CRM told it. Untrusted text.
    pub client_name: Option<Arc<str>>,
    /// The call turned out to be part of another one and is shown no more.
    pub gone: bool,
}

impl CallView {
    /// Whether the call is in progress.
    pub fn is_live(&self) -> bool {
        !self.gone && self.record.phase != Phase::Ended
    }
}

/// One change, numbered. Numbers grow by one over all enterprises.
#[derive(Clone, Debug)]
pub struct Change {
    pub version: u64,
    pub view: Arc<CallView>,
}

/// What a page that has nothing yet is given.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Changes after this number are not in it.
    pub version: u64,
    /// Oldest first.
    pub live: Vec<Arc<CallView>>,
    /// Latest first.
    pub ended: Vec<Arc<CallView>>,
}

/// See the module's head. Clone it freely.
#[derive(Clone)]
pub struct Board {
    inner: Arc<Mutex<Inner>>,
    version: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct Inner {
    version: u64,
    live: HashMap<CallId, Arc<CallView>>,
    ended: HashMap<i64, VecDeque<Arc<CallView>>>,
    changes: VecDeque<Change>,
}

impl Default for Board {
    fn default() -> Self {
        Board {
            inner: Arc::default(),
            version: Arc::new(watch::channel(0).0),
        }
    }
}

impl Board {
    /// Shows a call as it is now; the client's name known before stays.
    pub fn publish(&self, record: Arc<Record>) {
        let name = self
            .lock()
            .live
            .get(&record.call)
            .and_then(|view| view.client_name.clone());
        self.show(CallView {
            record,
            client_name: name,
            gone: false,
        });
    }

    /// Takes a call that was absorbed by another one off the board.
    pub fn withdraw(&self, call: CallId) {
        let view = self.lock().live.get(&call).cloned();
        if let Some(view) = view {
            self.show(CallView {
                gone: true,
                ..(*view).clone()
            });
        }
    }

    /// Puts the client's name to every live call of this enterprise and phone.
    pub fn name_client(&self, enterprise: i64, phone: &str, name: &str) {
        let views: Vec<Arc<CallView>> = self
            .lock()
            .live
            .values()
            .filter(|view| {
                view.record.enterprise == enterprise && view.record.phone.as_deref() == Some(phone)
            })
            .filter(|view| view.client_name.as_deref() != Some(name))
            .cloned()
            .collect();
        for view in views {
            self.show(CallView {
                client_name: Some(name.into()),
                ..(*view).clone()
            });
        }
    }

    fn show(&self, view: CallView) {
        let view = Arc::new(view);
        let mut inner = self.lock();
        inner.version += 1;
        let version = inner.version;
        let call = view.record.call;
        if view.is_live() {
            inner.live.insert(call, view.clone());
            inner.forget_ended(&view);
        } else {
            inner.live.remove(&call);
            inner.forget_ended(&view);
            if !view.gone {
                let ended = inner.ended.entry(view.record.enterprise).or_default();
                ended.push_front(view.clone());
                ended.truncate(ENDED_KEPT);
            }
        }
        if inner.changes.len() >= CHANGES_KEPT {
            inner.changes.pop_front();
        }
        inner.changes.push_back(Change { version, view });
        drop(inner);
        if self.version.receiver_count() > 0 {
            self.version.send_replace(version);
        }
    }

    /// Everything a viewer of one enterprise (or, with `None`, of all) sees now.
    pub fn snapshot(&self, enterprise: Option<i64>) -> Snapshot {
        let inner = self.lock();
        let fits = |view: &Arc<CallView>| enterprise.is_none_or(|id| id == view.record.enterprise);
        let mut live: Vec<_> = inner
            .live
            .values()
            .filter(|view| fits(view))
            .cloned()
            .collect();
        let mut ended: Vec<_> = match enterprise {
            Some(id) => inner
                .ended
                .get(&id)
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            None => inner.ended.values().flatten().cloned().collect(),
        };
        let version = inner.version;
        drop(inner);
        live.sort_by_key(|view| (view.record.received_at, view.record.call));
        ended.sort_by_key(|view| std::cmp::Reverse((view.record.ended_at, view.record.call)));
        ended.truncate(ENDED_KEPT);
        Snapshot {
            version,
            live,
            ended,
        }
    }

    /// Changes after `version` for a viewer, oldest first; `None` when they are no longer all here and the
    /// viewer needs a snapshot. The number is that of the last change looked at.
    pub fn changes_after(
        &self,
        enterprise: Option<i64>,
        version: u64,
    ) -> Option<(u64, Vec<Change>)> {
        let inner = self.lock();
        let oldest = inner
            .changes
            .front()
            .map_or(inner.version + 1, |change| change.version);
        if version > inner.version || version + 1 < oldest {
            return None;
        }
        let skip = usize::try_from(version + 1 - oldest).unwrap_or(usize::MAX);
        let changes = inner
            .changes
            .iter()
            .skip(skip)
            .filter(|change| enterprise.is_none_or(|id| id == change.view.record.enterprise))
            .cloned()
            .collect();
        Some((inner.version, changes))
    }

    /// Wakes whenever there is a change. Subscribe before taking a snapshot, so that none is missed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Whether anybody looks at the moment.
    pub fn is_watched(&self) -> bool {
        self.version.receiver_count() > 0
    }

    /// One live call as it is shown.
    pub fn view(&self, call: CallId) -> Option<Arc<CallView>> {
        self.lock().live.get(&call).cloned()
    }

    /// How many calls are in progress.
    pub fn live_count(&self) -> usize {
        self.lock().live.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget_ended(&mut self, view: &CallView) {
        if let Some(ended) = self.ended.get_mut(&view.record.enterprise) {
            ended.retain(|other| other.record.call != view.record.call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::record::{Direction, Outcome};

    fn record(call: i64, enterprise: i64, phase: Phase) -> Arc<Record> {
        let at = chrono::DateTime::from_timestamp(1_795_194_000 + call, 0).unwrap();
        Arc::new(Record {
            call: CallId(call),
            enterprise,
            uuid: uuid::Uuid::nil(),
            unique_id: format!("{call}.1"),
            linked_id: format!("{call}.1"),
            direction: Direction::In,
            phase,
            outcome: (phase == Phase::Ended).then_some(Outcome::Missed),
            phone: Some("+375291234567".into()),
            raw_phone: "375291234567".into(),
            line: String::new(),
            rung: vec![],
            talked: vec![],
            talking: None,
            made_by: None,
            received_at: at,
            answered_at: None,
            ended_at: (phase == Phase::Ended).then_some(at),
            wait_seconds: 0,
            talk_seconds: 0,
            recording: String::new(),
            hung_up_by: String::new(),
            request_id: String::new(),
            events_count: 1,
            data_source: "live".into(),
        })
    }

    #[test]
    fn a_viewer_resumes_without_missing_a_state() {
        let board = Board::default();
        board.publish(record(1, 1, Phase::Ringing));
        let seen = board.snapshot(Some(1)).version;
        board.publish(record(1, 1, Phase::Talking));
        board.publish(record(2, 2, Phase::Ringing));
        board.publish(record(1, 1, Phase::Ended));
        let (version, changes) = board.changes_after(Some(1), seen).unwrap();
        assert_eq!(
            changes
                .iter()
                .map(|c| c.view.record.phase)
                .collect::<Vec<_>>(),
            [Phase::Talking, Phase::Ended]
        );
        assert_eq!(board.changes_after(Some(1), version).unwrap().1.len(), 0);
    }

    #[test]
    fn nobody_sees_another_enterprise() {
        let board = Board::default();
        board.publish(record(1, 1, Phase::Ringing));
        board.publish(record(2, 2, Phase::Ended));
        let snapshot = board.snapshot(Some(2));
        assert!(snapshot.live.is_empty());
        assert_eq!(snapshot.ended.len(), 1);
        assert_eq!(board.snapshot(None).live.len(), 1);
    }

    #[test]
    fn a_viewer_that_was_away_too_long_starts_anew() {
        let board = Board::default();
        for call in 0..=CHANGES_KEPT as i64 {
            board.publish(record(call, 1, Phase::Ended));
        }
        assert!(board.changes_after(None, 0).is_none());
        assert!(board.changes_after(None, 1).is_some());
        assert!(
            board.changes_after(None, 1_000_000).is_none(),
            "a number of an earlier run of the server"
        );
    }

    #[test]
    fn an_absorbed_call_disappears_and_is_not_among_the_ended() {
        let board = Board::default();
        board.publish(record(1, 1, Phase::Talking));
        board.withdraw(CallId(1));
        let snapshot = board.snapshot(Some(1));
        assert!(snapshot.live.is_empty() && snapshot.ended.is_empty());
    }

    #[test]
    fn a_name_that_comes_later_is_a_change() {
        let board = Board::default();
        board.publish(record(1, 1, Phase::Talking));
        board.name_client(1, "+375291234567", "Anna");
        board.publish(record(1, 1, Phase::Held));
        assert_eq!(
            board.snapshot(Some(1)).live[0].client_name.as_deref(),
            Some("Anna")
        );
    }
}
