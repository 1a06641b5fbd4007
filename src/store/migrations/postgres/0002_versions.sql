-- Earlier versions of enterprises, and records of enterprises that are not in the register yet.

-- The day on which the row last replaced another one; null while it is the first.
ALTER TABLE enterprises ADD COLUMN changed_on integer;

-- What an enterprise was until the day `until_on`, which is the first day on which it was something else. Rows are never
-- changed; of several changes on one day the first superseded is kept, because the others never held at the end of a day.
CREATE TABLE enterprise_versions (
    enterprise_id  text COLLATE "C" NOT NULL,
    until_on       integer  NOT NULL,
    name           text     NOT NULL,
    kind           smallint NOT NULL,
    owner_id       text,
    division       text,
    industry       text,
    established_on integer,
    status         smallint NOT NULL,
    size           smallint NOT NULL,
    tags           text     NOT NULL,
    attributes     text     NOT NULL,
    PRIMARY KEY (enterprise_id, until_on)
);

-- Ids that records name but that are not in the register. Their records stand in `record_versions` and `record_owners`
-- like all others, by the same law of arrival, and count from the moment when the enterprise arrives and its row here goes.
CREATE TABLE set_aside (
    enterprise_id text COLLATE "C" NOT NULL PRIMARY KEY
);
