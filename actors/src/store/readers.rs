//! Threads that read: a few, each taking what was asked and answering it, over one r2d2 pool. Used through
//! `Store::read`; writes nothing but one-statement claims.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::conn::{Conn, Maker, Place};

type Job = Box<dyn FnOnce(Result<&mut Conn, StoreError>) + Send>;

/// The readers' mailbox.
pub(crate) struct Readers {
    jobs: mpsc::Sender<Job>,
}

/// Requests that may wait for a reader before the asker itself waits.
const WAITING: usize = 1024;

impl Readers {
    pub(crate) fn start(place: &Place, count: u32) -> Result<Readers, StoreError> {
        let count = count.max(1);
        let pool = r2d2::Pool::builder()
            .max_size(count)
            .min_idle(Some(1))
            .connection_timeout(Duration::from_secs(5))
            .error_handler(Box::new(Quiet))
            .build(Maker(place.clone()))
            .map_err(|e| StoreError::Away(e.to_string()))?;
        let (jobs, queue) = mpsc::channel::<Job>(WAITING);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..count {
            let (pool, queue) = (pool.clone(), Arc::clone(&queue));
            std::thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || {
                    loop {
                        // One thread waits inside the lock, the others for the lock: each job wakes one of them.
                        let job = queue
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .blocking_recv();
                        let Some(job) = job else { return };
                        // The connection is dropped inside: while a panic unwinds, so that the pool sees it is broken.
                        let outcome = catch_unwind(AssertUnwindSafe(|| match pool.get() {
                            Ok(mut pooled) => job(Ok(&mut pooled.conn)),
                            Err(error) => job(Err(StoreError::Away(error.to_string()))),
                        }));
                        if outcome.is_err() {
                            log::error!("a storage read panicked; its connection was thrown away");
                        }
                    }
                })
                .map_err(|e| StoreError::Away(e.to_string()))?;
        }
        Ok(Readers { jobs })
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            // An asker that went away is no error.
            let _ = answer.send(conn.and_then(work));
        });
        self.jobs
            .send(job)
            .await
            .map_err(|_| StoreError::Away("the readers have ended".into()))?;
        answered.await.unwrap_or(Err(StoreError::Panicked))
    }
}

/// r2d2 tells of each failed try to connect; the asker is told anyway, so here it is only for debugging.
#[derive(Debug)]
struct Quiet;

impl r2d2::HandleError<StoreError> for Quiet {
    fn handle_error(&self, error: StoreError) {
        log::debug!("a reader's connection: {error}");
    }
}
