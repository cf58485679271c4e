//! Hears on PostgreSQL that an enterprise's configuration changed, in this process, another one or straight in the
//! database (triggers in the migrations). Started by the cache. Only a nudge: a change missed while the connection
//! was away is caught by the cache's own lifetimes, and by the `Reconnected` that tells it to look at everything.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use futures_util::future::poll_fn;
use tokio_postgres::{AsyncMessage, NoTls};

use super::StoreError;
use super::conn::Place;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The configuration of this enterprise changed.
    Changed(i64),
    /// Listening has (again) begun: what changed before is not known.
    Listening,
}

/// Ends the listening when dropped.
pub struct Listener {
    _stop: Sender<()>,
}

/// The name of the channel; the triggers have it too.
const CHANNEL: &str = "patchbay_config";

/// Pause between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);

impl super::Store {
    /// Calls `hear` on a thread of its own for every change, until the listener is dropped. `None` on SQLite, where
    /// there is only one process.
    ///
    /// # Errors
    /// `Away` when the thread cannot be started; a database that is away is tried again and again.
    pub fn listen(
        &self,
        hear: impl FnMut(Heard) + Send + 'static,
    ) -> Result<Option<Listener>, StoreError> {
        match self.place() {
            Place::Sqlite(_) => Ok(None),
            Place::Postgres(url) => start(url.clone(), hear).map(Some),
        }
    }
}

fn start(
    url: String,
    mut hear: impl FnMut(Heard) + Send + 'static,
) -> Result<Listener, StoreError> {
    let (stop, stopped) = channel::<()>();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| StoreError::Away(e.to_string()))?;
    std::thread::Builder::new()
        .name("store-listen".into())
        .spawn(move || {
            let ended = || {
                matches!(
                    stopped.try_recv(),
                    Err(std::sync::mpsc::TryRecvError::Disconnected)
                )
            };
            loop {
                if let Err(error) = runtime.block_on(hear_until_lost(&url, &mut hear, &ended)) {
                    log::warn!(
                        "listening for configuration changes was lost and is tried again: {error}"
                    );
                }
                if stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        })
        .map_err(|e| StoreError::Away(e.to_string()))?;
    Ok(Listener { _stop: stop })
}

async fn hear_until_lost(
    url: &str,
    hear: &mut impl FnMut(Heard),
    ended: &impl Fn() -> bool,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await?;
    let (messages, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let drive = async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(note) = message?
                && messages.send(note).is_err()
            {
                break;
            }
        }
        Ok(())
    };
    let serve = async {
        client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        hear(Heard::Listening);
        loop {
            match tokio::time::timeout(PAUSE, heard.recv()).await {
                Ok(Some(note)) => {
                    if let Ok(enterprise) = note.payload().parse() {
                        hear(Heard::Changed(enterprise));
                    }
                }
                Ok(None) => return Ok(()),
                Err(_) if ended() => return Ok(()),
                Err(_) => {}
            }
        }
    };
    tokio::select! {
        lost = drive => lost,
        done = serve => done,
    }
}
