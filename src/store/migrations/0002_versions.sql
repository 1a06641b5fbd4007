-- Earlier versions of enterprises, and records of enterprises that are not in the register yet.

-- The day on which the row last replaced another one; NULL while it is the first.
ALTER TABLE enterprises ADD COLUMN changed_on INTEGER;

-- What an enterprise was until the day `until_on`, which is the first day on which it was something else. Rows are never
-- changed; of several changes on one day the first superseded is kept, because the others never held at the end of a day.
CREATE TABLE enterprise_versions (
    enterprise_id  TEXT    NOT NULL,
    until_on       INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    kind           INTEGER NOT NULL,
    owner_id       TEXT,
    division       TEXT,
    industry       TEXT,
    established_on INTEGER,
    status         INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    tags           TEXT    NOT NULL,
    attributes     TEXT    NOT NULL,
    PRIMARY KEY (enterprise_id, until_on)
) WITHOUT ROWID;

-- Ids that records name but that are not in the register. Their records stand in `record_versions` and `record_owners`
-- like all others, by the same law of arrival, and count from the moment when the enterprise arrives and its row here goes.
CREATE TABLE set_aside (
    enterprise_id TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
