-- Tiers of two epochs side by side, the runs that make them, their history, and the files behind them.

-- Tiers are computed anew; the table stays, empty, for a previous release that still runs.
DELETE FROM tiers;

-- The two slots. One is live: readers see it alone. A run fills the other one and then flips. All rows of a slot belong
-- to the epoch for which it is or becomes live. `from_on` is the day since when this tier letter has held. `link` packs
-- what the enterprise adds to those whose links name it. `facts` is what a run needs to finish the row; `is_open` marks
-- rows that still wait for it. A row of revision 0 is outdated whatever the enterprise's revision.
CREATE TABLE tiers_a (
    enterprise_id  text COLLATE "C"    NOT NULL PRIMARY KEY,
    revision       bigint NOT NULL,
    tier           smallint NOT NULL,
    points         integer NOT NULL,
    as_of          integer NOT NULL,
    next_change_on integer,
    from_on        integer NOT NULL,
    link           bigint NOT NULL,
    is_surge       boolean NOT NULL,
    is_open        boolean NOT NULL DEFAULT false,
    facts          bytea
) WITH (fillfactor = 80);
CREATE TABLE tiers_b (
    enterprise_id  text COLLATE "C"    NOT NULL PRIMARY KEY,
    revision       bigint NOT NULL,
    tier           smallint NOT NULL,
    points         integer NOT NULL,
    as_of          integer NOT NULL,
    next_change_on integer,
    from_on        integer NOT NULL,
    link           bigint NOT NULL,
    is_surge       boolean NOT NULL,
    is_open        boolean NOT NULL DEFAULT false,
    facts          bytea
) WITH (fillfactor = 80);
-- Finds the rows whose day has come.
CREATE INDEX tiers_a_due ON tiers_a (next_change_on) WHERE next_change_on IS NOT NULL;
CREATE INDEX tiers_b_due ON tiers_b (next_change_on) WHERE next_change_on IS NOT NULL;

-- Finds the enterprises whose links, or owner, name another one.
CREATE INDEX record_versions_related ON record_versions (related_id) WHERE related_id IS NOT NULL;
CREATE INDEX enterprises_owner ON enterprises (owner_id) WHERE owner_id IS NOT NULL;

-- Model files and frozen statistics by the SHA-256 of their bytes; never changed.
CREATE TABLE model_files (
    digest text COLLATE "C" NOT NULL PRIMARY KEY,
    body   bytea NOT NULL
);

-- Which files make a set; never changed.
CREATE TABLE model_sets (
    files_id text COLLATE "C" NOT NULL,
    role     text COLLATE "C" NOT NULL,
    digest   text COLLATE "C" NOT NULL,
    PRIMARY KEY (files_id, role)
);

-- The log of what was in force from when; never changed. Instants are milliseconds since 1970 (UTC).
CREATE TABLE in_force (
    number     bigint NOT NULL PRIMARY KEY,
    epoch      text    NOT NULL,
    files_id   text COLLATE "C"    NOT NULL,
    statistics text,
    from_at    bigint NOT NULL,
    from_on    integer NOT NULL,
    run_id     text COLLATE "C"
);

-- One row: which slot is live and under which entry of the log.
CREATE TABLE live (
    one    integer NOT NULL PRIMARY KEY CHECK (one = 1),
    slot   smallint NOT NULL,
    number bigint NOT NULL,
    epoch  text    NOT NULL
);

-- Runs, in order of `run_no`. `is_active` is 1 for the one that is queued or running and empty for all others. The
-- owner holds the run as long as it renews its lease; every write of a run names its owner.
CREATE TABLE runs (
    run_no        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id        text COLLATE "C"    NOT NULL UNIQUE,
    is_active     smallint UNIQUE,
    state         text    NOT NULL,
    cause         text    NOT NULL,
    files_id      text COLLATE "C"    NOT NULL,
    as_of         integer NOT NULL,
    phase         text    NOT NULL,
    slot          smallint,
    start_seq     bigint,
    total_count   bigint NOT NULL DEFAULT 0,
    statistics    text,
    epoch         text,
    change_count  bigint,
    requested_at  bigint NOT NULL,
    started_at    bigint,
    ended_at      bigint,
    failure       text,
    owner         text,
    lease_until   bigint NOT NULL DEFAULT 0
);

-- The parts of the active run: where each has come to (0 to be scanned, 1 scanned, 2 finished).
CREATE TABLE run_ranges (
    part      integer NOT NULL PRIMARY KEY,
    after_id  text COLLATE "C",
    until_id  text COLLATE "C",
    step      integer NOT NULL,
    row_count bigint NOT NULL
);

-- The tiers that the active run will supersede.
CREATE TABLE run_changes (
    enterprise_id text COLLATE "C"    NOT NULL PRIMARY KEY,
    tier          smallint NOT NULL,
    points        integer NOT NULL,
    from_on       integer NOT NULL,
    new_tier      smallint NOT NULL,
    new_points    integer NOT NULL
);

-- Superseded tiers: `tier` held from `from_on` until the day before `until_on`, under entry `force_no` of the log.
CREATE TABLE tier_history (
    enterprise_id text COLLATE "C"    NOT NULL,
    until_on      integer NOT NULL,
    from_on       integer NOT NULL,
    tier          smallint NOT NULL,
    points        integer NOT NULL,
    force_no      bigint NOT NULL,
    PRIMARY KEY (enterprise_id, until_on)
);

-- What supervisors are told, in order of `seq`. Numbers are given under a lock that is held until the commit, so they
-- become visible in order.
CREATE TABLE alerts (
    seq           bigint NOT NULL PRIMARY KEY,
    kind          text    NOT NULL,
    enterprise_id text COLLATE "C"    NOT NULL,
    on_day        integer NOT NULL,
    from_tier     smallint NOT NULL,
    tier          smallint NOT NULL,
    points        integer NOT NULL,
    noted_at      bigint NOT NULL
);

-- Background workers: up to where each has followed the log of changes, and who holds it at the moment.
CREATE TABLE workers (
    name        text COLLATE "C"    NOT NULL PRIMARY KEY,
    cursor      bigint NOT NULL,
    owner       text,
    lease_until bigint NOT NULL
);
INSERT INTO workers (name, cursor, lease_until) SELECT 'retier', coalesce(max(seq), 0), 0 FROM tier_changes;
