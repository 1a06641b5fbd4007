//! Models, their states and their ledger.

use jiff::civil::Date;
use rusqlite::{OptionalExtension, Transaction, params};

use super::SqliteStore;
use super::runs::{active, end, find};
use super::tiers::{NOW, all, in_force, one};
use crate::domain::dates::to_epoch_day;
use crate::store::model_rows::{
    self, CHANGE_COLUMNS, DRIFT_COLUMNS, LedgerEnd, MODEL_COLUMNS, PROMOTE, PROMOTION_COLUMNS,
    ROLLBACK, adopted, next_change, registered, superseded,
};
use crate::store::models::{
    Asked, DriftRow, ModelChange, ModelPaper, ModelRow, ModelState, ModelStore, NewModel,
    NewModelChange, Promotion,
};
use crate::store::tier_rows::{self, IN_FORCE_COLUMNS};
use crate::store::{InForce, JobKind, NewRun, RunCause, RunState, StoreError, rows};

impl ModelStore for SqliteStore {
    fn put_model(
        &self,
        new: &NewModel,
        by: &str,
        reason: Option<&str>,
        paper: Option<(ModelPaper, &str)>,
    ) -> Result<(ModelRow, bool), StoreError> {
        self.write(|tx| {
            if let Some(known) = model(tx, &new.model_id)? {
                return Ok((known, false));
            }
            insert(tx, new, Some(by))?;
            append(
                tx,
                (&new.model_id, None),
                &registered(Some(by), reason, paper),
            )?;
            Ok((known(tx, &new.model_id)?, true))
        })
    }

    fn note_set_model(&self, files_id: &str, new: &NewModel) -> Result<(), StoreError> {
        self.write(|tx| {
            if model(tx, &new.model_id)?.is_none() {
                insert(tx, new, None)?;
                append(tx, (&new.model_id, None), &registered(None, None, None))?;
            }
            tx.execute(
                "INSERT OR IGNORE INTO set_models (files_id, model_id) VALUES (?1, ?2)",
                params![files_id, new.model_id],
            )?;
            let in_force: Option<String> = tx
                .query_row(
                    "SELECT f.files_id FROM live JOIN in_force f USING (number) WHERE live.one = 1",
                    [],
                    |row| row.get(0),
                )
                .optional()?;
            if in_force.as_deref() == Some(files_id) {
                follow(tx, files_id, None)?;
            }
            Ok(())
        })
    }

    fn model_of_set(&self, files_id: &str) -> Result<Option<String>, StoreError> {
        self.read(|tx| model_of_set(tx, files_id))
    }

    fn model(&self, model_id: &str) -> Result<Option<ModelRow>, StoreError> {
        self.read(|tx| model(tx, model_id))
    }

    fn model_body(&self, model_id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tx| {
            let sql = "SELECT body FROM models WHERE model_id = ?1";
            let mut statement = tx.prepare_cached(sql)?;
            Ok(statement
                .query_row([model_id], |row| row.get(0))
                .optional()?)
        })
    }

    fn model_paper(&self, model_id: &str, paper: ModelPaper) -> Result<Option<String>, StoreError> {
        self.read(|tx| {
            let sql = "SELECT document FROM model_documents WHERE model_id = ?1 AND kind = ?2";
            let mut statement = tx.prepare_cached(sql)?;
            Ok(statement
                .query_row([model_id, paper.as_str()], |row| row.get(0))
                .optional()?)
        })
    }

    fn put_model_paper(
        &self,
        model_id: &str,
        paper: ModelPaper,
        document: &str,
    ) -> Result<(), StoreError> {
        self.write(|tx| put_paper(tx, model_id, paper, document))
    }

    fn models_before(
        &self,
        state: Option<ModelState>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelRow>, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {MODEL_COLUMNS} FROM models WHERE model_no < ?1 AND (?2 IS NULL OR state = ?2) \
                 ORDER BY model_no DESC LIMIT ?3"
            );
            let state = state.map(ModelState::as_str);
            all(tx, &sql, &[&upto(before), &state, &limit], |row| {
                model_rows::model(row)
            })
        })
    }

    fn live_model_at(&self, at: i64) -> Result<Option<(String, InForce)>, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {IN_FORCE_COLUMNS}, s.model_id FROM in_force f JOIN set_models s USING (files_id) \
                 WHERE f.from_at <= ?1 ORDER BY f.number DESC LIMIT 1"
            );
            one(tx, &sql, &[&at], |row| {
                let entry = tier_rows::in_force(row)?;
                Ok((rows::text(row, 7, "model_id")?.to_owned(), entry))
            })
        })
    }

    fn change_model(
        &self,
        model_id: &str,
        from: &[ModelState],
        change: &NewModelChange,
    ) -> Result<Result<ModelRow, Option<ModelState>>, StoreError> {
        self.write(|tx| {
            let Some(before) = model(tx, model_id)? else {
                return Ok(Err(None));
            };
            if !from.contains(&before.state) {
                return Ok(Err(Some(before.state)));
            }
            append(tx, (model_id, Some(before.state)), change)?;
            if let Some(to) = change.to {
                set_state(tx, model_id, to)?;
            }
            Ok(Ok(known(tx, model_id)?))
        })
    }

    fn model_changes(
        &self,
        model_id: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelChange>, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {CHANGE_COLUMNS} FROM model_changes WHERE seq < ?1 AND (?2 IS NULL OR model_id = ?2) \
                 ORDER BY seq DESC LIMIT ?3"
            );
            all(tx, &sql, &[&upto(before), &model_id, &limit], |row| {
                model_rows::change(row)
            })
        })
    }

    fn request_promotion(&self, run: &NewRun, promotion: &Promotion) -> Result<Asked, StoreError> {
        self.write(|tx| {
            let active = active(tx)?;
            if let Some(active) = &active
                && let Some(other) = promotion_of(tx, &active.run_id)?
            {
                if other.model_id == promotion.model_id {
                    return Ok(Asked::Run(Box::new(active.clone())));
                }
                return Ok(Asked::Busy {
                    run_id: active.run_id.clone(),
                    model_id: other.model_id,
                });
            }
            let state = model(tx, &promotion.model_id)?.map(|model| model.state);
            if !state.is_some_and(|state| promotion.allowed().contains(&state)) {
                return Ok(Asked::State(state));
            }
            let live = live_model(tx)?;
            if live != promotion.live_before {
                return Ok(Asked::LiveMoved(live));
            }
            if let Some(active) = &active
                && active.cause == RunCause::Files
                && in_force(tx)?.is_some_and(|entry| entry.files_id != active.files_id)
            {
                return Ok(Asked::OtherFiles { run_id: active.run_id.clone() });
            }
            if let Some(active) = active {
                end(tx, &active.run_id, RunState::Cancelled, None)?;
            }
            let (kind, what) = if promotion.is_rollback {
                (JobKind::Rollback, ROLLBACK)
            } else {
                (JobKind::Promote, PROMOTE)
            };
            tx.execute(
                &format!(
                    "INSERT INTO runs (run_id, is_active, state, cause, files_id, as_of, phase, kind, requested_at) \
                     VALUES (?1, 1, 'queued', ?2, ?3, ?4, 'scan', ?5, {NOW})"
                ),
                params![
                    run.run_id,
                    run.cause.as_str(),
                    run.files_id,
                    to_epoch_day(run.as_of),
                    kind.as_str()
                ],
            )?;
            tx.execute(
                "INSERT INTO promotions (run_id, model_id, what, by_whom, reason, is_forced, live_before) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    run.run_id,
                    promotion.model_id,
                    what,
                    promotion.by,
                    promotion.reason,
                    promotion.is_forced,
                    promotion.live_before
                ],
            )?;
            append(
                tx,
                (&promotion.model_id, state),
                &promotion.asked(&run.run_id),
            )?;
            let run = find(tx, &run.run_id)?.ok_or(StoreError::Corrupt { column: "run_id" })?;
            Ok(Asked::Run(Box::new(run)))
        })
    }

    fn put_drift(
        &self,
        model_id: &str,
        as_of: Date,
        is_alert: bool,
        document: &str,
    ) -> Result<u64, StoreError> {
        self.write(|tx| {
            tx.execute(
                &format!(
                    "INSERT INTO drift_reports (model_id, as_of, at, is_alert, document) VALUES (?1, ?2, {NOW}, ?3, ?4)"
                ),
                params![model_id, to_epoch_day(as_of), is_alert, document],
            )?;
            Ok(u64::try_from(tx.last_insert_rowid()).unwrap_or_default())
        })
    }

    fn drifts_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DriftRow>, StoreError> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {DRIFT_COLUMNS} FROM drift_reports WHERE drift_no < ?1 ORDER BY drift_no DESC LIMIT ?2"
            );
            all(tx, &sql, &[&upto(before), &limit], |row| {
                model_rows::drift(row)
            })
        })
    }
}

fn upto(before: Option<u64>) -> i64 {
    before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX))
}

fn model(tx: &Transaction<'_>, model_id: &str) -> Result<Option<ModelRow>, StoreError> {
    let sql = format!("SELECT {MODEL_COLUMNS} FROM models WHERE model_id = ?1");
    one(tx, &sql, &[&model_id], |row| model_rows::model(row))
}

fn known(tx: &Transaction<'_>, model_id: &str) -> Result<ModelRow, StoreError> {
    model(tx, model_id)?.ok_or(StoreError::Corrupt { column: "model_id" })
}

fn model_of_set(tx: &Transaction<'_>, files_id: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT model_id FROM set_models WHERE files_id = ?1";
    one(tx, sql, &[&files_id], |row| {
        Ok(rows::text(row, 0, "model_id")?.to_owned())
    })
}

fn live_model(tx: &Transaction<'_>) -> Result<Option<String>, StoreError> {
    let sql = "SELECT model_id FROM models WHERE state = 'live'";
    one(tx, sql, &[], |row| {
        Ok(rows::text(row, 0, "model_id")?.to_owned())
    })
}

/// What an active run promotes, if it promotes anything.
pub(super) fn promotion_of(
    tx: &Transaction<'_>,
    run_id: &str,
) -> Result<Option<Promotion>, StoreError> {
    let sql = format!("SELECT {PROMOTION_COLUMNS} FROM promotions WHERE run_id = ?1");
    one(tx, &sql, &[&run_id], |row| model_rows::promotion(row))
}

fn insert(tx: &Transaction<'_>, new: &NewModel, author: Option<&str>) -> Result<(), StoreError> {
    tx.execute(
        &format!(
            "INSERT INTO models (model_id, name, version, state, author, added_at, body) \
             VALUES (?1, ?2, ?3, 'draft', ?4, {NOW}, ?5)"
        ),
        params![new.model_id, new.name, new.version, author, new.body],
    )?;
    Ok(())
}

fn set_state(tx: &Transaction<'_>, model_id: &str, state: ModelState) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE models SET state = ?2 WHERE model_id = ?1",
        params![model_id, state.as_str()],
    )?;
    Ok(())
}

fn put_paper(
    tx: &Transaction<'_>,
    model_id: &str,
    paper: ModelPaper,
    document: &str,
) -> Result<(), StoreError> {
    tx.execute(
        &format!(
            "INSERT OR REPLACE INTO model_documents (model_id, kind, at, document) VALUES (?1, ?2, {NOW}, ?3)"
        ),
        params![model_id, paper.as_str(), document],
    )?;
    Ok(())
}

/// Adds a row to the ledger about a model that stays beside the live one, and keeps the paper that goes with it.
fn append(
    tx: &Transaction<'_>,
    model: (&str, Option<ModelState>),
    change: &NewModelChange,
) -> Result<(), StoreError> {
    let live = live_model(tx)?;
    append_between(tx, model, (live.clone(), live), change)
}

fn append_between(
    tx: &Transaction<'_>,
    model: (&str, Option<ModelState>),
    live: (Option<String>, Option<String>),
    change: &NewModelChange,
) -> Result<(), StoreError> {
    if let Some((paper, document)) = &change.paper {
        put_paper(tx, model.0, *paper, document)?;
    }
    let sql = format!(
        "SELECT {NOW}, (SELECT max(seq) FROM model_changes), \
         (SELECT digest FROM model_changes ORDER BY seq DESC LIMIT 1)"
    );
    let end = one(tx, &sql, &[], |row| {
        Ok(LedgerEnd {
            at: rows::number(row, 0, "at")?,
            seq: tier_rows::optional(row, 1, "seq")?.unwrap_or(0),
            digest: tier_rows::owned(row, 2, "digest")?,
        })
    })?
    .ok_or(StoreError::Corrupt { column: "seq" })?;
    let row = next_change(end, model, live, change)?;
    tx.execute(
        &format!(
            "INSERT INTO model_changes ({CHANGE_COLUMNS}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        ),
        params![
            row.seq,
            row.at,
            row.model_id,
            row.what.as_str(),
            row.from_state.map(ModelState::as_str),
            row.to_state.as_str(),
            row.by,
            row.reason,
            row.is_forced,
            row.live_before,
            row.live_after,
            row.document,
            row.run_id,
            row.previous,
            row.digest
        ],
    )?;
    Ok(())
}

/// Makes the model of the files that came into force the live one.
pub(super) fn follow(
    tx: &Transaction<'_>,
    files_id: &str,
    run_id: Option<&str>,
) -> Result<(), StoreError> {
    let promotion = match run_id {
        Some(run_id) => promotion_of(tx, run_id)?,
        None => None,
    };
    let Some(model_id) = model_of_set(tx, files_id)? else {
        return Ok(());
    };
    let live = live_model(tx)?;
    if live.as_ref() == Some(&model_id) {
        return Ok(());
    }
    let state = known(tx, &model_id)?.state;
    let change = match &promotion {
        Some(promotion) if !promotion.allowed().contains(&state) => {
            return Err(StoreError::Aborted(format!(
                "model `{model_id}` is {} by now and was not made live",
                state.as_str()
            )));
        }
        Some(promotion) => promotion.done(run_id.unwrap_or_default()),
        None => adopted(run_id),
    };
    let between = (live.clone(), Some(model_id.clone()));
    if let Some(before) = &live {
        let out = superseded(&change);
        append_between(tx, (before, Some(ModelState::Live)), between.clone(), &out)?;
        set_state(tx, before, ModelState::Retired)?;
    }
    append_between(tx, (&model_id, Some(state)), between, &change)?;
    set_state(tx, &model_id, ModelState::Live)
}
