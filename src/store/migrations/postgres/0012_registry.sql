-- The registry of policies, and tables that wait for a training.

-- Policies by the SHA-256 of their bytes, in order of `policy_no`; the bytes lie in `model_files`. Rows never change and
-- are never removed. `author` is who registered the policy, empty for files that a process was started with. Which one is
-- in force follows from the log of what is in force.
CREATE TABLE policies (
    policy_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_id text COLLATE "C" NOT NULL UNIQUE,
    name      text COLLATE "C" NOT NULL,
    version   bigint NOT NULL,
    author    text COLLATE "C",
    added_at  bigint NOT NULL
);

-- What persons did with policies; rows are only added. Instants are milliseconds since 1970 (UTC).
CREATE TABLE policy_changes (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        bigint NOT NULL,
    policy_id text COLLATE "C" NOT NULL,
    what      text COLLATE "C" NOT NULL,
    by_whom   text COLLATE "C",
    reason    text COLLATE "C",
    run_id    text COLLATE "C"
);
CREATE INDEX policy_changes_of ON policy_changes (policy_id, seq);

-- Tables that were sent for a training, by the SHA-256 of their bytes; they are removed a day after they were last asked
-- for, and never while a job waits that names them. Instants are milliseconds since 1970 (UTC).
CREATE TABLE training_tables (
    table_id text COLLATE "C" NOT NULL PRIMARY KEY,
    format   text COLLATE "C" NOT NULL,
    used_at  bigint NOT NULL,
    body     bytea NOT NULL
);
