//! Every enterprise's host as the rest of the house sees it: one asynchronous call per command. The blocking work is
//! done by threads of its own, never more per host than it has sessions, so one host that hangs keeps no other waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use scheduled_thread_pool::ScheduledThreadPool;
use tokio::sync::{Semaphore, oneshot};

use super::answer;
use super::command::Command;
use super::error::HostError;
use super::pool::{Access, Pool, Reached, Terms};
use crate::cache::snapshot::Enterprise;

/// All hosts. Cheap to clone.
#[derive(Clone)]
pub struct Hosts {
    inner: Arc<Inner>,
}

struct Inner {
    terms: Terms,
    lanes: Mutex<HashMap<i64, Arc<Lane>>>,
    /// Closes idle sessions.
    closer: Arc<ScheduledThreadPool>,
}

/// One host.
struct Lane {
    pool: Pool,
    /// One permit per session.
    turn: Semaphore,
    /// One permit per command that waits or runs.
    room: Semaphore,
}

impl Hosts {
    /// Nothing is connected before the first command.
    pub fn new(terms: Terms) -> Hosts {
        Hosts {
            inner: Arc::new(Inner {
                terms,
                lanes: Mutex::default(),
                closer: Arc::new(
                    ScheduledThreadPool::builder()
                        .num_threads(1)
                        .thread_name_pattern("ssh-idle")
                        .build(),
                ),
            }),
        }
    }

    /// Has the enterprise's host do this; gives the host's words.
    ///
    /// # Errors
    /// What was wrong, in words. When it is `Timeout`, the host may have done it all the same.
    pub async fn run(
        &self,
        enterprise: &Enterprise,
        command: &Command,
    ) -> Result<String, HostError> {
        let lines = lines(enterprise, command)?;
        self.with(enterprise, move |pool| pool.run(&lines, answer::read))
            .await
    }

    /// The same over a session of its own, telling each part of the way as it is behind us: for people who set a host up.
    /// `tell` is called on the thread that speaks to the host.
    ///
    /// # Errors
    /// As `run`.
    pub async fn try_out(
        &self,
        enterprise: &Enterprise,
        command: &Command,
        tell: impl Fn(Reached) + Send + 'static,
    ) -> Result<String, HostError> {
        let lines = lines(enterprise, command)?;
        self.with(enterprise, move |pool| {
            pool.try_out(&lines, answer::read, &tell)
        })
        .await
    }

    /// Does something blocking with a host when it is its turn.
    async fn with(
        &self,
        enterprise: &Enterprise,
        work: impl FnOnce(&Pool) -> Result<String, HostError> + Send + 'static,
    ) -> Result<String, HostError> {
        let lane = self.lane(enterprise)?;
        let _room = lane.room.try_acquire().map_err(|_| HostError::Busy)?;
        // Those who wait are bounded by the room, and by the time one command may take.
        let patience = self.inner.terms.command * 2;
        let turn = tokio::time::timeout(patience, lane.turn.acquire())
            .await
            .map_err(|_| HostError::Busy)?
            .map_err(|_| HostError::Busy)?;
        // The turn is given back by the thread, so that an asker who leaves does not free a session in use.
        turn.forget();
        let (tell, told) = oneshot::channel();
        let runs = lane.clone();
        let spawned = std::thread::Builder::new()
            .name("ssh".into())
            .spawn(move || {
                let _turn = GivenBack(&runs.turn);
                let _asker_may_have_left = tell.send(work(&runs.pool));
            });
        if let Err(error) = spawned {
            lane.turn.add_permits(1);
            return Err(HostError::Down(format!("no thread to ask it: {error}")));
        }
        told.await
            .unwrap_or_else(|_| Err(HostError::Refused("asking it failed".into())))
    }

    /// The host's lane; a new one when its settings changed.
    fn lane(&self, enterprise: &Enterprise) -> Result<Arc<Lane>, HostError> {
        let access = Access::of(&enterprise.host)?;
        let mut lanes = self.lanes();
        if let Some(lane) = lanes.get(&enterprise.id)
            && *lane.pool.access() == access
        {
            return Ok(lane.clone());
        }
        let terms = self.inner.terms;
        let lane = Arc::new(Lane {
            pool: Pool::new(access, terms, self.inner.closer.clone()),
            turn: Semaphore::new(terms.sessions.max(1) as usize),
            room: Semaphore::new(terms.waiting.max(1)),
        });
        lanes.insert(enterprise.id, lane.clone());
        Ok(lane)
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Arc<Lane>>> {
        self.inner
            .lanes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said over the wire, and what is expected back.
fn lines(
    enterprise: &Enterprise,
    command: &Command,
) -> Result<Vec<(String, super::command::Expects)>, HostError> {
    let lines = command.lines(&enterprise.host)?;
    Ok(lines
        .into_iter()
        .map(|line| (line.text, line.expects))
        .collect())
}

/// Gives a turn back however its thread ends.
struct GivenBack<'a>(&'a Semaphore);

impl Drop for GivenBack<'_> {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::cache::tests::enterprise;

    fn with_host(id: i64, port: u16) -> Enterprise {
        let mut enterprise = enterprise(id, "0367", "june");
        enterprise.host.address = "127.0.0.1".into();
        enterprise.host.port = port;
        enterprise.host.user = "patchbay".into();
        enterprise.host.key = Some("no key at all".into());
        enterprise
    }

    fn hosts() -> Hosts {
        Hosts::new(Terms {
            connect: Duration::from_millis(300),
            sessions: 1,
            waiting: 2,
            ..Terms::default()
        })
    }

    #[actix_rt::test]
    async fn a_host_that_is_not_there_is_told_at_once() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let began = Instant::now();
        let error = hosts().run(&with_host(1, port), &Command::Look).await;
        assert!(matches!(error, Err(HostError::Down(_))), "{error:?}");
        assert!(began.elapsed() < Duration::from_millis(250));
    }

    #[actix_rt::test]
    async fn one_that_never_answers_keeps_no_other_waiting_and_takes_only_so_many() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let hosts = hosts();
        let (june, july) = (with_host(1, port), with_host(2, 1));
        let (one, two, three, other) = tokio::join!(
            hosts.run(&june, &Command::Look),
            hosts.run(&june, &Command::Look),
            hosts.run(&june, &Command::Look),
            async {
                let began = Instant::now();
                let answer = hosts.run(&july, &Command::Look).await;
                (answer, began.elapsed())
            },
        );
        assert_eq!(
            (one, two),
            (Err(HostError::Timeout), Err(HostError::Timeout))
        );
        assert_eq!(three, Err(HostError::Busy), "two may be under way");
        assert!(matches!(other.0, Err(HostError::Down(_))));
        assert!(other.1 < Duration::from_millis(250), "{:?}", other.1);
    }
}
