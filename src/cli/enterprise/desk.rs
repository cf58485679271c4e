//! What every command on an enterprise works at: finds the enterprise, makes a change and its audit row one transaction,
//! and tells a running server. Knows no command.

use actors::cache::Enterprise;
use actors::store::enterprises::{self, Key, NewEnterprise};
use actors::store::{Conn, Store, StoreError, Vault, audit};
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::cli::{entry, server};
use crate::config::Settings;

pub struct Desk {
    pub store: Store,
    pub settings: Settings,
}

impl Desk {
    pub fn new(store: Store, settings: Settings) -> Desk {
        Desk { store, settings }
    }

    /// The enterprise of this number, with its people, lines and integrations.
    pub async fn enterprise(&self, number: &str) -> anyhow::Result<Enterprise> {
        let (vault, key) = (self.store.vault().clone(), Key::Number(number.to_owned()));
        self.store
            .read(move |conn| enterprises::load(conn, &vault, &key))
            .await?
            .with_context(|| {
                // Often the settings are others than the server's.
                let database = crate::config::mask_url(&self.settings.database.url);
                format!(
                    "there is no enterprise {number} in {database}; see `patchbay enterprise list`"
                )
            })
    }

    /// Everything that is set of it, secrets in the clear.
    pub async fn details(&self, enterprise: &Enterprise) -> anyhow::Result<NewEnterprise> {
        let (vault, id) = (self.store.vault().clone(), enterprise.id);
        let found = self
            .store
            .read(move |conn| enterprises::details(conn, &vault, id))
            .await?;
        found.with_context(|| format!("enterprise {} was removed just now", enterprise.number))
    }

    /// Makes a change and notes it, both or neither. `what` is for the audit: no secret in it.
    pub async fn change<T: Send + 'static>(
        &self,
        enterprise: &Enterprise,
        action: &str,
        what: Value,
        work: impl FnOnce(&mut Conn, &Vault, DateTime<Utc>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let vault = self.store.vault().clone();
        let entry = entry(Some(enterprise.id), action, what);
        self.store
            .write(move |conn| {
                let now = Utc::now();
                let done = work(conn, &vault, now)?;
                audit::add(conn, &entry, now)?;
                Ok(done)
            })
            .await
    }

    /// Tells a running server of a change, and prints whether it knows.
    pub async fn tell(&self, number: &str) {
        server::tell(&self.settings, number).await;
    }
}
