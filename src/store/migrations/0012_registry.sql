-- The registry of policies, and tables that wait for a training.

-- Policies by the SHA-256 of their bytes, in order of `policy_no`; the bytes lie in `model_files`. Rows never change and
-- are never removed. `author` is who registered the policy, empty for files that a process was started with. Which one is
-- in force follows from the log of what is in force.
CREATE TABLE policies (
    policy_no INTEGER PRIMARY KEY AUTOINCREMENT,
    policy_id TEXT    NOT NULL UNIQUE,
    name      TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    author    TEXT,
    added_at  INTEGER NOT NULL
);

-- What persons did with policies; rows are only added. Instants are milliseconds since 1970 (UTC).
CREATE TABLE policy_changes (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    policy_id TEXT    NOT NULL,
    what      TEXT    NOT NULL,
    by_whom   TEXT,
    reason    TEXT,
    run_id    TEXT
);
CREATE INDEX policy_changes_of ON policy_changes (policy_id, seq);

-- Tables that were sent for a training, by the SHA-256 of their bytes; they are removed a day after they were last asked
-- for, and never while a job waits that names them. Instants are milliseconds since 1970 (UTC).
CREATE TABLE training_tables (
    table_id TEXT    NOT NULL PRIMARY KEY,
    format   TEXT    NOT NULL,
    used_at  INTEGER NOT NULL,
    body     BLOB    NOT NULL
);
