-- Steps of plans and groups that were refused, in order: `document` says which, when, why and who asked. `subject` is
-- `plan/<plan_id>` or `group/<group_id>`. Rows are only added. No part of any transcript.
CREATE TABLE plan_refusals (
    refusal_no INTEGER PRIMARY KEY AUTOINCREMENT,
    subject    TEXT    NOT NULL,
    document   TEXT    NOT NULL    -- JSON
);

CREATE INDEX plan_refusals_by_subject ON plan_refusals (subject, refusal_no);
