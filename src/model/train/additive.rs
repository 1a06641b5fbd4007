//! What both fitters give: a logit that is a sum over bins, and small tables over pairs of features.

#![expect(
    clippy::indexing_slicing,
    reason = "INVARIANT: a bin code is below the number of bins of its feature, by which every table here is sized"
)]

use super::bins::FeatureBins;
use super::newton::Convergence;

/// The logit: `η = Σ shape[bin] + Σ grid[cell]`, `P(y ≥ k) = σ(η − θ_k)`.
#[derive(Clone, Debug)]
pub(super) struct Additive {
    /// One number per bin of each feature; empty where the feature is left out.
    pub(super) shapes: Vec<Vec<f64>>,
    pub(super) pairs: Vec<PairShape>,
    pub(super) theta: Vec<f64>,
}

/// The grid of one pair: coarse cells of both features, missing and special ones last.
#[derive(Clone, Debug)]
pub(super) struct PairShape {
    pub(super) first: Axis,
    pub(super) second: Axis,
    pub(super) grid: Vec<f64>,
}

/// Coarse cells of one feature.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) feature: usize,
    /// Coarse cell of each bin.
    pub(super) cell_of_bin: Vec<u8>,
    pub(super) cells: usize,
}

/// A model with what is known about how it came about.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    pub(super) model: Additive,
    /// The logit of every row by models that have not seen its group.
    pub(super) held_back: Vec<f64>,
    /// Thresholds that belong to `held_back`.
    pub(super) held_back_theta: Vec<f64>,
    /// Log loss on held-back rows.
    pub(super) held_back_loss: f64,
    pub(super) convergence: Option<Convergence>,
    /// Rounds of each fold, for boosting.
    pub(super) rounds: Vec<usize>,
    /// What the fitter says in words.
    pub(super) notes: Vec<String>,
}

impl PairShape {
    pub(super) fn cell(&self, bins: &[FeatureBins], row: usize) -> usize {
        let first = bins[self.first.feature].codes[row];
        let second = bins[self.second.feature].codes[row];
        usize::from(self.first.cell_of_bin[usize::from(first)]) * self.second.cells
            + usize::from(self.second.cell_of_bin[usize::from(second)])
    }
}

impl Additive {
    /// The logit of every row.
    pub(super) fn eta(&self, bins: &[FeatureBins], rows: usize) -> Vec<f64> {
        let mut eta = vec![0.0; rows];
        for (shape, bins) in self.shapes.iter().zip(bins) {
            if shape.is_empty() {
                continue;
            }
            for (eta, code) in eta.iter_mut().zip(&bins.codes) {
                *eta += shape[usize::from(*code)];
            }
        }
        for pair in &self.pairs {
            for (row, eta) in eta.iter_mut().enumerate() {
                *eta += pair.grid[pair.cell(bins, row)];
            }
        }
        eta
    }

    /// Moves the weighted mean of every shape into the thresholds.
    pub(super) fn centre(&mut self, bins: &[FeatureBins]) {
        let mut moved = 0.0;
        for (shape, bins) in self.shapes.iter_mut().zip(bins) {
            let total: f64 = bins.weight.iter().sum();
            let mean = shape
                .iter()
                .zip(&bins.weight)
                .map(|(s, w)| s * w)
                .sum::<f64>()
                / total;
            for value in shape.iter_mut() {
                *value -= mean;
            }
            if !shape.is_empty() {
                moved += mean;
            }
        }
        for theta in &mut self.theta {
            *theta -= moved;
        }
    }
}

/// Mean log loss of logits.
pub(super) fn log_loss(eta: &[f64], theta: &[f64], outcome: &[u8], weight: &[f64]) -> f64 {
    let mut sum = 0.0;
    let mut total = 0.0;
    for ((eta, outcome), weight) in eta.iter().zip(outcome).zip(weight) {
        sum -=
            weight * super::newton::derivatives(*eta, theta, usize::from(*outcome)).log_likelihood;
        total += weight;
    }
    sum / total
}
