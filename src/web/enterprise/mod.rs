//! One enterprise's administration, for its own administrators and for superadmins: its settings, lines, bot
//! and integrations with their log and statistics. Every handler finds its enterprise through `find`, so that another's does not exist; every change is
//! noted through `note` in the transaction that makes it.

pub mod history;
pub mod host;
pub mod integrations;
pub mod joining;
pub mod lines;
pub mod list;
pub mod people;
pub mod settings;
pub mod telegram;
pub mod trials;

use std::sync::Arc;

use actors::cache::Enterprise;
use actors::store::audit::{self, NewEntry};
use actors::store::{Conn, StoreError, Vault};
use chrono::Utc;
use serde_json::{Value, json};

use crate::error::AppError;
use crate::state::App;
use crate::web::session::policy::Role;
use crate::web::visit::{Scope, Visit, there};

/// The enterprise of this number, if the visitor may see it.
pub async fn find(app: &App, visit: &Visit, number: &str) -> Result<Arc<Enterprise>, AppError> {
    let scope = visit.scope()?;
    let found = match app.cache.by_number(number) {
        Some(found) => Some(found),
        // Only superadmins reach enterprises that this process has not met yet; for others theirs is always there.
        None if scope == Scope::All => app.cache.find(number).await.map_err(|away| {
            log::warn!("enterprise {number} cannot be looked up: {away}");
            AppError::Busy {
                message: "the database does not answer".into(),
                retry_after: 2,
            }
        })?,
        None => None,
    };
    found
        .filter(|found| found.number == number && scope.covers(found.id))
        .ok_or(AppError::NotFound)
}

/// The audit row of a change by this visitor; `what` has its secrets masked already.
pub fn note(
    visit: &Visit,
    enterprise: i64,
    action: &str,
    what: Value,
) -> Result<NewEntry, AppError> {
    let viewer = visit.viewer()?;
    Ok(NewEntry {
        enterprise: Some(enterprise),
        // A guest is nobody in `users`.
        user: Some(viewer.user).filter(|_| viewer.role != Role::Guest),
        who: viewer.login.clone(),
        action: action.into(),
        what,
    })
}

/// Makes a change with its audit row, both or neither, and lets every reader see it. `what` has its secrets masked.
pub async fn change<T: Send + 'static>(
    app: &App,
    visit: &Visit,
    enterprise: &Enterprise,
    (action, what): (&str, Value),
    work: impl FnOnce(&mut Conn, &Vault) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, AppError> {
    let entry = note(visit, enterprise.id, action, what)?;
    let vault = app.store.vault().clone();
    let done = app
        .store
        .write(move |conn| {
            let done = work(conn, &vault)?;
            audit::add(conn, &entry, Utc::now())?;
            Ok(done)
        })
        .await?;
    spread(app, &enterprise.number).await;
    Ok(done)
}

/// Lets every reader see a change at once. A change that is saved stays saved when the cache cannot be told: it comes by
/// itself then.
pub async fn spread(app: &App, number: &str) {
    if let Err(away) = app.cache.invalidate(number).await {
        log::warn!("enterprise {number} is changed; the cache learns of it later: {away}");
    }
    // What CRMs said before may be another account's word.
    if let Some(enterprise) = app.cache.by_number(number) {
        app.names.forget(enterprise.id);
    }
}

/// Where the page of a tab is.
fn address(number: &str, tab: &str) -> String {
    match tab {
        "settings" => format!("/enterprise/{number}"),
        "log" => format!("/enterprise/{number}/integrations/log"),
        tab => format!("/enterprise/{number}/{tab}"),
    }
}

/// What every page of an enterprise shows above its own.
pub fn context(
    visit: &Visit,
    enterprise: &Enterprise,
    tab: &str,
) -> Result<tera::Context, AppError> {
    let mut context = visit.context();
    let wide = visit.viewer()?.role == Role::Superadmin;
    context.insert("tab", tab);
    if !visit.reads {
        // The answer to a form has the form's address, which nobody can open.
        context.insert("there", &there(&address(&enterprise.number, tab), ""));
    }
    context.insert("wide", &wide);
    context.insert("zone", enterprise.time_zone.name());
    context.insert(
        "enterprise",
        &json!({"number": enterprise.number, "name": enterprise.name, "active": enterprise.active}),
    );
    Ok(context)
}
