-- What makes the register quick to go through at the size of a province.

-- What the columns of a version say, in one compact piece: a walk through the register reads it in place of all of them.
-- The columns are the truth. It is empty where a previous release wrote the version, where the version is long, and as
-- soon as columns are changed without it.
ALTER TABLE record_versions ADD COLUMN packed bytea;
CREATE FUNCTION record_versions_unpacked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.packed := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER record_versions_unpacked
BEFORE UPDATE ON record_versions FOR EACH ROW
WHEN (NEW.packed IS NOT NULL AND NEW.packed IS NOT DISTINCT FROM OLD.packed
    AND (NEW.source, NEW.record_id, NEW.known_on, NEW.kind, NEW.occurred_on, NEW.ended_on, NEW.severity, NEW.amount_fen,
         NEW.count, NEW.upheld, NEW.codes, NEW.item_code, NEW.party, NEW.related_id, NEW.repaired_on, NEW.withdrawn_on,
         NEW.note)
    IS DISTINCT FROM
        (OLD.source, OLD.record_id, OLD.known_on, OLD.kind, OLD.occurred_on, OLD.ended_on, OLD.severity, OLD.amount_fen,
         OLD.count, OLD.upheld, OLD.codes, OLD.item_code, OLD.party, OLD.related_id, OLD.repaired_on, OLD.withdrawn_on,
         OLD.note))
EXECUTE FUNCTION record_versions_unpacked();

-- What the active run noted of each part that it has scanned: the own halves of the tiers, in the order of the ids. The
-- slot gets whole rows when all parts are scanned. A crash of the database empties the table, as it is not logged; the
-- run then begins anew.
CREATE UNLOGGED TABLE run_scans (
    part integer NOT NULL PRIMARY KEY,
    body bytea   NOT NULL
);
ALTER TABLE run_scans ALTER COLUMN body SET STORAGE EXTERNAL;
