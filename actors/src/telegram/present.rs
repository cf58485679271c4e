//! A call as it stands now, for Telegram: made by `handle` from nudges and by `ledger` from the table, kept by the desk, told by
//! a job. A value: knows no chat and no message.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::call::record::{Direction, Phase, Record};

/// A call as it stands now, for Telegram.
#[derive(Clone, Debug)]
pub struct Present {
    pub record: Arc<Record>,
    /// The client's name, where it is known already.
    pub client: Option<Arc<str>>,
    /// The call became a part of another one: its messages are taken away.
    pub absorbed: bool,
    /// A call of which nothing has been told yet is of no use to anyone after this.
    pub expires_at: Option<DateTime<Utc>>,
    /// Found in the table as open: whoever told of it before may have been stopped between telling and writing so.
    pub owed: bool,
}

impl Present {
    pub fn new(record: Arc<Record>, client: Option<Arc<str>>) -> Self {
        Self {
            record,
            client,
            absorbed: false,
            expires_at: None,
            owed: false,
        }
    }

    /// What is known when this is heard after `earlier`. Nudges come from several threads: one that was overtaken must
    /// not take the call back to what it was, and a name once known stays.
    pub fn after(self, earlier: &Present) -> Present {
        let overtaken = earlier.record.events_count > self.record.events_count;
        Present {
            record: if overtaken {
                earlier.record.clone()
            } else {
                self.record
            },
            client: self.client.or_else(|| earlier.client.clone()),
            absorbed: earlier.absorbed || self.absorbed,
            expires_at: self.expires_at.or(earlier.expires_at),
            owed: earlier.owed || self.owed,
        }
    }

    /// Whether nothing follows any more.
    pub fn over(&self) -> bool {
        self.absorbed || self.record.phase == Phase::Ended
    }

    /// What makes two calls the same client's: the number, on calls from and to outside.
    pub fn client_number(&self) -> &str {
        match self.record.direction {
            Direction::Internal => "",
            Direction::In | Direction::Out => self.record.phone.as_deref().unwrap_or_default(),
        }
    }
}
