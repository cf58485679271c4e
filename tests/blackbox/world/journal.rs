//! A test's own looking into the database, past the server.

use actors::store::{Conn, Store, StoreError, testing};

/// Asks the database something.
pub fn look<T: Send + 'static>(
    store: &Store,
    ask: impl Fn(&mut Conn) -> Result<T, StoreError> + Send + 'static,
) -> T {
    let store = store.clone();
    testing::wait(async move { store.read(ask).await }).expect("an answer of the database")
}

/// One number.
pub fn number(store: &Store, sql: &str) -> i64 {
    let sql = sql.to_owned();
    look(store, move |conn| Ok(testing::number(conn, &sql)))
}

/// What is not done yet, for the words of a failing test.
pub fn open_deliveries(store: &Store) -> String {
    let kinds = ["dial", "bridge", "hangup", "upload", "recording", "message"];
    kinds
        .map(|kind| {
            let open = "SELECT COUNT(*) FROM deliveries WHERE state IN ('due', 'leased')";
            format!(
                "{kind}: {}",
                number(store, &format!("{open} AND kind LIKE '{kind}%'"))
            )
        })
        .join(", ")
}

/// The bodies of one unique id's events, as they were kept.
pub fn raw_bodies(store: &Store, unique_id: &str) -> Vec<String> {
    let wanted = unique_id.to_owned();
    look(store, move |conn| {
        let found = actors::store::journal::by_unique_id(conn, 1, &wanted)?;
        Ok(found.into_iter().map(|event| event.raw).collect())
    })
}

/// The EventIds the journal has of one enterprise.
pub fn event_ids(store: &Store, enterprise: i64) -> std::collections::HashSet<String> {
    look(store, move |conn| {
        let ids: Vec<i64> =
            (1..=testing::number(conn, "SELECT COALESCE(MAX(id), 0) FROM call_events")).collect();
        let mut found = std::collections::HashSet::new();
        for some in ids.chunks(500) {
            let events = actors::store::journal::by_ids(conn, enterprise, some)?;
            found.extend(events.into_iter().map(|event| event.host_event_id));
        }
        Ok(found)
    })
}

/// What SQLite says of its file.
pub fn integrity(store: &Store) -> String {
    look(store, |conn| {
        let faults = testing::number(
            conn,
            "SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
        );
        Ok(if faults == 0 {
            "ok".to_owned()
        } else {
            format!("{faults} faults")
        })
    })
}
