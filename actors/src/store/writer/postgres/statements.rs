//! The statements of the hot lane on PostgreSQL: columns as arrays through `unnest`, so that one prepared statement
//! serves a batch of any size. Run only by this folder's other files.

use tokio_postgres::{Client, Statement};

/// What the pipe keeps prepared.
pub(super) struct Statements {
    pub(super) events: Statement,
    pub(super) events_careful: Statement,
    pub(super) calls: Statement,
    pub(super) customers: Statement,
    pub(super) withdraw: Statement,
    pub(super) deliveries: Statement,
    pub(super) settle: Statement,
    pub(super) logs: Statement,
}

const EVENTS: &str = "INSERT INTO call_events (enterprise_id, call_id, event_type, unique_id, linked_id, bridge_id, \
    event_timestamp, received_at, event_key, host_event_id, raw_data, data_source, parked, note) \
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamp[], \
    $8::timestamp[], $9::bytea[], $10::text[], $11::text[], $12::text[], $13::boolean[], $14::text[])";

const CALLS: &str = "INSERT INTO calls (id, uuid, enterprise_id, unique_id, linked_id, state, phone, raw_phone, \
    extension, rung, talked, made_by, line, direction, result, received_at, answered_at, ended_at, wait_seconds, \
    talk_seconds, recording, hung_up_by, request_id, events_count, data_source, fault, updated_at) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], \
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], \
    $16::timestamp[], $17::timestamp[], $18::timestamp[], $19::integer[], $20::integer[], $21::text[], $22::text[], \
    $23::text[], $24::integer[], $25::text[], $26::text[], $27::timestamp[]) \
    ON CONFLICT (id) DO UPDATE SET unique_id = excluded.unique_id, linked_id = excluded.linked_id, \
    state = excluded.state, phone = excluded.phone, raw_phone = excluded.raw_phone, extension = excluded.extension, \
    rung = excluded.rung, talked = excluded.talked, made_by = excluded.made_by, line = excluded.line, \
    direction = excluded.direction, result = excluded.result, received_at = excluded.received_at, \
    answered_at = excluded.answered_at, ended_at = excluded.ended_at, wait_seconds = excluded.wait_seconds, \
    talk_seconds = excluded.talk_seconds, recording = excluded.recording, hung_up_by = excluded.hung_up_by, \
    request_id = excluded.request_id, events_count = excluded.events_count, data_source = excluded.data_source, \
    fault = excluded.fault, updated_at = excluded.updated_at";

const CUSTOMERS: &str = "INSERT INTO customers (enterprise_id, phone, calls_count, answered_count, missed_count, \
    talk_seconds, first_call_at, last_call_at) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::bigint[], \
    $7::timestamp[], $8::timestamp[]) \
    ON CONFLICT (enterprise_id, phone) DO UPDATE SET calls_count = customers.calls_count + excluded.calls_count, \
    answered_count = customers.answered_count + excluded.answered_count, \
    missed_count = customers.missed_count + excluded.missed_count, \
    talk_seconds = customers.talk_seconds + excluded.talk_seconds, \
    first_call_at = least(customers.first_call_at, excluded.first_call_at), \
    last_call_at = greatest(customers.last_call_at, excluded.last_call_at)";

const WITHDRAW: &str = "UPDATE deliveries AS d SET state = 'withdrawn', finished_at = $4 \
    FROM unnest($1::bigint[], $2::text[], $3::text[]) AS v (call_id, integration, kind) \
    WHERE d.call_id = v.call_id AND d.integration = v.integration AND d.kind = v.kind AND d.state = 'due'";

const DELIVERIES: &str = "INSERT INTO deliveries (enterprise_id, integration, call_id, unique_id, kind, position, state, \
    payload, attempts, not_before, expires_at, leased_until, lease_owner, created_at) \
    SELECT v.enterprise, v.integration, v.call, v.unique_id, v.kind, v.position, v.state, v.payload, 0, v.not_before, \
    v.expires_at, v.leased_until, v.lease_owner, $13 \
    FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::text[], \
    $9::timestamp[], $10::timestamp[], $11::timestamp[], $12::text[]) \
    AS v (enterprise, integration, call, unique_id, kind, position, state, payload, not_before, expires_at, \
    leased_until, lease_owner) \
    ON CONFLICT (call_id, integration, kind) DO UPDATE SET payload = excluded.payload, position = excluded.position, \
    state = excluded.state, not_before = excluded.not_before, expires_at = excluded.expires_at, \
    leased_until = excluded.leased_until, lease_owner = excluded.lease_owner, outcome = '', finished_at = NULL \
    WHERE deliveries.state IN ('due', 'withdrawn') AND deliveries.attempts = 0 \
    RETURNING id, created_at, call_id, integration, kind";

const SETTLE: &str = "UPDATE deliveries AS d SET state = coalesce(v.state, d.state), attempts = v.attempts, \
    outcome = v.words, not_before = coalesce(v.not_before, d.not_before), finished_at = v.finished_at, \
    leased_until = CASE WHEN v.keeps THEN d.leased_until END, \
    lease_owner = CASE WHEN v.keeps THEN d.lease_owner ELSE '' END \
    FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::timestamp[], $6::timestamp[], $7::boolean[]) \
    AS v (id, state, attempts, words, not_before, finished_at, keeps) \
    WHERE d.id = v.id AND d.state IN ('due', 'leased')";

const LOGS: &str = "INSERT INTO integration_logs (enterprise_id, enterprise_number, integration_type, event_type, \
    delivery_id, call_unique_id, phone_number, internal_extension, request_data, response_data, status, \
    error_message, response_time_ms, created_at, updated_at) \
    SELECT v.*, v.at FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], \
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::integer[], $14::timestamp[]) \
    AS v (a, b, c, d, e, f, g, h, i, j, k, l, m, at)";

/// Prepares them all on a new connection.
pub(super) async fn prepare(client: &Client) -> Result<Statements, tokio_postgres::Error> {
    let careful = format!("{EVENTS} ON CONFLICT (event_key) DO NOTHING RETURNING id, event_key");
    let quick = format!("{EVENTS} RETURNING id, event_key");
    Ok(Statements {
        events: client.prepare(&quick).await?,
        events_careful: client.prepare(&careful).await?,
        calls: client.prepare(CALLS).await?,
        customers: client.prepare(CUSTOMERS).await?,
        withdraw: client.prepare(WITHDRAW).await?,
        deliveries: client.prepare(DELIVERIES).await?,
        settle: client.prepare(SETTLE).await?,
        logs: client.prepare(LOGS).await?,
    })
}
