//! What persons decide over time about enterprises and records, and the acts behind it.
//!
//! A [`Proceeding`] is the present state of one such thing; what it means is for its maker to know, who keeps it as a
//! document. The acts are the log behind it: who did what, when and why. They are only ever added.

use jiff::civil::Date;
use std::collections::BTreeSet;

use super::{Changed, StoreError};
use crate::domain::{EnterpriseId, Label, ProceedingKind, Record};

/// Proceedings and acts.
pub trait LifeStore {
    /// The enterprise under whose id a record came; `None` for an unknown record.
    fn record_owner(
        &self,
        source: &Label,
        record_id: &str,
    ) -> Result<Option<EnterpriseId>, StoreError>;

    /// Decides in one transaction. The enterprises concerned are locked and everything about them is read before `work`
    /// looks at it; what `work` returns is written, the revisions of the enterprises touched and of their successors are
    /// raised, and each change goes to the log. If `work` fails nothing is written. `work` may be called again when other
    /// writers were in the way.
    ///
    /// # Errors
    ///
    /// Those of `work`, and [`StoreError::Corrupt`] if an enterprise concerned is not in the register.
    fn decide(
        &self,
        concerned: &Concerned<'_>,
        work: &mut dyn FnMut(&Standing) -> Result<Deed, StoreError>,
    ) -> Result<Vec<Changed>, StoreError>;

    /// One proceeding.
    fn proceeding(&self, proceeding_id: &str) -> Result<Option<Proceeding>, StoreError>;

    /// All proceedings about an enterprise, and all merges that it is connected with, over any number of steps.
    fn proceedings_about(&self, id: &EnterpriseId) -> Result<Vec<Proceeding>, StoreError>;

    /// Proceedings after `after` in order of their ids, at most `limit`.
    fn proceedings_after(
        &self,
        filter: &ProceedingFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Proceeding>, StoreError>;

    /// Enterprises into which one of `ids` has been or will be merged, over any number of steps, with their revisions.
    fn successors(&self, ids: &[EnterpriseId]) -> Result<Vec<(EnterpriseId, u64)>, StoreError>;

    /// Acts about an enterprise before number `before`, latest first, at most `limit`.
    fn acts_before(
        &self,
        id: &EnterpriseId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Act>, StoreError>;
}

/// Whom and what a decision concerns.
#[derive(Clone, Debug)]
pub struct Concerned<'a> {
    /// The enterprises; all of them are in the register.
    pub enterprises: BTreeSet<EnterpriseId>,
    /// A record of one of them, with the day on which the version wanted is known.
    pub record: Option<(&'a Label, &'a str, Date)>,
    /// Whether the decision rests on merges of other enterprises, so that no other such decision may run beside it.
    pub alone: bool,
}

/// What stands when a decision is taken.
#[derive(Clone, Debug)]
pub struct Standing {
    /// All proceedings about the enterprises concerned, and all merges that they are connected with.
    pub proceedings: Vec<Proceeding>,
    /// The version asked for of the record concerned.
    pub record: Option<Record>,
}

/// What a decision writes.
#[derive(Clone, Debug, Default)]
pub struct Deed {
    /// Proceedings that are new or changed.
    pub proceedings: Vec<Proceeding>,
    /// A version of a record, in place of one known on the same day.
    pub record: Option<Record>,
    /// Acts; numbers are given when they are written.
    pub acts: Vec<Act>,
    /// Enterprises whose revision is raised; each of them was concerned.
    pub touched: BTreeSet<EnterpriseId>,
}

/// The present state of what persons decide over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proceeding {
    /// Its id.
    pub proceeding_id: String,
    /// What it is.
    pub kind: ProceedingKind,
    /// Whom it is about; of a merge the id that is merged.
    pub enterprise_id: EnterpriseId,
    /// The successor of a merge.
    pub related_id: Option<EnterpriseId>,
    /// Its state, in a word of its maker.
    pub state: String,
    /// Whether it may still have an effect.
    pub is_open: bool,
    /// The first day after its present time limit.
    pub due_on: Option<Date>,
    /// All of it, as JSON.
    pub document: String,
}

/// Which proceedings to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProceedingFilter {
    /// Of this kind.
    pub kind: ProceedingKind,
    /// In this state.
    pub state: Option<String>,
    /// With a time limit that had passed by this day (`true`), or had not (`false`).
    pub due_by: Option<(Date, bool)>,
}

/// What a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Its number among the acts about the enterprise, from 1.
    pub act_no: u64,
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// The day that it counts from.
    pub on: Date,
    /// When it was written, RFC 3339.
    pub at: String,
    /// What was done, such as `override_approved`.
    pub what: String,
    /// To what: the id of a proceeding, or a record as `source/record_id`.
    pub subject: String,
    /// Who did it, where they said so.
    pub by: Option<Label>,
    /// Why, where they said so.
    pub reason: Option<String>,
}
