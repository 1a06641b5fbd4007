//! Trains a scorecard from a table with outcomes.
//!
//! Values are cut into bins that never look at the outcome (`bins`); one of two fitters gives each bin a logit: weights of
//! evidence under a logistic regression (`woe`), or cyclic boosting with pair terms (`boost`). Both respect declared
//! directions, weights, and more than two outcomes (proportional odds). Rows that a model has not seen choose between the
//! fitters, stop the boosting and calibrate the points. What comes out is a plain [`Scorecard`](super::Scorecard) with its
//! test vectors: serving needs nothing of this module.
//!
//! The same table, settings and build give the same bytes, on any number of threads: rows are summed in order, pieces of
//! work never share a sum, and random choices come from the seed. linfa supplies the traits, the cross-check and a
//! challenger; it is not used for the card itself, because its logistic regression passes over weights.

mod additive;
mod bins;
mod boost;
mod calibrate;
mod challenge;
mod error;
mod estimator;
mod forward;
mod measure;
mod newton;
mod pairs;
mod parallel;
mod params;
mod pav;
mod points;
mod report;
mod run;
mod split;
mod woe;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod trap_tests;

pub use bins::LeftOut;
pub use error::TrainError;
pub use estimator::{CardEstimator, FittedCard};
pub use measure::Figures;
pub use newton::Convergence;
pub use params::{
    CutoffRule, FeatureRule, Fitter, MissingRule, Scaling, TrainParams, ValidTrainParams,
    Validation,
};
pub use report::{BinReport, FeatureReport, FitterReport, TrainReport};
pub use run::{Trained, train};
pub use split::SplitTold;
