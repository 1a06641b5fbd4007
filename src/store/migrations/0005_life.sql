-- What persons decide over time, and their acts.

-- The present state of each proceeding. `kind` 1 override, 2 objection, 3 merge of `enterprise_id` into `related_id`.
-- `is_open` says whether it may still have an effect; `due_on` is the first day after its present time limit.
-- Id, kind and day of making never change; rows are never removed.
CREATE TABLE proceedings (
    proceeding_id TEXT    NOT NULL PRIMARY KEY,
    kind          INTEGER NOT NULL,
    enterprise_id TEXT    NOT NULL,
    related_id    TEXT,
    state         TEXT    NOT NULL,
    is_open       INTEGER NOT NULL,
    due_on        INTEGER,
    document      TEXT    NOT NULL    -- JSON
) WITHOUT ROWID;

CREATE INDEX proceedings_by_enterprise ON proceedings (enterprise_id);
CREATE INDEX proceedings_by_state ON proceedings (kind, state, proceeding_id);
CREATE INDEX merges_by_successor ON proceedings (related_id) WHERE kind = 3;
-- Empty where no id is merged, so that writers of records find that out at once.
CREATE INDEX merges_open ON proceedings (enterprise_id) WHERE kind = 3 AND is_open = 1;

-- Who did what, when and why; rows are only added. Numbers are consecutive within an enterprise.
CREATE TABLE acts (
    enterprise_id TEXT    NOT NULL,
    act_no        INTEGER NOT NULL,
    on_day        INTEGER NOT NULL,
    at            TEXT    NOT NULL,    -- RFC 3339
    what          TEXT    NOT NULL,
    subject       TEXT    NOT NULL,    -- id of a proceeding, or source/record_id
    by_whom       TEXT,
    reason        TEXT,
    PRIMARY KEY (enterprise_id, act_no)
) WITHOUT ROWID;
