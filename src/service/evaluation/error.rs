//! Why an evaluation cannot be made.

use crate::files::{FilesError, LineError};
use crate::model::evaluation::EvaluationError;
use crate::model::{ScorecardError, TableError, TableScoreError};
use crate::service::{ModelsError, ServiceError};

/// Why an evaluation cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The table cannot be read.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A line of the table is wrong.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The table lacks a column.
    #[error("`{file}` has no column `{column}`; its columns are {known}")]
    NoColumn {
        /// The table.
        file: String,
        /// The column.
        column: String,
        /// What it has.
        known: String,
    },
    /// Nothing scores the rows.
    #[error("nothing scores the rows: name a scorecard, or the column that holds the score")]
    NoScore,
    /// Days are asked for and not given.
    #[error("a first or last day needs to know which column holds the day")]
    NoDay,
    /// A scorecard file cannot be read.
    #[error("scorecard `{file}`: {cause}")]
    Scorecard {
        /// The file.
        file: String,
        /// Why.
        cause: ScorecardError,
    },
    /// A scorecard without a baseline.
    #[error("scorecard `{0}` carries no baseline; compare with the table it was trained on")]
    NoBaseline(String),
    /// The scorecard does not fit the table.
    #[error(transparent)]
    Score(#[from] TableScoreError),
    /// The feature columns make no table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The rows cannot be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A model file is wrong.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// The register fails.
    #[error(transparent)]
    Service(#[from] ServiceError),
}
