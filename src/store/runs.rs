//! Runs: the reclassification of the whole register into the slot that is not live, and the background workers.
//!
//! A run is held by one owner at a time, by a lease that it renews; every write names the owner and fails with
//! [`StoreError::RunLost`] when the run is not its own any more. What was written before stays, so that the next owner
//! goes on where the last one stopped.

use jiff::civil::Date;

use super::{IdRange, LinkState, StoreError, StoredTier};
use crate::domain::{EnterpriseId, Epoch, Tier};

/// Runs and background workers.
pub trait RunStore {
    /// Asks for a run. One that is active with the same files and day is given back instead; any other active one is
    /// cancelled.
    fn request_run(&self, new: &NewRun) -> Result<Run, StoreError>;

    /// One run.
    fn run(&self, run_id: &str) -> Result<Option<Run>, StoreError>;

    /// Runs before number `before`, latest first, at most `limit`.
    fn runs_before(&self, before: Option<u64>, limit: usize) -> Result<Vec<Run>, StoreError>;

    /// Takes the active run, if there is one and nobody else holds it. `None` otherwise.
    fn claim_run(&self, owner: &str, lease_ms: i64) -> Result<Option<Run>, StoreError>;

    /// Keeps holding a run; `false` when it is lost.
    fn renew_run(&self, run_id: &str, owner: &str, lease_ms: i64) -> Result<bool, StoreError>;

    /// Enterprises in the register.
    fn enterprise_count(&self) -> Result<u64, StoreError>;

    /// Begins a run that is held: empties the slot that is not live and notes the parts to go through.
    fn begin_run(
        &self,
        run_id: &str,
        owner: &str,
        as_of: Date,
        ranges: &[IdRange],
        total: u64,
    ) -> Result<Run, StoreError>;

    /// The parts of the active run and where each has come to.
    fn run_parts(&self, run_id: &str) -> Result<Vec<RunPart>, StoreError>;

    /// The live tiers of a range of ids, in id order.
    fn live_tiers_in(&self, range: &IdRange) -> Result<Vec<LiveTier>, StoreError>;

    /// The live tiers of a range of ids, in id order, that were computed from their enterprises' present revisions. `None`
    /// if another epoch is live.
    fn standing_tiers_in(
        &self,
        epoch: &Epoch,
        range: &IdRange,
    ) -> Result<Option<Vec<(EnterpriseId, StoredTier)>>, StoreError>;

    /// Keeps what was noted of the rows of a part; the part is scanned then.
    fn put_scanned(
        &self,
        run_id: &str,
        owner: &str,
        part: u32,
        row_count: u64,
        body: &[u8],
    ) -> Result<(), StoreError>;

    /// Whether something is missing of what was noted of the scanned parts, because the database crashed or a previous
    /// release scanned them; the run must then begin anew.
    fn lacks_scanned(&self, run_id: &str) -> Result<bool, StoreError>;

    /// What was noted of a scanned part, if it is there.
    fn scanned(&self, run_id: &str, part: u32) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps the frozen statistics, and the epoch that they make; all parts are scanned.
    fn freeze_run(
        &self,
        run_id: &str,
        owner: &str,
        epoch: &Epoch,
        statistics: Option<(&str, &[u8])>,
    ) -> Result<(), StoreError>;

    /// Writes the rows of a part, in id order, into the run's slot, with what they will supersede; the part is finished
    /// then.
    fn put_finished(
        &self,
        run_id: &str,
        owner: &str,
        part: u32,
        rows: &[RunRow],
        changes: &[RunChange],
    ) -> Result<(), StoreError>;

    /// The tiers of a range of ids in the run's slot, in id order, that were computed from their enterprises' present
    /// revisions.
    fn run_tiers_in(
        &self,
        run_id: &str,
        range: &IdRange,
    ) -> Result<Vec<(EnterpriseId, StoredTier)>, StoreError>;

    /// Makes the run's slot live, in one transaction with the history, the alerts and the log of what was in force.
    fn flip(&self, run_id: &str, owner: &str) -> Result<Run, StoreError>;

    /// Ends a run that is held without a flip.
    fn fail_run(&self, run_id: &str, owner: &str, failure: &str) -> Result<(), StoreError>;

    /// Cancels a run; `false` when it had ended already.
    fn cancel_run(&self, run_id: &str) -> Result<bool, StoreError>;

    /// Takes a background worker, if nobody else holds it, and gives the number of the last change that it has followed.
    fn claim_worker(
        &self,
        name: &str,
        owner: &str,
        lease_ms: i64,
    ) -> Result<Option<u64>, StoreError>;

    /// Notes up to where a worker has followed the log, unless it was set back meanwhile or is not the owner's; says
    /// whether it did.
    fn advance_worker(
        &self,
        name: &str,
        owner: &str,
        from: u64,
        to: u64,
    ) -> Result<bool, StoreError>;
}

/// A run that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub run_id: String,
    /// Why it is asked for.
    pub cause: RunCause,
    /// The set of model files.
    pub files_id: String,
    /// The day that its tiers speak for.
    pub as_of: Date,
}

macro_rules! worded {
    ($(#[$about:meta])* $name:ident { $($(#[$word_about:meta])* $word:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$word_about])* $word,)+
        }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// Its name in the store and in answers.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)+
                }
            }

            pub(in crate::store) fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$word),)+
                    _ => None,
                }
            }
        }
    };
}

pub(super) use worded;

worded! {
    /// What a job does.
    JobKind {
        /// Classifies the whole register.
        Reclassify = "reclassify",
        /// Does so under another model, which is live afterwards.
        Promote = "promote",
        /// Does so under a model that was live before.
        Rollback = "rollback",
        /// Trains a model on what inspections of the register found.
        Train = "train",
        /// Judges a model by later inspections.
        Evaluate = "evaluate",
        /// Compares a model with the live one.
        Compare = "compare",
        /// Puts a draft through the gates.
        Validate = "validate",
        /// Scores a challenger beside the live model.
        Shadow = "shadow",
        /// Measures drift against the training rows.
        Drift = "drift",
    }
}

impl JobKind {
    /// Whether the job is a run over the register that ends with a flip; others stand beside.
    pub fn is_run(self) -> bool {
        match self {
            Self::Reclassify | Self::Promote | Self::Rollback => true,
            Self::Train
            | Self::Evaluate
            | Self::Compare
            | Self::Validate
            | Self::Shadow
            | Self::Drift => false,
        }
    }
}

worded! {
    /// Why a run was asked for.
    RunCause {
        /// Someone asked.
        Demand = "demand",
        /// Other model files.
        Files = "files",
        /// The month began.
        Month = "month",
    }
}

worded! {
    /// How far a run is as a whole.
    RunState {
        /// Nobody has begun it.
        Queued = "queued",
        /// It has begun; after a crash another owner goes on with it.
        Running = "running",
        /// Its tiers are, or were, live.
        Succeeded = "succeeded",
        /// It could not be completed.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
}

worded! {
    /// What a run is doing.
    RunPhase {
        /// Going through the register.
        Scan = "scan",
        /// Completing what depends on other enterprises.
        Finish = "finish",
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub run_no: u64,
    /// Its id.
    pub run_id: String,
    /// How far it is.
    pub state: RunState,
    /// Why it was asked for.
    pub cause: RunCause,
    /// The set of model files.
    pub files_id: String,
    /// The day that its tiers speak for.
    pub as_of: Date,
    /// What it is doing.
    pub phase: RunPhase,
    /// The last change before it began; nothing before.
    pub start_seq: Option<u64>,
    /// Enterprises in the register when it began.
    pub total_count: u64,
    /// Enterprises gone through, and completed.
    pub scanned_count: u64,
    /// See `scanned_count`.
    pub finished_count: u64,
    /// Digest of the frozen statistics.
    pub statistics: Option<String>,
    /// The epoch of its tiers, once the statistics are frozen.
    pub epoch: Option<Epoch>,
    /// Enterprises whose tier it changed, once it has flipped.
    pub change_count: Option<u64>,
    /// When it was asked for, in milliseconds since 1970 (UTC), as are the following.
    pub requested_at: i64,
    /// When it was begun.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// The store's clock when this was read.
    pub read_at: i64,
    /// Why it failed.
    pub failure: Option<String>,
    /// What it does.
    pub kind: JobKind,
    /// What a job beside the runs is doing, in words.
    pub step: Option<String>,
    /// How much of a job beside the runs is done, in percent.
    pub done_percent: Option<u8>,
    /// Whether a job beside the runs has left a result, which may be forgotten by now.
    pub has_result: bool,
}

/// A part of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPart {
    /// Its number.
    pub part: u32,
    /// Its ids.
    pub range: IdRange,
    /// Whether its rows were scanned.
    pub is_scanned: bool,
    /// Whether its rows are complete.
    pub is_finished: bool,
}

/// What a run needs to know of a live tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTier {
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// Its tier.
    pub tier: Tier,
    /// Its points.
    pub points: u16,
    /// Since when the tier has held.
    pub from_on: Date,
    /// Whether complaints surge.
    pub is_surge: bool,
}

/// A row of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// The revision that it was computed from.
    pub revision: u64,
    /// The tier.
    pub tier: Tier,
    /// Its points.
    pub points: u16,
    /// The first later day on which it may differ.
    pub next_change_on: Option<Date>,
    /// Since when the tier letter has held.
    pub from_on: Date,
    /// What it adds to enterprises whose links name it.
    pub link: LinkState,
    /// Whether complaints surge.
    pub is_surge: bool,
}

/// A tier that a run will supersede, or the first of an enterprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunChange {
    /// The enterprise.
    pub enterprise_id: EnterpriseId,
    /// The live tier, its points, and since when it has held; nothing for a first tier.
    pub before: Option<(Tier, u16, Date)>,
    /// The tier of the run.
    pub tier: Tier,
    /// Its points.
    pub points: u16,
}
