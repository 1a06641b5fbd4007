//! Models, their states and their ledger.
//!
//! Whoever adds to the ledger holds the lock `Models`; a promotion holds `Runs` before it.

use jiff::civil::Date;

use super::lock::Lock;
use super::pool::{End, Session};
use super::runs::{active, end, found};
use super::tiers::{NOW, in_force, limited, signed};
use super::{PostgresStore, unstorable};
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

impl ModelStore for PostgresStore {
    fn put_model(
        &self,
        new: &NewModel,
        by: &str,
        reason: Option<&str>,
        paper: Option<(ModelPaper, &str)>,
    ) -> Result<(ModelRow, bool), StoreError> {
        self.pool.write(|tx| {
            Lock::Models.take(tx)?;
            if let Some(known) = model(tx, &new.model_id)? {
                return Ok(End::Undo((known, false)));
            }
            insert(tx, new, Some(by))?;
            append(
                tx,
                (&new.model_id, None),
                &registered(Some(by), reason, paper),
            )?;
            Ok(End::Keep((known(tx, &new.model_id)?, true)))
        })
    }

    fn note_set_model(&self, files_id: &str, new: &NewModel) -> Result<(), StoreError> {
        self.pool.write(|tx| {
            Lock::Runs.take(tx)?;
            Lock::Models.take(tx)?;
            if model(tx, &new.model_id)?.is_none() {
                insert(tx, new, None)?;
                append(tx, (&new.model_id, None), &registered(None, None, None))?;
            }
            tx.execute(
                "INSERT INTO set_models (files_id, model_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[&files_id, &new.model_id],
            )?;
            let in_force = tx.optional(
                "SELECT f.files_id FROM live JOIN in_force f USING (number) WHERE live.one = 1",
                &[],
            )?;
            if let Some(row) = in_force
                && rows::text(&row, 0, "files_id")? == files_id
            {
                follow(tx, files_id, None)?;
            }
            Ok(End::Keep(()))
        })
    }

    fn model_of_set(&self, files_id: &str) -> Result<Option<String>, StoreError> {
        self.pool.read(|tx| model_of_set(tx, files_id))
    }

    fn model(&self, model_id: &str) -> Result<Option<ModelRow>, StoreError> {
        if unstorable(model_id) {
            return Ok(None);
        }
        self.pool.read(|tx| model(tx, model_id))
    }

    fn model_body(&self, model_id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        if unstorable(model_id) {
            return Ok(None);
        }
        self.pool.read(|tx| {
            let sql = "SELECT body FROM models WHERE model_id = $1";
            tx.optional(sql, &[&model_id])?
                .map(|row| {
                    row.try_get(0)
                        .map_err(|_| StoreError::Corrupt { column: "body" })
                })
                .transpose()
        })
    }

    fn model_paper(&self, model_id: &str, paper: ModelPaper) -> Result<Option<String>, StoreError> {
        if unstorable(model_id) {
            return Ok(None);
        }
        self.pool.read(|tx| {
            let sql = "SELECT document FROM model_documents WHERE model_id = $1 AND kind = $2";
            tx.optional(sql, &[&model_id, &paper.as_str()])?
                .map(|row| Ok(rows::text(&row, 0, "document")?.to_owned()))
                .transpose()
        })
    }

    fn put_model_paper(
        &self,
        model_id: &str,
        paper: ModelPaper,
        document: &str,
    ) -> Result<(), StoreError> {
        self.pool
            .write(|tx| Ok(End::Keep(put_paper(tx, model_id, paper, document)?)))
    }

    fn models_before(
        &self,
        state: Option<ModelState>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelRow>, StoreError> {
        self.pool.read(|tx| {
            let sql = format!(
                "SELECT {MODEL_COLUMNS} FROM models WHERE model_no < $1 AND ($2::text IS NULL OR state = $2) \
                 ORDER BY model_no DESC LIMIT $3"
            );
            let state = state.map(ModelState::as_str);
            tx.query(&sql, &[&upto(before), &state, &limited(limit)])?
                .iter()
                .map(model_rows::model)
                .collect()
        })
    }

    fn live_model_at(&self, at: i64) -> Result<Option<(String, InForce)>, StoreError> {
        self.pool.read(|tx| {
            let sql = format!(
                "SELECT {IN_FORCE_COLUMNS}, s.model_id FROM in_force f JOIN set_models s USING (files_id) \
                 WHERE f.from_at <= $1 ORDER BY f.number DESC LIMIT 1"
            );
            tx.optional(&sql, &[&at])?
                .map(|row| {
                    let entry = tier_rows::in_force(&row)?;
                    Ok((rows::text(&row, 7, "model_id")?.to_owned(), entry))
                })
                .transpose()
        })
    }

    fn change_model(
        &self,
        model_id: &str,
        from: &[ModelState],
        change: &NewModelChange,
    ) -> Result<Result<ModelRow, Option<ModelState>>, StoreError> {
        if unstorable(model_id) {
            return Ok(Err(None));
        }
        self.pool.write(|tx| {
            Lock::Models.take(tx)?;
            let Some(before) = model(tx, model_id)? else {
                return Ok(End::Undo(Err(None)));
            };
            if !from.contains(&before.state) {
                return Ok(End::Undo(Err(Some(before.state))));
            }
            append(tx, (model_id, Some(before.state)), change)?;
            if let Some(to) = change.to {
                set_state(tx, model_id, to)?;
            }
            Ok(End::Keep(Ok(known(tx, model_id)?)))
        })
    }

    fn model_changes(
        &self,
        model_id: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelChange>, StoreError> {
        if model_id.is_some_and(unstorable) {
            return Ok(Vec::new());
        }
        self.pool.read(|tx| {
            let sql = format!(
                "SELECT {CHANGE_COLUMNS} FROM model_changes WHERE seq < $1 AND ($2::text IS NULL OR model_id = $2) \
                 ORDER BY seq DESC LIMIT $3"
            );
            tx.query(&sql, &[&upto(before), &model_id, &limited(limit)])?
                .iter()
                .map(model_rows::change)
                .collect()
        })
    }

    fn request_promotion(&self, run: &NewRun, promotion: &Promotion) -> Result<Asked, StoreError> {
        self.pool.write(|tx| {
            Lock::Runs.take(tx)?;
            Lock::Models.take(tx)?;
            let active = active(tx)?;
            if let Some(active) = &active
                && let Some(other) = promotion_of(tx, &active.run_id)?
            {
                if other.model_id == promotion.model_id {
                    return Ok(End::Undo(Asked::Run(Box::new(active.clone()))));
                }
                return Ok(End::Undo(Asked::Busy {
                    run_id: active.run_id.clone(),
                    model_id: other.model_id,
                }));
            }
            let state = model(tx, &promotion.model_id)?.map(|model| model.state);
            if !state.is_some_and(|state| promotion.allowed().contains(&state)) {
                return Ok(End::Undo(Asked::State(state)));
            }
            let live = live_model(tx)?;
            if live != promotion.live_before {
                return Ok(End::Undo(Asked::LiveMoved(live)));
            }
            if let Some(active) = &active
                && active.cause == RunCause::Files
                && in_force(tx)?.is_some_and(|entry| entry.files_id != active.files_id)
            {
                return Ok(End::Undo(Asked::OtherFiles { run_id: active.run_id.clone() }));
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
                     VALUES ($1, 1, 'queued', $2, $3, $4, 'scan', $5, {NOW})"
                ),
                &[
                    &run.run_id,
                    &run.cause.as_str(),
                    &run.files_id,
                    &to_epoch_day(run.as_of),
                    &kind.as_str(),
                ],
            )?;
            tx.execute(
                "INSERT INTO promotions (run_id, model_id, what, by_whom, reason, is_forced, live_before) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                &[
                    &run.run_id,
                    &promotion.model_id,
                    &what,
                    &promotion.by,
                    &promotion.reason,
                    &promotion.is_forced,
                    &promotion.live_before,
                ],
            )?;
            append(
                tx,
                (&promotion.model_id, state),
                &promotion.asked(&run.run_id),
            )?;
            let run = found(tx, &run.run_id)?;
            Ok(End::Keep(Asked::Run(Box::new(run))))
        })
    }

    fn put_drift(
        &self,
        model_id: &str,
        as_of: Date,
        is_alert: bool,
        document: &str,
    ) -> Result<u64, StoreError> {
        self.pool.write(|tx| {
            let sql = format!(
                "INSERT INTO drift_reports (model_id, as_of, at, is_alert, document) VALUES ($1, $2, {NOW}, $3, $4) \
                 RETURNING drift_no"
            );
            let row = tx.one(
                &sql,
                &[&model_id, &to_epoch_day(as_of), &is_alert, &document],
            )?;
            Ok(End::Keep(rows::number(&row, 0, "drift_no")?))
        })
    }

    fn drifts_before(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DriftRow>, StoreError> {
        self.pool.read(|tx| {
            let sql = format!(
                "SELECT {DRIFT_COLUMNS} FROM drift_reports WHERE drift_no < $1 ORDER BY drift_no DESC LIMIT $2"
            );
            tx.query(&sql, &[&upto(before), &limited(limit)])?
                .iter()
                .map(model_rows::drift)
                .collect()
        })
    }
}

fn upto(before: Option<u64>) -> i64 {
    before.map_or(i64::MAX, signed)
}

fn model(tx: &mut Session, model_id: &str) -> Result<Option<ModelRow>, StoreError> {
    let sql = format!("SELECT {MODEL_COLUMNS} FROM models WHERE model_id = $1");
    tx.optional(&sql, &[&model_id])?
        .map(|row| model_rows::model(&row))
        .transpose()
}

fn known(tx: &mut Session, model_id: &str) -> Result<ModelRow, StoreError> {
    model(tx, model_id)?.ok_or(StoreError::Corrupt { column: "model_id" })
}

fn model_of_set(tx: &mut Session, files_id: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT model_id FROM set_models WHERE files_id = $1";
    tx.optional(sql, &[&files_id])?
        .map(|row| Ok(rows::text(&row, 0, "model_id")?.to_owned()))
        .transpose()
}

fn live_model(tx: &mut Session) -> Result<Option<String>, StoreError> {
    let sql = "SELECT model_id FROM models WHERE state = 'live'";
    tx.optional(sql, &[])?
        .map(|row| Ok(rows::text(&row, 0, "model_id")?.to_owned()))
        .transpose()
}

/// What an active run promotes, if it promotes anything.
fn promotion_of(tx: &mut Session, run_id: &str) -> Result<Option<Promotion>, StoreError> {
    let sql = format!("SELECT {PROMOTION_COLUMNS} FROM promotions WHERE run_id = $1");
    tx.optional(&sql, &[&run_id])?
        .map(|row| model_rows::promotion(&row))
        .transpose()
}

fn insert(tx: &mut Session, new: &NewModel, author: Option<&str>) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO models (model_id, name, version, state, author, added_at, body) \
         VALUES ($1, $2, $3, 'draft', $4, {NOW}, $5)"
    );
    tx.execute(
        &sql,
        &[
            &new.model_id,
            &new.name,
            &i64::from(new.version),
            &author,
            &new.body,
        ],
    )?;
    Ok(())
}

fn set_state(tx: &mut Session, model_id: &str, state: ModelState) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE models SET state = $2 WHERE model_id = $1",
        &[&model_id, &state.as_str()],
    )?;
    Ok(())
}

fn put_paper(
    tx: &mut Session,
    model_id: &str,
    paper: ModelPaper,
    document: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO model_documents (model_id, kind, at, document) VALUES ($1, $2, {NOW}, $3) \
         ON CONFLICT (model_id, kind) DO UPDATE SET at = excluded.at, document = excluded.document"
    );
    tx.execute(&sql, &[&model_id, &paper.as_str(), &document])?;
    Ok(())
}

/// Adds a row to the ledger about a model that stays beside the live one, and keeps the paper that goes with it.
fn append(
    tx: &mut Session,
    model: (&str, Option<ModelState>),
    change: &NewModelChange,
) -> Result<(), StoreError> {
    let live = live_model(tx)?;
    append_between(tx, model, (live.clone(), live), change)
}

fn append_between(
    tx: &mut Session,
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
    let row = tx.one(&sql, &[])?;
    let end = LedgerEnd {
        at: rows::number(&row, 0, "at")?,
        seq: tier_rows::optional(&row, 1, "seq")?.unwrap_or(0),
        digest: tier_rows::owned(&row, 2, "digest")?,
    };
    let row = next_change(end, model, live, change)?;
    let sql = format!(
        "INSERT INTO model_changes ({CHANGE_COLUMNS}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    );
    tx.execute(
        &sql,
        &[
            &signed(row.seq),
            &row.at,
            &row.model_id,
            &row.what.as_str(),
            &row.from_state.map(ModelState::as_str),
            &row.to_state.as_str(),
            &row.by,
            &row.reason,
            &row.is_forced,
            &row.live_before,
            &row.live_after,
            &row.document,
            &row.run_id,
            &row.previous,
            &row.digest,
        ],
    )?;
    Ok(())
}

/// Makes the model of the files that came into force the live one. The caller holds the lock `Runs`.
pub(super) fn follow(
    tx: &mut Session,
    files_id: &str,
    run_id: Option<&str>,
) -> Result<(), StoreError> {
    Lock::Models.take(tx)?;
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
