//! Jobs beside the runs.

use rusqlite::{OptionalExtension, Transaction, params};

use super::SqliteStore;
use super::runs::find;
use super::tiers::NOW;
use crate::domain::dates::to_epoch_day;
use crate::store::tasks::{ClaimedTask, NewTask, TaskStore, TrainingTable, ended_state};
use crate::store::{Run, StoreError};

impl TaskStore for SqliteStore {
    fn request_task(&self, new: &NewTask) -> Result<Run, StoreError> {
        self.write(|tx| {
            tx.execute(
                &format!(
                    "INSERT INTO runs (run_id, state, cause, files_id, as_of, phase, kind, request, requested_at) \
                     VALUES (?1, 'queued', 'demand', ?2, ?3, 'scan', ?4, ?5, {NOW})"
                ),
                params![
                    new.run_id,
                    new.files_id,
                    to_epoch_day(new.as_of),
                    new.kind.as_str(),
                    new.request
                ],
            )?;
            find(tx, &new.run_id)?.ok_or(StoreError::Corrupt { column: "run_id" })
        })
    }

    fn claim_task(
        &self,
        owner: &str,
        lease_ms: i64,
        most_attempts: u32,
    ) -> Result<Option<ClaimedTask>, StoreError> {
        let waiting = format!(
            "state IN ('queued', 'running') AND request IS NOT NULL AND (owner IS NULL OR lease_until < {NOW})"
        );
        let any = |tx: &rusqlite::Transaction<'_>| -> Result<bool, StoreError> {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM runs WHERE {waiting})");
            Ok(tx.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
        };
        if !self.read(any)? {
            return Ok(None);
        }
        self.write(|tx| {
            tx.execute(
                &format!(
                    "UPDATE runs SET state = 'failed', owner = NULL, ended_at = {NOW}, \
                     failure = 'it was begun ' || attempts || ' times and never ended' \
                     WHERE {waiting} AND attempts >= ?1"
                ),
                params![most_attempts],
            )?;
            let sql = format!(
                "SELECT run_id, request FROM runs WHERE {waiting} ORDER BY run_no LIMIT 1"
            );
            let found: Option<(String, String)> = tx
                .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((run_id, request)) = found else {
                return Ok(None);
            };
            tx.execute(
                &format!(
                    "UPDATE runs SET state = 'running', owner = ?2, lease_until = {NOW} + ?3, attempts = attempts + 1, \
                     started_at = {NOW}, done_percent = 0 WHERE run_id = ?1"
                ),
                params![run_id, owner, lease_ms],
            )?;
            let run = find(tx, &run_id)?.ok_or(StoreError::Corrupt { column: "run_id" })?;
            Ok(Some(ClaimedTask { run, request }))
        })
    }

    fn progress_task(
        &self,
        run_id: &str,
        owner: &str,
        lease_ms: i64,
        step: &str,
        percent: u8,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            let changed = tx.execute(
                &format!(
                    "UPDATE runs SET lease_until = {NOW} + ?3, step = ?4, done_percent = ?5 \
                     WHERE run_id = ?1 AND owner = ?2 AND state = 'running'"
                ),
                params![run_id, owner, lease_ms, step, percent],
            )?;
            Ok(changed == 1)
        })
    }

    fn end_task(
        &self,
        run_id: &str,
        owner: &str,
        ended: &Result<String, String>,
    ) -> Result<bool, StoreError> {
        let state = ended_state(ended);
        self.write(|tx| {
            let changed = tx.execute(
                &format!(
                    "UPDATE runs SET state = ?3, result = ?4, failure = ?5, owner = NULL, ended_at = {NOW}, \
                     done_percent = CASE WHEN ?3 = 'succeeded' THEN 100 ELSE done_percent END \
                     WHERE run_id = ?1 AND owner = ?2 AND state = 'running'"
                ),
                params![
                    run_id,
                    owner,
                    state.as_str(),
                    ended.as_ref().ok(),
                    ended.as_ref().err()
                ],
            )?;
            Ok(changed == 1)
        })
    }

    fn task_result(&self, run_id: &str) -> Result<Option<String>, StoreError> {
        self.read(|tx| {
            let mut statement =
                tx.prepare_cached("SELECT nullif(result, '') FROM runs WHERE run_id = ?1")?;
            let found: Option<Option<String>> =
                statement.query_row([run_id], |row| row.get(0)).optional()?;
            Ok(found.flatten())
        })
    }

    fn forget_results(&self, keep_ms: i64, at_most: u64) -> Result<u64, StoreError> {
        let old = format!("ended_at <= {NOW} - ?1 AND result IS NOT NULL AND result != ''");
        // Looked for first, so that nothing is written where nothing is old.
        let any = |tx: &rusqlite::Transaction<'_>| -> Result<bool, StoreError> {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM runs WHERE {old})");
            Ok(tx
                .prepare_cached(&sql)?
                .query_row([keep_ms], |row| row.get(0))?)
        };
        if !self.read(any)? {
            return Ok(0);
        }
        self.write(|tx| {
            let forgotten = tx.execute(
                &format!(
                    "UPDATE runs SET result = '' WHERE run_id IN (SELECT run_id FROM runs WHERE {old} LIMIT ?2)"
                ),
                params![keep_ms, at_most],
            )?;
            Ok(u64::try_from(forgotten).unwrap_or(0))
        })
    }

    fn put_training_table(
        &self,
        table: &TrainingTable,
        most: usize,
    ) -> Result<Option<bool>, StoreError> {
        self.write(|tx| {
            if ask_for(tx, &table.table_id)? {
                return Ok(Some(false));
            }
            let kept: usize =
                tx.query_row("SELECT count(*) FROM training_tables", [], |row| row.get(0))?;
            if kept >= most {
                return Ok(None);
            }
            tx.execute(
                &format!(
                    "INSERT INTO training_tables (table_id, format, used_at, body) VALUES (?1, ?2, {NOW}, ?3)"
                ),
                params![table.table_id, table.format, table.body],
            )?;
            Ok(Some(true))
        })
    }

    fn training_table(&self, table_id: &str) -> Result<Option<TrainingTable>, StoreError> {
        self.write(|tx| {
            if !ask_for(tx, table_id)? {
                return Ok(None);
            }
            let sql = "SELECT format, body FROM training_tables WHERE table_id = ?1";
            Ok(Some(tx.query_row(sql, [table_id], |row| {
                Ok(TrainingTable {
                    table_id: table_id.to_owned(),
                    format: row.get(0)?,
                    body: row.get(1)?,
                })
            })?))
        })
    }

    fn forget_training_tables(&self, unused_ms: i64) -> Result<usize, StoreError> {
        self.write(|tx| {
            Ok(tx.execute(
                &format!(
                    "DELETE FROM training_tables WHERE used_at < {NOW} - ?1 AND NOT EXISTS (SELECT 1 FROM runs \
                     WHERE state IN ('queued', 'running') AND instr(request, table_id) > 0)"
                ),
                [unused_ms],
            )?)
        })
    }
}

/// Notes that a table was asked for; says whether there is such a one.
fn ask_for(tx: &Transaction<'_>, table_id: &str) -> Result<bool, StoreError> {
    let sql = format!("UPDATE training_tables SET used_at = {NOW} WHERE table_id = ?1");
    Ok(tx.execute(&sql, [table_id])? == 1)
}
