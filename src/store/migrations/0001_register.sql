-- The register: check objects and everything known about them.

-- One row per check object. `revision` grows with every change of the object or of one of its records; a tier belongs
-- to one revision. `import_no` is the last import in which the row stood; it tells a repeated id within one file from a
-- later correction.
CREATE TABLE enterprises (
    enterprise_id  TEXT    NOT NULL PRIMARY KEY,
    revision       INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    kind           INTEGER NOT NULL,
    owner_id       TEXT,
    division       TEXT,
    industry       TEXT,
    established_on INTEGER,            -- days since 1970-01-01, as in every `_on` column
    status         INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    tags           TEXT    NOT NULL,   -- JSON list
    attributes     TEXT    NOT NULL,   -- JSON object of numbers
    import_no      INTEGER NOT NULL
) WITHOUT ROWID;

-- Every version of every record, keyed by enterprise first: one enterprise's records lie together.
-- What a version says is never changed except by a correction that became known on the same day.
CREATE TABLE record_versions (
    enterprise_id TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    record_id     TEXT    NOT NULL,
    known_on      INTEGER NOT NULL,
    kind          INTEGER NOT NULL,
    occurred_on   INTEGER NOT NULL,
    ended_on      INTEGER,
    severity      INTEGER,
    amount_fen    INTEGER,
    count         INTEGER,
    upheld        INTEGER,
    codes         TEXT    NOT NULL,    -- JSON list
    item_code     TEXT,
    party         TEXT,
    related_id    TEXT,
    repaired_on   INTEGER,
    withdrawn_on  INTEGER,
    note          TEXT,
    import_no     INTEGER NOT NULL,    -- the last import in which the version stood,
    stated_on     INTEGER NOT NULL,    -- and the latest day from which it was said to be known
    PRIMARY KEY (enterprise_id, source, record_id, known_on)
) WITHOUT ROWID;

-- Whose record an id of a source is; makes ingestion idempotent.
CREATE TABLE record_owners (
    source        TEXT NOT NULL,
    record_id     TEXT NOT NULL,
    enterprise_id TEXT NOT NULL,
    PRIMARY KEY (source, record_id)
) WITHOUT ROWID;

-- The last computed tier of each enterprise; valid for one epoch and revision and until `next_change_on`.
CREATE TABLE tiers (
    enterprise_id  TEXT    NOT NULL PRIMARY KEY,
    epoch          TEXT    NOT NULL,
    revision       INTEGER NOT NULL,
    tier           INTEGER NOT NULL,
    points         INTEGER NOT NULL,
    as_of          INTEGER NOT NULL,
    next_change_on INTEGER
) WITHOUT ROWID;

-- The log that caches follow: written in the transaction of the change, read in order of `seq`.
CREATE TABLE tier_changes (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    enterprise_id TEXT    NOT NULL,
    revision      INTEGER NOT NULL
);

-- Identity of this database, made once: caches tell by it whose log they follow.
CREATE TABLE identity (
    store_id TEXT NOT NULL
);
INSERT INTO identity (store_id) VALUES (lower(hex(randomblob(16))));

-- One row per import, so that rows know which one wrote them.
CREATE TABLE imports (
    import_no  INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at TEXT NOT NULL
);

-- Frozen frames: never changed. `body` is the frame's documented file form, gzip.
CREATE TABLE frames (
    frame_id TEXT NOT NULL PRIMARY KEY,
    number   INTEGER NOT NULL UNIQUE,
    document TEXT NOT NULL,
    body     BLOB NOT NULL
) WITHOUT ROWID;

-- Plans, in order of `draft_no`. `number` is given at the freeze and consecutive, `closed_no` at the close: it orders the chain of transcripts.
-- `document` is the plan's state as JSON; `pool` and `sample`
-- are the files of the draw contract, gzip, written at the freeze and the draw and never changed.
CREATE TABLE plans (
    draft_no  INTEGER PRIMARY KEY AUTOINCREMENT,
    plan_id   TEXT    NOT NULL UNIQUE,
    number    INTEGER UNIQUE,
    closed_no INTEGER UNIQUE,
    state     TEXT    NOT NULL,
    document  TEXT    NOT NULL,
    pool      BLOB,
    sample    BLOB
);
