-- Coordinated groups of plans, in order of `group_no`: their plans share contributions. `document` is the group's state
-- as JSON and holds its secrets until it is opened. The id never changes; rows are never removed.
CREATE TABLE plan_groups (
    group_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id text COLLATE "C" NOT NULL UNIQUE,
    state    text NOT NULL,
    document text NOT NULL    -- JSON
);

-- The coordinated group of a plan; never changed. Plans of earlier releases have none.
ALTER TABLE plans ADD COLUMN group_id text COLLATE "C";
CREATE INDEX plans_by_group ON plans (group_id, draft_no) WHERE group_id IS NOT NULL;

-- Who took the place of whom after a draw, who said so and why; rows are only added. Numbers are consecutive within a
-- plan.
CREATE TABLE plan_replacements (
    plan_id  text COLLATE "C" NOT NULL,
    number   bigint NOT NULL,
    document text NOT NULL,    -- JSON
    PRIMARY KEY (plan_id, number)
);
