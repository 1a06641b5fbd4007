-- The history of policies as a chain: each row names the digest of the row before.

-- SHA-256 in hexadecimal digits. Rows of earlier releases have neither: opening the store, or the next change, gives them
-- theirs in order, so that the chain begins at the first row. What an earlier release writes later is chained likewise.
ALTER TABLE policy_changes ADD COLUMN previous text NOT NULL DEFAULT '';
ALTER TABLE policy_changes ADD COLUMN digest text NOT NULL DEFAULT '';
