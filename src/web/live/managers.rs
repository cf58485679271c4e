//! What the CRMs told of their managers (free, busy, at lunch …), for whoever watches the calls of one enterprise. The live
//! page asks for this piece by itself; nothing is shown where no CRM ever told anything.

use actix_web::{HttpResponse, web};
use actors::asterisk::redirect::user_extension;
use actors::cache::Enterprise;
use actors::store::requests::{self, ManagerStatus};
use serde_json::{Value, json};

use super::page::{Wanted, watched};
use crate::error::AppError;
use crate::web::session::State;
use crate::web::visit::Visit;

/// `GET /live/managers`
pub async fn piece(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let chosen = watched(&app, &visit, &wanted.enterprise)?.and_then(|id| app.cache.by_id(id));
    let mut context = visit.context();
    let mut rows = Vec::new();
    if let Some(enterprise) = &chosen {
        let id = enterprise.id;
        let told = app
            .store
            .read(move |conn| requests::statuses(conn, id))
            .await?;
        rows = told.iter().filter_map(|one| row(enterprise, one)).collect();
        rows.sort_by_key(|row| row["name"].to_string());
        context.insert("zone", enterprise.time_zone.name());
    }
    // Of all enterprises together nothing is told: there is no use in asking again.
    context.insert("again", &chosen.is_some());
    context.insert("managers", &rows);
    context.insert("chosen", &wanted.enterprise);
    visit.page(&app, "live/managers.html", &context)
}

/// A manager of a CRM that is switched on, with the extension and the name by which pages know one.
fn row(enterprise: &Enterprise, told: &ManagerStatus) -> Option<Value> {
    let part = enterprise
        .integrations
        .get(&told.integration)
        .filter(|part| part.enabled)?;
    let extension = user_extension(&part.settings, &told.manager);
    let ours = extension
        .as_ref()
        .and_then(|extension| enterprise.extensions.get(extension));
    let theirs = || {
        Some(
            part.settings
                .get("user_names")?
                .get(&told.manager)?
                .as_str()?
                .to_owned(),
        )
    };
    let name = ours
        .map(|person| person.name.clone())
        .filter(|name| !name.is_empty())
        .or_else(theirs);
    Some(json!({
        "name": name.unwrap_or_else(|| told.manager.clone()), "extension": extension, "status": told.status, "at": told.at,
    }))
}
