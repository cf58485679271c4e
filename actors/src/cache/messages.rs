//! What the handles ask of the cache's actor.

use std::sync::Arc;

use actix::Message;
use secrecy::SecretString;

use super::handle::Unavailable;
use super::snapshot::Enterprise;
use super::table::TokenKey;

/// The enterprise, or that there is none, or that nobody can say.
pub(super) type Found = Result<Option<Arc<Enterprise>>, Unavailable>;

/// One thing that can be loaded, and the key of its single flight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    All,
    Id(i64),
    Number(String),
    Name(String),
}

/// Load this unless it is known by now, and say what it is.
#[derive(Message)]
#[rtype(result = "Found")]
pub(super) enum Find {
    Token(TokenKey, SecretString),
    Key(Key),
}

/// Load this enterprise from a read that begins now or later. Answers whether it exists.
#[derive(Message)]
#[rtype(result = "Result<bool, Unavailable>")]
pub(super) struct Invalidate(pub String);

/// Load everything from a read that begins now or later.
#[derive(Message)]
#[rtype(result = "Result<(), Unavailable>")]
pub(super) struct Refresh;

/// Load these again; nobody waits.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Reload(pub Vec<Key>);
