-- Coordinated groups of plans, in order of `group_no`: their plans share contributions. `document` is the group's state
-- as JSON and holds its secrets until it is opened. The id never changes; rows are never removed.
CREATE TABLE plan_groups (
    group_no INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id TEXT    NOT NULL UNIQUE,
    state    TEXT    NOT NULL,
    document TEXT    NOT NULL    -- JSON
);

-- The coordinated group of a plan; never changed. Plans of earlier releases have none.
ALTER TABLE plans ADD COLUMN group_id TEXT;
CREATE INDEX plans_by_group ON plans (group_id, draft_no) WHERE group_id IS NOT NULL;

-- Who took the place of whom after a draw, who said so and why; rows are only added. Numbers are consecutive within a
-- plan.
CREATE TABLE plan_replacements (
    plan_id  TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    document TEXT    NOT NULL,    -- JSON
    PRIMARY KEY (plan_id, number)
) WITHOUT ROWID;
