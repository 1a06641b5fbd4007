-- Calendars of items with frequencies, numbered in order of making. Nothing of a row ever changes.
CREATE TABLE calendars (
    calendar_id TEXT    NOT NULL PRIMARY KEY,
    number      INTEGER NOT NULL UNIQUE,
    document    TEXT    NOT NULL    -- JSON
) WITHOUT ROWID;

-- Editions of a calendar: a first one, one for each further year, and one whenever the rest of a year is planned anew.
-- Numbers are consecutive within a calendar and the highest is in force; rows are only added. `body` is the file
-- `calendar.tsv`, gzip: it holds the phase of every object.
CREATE TABLE calendar_editions (
    calendar_id TEXT    NOT NULL,
    edition_no  INTEGER NOT NULL,
    document    TEXT    NOT NULL,    -- JSON
    body        BLOB    NOT NULL,
    PRIMARY KEY (calendar_id, edition_no)
) WITHOUT ROWID;

-- Visits of calendars that were done. Rows are only added.
CREATE TABLE calendar_done (
    calendar_id   TEXT    NOT NULL,
    enterprise_id TEXT    NOT NULL,
    visit_no      INTEGER NOT NULL,    -- within the object
    done_on       INTEGER NOT NULL,
    PRIMARY KEY (calendar_id, enterprise_id, visit_no)
) WITHOUT ROWID;
