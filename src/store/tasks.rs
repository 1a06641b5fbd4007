//! Jobs that are no run of the reclassification: training, judging, comparing. They stand among the runs, each held by
//! one owner at a time; one whose owner went away is begun anew by the next.

use jiff::civil::Date;

use super::{JobKind, Run, RunState, StoreError};

/// Jobs beside the runs.
pub trait TaskStore {
    /// Asks for a job.
    fn request_task(&self, new: &NewTask) -> Result<Run, StoreError>;

    /// Takes the first job that nobody holds; `None` where there is none. One that was begun `most_attempts` times and
    /// never ended has failed.
    fn claim_task(
        &self,
        owner: &str,
        lease_ms: i64,
        most_attempts: u32,
    ) -> Result<Option<ClaimedTask>, StoreError>;

    /// Keeps holding a job and says how far it is; `false` when it is lost or cancelled.
    fn progress_task(
        &self,
        run_id: &str,
        owner: &str,
        lease_ms: i64,
        step: &str,
        percent: u8,
    ) -> Result<bool, StoreError>;

    /// Ends a job that is held, with its result or why it failed; `false` when it is lost or cancelled.
    fn end_task(
        &self,
        run_id: &str,
        owner: &str,
        ended: &Result<String, String>,
    ) -> Result<bool, StoreError>;

    /// The result of a job that succeeded, unless it was forgotten.
    fn task_result(&self, run_id: &str) -> Result<Option<String>, StoreError>;

    /// Forgets results of jobs that ended more than `keep_ms` ago, at most `at_most`; says how many. That a job has left
    /// one is still known.
    fn forget_results(&self, keep_ms: i64, at_most: u64) -> Result<u64, StoreError>;

    /// Keeps a table for a training; one that is kept already counts as asked for again. Says whether it is new, or
    /// nothing where `most` tables are kept.
    fn put_training_table(
        &self,
        table: &TrainingTable,
        most: usize,
    ) -> Result<Option<bool>, StoreError>;

    /// A table that is kept, which counts as asked for.
    fn training_table(&self, table_id: &str) -> Result<Option<TrainingTable>, StoreError>;

    /// Removes tables that nobody has asked for within so many milliseconds and no waiting job names; says how many.
    fn forget_training_tables(&self, unused_ms: i64) -> Result<usize, StoreError>;
}

/// A table that waits for a training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingTable {
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub table_id: String,
    /// How its rows are laid out.
    pub format: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A job that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// Its id.
    pub run_id: String,
    /// What it does.
    pub kind: JobKind,
    /// The set of model files in force.
    pub files_id: String,
    /// The day.
    pub as_of: Date,
    /// What is asked for, as JSON.
    pub request: String,
}

/// A job that this owner holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedTask {
    /// The job.
    pub run: Run,
    /// What is asked for, as JSON.
    pub request: String,
}

/// The state in which a job ends.
pub(super) fn ended_state(ended: &Result<String, String>) -> RunState {
    if ended.is_ok() {
        RunState::Succeeded
    } else {
        RunState::Failed
    }
}
