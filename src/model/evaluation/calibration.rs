//! Whether predicted probabilities come true.

use serde::{Deserialize, Serialize};

use super::bins::equal_weight;
use super::figure::Figure;
use super::proportion::Proportion;
use super::rows::{Ranked, Rows};
use super::slots::{add, at, code, ratio};

/// Number of bins of the calibration curve.
const BINS: u32 = 10;

/// Most steps of the fit of intercept and slope.
const STEPS: usize = 50;

/// Predicted against observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Bins of about equal weight, by rising probability.
    pub bins: Vec<CalibrationBin>,
    /// Expected calibration error: the mean distance between predicted and observed over the bins, by weight (Naeini,
    /// Cooper & Hauskrecht 2015, with bins of equal weight).
    pub error: Figure,
    /// What the error would be on average if every probability were right: with few rows it is not near 0.
    pub error_by_chance: Figure,
    /// Largest distance over the bins.
    pub largest_error: Figure,
    /// Intercept of a logistic regression of the outcome on the log-odds (Cox 1958); 0 is right.
    pub intercept: Figure,
    /// Slope of that regression: 1 is right, below 1 the probabilities are too extreme.
    pub slope: Figure,
}

/// One bin of the calibration curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationBin {
    /// Mean predicted probability.
    pub predicted: f64,
    /// What was observed.
    pub observed: Proportion,
}

impl Rows {
    /// Predicted against observed; absent without probabilities.
    pub(super) fn calibration(&self, weights: &[f64]) -> Option<Calibration> {
        let probabilities = self.probability.as_deref()?;
        let ranked = Ranked::of(probabilities);
        let (bin_of_rank, count) = equal_weight(&ranked, weights, BINS);
        let bin: Vec<u32> = ranked
            .rank
            .iter()
            .map(|rank| bin_of_rank.get(*rank as usize).copied().unwrap_or(0))
            .collect();
        let (mut predicted, mut weight, mut chance) =
            (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
        for (row, (p, w)) in probabilities.iter().zip(weights).enumerate() {
            let of = code(&bin, row);
            add(&mut predicted, of, w * p);
            add(&mut weight, of, *w);
            add(&mut chance, of, w * w * p * (1.0 - p));
        }
        let bins: Vec<CalibrationBin> = self
            .proportions(&bin, count, weights)
            .into_iter()
            .enumerate()
            .map(|(of, observed)| CalibrationBin {
                predicted: ratio(at(&predicted, of), at(&weight, of)).unwrap_or(0.0),
                observed,
            })
            .collect();
        let distance = |bin: &CalibrationBin| {
            (bin.observed.rate.unwrap_or(bin.predicted) - bin.predicted).abs()
        };
        let error: f64 = bins
            .iter()
            .map(|bin| bin.observed.share * distance(bin))
            .sum();
        // The mean of |x| of a normal x with variance v is √(2v/π); v is that of the bin's rate when every p is right.
        let total: f64 = weight.iter().sum();
        let by_chance: f64 = chance
            .iter()
            .map(|variance| (2.0 * variance / std::f64::consts::PI).sqrt() / total)
            .sum();
        let (intercept, slope) = self.recalibration(probabilities, weights);
        Some(Calibration {
            largest_error: Figure::of(bins.iter().map(distance).fold(0.0, f64::max)),
            bins,
            error: Figure::of(error),
            error_by_chance: Figure::of(by_chance),
            intercept,
            slope,
        })
    }

    /// Intercept and slope by Newton's method with step halving.
    fn recalibration(&self, probabilities: &[f64], weights: &[f64]) -> (Figure, Figure) {
        const FEW: &str = "the outcome or the probability is the same in every row, or one foretells the other without fail";
        let none = || (Figure::not_estimable(FEW), Figure::not_estimable(FEW));
        let odds: Vec<f64> = probabilities
            .iter()
            .map(|p| {
                let p = p.clamp(1e-9, 1.0 - 1e-9);
                (p / (1.0 - p)).ln()
            })
            .collect();
        let loss = |a: f64, b: f64| -> f64 {
            odds.iter()
                .zip(&self.outcome)
                .zip(weights)
                .map(|((x, found), weight)| {
                    let z = a + b * x;
                    let softplus = z.max(0.0) + (-z.abs()).exp().ln_1p();
                    weight * (softplus - if *found { z } else { 0.0 })
                })
                .sum()
        };
        let (mut a, mut b) = (0.0, 1.0);
        let mut current = loss(a, b);
        for _ in 0..STEPS {
            let (mut g0, mut g1, mut h00, mut h01, mut h11) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for ((x, found), weight) in odds.iter().zip(&self.outcome).zip(weights) {
                let p = 1.0 / (1.0 + (-(a + b * x)).exp());
                let residual = weight * (if *found { 1.0 } else { 0.0 } - p);
                let spread = weight * p * (1.0 - p);
                g0 += residual;
                g1 += residual * x;
                h00 += spread;
                h01 += spread * x;
                h11 += spread * x * x;
            }
            let determinant = h00 * h11 - h01 * h01;
            if !(determinant > 1e-10 * h00 * h11 && determinant.is_finite()) {
                return none();
            }
            let (mut da, mut db) = (
                (h11 * g0 - h01 * g1) / determinant,
                (h00 * g1 - h01 * g0) / determinant,
            );
            let mut next = loss(a + da, b + db);
            // A loss that is not a number is no improvement either.
            while (next.is_nan() || next > current) && da.abs() + db.abs() > 1e-12 {
                (da, db) = (da / 2.0, db / 2.0);
                next = loss(a + da, b + db);
            }
            (a, b, current) = (a + da, b + db, next);
            // Perfect separation runs off to infinity.
            if b.abs() > 50.0 || a.abs() > 200.0 {
                return none();
            }
            if da.abs() + db.abs() < 1e-9 {
                return (Figure::of(a), Figure::of(b));
            }
        }
        none()
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Columns;
    use super::*;
    use crate::domain::rng::SeededRng;

    fn rows(probability: Vec<f64>, outcome: Vec<bool>) -> Rows {
        Columns {
            score: probability.clone(),
            outcome,
            probability: Some(probability),
            ..Columns::default()
        }
        .check()
        .unwrap()
    }

    #[test]
    fn two_bins_give_the_error_by_hand() {
        // At 0.2: one of four; at 0.6: three of four. Distances 0.05 and 0.15, of equal weight.
        let rows = rows(
            vec![0.2, 0.2, 0.2, 0.2, 0.6, 0.6, 0.6, 0.6],
            vec![true, false, false, false, true, true, true, false],
        );
        let calibration = rows.calibration(&[1.0; 8]).unwrap();
        assert_eq!(calibration.bins.len(), 2);
        assert!((calibration.error.value.unwrap() - 0.1).abs() < 1e-12);
        assert!((calibration.largest_error.value.unwrap() - 0.15).abs() < 1e-12);
        // Two groups: the regression meets both rates, logit(¼) at logit(0.2) and logit(¾) at logit(0.6).
        let logit = |p: f64| (p / (1.0 - p)).ln();
        let slope = (logit(0.75) - logit(0.25)) / (logit(0.6) - logit(0.2));
        assert!((calibration.slope.value.unwrap() - slope).abs() < 1e-7);
        let intercept = logit(0.25) - slope * logit(0.2);
        assert!((calibration.intercept.value.unwrap() - intercept).abs() < 1e-7);
    }

    #[test]
    fn right_probabilities_have_the_error_of_chance_and_slope_one() {
        let mut rng = SeededRng::new(1, "calibration");
        let (mut errors, mut chances) = (0.0, 0.0);
        for _ in 0..40 {
            let probability: Vec<f64> = (0..2_000).map(|_| 0.02 + 0.4 * rng.unit_f64()).collect();
            let outcome = probability.iter().map(|p| rng.chance(*p)).collect();
            let calibration = rows(probability, outcome)
                .calibration(&[1.0; 2_000])
                .unwrap();
            errors += calibration.error.value.unwrap();
            chances += calibration.error_by_chance.value.unwrap();
            assert!((calibration.slope.value.unwrap() - 1.0).abs() < 0.35);
        }
        assert!((errors / chances - 1.0).abs() < 0.1, "{errors} {chances}");
    }

    #[test]
    fn a_perfect_or_constant_prediction_has_no_slope() {
        let perfect = rows(vec![0.9, 0.9, 0.1, 0.1], vec![true, true, false, false]);
        let calibration = perfect.calibration(&[1.0; 4]).unwrap();
        assert!(calibration.slope.value.is_none() && calibration.error.value.is_some());
        let constant = rows(vec![0.5; 4], vec![true, true, false, false]);
        let calibration = constant.calibration(&[1.0; 4]).unwrap();
        assert!(calibration.slope.value.is_none());
        assert_eq!(
            (calibration.bins.len(), calibration.error.value),
            (1, Some(0.0))
        );
    }
}
