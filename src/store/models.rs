//! Models: what is registered, where each stands, and the ledger of every change.
//!
//! A model is a scorecard under the digest of its canonical bytes. Which model is live follows from the files in force,
//! in the transaction that puts them there: a reader never sees one without the other. Every change adds a row to the
//! ledger, and each row names the digest of the one before, so that a row that is taken out or altered is found.

use jiff::civil::Date;
use serde::Serialize;

use super::runs::worded;
use super::{NewRun, Run, StoreError};
use crate::domain::canonical::canonical_bytes;
use crate::domain::digest::HashAlgorithm;

worded! {
    /// Where a model stands.
    ModelState {
        /// Registered, and nothing shown yet.
        Draft = "draft",
        /// It went through the gates.
        Validated = "validated",
        /// Another person than its author approved it.
        Approved = "approved",
        /// It is scored beside the live model.
        Shadow = "shadow",
        /// Its tiers are told.
        Live = "live",
        /// It is out of use; only a rollback brings it back.
        Retired = "retired",
    }
}

worded! {
    /// What happened to a model.
    ModelDeed {
        /// It came into the registry.
        Registered = "registered",
        /// It went through the gates.
        Validated = "validated",
        /// It did not go through the gates.
        Refused = "refused",
        /// It was approved.
        Approved = "approved",
        /// It went beside the live model.
        Shadowed = "shadowed",
        /// Someone asked for its promotion.
        PromotionAsked = "promotion_asked",
        /// It became live.
        Promoted = "promoted",
        /// Someone asked for the model before.
        RollbackAsked = "rollback_asked",
        /// It became live again.
        RolledBack = "rolled_back",
        /// It became live with the files that a process was started with.
        Adopted = "adopted",
        /// Another model became live in its place.
        Superseded = "superseded",
        /// It was taken out of use.
        Retired = "retired",
    }
}

/// What is known of a model beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelPaper {
    /// How it was trained.
    Training,
    /// Its last validation.
    Validation,
    /// Its last shadow report.
    Shadow,
}

impl ModelPaper {
    /// Its name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Shadow => "shadow",
        }
    }
}

/// A registered model without its card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRow {
    /// Its number, rising.
    pub model_no: u64,
    /// SHA-256 of its canonical bytes, 64 hexadecimal digits.
    pub model_id: String,
    /// Name of the card.
    pub name: String,
    /// Version within the name.
    pub version: u32,
    /// Where it stands.
    pub state: ModelState,
    /// Who registered it; nobody where it came with the files of a process.
    pub author: Option<String>,
    /// When it was registered, in milliseconds since 1970 (UTC).
    pub added_at: i64,
}

/// A model as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewModel {
    /// See [`ModelRow::model_id`].
    pub model_id: String,
    /// Name of the card.
    pub name: String,
    /// Version within the name.
    pub version: u32,
    /// The card in canonical form.
    pub body: Vec<u8>,
}

/// A change of a model before it has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewModelChange {
    /// What happened.
    pub what: ModelDeed,
    /// The state afterwards; absent leaves it as it is.
    pub to: Option<ModelState>,
    /// Who did it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether something that spoke against it was overridden.
    pub is_forced: bool,
    /// A paper that goes with it.
    pub paper: Option<(ModelPaper, String)>,
    /// The job that did it.
    pub run_id: Option<String>,
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelChange {
    /// Its number, consecutive from 1.
    pub seq: u64,
    /// When, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// The model.
    pub model_id: String,
    /// What happened.
    pub what: ModelDeed,
    /// The state before; absent for a new model.
    pub from_state: Option<ModelState>,
    /// The state afterwards.
    pub to_state: ModelState,
    /// Who did it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether something that spoke against it was overridden.
    pub is_forced: bool,
    /// The live model before.
    pub live_before: Option<String>,
    /// The live model afterwards.
    pub live_after: Option<String>,
    /// SHA-256 of the paper that goes with it.
    pub document: Option<String>,
    /// The job that did it.
    pub run_id: Option<String>,
    /// Digest of the row before; of the first one, zeros.
    pub previous: String,
    /// SHA-256 over the canonical form of all of the above.
    #[serde(skip)]
    pub digest: String,
}

impl ModelChange {
    /// The digest of the row before the first one.
    pub const ORIGIN: &'static str =
        "0000000000000000000000000000000000000000000000000000000000000000";

    /// The digest that the row must have.
    pub fn computed_digest(&self) -> Result<String, StoreError> {
        let bytes = canonical_bytes(self)
            .map_err(|error| StoreError::Aborted(format!("the ledger has no digest: {error}")))?;
        Ok(HashAlgorithm::Sha256.hash(&[&bytes]).to_string())
    }
}

/// What a run will promote when it flips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// The model.
    pub model_id: String,
    /// Whether the model was live before: a rollback.
    pub is_rollback: bool,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether something that spoke against it was overridden.
    pub is_forced: bool,
    /// The live model that the asker saw.
    pub live_before: Option<String>,
}

impl Promotion {
    /// The states from which it may begin.
    pub fn allowed(&self) -> &'static [ModelState] {
        if self.is_rollback {
            &[ModelState::Retired]
        } else {
            &[ModelState::Approved, ModelState::Shadow]
        }
    }

    pub(super) fn asked(&self, run_id: &str) -> NewModelChange {
        NewModelChange {
            what: if self.is_rollback {
                ModelDeed::RollbackAsked
            } else {
                ModelDeed::PromotionAsked
            },
            run_id: Some(run_id.to_owned()),
            ..self.change(None)
        }
    }

    pub(super) fn done(&self, run_id: &str) -> NewModelChange {
        NewModelChange {
            what: if self.is_rollback {
                ModelDeed::RolledBack
            } else {
                ModelDeed::Promoted
            },
            run_id: Some(run_id.to_owned()),
            ..self.change(Some(ModelState::Live))
        }
    }

    fn change(&self, to: Option<ModelState>) -> NewModelChange {
        NewModelChange {
            what: ModelDeed::Promoted,
            to,
            by: Some(self.by.clone()),
            reason: Some(self.reason.clone()),
            is_forced: self.is_forced,
            paper: None,
            run_id: None,
        }
    }
}

/// What came of asking for a promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The run that carries it out.
    Run(Box<Run>),
    /// Another promotion is under way.
    Busy {
        /// Its run.
        run_id: String,
        /// Its model.
        model_id: String,
    },
    /// A run that puts other files in force is under way.
    OtherFiles {
        /// The run.
        run_id: String,
    },
    /// The model is in a state that does not allow it; nothing for an unknown model.
    State(Option<ModelState>),
    /// Another model is live than the asker saw.
    LiveMoved(Option<String>),
}

/// Drift that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftRow {
    /// Its number, rising.
    pub drift_no: u64,
    /// The model.
    pub model_id: String,
    /// The day of the register.
    pub as_of: Date,
    /// When, in milliseconds since 1970 (UTC).
    pub at: i64,
    /// Whether a bound of the policy was broken.
    pub is_alert: bool,
    /// All of it, as JSON.
    pub document: String,
}

/// Models, their states and their ledger.
pub trait ModelStore {
    /// Registers a model as a draft; one that is registered already stays as it is. Says whether it is new.
    fn put_model(
        &self,
        new: &NewModel,
        by: &str,
        reason: Option<&str>,
        paper: Option<(ModelPaper, &str)>,
    ) -> Result<(ModelRow, bool), StoreError>;

    /// Notes whose card a set of files holds. A model that is not registered comes into the registry without an author.
    /// Where the set is in force, the model becomes live.
    fn note_set_model(&self, files_id: &str, model: &NewModel) -> Result<(), StoreError>;

    /// The model whose card a set of files holds, where that was noted.
    fn model_of_set(&self, files_id: &str) -> Result<Option<String>, StoreError>;

    /// One model.
    fn model(&self, model_id: &str) -> Result<Option<ModelRow>, StoreError>;

    /// The card of one model in canonical form.
    fn model_body(&self, model_id: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// A paper of one model.
    fn model_paper(&self, model_id: &str, paper: ModelPaper) -> Result<Option<String>, StoreError>;

    /// Keeps a paper of one model in the place of the one before.
    fn put_model_paper(
        &self,
        model_id: &str,
        paper: ModelPaper,
        document: &str,
    ) -> Result<(), StoreError>;

    /// Models before number `before`, latest first, at most `limit`; of one state or of all.
    fn models_before(
        &self,
        state: Option<ModelState>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelRow>, StoreError>;

    /// The model that was live at an instant (milliseconds since 1970), with the entry of the log of what was in force;
    /// nothing before the first entry whose model is known.
    fn live_model_at(&self, at: i64) -> Result<Option<(String, super::InForce)>, StoreError>;

    /// Changes a model that is in one of the states `from`; otherwise the state that it is in is given back, or nothing
    /// for an unknown model.
    fn change_model(
        &self,
        model_id: &str,
        from: &[ModelState],
        change: &NewModelChange,
    ) -> Result<Result<ModelRow, Option<ModelState>>, StoreError>;

    /// Rows of the ledger before number `before`, latest first, at most `limit`; of one model or of all.
    fn model_changes(
        &self,
        model_id: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelChange>, StoreError>;

    /// Asks for the run of a promotion. An active run of the files in force is cancelled; one that promotes the same model
    /// is given back.
    fn request_promotion(&self, run: &NewRun, promotion: &Promotion) -> Result<Asked, StoreError>;

    /// Keeps a measured drift and gives its number.
    fn put_drift(
        &self,
        model_id: &str,
        as_of: Date,
        is_alert: bool,
        document: &str,
    ) -> Result<u64, StoreError>;

    /// Measured drifts before number `before`, latest first, at most `limit`.
    fn drifts_before(&self, before: Option<u64>, limit: usize)
    -> Result<Vec<DriftRow>, StoreError>;
}
