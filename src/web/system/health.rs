//! `GET /health`: whether this process can do its work. 503 when the database does not write, so that a load balancer
//! or a watchdog acts; says nothing that a stranger should not know.

use std::time::Duration;

use actix_web::HttpResponse;
use serde_json::json;

use crate::error::AppError;
use crate::web::session::State;

/// Longer than this no healthy database takes for an empty transaction.
const PATIENCE: Duration = Duration::from_secs(3);

/// `GET /health`
pub async fn health(app: State) -> Result<HttpResponse, AppError> {
    // An empty transaction goes through the same lane as every event.
    let probe = tokio::time::timeout(PATIENCE, app.store.write(|_| Ok(()))).await;
    let writer = app.store.writer_state();
    let writes = matches!(probe, Ok(Ok(()))) && writer.trouble.is_empty();
    let body = json!({
        "status": if writes { "ok" } else { "failing" },
        "database": if writes { "writes" } else { "does not write" },
        "writer": {"waiting": writer.waiting, "oldest_ms": writer.oldest_ms},
        "live_calls": app.board.live_count(),
        "uptime_seconds": app.started.elapsed().as_secs(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    if writes {
        return Ok(HttpResponse::Ok().json(body));
    }
    log::error!("health: the database does not write: {}", writer.trouble);
    Err(AppError::Unhealthy(body))
}
