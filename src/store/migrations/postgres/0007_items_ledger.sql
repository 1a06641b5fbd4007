-- Check items, and the ledger of visits.

-- Every version of every item; a version is never changed. It holds from `from_on` until the next one does.
CREATE TABLE item_versions (
    item_code text COLLATE "C" NOT NULL,
    version   integer NOT NULL,
    from_on   integer NOT NULL,
    document  text    NOT NULL,        -- JSON
    PRIMARY KEY (item_code, version)
);

-- Every visit, planned or done, over all plans and departments. `kind` 1 general, 2 key, 3 exempt; `state` 1 planned,
-- 2 done, 3 void, 4 replaced. `slot` numbers the visits for general items to an enterprise in a year; it is given back by
-- those that do not count any more. Rows are never removed; number, enterprise, year, kind and plan never change.
CREATE TABLE visits (
    visit_no      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id text COLLATE "C" NOT NULL,
    year          smallint NOT NULL,
    kind          smallint NOT NULL,
    state         smallint NOT NULL,
    slot          integer,
    from_on       integer  NOT NULL,
    until_on      integer  NOT NULL,
    visited_on    integer,
    plan_id       text COLLATE "C",
    departments   text     NOT NULL,    -- JSON list
    items         text     NOT NULL,    -- JSON list
    is_joint      boolean  NOT NULL,    -- whether there are several departments
    reason        smallint,             -- why it is exempt
    note          text,
    by_whom       text,
    noted_at      text     NOT NULL     -- RFC 3339
);

CREATE UNIQUE INDEX visits_slot ON visits (year, enterprise_id, slot) WHERE slot IS NOT NULL;
CREATE INDEX visits_by_enterprise ON visits (enterprise_id);
CREATE INDEX visits_by_year ON visits (year, visit_no);
CREATE INDEX visits_by_plan ON visits (plan_id) WHERE plan_id IS NOT NULL;
