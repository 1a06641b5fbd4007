//! Runs as callers see them: asked for, watched, cancelled, carried out.

use std::time::Duration;

use super::execution::{Execution, LEASE, millis};
use super::{Service, ServiceError};
use crate::store::{Run, RunCause, RunState, StoreError};

/// A run as it is told to callers.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The run.
    pub run: Run,
    /// How much of it is done, in percent.
    pub percent: f64,
    /// Enterprises gone through per second since it began.
    pub rows_per_second: Option<f64>,
    /// An estimate of the seconds that are left.
    pub seconds_left: Option<u64>,
    /// Until when its result is kept, in milliseconds since 1970 (UTC); nothing where it has left none.
    pub result_expires_at: Option<i64>,
    /// Whether its result is still kept.
    pub is_result_kept: bool,
}

impl Job {
    fn of(run: Run, keep_results: Duration) -> Self {
        // Completing a part costs about a quarter of scanning it.
        let done = 4.0 * run.scanned_count as f64 + run.finished_count as f64;
        let all = 5.0 * run.total_count as f64;
        let share = match run.state {
            _ if !run.kind.is_run() && run.state != RunState::Succeeded => {
                f64::from(run.done_percent.unwrap_or(0)) / 100.0
            }
            RunState::Queued => 0.0,
            RunState::Succeeded => 1.0,
            RunState::Running | RunState::Failed | RunState::Cancelled if all > 0.0 => {
                (done / all).min(1.0)
            }
            RunState::Running | RunState::Failed | RunState::Cancelled => 0.0,
        };
        let until = run.ended_at.unwrap_or(run.read_at);
        let seconds = run
            .started_at
            .map(|from| (until - from) as f64 / 1_000.0)
            .filter(|seconds| *seconds > 0.0);
        let is_running = run.state == RunState::Running;
        let result_expires_at = run
            .ended_at
            .filter(|_| run.has_result)
            .map(|at| at.saturating_add(millis(keep_results)));
        Self {
            result_expires_at,
            is_result_kept: result_expires_at.is_some_and(|at| run.read_at < at),
            percent: (share * 1_000.0).round() / 10.0,
            rows_per_second: seconds
                .map(|seconds| (run.scanned_count as f64 / seconds).round())
                .filter(|_| run.scanned_count > 0),
            seconds_left: seconds
                .filter(|_| is_running && share > 0.0)
                .map(|seconds| (seconds * (1.0 - share) / share).ceil() as u64),
            run,
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        match self.run.state {
            RunState::Queued | RunState::Running => false,
            RunState::Succeeded | RunState::Failed | RunState::Cancelled => true,
        }
    }
}

/// Who watches a run.
pub trait RunObserver: Sync {
    /// Called when so many of all enterprises were gone through.
    fn scanned(&self, _done: u64, _total: u64) {}
    /// Called when so many of all enterprises are complete.
    fn finished(&self, _done: u64, _total: u64) {}
}

/// Watches nothing.
impl RunObserver for () {}

impl Service {
    /// A run as it is told to callers.
    pub(super) fn job_of(&self, run: Run) -> Job {
        Job::of(run, self.keep_results)
    }

    /// Asks for a run with the files in force; an active one with these files is given back instead.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn reclassify(&self) -> Result<Job, ServiceError> {
        let current = self.current();
        let run = self.request_run(current.models.files_id(), RunCause::Demand)?;
        Ok(self.job_of(run))
    }

    /// Asks for a run with the files that this process was started with.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn reclassify_with_given(&self) -> Result<Job, ServiceError> {
        let given = self.given();
        self.keep_files(given)?;
        let run = self.request_run(given.files_id(), RunCause::Demand)?;
        Ok(self.job_of(run))
    }

    /// One job.
    ///
    /// # Errors
    ///
    /// When there is no such job or the store fails.
    pub fn job(&self, job_id: &str) -> Result<Job, ServiceError> {
        let run = self.store.run(job_id)?;
        run.map(|run| self.job_of(run))
            .ok_or_else(|| ServiceError::UnknownJob(job_id.to_owned()))
    }

    /// Jobs before number `before`, latest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn jobs(&self, before: Option<u64>, limit: usize) -> Result<Vec<Job>, ServiceError> {
        let runs = self.store.runs_before(before, limit)?;
        Ok(runs.into_iter().map(|run| self.job_of(run)).collect())
    }

    /// Cancels a job; one that has ended stays as it is. What it wrote is never seen.
    ///
    /// # Errors
    ///
    /// When there is no such job or the store fails.
    pub fn cancel_job(&self, job_id: &str) -> Result<Job, ServiceError> {
        self.job(job_id)?;
        self.store.cancel_run(job_id)?;
        self.job(job_id)
    }

    /// Asks for the run of the month when the last one is older than the present month; says whether it did.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn request_monthly_run(&self) -> Result<bool, ServiceError> {
        let month = self.today().first_of_month();
        let current = self.current();
        if current.from_on >= month {
            return Ok(false);
        }
        // Other jobs stand among the runs.
        let runs = self.store.runs_before(None, 200)?;
        let is_asked_for = runs
            .iter()
            .filter(|run| run.kind.is_run())
            .any(|run| match run.state {
                RunState::Queued | RunState::Running => true,
                RunState::Succeeded => run.as_of >= month,
                // A run that failed or was cancelled this month is not begun again and again.
                RunState::Failed | RunState::Cancelled => {
                    run.as_of >= month && run.cause == RunCause::Month
                }
            });
        if is_asked_for {
            return Ok(false);
        }
        self.request_run(current.models.files_id(), RunCause::Month)?;
        Ok(true)
    }

    /// Carries out the active run, if there is one and no other process holds it; returns when it has ended.
    ///
    /// # Errors
    ///
    /// When the store fails; the run is then continued by whoever asks next, unless it cannot succeed.
    pub fn carry_out_run(&self, observer: &dyn RunObserver) -> Result<Option<Job>, ServiceError> {
        let Some(run) = self.store.claim_run(&self.owner, millis(LEASE))? else {
            return Ok(None);
        };
        let run_id = run.run_id.clone();
        let execution = Execution::new(self, &run_id, observer);
        let outcome = execution.under_lease(|| execution.execute(run));
        match outcome {
            Ok(run) => {
                tracing::info!(
                    run.id = run_id,
                    changed = run.change_count,
                    "a run has flipped"
                );
                self.refresh()?;
                Ok(Some(self.job_of(run)))
            }
            // Someone cancelled it, or another process goes on with it.
            Err(ServiceError::Store(StoreError::RunLost { .. })) => {
                Ok(self.store.run(&run_id)?.map(|run| self.job_of(run)))
            }
            // The run is continued when the store is back.
            Err(ServiceError::Store(error)) if error.is_passing() => Err(error.into()),
            Err(error) => {
                tracing::error!(run.id = run_id, %error, "a run has failed");
                self.store
                    .fail_run(&run_id, &self.owner, &error.to_string())?;
                Err(error)
            }
        }
    }
}
