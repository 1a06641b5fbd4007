//! How good a tier model is, where it is good, and what it would have found.
//!
//! Pure and repeatable: columns go in ([`Columns`], checked once into [`Rows`]), a document comes out ([`evaluate`],
//! [`compare`], [`Profile::shift_to`] for drift), and the same columns and seed give the same bytes on any number of
//! threads. Nothing here reads a file or knows how a model came about; any score can be judged.
//!
//! - Ranking: area under the curve, Kolmogorov–Smirnov distance, lift; exact under ties, with weights.
//! - Probabilities: Brier score, logarithmic loss, calibration.
//! - Tiers: shares, problem rates, whether they rise; who moves between two models.
//! - Groups: the same within division, industry, size.
//! - Drift: stability indices of score and features.
//! - Backtests: problems per visit at the policy's rates, and how many days earlier problems would have been found.
//!
//! Where the rows carry design weights every figure is given twice: of the rows as they are, and as an estimate for
//! all that could have been drawn. Rows of one enterprise are never taken as independent: intervals resample
//! enterprises, or rest on linearised variances that add up an enterprise's rows first. What cannot be estimated says
//! so; no figure is ever NaN.

mod bins;
mod bootstrap;
mod calibration;
mod compare;
mod document;
mod figure;
mod groups;
mod guard;
mod interval;
mod measures;
mod order;
mod proportion;
mod ranking;
mod reasons;
mod rows;
mod slots;
mod stability;
mod tiers;

#[cfg(test)]
mod tests;

pub use calibration::{Calibration, CalibrationBin};
pub use compare::{
    COMPARISON_FORMAT, Comparison, ComparisonVerdict, Differences, GroupDifference,
    GroupDifferences, Side, compare,
};
pub use document::{
    DataSummary, EVALUATION_FORMAT, Evaluation, Headline, OrderBacktest, PolicyBacktest, Remark,
    Settings, Subject, TOP, View, Weighting, evaluate,
};
pub use figure::{CONFIDENCE, Figure};
pub use groups::{GroupRow, Grouping};
pub use guard::{Guard, GuardError, GuardResult, GuardState, ShareBounds, any_broken};
pub use interval::{clopper_pearson, wilson};
pub use proportion::Proportion;
pub use ranking::{CurvePoint, Decile};
pub use reasons::ReasonShare;
pub use rows::{Columns, EvaluationError, Rows};
pub use stability::{
    Binning, Cells, DriftVerdict, Limits, Profile, Shift, ShiftBin, Spread, Stability,
};
pub use tiers::{Expected, Move, TierRow, TierTable, TopSwap};
