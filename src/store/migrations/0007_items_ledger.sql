-- Check items, and the ledger of visits.

-- Every version of every item; a version is never changed. It holds from `from_on` until the next one does.
CREATE TABLE item_versions (
    item_code TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    from_on   INTEGER NOT NULL,
    document  TEXT    NOT NULL,        -- JSON
    PRIMARY KEY (item_code, version)
) WITHOUT ROWID;

-- Every visit, planned or done, over all plans and departments. `kind` 1 general, 2 key, 3 exempt; `state` 1 planned,
-- 2 done, 3 void, 4 replaced. `slot` numbers the visits for general items to an enterprise in a year; it is given back by
-- those that do not count any more. Rows are never removed; number, enterprise, year, kind and plan never change.
CREATE TABLE visits (
    visit_no      INTEGER PRIMARY KEY AUTOINCREMENT,
    enterprise_id TEXT    NOT NULL,
    year          INTEGER NOT NULL,
    kind          INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    slot          INTEGER,
    from_on       INTEGER NOT NULL,
    until_on      INTEGER NOT NULL,
    visited_on    INTEGER,
    plan_id       TEXT,
    departments   TEXT    NOT NULL,    -- JSON list
    items         TEXT    NOT NULL,    -- JSON list
    is_joint      INTEGER NOT NULL,    -- whether there are several departments
    reason        INTEGER,             -- why it is exempt
    note          TEXT,
    by_whom       TEXT,
    noted_at      TEXT    NOT NULL     -- RFC 3339
);

CREATE UNIQUE INDEX visits_slot ON visits (year, enterprise_id, slot) WHERE slot IS NOT NULL;
CREATE INDEX visits_by_enterprise ON visits (enterprise_id);
CREATE INDEX visits_by_year ON visits (year, visit_no);
CREATE INDEX visits_by_plan ON visits (plan_id) WHERE plan_id IS NOT NULL;
