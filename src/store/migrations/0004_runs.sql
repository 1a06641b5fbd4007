-- Tiers of two epochs side by side, the runs that make them, their history, and the files behind them.

-- Tiers are computed anew; the table stays, empty, for a previous release that still runs.
DELETE FROM tiers;

-- The two slots. One is live: readers see it alone. A run fills the other one and then flips. All rows of a slot belong
-- to the epoch for which it is or becomes live. `from_on` is the day since when this tier letter has held. `link` packs
-- what the enterprise adds to those whose links name it. `facts` is what a run needs to finish the row; `is_open` marks
-- rows that still wait for it. A row of revision 0 is outdated whatever the enterprise's revision.
CREATE TABLE tiers_a (
    enterprise_id  TEXT    NOT NULL PRIMARY KEY,
    revision       INTEGER NOT NULL,
    tier           INTEGER NOT NULL,
    points         INTEGER NOT NULL,
    as_of          INTEGER NOT NULL,
    next_change_on INTEGER,
    from_on        INTEGER NOT NULL,
    link           INTEGER NOT NULL,
    is_surge       INTEGER NOT NULL,
    is_open        INTEGER NOT NULL DEFAULT 0,
    facts          BLOB
) WITHOUT ROWID;
CREATE TABLE tiers_b (
    enterprise_id  TEXT    NOT NULL PRIMARY KEY,
    revision       INTEGER NOT NULL,
    tier           INTEGER NOT NULL,
    points         INTEGER NOT NULL,
    as_of          INTEGER NOT NULL,
    next_change_on INTEGER,
    from_on        INTEGER NOT NULL,
    link           INTEGER NOT NULL,
    is_surge       INTEGER NOT NULL,
    is_open        INTEGER NOT NULL DEFAULT 0,
    facts          BLOB
) WITHOUT ROWID;
-- Finds the rows whose day has come.
CREATE INDEX tiers_a_due ON tiers_a (next_change_on) WHERE next_change_on IS NOT NULL;
CREATE INDEX tiers_b_due ON tiers_b (next_change_on) WHERE next_change_on IS NOT NULL;

-- Finds the enterprises whose links, or owner, name another one.
CREATE INDEX record_versions_related ON record_versions (related_id) WHERE related_id IS NOT NULL;
CREATE INDEX enterprises_owner ON enterprises (owner_id) WHERE owner_id IS NOT NULL;

-- Model files and frozen statistics by the SHA-256 of their bytes; never changed.
CREATE TABLE model_files (
    digest TEXT NOT NULL PRIMARY KEY,
    body   BLOB NOT NULL
) WITHOUT ROWID;

-- Which files make a set; never changed.
CREATE TABLE model_sets (
    files_id TEXT NOT NULL,
    role     TEXT NOT NULL,
    digest   TEXT NOT NULL,
    PRIMARY KEY (files_id, role)
) WITHOUT ROWID;

-- The log of what was in force from when; never changed. Instants are milliseconds since 1970 (UTC).
CREATE TABLE in_force (
    number     INTEGER NOT NULL PRIMARY KEY,
    epoch      TEXT    NOT NULL,
    files_id   TEXT    NOT NULL,
    statistics TEXT,
    from_at    INTEGER NOT NULL,
    from_on    INTEGER NOT NULL,
    run_id     TEXT
);

-- One row: which slot is live and under which entry of the log.
CREATE TABLE live (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    slot   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    epoch  TEXT    NOT NULL
);

-- Runs, in order of `run_no`. `is_active` is 1 for the one that is queued or running and empty for all others. The
-- owner holds the run as long as it renews its lease; every write of a run names its owner.
CREATE TABLE runs (
    run_no        INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id        TEXT    NOT NULL UNIQUE,
    is_active     INTEGER UNIQUE,
    state         TEXT    NOT NULL,
    cause         TEXT    NOT NULL,
    files_id      TEXT    NOT NULL,
    as_of         INTEGER NOT NULL,
    phase         TEXT    NOT NULL,
    slot          INTEGER,
    start_seq     INTEGER,
    total_count   INTEGER NOT NULL DEFAULT 0,
    statistics    TEXT,
    epoch         TEXT,
    change_count  INTEGER,
    requested_at  INTEGER NOT NULL,
    started_at    INTEGER,
    ended_at      INTEGER,
    failure       TEXT,
    owner         TEXT,
    lease_until   INTEGER NOT NULL DEFAULT 0
);

-- The parts of the active run: where each has come to (0 to be scanned, 1 scanned, 2 finished).
CREATE TABLE run_ranges (
    part      INTEGER NOT NULL PRIMARY KEY,
    after_id  TEXT,
    until_id  TEXT,
    step      INTEGER NOT NULL,
    row_count INTEGER NOT NULL
);

-- The tiers that the active run will supersede.
CREATE TABLE run_changes (
    enterprise_id TEXT    NOT NULL PRIMARY KEY,
    tier          INTEGER NOT NULL,
    points        INTEGER NOT NULL,
    from_on       INTEGER NOT NULL,
    new_tier      INTEGER NOT NULL,
    new_points    INTEGER NOT NULL
) WITHOUT ROWID;

-- Superseded tiers: `tier` held from `from_on` until the day before `until_on`, under entry `force_no` of the log.
CREATE TABLE tier_history (
    enterprise_id TEXT    NOT NULL,
    until_on      INTEGER NOT NULL,
    from_on       INTEGER NOT NULL,
    tier          INTEGER NOT NULL,
    points        INTEGER NOT NULL,
    force_no      INTEGER NOT NULL,
    PRIMARY KEY (enterprise_id, until_on)
) WITHOUT ROWID;

-- What supervisors are told, in order of `seq`.
CREATE TABLE alerts (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind          TEXT    NOT NULL,
    enterprise_id TEXT    NOT NULL,
    on_day        INTEGER NOT NULL,
    from_tier     INTEGER NOT NULL,
    tier          INTEGER NOT NULL,
    points        INTEGER NOT NULL,
    noted_at      INTEGER NOT NULL
);

-- Background workers: up to where each has followed the log of changes, and who holds it at the moment.
CREATE TABLE workers (
    name        TEXT    NOT NULL PRIMARY KEY,
    cursor      INTEGER NOT NULL,
    owner       TEXT,
    lease_until INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO workers (name, cursor, lease_until) SELECT 'retier', coalesce(max(seq), 0), 0 FROM tier_changes;
