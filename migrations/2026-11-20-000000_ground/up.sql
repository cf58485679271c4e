-- Who we serve.
CREATE TABLE enterprises (
    id                  {{serial}},
    number              TEXT NOT NULL UNIQUE,
    name                TEXT NOT NULL,
    token               TEXT NOT NULL,               -- sealed
    token_hash          TEXT NOT NULL UNIQUE,        -- keyed hash: unique without being readable
    active              BOOLEAN NOT NULL DEFAULT {{bool_true}},
    host_address        TEXT NOT NULL DEFAULT '',
    ssh_port            INTEGER NOT NULL DEFAULT 22,
    ssh_user            TEXT NOT NULL DEFAULT '',
    host_key            TEXT NOT NULL DEFAULT '',
    originate_context   TEXT NOT NULL DEFAULT 'inoffice',
    redirect_context    TEXT NOT NULL DEFAULT 'web-zapros',
    secret              TEXT NOT NULL DEFAULT '',    -- sealed
    bot_token           TEXT NOT NULL DEFAULT '',    -- sealed
    country             TEXT NOT NULL DEFAULT 'BY',
    time_zone           TEXT NOT NULL DEFAULT 'Europe/Minsk',
    language            TEXT NOT NULL DEFAULT 'ru',
    integrations_config TEXT NOT NULL DEFAULT '',    -- sealed JSON document
    settings            TEXT NOT NULL DEFAULT '{}',  -- JSON: what needs no column of its own
    debug_log           BOOLEAN NOT NULL DEFAULT {{bool_false}},
    created_at          TIMESTAMP NOT NULL,
    updated_at          TIMESTAMP NOT NULL
);

CREATE TABLE users (
    id            {{serial}},
    enterprise_id BIGINT REFERENCES enterprises (id) ON DELETE CASCADE, -- NULL: superadmin
    login         TEXT NOT NULL UNIQUE,
    full_name     TEXT NOT NULL DEFAULT '',
    role          TEXT NOT NULL,                     -- superadmin | admin | supervisor | operator
    password_hash TEXT NOT NULL,
    language      TEXT NOT NULL DEFAULT '',
    active        BOOLEAN NOT NULL DEFAULT {{bool_true}},
    created_at    TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL
);

CREATE TABLE user_internal_phones (
    id            {{serial}},
    enterprise_id BIGINT NOT NULL REFERENCES enterprises (id) ON DELETE CASCADE,
    user_id       BIGINT REFERENCES users (id) ON DELETE SET NULL,
    extension     TEXT NOT NULL,
    display_name  TEXT NOT NULL DEFAULT '',
    UNIQUE (enterprise_id, extension)
);

CREATE TABLE sessions (
    id           {{serial}},
    token_hash   TEXT NOT NULL UNIQUE,
    user_id      BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    csrf         TEXT NOT NULL,
    address      TEXT NOT NULL DEFAULT '',
    agent        TEXT NOT NULL DEFAULT '',
    created_at   TIMESTAMP NOT NULL,
    last_seen_at TIMESTAMP NOT NULL,
    expires_at   TIMESTAMP NOT NULL
);

CREATE TABLE audit_log (
    id            {{serial}},
    enterprise_id BIGINT,
    user_id       BIGINT,
    who           TEXT NOT NULL,
    action        TEXT NOT NULL,
    what          TEXT NOT NULL DEFAULT '',          -- JSON, secrets masked
    created_at    TIMESTAMP NOT NULL
);

CREATE TABLE lines (
    id            {{serial}},
    enterprise_id BIGINT NOT NULL REFERENCES enterprises (id) ON DELETE CASCADE,
    line          TEXT NOT NULL,
    name          TEXT NOT NULL DEFAULT '',
    rules         TEXT NOT NULL DEFAULT '[]',        -- JSON: ordered [{pattern, replacement}]
    UNIQUE (enterprise_id, line)
);

-- The tables that events write name their enterprise without REFERENCES: the writer takes the id from the cache of
-- enterprises that exist, and PostgreSQL would look up and lock the enterprise's row for every row written.

-- The journal: the one source of truth. Never updated but for its call and two notes.
CREATE TABLE call_events (
    id              {{number}},
    enterprise_id   BIGINT NOT NULL,
    call_id         BIGINT,                          -- NULL: not (yet) of a call
    event_type      TEXT NOT NULL,
    unique_id       TEXT NOT NULL DEFAULT '',
    linked_id       TEXT NOT NULL DEFAULT '',
    bridge_id       TEXT NOT NULL DEFAULT '',
    event_timestamp TIMESTAMP NOT NULL,              -- the host's clock where it can be trusted, in UTC
    received_at     TIMESTAMP NOT NULL,
    event_key       {{bytes}} NOT NULL UNIQUE,       -- identity of the event: a resend has the same
    host_event_id   TEXT NOT NULL DEFAULT '',        -- EventId / X-Event-Id as told
    raw_data        TEXT NOT NULL,                   -- the body, byte for byte
    data_source     TEXT NOT NULL DEFAULT 'live',    -- live | recovery
    telegram_sent   BOOLEAN NOT NULL DEFAULT {{bool_false}},
    parked          BOOLEAN NOT NULL DEFAULT {{bool_false}}, -- broke its call twice: kept, shown, not applied
    note            TEXT NOT NULL DEFAULT ''
);
CREATE INDEX call_events_call ON call_events (call_id);
CREATE INDEX call_events_unique_id ON call_events (unique_id, enterprise_id);
-- bridge_create and bridge_destroy name only their bridge; their call finds them by it.
CREATE INDEX call_events_bridge ON call_events (bridge_id, enterprise_id) WHERE unique_id = '';

-- One row per logical call: written when it begins, completed when it ends.
CREATE TABLE calls (
    id            {{id}},                            -- ours, ordered by time
    uuid          TEXT NOT NULL UNIQUE,
    enterprise_id BIGINT NOT NULL,
    unique_id     TEXT NOT NULL,
    linked_id     TEXT NOT NULL,
    state         TEXT NOT NULL,                     -- live | ended | merged | shadow (no call: only side events)
    phone         TEXT,                              -- E.164, or an extension on internal calls; NULL: withheld
    raw_phone     TEXT NOT NULL DEFAULT '',
    extension     TEXT NOT NULL DEFAULT '',          -- who answered, else those rung, comma-separated
    rung          TEXT NOT NULL DEFAULT '[]',        -- JSON array, in order of first ringing
    talked        TEXT NOT NULL DEFAULT '[]',        -- JSON array, in order
    made_by       TEXT,
    line          TEXT NOT NULL DEFAULT '',
    direction     TEXT NOT NULL DEFAULT '',          -- in | out | internal
    result        TEXT,                              -- answered | missed | busy | failed | lost; NULL while live
    received_at   TIMESTAMP NOT NULL,
    answered_at   TIMESTAMP,
    ended_at      TIMESTAMP,
    wait_seconds  INTEGER NOT NULL DEFAULT 0,
    talk_seconds  INTEGER NOT NULL DEFAULT 0,
    recording     TEXT NOT NULL DEFAULT '',
    hung_up_by    TEXT NOT NULL DEFAULT '',          -- client | agent | ''
    request_id    TEXT NOT NULL DEFAULT '',
    events_count  INTEGER NOT NULL DEFAULT 0,
    data_source   TEXT NOT NULL DEFAULT 'live',
    merged_into   BIGINT,
    fault         TEXT NOT NULL DEFAULT '',
    updated_at    TIMESTAMP NOT NULL
);
CREATE INDEX calls_enterprise_received ON calls (enterprise_id, received_at);
CREATE INDEX calls_linked_id ON calls (linked_id, enterprise_id);
CREATE INDEX calls_live ON calls (state) WHERE state = 'live';

CREATE TABLE customers (
    id             {{number}},
    enterprise_id  BIGINT NOT NULL,
    phone          TEXT NOT NULL,
    name           TEXT NOT NULL DEFAULT '',
    name_source    TEXT NOT NULL DEFAULT '',
    calls_count    INTEGER NOT NULL DEFAULT 0,
    answered_count INTEGER NOT NULL DEFAULT 0,
    missed_count   INTEGER NOT NULL DEFAULT 0,
    talk_seconds   BIGINT NOT NULL DEFAULT 0,
    first_call_at  TIMESTAMP NOT NULL,
    last_call_at   TIMESTAMP NOT NULL,
    UNIQUE (enterprise_id, phone)
);

-- What is to be told, to whom; the outbox. Written with the event that calls for it.
CREATE TABLE deliveries (
    id            {{number}},
    enterprise_id BIGINT NOT NULL,
    integration   TEXT NOT NULL,                     -- retailcrm | … | telegram
    call_id       BIGINT NOT NULL,
    unique_id     TEXT NOT NULL,
    kind          TEXT NOT NULL,                     -- dial, dial:151, bridge:150, hangup, upload, message …
    position      INTEGER NOT NULL,                  -- order within (call, integration)
    state         TEXT NOT NULL,                     -- due | leased | done | failed | missed | withdrawn
    payload       TEXT NOT NULL,                     -- JSON notice
    attempts      INTEGER NOT NULL DEFAULT 0,
    not_before    TIMESTAMP NOT NULL,
    expires_at    TIMESTAMP,                         -- of no use to anyone after this
    leased_until  TIMESTAMP,
    lease_owner   TEXT NOT NULL DEFAULT '',
    outcome       TEXT NOT NULL DEFAULT '',          -- in words, for people
    created_at    TIMESTAMP NOT NULL,
    finished_at   TIMESTAMP,
    UNIQUE (call_id, integration, kind)
);
CREATE INDEX deliveries_open ON deliveries (integration, enterprise_id, not_before) WHERE state IN ('due', 'leased');
CREATE INDEX deliveries_recent ON deliveries (enterprise_id, integration, id);

CREATE TABLE integration_logs (
    id                 {{number}},
    enterprise_id      BIGINT NOT NULL,
    enterprise_number  TEXT NOT NULL,
    integration_type   TEXT NOT NULL,
    event_type         TEXT NOT NULL,
    delivery_id        BIGINT,
    call_unique_id     TEXT NOT NULL DEFAULT '',
    phone_number       TEXT NOT NULL DEFAULT '',
    internal_extension TEXT NOT NULL DEFAULT '',
    request_data       TEXT NOT NULL DEFAULT '',     -- secrets masked
    response_data      TEXT NOT NULL DEFAULT '',     -- secrets masked
    status             TEXT NOT NULL,                -- success | error | pending
    error_message      TEXT NOT NULL DEFAULT '',
    response_time_ms   INTEGER NOT NULL DEFAULT 0,
    created_at         TIMESTAMP NOT NULL,
    updated_at         TIMESTAMP NOT NULL
);
CREATE INDEX integration_logs_enterprise ON integration_logs (enterprise_id, id);
CREATE INDEX integration_logs_delivery ON integration_logs (delivery_id);

CREATE TABLE telegram_users (
    id              {{serial}},
    enterprise_id   BIGINT NOT NULL REFERENCES enterprises (id) ON DELETE CASCADE,
    chat_id         BIGINT NOT NULL,
    name            TEXT NOT NULL DEFAULT '',
    active          BOOLEAN NOT NULL DEFAULT {{bool_true}},
    disabled_reason TEXT NOT NULL DEFAULT '',
    created_at      TIMESTAMP NOT NULL,
    UNIQUE (enterprise_id, chat_id)
);

-- One live message per call and chat: what it shows now, and whether that is the last word.
CREATE TABLE telegram_messages (
    id            {{number}},
    enterprise_id BIGINT NOT NULL REFERENCES enterprises (id) ON DELETE CASCADE,
    call_id       BIGINT NOT NULL,
    chat_id       BIGINT NOT NULL,
    message_id    BIGINT,                            -- NULL: being sent, or never told
    phone         TEXT NOT NULL DEFAULT '',
    text          TEXT NOT NULL DEFAULT '',
    final         BOOLEAN NOT NULL DEFAULT {{bool_false}},
    note          TEXT NOT NULL DEFAULT '',
    sent_at       TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL,
    UNIQUE (call_id, chat_id)
);
CREATE INDEX telegram_messages_reply ON telegram_messages (enterprise_id, chat_id, phone, id);

-- Events that were refused, so that an operator can see what a host sends wrongly. Bounded by retention.
CREATE TABLE refusals (
    id            {{number}},
    enterprise_id BIGINT,
    event_type    TEXT NOT NULL,
    reason        TEXT NOT NULL,
    detail        TEXT NOT NULL DEFAULT '',
    address       TEXT NOT NULL DEFAULT '',
    body          TEXT NOT NULL DEFAULT '',          -- its first kilobytes, tokens masked
    created_at    TIMESTAMP NOT NULL
);

-- What the store keeps about itself, such as a sealed word by which a wrong secret key is recognised.
CREATE TABLE kept (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

-- A change of the configuration, even one made straight in the database, tells every process's cache.
-- postgres:
CREATE FUNCTION patchbay_tell_config() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed BIGINT;
BEGIN
    IF TG_TABLE_NAME = 'enterprises' THEN
        IF TG_OP = 'DELETE' THEN changed := OLD.id; ELSE changed := NEW.id; END IF;
    ELSE
        IF TG_OP = 'DELETE' THEN changed := OLD.enterprise_id; ELSE changed := NEW.enterprise_id; END IF;
    END IF;
    PERFORM pg_notify('patchbay_config', changed::text);
    RETURN NULL;
END $$;
CREATE TRIGGER enterprises_tell AFTER INSERT OR UPDATE OR DELETE ON enterprises
    FOR EACH ROW EXECUTE FUNCTION patchbay_tell_config();
CREATE TRIGGER user_internal_phones_tell AFTER INSERT OR UPDATE OR DELETE ON user_internal_phones
    FOR EACH ROW EXECUTE FUNCTION patchbay_tell_config();
CREATE TRIGGER lines_tell AFTER INSERT OR UPDATE OR DELETE ON lines
    FOR EACH ROW EXECUTE FUNCTION patchbay_tell_config();
CREATE TRIGGER telegram_users_tell AFTER INSERT OR UPDATE OR DELETE ON telegram_users
    FOR EACH ROW EXECUTE FUNCTION patchbay_tell_config();
-- end
