-- Calendars of items with frequencies, numbered in order of making. Nothing of a row ever changes.
CREATE TABLE calendars (
    calendar_id text COLLATE "C" NOT NULL PRIMARY KEY,
    number      bigint NOT NULL UNIQUE,
    document    text   NOT NULL    -- JSON
);

-- Editions of a calendar: a first one, one for each further year, and one whenever the rest of a year is planned anew.
-- Numbers are consecutive within a calendar and the highest is in force; rows are only added. `body` is the file
-- `calendar.tsv`, gzip: it holds the phase of every object.
CREATE TABLE calendar_editions (
    calendar_id text COLLATE "C" NOT NULL,
    edition_no  bigint NOT NULL,
    document    text   NOT NULL,    -- JSON
    body        bytea  NOT NULL,
    PRIMARY KEY (calendar_id, edition_no)
);
-- Files are gzip already.
ALTER TABLE calendar_editions ALTER COLUMN body SET STORAGE EXTERNAL;

-- Visits of calendars that were done. Rows are only added.
CREATE TABLE calendar_done (
    calendar_id   text COLLATE "C" NOT NULL,
    enterprise_id text COLLATE "C" NOT NULL,
    visit_no      integer NOT NULL,    -- within the object
    done_on       integer NOT NULL,
    PRIMARY KEY (calendar_id, enterprise_id, visit_no)
);
