-- The register: check objects and everything known about them. Keys sort by bytes (collation C), as they do in the
-- embedded store. Tables that are rewritten in place leave room in their pages for it.

-- One row per check object. `revision` grows with every change of the object or of one of its records; a tier belongs
-- to one revision. `import_no` is the last import in which the row stood; it tells a repeated id within one file from a
-- later correction.
CREATE TABLE enterprises (
    enterprise_id  text COLLATE "C" NOT NULL PRIMARY KEY,
    revision       bigint   NOT NULL,
    name           text     NOT NULL,
    kind           smallint NOT NULL,
    owner_id       text,
    division       text,
    industry       text,
    established_on integer,             -- days since 1970-01-01, as in every `_on` column
    status         smallint NOT NULL,
    size           smallint NOT NULL,
    tags           text     NOT NULL,   -- JSON list
    attributes     text     NOT NULL,   -- JSON object of numbers
    import_no      bigint   NOT NULL
) WITH (fillfactor = 80);

-- Every version of every record, keyed by enterprise first: one enterprise's records are found together.
-- What a version says is never changed except by a correction that became known on the same day.
CREATE TABLE record_versions (
    enterprise_id text COLLATE "C" NOT NULL,
    source        text COLLATE "C" NOT NULL,
    record_id     text COLLATE "C" NOT NULL,
    known_on      integer  NOT NULL,
    kind          smallint NOT NULL,
    occurred_on   integer  NOT NULL,
    ended_on      integer,
    severity      smallint,
    amount_fen    bigint,
    count         bigint,
    upheld        boolean,
    codes         text     NOT NULL,    -- JSON list
    item_code     text,
    party         text,
    related_id    text,
    repaired_on   integer,
    withdrawn_on  integer,
    note          text,
    import_no     bigint   NOT NULL,    -- the last import in which the version stood,
    stated_on     integer  NOT NULL,    -- and the latest day from which it was said to be known
    PRIMARY KEY (enterprise_id, source, record_id, known_on)
);

-- Whose record an id of a source is; makes ingestion idempotent. Rows are never changed.
CREATE TABLE record_owners (
    source        text COLLATE "C" NOT NULL,
    record_id     text COLLATE "C" NOT NULL,
    enterprise_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (source, record_id)
);

-- The last computed tier of each enterprise; valid for one epoch and revision and until `next_change_on`.
CREATE TABLE tiers (
    enterprise_id  text COLLATE "C" NOT NULL PRIMARY KEY,
    epoch          text     NOT NULL,
    revision       bigint   NOT NULL,
    tier           smallint NOT NULL,
    points         integer  NOT NULL,
    as_of          integer  NOT NULL,
    next_change_on integer
) WITH (fillfactor = 80);

-- The log that caches follow: written in the transaction of the change, read in order of `seq`. Numbers are given under
-- a lock that is held until the commit, so they become visible in order and without gaps. No sequence gives them: one
-- would hand out numbers that become visible out of order. Its last row is never removed.
CREATE TABLE tier_changes (
    seq           bigint NOT NULL PRIMARY KEY,
    enterprise_id text   NOT NULL,
    revision      bigint NOT NULL
);

-- Identity of this database, made once: caches tell by it whose log they follow.
CREATE TABLE identity (
    store_id text NOT NULL
);
INSERT INTO identity (store_id) VALUES (replace(gen_random_uuid()::text, '-', ''));

-- One row per import, so that rows know which one wrote them.
CREATE TABLE imports (
    import_no  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- Frozen frames: never changed. `body` is the frame's documented file form, gzip.
CREATE TABLE frames (
    frame_id text COLLATE "C" NOT NULL PRIMARY KEY,
    number   bigint NOT NULL UNIQUE,
    document text   NOT NULL,
    body     bytea  NOT NULL
);

-- Plans, in order of `draft_no`. `number` is given at the freeze and consecutive, `closed_no` at the close: it orders
-- the chain of transcripts. `document` is the plan's state as JSON; `pool` and `sample` are the files of the draw
-- contract, gzip, written at the freeze and the draw and never changed.
CREATE TABLE plans (
    draft_no  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id   text COLLATE "C" NOT NULL UNIQUE,
    number    bigint UNIQUE,
    closed_no bigint UNIQUE,
    state     text NOT NULL,
    document  text NOT NULL,
    pool      bytea,
    sample    bytea
);
-- Files are gzip already.
ALTER TABLE frames ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE plans ALTER COLUMN pool SET STORAGE EXTERNAL, ALTER COLUMN sample SET STORAGE EXTERNAL;
