//! `GET /live` and `GET /api/live`: what the board shows at this moment.

use actix_web::{HttpResponse, web};
use actors::live::CallView;
use chrono::Utc;
use serde::Deserialize;

use crate::error::AppError;
use crate::state::App;
use crate::web::calls::row::CallRow;
use crate::web::session::State;
use crate::web::visit::{Scope, Visit};

/// A superadmin's filter.
#[derive(Deserialize, Default)]
pub struct Wanted {
    /// An enterprise's number; empty for all.
    #[serde(default)]
    pub enterprise: String,
    /// The last change the page has, as `stream` numbers them.
    #[serde(default)]
    pub after: String,
}

/// `GET /live`
pub async fn page(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let watched = watched(&app, &visit, &wanted.enterprise)?;
    let snapshot = app.board.snapshot(watched);
    let now = Utc::now();
    let mut context = visit.context();
    let wide = visit.scope()? == Scope::All;
    context.insert("wide", &wide);
    context.insert("now", &now);
    context.insert("recent", &app.settings.calls.recent);
    context.insert("chosen", &wanted.enterprise);
    context.insert(
        "stream",
        &format!(
            "/live/stream?enterprise={}&after={}-{}",
            wanted.enterprise, app.boot, snapshot.version
        ),
    );
    context.insert("live", &rows(&app, snapshot.live.iter().rev(), now));
    context.insert("ended", &rows(&app, snapshot.ended.iter(), now));
    if wide {
        context.insert("enterprises", &enterprises(&app));
    }
    visit.page(&app, "live/page.html", &context)
}

/// `GET /api/live`
pub async fn json(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let snapshot = app
        .board
        .snapshot(watched(&app, &visit, &wanted.enterprise)?);
    let now = Utc::now();
    Ok(HttpResponse::Ok().json(serde_json::json!({
        "now": now,
        "version": format!("{}-{}", app.boot, snapshot.version),
        "live": rows(&app, snapshot.live.iter().rev(), now),
        "ended": rows(&app, snapshot.ended.iter(), now),
    })))
}

/// Whose calls this visitor watches: the own enterprise's, or all, or the one a superadmin chose.
pub fn watched(app: &App, visit: &Visit, chosen: &str) -> Result<Option<i64>, AppError> {
    match visit.scope()? {
        Scope::Enterprise(own) => match chosen {
            "" => Ok(Some(own)),
            // Naming the own one is fine; any other does not exist for this visitor.
            other => match app.cache.by_number(other) {
                Some(enterprise) if enterprise.id == own => Ok(Some(own)),
                _ => Err(AppError::NotFound),
            },
        },
        Scope::All if chosen.is_empty() => Ok(None),
        Scope::All => app
            .cache
            .by_number(chosen)
            .map(|enterprise| Some(enterprise.id))
            .ok_or(AppError::NotFound),
    }
}

/// Number and name of every enterprise, for a superadmin's select.
pub fn enterprises(app: &App) -> Vec<serde_json::Value> {
    let mut all = app.cache.all();
    all.sort_by(|a, b| a.number.cmp(&b.number));
    all.iter()
        .map(|enterprise| serde_json::json!({"number": enterprise.number, "name": enterprise.name}))
        .collect()
}

fn rows<'a>(
    app: &App,
    views: impl Iterator<Item = &'a std::sync::Arc<CallView>>,
    now: chrono::DateTime<Utc>,
) -> Vec<CallRow> {
    views.map(|view| row(app, view, now)).collect()
}

/// One call of the board with its enterprise's names.
pub fn row(app: &App, view: &CallView, now: chrono::DateTime<Utc>) -> CallRow {
    let enterprise = app.cache.by_id(view.record.enterprise);
    CallRow::draw(
        &view.record,
        view.client_name.as_deref(),
        enterprise.as_deref(),
        now,
    )
}
