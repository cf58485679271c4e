//! That a CRM has shut us out, kept with the settings: asking it again makes it worse, so neither a restart nor another
//! process does. Written when a CRM says so (`flow.rs`), taken away when a person closes the pause (`actor.rs`); whoever
//! saves the settings takes it away as well. Sends nothing.

use actix::prelude::*;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::actor::Link;
use super::own_changes::{Noted, write};
use super::registry::{House, LinkId};
use crate::store::StoreError;

/// Its member of the settings: `{"at", "words"}`.
pub const SHUT_OUT: &str = "shut_out";

/// What the CRM said when it shut us out, if it did and nobody has closed the pause since.
pub fn words(settings: &Value) -> Option<&str> {
    settings.get(SHUT_OUT)?.get("words")?.as_str()
}

impl Link {
    /// Has it outlive this process that the CRM has shut us out.
    pub(super) fn keep_shut_out(
        &mut self,
        words: String,
        now: DateTime<Utc>,
        ctx: &mut Context<Self>,
    ) {
        let (id, house) = (self.id, self.house.clone());
        let work = async move {
            if let Err(error) = keep(&house, id, &words, now).await {
                log::warn!("{id}: that we are shut out cannot be kept: {error}");
            }
        };
        ctx.spawn(work.into_actor(self));
    }

    /// A person says that the CRM may be asked again.
    pub(super) fn forget_shut_out(&mut self, ctx: &mut Context<Self>) {
        let (id, house) = (self.id, self.house.clone());
        let work = async move {
            if let Err(error) = forget(&house, id, Utc::now()).await {
                log::warn!("{id}: that we were shut out cannot be forgotten: {error}");
            }
        };
        ctx.spawn(work.into_actor(self));
    }
}

/// Keeps that, and notes it in the list of changes.
///
/// # Errors
/// The database's own.
async fn keep(
    house: &House,
    id: LinkId,
    words: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let note = json!({"at": now, "words": words});
    let change = move |part: &mut Map<String, Value>| {
        !part.contains_key(SHUT_OUT) && part.insert(SHUT_OUT.into(), note).is_none()
    };
    let noted = Noted {
        act: Some((
            "integration.shut_out",
            json!({"integration": id.kind, "words": words}),
        )),
        ..Noted::default()
    };
    write(house, id, change, noted, now).await
}

/// Forgets it: a person says that we may ask again.
///
/// # Errors
/// The database's own.
async fn forget(house: &House, id: LinkId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let change = |part: &mut Map<String, Value>| part.remove(SHUT_OUT).is_some();
    write(house, id, change, Noted::default(), now).await
}
