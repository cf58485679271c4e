//! `GET /health`: whether this process can do its work. 503 when the database does not write, so that a load balancer
//! or a watchdog acts; says nothing that a stranger should not know.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use actors::store::heartbeat;
use chrono::Utc;
use serde_json::json;

use super::pulse::Pulse;
use crate::error::AppError;
use crate::web::session::State;

/// Longer than this no healthy database takes for one small write.
const PATIENCE: Duration = Duration::from_secs(3);
/// However often strangers ask, a write is tried this often at most.
const FRESH: Duration = Duration::from_secs(1);

/// `GET /health`
pub async fn health(app: State, pulse: web::Data<Pulse>) -> Result<HttpResponse, AppError> {
    let writes = {
        // Those who ask meanwhile wait for the same answer.
        let mut probed = pulse.probed.lock().await;
        match *probed {
            Some((at, writes)) if at.elapsed() < FRESH => writes,
            _ => {
                // Through the same lane as every event.
                let write = app.store.write(|conn| heartbeat::beat(conn, Utc::now()));
                let writes = matches!(tokio::time::timeout(PATIENCE, write).await, Ok(Ok(())));
                *probed = Some((Instant::now(), writes));
                writes
            }
        }
    };
    let writer = app.store.writer_state();
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
