-- Models and their life, jobs beside runs, and what drift was measured.

-- Registered scorecards by the SHA-256 of their canonical bytes, in order of `model_no`. Everything but `state` never
-- changes; rows are never removed. `author` is who registered the model, empty for files that a process was started with.
CREATE TABLE models (
    model_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id text COLLATE "C" NOT NULL UNIQUE,
    name     text COLLATE "C" NOT NULL,
    version  bigint NOT NULL,
    state    text COLLATE "C" NOT NULL,
    author   text COLLATE "C",
    added_at bigint NOT NULL,
    body     bytea NOT NULL
);
-- One model is live.
CREATE UNIQUE INDEX models_live ON models (state) WHERE state = 'live';

-- What is known of a model beside itself, as JSON: how it was trained, its last validation, its last shadow report.
CREATE TABLE model_documents (
    model_id text COLLATE "C" NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    at       bigint NOT NULL,
    document text COLLATE "C" NOT NULL,
    PRIMARY KEY (model_id, kind)
);

-- Which model's card a set of files holds; never changed.
CREATE TABLE set_models (
    files_id text COLLATE "C" NOT NULL PRIMARY KEY,
    model_id text COLLATE "C" NOT NULL
);

-- The ledger of models: rows are only added, each names the digest of the one before. Instants are milliseconds since
-- 1970 (UTC).
CREATE TABLE model_changes (
    seq         bigint NOT NULL PRIMARY KEY,
    at          bigint NOT NULL,
    model_id    text COLLATE "C" NOT NULL,
    what        text COLLATE "C" NOT NULL,
    from_state  text COLLATE "C",
    to_state    text COLLATE "C" NOT NULL,
    by_whom     text COLLATE "C",
    reason      text COLLATE "C",
    is_forced   boolean NOT NULL,
    live_before text COLLATE "C",
    live_after  text COLLATE "C",
    document    text COLLATE "C",
    run_id      text COLLATE "C",
    previous    text COLLATE "C" NOT NULL,
    digest      text COLLATE "C" NOT NULL
);

-- What a run will promote when it flips; never changed.
CREATE TABLE promotions (
    run_id      text COLLATE "C" NOT NULL PRIMARY KEY,
    model_id    text COLLATE "C" NOT NULL,
    what        text COLLATE "C" NOT NULL,
    by_whom     text COLLATE "C" NOT NULL,
    reason      text COLLATE "C" NOT NULL,
    is_forced   boolean NOT NULL,
    live_before text COLLATE "C"
);

-- Drift of the register against the training rows of the live model; rows are only added.
CREATE TABLE drift_reports (
    drift_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id text COLLATE "C" NOT NULL,
    as_of    integer NOT NULL,
    at       bigint NOT NULL,
    is_alert boolean NOT NULL,
    document text COLLATE "C" NOT NULL
);

-- Jobs that are no run of the reclassification stand among the runs and never become active; `is_active` is empty for
-- them. `request` and `result` are JSON.
ALTER TABLE runs ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'reclassify';
ALTER TABLE runs ADD COLUMN step text COLLATE "C";
ALTER TABLE runs ADD COLUMN done_percent bigint;
ALTER TABLE runs ADD COLUMN attempts bigint NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN request text COLLATE "C";
ALTER TABLE runs ADD COLUMN result text COLLATE "C";
CREATE INDEX runs_waiting ON runs (run_no) WHERE state IN ('queued', 'running');
