//! Coordinated groups, replacements, the order of the closed.

use rusqlite::{OptionalExtension, Transaction, params};

use super::SqliteStore;
use crate::store::ceremony::{FORMING, MOST_REFUSALS};
use crate::store::{CeremonyStore, StoreError};

impl CeremonyStore for SqliteStore {
    fn insert_group(&self, group_id: &str, document: &str) -> Result<bool, StoreError> {
        self.write(|tx| {
            let rows = tx.execute(
                "INSERT INTO plan_groups (group_id, state, document) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (group_id) DO NOTHING",
                params![group_id, FORMING, document],
            )?;
            Ok(rows == 1)
        })
    }

    fn group(&self, group_id: &str) -> Result<Option<String>, StoreError> {
        self.read(|tx| {
            Ok(tx
                .prepare_cached("SELECT document FROM plan_groups WHERE group_id = ?1")?
                .query_row([group_id], |row| row.get(0))
                .optional()?)
        })
    }

    fn groups_before(&self, before: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT document FROM plan_groups \
                 WHERE ?1 IS NULL OR group_no < (SELECT group_no FROM plan_groups WHERE group_id = ?1) \
                 ORDER BY group_no DESC LIMIT ?2",
            )?;
            let found = statement.query_map(params![before, limit], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    fn plans_of_group(&self, group_id: &str) -> Result<Vec<String>, StoreError> {
        self.read(|tx| plans_of_group(tx, group_id))
    }

    fn advance_group(
        &self,
        group_id: &str,
        from: &str,
        to: &str,
        build: &mut dyn FnMut(&[String]) -> Result<String, StoreError>,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            if group_state(tx, group_id)?.as_deref() != Some(from) {
                return Ok(false);
            }
            let document = build(&plans_of_group(tx, group_id)?)?;
            tx.execute(
                "UPDATE plan_groups SET state = ?2, document = ?3 WHERE group_id = ?1",
                params![group_id, to, document],
            )?;
            Ok(true)
        })
    }

    fn insert_plan_of_group(
        &self,
        group_id: &str,
        plan_id: &str,
        state: &str,
        document: &str,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            let takes = group_state(tx, group_id)?.as_deref() == Some(FORMING);
            if takes {
                tx.execute(
                    "INSERT INTO plans (plan_id, state, document, group_id) VALUES (?1, ?2, ?3, ?4)",
                    params![plan_id, state, document, group_id],
                )?;
            }
            Ok(takes)
        })
    }

    fn replacements(&self, plan_id: &str) -> Result<Vec<String>, StoreError> {
        self.read(|tx| replacements(tx, plan_id))
    }

    fn note_refusal(&self, subject: &str, document: &str) -> Result<bool, StoreError> {
        self.write(|tx| {
            let rows = tx.execute(
                "INSERT INTO plan_refusals (subject, document) SELECT ?1, ?2 \
                 WHERE (SELECT count(*) FROM plan_refusals WHERE subject = ?1) < ?3",
                params![subject, document, MOST_REFUSALS],
            )?;
            Ok(rows == 1)
        })
    }

    fn refusals(&self, subject: &str) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT document FROM plan_refusals WHERE subject = ?1 ORDER BY refusal_no",
            )?;
            let found = statement.query_map([subject], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    fn closed_plans(&self) -> Result<Vec<String>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT plan_id FROM plans WHERE closed_no IS NOT NULL ORDER BY closed_no",
            )?;
            let found = statement.query_map([], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}

pub(super) fn replacements(tx: &Transaction<'_>, plan_id: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT document FROM plan_replacements WHERE plan_id = ?1 ORDER BY number",
    )?;
    let found = statement.query_map([plan_id], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Whether the plan belongs to no group, or to one that still takes plans.
pub(super) fn may_freeze(tx: &Transaction<'_>, plan_id: &str) -> Result<bool, StoreError> {
    let state: Option<Option<String>> = tx
        .query_row(
            "SELECT g.state FROM plans p JOIN plan_groups g ON g.group_id = p.group_id WHERE p.plan_id = ?1",
            [plan_id],
            |row| row.get(0),
        )
        .optional()?;
    Ok(state.flatten().is_none_or(|state| state == FORMING))
}

fn group_state(tx: &Transaction<'_>, group_id: &str) -> Result<Option<String>, StoreError> {
    Ok(tx
        .query_row(
            "SELECT state FROM plan_groups WHERE group_id = ?1",
            [group_id],
            |row| row.get(0),
        )
        .optional()?)
}

fn plans_of_group(tx: &Transaction<'_>, group_id: &str) -> Result<Vec<String>, StoreError> {
    let mut statement =
        tx.prepare_cached("SELECT document FROM plans WHERE group_id = ?1 ORDER BY draft_no")?;
    let found = statement.query_map([group_id], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}
