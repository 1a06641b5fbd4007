//! Jobs: runs over the register, and what stands beside them.

use serde::Serialize;
use utoipa::ToSchema;

use super::codes::{JobCause, JobKind, JobState};
use crate::service::{Job, RunPhase};

/// What a job is doing: a run goes through the register (`scan`) and completes what depends on others (`finish`); other
/// work is `work`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobPhase {
    Scan,
    Finish,
    Work,
}

/// A job: a run over the whole register (`reclassify`, `promote`, `rollback`), or work about models beside it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobAnswer {
    /// Its id.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    pub(crate) job_id: String,
    /// Its number, consecutive within the installation.
    #[schema(example = 3, minimum = 1)]
    pub(crate) number: u64,
    /// What it does.
    kind: JobKind,
    /// Where it stands.
    state: JobState,
    /// Why it was asked for.
    cause: JobCause,
    /// What it is doing.
    phase: JobPhase,
    /// What other work is doing, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "judging by later inspections")]
    step: Option<String>,
    /// Where its result is, once it has one and while it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/jobs/019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11/result")]
    result: Option<String>,
    /// Until when its result is kept, or was; left out where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-12-22T08:00:30Z")]
    result_expires_at: Option<String>,
    /// The day its tiers speak for.
    #[schema(format = Date, example = "2026-11-22")]
    as_of: String,
    /// Epoch of its tiers, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0123456789abcdef")]
    epoch: Option<String>,
    /// Enterprises in the register when it began.
    #[schema(example = 5_000_000)]
    total_count: u64,
    /// Enterprises gone through.
    #[schema(example = 2_600_000)]
    scanned_count: u64,
    /// Enterprises whose tier is complete.
    #[schema(example = 0)]
    finished_count: u64,
    /// How much of it is done.
    #[schema(example = 41.6, minimum = 0, maximum = 100)]
    percent: f64,
    /// Enterprises gone through per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 190_000.0)]
    rows_per_second: Option<f64>,
    /// An estimate of the seconds that are left, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 19)]
    seconds_left: Option<u64>,
    /// Enterprises whose tier it changed, once it has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 21_480)]
    change_count: Option<u64>,
    /// When it was asked for.
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    requested_at: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-11-22T08:00:01Z")]
    started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-11-22T08:00:30Z")]
    ended_at: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl From<Job> for JobAnswer {
    fn from(job: Job) -> Self {
        let Job {
            run,
            percent,
            rows_per_second,
            seconds_left,
            result_expires_at,
            is_result_kept,
        } = job;
        let result = is_result_kept.then(|| format!("/v1/jobs/{}/result", run.run_id));
        Self {
            job_id: run.run_id,
            number: run.run_no,
            kind: run.kind.into(),
            state: run.state.into(),
            cause: run.cause.into(),
            phase: match run.phase {
                _ if !run.kind.is_run() => JobPhase::Work,
                RunPhase::Scan => JobPhase::Scan,
                RunPhase::Finish => JobPhase::Finish,
            },
            step: run.step,
            result,
            result_expires_at: result_expires_at.map(instant),
            as_of: run.as_of.to_string(),
            epoch: run.epoch.map(|epoch| epoch.to_string()),
            total_count: run.total_count,
            scanned_count: run.scanned_count,
            finished_count: run.finished_count,
            percent,
            rows_per_second,
            seconds_left,
            change_count: run.change_count,
            requested_at: instant(run.requested_at),
            started_at: run.started_at.map(instant),
            ended_at: run.ended_at.map(instant),
            failure: run.failure,
        }
    }
}

/// Milliseconds since 1970 as RFC 3339.
pub(crate) fn instant(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .unwrap_or_default()
        .to_string()
}
