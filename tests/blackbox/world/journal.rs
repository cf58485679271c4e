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
    let kinds = ["dial", "bridge", "hangup", "upload", "message"];
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
