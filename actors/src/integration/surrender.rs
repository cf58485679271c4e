//! When a receiver of events is given up: it took nothing for days, and whoever should have looked did not. Then the
//! integration is switched off, and says so on its card, in its log and in the list of changes; its events wait in the
//! table and go out if it is switched on within their lives. Called by `flow.rs` after a failed try of an old event.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::own_changes::{Noted, write};
use super::registry::{House, LinkId};
use crate::store::logs::NewLog;
use crate::store::{StoreError, logs};

/// Switches it off if it took nothing for as long as the settings say. True when it was switched off just now.
pub(super) async fn switch_off_if_dead(
    house: &House,
    id: LinkId,
    number: &str,
    words: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let limit = patience(house);
    let since = house
        .store
        .read(move |conn| logs::failing_since(conn, id.enterprise, id.kind))
        .await?;
    let Some(since) = since.filter(|since| *since + limit <= now) else {
        return Ok(false);
    };
    let log = NewLog {
        enterprise: id.enterprise,
        enterprise_number: number.to_owned(),
        integration: id.kind.into(),
        event_type: "switched_off".into(),
        status: "error".into(),
        error: format!(
            "switched off: nothing was taken since {}; the last time: {words}",
            since.format("%Y-%m-%d %H:%M UTC")
        ),
        at: now,
        ..NewLog::default()
    };
    let note = json!({"at": now, "since": since, "words": words});
    let change = move |part: &mut Map<String, Value>| {
        if part.get("enabled") != Some(&true.into()) {
            return false;
        }
        part.insert("enabled".into(), false.into());
        part.insert("switched_off".into(), note);
        true
    };
    let noted = Noted {
        act: Some((
            "integration.switched_off",
            json!({"integration": id.kind, "since": since, "words": words}),
        )),
        log: Some(log),
    };
    let done = write(house, id, change, noted, now).await?;
    if done {
        log::warn!("{id}: switched off, it took nothing since {since}: {words}");
        metrics::counter!("patchbay_receivers_switched_off_total", "integration" => id.kind)
            .increment(1);
    }
    Ok(done)
}

/// How long a receiver may fail.
pub(super) fn patience(house: &House) -> Duration {
    Duration::from_secs(house.settings.switch_off_after_hours.saturating_mul(3_600))
}
