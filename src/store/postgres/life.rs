//! Proceedings, acts, and the successors of merged ids.

use postgres::types::ToSql;
use std::collections::{BTreeMap, BTreeSet};

use super::change_log::log_changes;
use super::lock::Lock;
use super::pool::{End, Session};
use super::tiers::signed;
use super::write::{locked_revisions, write_revisions, write_version};
use super::{PostgresStore, unstorable};
use crate::domain::dates::to_epoch_day;
use crate::domain::{EnterpriseId, Label, ProceedingKind, Record};
use crate::store::life::{Act, Concerned, Deed, LifeStore, Proceeding, ProceedingFilter, Standing};
use crate::store::rows::{self, ACT_COLUMNS, PROCEEDING_COLUMNS, RECORD_COLUMNS};
use crate::store::{Changed, StoreError};

impl LifeStore for PostgresStore {
    fn record_owner(
        &self,
        source: &Label,
        record_id: &str,
    ) -> Result<Option<EnterpriseId>, StoreError> {
        if unstorable(record_id) {
            return Ok(None);
        }
        self.pool.read(|tx| {
            tx.optional(
                "SELECT enterprise_id FROM record_owners WHERE source = $1 AND record_id = $2",
                &[&source.as_str(), &record_id],
            )?
            .map(|row| rows::id(&row, 0, "enterprise_id"))
            .transpose()
        })
    }

    fn decide(
        &self,
        concerned: &Concerned<'_>,
        work: &mut dyn FnMut(&Standing) -> Result<Deed, StoreError>,
    ) -> Result<Vec<Changed>, StoreError> {
        self.pool
            .write(|tx| Ok(End::Keep(decide(tx, concerned, work)?)))
    }

    fn proceeding(&self, proceeding_id: &str) -> Result<Option<Proceeding>, StoreError> {
        if unstorable(proceeding_id) {
            return Ok(None);
        }
        self.pool.read(|tx| {
            let mut found = select(tx, "proceeding_id = $1", &[&proceeding_id])?;
            Ok(found.pop())
        })
    }

    fn proceedings_about(&self, id: &EnterpriseId) -> Result<Vec<Proceeding>, StoreError> {
        // Without a merge among them one statement finds all, and that sees one instant by itself.
        let found = self.pool.read(|tx| near(tx, &[id.as_str()], true))?;
        if found.iter().any(|of| of.kind == ProceedingKind::Merge) {
            let only = BTreeSet::from([id.clone()]);
            return self.pool.read_at_one_instant(|tx| about(tx, &only));
        }
        let by_id = found.into_iter().map(|of| (of.proceeding_id.clone(), of));
        Ok(by_id.collect::<BTreeMap<_, _>>().into_values().collect())
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
        let after = after.unwrap_or("");
        if unstorable(after) || state.as_deref().is_some_and(unstorable) {
            return Ok(Vec::new());
        }
        let (day, passed) = due_by.map_or((None, true), |(day, passed)| (Some(day), passed));
        self.pool.read(|tx| {
            select(
                tx,
                "kind = $1 AND ($2::text IS NULL OR state = $2) AND proceeding_id > $3 \
                 AND ($4::integer IS NULL OR (due_on IS NOT NULL AND due_on <= $4) = $5) \
                 ORDER BY proceeding_id LIMIT $6",
                &[
                    &i16::from(kind.code()),
                    state,
                    &after,
                    &day.map(to_epoch_day),
                    &passed,
                    &i64::try_from(limit).unwrap_or(i64::MAX),
                ],
            )
        })
    }

    fn successors(&self, ids: &[EnterpriseId]) -> Result<Vec<(EnterpriseId, u64)>, StoreError> {
        if !self.pool.read(any_merge)? {
            return Ok(Vec::new());
        }
        self.pool.read_at_one_instant(|tx| {
            let found = successors(tx, ids)?;
            if found.is_empty() {
                return Ok(Vec::new());
            }
            let ids: Vec<&str> = found.iter().map(EnterpriseId::as_str).collect();
            tx.query(
                "SELECT enterprise_id, revision FROM enterprises WHERE enterprise_id = ANY($1) \
                 ORDER BY enterprise_id",
                &[&ids],
            )?
            .iter()
            .map(|row| {
                Ok((
                    rows::id(row, 0, "enterprise_id")?,
                    rows::number(row, 1, "revision")?,
                ))
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
        let before = before.map_or(i64::MAX, signed);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT {ACT_COLUMNS} FROM acts WHERE enterprise_id = $1 AND act_no < $2 \
             ORDER BY act_no DESC LIMIT $3"
        );
        self.pool.read(|tx| {
            tx.query(&sql, &[&id.as_str(), &before, &limit])?
                .iter()
                .map(rows::act)
                .collect()
        })
    }
}

fn decide(
    tx: &mut Session,
    concerned: &Concerned<'_>,
    work: &mut dyn FnMut(&Standing) -> Result<Deed, StoreError>,
) -> Result<Vec<Changed>, StoreError> {
    // Two merges that close a ring may concern four different enterprises, so locks on those are not enough.
    if concerned.alone {
        Lock::Merges.take(tx)?;
    }
    let mut locked: BTreeSet<EnterpriseId> = concerned.enterprises.clone();
    // Whoever may become a successor through this decision is concerned already; the others are found here.
    locked.extend(successors(tx, &concerned.enterprises)?);
    let mut revisions = locked_revisions(tx, locked.iter().collect())?;
    if revisions.len() < locked.len() {
        return Err(StoreError::Corrupt {
            column: "enterprise_id",
        });
    }
    let standing = Standing {
        proceedings: about(tx, &concerned.enterprises)?,
        record: match concerned.record {
            None => None,
            Some((_, record_id, _)) if unstorable(record_id) => None,
            Some((source, record_id, day)) => {
                known_version(tx, source, record_id, to_epoch_day(day))?
            }
        },
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
    let mut all = touched.clone();
    all.extend(successors(tx, &touched)?);
    revisions.retain(|id, _| all.contains(id));
    raise(tx, revisions)
}

/// Raises revisions that are locked, and writes the changes to the log.
fn raise(
    tx: &mut Session,
    mut revisions: BTreeMap<EnterpriseId, u64>,
) -> Result<Vec<Changed>, StoreError> {
    if revisions.is_empty() {
        return Ok(Vec::new());
    }
    for revision in revisions.values_mut() {
        *revision += 1;
    }
    let changes: Vec<(&EnterpriseId, u64)> = revisions
        .iter()
        .map(|(id, revision)| (id, *revision))
        .collect();
    write_revisions(tx, &changes)?;
    let before = log_changes(tx, &changes)?;
    Ok(changes
        .into_iter()
        .zip(before + 1..)
        .map(|((id, revision), seq)| Changed {
            seq,
            enterprise_id: id.clone(),
            revision,
        })
        .collect())
}

/// Locks the enterprises of a batch together with their successors, in order of their ids, where there are any. To be
/// called before the batch is written.
pub(super) fn lock_with_successors<'a>(
    tx: &mut Session,
    ids: impl Iterator<Item = &'a EnterpriseId>,
) -> Result<BTreeSet<EnterpriseId>, StoreError> {
    if !any_merge(tx)? {
        return Ok(BTreeSet::new());
    }
    let mut all: BTreeSet<EnterpriseId> = ids.cloned().collect();
    let found = successors(tx, &all)?;
    if !found.is_empty() {
        all.extend(found.iter().cloned());
        locked_revisions(tx, all.iter().collect())?;
    }
    Ok(found)
}

/// Raises the revisions of those into which a changed enterprise of a batch is merged: what was written counts for them.
/// `locked` is what [`lock_with_successors`] found.
pub(super) fn touch_successors(
    tx: &mut Session,
    locked: &BTreeSet<EnterpriseId>,
    changes: &[(&EnterpriseId, u64)],
) -> Result<(), StoreError> {
    if locked.is_empty() {
        return Ok(());
    }
    let changed: BTreeSet<EnterpriseId> = changes.iter().map(|(id, _)| (*id).clone()).collect();
    let mut found = successors(tx, &changed)?;
    found.retain(|id| locked.contains(id));
    let revisions = locked_revisions(tx, found.iter().collect())?;
    raise(tx, revisions)?;
    Ok(())
}

fn any_merge(tx: &mut Session) -> Result<bool, StoreError> {
    let row = tx.one(
        "SELECT EXISTS (SELECT 1 FROM proceedings WHERE kind = 3 AND is_open)",
        &[],
    )?;
    Ok(rows::number::<i64>(&row, 0, "exists")? != 0)
}

/// Those into which one of `ids` is merged, over any number of steps.
pub(super) fn successors<'a>(
    tx: &mut Session,
    ids: impl IntoIterator<Item = &'a EnterpriseId>,
) -> Result<BTreeSet<EnterpriseId>, StoreError> {
    let mut found = BTreeSet::new();
    if !any_merge(tx)? {
        return Ok(found);
    }
    let mut open: Vec<EnterpriseId> = ids.into_iter().cloned().collect();
    while !open.is_empty() {
        let step: Vec<&str> = open.iter().map(EnterpriseId::as_str).collect();
        let next = tx.query(
            "SELECT related_id FROM proceedings WHERE kind = 3 AND is_open AND enterprise_id = ANY($1)",
            &[&step],
        )?;
        open.clear();
        for row in &next {
            let successor = rows::id(row, 0, "related_id")?;
            if found.insert(successor.clone()) {
                open.push(successor);
            }
        }
    }
    Ok(found)
}

/// Everything about `ids`, and the merges that they are connected with.
fn about(tx: &mut Session, ids: &BTreeSet<EnterpriseId>) -> Result<Vec<Proceeding>, StoreError> {
    let mut found: BTreeMap<String, Proceeding> = BTreeMap::new();
    let mut seen = ids.clone();
    let mut open: Vec<EnterpriseId> = ids.iter().cloned().collect();
    let mut first = true;
    while !open.is_empty() {
        let step: Vec<&str> = open.iter().map(EnterpriseId::as_str).collect();
        let found_here = near(tx, &step, first)?;
        first = false;
        open.clear();
        for proceeding in found_here {
            if let Some(successor) = &proceeding.related_id {
                for end in [&proceeding.enterprise_id, successor] {
                    if seen.insert(end.clone()) {
                        open.push(end.clone());
                    }
                }
            }
            found.insert(proceeding.proceeding_id.clone(), proceeding);
        }
    }
    Ok(found.into_values().collect())
}

/// What is about one of `ids`, everything or merges alone, and the merges into one of them; some may come twice.
fn near(tx: &mut Session, ids: &[&str], everything: bool) -> Result<Vec<Proceeding>, StoreError> {
    let which = if everything { "" } else { "AND kind = 3" };
    let condition = format!(
        "enterprise_id = ANY($1) {which} \
         UNION ALL SELECT {PROCEEDING_COLUMNS} FROM proceedings WHERE related_id = ANY($1) AND kind = 3"
    );
    select(tx, &condition, &[&ids])
}

fn known_version(
    tx: &mut Session,
    source: &Label,
    record_id: &str,
    day: i32,
) -> Result<Option<Record>, StoreError> {
    let columns = super::register::of("v", RECORD_COLUMNS);
    let found = tx.optional(
        &format!(
            "SELECT {columns} FROM record_owners o JOIN record_versions v USING (enterprise_id, source, record_id) \
             WHERE o.source = $1 AND o.record_id = $2 AND v.known_on <= $3 ORDER BY v.known_on DESC LIMIT 1"
        ),
        &[&source.as_str(), &record_id, &day],
    )?;
    found.map(|row| rows::record(&row, 0)).transpose()
}

fn select(
    tx: &mut Session,
    condition: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Proceeding>, StoreError> {
    let sql = format!("SELECT {PROCEEDING_COLUMNS} FROM proceedings WHERE {condition}");
    tx.query(&sql, values)?
        .iter()
        .map(rows::proceeding)
        .collect()
}

fn write_proceeding(tx: &mut Session, proceeding: &Proceeding) -> Result<(), StoreError> {
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
    let sql = format!(
        "INSERT INTO proceedings ({PROCEEDING_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (proceeding_id) DO UPDATE SET state = excluded.state, is_open = excluded.is_open, \
         due_on = excluded.due_on, document = excluded.document"
    );
    tx.execute(
        &sql,
        &[
            proceeding_id,
            &i16::from(kind.code()),
            &enterprise_id.as_str(),
            &related_id.as_ref().map(EnterpriseId::as_str),
            state,
            is_open,
            &due_on.map(to_epoch_day),
            document,
        ],
    )?;
    Ok(())
}

fn write_act(tx: &mut Session, act: &Act) -> Result<(), StoreError> {
    let Act {
        // The next number is given here; the enterprise is locked.
        act_no: _,
        enterprise_id,
        on,
        at,
        what,
        subject,
        by,
        reason,
    } = act;
    let sql = format!(
        "INSERT INTO acts ({ACT_COLUMNS}) SELECT $1::text, \
             1 + coalesce((SELECT max(act_no) FROM acts WHERE enterprise_id = $1), 0), $2, $3, $4, $5, $6, $7"
    );
    tx.execute(
        &sql,
        &[
            &enterprise_id.as_str(),
            &to_epoch_day(*on),
            at,
            what,
            subject,
            &by.as_ref().map(Label::as_str),
            reason,
        ],
    )?;
    Ok(())
}
