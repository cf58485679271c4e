-- How a host takes commands, and the key that opens it.
ALTER TABLE enterprises ADD COLUMN host_kind TEXT NOT NULL DEFAULT 'kit';  -- kit | plain
ALTER TABLE enterprises ADD COLUMN ssh_key TEXT NOT NULL DEFAULT '';       -- sealed private key, OpenSSH's format

-- One row per click-to-call: what was asked, and what became of it.
CREATE TABLE call_requests (
    id            TEXT PRIMARY KEY NOT NULL,         -- the kit is given it and says it back as RequestId
    enterprise_id BIGINT NOT NULL,
    extension     TEXT NOT NULL,
    number        TEXT NOT NULL,                     -- as given: digits, perhaps a + before them
    source        TEXT NOT NULL,                     -- retailcrm | api
    state         TEXT NOT NULL,                     -- accepted | ringing | talking | ended | agent_missed | failed
    words         TEXT NOT NULL DEFAULT '',          -- why it failed, for people
    call_id       BIGINT,
    created_at    TIMESTAMP NOT NULL,
    updated_at    TIMESTAMP NOT NULL
);
CREATE INDEX call_requests_enterprise ON call_requests (enterprise_id, created_at);
CREATE INDEX call_requests_call ON call_requests (call_id);
CREATE INDEX call_requests_waiting ON call_requests (created_at) WHERE state = 'accepted';

-- What a CRM last told of its managers: present, away, talking …
CREATE TABLE manager_statuses (
    id            {{serial}},
    enterprise_id BIGINT NOT NULL,
    integration   TEXT NOT NULL,
    manager       TEXT NOT NULL,                     -- the CRM's id of the user
    status        TEXT NOT NULL,
    updated_at    TIMESTAMP NOT NULL,
    UNIQUE (enterprise_id, integration, manager)
);

-- A call's page asks what smart redirect decided for it.
CREATE INDEX integration_logs_redirect ON integration_logs (call_unique_id, enterprise_id) WHERE event_type = 'smart_redirect';
