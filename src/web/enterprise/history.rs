//! Who changed what, when: the audit of one enterprise for its administrators, and of everything for superadmins.
//! Secrets were masked before they were noted; nothing is changed here.

use actix_web::{HttpResponse, web};
use actors::store::audit;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{context, find};
use crate::error::AppError;
use crate::state::App;
use crate::web::session::State;
use crate::web::visit::Visit;

/// Changes on one page.
const SIZE: i64 = 100;

/// Which page, from 0.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    page: i64,
}

/// `GET /enterprise/{number}/history`
pub async fn page(
    app: State,
    visit: Visit,
    number: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let enterprise = find(&app, &visit, &number).await?;
    let context = context(&visit, &enterprise, "history")?;
    draw(&app, &visit, context, Some(enterprise.id), wanted.page).await
}

/// `GET /history`
pub async fn whole(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, AppError> {
    let mut context = visit.context();
    context.insert("zone", "UTC");
    draw(&app, &visit, context, None, wanted.page).await
}

async fn draw(
    app: &App,
    visit: &Visit,
    mut context: tera::Context,
    enterprise: Option<i64>,
    page: i64,
) -> Result<HttpResponse, AppError> {
    let page = page.clamp(0, 100_000);
    let rows = app
        .store
        .read(move |conn| audit::page(conn, enterprise, page, SIZE))
        .await?;
    let more = i64::try_from(rows.len()).is_ok_and(|count| count == SIZE);
    let rows: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            let of = row.enterprise.and_then(|id| app.cache.by_id(id));
            let what = serde_json::from_str::<Value>(&row.what).unwrap_or(Value::String(row.what));
            json!({
                "at": row.at, "who": row.who, "action": row.action, "what": parts(&what),
                "enterprise": of.map(|enterprise| enterprise.number.clone()),
            })
        })
        .collect();
    context.insert("rows", &rows);
    context.insert("page", &page);
    context.insert("more", &more);
    context.insert("wide", &enterprise.is_none());
    visit.page(app, "enterprise/history.html", &context)
}

/// The fields of a change as pairs a person can read: `name: before → after`.
fn parts(what: &Value) -> Vec<String> {
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "—".to_owned(),
        other => other.to_string(),
    };
    match what {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value.as_array().map(Vec::as_slice) {
                Some([before, after]) if !before.is_object() && before != after => {
                    format!("{name}: {} → {}", word(before), word(after))
                }
                Some([before, after]) if before == after => format!("{name}: {}", word(after)),
                _ => format!("{name}: {}", word(value)),
            })
            .collect(),
        other => vec![word(other)],
    }
}
