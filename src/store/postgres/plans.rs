//! Frames and plans.

use super::lock::Lock;
use super::pool::Session;
use super::tiers::signed;
use crate::store::ceremony::GROUP_IS_FULL;
use crate::store::{PlanChange, PlanFile, StoreError, rows};

pub(super) fn put_frame(
    tx: &mut Session,
    frame_id: &str,
    body: &[u8],
    document: &dyn Fn(u64) -> String,
) -> Result<u64, StoreError> {
    Lock::Frames.take(tx)?;
    let row = tx.one("SELECT coalesce(max(number), 0) + 1 FROM frames", &[])?;
    let number: u64 = rows::number(&row, 0, "number")?;
    tx.execute(
        "INSERT INTO frames (frame_id, number, document, body) VALUES ($1, $2, $3, $4)",
        &[&frame_id, &signed(number), &document(number), &body],
    )?;
    Ok(number)
}

pub(super) fn frame(tx: &mut Session, frame_id: &str) -> Result<Option<String>, StoreError> {
    document(
        tx,
        "SELECT document FROM frames WHERE frame_id = $1",
        frame_id,
    )
}

pub(super) fn frame_body(tx: &mut Session, frame_id: &str) -> Result<Option<Vec<u8>>, StoreError> {
    file(tx, "SELECT body FROM frames WHERE frame_id = $1", frame_id)
}

pub(super) fn frames_before(
    tx: &mut Session,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let before = before.map_or(i64::MAX, signed);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    tx.query(
        "SELECT document FROM frames WHERE number < $1 ORDER BY number DESC LIMIT $2",
        &[&before, &limit],
    )?
    .iter()
    .map(|row| Ok(rows::text(row, 0, "document")?.to_owned()))
    .collect()
}

pub(super) fn insert_plan(
    tx: &mut Session,
    plan_id: &str,
    state: &str,
    document: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO plans (plan_id, state, document) VALUES ($1, $2, $3)",
        &[&plan_id, &state, &document],
    )?;
    Ok(())
}

pub(super) fn advance_plan(
    tx: &mut Session,
    plan_id: &str,
    from: &str,
    change: &PlanChange<'_>,
) -> Result<bool, StoreError> {
    let written = tx.execute(
        "UPDATE plans SET state = $3, document = $4, sample = coalesce($5, sample) \
         WHERE plan_id = $1 AND state = $2",
        &[
            &plan_id,
            &from,
            &change.state,
            &change.document,
            &change.sample,
        ],
    )?;
    Ok(written == 1)
}

pub(super) fn freeze_plan(
    tx: &mut Session,
    plan_id: &str,
    build: &mut dyn FnMut(u64) -> Result<(String, Vec<u8>), StoreError>,
) -> Result<bool, StoreError> {
    if !is_in_state(tx, plan_id, "draft")? {
        return Ok(false);
    }
    if !super::ceremony::may_freeze(tx, plan_id)? {
        return Err(StoreError::Aborted(GROUP_IS_FULL.to_owned()));
    }
    Lock::Plans.take(tx)?;
    let row = tx.one("SELECT coalesce(max(number), 0) + 1 FROM plans", &[])?;
    let number: u64 = rows::number(&row, 0, "number")?;
    let (document, pool) = build(number)?;
    tx.execute(
        "UPDATE plans SET number = $2, state = 'frozen', document = $3, pool = $4 WHERE plan_id = $1",
        &[&plan_id, &signed(number), &document, &pool],
    )?;
    Ok(true)
}

pub(super) fn plan(tx: &mut Session, plan_id: &str) -> Result<Option<String>, StoreError> {
    document(tx, "SELECT document FROM plans WHERE plan_id = $1", plan_id)
}

pub(super) fn plan_file(
    tx: &mut Session,
    plan_id: &str,
    which: PlanFile,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = match which {
        PlanFile::Pool => "SELECT pool FROM plans WHERE plan_id = $1",
        PlanFile::Sample => "SELECT sample FROM plans WHERE plan_id = $1",
        PlanFile::Reserve => "SELECT reserve FROM plans WHERE plan_id = $1",
    };
    file(tx, sql, plan_id)
}

pub(super) fn plans_before(
    tx: &mut Session,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    tx.query(
        "SELECT document FROM plans \
         WHERE $1::text IS NULL OR draft_no < (SELECT draft_no FROM plans WHERE plan_id = $1) \
         ORDER BY draft_no DESC LIMIT $2",
        &[&before, &limit],
    )?
    .iter()
    .map(|row| Ok(rows::text(row, 0, "document")?.to_owned()))
    .collect()
}

pub(super) fn close_plan(
    tx: &mut Session,
    plan_id: &str,
    build: &mut dyn FnMut(Option<String>) -> Result<String, StoreError>,
) -> Result<bool, StoreError> {
    if !is_in_state(tx, plan_id, "drawn")? {
        return Ok(false);
    }
    Lock::Closed.take(tx)?;
    let last = tx.optional(
        "SELECT document, closed_no FROM plans WHERE closed_no IS NOT NULL ORDER BY closed_no DESC LIMIT 1",
        &[],
    )?;
    let (previous, closed_no) = match last {
        None => (None, 1),
        Some(row) => {
            let closed_no: i64 = rows::number(&row, 1, "closed_no")?;
            (
                Some(rows::text(&row, 0, "document")?.to_owned()),
                closed_no + 1,
            )
        }
    };
    let document = build(previous)?;
    tx.execute(
        "UPDATE plans SET state = 'closed', closed_no = $2, document = $3 WHERE plan_id = $1",
        &[&plan_id, &closed_no, &document],
    )?;
    Ok(true)
}

/// Whether the plan is in `state`; its row is locked, so it stays there until this transaction ends.
pub(super) fn is_in_state(
    tx: &mut Session,
    plan_id: &str,
    state: &str,
) -> Result<bool, StoreError> {
    let found = tx.optional(
        "SELECT state FROM plans WHERE plan_id = $1 FOR UPDATE",
        &[&plan_id],
    )?;
    found.map_or(Ok(false), |row| Ok(rows::text(&row, 0, "state")? == state))
}

fn document(tx: &mut Session, sql: &str, key: &str) -> Result<Option<String>, StoreError> {
    let found = tx.optional(sql, &[&key])?;
    found
        .map(|row| Ok(rows::text(&row, 0, "document")?.to_owned()))
        .transpose()
}

fn file(tx: &mut Session, sql: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    match tx.optional(sql, &[&key])? {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(None),
    }
}
