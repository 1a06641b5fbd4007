//! Frames and plans.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::store::ceremony::GROUP_IS_FULL;
use crate::store::{PlanChange, PlanFile, StoreError};

pub(super) fn put_frame(
    tx: &Transaction<'_>,
    frame_id: &str,
    body: &[u8],
    document: &dyn Fn(u64) -> String,
) -> Result<u64, StoreError> {
    let number: u64 = tx.query_row(
        "SELECT coalesce(max(number), 0) + 1 FROM frames",
        [],
        |row| row.get(0),
    )?;
    tx.execute(
        "INSERT INTO frames (frame_id, number, document, body) VALUES (?1, ?2, ?3, ?4)",
        params![frame_id, number, document(number), body],
    )?;
    Ok(number)
}

pub(super) fn frame(tx: &Transaction<'_>, frame_id: &str) -> Result<Option<String>, StoreError> {
    text(
        tx,
        "SELECT document FROM frames WHERE frame_id = ?1",
        frame_id,
    )
}

pub(super) fn frame_body(
    tx: &Transaction<'_>,
    frame_id: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = tx.prepare_cached("SELECT body FROM frames WHERE frame_id = ?1")?;
    Ok(statement
        .query_row([frame_id], |row| row.get(0))
        .optional()?)
}

pub(super) fn frames_before(
    tx: &Transaction<'_>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT document FROM frames WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let before = before
        .and_then(|before| i64::try_from(before).ok())
        .unwrap_or(i64::MAX);
    let found = statement.query_map(params![before, limit], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn insert_plan(
    tx: &Transaction<'_>,
    plan_id: &str,
    state: &str,
    document: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO plans (plan_id, state, document) VALUES (?1, ?2, ?3)",
        params![plan_id, state, document],
    )?;
    Ok(())
}

pub(super) fn advance_plan(
    tx: &Transaction<'_>,
    plan_id: &str,
    from: &str,
    change: &PlanChange<'_>,
) -> Result<bool, StoreError> {
    let rows = tx.execute(
        "UPDATE plans SET state = ?3, document = ?4, sample = coalesce(?5, sample) \
                 WHERE plan_id = ?1 AND state = ?2",
        params![plan_id, from, change.state, change.document, change.sample],
    )?;
    Ok(rows == 1)
}

pub(super) fn freeze_plan(
    tx: &Transaction<'_>,
    plan_id: &str,
    build: &mut dyn FnMut(u64) -> Result<(String, Vec<u8>), StoreError>,
) -> Result<bool, StoreError> {
    if plan_state(tx, plan_id)?.as_deref() != Some("draft") {
        return Ok(false);
    }
    if !super::ceremony::may_freeze(tx, plan_id)? {
        return Err(StoreError::Aborted(GROUP_IS_FULL.to_owned()));
    }
    let number: u64 = tx.query_row(
        "SELECT coalesce(max(number), 0) + 1 FROM plans",
        [],
        |row| row.get(0),
    )?;
    let (document, pool) = build(number)?;
    tx.execute(
                "UPDATE plans SET number = ?2, state = 'frozen', document = ?3, pool = ?4 WHERE plan_id = ?1",
                params![plan_id, number, document, pool],
            )?;
    Ok(true)
}

pub(super) fn plan(tx: &Transaction<'_>, plan_id: &str) -> Result<Option<String>, StoreError> {
    text(tx, "SELECT document FROM plans WHERE plan_id = ?1", plan_id)
}

pub(super) fn plan_file(
    tx: &Transaction<'_>,
    plan_id: &str,
    file: PlanFile,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = match file {
        PlanFile::Pool => "SELECT pool FROM plans WHERE plan_id = ?1",
        PlanFile::Sample => "SELECT sample FROM plans WHERE plan_id = ?1",
        PlanFile::Reserve => "SELECT reserve FROM plans WHERE plan_id = ?1",
    };

    let mut statement = tx.prepare_cached(sql)?;
    Ok(statement
        .query_row([plan_id], |row| row.get::<_, Option<Vec<u8>>>(0))
        .optional()?
        .flatten())
}

pub(super) fn plans_before(
    tx: &Transaction<'_>,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT document FROM plans \
                 WHERE ?1 IS NULL OR draft_no < (SELECT draft_no FROM plans WHERE plan_id = ?1) \
                 ORDER BY draft_no DESC LIMIT ?2",
    )?;
    let found = statement.query_map(params![before, limit], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn close_plan(
    tx: &Transaction<'_>,
    plan_id: &str,
    build: &mut dyn FnMut(Option<String>) -> Result<String, StoreError>,
) -> Result<bool, StoreError> {
    if plan_state(tx, plan_id)?.as_deref() != Some("drawn") {
        return Ok(false);
    }
    let last = "SELECT document, closed_no FROM plans WHERE closed_no IS NOT NULL ORDER BY closed_no DESC LIMIT 1";
    let previous: Option<(String, i64)> = tx
        .query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let closed_no = previous.as_ref().map_or(1, |(_, closed_no)| closed_no + 1);
    let document = build(previous.map(|(document, _)| document))?;
    tx.execute(
        "UPDATE plans SET state = 'closed', closed_no = ?2, document = ?3 WHERE plan_id = ?1",
        params![plan_id, closed_no, document],
    )?;
    Ok(true)
}

fn text(tx: &Transaction<'_>, sql: &str, key: &str) -> Result<Option<String>, StoreError> {
    Ok(tx
        .prepare_cached(sql)?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

pub(super) fn plan_state(
    tx: &Transaction<'_>,
    plan_id: &str,
) -> Result<Option<String>, StoreError> {
    Ok(tx
        .query_row(
            "SELECT state FROM plans WHERE plan_id = ?1",
            [plan_id],
            |row| row.get(0),
        )
        .optional()?)
}
