//! Remembers answers that take long to get (a client's name from a CRM): each for a while, asked for once however many
//! want it, and nobody waits longer than they said. Used by `names`; knows nothing of CRMs.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long what is remembered, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// An answer is used this long.
    pub lifetime: Duration,
    /// A failure is answered again without asking for this long.
    pub failure: Duration,
    /// Answers kept at most; the oldest give way.
    pub most: usize,
}

/// No answer within the time its asker had. The question goes on: a later asker may find its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer in time")]
pub struct TooSlow;

/// See the module's head. Clones share what is remembered.
#[derive(Debug)]
pub struct Memo<K, V, E> {
    slots: Arc<Mutex<HashMap<K, Slot<V, E>>>>,
    terms: Terms,
}

impl<K, V, E> Clone for Memo<K, V, E> {
    fn clone(&self) -> Self {
        Memo {
            slots: self.slots.clone(),
            terms: self.terms,
        }
    }
}

#[derive(Debug)]
enum Slot<V, E> {
    Known {
        answer: Result<V, E>,
        until: Instant,
    },
    Asked(watch::Receiver<Option<Result<V, E>>>),
}

impl<K, V, E> Memo<K, V, E>
where
    K: Clone + Eq + Hash + 'static,
    V: Clone + 'static,
    E: Clone + 'static,
{
    pub fn new(terms: Terms) -> Self {
        Memo {
            slots: Arc::default(),
            terms,
        }
    }

    /// What is remembered now, without asking.
    pub fn known(&self, key: &K) -> Option<Result<V, E>> {
        match self.lock().get(key) {
            Some(Slot::Known { answer, until }) if Instant::now() < *until => Some(answer.clone()),
            _ => None,
        }
    }

    /// The answer: remembered, or from a question that is under way, or from `ask`. Call it inside an actix system; the
    /// question runs there to its end even when this caller's `patience` ends before.
    ///
    /// # Errors
    /// `TooSlow` for this caller; the question's own error inside.
    pub async fn find<F>(
        &self,
        key: K,
        patience: Duration,
        ask: impl FnOnce() -> F,
    ) -> Result<Result<V, E>, TooSlow>
    where
        F: Future<Output = Result<V, E>> + 'static,
    {
        if let Some(answer) = self.known(&key) {
            return Ok(answer);
        }
        let mut answer = self.board(key, ask);
        let waiting = answer.wait_for(Option::is_some);
        match tokio::time::timeout(patience, waiting).await {
            Ok(Ok(answered)) => answered.clone().ok_or(TooSlow),
            // The asking task died, or time is up.
            Ok(Err(_)) | Err(_) => Err(TooSlow),
        }
    }

    /// Forgets what `which` says yes to: a CRM's settings changed.
    pub fn forget(&self, which: impl Fn(&K) -> bool) {
        self.lock().retain(|key, _| !which(key));
    }

    fn board<F>(&self, key: K, ask: impl FnOnce() -> F) -> watch::Receiver<Option<Result<V, E>>>
    where
        F: Future<Output = Result<V, E>> + 'static,
    {
        let mut slots = self.lock();
        if let Some(Slot::Asked(answer)) = slots.get(&key)
            // A question whose task died answers nobody.
            && answer.has_changed().is_ok()
        {
            return answer.clone();
        }
        self.make_room(&mut slots);
        let (tell, answer) = watch::channel(None);
        slots.insert(key.clone(), Slot::Asked(answer.clone()));
        drop(slots);
        let (memo, question) = (self.clone(), ask());
        actix_rt::spawn(async move {
            let answer = question.await;
            let life = if answer.is_ok() {
                memo.terms.lifetime
            } else {
                memo.terms.failure
            };
            let known = Slot::Known {
                answer: answer.clone(),
                until: Instant::now() + life,
            };
            memo.lock().insert(key, known);
            let _nobody_waits = tell.send(Some(answer));
        });
        answer
    }

    /// Keeps the memory bounded: what has expired goes first, then whatever ends soonest.
    fn make_room(&self, slots: &mut HashMap<K, Slot<V, E>>) {
        if slots.len() < self.terms.most {
            return;
        }
        let now = Instant::now();
        slots.retain(|_, slot| !matches!(slot, Slot::Known { until, .. } if *until <= now));
        if slots.len() < self.terms.most {
            return;
        }
        let mut ends: Vec<Instant> = slots
            .values()
            .filter_map(|slot| match slot {
                Slot::Known { until, .. } => Some(*until),
                Slot::Asked(_) => None,
            })
            .collect();
        ends.sort_unstable();
        // A tenth at once, so that a full memory is not searched for every question.
        if let Some(limit) = ends.get(ends.len() / 10) {
            slots.retain(|_, slot| !matches!(slot, Slot::Known { until, .. } if *until <= *limit));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Slot<V, E>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use futures_util::future::join_all;

    use super::*;

    const TERMS: Terms = Terms {
        lifetime: Duration::from_secs(600),
        failure: Duration::from_secs(10),
        most: 100,
    };

    fn memo() -> (Memo<u32, String, String>, Rc<Cell<usize>>) {
        (Memo::new(TERMS), Rc::default())
    }

    async fn answered(
        asked: Rc<Cell<usize>>,
        after: u64,
        answer: Result<&str, &str>,
    ) -> Result<String, String> {
        asked.set(asked.get() + 1);
        tokio::time::sleep(Duration::from_secs(after)).await;
        answer.map(Into::into).map_err(Into::into)
    }

    const PATIENCE: Duration = Duration::from_secs(2);

    #[actix_rt::test]
    async fn many_askers_one_question() {
        tokio::time::pause();
        let (memo, asked) = memo();
        let all =
            (0..100).map(|_| memo.find(7, PATIENCE, || answered(asked.clone(), 1, Ok("Анна"))));
        for answer in join_all(all).await {
            assert_eq!(answer, Ok(Ok("Анна".into())));
        }
        assert_eq!(asked.get(), 1);
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!(memo.known(&7), Some(Ok("Анна".into())));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(memo.known(&7), None);
        memo.find(7, PATIENCE, || answered(asked.clone(), 0, Ok("Анна")))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(asked.get(), 2);
    }

    #[actix_rt::test]
    async fn a_slow_answer_serves_who_comes_later() {
        tokio::time::pause();
        let (memo, asked) = memo();
        assert_eq!(
            memo.find(7, PATIENCE, || answered(asked.clone(), 5, Ok("Анна")))
                .await,
            Err(TooSlow)
        );
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(memo.known(&7), Some(Ok("Анна".into())));
        assert_eq!(asked.get(), 1);
    }

    #[actix_rt::test]
    async fn a_failure_is_remembered_for_a_shorter_time() {
        tokio::time::pause();
        let (memo, asked) = memo();
        for _ in 0..3 {
            let answer = memo
                .find(7, PATIENCE, || answered(asked.clone(), 0, Err("down")))
                .await;
            assert_eq!(answer, Ok(Err("down".into())));
        }
        assert_eq!(asked.get(), 1);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(
            memo.find(7, PATIENCE, || answered(asked.clone(), 0, Ok("Анна")))
                .await
                .unwrap()
                .is_ok()
        );
    }

    #[actix_rt::test]
    async fn a_question_that_panics_is_asked_again() {
        let (memo, asked) = memo();
        let panics = memo
            .find(7, PATIENCE, || async { panic!("as a test") })
            .await;
        assert_eq!(panics, Err(TooSlow));
        assert!(
            memo.find(7, PATIENCE, || answered(asked.clone(), 0, Ok("Анна")))
                .await
                .unwrap()
                .is_ok()
        );
    }

    #[actix_rt::test]
    async fn memory_is_bounded() {
        let (memo, asked) = memo();
        for key in 0..1000 {
            memo.find(key, PATIENCE, || answered(asked.clone(), 0, Ok("x")))
                .await
                .unwrap()
                .unwrap();
        }
        assert!(memo.lock().len() <= 100);
        assert!(memo.known(&999).is_some());
        memo.forget(|_| true);
        assert!(memo.known(&999).is_none());
    }
}
