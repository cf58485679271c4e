//! The one way in which the integrations document is changed: read, changed, checked and written in one transaction, with its
//! audit row. Called by the dialog, the JSON and the page of users; what a change may be, `document.rs` says.

use std::sync::Arc;

use actors::cache::Enterprise;
use actors::crm;
use actors::integration::actor::Order;
use actors::integration::connector::Kind;
use actors::store::{audit, enterprises};
use chrono::Utc;
use serde_json::Value;

use super::document::{changed, difference, is_on};
use crate::error::AppError;
use crate::state::App;
use crate::web::enterprise::{note, spread};
use crate::web::visit::Visit;

/// Changes the document by `told` and notes what changed; nothing is written when nothing did.
pub async fn store(
    app: &App,
    visit: &Visit,
    enterprise: &Arc<Enterprise>,
    told: Value,
    action: &str,
) -> Result<Value, AppError> {
    let id = enterprise.id;
    let vault = app.store.vault().clone();
    let public_url = app.settings.server.public_url.clone();
    let (place, entry) = (enterprise.clone(), note(visit, id, action, Value::Null)?);
    // The document is read in the transaction that writes it, so that two who change it lose nothing of each other's.
    let made = app
        .store
        .write(move |conn| {
            let before = enterprises::integrations(conn, &vault, id)?;
            let after = match changed(&before, told.clone(), &place, &public_url, Utc::now()) {
                Ok(after) => after,
                Err(words) => return Ok(Err(words)),
            };
            let what = difference(&before, &after);
            let renewed: Vec<&'static Kind> = crm::KINDS
                .iter()
                .copied()
                .filter(|kind| {
                    let part = after.get(kind.name).filter(|part| is_on(part));
                    part.is_some() && part != before.get(kind.name)
                })
                .collect();
            if before != after {
                enterprises::save_integrations(conn, &vault, id, &after, Utc::now())?;
                audit::add(
                    conn,
                    &audit::NewEntry {
                        what,
                        ..entry.clone()
                    },
                    Utc::now(),
                )?;
            }
            Ok(Ok((after, renewed)))
        })
        .await?;
    let (after, renewed) = made.map_err(AppError::BadRequest)?;
    spread(app, &enterprise.number).await;
    // What waited for the wrong key or address to be mended waits no longer, however far away its next try was.
    for kind in renewed {
        app.integrations.order(id, kind.name, Order::Reset).await;
    }
    Ok(after)
}
