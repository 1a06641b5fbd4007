//! What a training run tells beside the card.

use serde::Serialize;
use std::collections::BTreeMap;

use super::bins::LeftOut;
use super::measure::Figures;
use super::newton::Convergence;
use super::params::Fitter;
use super::split::SplitTold;
use crate::domain::Tier;

/// The whole report; it holds no instant and no duration, so that equal runs give equal reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainReport {
    /// How the rows were divided.
    pub split: SplitTold,
    /// The fitter of the card.
    pub chosen: Fitter,
    /// Why it was chosen, in words.
    pub why: String,
    /// Each fitter that ran.
    pub fitters: Vec<FitterReport>,
    /// The card on the rows it was fitted on.
    pub fitted: Figures,
    /// The card on the rows held back for validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Figures>,
    /// Other models on the same rows, for comparison; none of them is ever served.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub challengers: BTreeMap<String, Figures>,
    /// Tiers of the fitted rows by the points alone, as shares of weight.
    pub tiers: BTreeMap<Tier, f64>,
    /// Share of the fitted rows whose tier rounding to whole points changed.
    pub rounding_changed: f64,
    /// Features with their bins.
    pub features: Vec<FeatureReport>,
    /// Columns that are not in the card, and why.
    pub left_out: Vec<LeftOut>,
    /// What to look at before using the card.
    pub warnings: Vec<String>,
}

/// One fitter's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitterReport {
    /// Which.
    pub fitter: Fitter,
    /// Its figures on rows that the fold's model had not seen.
    pub held_back: Figures,
    /// How the fit ended, for the first fitter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convergence: Option<Convergence>,
    /// Rounds of each fold, for the second.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<usize>,
    /// What it says in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One feature of the card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureReport {
    /// Its code.
    pub feature: String,
    /// Area under the ROC curve of its bins alone, each by its problem rate.
    pub auc: f64,
    /// Its bins.
    pub bins: Vec<BinReport>,
}

/// One bin of a feature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BinReport {
    /// The bin in words.
    pub bin: String,
    /// Rows in it.
    pub row_count: usize,
    /// Share of the weight.
    pub share: f64,
    /// Weighted share of rows with a problem; absent without rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_rate: Option<f64>,
    /// Its points.
    pub points: i32,
}
