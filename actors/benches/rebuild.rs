//! How long a start takes to read what is unfinished: calls that are live and their three events each, in the parts in
//! which the registry asks for them.
//!
//! `cargo bench -p actors --features testing --bench rebuild -- [--calls N]`

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use std::time::Instant;

use actors::call::record::CallId;
use actors::store::testing::{Kind, TestDatabase, execute, wait};
use actors::store::{calls, journal};

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .skip_while(|argument| argument != "--calls");
    let count: i64 = arguments
        .nth(1)
        .map_or(100_000, |number| number.parse().unwrap());
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let database = TestDatabase::new(kind);
        fill(&database, count);
        let store = database.store();
        let started = Instant::now();
        let open = wait(store.read(journal::unfinished)).unwrap();
        let listed = started.elapsed();
        let mut events = 0;
        for part in open.chunks(500) {
            let ids: Vec<CallId> = part.iter().map(|(_, call)| *call).collect();
            let read = move |conn: &mut actors::store::Conn| {
                Ok((
                    calls::by_ids(conn, &ids)?.len(),
                    journal::of_calls(conn, &ids)?.len(),
                ))
            };
            events += wait(store.read(read)).unwrap().1;
        }
        println!(
            "{kind:?}: {} calls listed in {listed:?}, with {events} events read in {:?}",
            open.len(),
            started.elapsed()
        );
    }
}

fn fill(database: &TestDatabase, count: i64) {
    let hex = if database.kind == Kind::Sqlite {
        "CAST(printf('%016d', n) AS BLOB)"
    } else {
        "CAST(lpad(n::text, 16, '0') AS bytea)"
    };
    let numbers = |to: i64| {
        format!("WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {to})")
    };
    let mut conn = database.connect();
    execute(
        &mut conn,
        &format!(
            "{} INSERT INTO calls (id, uuid, enterprise_id, unique_id, linked_id, state, received_at, updated_at) \
             SELECT n, CAST(n AS TEXT) || '-0000-4000-8000-000000000000', 1, CAST(n AS TEXT), CAST(n AS TEXT), 'live', \
             '2026-11-20 12:00:00', '2026-11-20 12:00:00' FROM s",
            numbers(count)
        ),
    );
    // A uuid's first part has eight digits.
    execute(
        &mut conn,
        "UPDATE calls SET uuid = substr('00000000', 1, 8 - length(CAST(id AS TEXT))) || uuid",
    );
    execute(
        &mut conn,
        &format!(
            "{} INSERT INTO call_events (enterprise_id, call_id, event_type, unique_id, event_timestamp, received_at, \
             event_key, raw_data) SELECT 1, 1 + (n - 1) % {count}, 'dial', CAST(1 + (n - 1) % {count} AS TEXT), \
             '2026-11-20 12:00:00.123', '2026-11-20 12:00:00.123', {hex}, '{}' FROM s",
            numbers(count * 3),
            format_args!("{{{}}}", "x".repeat(400)),
        ),
    );
}
