-- How far each import has come, written in the transaction of the rows. `identity` tells one file, read in one way, from
-- others; `holder` is who works on it, so that of two only the later goes on; `document` is everything else as JSON.
CREATE TABLE import_runs (
    import_no INTEGER NOT NULL PRIMARY KEY,
    import_id TEXT    NOT NULL UNIQUE,
    identity  TEXT    NOT NULL,
    holder    TEXT    NOT NULL,
    rows_done INTEGER NOT NULL,
    document  TEXT    NOT NULL
);
CREATE INDEX import_runs_by_identity ON import_runs (identity, import_no);

-- The faults that an import keeps, in the order in which they were found; each is a JSON object. Rows never change.
CREATE TABLE import_faults (
    import_no INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    fault     TEXT    NOT NULL,
    PRIMARY KEY (import_no, number)
) WITHOUT ROWID;
