//! Moves SQLite's write-ahead log into its file, in a thread of its own so that no commit waits for it. Started
//! by `Store::open`; never touches PostgreSQL.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::StoreError;
use super::conn::Place;

/// Stops the thread when dropped.
pub(crate) struct Checkpoint {
    _stop: Sender<()>,
}

impl Checkpoint {
    pub(crate) fn start(place: Place, every: Duration) -> Result<Checkpoint, StoreError> {
        let (stop, stopped) = channel::<()>();
        std::thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || {
                let mut conn = None;
                while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    let outcome = match &mut conn {
                        Some(conn) => move_log(conn),
                        None => place.connect().and_then(|mut new| {
                            let outcome = move_log(&mut new);
                            conn = Some(new);
                            outcome
                        }),
                    };
                    if let Err(error) = outcome {
                        log::warn!("a checkpoint failed, the next one may not: {error}");
                        conn = None;
                    }
                }
            })
            .map_err(|e| StoreError::Away(e.to_string()))?;
        Ok(Checkpoint { _stop: stop })
    }
}

/// PASSIVE never blocks the writer. A log that grew large while readers held it back is cut by a RESTART once a
/// PASSIVE one has moved everything, which SQLite does by itself at the next write.
fn move_log(conn: &mut super::Conn) -> Result<(), StoreError> {
    conn.execute_batch("PRAGMA wal_checkpoint(PASSIVE)")
}
