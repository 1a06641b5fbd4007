//! What an analyst may set, checked once.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::error::TrainError;
use crate::indicators::Direction;

/// Special codes of a feature at most; they and the bins are numbered in one byte.
const MOST_SPECIALS: usize = 40;

/// Which fitter makes the card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fitter {
    /// Logistic regression on weights of evidence.
    Woe,
    /// Cyclic gradient boosting of bin points, with pair terms.
    Boost,
    /// Both; the better one on held-back rows.
    #[default]
    Auto,
}

/// What a missing value gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingRule {
    /// Points of its own, as the data say; neutral where training saw too few missing values.
    #[default]
    Own,
    /// The mean points of the known values.
    Neutral,
    /// The points of the worst bin.
    Worst,
}

/// How logits become points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scaling {
    /// The training rows fill 0 to 1000.
    #[default]
    Band,
    /// So many points double the odds, counted from points at given odds.
    Pdo {
        /// Points that double the odds.
        pdo: f64,
        /// Points of a row with these odds.
        points: f64,
        /// The odds, problem to no problem.
        odds: f64,
    },
}

/// How the cut-offs between tiers are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CutoffRule {
    /// Shares of tiers B, C and D among the training rows.
    Shares {
        /// Share of tier B.
        b: f64,
        /// Share of tier C.
        c: f64,
        /// Share of tier D.
        d: f64,
    },
    /// Fixed points.
    Fixed {
        /// Least points of tier B.
        b: u16,
        /// Least points of tier C.
        c: u16,
        /// Least points of tier D.
        d: u16,
    },
    /// Least probability of a problem in tiers B, C and D.
    ProblemRate {
        /// Where tier B begins.
        b: f64,
        /// Where tier C begins.
        c: f64,
        /// Where tier D begins.
        d: f64,
    },
    /// The shares of B, C and D in their proportion, as large as the visits allow.
    Capacity {
        /// Size of the register.
        enterprises: u64,
        /// Visits that can be made.
        visits: u64,
        /// Rate of visits in tiers A, B, C, D.
        rates: [f64; 4],
        /// Shares of B, C and D whose proportion is kept.
        shares: [f64; 3],
    },
}

impl CutoffRule {
    /// Shares of B, C and D within the published tier mixes (A 48–74, B 18–42, C 5–8, D 1.5–3.5 percent).
    pub const DEFAULT_SHARES: [f64; 3] = [0.29, 0.065, 0.025];
}

impl Default for CutoffRule {
    fn default() -> Self {
        let [b, c, d] = Self::DEFAULT_SHARES;
        Self::Shares { b, c, d }
    }
}

/// Which rows are kept away from fitting, to validate on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Validation {
    /// Rows from this day on; rows of the `gap_days` before it are used for nothing.
    From {
        /// The first day of validation.
        day: Date,
        /// Days before it that are purged.
        gap_days: u16,
    },
    /// The latest share of the days if there are days, else a share of the groups, else of the rows.
    Share {
        /// The share.
        share: f64,
        /// Days that are purged between, where the split is by day.
        gap_days: u16,
    },
    /// None: every row is fitted.
    None,
}

impl Default for Validation {
    fn default() -> Self {
        Self::Share {
            share: 0.2,
            gap_days: 0,
        }
    }
}

/// What is declared about one feature.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureRule {
    /// Direction in which its points must run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Numbers that are codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specials: Vec<f64>,
    /// What a missing value gets.
    #[serde(default)]
    pub missing: MissingRule,
    /// Whether it is never part of a pair term that is looked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
}

/// Settings of a training run, not yet checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainParams {
    /// Name of the card.
    pub name: String,
    /// Version of the card.
    pub version: u32,
    /// Seed of every random choice.
    pub seed: u64,
    /// Which fitter.
    pub fitter: Fitter,
    /// What is declared about features, by name.
    pub features: BTreeMap<String, FeatureRule>,
    /// Least share of rows and of weight in a bin of the first fitter.
    pub least_share: f64,
    /// Most bins of a feature before merging; a table of few rows has fewer, see the bins.
    pub most_bins: usize,
    /// Penalty on squared coefficients.
    pub l2: f64,
    /// Folds whose models are averaged and whose held-back rows calibrate.
    pub folds: usize,
    /// Most rounds of boosting.
    pub rounds: usize,
    /// Step of boosting.
    pub learning_rate: f64,
    /// Rounds without gain on held-back rows before boosting stops.
    pub patience: usize,
    /// Most pair terms that are looked for.
    pub pairs: usize,
    /// Pair terms that are fitted whether they help or not.
    pub declared_pairs: Vec<[String; 2]>,
    /// From logits to points.
    pub scaling: Scaling,
    /// Where the tiers begin.
    pub cutoffs: CutoffRule,
    /// How probabilities are found.
    pub calibration: crate::model::CalibrationMethod,
    /// What is held back.
    pub validation: Validation,
    /// Whether to train the challengers too.
    pub challengers: bool,
    /// Whether a feature that runs the wrong way ends the run instead of being left out.
    pub strict: bool,
    /// Digest of the parent card, where there is one.
    pub parent: Option<String>,
    /// Threads; the result does not depend on them.
    #[serde(skip_serializing)]
    pub threads: usize,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            name: "trained".to_owned(),
            version: 1,
            seed: 1,
            fitter: Fitter::default(),
            features: BTreeMap::new(),
            least_share: 0.02,
            most_bins: 128,
            l2: 1.0,
            folds: 4,
            rounds: 200,
            learning_rate: 0.2,
            patience: 8,
            pairs: 16,
            declared_pairs: Vec::new(),
            scaling: Scaling::default(),
            cutoffs: CutoffRule::default(),
            calibration: crate::model::CalibrationMethod::Platt,
            validation: Validation::default(),
            challengers: false,
            strict: false,
            parent: None,
            threads: 1,
        }
    }
}

/// Checked settings; only these train.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidTrainParams(TrainParams);

impl ValidTrainParams {
    /// The settings.
    pub fn get(&self) -> &TrainParams {
        &self.0
    }
}

impl TrainParams {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Names the first setting that is out of its bounds.
    pub fn valid(self) -> Result<ValidTrainParams, TrainError> {
        let wrong =
            |what: &'static str, bounds: &'static str| Err(TrainError::Setting { what, bounds });
        let share = |value: f64| value > 0.0 && value < 1.0;
        if self.name.is_empty() || self.name.len() > 80 {
            return wrong("name", "1 to 80 bytes");
        }
        if !(0.0..=0.25).contains(&self.least_share) {
            return wrong("least_share", "0 to 0.25");
        }
        if !(2..=128).contains(&self.most_bins) {
            return wrong("most_bins", "2 to 128");
        }
        if !(self.l2.is_finite() && self.l2 >= 0.0) {
            return wrong("l2", "a finite number of at least 0");
        }
        if !(2..=20).contains(&self.folds) {
            return wrong("folds", "2 to 20");
        }
        if !(1..=5_000).contains(&self.rounds) {
            return wrong("rounds", "1 to 5000");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return wrong("learning_rate", "above 0 and at most 1");
        }
        if self.patience == 0 {
            return wrong("patience", "at least 1");
        }
        if self.pairs > 100 || self.declared_pairs.len() > 100 {
            return wrong("pairs", "0 to 100");
        }
        let scaling = match self.scaling {
            Scaling::Band => true,
            Scaling::Pdo { pdo, points, odds } => {
                pdo.is_finite() && pdo > 0.0 && points.is_finite() && odds.is_finite() && odds > 0.0
            }
        };
        if !scaling {
            return wrong("scaling", "a positive pdo and positive odds");
        }
        let cutoffs = match self.cutoffs {
            CutoffRule::Shares { b, c, d } => share(b) && share(c) && share(d) && b + c + d < 1.0,
            CutoffRule::Fixed { b, c, d } => 0 < b && b < c && c < d && d <= 1_000,
            CutoffRule::ProblemRate { b, c, d } => share(b) && b < c && c < d && share(d),
            CutoffRule::Capacity {
                enterprises,
                rates,
                shares,
                ..
            } => {
                enterprises > 0
                    && rates.iter().all(|rate| (0.0..=1.0).contains(rate))
                    && shares.iter().all(|value| share(*value))
                    && shares.iter().sum::<f64>() < 1.0
            }
        };
        if !cutoffs {
            return wrong(
                "cutoffs",
                "rising cut-offs, or shares above 0 that leave some for tier A",
            );
        }
        if let Validation::Share { share: value, .. } = self.validation
            && !share(value)
        {
            return wrong("validation share", "above 0 and below 1");
        }
        if self
            .features
            .values()
            .flat_map(|rule| &rule.specials)
            .any(|code| !code.is_finite())
        {
            return wrong("specials", "finite numbers");
        }
        if self
            .features
            .values()
            .any(|rule| rule.specials.len() > MOST_SPECIALS)
        {
            return wrong("specials", "at most 40 for each feature");
        }
        if self.threads == 0 {
            return wrong("threads", "at least 1");
        }
        Ok(ValidTrainParams(self))
    }
}
