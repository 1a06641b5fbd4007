-- One piece for an enterprise and all versions of its records, in place of one for each version.

-- What the columns of the enterprise and of its versions say: a walk through the register reads it in place of both tables.
-- The columns are the truth. NULL where it has to be put together anew: a previous release wrote the row, or columns were
-- changed by hand; whoever adds versions by hand sets it to NULL. An empty one stands for one that would be long.
DROP TRIGGER record_versions_unpacked;
ALTER TABLE record_versions DROP COLUMN packed;
ALTER TABLE enterprises ADD COLUMN packed BLOB;

CREATE TRIGGER enterprises_unpacked
AFTER UPDATE OF enterprise_id, name, kind, owner_id, division, industry, established_on, status, size, tags, attributes
    ON enterprises
WHEN NEW.packed IS NOT NULL AND NEW.packed IS OLD.packed
BEGIN
    UPDATE enterprises SET packed = NULL WHERE enterprise_id = NEW.enterprise_id;
END;

CREATE TRIGGER record_versions_changed
AFTER UPDATE OF enterprise_id, source, record_id, known_on, kind, occurred_on, ended_on, severity, amount_fen, count,
    upheld, codes, item_code, party, related_id, repaired_on, withdrawn_on, note ON record_versions
BEGIN
    UPDATE enterprises SET packed = NULL WHERE enterprise_id IN (OLD.enterprise_id, NEW.enterprise_id);
END;

CREATE TRIGGER record_versions_deleted
AFTER DELETE ON record_versions
BEGIN
    UPDATE enterprises SET packed = NULL WHERE enterprise_id = OLD.enterprise_id;
END;

-- How many enterprises there are: counting them goes through all pages of the table. Whoever adds or removes some by hand
-- corrects it; reports of progress use it.
CREATE TABLE register_size (
    one         INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    enterprises INTEGER NOT NULL
);
INSERT INTO register_size (one, enterprises) SELECT 1, count(*) FROM enterprises;
