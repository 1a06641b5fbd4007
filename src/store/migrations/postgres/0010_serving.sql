-- Serving: moves of tiers for those who follow them, webhooks, and answers kept by idempotency key.
-- Instants are milliseconds since 1970 (UTC).

-- The log of tier moves, written in the transaction that makes them visible and read in order of `seq`, which has no
-- gaps. `kind` 1: the tier of an enterprise is another than before, or its first (`from_tier` empty). `kind` 2: another
-- epoch came into force; `is_whole` says whether the rows behind it hold every tier that came with it.
CREATE TABLE tier_moves (
    seq           bigint   NOT NULL PRIMARY KEY,
    kind          smallint NOT NULL,
    enterprise_id text COLLATE "C",
    from_tier     smallint,
    tier          smallint,
    points        integer,
    on_day        integer  NOT NULL,
    force_no      bigint   NOT NULL,
    is_whole      boolean,
    noted_at      bigint   NOT NULL
);

-- True where a run began while no tier was live: it tells of all of them at once.
ALTER TABLE runs ADD COLUMN is_first boolean NOT NULL DEFAULT false;

-- Who is told of tier moves. `cursor` is the last move that the target took; `due_at` when it is called next. The owner
-- holds the subscription while it delivers. `secret` signs what is sent, so it is kept as it is.
CREATE TABLE webhooks (
    webhook_id    text COLLATE "C" NOT NULL PRIMARY KEY,
    url           text     NOT NULL,
    secret        bytea    NOT NULL,
    is_suspended  boolean  NOT NULL DEFAULT false,
    cursor        bigint   NOT NULL,
    created_at    bigint   NOT NULL,
    due_at        bigint   NOT NULL,
    failing_since bigint,
    failure_count bigint   NOT NULL DEFAULT 0,
    attempted_at  bigint,
    last_status   integer,
    last_failure  text,
    owner         text,
    lease_until   bigint   NOT NULL DEFAULT 0
);

-- Requests by idempotency key. The digest covers the key, the fingerprint the request. The token is that of the attempt
-- which works on it; every transaction of that attempt sets `is_applied` or fails. `status` is empty until it is answered.
CREATE TABLE idempotency_keys (
    key_digest  text COLLATE "C" NOT NULL PRIMARY KEY,
    fingerprint text     NOT NULL,
    token       text     NOT NULL,
    is_applied  boolean  NOT NULL DEFAULT false,
    lease_until bigint   NOT NULL,
    expires_at  bigint   NOT NULL,
    status      integer,
    headers     text,              -- JSON list of pairs
    body        bytea
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
