-- Serving: moves of tiers for those who follow them, webhooks, and answers kept by idempotency key.
-- Instants are milliseconds since 1970 (UTC).

-- The log of tier moves, written in the transaction that makes them visible and read in order of `seq`, which has no
-- gaps. `kind` 1: the tier of an enterprise is another than before, or its first (`from_tier` empty). `kind` 2: another
-- epoch came into force; `is_whole` says whether the rows behind it hold every tier that came with it.
CREATE TABLE tier_moves (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind          INTEGER NOT NULL,
    enterprise_id TEXT,
    from_tier     INTEGER,
    tier          INTEGER,
    points        INTEGER,
    on_day        INTEGER NOT NULL,
    force_no      INTEGER NOT NULL,
    is_whole      INTEGER,
    noted_at      INTEGER NOT NULL
);

-- 1 where a run began while no tier was live: it tells of all of them at once.
ALTER TABLE runs ADD COLUMN is_first INTEGER NOT NULL DEFAULT 0;

-- Who is told of tier moves. `cursor` is the last move that the target took; `due_at` when it is called next. The owner
-- holds the subscription while it delivers. `secret` signs what is sent, so it is kept as it is.
CREATE TABLE webhooks (
    webhook_id    TEXT    NOT NULL PRIMARY KEY,
    url           TEXT    NOT NULL,
    secret        BLOB    NOT NULL,
    is_suspended  INTEGER NOT NULL DEFAULT 0,
    cursor        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    failing_since INTEGER,
    failure_count INTEGER NOT NULL DEFAULT 0,
    attempted_at  INTEGER,
    last_status   INTEGER,
    last_failure  TEXT,
    owner         TEXT,
    lease_until   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Requests by idempotency key. The digest covers the key, the fingerprint the request. The token is that of the attempt
-- which works on it; every transaction of that attempt sets `is_applied` or fails. `status` is empty until it is answered.
CREATE TABLE idempotency_keys (
    key_digest  TEXT    NOT NULL PRIMARY KEY,
    fingerprint TEXT    NOT NULL,
    token       TEXT    NOT NULL,
    is_applied  INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    status      INTEGER,
    headers     TEXT,              -- JSON list of pairs
    body        BLOB
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
