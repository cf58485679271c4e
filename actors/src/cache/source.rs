//! Where configurations come from: the store in the server, a list in tests. Asked only by `cache::actor`.

use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::snapshot::Enterprise;

/// Which enterprises to load. Always lists, so that many askers cost one query.
#[derive(Clone, Debug)]
pub enum Which {
    All,
    Ids(Vec<i64>),
    Numbers(Vec<String>),
    Names(Vec<String>),
    Tokens(Vec<SecretString>),
}

/// The database did not answer. The words are for the operator and hold no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("configuration could not be loaded: {0}")]
pub struct SourceError(pub String);

/// A place that knows the enterprises. What is asked for and not in the answer does not exist.
pub trait Source: Send + Sync + 'static {
    /// Loads in one consistent view; the read must begin after the call.
    fn load(&self, which: Which) -> BoxFuture<'static, Result<Vec<Enterprise>, SourceError>>;
}
