-- What persons decide over time, and their acts.

-- The present state of each proceeding. `kind` 1 override, 2 objection, 3 merge of `enterprise_id` into `related_id`.
-- `is_open` says whether it may still have an effect; `due_on` is the first day after its present time limit.
-- Id, kind and day of making never change; rows are never removed.
CREATE TABLE proceedings (
    proceeding_id text COLLATE "C" NOT NULL PRIMARY KEY,
    kind          smallint NOT NULL,
    enterprise_id text COLLATE "C" NOT NULL,
    related_id    text COLLATE "C",
    state         text COLLATE "C" NOT NULL,
    is_open       boolean  NOT NULL,
    due_on        integer,
    document      text     NOT NULL    -- JSON
);

CREATE INDEX proceedings_by_enterprise ON proceedings (enterprise_id);
CREATE INDEX proceedings_by_state ON proceedings (kind, state, proceeding_id);
CREATE INDEX merges_by_successor ON proceedings (related_id) WHERE kind = 3;
-- Empty where no id is merged, so that writers of records find that out at once.
CREATE INDEX merges_open ON proceedings (enterprise_id) WHERE kind = 3 AND is_open;

-- Who did what, when and why; rows are only added. Numbers are consecutive within an enterprise.
CREATE TABLE acts (
    enterprise_id text COLLATE "C" NOT NULL,
    act_no        bigint  NOT NULL,
    on_day        integer NOT NULL,
    at            text    NOT NULL,    -- RFC 3339
    what          text    NOT NULL,
    subject       text    NOT NULL,    -- id of a proceeding, or source/record_id
    by_whom       text,
    reason        text,
    PRIMARY KEY (enterprise_id, act_no)
);
