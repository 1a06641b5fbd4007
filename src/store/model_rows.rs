//! Stored rows of models to values, alike for every store.

use super::models::{DriftRow, ModelChange, ModelDeed, ModelRow, ModelState, NewModelChange};
use super::rows::{Row, number, text};
use super::tier_rows::{day, owned};
use super::{StoreError, models};
use crate::domain::digest::HashAlgorithm;

/// Columns of `models` in the order that [`model`] reads.
pub(super) const MODEL_COLUMNS: &str = "model_no, model_id, name, version, state, author, added_at";

/// Columns of `model_changes` in the order that [`change`] reads.
pub(super) const CHANGE_COLUMNS: &str = "seq, at, model_id, what, from_state, to_state, by_whom, reason, is_forced, \
     live_before, live_after, document, run_id, previous, digest";

/// Columns of `promotions` in the order that [`promotion`] reads.
pub(super) const PROMOTION_COLUMNS: &str =
    "model_id, what, by_whom, reason, is_forced, live_before";

/// Columns of `drift_reports` in the order that [`drift`] reads.
pub(super) const DRIFT_COLUMNS: &str = "drift_no, model_id, as_of, at, is_alert, document";

pub(super) const PROMOTE: &str = "promote";
pub(super) const ROLLBACK: &str = "rollback";

pub(super) fn model(row: &impl Row) -> Result<ModelRow, StoreError> {
    Ok(ModelRow {
        model_no: number(row, 0, "model_no")?,
        model_id: text(row, 1, "model_id")?.to_owned(),
        name: text(row, 2, "name")?.to_owned(),
        version: number(row, 3, "version")?,
        state: state(text(row, 4, "state")?)?,
        author: owned(row, 5, "author")?,
        added_at: number(row, 6, "added_at")?,
    })
}

pub(super) fn state(text: &str) -> Result<ModelState, StoreError> {
    ModelState::from_text(text).ok_or(StoreError::Corrupt { column: "state" })
}

pub(super) fn change(row: &impl Row) -> Result<ModelChange, StoreError> {
    Ok(ModelChange {
        seq: number(row, 0, "seq")?,
        at: number(row, 1, "at")?,
        model_id: text(row, 2, "model_id")?.to_owned(),
        what: ModelDeed::from_text(text(row, 3, "what")?)
            .ok_or(StoreError::Corrupt { column: "what" })?,
        from_state: row.text(4, "from_state")?.map(state).transpose()?,
        to_state: state(text(row, 5, "to_state")?)?,
        by: owned(row, 6, "by_whom")?,
        reason: owned(row, 7, "reason")?,
        is_forced: number::<i64>(row, 8, "is_forced")? != 0,
        live_before: owned(row, 9, "live_before")?,
        live_after: owned(row, 10, "live_after")?,
        document: owned(row, 11, "document")?,
        run_id: owned(row, 12, "run_id")?,
        previous: text(row, 13, "previous")?.to_owned(),
        digest: text(row, 14, "digest")?.to_owned(),
    })
}

pub(super) fn promotion(row: &impl Row) -> Result<models::Promotion, StoreError> {
    Ok(models::Promotion {
        model_id: text(row, 0, "model_id")?.to_owned(),
        is_rollback: text(row, 1, "what")? == ROLLBACK,
        by: text(row, 2, "by_whom")?.to_owned(),
        reason: text(row, 3, "reason")?.to_owned(),
        is_forced: number::<i64>(row, 4, "is_forced")? != 0,
        live_before: owned(row, 5, "live_before")?,
    })
}

pub(super) fn drift(row: &impl Row) -> Result<DriftRow, StoreError> {
    Ok(DriftRow {
        drift_no: number(row, 0, "drift_no")?,
        model_id: text(row, 1, "model_id")?.to_owned(),
        as_of: day(row, 2, "as_of")?,
        at: number(row, 3, "at")?,
        is_alert: number::<i64>(row, 4, "is_alert")? != 0,
        document: text(row, 5, "document")?.to_owned(),
    })
}

/// The end of the ledger, the clock, and which model is live.
pub(super) struct LedgerEnd {
    pub(super) seq: u64,
    pub(super) digest: Option<String>,
    pub(super) at: i64,
}

/// The next row of the ledger.
pub(super) fn next_change(
    end: LedgerEnd,
    model: (&str, Option<ModelState>),
    live: (Option<String>, Option<String>),
    new: &NewModelChange,
) -> Result<ModelChange, StoreError> {
    let (model_id, from_state) = model;
    let (live_before, live_after) = live;
    let mut change = ModelChange {
        seq: end.seq + 1,
        at: end.at,
        model_id: model_id.to_owned(),
        what: new.what,
        from_state,
        to_state: new.to.or(from_state).unwrap_or(ModelState::Draft),
        by: new.by.clone(),
        reason: new.reason.clone(),
        is_forced: new.is_forced,
        live_before,
        live_after,
        document: new
            .paper
            .as_ref()
            .map(|(_, text)| HashAlgorithm::Sha256.hash(&[text.as_bytes()]).to_string()),
        run_id: new.run_id.clone(),
        previous: end.digest.unwrap_or_else(|| ModelChange::ORIGIN.to_owned()),
        digest: String::new(),
    };
    change.digest = change.computed_digest()?;
    Ok(change)
}

/// The change of the model that goes out when another becomes live.
pub(super) fn superseded(of: &NewModelChange) -> NewModelChange {
    NewModelChange {
        what: ModelDeed::Superseded,
        to: Some(ModelState::Retired),
        paper: None,
        ..of.clone()
    }
}

/// The change of a model that comes into force with the files of a process.
pub(super) fn adopted(run_id: Option<&str>) -> NewModelChange {
    NewModelChange {
        what: ModelDeed::Adopted,
        to: Some(ModelState::Live),
        by: None,
        reason: None,
        is_forced: false,
        paper: None,
        run_id: run_id.map(str::to_owned),
    }
}

/// The change of a model that comes into the registry.
pub(super) fn registered(
    by: Option<&str>,
    reason: Option<&str>,
    paper: Option<(models::ModelPaper, &str)>,
) -> NewModelChange {
    NewModelChange {
        what: ModelDeed::Registered,
        to: Some(ModelState::Draft),
        by: by.map(str::to_owned),
        reason: reason.map(str::to_owned),
        is_forced: false,
        paper: paper.map(|(paper, text)| (paper, text.to_owned())),
        run_id: None,
    }
}
