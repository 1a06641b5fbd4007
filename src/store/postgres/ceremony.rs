//! Coordinated groups, replacements, the order of the closed.
//!
//! Whoever adds or freezes a plan of a group shares the lock of the group's row; whoever moves the group holds it alone.

use super::pool::{End, Session};
use super::{PostgresStore, unstorable};
use crate::store::ceremony::{FORMING, MOST_REFUSALS};
use crate::store::{CeremonyStore, StoreError, rows};

impl CeremonyStore for PostgresStore {
    fn insert_group(&self, group_id: &str, document: &str) -> Result<bool, StoreError> {
        self.pool.write(|tx| {
            let written = tx.execute(
                "INSERT INTO plan_groups (group_id, state, document) VALUES ($1, $2, $3) \
                 ON CONFLICT (group_id) DO NOTHING",
                &[&group_id, &FORMING, &document],
            )?;
            Ok(End::Keep(written == 1))
        })
    }

    fn group(&self, group_id: &str) -> Result<Option<String>, StoreError> {
        if unstorable(group_id) {
            return Ok(None);
        }
        self.pool.read(|tx| {
            tx.optional(
                "SELECT document FROM plan_groups WHERE group_id = $1",
                &[&group_id],
            )?
            .map(|row| Ok(rows::text(&row, 0, "document")?.to_owned()))
            .transpose()
        })
    }

    fn groups_before(&self, before: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        if before.is_some_and(unstorable) {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.pool.read(|tx| {
            tx.query(
                "SELECT document FROM plan_groups \
                 WHERE $1::text IS NULL OR group_no < (SELECT group_no FROM plan_groups WHERE group_id = $1) \
                 ORDER BY group_no DESC LIMIT $2",
                &[&before, &limit],
            )?
            .iter()
            .map(|row| Ok(rows::text(row, 0, "document")?.to_owned()))
            .collect()
        })
    }

    fn plans_of_group(&self, group_id: &str) -> Result<Vec<String>, StoreError> {
        if unstorable(group_id) {
            return Ok(Vec::new());
        }
        self.pool.read(|tx| plans_of_group(tx, group_id))
    }

    fn advance_group(
        &self,
        group_id: &str,
        from: &str,
        to: &str,
        build: &mut dyn FnMut(&[String]) -> Result<String, StoreError>,
    ) -> Result<bool, StoreError> {
        if unstorable(group_id) {
            return Ok(false);
        }
        self.pool.write(|tx| {
            let state = tx.optional(
                "SELECT state FROM plan_groups WHERE group_id = $1 FOR UPDATE",
                &[&group_id],
            )?;
            let is_there = match &state {
                Some(row) => rows::text(row, 0, "state")? == from,
                None => false,
            };
            if !is_there {
                return Ok(End::Keep(false));
            }
            let document = build(&plans_of_group(tx, group_id)?)?;
            tx.execute(
                "UPDATE plan_groups SET state = $2, document = $3 WHERE group_id = $1",
                &[&group_id, &to, &document],
            )?;
            Ok(End::Keep(true))
        })
    }

    fn insert_plan_of_group(
        &self,
        group_id: &str,
        plan_id: &str,
        state: &str,
        document: &str,
    ) -> Result<bool, StoreError> {
        if unstorable(group_id) {
            return Ok(false);
        }
        self.pool.write(|tx| {
            let found = tx.optional(
                "SELECT state FROM plan_groups WHERE group_id = $1 FOR SHARE",
                &[&group_id],
            )?;
            let takes = match &found {
                Some(row) => rows::text(row, 0, "state")? == FORMING,
                None => false,
            };
            if takes {
                tx.execute(
                    "INSERT INTO plans (plan_id, state, document, group_id) VALUES ($1, $2, $3, $4)",
                    &[&plan_id, &state, &document, &group_id],
                )?;
            }
            Ok(End::Keep(takes))
        })
    }

    fn replacements(&self, plan_id: &str) -> Result<Vec<String>, StoreError> {
        if unstorable(plan_id) {
            return Ok(Vec::new());
        }
        self.pool.read(|tx| replacements(tx, plan_id))
    }

    fn note_refusal(&self, subject: &str, document: &str) -> Result<bool, StoreError> {
        self.pool.write(|tx| {
            let rows = tx.execute(
                "INSERT INTO plan_refusals (subject, document) SELECT $1::text, $2::text \
                 WHERE (SELECT count(*) FROM plan_refusals WHERE subject = $1) < $3",
                &[&subject, &document, &MOST_REFUSALS],
            )?;
            Ok(End::Keep(rows == 1))
        })
    }

    fn refusals(&self, subject: &str) -> Result<Vec<String>, StoreError> {
        if unstorable(subject) {
            return Ok(Vec::new());
        }
        self.pool.read(|tx| {
            tx.query(
                "SELECT document FROM plan_refusals WHERE subject = $1 ORDER BY refusal_no",
                &[&subject],
            )?
            .iter()
            .map(|row| Ok(rows::text(row, 0, "document")?.to_owned()))
            .collect()
        })
    }

    fn closed_plans(&self) -> Result<Vec<String>, StoreError> {
        self.pool.read(|tx| {
            tx.query(
                "SELECT plan_id FROM plans WHERE closed_no IS NOT NULL ORDER BY closed_no",
                &[],
            )?
            .iter()
            .map(|row| Ok(rows::text(row, 0, "plan_id")?.to_owned()))
            .collect()
        })
    }
}

pub(super) fn replacements(tx: &mut Session, plan_id: &str) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT document FROM plan_replacements WHERE plan_id = $1 ORDER BY number",
        &[&plan_id],
    )?
    .iter()
    .map(|row| Ok(rows::text(row, 0, "document")?.to_owned()))
    .collect()
}

/// Whether the plan belongs to no group, or to one that still takes plans; the group's row is locked against a change
/// until this transaction ends.
pub(super) fn may_freeze(tx: &mut Session, plan_id: &str) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT g.state FROM plans p JOIN plan_groups g ON g.group_id = p.group_id WHERE p.plan_id = $1 FOR SHARE OF g",
        &[&plan_id],
    )?;
    found.map_or(Ok(true), |row| Ok(rows::text(&row, 0, "state")? == FORMING))
}

fn plans_of_group(tx: &mut Session, group_id: &str) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT document FROM plans WHERE group_id = $1 ORDER BY draft_no",
        &[&group_id],
    )?
    .iter()
    .map(|row| Ok(rows::text(row, 0, "document")?.to_owned()))
    .collect()
}
