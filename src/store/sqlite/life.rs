//! Proceedings, acts, and the successors of merged ids.

use rusqlite::{OptionalExtension, ToSql, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};

use super::SqliteStore;
use super::write::{owner_of, touch, version_known_on, write_version};
use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Label, ProceedingKind};
use crate::store::life::{Act, Concerned, Deed, LifeStore, Proceeding, ProceedingFilter, Standing};
use crate::store::rows::{self, ACT_COLUMNS, PROCEEDING_COLUMNS};
use crate::store::{Changed, StoreError};

impl LifeStore for SqliteStore {
    fn record_owner(
        &self,
        source: &Label,
        record_id: &str,
    ) -> Result<Option<EnterpriseId>, StoreError> {
        self.read(|tx| owner_of(tx, source, record_id))
    }

    fn decide(
        &self,
        concerned: &Concerned<'_>,
        work: &mut dyn FnMut(&Standing) -> Result<Deed, StoreError>,
    ) -> Result<Vec<Changed>, StoreError> {
        self.write(|tx| decide(tx, concerned, work))
    }

    fn proceeding(&self, proceeding_id: &str) -> Result<Option<Proceeding>, StoreError> {
        self.read(|tx| {
            let mut found = select(tx, "proceeding_id = ?1", &[&proceeding_id])?;
            Ok(found.pop())
        })
    }

    fn proceedings_about(&self, id: &EnterpriseId) -> Result<Vec<Proceeding>, StoreError> {
        self.read(|tx| about(tx, [id]))
    }

    fn proceedings_after(
        &self,
        filter: &ProceedingFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Proceeding>, StoreError> {
        let ProceedingFilter {
            kind,
            state,
            due_by,
        } = filter;
        let (day, passed) = due_by.map_or((None, true), |(day, passed)| (Some(day), passed));
        self.read(|tx| {
            select(
                tx,
                "kind = ?1 AND (?2 IS NULL OR state = ?2) AND proceeding_id > ?3 \
                 AND (?4 IS NULL OR (due_on IS NOT NULL AND due_on <= ?4) = ?5) ORDER BY proceeding_id LIMIT ?6",
                &[
                    &kind.code(),
                    state,
                    &after.unwrap_or(""),
                    &day.map(to_epoch_day),
                    &passed,
                    &i64::try_from(limit).unwrap_or(i64::MAX),
                ],
            )
        })
    }

    fn successors(&self, ids: &[EnterpriseId]) -> Result<Vec<(EnterpriseId, u64)>, StoreError> {
        self.read(|tx| {
            let mut revision =
                tx.prepare_cached("SELECT revision FROM enterprises WHERE enterprise_id = ?1")?;
            successors(tx, ids.iter())?
                .into_iter()
                .map(|id| {
                    let number = revision.query_row([id.as_str()], |row| row.get(0))?;
                    Ok((id, number))
                })
                .collect()
        })
    }

    fn acts_before(
        &self,
        id: &EnterpriseId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Act>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {ACT_COLUMNS} FROM acts WHERE enterprise_id = ?1 AND act_no < ?2 \
                 ORDER BY act_no DESC LIMIT ?3"
            ))?;
            let before =
                before.map_or(i64::MAX, |number| i64::try_from(number).unwrap_or(i64::MAX));
            let mut found = statement.query(params![id.as_str(), before, limit])?;
            let mut acts = Vec::new();
            while let Some(row) = found.next()? {
                acts.push(rows::act(row)?);
            }
            Ok(acts)
        })
    }
}

fn decide(
    tx: &Transaction<'_>,
    concerned: &Concerned<'_>,
    work: &mut dyn FnMut(&Standing) -> Result<Deed, StoreError>,
) -> Result<Vec<Changed>, StoreError> {
    let record = match concerned.record {
        None => None,
        Some((source, record_id, day)) => match owner_of(tx, source, record_id)? {
            None => None,
            Some(owner) => version_known_on(tx, &owner, source, record_id, day)?,
        },
    };
    let standing = Standing {
        proceedings: about(tx, &concerned.enterprises)?,
        record,
    };
    let Deed {
        proceedings,
        record,
        acts,
        touched,
    } = work(&standing)?;
    for proceeding in &proceedings {
        write_proceeding(tx, proceeding)?;
    }
    if let Some(record) = &record {
        write_version(tx, record)?;
    }
    for act in &acts {
        write_act(tx, act)?;
    }
    // After the proceedings: a merge that has just been made has a successor.
    let mut all = touched.clone();
    all.extend(successors(tx, &touched)?);
    let mut changes = Vec::with_capacity(all.len());
    for id in &all {
        changes.push(touch(tx, id)?.ok_or(StoreError::Corrupt {
            column: "enterprise_id",
        })?);
    }
    Ok(changes)
}

/// Those into which one of `ids` is merged, over any number of steps.
pub(super) fn successors<'a>(
    tx: &Transaction<'_>,
    ids: impl IntoIterator<Item = &'a EnterpriseId>,
) -> Result<BTreeSet<EnterpriseId>, StoreError> {
    let any: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM proceedings WHERE kind = 3 AND is_open = 1)")?
        .query_row([], |row| row.get(0))?;
    let mut found = BTreeSet::new();
    if !any {
        return Ok(found);
    }
    let mut statement = tx.prepare_cached(
        "SELECT related_id FROM proceedings WHERE enterprise_id = ?1 AND kind = 3 AND is_open = 1",
    )?;
    let mut open: Vec<EnterpriseId> = ids.into_iter().cloned().collect();
    while let Some(id) = open.pop() {
        let mut rows = statement.query([id.as_str()])?;
        while let Some(row) = rows.next()? {
            let successor = rows::id(row, 0, "related_id")?;
            if found.insert(successor.clone()) {
                open.push(successor);
            }
        }
    }
    Ok(found)
}

/// Everything about `ids`, and the merges that they are connected with.
fn about<'a>(
    tx: &Transaction<'_>,
    ids: impl IntoIterator<Item = &'a EnterpriseId>,
) -> Result<Vec<Proceeding>, StoreError> {
    let mut found: BTreeMap<String, Proceeding> = BTreeMap::new();
    let mut seen: BTreeSet<EnterpriseId> = BTreeSet::new();
    let mut open: Vec<(EnterpriseId, bool)> =
        ids.into_iter().map(|id| (id.clone(), true)).collect();
    while let Some((id, everything)) = open.pop() {
        if !seen.insert(id.clone()) && !everything {
            continue;
        }
        let of_id = if everything {
            "enterprise_id = ?1"
        } else {
            "enterprise_id = ?1 AND kind = 3"
        };
        let mut near = select(tx, of_id, &[&id.as_str()])?;
        near.extend(select(tx, "related_id = ?1 AND kind = 3", &[&id.as_str()])?);
        for proceeding in near {
            if proceeding.kind == ProceedingKind::Merge {
                let ends = [&proceeding.enterprise_id]
                    .into_iter()
                    .chain(&proceeding.related_id);
                open.extend(
                    ends.filter(|end| !seen.contains(*end))
                        .map(|end| (end.clone(), false)),
                );
            }
            found.insert(proceeding.proceeding_id.clone(), proceeding);
        }
    }
    Ok(found.into_values().collect())
}

fn select(
    tx: &Transaction<'_>,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Proceeding>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {PROCEEDING_COLUMNS} FROM proceedings WHERE {condition}"
    ))?;
    let mut found = statement.query(values)?;
    let mut proceedings = Vec::new();
    while let Some(row) = found.next()? {
        proceedings.push(rows::proceeding(row)?);
    }
    Ok(proceedings)
}

fn write_proceeding(tx: &Transaction<'_>, proceeding: &Proceeding) -> Result<(), StoreError> {
    let Proceeding {
        proceeding_id,
        kind,
        enterprise_id,
        related_id,
        state,
        is_open,
        due_on,
        document,
    } = proceeding;
    tx.prepare_cached(&format!(
        "INSERT INTO proceedings ({PROCEEDING_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
         ON CONFLICT (proceeding_id) DO UPDATE SET state = excluded.state, is_open = excluded.is_open, \
         due_on = excluded.due_on, document = excluded.document"
    ))?
    .execute(params![
        proceeding_id,
        kind.code(),
        enterprise_id.as_str(),
        related_id.as_ref().map(EnterpriseId::as_str),
        state,
        is_open,
        due_on.map(to_epoch_day),
        document
    ])?;
    Ok(())
}

fn write_act(tx: &Transaction<'_>, act: &Act) -> Result<(), StoreError> {
    let Act {
        // The next number is given here.
        act_no: _,
        enterprise_id,
        on,
        at,
        what,
        subject,
        by,
        reason,
    } = act;
    let last: Option<i64> = tx
        .prepare_cached(
            "SELECT act_no FROM acts WHERE enterprise_id = ?1 ORDER BY act_no DESC LIMIT 1",
        )?
        .query_row([enterprise_id.as_str()], |row| row.get(0))
        .optional()?;
    tx.prepare_cached(&format!(
        "INSERT INTO acts ({ACT_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    ))?
    .execute(params![
        enterprise_id.as_str(),
        last.unwrap_or(0) + 1,
        to_epoch_day(*on),
        at,
        what,
        subject,
        by.as_ref().map(Label::as_str),
        reason
    ])?;
    Ok(())
}
