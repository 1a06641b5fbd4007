//! Why a training run gives no card.

use crate::model::{ScorecardError, TableError, TableScoreError};

/// Why a training run gives no card.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting out of bounds.
    #[error("setting `{what}` must be {bounds}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// What it may be.
        bounds: &'static str,
    },
    /// No outcome column.
    #[error("the table has no outcome; name the column that says what was found")]
    NoOutcome,
    /// Only one class.
    #[error(
        "every one of the {rows} rows to fit has outcome {outcome}; give rows with and without a problem"
    )]
    OneClass {
        /// How many rows.
        rows: usize,
        /// Their outcome.
        outcome: u8,
    },
    /// An outcome between others is absent.
    #[error(
        "no row to fit has outcome {missing}, though worse ones occur; number the outcomes without a gap"
    )]
    OutcomeGap {
        /// The absent outcome.
        missing: u8,
    },
    /// Too few rows.
    #[error(
        "{rows} rows with {problems} problems are too few to fit; at least {least} of each outcome are needed"
    )]
    TooFew {
        /// Rows to fit.
        rows: usize,
        /// Rows of the rarest outcome.
        problems: usize,
        /// The least number of the rarest outcome.
        least: usize,
    },
    /// No rows on one side of the split.
    #[error("the split leaves no rows {side}; choose another day or share")]
    EmptySplit {
        /// Which side.
        side: &'static str,
    },
    /// A split by day without days.
    #[error("the split is by day, and the table has no day column; name it, or split by share")]
    NoDay,
    /// No usable feature.
    #[error("no feature is left to fit: {0}")]
    NoFeatures(String),
    /// A rule or pair for a feature that is not there.
    #[error("`{0}` is declared and is not a feature of the table; correct the name or remove it")]
    UnknownFeature(String),
    /// A feature runs the wrong way.
    #[error("feature `{feature}` {reason}; leave it out, or correct its direction")]
    WrongWay {
        /// The feature.
        feature: String,
        /// How.
        reason: String,
    },
    /// The fit did not converge.
    #[error(
        "the fit did not converge: after {iterations} steps the gradient is {gradient:e}; raise the penalty `l2`"
    )]
    NotConverged {
        /// Steps made.
        iterations: usize,
        /// The greatest part of the gradient, per row.
        gradient: f64,
    },
    /// The cut-offs coincide.
    #[error(
        "the cut-offs B {b}, C {c}, D {d} do not rise: the points tell too few rows apart for four tiers; choose other shares"
    )]
    Cutoffs {
        /// Least points of B.
        b: u16,
        /// Least points of C.
        c: u16,
        /// Least points of D.
        d: u16,
    },
    /// The points leave the band.
    #[error(
        "{share:.1} percent of the rows lie outside 0 to 1000 points with these settings; choose a smaller `pdo` or other `points`"
    )]
    OutOfBand {
        /// Percent of the rows.
        share: f64,
    },
    /// A challenger failed.
    #[error("challenger {name}: {reason}")]
    Challenger {
        /// Its name.
        name: &'static str,
        /// What it said.
        reason: String,
    },
    /// The card cannot be used.
    #[error(transparent)]
    Scorecard(#[from] ScorecardError),
    /// The columns make no table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The table cannot be scored.
    #[error(transparent)]
    Score(#[from] TableScoreError),
    /// From linfa's traits.
    #[error(transparent)]
    Linfa(#[from] linfa::error::Error),
}
