-- What makes the register quick to go through at the size of a province.

-- What the columns of a version say, in one compact piece: a walk through the register reads it in place of all of them.
-- The columns are the truth. It is empty where a previous release wrote the version, where the version is long, and as
-- soon as columns are changed without it.
ALTER TABLE record_versions ADD COLUMN packed BLOB;
CREATE TRIGGER record_versions_unpacked
AFTER UPDATE OF source, record_id, known_on, kind, occurred_on, ended_on, severity, amount_fen, count, upheld, codes,
    item_code, party, related_id, repaired_on, withdrawn_on, note ON record_versions
WHEN NEW.packed IS NOT NULL AND NEW.packed IS OLD.packed
BEGIN
    UPDATE record_versions SET packed = NULL
    WHERE enterprise_id = NEW.enterprise_id AND source = NEW.source AND record_id = NEW.record_id
        AND known_on = NEW.known_on;
END;

-- What the active run noted of each part that it has scanned: the own halves of the tiers, in the order of the ids. The
-- slot gets whole rows when all parts are scanned.
CREATE TABLE run_scans (
    part INTEGER NOT NULL PRIMARY KEY,
    body BLOB    NOT NULL
);
