//! How a verb ends.

use crate::config::ConfigError;
use crate::service::{
    CacheError, EvaluateError, FilesError, MappingError, ModelsError, OutcomeError, ServiceError,
    StoreError,
};
use crate::telemetry::TelemetryError;

/// The exit codes of every verb. Code 2 is given by the parser of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: done, and the answer, if one was asked for, is yes.
    Done,
    /// 1: it ran and the answer is no.
    AnswerIsNo,
    /// 3: it could not run.
    CouldNotRun,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(match code {
            ExitCode::Done => 0_u8,
            ExitCode::AnswerIsNo => 1,
            ExitCode::CouldNotRun => 3,
        })
    }
}

/// Why a verb could not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Models(#[from] ModelsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Mapping(#[from] MappingError),
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
    #[error(transparent)]
    BenchData(#[from] crate::service::bench_data::BenchError),
    #[error(transparent)]
    Model(#[from] crate::service::RegisterModelError),
    #[error(transparent)]
    Policy(#[from] crate::service::RegisterPolicyError),
    #[error(transparent)]
    Training(#[from] crate::service::training::TrainingError),
    #[error(transparent)]
    Server(#[from] crate::api::StartError),
    #[error("the output cannot be written: {0}")]
    Output(std::io::Error),
    #[error("`{path}`: {cause}")]
    Path { path: String, cause: std::io::Error },
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// A failure at a path.
    pub(super) fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |cause| Self::Path {
            path: path.clone(),
            cause,
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(error.to_string())
    }
}

pub(super) type Ended = Result<ExitCode, Failure>;
