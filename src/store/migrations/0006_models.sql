-- Models and their life, jobs beside runs, and what drift was measured.

-- Registered scorecards by the SHA-256 of their canonical bytes, in order of `model_no`. Everything but `state` never
-- changes; rows are never removed. `author` is who registered the model, empty for files that a process was started with.
CREATE TABLE models (
    model_no INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id TEXT    NOT NULL UNIQUE,
    name     TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    author   TEXT,
    added_at INTEGER NOT NULL,
    body     BLOB    NOT NULL
);
-- One model is live.
CREATE UNIQUE INDEX models_live ON models (state) WHERE state = 'live';

-- What is known of a model beside itself, as JSON: how it was trained, its last validation, its last shadow report.
CREATE TABLE model_documents (
    model_id TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    document TEXT    NOT NULL,
    PRIMARY KEY (model_id, kind)
) WITHOUT ROWID;

-- Which model's card a set of files holds; never changed.
CREATE TABLE set_models (
    files_id TEXT NOT NULL PRIMARY KEY,
    model_id TEXT NOT NULL
) WITHOUT ROWID;

-- The ledger of models: rows are only added, each names the digest of the one before. Instants are milliseconds since
-- 1970 (UTC).
CREATE TABLE model_changes (
    seq         INTEGER NOT NULL PRIMARY KEY,
    at          INTEGER NOT NULL,
    model_id    TEXT    NOT NULL,
    what        TEXT    NOT NULL,
    from_state  TEXT,
    to_state    TEXT    NOT NULL,
    by_whom     TEXT,
    reason      TEXT,
    is_forced   INTEGER NOT NULL,
    live_before TEXT,
    live_after  TEXT,
    document    TEXT,
    run_id      TEXT,
    previous    TEXT    NOT NULL,
    digest      TEXT    NOT NULL
);

-- What a run will promote when it flips; never changed.
CREATE TABLE promotions (
    run_id      TEXT    NOT NULL PRIMARY KEY,
    model_id    TEXT    NOT NULL,
    what        TEXT    NOT NULL,
    by_whom     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    is_forced   INTEGER NOT NULL,
    live_before TEXT
) WITHOUT ROWID;

-- Drift of the register against the training rows of the live model; rows are only added.
CREATE TABLE drift_reports (
    drift_no INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id TEXT    NOT NULL,
    as_of    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    is_alert INTEGER NOT NULL,
    document TEXT    NOT NULL
);

-- Jobs that are no run of the reclassification stand among the runs and never become active; `is_active` is empty for
-- them. `request` and `result` are JSON.
ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'reclassify';
ALTER TABLE runs ADD COLUMN step TEXT;
ALTER TABLE runs ADD COLUMN done_percent INTEGER;
ALTER TABLE runs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN request TEXT;
ALTER TABLE runs ADD COLUMN result TEXT;
CREATE INDEX runs_waiting ON runs (run_no) WHERE state IN ('queued', 'running');
