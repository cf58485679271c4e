//! Removes what is older than the settings keep, every hour and in small parts, so that no event waits for it. Started with
//! the server; several processes on one database do each other no harm. Calls themselves are never removed, nor the
//! events of one that goes on, nor a delivery that is still due.

use std::time::Duration;

use actors::cache::{Cache, Enterprise};
use actors::store::{Conn, Store, StoreError, memories, retention};
use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Retention;

/// The setting of an enterprise that says otherwise than the server's.
pub const EVENTS_DAYS: &str = "events_days";
/// Rows removed in one transaction.
const PART: i64 = 500;
/// After the start, and between two rounds.
const FIRST: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(3600);
/// Between two parts: events go first.
const REST: Duration = Duration::from_millis(50);
/// What connectors keep of calls, where logs are kept for ever: no delivery is tried for longer.
const MEMORIES_DAYS: u32 = 90;

/// Starts to sweep. Runs inside an actix system; ends with it.
pub fn start(store: Store, cache: Cache, limits: Retention) {
    actix_web::rt::spawn(async move {
        actix_web::rt::time::sleep(FIRST).await;
        loop {
            match sweep(&store, &cache, &limits, Utc::now()).await {
                Ok(0) => {}
                Ok(count) => log::info!("{count} old rows were removed"),
                Err(error) => log::warn!("what is old is not removed yet: {error}"),
            }
            actix_web::rt::time::sleep(EVERY).await;
        }
    });
}

/// One round: all that is too old at this moment. Gives how many rows went.
///
/// # Errors
/// The database's own; what was removed before it stays removed.
pub async fn sweep(
    store: &Store,
    cache: &Cache,
    limits: &Retention,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let mut count = 0;
    for enterprise in cache.all() {
        let days = events_days(&enterprise).unwrap_or(limits.events_days);
        if let Some(before) = before(now, days) {
            let id = enterprise.id;
            count += all(store, move |conn| retention::events(conn, id, before, PART)).await?;
        }
    }
    if let Some(before) = before(now, limits.integration_logs_days) {
        count += all(store, move |conn| retention::logs(conn, before, PART)).await?;
    }
    if let Some(before) = before(now, limits.refusals_days) {
        count += all(store, move |conn| retention::refused(conn, before, PART)).await?;
    }
    if let Some(before) = before(now, limits.audit_days) {
        count += all(store, move |conn| retention::audit(conn, before, PART)).await?;
    }
    let days = match limits.integration_logs_days {
        0 => MEMORIES_DAYS,
        days => days,
    };
    if let Some(before) = before(now, days) {
        count += store
            .write(move |conn| memories::forget(conn, before))
            .await?;
    }
    Ok(count)
}

/// For how many days this enterprise's events are kept, if it says so itself; 0 is for ever.
pub fn events_days(enterprise: &Enterprise) -> Option<u32> {
    let days = enterprise.settings.get(EVENTS_DAYS)?.as_u64()?;
    u32::try_from(days).ok()
}

fn before(now: DateTime<Utc>, days: u32) -> Option<DateTime<Utc>> {
    let days = TimeDelta::try_days(i64::from(days)).filter(|days| !days.is_zero())?;
    now.checked_sub_signed(days)
}

/// Part after part, until nothing is left.
async fn all(
    store: &Store,
    part: impl Fn(&mut Conn) -> Result<usize, StoreError> + Clone + Send + 'static,
) -> Result<usize, StoreError> {
    let mut count = 0;
    loop {
        let removed = store.write(part.clone()).await?;
        if removed == 0 {
            return Ok(count);
        }
        count += removed;
        actix_web::rt::time::sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use actors::integration::sample;
    use actors::store::Commit;
    use actors::store::enterprises::{self, NewEnterprise};
    use actors::store::journal::NewEvent;
    use actors::store::testing::{databases, number, wait};
    use serde_json::json;

    use super::*;

    fn limits(events_days: u32) -> Retention {
        Retention {
            events_days,
            integration_logs_days: 90,
            refusals_days: 14,
            audit_days: 730,
        }
    }

    #[test]
    fn an_enterprises_own_figure_counts_more_than_the_servers() {
        for database in databases() {
            let store = database.store();
            let now = Utc::now();
            let mut known = Vec::new();
            for (number, own) in [
                ("0367", json!({})),
                ("0401", json!({"events_days": 0})),
                ("0402", json!({"events_days": 5})),
            ] {
                let new = NewEnterprise {
                    number: number.into(),
                    token: number.into(),
                    ..NewEnterprise::default()
                };
                let vault = store.vault().clone();
                let id = wait(store.write(move |conn| enterprises::add(conn, &vault, &new, now)))
                    .unwrap();
                for days in [1, 10, 40] {
                    event(&store, id, now - TimeDelta::days(days));
                }
                known.push(Enterprise {
                    id,
                    number: number.into(),
                    settings: own,
                    ..sample::enterprise(&[])
                });
            }
            let ids: Vec<i64> = known.iter().map(|one| one.id).collect();
            let cache = Cache::fixed(known);
            let swept = |limits: Retention| {
                actix_web::rt::System::new()
                    .block_on(sweep(&store, &cache, &limits, now))
                    .unwrap()
            };
            let left = || -> Vec<i64> {
                let count = |id: &i64| {
                    number(
                        &mut database.connect(),
                        &format!("SELECT count(*) FROM call_events WHERE enterprise_id = {id}"),
                    )
                };
                ids.iter().map(count).collect()
            };
            assert_eq!((swept(limits(0)), left()), (2, vec![3, 3, 1]));
            assert_eq!((swept(limits(30)), left()), (1, vec![2, 3, 1]));
            assert_eq!(swept(limits(30)), 0, "and nothing a second time");
        }
    }

    fn event(store: &Store, enterprise: i64, at: DateTime<Utc>) {
        let new = NewEvent {
            enterprise,
            call: None,
            event_type: "start".into(),
            unique_id: format!("{at}"),
            linked_id: String::new(),
            bridge_id: String::new(),
            event_timestamp: at,
            received_at: at,
            key: format!("{enterprise}/{at}").into_bytes(),
            host_event_id: String::new(),
            raw: "{}".into(),
            data_source: "live".into(),
            parked: false,
            note: String::new(),
        };
        wait(store.commit(Commit::of(new))).unwrap();
    }
}
