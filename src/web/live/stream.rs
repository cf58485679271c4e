//! `GET /live/stream`: changes of the board as server-sent events, drawn rows in JSON. A viewer that was away names the
//! last change it has (Last-Event-ID) and gets what came after, or everything anew when that is no longer kept.

use std::collections::HashSet;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, ContentEncoding};
use actix_web::{HttpRequest, HttpResponse, web};
use actors::live::{CallView, Change};
use chrono::Utc;
use serde::Serialize;
use tokio::sync::watch;

use super::page::{Wanted, row, watched};
use crate::error::AppError;
use crate::web::session::{self, COOKIE, State};
use crate::web::visit::{Scope, Visit};

/// Changes this close together come as one message.
const GATHER: Duration = Duration::from_millis(60);
/// A silent stream says that it is there, and looks whether its session still is.
const BREATH: Duration = Duration::from_secs(15);
/// Calls drawn in one message at most; a viewer of everything under a flood sees the newest.
const MOST: usize = 400;

/// One message of the stream.
#[derive(Serialize)]
struct Message {
    /// The page starts anew: what it shows is dropped first.
    reset: bool,
    now: chrono::DateTime<Utc>,
    /// Oldest change first.
    rows: Vec<Row>,
}

/// One call's row; without HTML the call is to be taken off.
#[derive(Serialize)]
struct Row {
    id: String,
    ended: bool,
    html: Option<String>,
}

struct Viewing {
    app: State,
    visit: Visit,
    enterprise: Option<i64>,
    token: Option<String>,
    /// The last change sent; `None`: everything is to be sent.
    position: Option<u64>,
    changes: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    greeted: bool,
}

/// `GET /live/stream`
pub async fn stream(
    app: State,
    visit: Visit,
    wanted: web::Query<Wanted>,
    request: HttpRequest,
) -> Result<HttpResponse, AppError> {
    let enterprise = watched(&app, &visit, &wanted.enterprise)?;
    let last = request
        .headers()
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or(&wanted.after);
    let viewing = Viewing {
        position: position(&app.boot, last),
        token: request
            .cookie(COOKIE)
            .map(|cookie| cookie.value().to_owned()),
        // Before anything is read from the board, so that no change falls between.
        changes: app.board.subscribe(),
        stopping: app.stopping.clone(),
        enterprise,
        visit,
        app,
        greeted: false,
    };
    let messages = futures_util::stream::unfold(viewing, |mut viewing| async move {
        let message = viewing.next().await?;
        Some((
            Ok::<_, actix_web::Error>(web::Bytes::from(message)),
            viewing,
        ))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        // nginx passes it on at once; compression would hold messages back.
        .insert_header(("X-Accel-Buffering", "no"))
        .insert_header(ContentEncoding::Identity)
        .streaming(Box::pin(messages)))
}

/// The number in "boot-number" when the boot is this one: numbers of an earlier run mean nothing.
fn position(boot: &str, id: &str) -> Option<u64> {
    id.strip_prefix(boot)?.strip_prefix('-')?.parse().ok()
}

impl Viewing {
    /// The next piece of the stream; `None` ends it.
    async fn next(&mut self) -> Option<String> {
        if !self.greeted {
            self.greeted = true;
            return Some("retry: 1500\n\n".to_owned());
        }
        loop {
            if *self.stopping.borrow() {
                return None;
            }
            let Some(position) = self.position else {
                let snapshot = self.app.board.snapshot(self.enterprise);
                self.position = Some(snapshot.version);
                // The page puts each row on top, so the latest must come last.
                let views: Vec<_> = snapshot
                    .ended
                    .iter()
                    .rev()
                    .chain(snapshot.live.iter())
                    .map(|view| &**view)
                    .collect();
                return self.message(true, &views);
            };
            match self.app.board.changes_after(self.enterprise, position) {
                None => {
                    self.position = None;
                    continue;
                }
                Some((version, changes)) => {
                    self.position = Some(version);
                    if !changes.is_empty() {
                        return self.message(false, &latest(&changes));
                    }
                }
            }
            tokio::select! {
                changed = self.changes.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(GATHER).await;
                }
                _ = self.stopping.changed() => return None,
                () = tokio::time::sleep(BREATH) => return self.breathe().await,
            }
        }
    }

    /// A sign of life, while the session that opened the stream is still open.
    async fn breathe(&mut self) -> Option<String> {
        if let Some(token) = &self.token {
            // A database that is away ends no stream.
            if let Ok(None) = session::find(&self.app, token).await {
                return None;
            }
        }
        Some(": here\n\n".to_owned())
    }

    fn message(&self, reset: bool, views: &[&CallView]) -> Option<String> {
        let now = Utc::now();
        let wide = self.visit.scope().ok()? == Scope::All;
        let rows = views[views.len().saturating_sub(MOST)..]
            .iter()
            .map(|view| self.draw(view, wide, now))
            .collect();
        let data = serde_json::to_string(&Message { reset, now, rows }).ok()?;
        Some(format!(
            "id: {}-{}\nevent: calls\ndata: {data}\n\n",
            self.app.boot,
            self.position.unwrap_or_default()
        ))
    }

    fn draw(&self, view: &CallView, wide: bool, now: chrono::DateTime<Utc>) -> Row {
        let template = if view.is_live() {
            "live/row_live.html"
        } else {
            "live/row_ended.html"
        };
        let mut context = tera::Context::new();
        context.insert("call", &row(&self.app, view, now));
        context.insert("wide", &wide);
        let html = if view.gone {
            None
        } else {
            self.app
                .pages
                .render(self.visit.lang, template, &context)
                .ok()
        };
        Row {
            id: view.record.call.0.to_string(),
            ended: !view.is_live(),
            html,
        }
    }
}

/// The last change of each call, in the order in which those came.
fn latest(changes: &[Change]) -> Vec<&CallView> {
    let mut seen = HashSet::new();
    let mut views: Vec<&CallView> = changes
        .iter()
        .rev()
        .filter(|change| seen.insert(change.view.record.call))
        .map(|change| &*change.view)
        .collect();
    views.reverse();
    views
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn a_number_of_another_run_is_not_resumed_from() {
        assert_eq!(position("ab12", "ab12-7"), Some(7));
        for other in ["", "7", "ab13-7", "ab12", "ab12-x", "ab12--1"] {
            assert_eq!(position("ab12", other), None, "{other}");
        }
    }
}
