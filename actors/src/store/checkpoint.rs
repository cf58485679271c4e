//! Moves SQLite's write-ahead log into its file, in a thread of its own so that no commit waits for it. Started
//! by `Store::open`; never touches PostgreSQL.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::conn::Place;
use super::{Conn, StoreError};

/// Stops the thread when dropped.
pub(crate) struct Checkpoint {
    _stop: Sender<()>,
}

/// A log longer than this is begun anew, for which the writer has to stand still for a moment.
const LONG: u64 = 64 << 20;

impl Checkpoint {
    pub(crate) fn start(place: Place, every: Duration) -> Result<Checkpoint, StoreError> {
        let log = match &place {
            Place::Sqlite(path) => format!("{path}-wal"),
            Place::Postgres(_) => String::new(),
        };
        let (stop, stopped) = channel::<()>();
        std::thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || {
                let mut conn = None;
                while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    let outcome = match &mut conn {
                        Some(conn) => move_log(conn, &log),
                        None => connect(&place).and_then(|mut new| {
                            let outcome = move_log(&mut new, &log);
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

/// A connection that gives up soon: while it waits for a slow reader in RESTART, the writer waits for it.
fn connect(place: &Place) -> Result<Conn, StoreError> {
    let mut conn = place.connect()?;
    conn.execute_batch("PRAGMA busy_timeout=100")?;
    Ok(conn)
}

/// PASSIVE moves what it can and holds up nobody. Under a load that never pauses it never moves the very last page,
/// and the log would grow for ever: then RESTART, which has little left to do, makes the writer begin it anew. One
/// that could not because of a reader is no error, it comes again.
fn move_log(conn: &mut Conn, log: &str) -> Result<(), StoreError> {
    conn.execute_batch("PRAGMA wal_checkpoint(PASSIVE)")?;
    if std::fs::metadata(log).is_ok_and(|file| file.len() > LONG) {
        match conn.execute_batch("PRAGMA wal_checkpoint(RESTART)") {
            Err(StoreError::Away(words)) if words.contains("locked") => {
                log::debug!("the log waits for a reader")
            }
            outcome => outcome?,
        }
    }
    Ok(())
}
