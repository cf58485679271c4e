//! `GET /metrics` in Prometheus' form and `GET /stats` in JSON. Counters are counted where things happen; gauges are set
//! here, when somebody looks.

use std::sync::OnceLock;

use actix_web::{HttpResponse, web};
use actors::integration::breaker::Position;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::numbers::{Numbers, gather};
use super::pulse::Pulse;
use crate::error::AppError;
use crate::web::session::State;

/// Upper bounds of the histograms, in seconds: from a commit to a slow CRM.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0,
];

/// The process' one recorder, started at the first call; `None` when something else records already.
pub fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
                .ok()?;
            builder.install_recorder().ok()
        })
        .as_ref()
}

/// `GET /stats`
pub async fn stats(app: State, pulse: web::Data<Pulse>) -> Result<HttpResponse, AppError> {
    Ok(HttpResponse::Ok().json(gather(&app, &pulse).await?))
}

/// `GET /metrics`
pub async fn metrics(app: State, pulse: web::Data<Pulse>) -> Result<HttpResponse, AppError> {
    let numbers = gather(&app, &pulse).await?;
    let recorder = recorder().ok_or_else(|| {
        AppError::unknown(anyhow::anyhow!("another recorder has taken the metrics"))
    })?;
    set_gauges(&numbers);
    recorder.run_upkeep();
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(recorder.render()))
}

fn set_gauges(numbers: &Numbers) {
    use metrics::{counter, gauge};
    let writer = &numbers.database.writer;
    counter!("patchbay_events_total").absolute(writer.events);
    counter!("patchbay_events_duplicate_total").absolute(writer.duplicates);
    counter!("patchbay_writer_transactions_total").absolute(writer.batches);
    counter!("patchbay_writer_errors_total").absolute(writer.errors);
    gauge!("patchbay_writer_waiting").set(writer.waiting as f64);
    gauge!("patchbay_writer_oldest_milliseconds").set(writer.oldest_ms as f64);
    gauge!("patchbay_writer_last_commit_microseconds").set(writer.last_commit_us as f64);
    gauge!("patchbay_writer_healthy").set(if writer.trouble.is_empty() { 1.0 } else { 0.0 });
    gauge!("patchbay_calls_live").set(numbers.calls.live as f64);
    gauge!("patchbay_calls_in_memory").set(numbers.calls.in_memory as f64);
    counter!("patchbay_calls_lost_total").absolute(numbers.calls.lost);
    counter!("patchbay_call_panics_total").absolute(numbers.calls.panics);
    counter!("patchbay_events_parked_total").absolute(numbers.calls.parked_events);
    gauge!("patchbay_deliveries_waiting").set(numbers.deliveries.waiting as f64);
    gauge!("patchbay_deliveries_oldest_seconds").set(numbers.deliveries.oldest_seconds as f64);
    gauge!("patchbay_telegram_waiting").set(numbers.deliveries.telegram_waiting as f64);
    gauge!("patchbay_cache_entries").set(numbers.cache.entries as f64);
    counter!("patchbay_cache_hits_total").absolute(numbers.cache.hits);
    counter!("patchbay_cache_misses_total").absolute(numbers.cache.misses);
    gauge!("patchbay_uptime_seconds").set(numbers.uptime_seconds as f64);
    for link in &numbers.integrations {
        let labels = [
            ("enterprise", link.enterprise_number.clone()),
            ("integration", link.integration.clone()),
        ];
        gauge!("patchbay_breaker_open", &labels).set(
            if link.paused || link.breaker != Position::Closed {
                1.0
            } else {
                0.0
            },
        );
    }
}
