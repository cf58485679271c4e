//! The log of what was told to the CRMs and what they answered, with filters. Secrets were masked when it was written.

use actix_web::{HttpResponse, web};
use actors::cache::Enterprise;
use actors::crm;
use actors::store::logs::{self, Filter, Log};
use serde::{Deserialize, Serialize};

use crate::error::AppError;
use crate::state::App;
use crate::web::calls::list::instant;
use crate::web::enterprise::{context, find};
use crate::web::gate::url_escape;
use crate::web::session::State;
use crate::web::visit::Visit;

/// Rows on one page.
pub const PAGE: i64 = 50;
/// Pages further back are reached by dates, not by counting.
const DEEPEST: i64 = 1000;

/// What is looked for, as the form and the API write it.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Wanted {
    pub integration: String,
    /// success, error or pending.
    pub status: String,
    /// A call's unique id.
    pub call: String,
    /// Days on the enterprise's calendar, both included; the API also takes RFC 3339 times.
    pub from: String,
    pub to: String,
    pub page: i64,
}

/// `GET /enterprise/{number}/integrations/log`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let page = wanted.page.clamp(0, DEEPEST);
    let (rows, more) = look(&app, &enterprise, &wanted).await?;
    let turned = |page: i64| {
        let page = page.to_string();
        let pairs = [
            ("integration", &wanted.integration),
            ("status", &wanted.status),
            ("call", &wanted.call),
            ("from", &wanted.from),
            ("to", &wanted.to),
            ("page", &page),
        ];
        let given: Vec<String> = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", url_escape(value)))
            .collect();
        given.join("&")
    };
    // Kinds that were written once stay choosable when they are no longer connected.
    let mut kinds: Vec<String> = crm::KINDS.iter().map(|kind| kind.name.to_owned()).collect();
    kinds.extend(enterprise.integrations.keys().cloned());
    kinds.sort();
    kinds.dedup();
    let mut context = context(&visit, &enterprise, "log")?;
    context.insert("kinds", &kinds);
    context.insert("filter", &*wanted);
    context.insert("logs", &rows);
    context.insert("page", &(page + 1));
    context.insert("newer", &(page > 0).then(|| turned(page - 1)));
    context.insert("older", &more.then(|| turned(page + 1)));
    visit.page(&app, "enterprise/integrations/log.html", &context)
}

/// A page of rows, and whether there are older ones.
pub async fn look(
    app: &App,
    enterprise: &Enterprise,
    wanted: &Wanted,
) -> Result<(Vec<Log>, bool), AppError> {
    if !["", "success", "error", "pending"].contains(&wanted.status.as_str()) {
        return Err(AppError::BadRequest(
            "status: success, error or pending".into(),
        ));
    }
    let filter = Filter {
        enterprise: Some(enterprise.id),
        integration: wanted.integration.trim().to_owned(),
        status: wanted.status.clone(),
        call: wanted.call.trim().to_owned(),
        delivery: None,
        from: instant(&wanted.from, "from", enterprise.time_zone, 0)?,
        to: instant(&wanted.to, "to", enterprise.time_zone, 1)?,
    };
    let skip = wanted.page.clamp(0, DEEPEST) * PAGE;
    // One more than a page holds tells whether there are older ones.
    let mut rows = app
        .store
        .read(move |conn| logs::page_from(conn, &filter, skip, PAGE + 1))
        .await?;
    let more = rows.len() > PAGE as usize;
    rows.truncate(PAGE as usize);
    Ok((rows, more))
}
