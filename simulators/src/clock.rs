//! The time of day as the simulators write it down. Called wherever something is received; it never decides limits,
//! which go by the monotonic clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `14:05:09` in the machine's own time zone, for pages.
pub fn clock_time(at_ms: i64) -> String {
    local(at_ms, "%H:%M:%S")
}

/// `01.03.2026 14:05:09` in the machine's own time zone, for pages.
pub fn date_time(at_ms: i64) -> String {
    local(at_ms, "%d.%m.%Y %H:%M:%S")
}

fn local(at_ms: i64, format: &str) -> String {
    chrono::DateTime::from_timestamp_millis(at_ms)
        .map(|at| at.with_timezone(&chrono::Local).format(format).to_string())
        .unwrap_or_default()
}
