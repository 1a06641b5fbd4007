//! Jobs beside the runs.

use super::PostgresStore;
use super::lock::Lock;
use super::pool::{End, Session};
use super::runs::found;
use super::tiers::{NOW, bytes};
use crate::domain::dates::to_epoch_day;
use crate::store::tasks::{ClaimedTask, NewTask, TaskStore, TrainingTable, ended_state};
use crate::store::{Run, StoreError, rows, tier_rows};

impl TaskStore for PostgresStore {
    fn request_task(&self, new: &NewTask) -> Result<Run, StoreError> {
        self.pool.write(|tx| {
            let sql = format!(
                "INSERT INTO runs (run_id, state, cause, files_id, as_of, phase, kind, request, requested_at) \
                 VALUES ($1, 'queued', 'demand', $2, $3, 'scan', $4, $5, {NOW})"
            );
            tx.execute(
                &sql,
                &[
                    &new.run_id,
                    &new.files_id,
                    &to_epoch_day(new.as_of),
                    &new.kind.as_str(),
                    &new.request,
                ],
            )?;
            Ok(End::Keep(found(tx, &new.run_id)?))
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
        let any = format!("SELECT EXISTS (SELECT 1 FROM runs WHERE {waiting})");
        let waits = self.pool.read(|tx| {
            let row = tx.one(&any, &[])?;
            rows::number::<i64>(&row, 0, "exists")
        })?;
        if waits == 0 {
            return Ok(None);
        }
        self.pool.write(|tx| {
            let sql = format!(
                "UPDATE runs SET state = 'failed', owner = NULL, ended_at = {NOW}, \
                 failure = 'it was begun ' || attempts || ' times and never ended' \
                 WHERE {waiting} AND attempts >= $1"
            );
            tx.execute(&sql, &[&i64::from(most_attempts)])?;
            // Of two that look at once one gets the row, and the other the next.
            let sql = format!(
                "UPDATE runs SET state = 'running', owner = $1, lease_until = {NOW} + $2::bigint, \
                 attempts = attempts + 1, started_at = {NOW}, done_percent = 0 \
                 WHERE run_id = (SELECT run_id FROM runs WHERE {waiting} ORDER BY run_no LIMIT 1 \
                                 FOR UPDATE SKIP LOCKED) RETURNING run_id, request"
            );
            let Some(row) = tx.optional(&sql, &[&owner, &lease_ms])? else {
                return Ok(End::Keep(None));
            };
            let run_id = rows::text(&row, 0, "run_id")?;
            let request = rows::text(&row, 1, "request")?.to_owned();
            let run = found(tx, run_id)?;
            Ok(End::Keep(Some(ClaimedTask { run, request })))
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
        self.pool.write(|tx| {
            let sql = format!(
                "UPDATE runs SET lease_until = {NOW} + $3::bigint, step = $4, done_percent = $5 \
                 WHERE run_id = $1 AND owner = $2 AND state = 'running'"
            );
            let changed = tx.execute(
                &sql,
                &[&run_id, &owner, &lease_ms, &step, &i64::from(percent)],
            )?;
            Ok(End::Keep(changed == 1))
        })
    }

    fn end_task(
        &self,
        run_id: &str,
        owner: &str,
        ended: &Result<String, String>,
    ) -> Result<bool, StoreError> {
        let state = ended_state(ended);
        self.pool.write(|tx| {
            let sql = format!(
                "UPDATE runs SET state = $3, result = $4, failure = $5, owner = NULL, ended_at = {NOW}, \
                 done_percent = CASE WHEN $3 = 'succeeded' THEN 100 ELSE done_percent END \
                 WHERE run_id = $1 AND owner = $2 AND state = 'running'"
            );
            let changed = tx.execute(
                &sql,
                &[
                    &run_id,
                    &owner,
                    &state.as_str(),
                    &ended.as_ref().ok(),
                    &ended.as_ref().err(),
                ],
            )?;
            Ok(End::Keep(changed == 1))
        })
    }

    fn task_result(&self, run_id: &str) -> Result<Option<String>, StoreError> {
        if super::unstorable(run_id) {
            return Ok(None);
        }
        self.pool.read(|tx| {
            let found = tx.optional(
                "SELECT nullif(result, '') FROM runs WHERE run_id = $1",
                &[&run_id],
            )?;
            match found {
                Some(row) => tier_rows::owned(&row, 0, "result"),
                None => Ok(None),
            }
        })
    }

    fn forget_results(&self, keep_ms: i64, at_most: u64) -> Result<u64, StoreError> {
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        self.pool.write(|tx| {
            let sql = format!(
                "UPDATE runs SET result = '' WHERE run_id IN (SELECT run_id FROM runs \
                 WHERE ended_at <= {NOW} - $1::bigint AND result IS NOT NULL AND result != '' LIMIT $2)"
            );
            Ok(End::Keep(tx.execute(&sql, &[&keep_ms, &at_most])?))
        })
    }

    fn put_training_table(
        &self,
        table: &TrainingTable,
        most: usize,
    ) -> Result<Option<bool>, StoreError> {
        self.pool.write(|tx| {
            // So that two at once do not both see room for one.
            Lock::Models.take(tx)?;
            if ask_for(tx, &table.table_id)? {
                return Ok(End::Keep(Some(false)));
            }
            let row = tx.one("SELECT count(*) FROM training_tables", &[])?;
            if rows::number::<usize>(&row, 0, "count")? >= most {
                return Ok(End::Undo(None));
            }
            tx.execute(
                &format!(
                    "INSERT INTO training_tables (table_id, format, used_at, body) VALUES ($1, $2, {NOW}, $3)"
                ),
                &[&table.table_id, &table.format, &table.body],
            )?;
            Ok(End::Keep(Some(true)))
        })
    }

    fn training_table(&self, table_id: &str) -> Result<Option<TrainingTable>, StoreError> {
        if super::unstorable(table_id) {
            return Ok(None);
        }
        self.pool.write(|tx| {
            if !ask_for(tx, table_id)? {
                return Ok(End::Undo(None));
            }
            let sql = "SELECT format, body FROM training_tables WHERE table_id = $1";
            let row = tx.one(sql, &[&table_id])?;
            Ok(End::Keep(Some(TrainingTable {
                table_id: table_id.to_owned(),
                format: rows::text(&row, 0, "format")?.to_owned(),
                body: bytes(&row, 1, "body")?.to_vec(),
            })))
        })
    }

    fn forget_training_tables(&self, unused_ms: i64) -> Result<usize, StoreError> {
        self.pool.write(|tx| {
            let sql = format!(
                "DELETE FROM training_tables WHERE used_at < {NOW} - $1::bigint AND NOT EXISTS (SELECT 1 FROM runs \
                 WHERE state IN ('queued', 'running') AND strpos(request, table_id) > 0)"
            );
            let removed = tx.execute(&sql, &[&unused_ms])?;
            Ok(End::Keep(usize::try_from(removed).unwrap_or(usize::MAX)))
        })
    }
}

/// Notes that a table was asked for; says whether there is such a one.
fn ask_for(tx: &mut Session, table_id: &str) -> Result<bool, StoreError> {
    let sql = format!("UPDATE training_tables SET used_at = {NOW} WHERE table_id = $1");
    Ok(tx.execute(&sql, &[&table_id])? == 1)
}
