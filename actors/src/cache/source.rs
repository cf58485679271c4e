//! Where configurations come from: the store in the server, a list in tests. Asked only by `cache::actor`.

use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::snapshot::Enterprise;
use crate::store::enterprises::{self, Key};
use crate::store::{Conn, Store, StoreError, Vault};

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

impl Source for Store {
    fn load(&self, which: Which) -> BoxFuture<'static, Result<Vec<Enterprise>, SourceError>> {
        let store = self.clone();
        Box::pin(async move {
            let vault = store.vault().clone();
            let loaded = store.read(move |conn| load(conn, &vault, which)).await;
            loaded.map_err(|error| SourceError(error.to_string()))
        })
    }
}

fn load(conn: &mut Conn, vault: &Vault, which: Which) -> Result<Vec<Enterprise>, StoreError> {
    let keys: Vec<Key> = match which {
        Which::All => return enterprises::load_all(conn, vault),
        Which::Tokens(tokens) => return enterprises::load_with_tokens(conn, vault, &tokens),
        Which::Ids(ids) => ids.into_iter().map(Key::Id).collect(),
        Which::Numbers(numbers) => numbers.into_iter().map(Key::Number).collect(),
        Which::Names(names) => names.into_iter().map(Key::Name).collect(),
    };
    let mut found = Vec::new();
    for key in &keys {
        found.extend(enterprises::load(conn, vault, key)?);
    }
    Ok(found)
}
