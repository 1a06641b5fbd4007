-- The rows of a run go into their slot without an entry for the day on which they may change: such an entry costs more than
-- the row. `is_open` marks rows that have none yet. They get theirs before their day comes, so that a row which is due is
-- always found by it; rows that stood before have theirs.
DROP INDEX tiers_a_due;
DROP INDEX tiers_b_due;
CREATE INDEX tiers_a_due ON tiers_a (next_change_on) WHERE next_change_on IS NOT NULL AND NOT is_open;
CREATE INDEX tiers_b_due ON tiers_b (next_change_on) WHERE next_change_on IS NOT NULL AND NOT is_open;

-- The last day of which every row of the live slot has its entry; empty where that is not known.
ALTER TABLE live ADD COLUMN entered_until integer;
