//! What Patchbay changes in an integration's settings by itself: that it was given up (`surrender.rs`), that its CRM has shut us
//! out (`shut_out.rs`). Read and written in one transaction, with its row in the list of changes; the cache hears of it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::registry::{House, LinkId};
use crate::store::logs::{self, NewLog};
use crate::store::{StoreError, audit, enterprises};

/// Who is named in the list of changes.
const WHO: &str = "Patchbay";

/// What is noted with a change.
#[derive(Default)]
pub(super) struct Noted {
    /// For the list of changes: the act's word, and what it was about.
    pub act: Option<(&'static str, Value)>,
    pub log: Option<NewLog>,
}

/// Changes the link's part of the document. Nothing is written, and false given, where `change` says that nothing did or the
/// part is not there.
///
/// # Errors
/// The database's own.
pub(super) async fn write(
    house: &House,
    id: LinkId,
    change: impl FnOnce(&mut Map<String, Value>) -> bool + Send + 'static,
    noted: Noted,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let vault = house.store.vault().clone();
    let changed = house
        .store
        .write(move |conn| {
            let mut document = enterprises::integrations(conn, &vault, id.enterprise)?;
            let part = document.get_mut(id.kind).and_then(Value::as_object_mut);
            if !part.is_some_and(change) {
                return Ok(false);
            }
            enterprises::save_integrations(conn, &vault, id.enterprise, &document, now)?;
            if let Some((action, what)) = noted.act {
                let entry = audit::NewEntry {
                    enterprise: Some(id.enterprise),
                    user: None,
                    who: WHO.into(),
                    action: action.into(),
                    what,
                };
                audit::add(conn, &entry, now)?;
            }
            if let Some(log) = noted.log {
                logs::add(conn, &log)?;
            }
            Ok(true)
        })
        .await?;
    if changed && let Some(enterprise) = house.cache.by_id(id.enterprise) {
        house.cache.nudge(&enterprise.number);
    }
    Ok(changed)
}
