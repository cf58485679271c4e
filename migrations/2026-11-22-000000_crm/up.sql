-- What a connector keeps about a call between its deliveries: the CRM's own id of the call, what was shown to whom.
CREATE TABLE memories (
    enterprise_id BIGINT NOT NULL,
    integration   TEXT NOT NULL,
    name          TEXT NOT NULL,                     -- the call's unique id as the CRM was told it; request:{id} before there is one
    memory        TEXT NOT NULL,                     -- JSON, the connector's own
    updated_at    TIMESTAMP NOT NULL,
    PRIMARY KEY (enterprise_id, integration, name)
);
CREATE INDEX memories_age ON memories (updated_at);

-- Tokens that a CRM gives and renews. A version more with each pair, so that a pair is renewed once, by one process.
CREATE TABLE crm_tokens (
    enterprise_id BIGINT NOT NULL,
    integration   TEXT NOT NULL,
    tokens        TEXT NOT NULL,                     -- sealed
    version       BIGINT NOT NULL,
    lease_owner   TEXT NOT NULL DEFAULT '',          -- who is renewing them
    leased_until  TIMESTAMP,
    updated_at    TIMESTAMP NOT NULL,
    PRIMARY KEY (enterprise_id, integration)
);
