-- One piece for an enterprise and all versions of its records, in place of one for each version.

-- What the columns of the enterprise and of its versions say: a walk through the register reads it in place of both tables.
-- The columns are the truth. NULL where it has to be put together anew: a previous release wrote the row, or columns were
-- changed by hand; whoever adds versions by hand sets it to NULL. An empty one stands for one that would be long.
DROP TRIGGER record_versions_unpacked ON record_versions;
DROP FUNCTION record_versions_unpacked;
ALTER TABLE record_versions DROP COLUMN packed;
ALTER TABLE enterprises ADD COLUMN packed bytea;

CREATE FUNCTION enterprises_unpacked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.packed := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER enterprises_unpacked
BEFORE UPDATE OF enterprise_id, name, kind, owner_id, division, industry, established_on, status, size, tags, attributes
    ON enterprises FOR EACH ROW
WHEN (NEW.packed IS NOT NULL AND NEW.packed IS NOT DISTINCT FROM OLD.packed)
EXECUTE FUNCTION enterprises_unpacked();

CREATE FUNCTION record_versions_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE enterprises SET packed = NULL WHERE enterprise_id = OLD.enterprise_id;
    IF TG_OP = 'UPDATE' AND NEW.enterprise_id <> OLD.enterprise_id THEN
        UPDATE enterprises SET packed = NULL WHERE enterprise_id = NEW.enterprise_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER record_versions_changed
AFTER UPDATE ON record_versions FOR EACH ROW
WHEN ((NEW.enterprise_id, NEW.source, NEW.record_id, NEW.known_on, NEW.kind, NEW.occurred_on, NEW.ended_on, NEW.severity,
       NEW.amount_fen, NEW.count, NEW.upheld, NEW.codes, NEW.item_code, NEW.party, NEW.related_id, NEW.repaired_on,
       NEW.withdrawn_on, NEW.note)
    IS DISTINCT FROM
      (OLD.enterprise_id, OLD.source, OLD.record_id, OLD.known_on, OLD.kind, OLD.occurred_on, OLD.ended_on, OLD.severity,
       OLD.amount_fen, OLD.count, OLD.upheld, OLD.codes, OLD.item_code, OLD.party, OLD.related_id, OLD.repaired_on,
       OLD.withdrawn_on, OLD.note))
EXECUTE FUNCTION record_versions_changed();
CREATE TRIGGER record_versions_deleted
AFTER DELETE ON record_versions FOR EACH ROW EXECUTE FUNCTION record_versions_changed();
