//! What can go wrong in a use-case, in the words of the caller.

use crate::domain::canonical::CanonicalError;
use crate::domain::{EnterpriseId, Epoch, FieldError};
use crate::files::FilesError;
use crate::sampling::contribution::OpeningError;
use crate::sampling::draw::DrawError;
use crate::sampling::verification::VerifyError;
use crate::sampling::{AllocationError, FrameError, PolicyError};
use crate::store::{ModelState, Refusal, StoreError};

use super::models::ModelsError;
use super::plans::{GroupState, PlanState};

/// Why a use-case did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A field of the request is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// No such enterprise.
    #[error("enterprise `{0}` is not in the register")]
    UnknownEnterprise(EnterpriseId),
    /// No such record.
    #[error("record `{record_id}` of source `{source_name}` is not in the register")]
    UnknownRecord {
        /// Its source.
        source_name: String,
        /// Its id.
        record_id: String,
    },
    /// No such override of the enterprise, or it is over.
    #[error("override `{0}` of this enterprise does not exist or is over")]
    UnknownOverride(String),
    /// No override of the enterprise counts or waits.
    #[error("enterprise `{0}` has no override that counts or waits for approval")]
    NoOverride(EnterpriseId),
    /// No such objection.
    #[error("objection `{0}` does not exist")]
    UnknownObjection(String),
    /// The enterprise is not merged.
    #[error("enterprise `{0}` is not merged into another")]
    UnknownMerge(EnterpriseId),
    /// The enterprise is merged, so nothing is decided about it.
    #[error("enterprise `{enterprise_id}` is merged into `{into_id}`; name that one")]
    Merged {
        /// The id as given.
        enterprise_id: EnterpriseId,
        /// Its successor.
        into_id: EnterpriseId,
    },
    /// What stands does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// A rule does not allow it.
    #[error("{0}")]
    Rule(String),
    /// No such frame.
    #[error("frame `{0}` does not exist")]
    UnknownFrame(String),
    /// No such check item.
    #[error("check item `{0}` is not in the list")]
    UnknownItem(String),
    /// No such visit.
    #[error("visit {0} is not in the ledger")]
    UnknownVisit(u64),
    /// No such plan.
    #[error("plan `{0}` does not exist")]
    UnknownPlan(String),
    /// No such coordinated group.
    #[error("group `{0}` does not exist")]
    UnknownGroup(String),
    /// A step that the group's state does not allow.
    #[error("group `{group_id}` is {state}; this step needs it to be {needed}")]
    GroupState {
        /// The group.
        group_id: String,
        /// Its state.
        state: GroupState,
        /// The state that the step needs.
        needed: &'static str,
    },
    /// The enterprise was not in the pool of the plan.
    #[error("enterprise `{enterprise_id}` is not in the pool of plan `{plan_id}`")]
    NotInPool {
        /// The plan.
        plan_id: String,
        /// The enterprise.
        enterprise_id: EnterpriseId,
    },
    /// No such import.
    #[error("import `{0}` does not exist")]
    UnknownImport(String),
    /// A file is to go on an import of another file.
    #[error(
        "import `{import_id}` was of another file, or was read in another way; send the same file, or leave `resume` out"
    )]
    OtherFile {
        /// The import.
        import_id: String,
    },
    /// An import that is kept only as a whole has nothing to go on with.
    #[error(
        "import `{import_id}` is all or nothing and was not finished; send the file again without `resume`"
    )]
    WholeImport {
        /// The import.
        import_id: String,
    },
    /// The register holds nothing to freeze.
    #[error("the register is empty; import enterprises first")]
    EmptyRegister,
    /// A row was not written.
    #[error("`{subject}` {refusal}")]
    Refused {
        /// The record or enterprise.
        subject: String,
        /// Why.
        refusal: Refusal,
    },
    /// A step that the plan's state does not allow.
    #[error("plan `{plan_id}` is {state}; this step needs it to be {needed}")]
    PlanState {
        /// The plan.
        plan_id: String,
        /// Its state.
        state: PlanState,
        /// The state that the step needs.
        needed: &'static str,
    },
    /// Visits cannot be allocated.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// The policy does not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The frame is wrong.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The request breaks a rule of the draw contract.
    #[error("the plan is not valid: {0}")]
    Plan(String),
    /// Opened contributions do not fit the frozen plan.
    #[error("the contributions do not fit the plan: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Opening(Vec<OpeningError>),
    /// The draw did not run.
    #[error(transparent)]
    Draw(#[from] DrawError),
    /// A file is wrong.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A transcript cannot be verified at all.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Model files cannot be used.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// No such model.
    #[error("model `{0}` does not exist")]
    UnknownModel(String),
    /// No such table for a training.
    #[error(
        "training table `{0}` does not exist; it may have been removed after a day without use: send it again"
    )]
    UnknownTable(String),
    /// No such policy.
    #[error("policy `{0}` does not exist")]
    UnknownPolicy(String),
    /// A step that the model's state does not allow.
    #[error(
        "model `{model_id}` is {}; it can be {step} only while it is {}", .state.as_str(), one_of(.needed)
    )]
    ModelState {
        /// The model.
        model_id: String,
        /// Its state.
        state: ModelState,
        /// The step, as a participle.
        step: &'static str,
        /// The states that the step needs, any of them.
        needed: Vec<ModelState>,
    },
    /// A promotion that guard rails speak against.
    #[error(
        "model `{model_id}` does not keep {}; see its validation, or force the promotion with a reason", .gates.join(", ")
    )]
    GatesBroken {
        /// The model.
        model_id: String,
        /// The gates that are broken.
        gates: Vec<String>,
    },
    /// Another promotion is under way.
    #[error(
        "model `{model_id}` is on its way to become live by job `{run_id}`; wait for it or cancel it"
    )]
    PromotionBusy {
        /// The job.
        run_id: String,
        /// The model.
        model_id: String,
    },
    /// No such job.
    #[error("job `{0}` does not exist")]
    UnknownJob(String),
    /// The result of a job is kept no longer.
    #[error("the result of job `{job_id}` is no longer kept; ask for the work again")]
    ResultExpired {
        /// The job.
        job_id: String,
        /// Until when it was kept, in milliseconds since 1970 (UTC).
        expired_at: i64,
    },
    /// No such calendar.
    #[error("calendar `{0}` does not exist")]
    UnknownCalendar(String),
    /// The object is not in the calendar.
    #[error("`{0}` is not in the calendar")]
    NotInCalendar(EnterpriseId),
    /// No such webhook.
    #[error("webhook `{0}` does not exist")]
    UnknownWebhook(String),
    /// An enterprise or a check item is not in the version that the caller saw.
    #[error("{}", stale(*.revision))]
    Stale {
        /// Its revision; nothing where it is not there.
        revision: Option<u64>,
    },
    /// A record is not in the version that the caller saw.
    #[error("record `{source_name}/{record_id}` is not as was said; read it again")]
    StaleRecord {
        /// Its source.
        source_name: String,
        /// Its id at the source.
        record_id: String,
    },
    /// Tiers of another epoch came into force since the first page of a list.
    #[error(
        "epoch `{now}` came into force after the first page of epoch `{of}`, and tiers of two epochs do not go together; \
         start without a cursor"
    )]
    OtherEpoch {
        /// The epoch of the first page.
        of: Epoch,
        /// The epoch in force.
        now: Epoch,
    },
    /// An enterprise or a check item that is there is changed without saying which version of it was seen.
    #[error("it is there with revision {revision}; say which version you change by `If-Match`")]
    Unconditional {
        /// Its revision.
        revision: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that cannot happen with valid data did.
    #[error("{0}")]
    Internal(String),
}

/// States in words: `approved or shadow`.
fn one_of(states: &[ModelState]) -> String {
    let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    words.join(" or ")
}

fn stale(revision: Option<u64>) -> String {
    match revision {
        Some(revision) => format!(
            "it is there with revision {revision}, which is not what was said; read it again"
        ),
        None => "there is none that could be replaced".to_owned(),
    }
}

impl From<CanonicalError> for ServiceError {
    fn from(error: CanonicalError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<getrandom::Error> for ServiceError {
    fn from(error: getrandom::Error) -> Self {
        Self::Internal(format!("the operating system gives no randomness: {error}"))
    }
}

impl From<std::io::Error> for ServiceError {
    fn from(error: std::io::Error) -> Self {
        Self::Internal(format!("reading or writing failed: {error}"))
    }
}

impl From<serde_json::Error> for ServiceError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("a stored document cannot be read: {error}"))
    }
}
