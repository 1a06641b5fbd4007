-- Visits that several plans need, and the reserve of a draw.

-- What each plan checks on a visit that several plans of one coordinated group need: kept from the moment on which a
-- second plan joins. `place` counts the plans of a visit in the order in which they came. A row goes when its plan no
-- longer needs the visit; `visits.plan_id` is then the first of those that still do.
CREATE TABLE visit_shares (
    visit_no    INTEGER NOT NULL,
    plan_id     TEXT    NOT NULL,
    place       INTEGER NOT NULL,
    departments TEXT    NOT NULL,    -- JSON list
    items       TEXT    NOT NULL,    -- JSON list
    PRIMARY KEY (visit_no, plan_id)
) WITHOUT ROWID;

CREATE INDEX visit_shares_by_plan ON visit_shares (plan_id);

-- Who stands by, in order: the file `reserve.tsv`, gzip, written with the sample. Plans drawn by earlier releases have
-- none; their draw is repeated instead.
ALTER TABLE plans ADD COLUMN reserve BLOB;
