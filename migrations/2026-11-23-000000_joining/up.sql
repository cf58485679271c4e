-- Codes by which a chat joins the chats that follow an enterprise's calls.
CREATE TABLE telegram_invitations (
    id            {{serial}},
    enterprise_id BIGINT NOT NULL REFERENCES enterprises (id) ON DELETE CASCADE,
    code_hash     TEXT NOT NULL UNIQUE,              -- keyed hash: the code is shown once and stands nowhere
    hint          TEXT NOT NULL,                     -- its last characters, to tell it from others
    single        BOOLEAN NOT NULL,                  -- one chat joins by it, else as many as come
    made_by       TEXT NOT NULL,
    created_at    TIMESTAMP NOT NULL,
    expires_at    TIMESTAMP NOT NULL,
    ended_at      TIMESTAMP,                         -- taken back by a person
    uses          INTEGER NOT NULL DEFAULT 0,
    last_chat     BIGINT,
    last_name     TEXT NOT NULL DEFAULT '',
    used_at       TIMESTAMP
);
CREATE INDEX telegram_invitations_enterprise ON telegram_invitations (enterprise_id, id);
CREATE INDEX telegram_invitations_expiry ON telegram_invitations (expires_at);

-- Who reads what is written to a bot: Telegram gives it to one reader only.
CREATE TABLE telegram_listeners (
    bot_id       BIGINT PRIMARY KEY NOT NULL,        -- Telegram's number of the bot, the first part of its token
    lease_owner  TEXT NOT NULL DEFAULT '',
    leased_until TIMESTAMP,
    trouble      TEXT NOT NULL DEFAULT '',           -- why nothing is heard, in Telegram's words; empty while all is well
    updated_at   TIMESTAMP NOT NULL
);
