//! How the store says no. Callers match on these; only `src/error.rs` turns them into HTTP.

use diesel::result::{DatabaseErrorKind, Error as Diesel};

use super::vault::VaultError;

/// Why a read or a write did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database URL cannot be used; words for the operator.
    #[error("{0}")]
    Url(String),
    #[error("not found")]
    NotFound,
    /// A unique rule forbids it; the words name the rule.
    #[error("there is one already: {0}")]
    Taken(String),
    /// The database will never take this: a rule of the tables, or data it cannot hold.
    #[error("the database refused: {0}")]
    Refused(String),
    /// The database cannot answer now: gone, full, locked.
    #[error("the database is away: {0}")]
    Away(String),
    /// Too much waits already.
    #[error("too much waits for the database")]
    Full,
    /// The work panicked; its transaction was rolled back.
    #[error("a storage job broke")]
    Panicked,
    #[error(transparent)]
    Sealed(#[from] VaultError),
    /// What is stored cannot be understood.
    #[error("stored data cannot be read: {0}")]
    Damaged(String),
}

/// Why an event was not made durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The queue is full: answer 503.
    #[error("too much waits for the database")]
    Full,
    /// The database cannot take it now: answer 503, the host sends it again.
    #[error("the database is away: {0}")]
    Away(String),
    /// The database will never take this one: another try is of no use.
    #[error("the database refused: {0}")]
    Refused(String),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => WriteError::Full,
            StoreError::Away(words) => WriteError::Away(words),
            StoreError::Panicked => WriteError::Away("a storage job broke".into()),
            other => WriteError::Refused(other.to_string()),
        }
    }
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Full => StoreError::Full,
            WriteError::Away(words) => StoreError::Away(words),
            WriteError::Refused(words) => StoreError::Refused(words),
        }
    }
}

/// Words by which a database says that it, not the data, is the trouble. SQLite has no error kinds for them and
/// PostgreSQL's arrive as `Unknown`.
const AWAY: [&str; 16] = [
    "disk is full",
    "disk I/O error",
    "database is locked",
    "unable to open database",
    "readonly database",
    "disk image is malformed",
    "out of memory",
    "No space left",
    "could not extend",
    "shutting down",
    "terminating connection",
    "connection closed",
    "too many clients",
    "starting up",
    "recovery mode",
    "statement timeout",
];

impl From<Diesel> for StoreError {
    fn from(error: Diesel) -> Self {
        match error {
            Diesel::NotFound => StoreError::NotFound,
            Diesel::DatabaseError(kind, info) => {
                let words = info.message().to_owned();
                match kind {
                    DatabaseErrorKind::UniqueViolation => StoreError::Taken(words),
                    DatabaseErrorKind::ClosedConnection
                    | DatabaseErrorKind::UnableToSendCommand
                    | DatabaseErrorKind::ReadOnlyTransaction
                    | DatabaseErrorKind::SerializationFailure => StoreError::Away(words),
                    _ if AWAY.iter().any(|known| words.contains(known)) => StoreError::Away(words),
                    _ => StoreError::Refused(words),
                }
            }
            Diesel::DeserializationError(error) => StoreError::Damaged(error.to_string()),
            Diesel::BrokenTransactionManager => {
                StoreError::Away("the connection was left in an unknown state".into())
            }
            Diesel::AlreadyInTransaction | Diesel::NotInTransaction => {
                StoreError::Away("the connection lost its transaction".into())
            }
            other => StoreError::Refused(other.to_string()),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Damaged(error.to_string())
    }
}
