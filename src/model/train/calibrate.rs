//! From points to probabilities, on held-back rows.
//!
//! Held-back rows of the same time say how often points come true, and at which level. Where the table has days, rows later
//! than all that a second model has seen say how much of that lasts, by the slope of a logistic curve on both. Where it is
//! flatter on later rows beyond chance, a logistic curve takes the flatter slope, and an isotonic one has its logits
//! flattened in the same proportion; either keeps its level.

use super::newton::{Design, fit, sigmoid};
use super::pav;
use crate::model::scorecard::MAX_POINTS;
use crate::model::{Calibration, CalibrationLevel, CalibrationMethod, Knot};

/// Points between two knots of a logistic curve.
const STEP: u16 = 10;

/// Standard errors by which a slope must be flatter to be taken.
const BEYOND_CHANCE: f64 = 2.0;

/// Rows to calibrate on.
#[derive(Clone, Copy)]
pub(super) struct Judged<'a> {
    /// Points by a model that had not seen the row.
    pub(super) points: &'a [f64],
    pub(super) outcome: &'a [u8],
    pub(super) weight: &'a [f64],
}

impl Judged<'_> {
    /// Which rows have at least this outcome.
    fn reached(&self, level: usize) -> Vec<u8> {
        self.outcome
            .iter()
            .map(|outcome| u8::from(usize::from(*outcome) >= level))
            .collect()
    }
}

/// The curves of all outcomes, one below the other, and the share of the slope that is left on `later` rows where that is
/// less than chance explains.
pub(super) fn calibrate(
    method: CalibrationMethod,
    rows: Judged<'_>,
    later: Option<Judged<'_>>,
    levels: usize,
) -> (Calibration, Option<f64>) {
    let mut curves: Vec<Vec<(u16, f64)>> = Vec::new();
    let mut left = None;
    for level in 1..=levels {
        let reached = rows.reached(level);
        let line = platt(rows.points, &reached, rows.weight);
        let flatter = later.and_then(|later| {
            let found = platt(later.points, &later.reached(level), later.weight);
            let chance = line.error.hypot(found.error);
            (line.slope - found.slope > BEYOND_CHANCE * chance).then_some(found.slope)
        });
        left = left.or(flatter.map(|slope| slope / line.slope));
        curves.push(match (method, flatter) {
            (CalibrationMethod::Isotonic, None) => {
                isotonic(&Places::new(rows.points, &reached, rows.weight))
            }
            (CalibrationMethod::Isotonic, Some(slope)) => {
                let places = Places::new(rows.points, &reached, rows.weight);
                flattened(isotonic(&places), slope / line.slope, &places)
            }
            (CalibrationMethod::Platt, None) => line.curve(),
            (CalibrationMethod::Platt, Some(slope)) => {
                let theta = level_of(rows.points, &reached, rows.weight, slope, line.theta);
                Line {
                    slope,
                    theta,
                    ..line
                }
                .curve()
            }
        });
    }
    let mut levels: Vec<CalibrationLevel> = Vec::new();
    for (position, curve) in curves.into_iter().enumerate() {
        let own = CalibrationLevel {
            outcome_at_least: u8::try_from(position + 1).unwrap_or(u8::MAX),
            knots: knots(curve),
        };
        levels.push(match levels.last() {
            None => own,
            Some(lesser) => below(own, lesser),
        });
    }
    (Calibration { method, levels }, left)
}

/// The lower of two curves at the knots of both, and between them wherever they cross.
fn below(own: CalibrationLevel, lesser: &CalibrationLevel) -> CalibrationLevel {
    let crosses =
        (0..=MAX_POINTS).any(|points| own.probability(points) > lesser.probability(points));
    if !crosses {
        return own;
    }
    let knots = (0..=MAX_POINTS)
        .map(|points| Knot {
            points,
            probability: own.probability(points).min(lesser.probability(points)),
        })
        .collect();
    CalibrationLevel { knots, ..own }
}

/// Six decimals are more than any sample supports, and short in the file.
fn knots(curve: Vec<(u16, f64)>) -> Vec<Knot> {
    let mut knots: Vec<Knot> = Vec::with_capacity(curve.len());
    for (points, probability) in curve {
        let probability = (probability * 1e6).round() / 1e6;
        if knots.last().is_none_or(|last| last.points < points) {
            knots.push(Knot {
                points,
                probability,
            });
        }
    }
    knots
}

/// `P = σ(slope · points / 100 − theta)`.
#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    theta: f64,
    /// Standard error of the slope.
    error: f64,
}

impl Line {
    fn probability(&self, points: f64) -> f64 {
        sigmoid(self.slope * points / 100.0 - self.theta)
    }

    fn curve(&self) -> Vec<(u16, f64)> {
        (0..=MAX_POINTS / STEP)
            .map(|step| {
                let points = step * STEP;
                (points, self.probability(f64::from(points)))
            })
            .collect()
    }
}

/// Weights that count rows.
fn by_rows(weight: &[f64]) -> Vec<f64> {
    let mass: f64 = weight.iter().sum();
    let scale = weight.len() as f64 / mass;
    weight.iter().map(|weight| weight * scale).collect()
}

fn platt(points: &[f64], reached: &[u8], weight: &[f64]) -> Line {
    let scaled = by_rows(weight);
    // Hundreds of points are of the size of logits, so that the steps are well scaled.
    let fill = |rows: std::ops::Range<usize>, mut block: ndarray::ArrayViewMut2<'_, f64>| {
        let part = points.get(rows).unwrap_or_default();
        for (cell, points) in block.iter_mut().zip(part) {
            *cell = points / 100.0;
        }
    };
    let design = Design {
        columns: 1,
        fill: &fill,
        outcome: reached,
        weight: &scaled,
    };
    let fitted = fit(&design, 1, 1e-6);
    let mut line = Line {
        slope: fitted.beta.first().copied().unwrap_or(0.0).max(0.0),
        theta: fitted.theta.first().copied().unwrap_or(0.0),
        error: f64::INFINITY,
    };
    // The information about the slope that the level leaves.
    let (mut all, mut one, mut two) = (0.0, 0.0, 0.0);
    for (points, weight) in points.iter().zip(&scaled) {
        let p = line.probability(*points);
        let (x, spread) = (points / 100.0, weight * p * (1.0 - p));
        all += spread;
        one += spread * x;
        two += spread * x * x;
    }
    let information = two - one * one / all;
    if information > 0.0 {
        line.error = information.sqrt().recip();
    }
    line
}

/// The level at which a slope gives the rows their mean, by Newton steps from `theta`.
fn level_of(points: &[f64], reached: &[u8], weight: &[f64], slope: f64, theta: f64) -> f64 {
    let mut line = Line {
        slope,
        theta,
        error: 0.0,
    };
    for _ in 0..50 {
        let (mut beyond, mut spread, mut mass) = (0.0, 0.0, 0.0);
        for ((points, reached), weight) in points.iter().zip(reached).zip(weight) {
            let p = line.probability(*points);
            beyond += weight * (p - f64::from(*reached));
            spread += weight * p * (1.0 - p);
            mass += weight;
        }
        if spread <= 0.0 || beyond.abs() <= 1e-12 * mass {
            break;
        }
        line.theta += (beyond / spread).clamp(-2.0, 2.0);
    }
    line.theta
}

/// Weight, and weight that reached the level, by whole points.
struct Places {
    mass: Vec<f64>,
    found: Vec<f64>,
}

impl Places {
    fn new(points: &[f64], reached: &[u8], weight: &[f64]) -> Self {
        let places = usize::from(MAX_POINTS) + 1;
        let mut mass = vec![0.0; places];
        let mut found = vec![0.0; places];
        for ((points, reached), weight) in points.iter().zip(reached).zip(weight) {
            let at = points.round().clamp(0.0, f64::from(MAX_POINTS)) as usize;
            if let (Some(mass), Some(found)) = (mass.get_mut(at), found.get_mut(at)) {
                *mass += weight;
                *found += weight * f64::from(*reached);
            }
        }
        Self { mass, found }
    }
}

/// A curve whose logits are `share` of what they were, moved to where the rows have their mean.
fn flattened(curve: Vec<(u16, f64)>, share: f64, rows: &Places) -> Vec<(u16, f64)> {
    // Knots are kept to six decimals.
    const LEAST: f64 = 1e-6;
    let marks: Vec<u16> = curve.iter().map(|(points, _)| *points).collect();
    let level = CalibrationLevel {
        outcome_at_least: 1,
        knots: knots(curve),
    };
    let logits: Vec<f64> = (0..=MAX_POINTS)
        .map(|points| {
            let p = level.probability(points).clamp(LEAST, 1.0 - LEAST);
            share * (p / (1.0 - p)).ln()
        })
        .collect();
    let total: f64 = rows.found.iter().sum();
    let mut shift = 0.0;
    for _ in 0..50 {
        let (mut beyond, mut spread) = (-total, 0.0);
        for (logit, mass) in logits.iter().zip(&rows.mass) {
            let p = sigmoid(logit + shift);
            beyond += mass * p;
            spread += mass * p * (1.0 - p);
        }
        if spread <= 0.0 || beyond.abs() <= 1e-12 * total {
            break;
        }
        shift -= (beyond / spread).clamp(-2.0, 2.0);
    }
    // Between the ends of blocks the curve is bent, so it has the knots of a logistic one too.
    (0..=MAX_POINTS)
        .zip(&logits)
        .filter(|(points, _)| points % STEP == 0 || marks.contains(points))
        .map(|(points, logit)| (points, sigmoid(logit + shift)))
        .collect()
}

fn isotonic(Places { mass, found }: &Places) -> Vec<(u16, f64)> {
    let used: Vec<(u16, f64, f64)> = mass
        .iter()
        .zip(found)
        .enumerate()
        .filter(|(_, (mass, _))| **mass > 0.0)
        .map(|(at, (mass, found))| (u16::try_from(at).unwrap_or(MAX_POINTS), found / mass, *mass))
        .collect();
    let values: Vec<f64> = used.iter().map(|place| place.1).collect();
    let weights: Vec<f64> = used.iter().map(|place| place.2).collect();
    let fitted = pav::rising(&values, &weights);
    // The first and last place of every block say it all.
    let mut curve: Vec<(u16, f64)> = Vec::new();
    for (position, ((points, _, _), probability)) in used.iter().zip(&fitted).enumerate() {
        let before = position.checked_sub(1).and_then(|at| fitted.get(at));
        let after = fitted.get(position + 1);
        if before != Some(probability) || after != Some(probability) {
            curve.push((*points, *probability));
        }
    }
    curve
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rng::SeededRng;

    /// Points with problems whose logit rises by `slope` for every hundred of them from even odds at 500.
    fn rows(count: usize, slope: f64, seed: u64) -> (Vec<f64>, Vec<u8>) {
        let mut rng = SeededRng::new(seed, "calibrate");
        (0..count)
            .map(|_| {
                let points = (rng.unit_f64() * 1_000.0).round();
                let logit = slope * (points - 500.0) / 100.0 - 1.0;
                (points, u8::from(rng.chance(sigmoid(logit))))
            })
            .unzip()
    }

    fn calibrated(
        method: CalibrationMethod,
        slope: f64,
        later: Option<f64>,
    ) -> (Calibration, Option<f64>) {
        let (points, outcome) = rows(8_000, slope, 1);
        let weight = vec![1.0; points.len()];
        let judged = |points, outcome, weight| Judged {
            points,
            outcome,
            weight,
        };
        let late = later.map(|slope| rows(3_000, slope, 2));
        let late_weight = vec![1.0; 3_000];
        let late = late
            .as_ref()
            .map(|(points, outcome)| judged(points, outcome, &late_weight));
        let rows = judged(&points, &outcome, &weight);
        let found = calibrate(method, rows, late, 1);
        let mean = |of: &dyn Fn(usize) -> f64| (0..8_000).map(of).sum::<f64>() / 8_000.0;
        let (said, seen) = (
            mean(&|at| found.0.probability(points[at] as u16)),
            mean(&|at| f64::from(outcome[at])),
        );
        assert!((said - seen).abs() < 0.002, "{said} {seen}");
        found
    }

    #[test]
    fn a_slope_that_fades_on_later_rows_is_taken_and_the_level_kept() {
        for method in [CalibrationMethod::Platt, CalibrationMethod::Isotonic] {
            let (plain, left) = calibrated(method, 0.8, None);
            assert_eq!(left, None);
            // What chance explains changes nothing.
            assert_eq!(calibrated(method, 0.8, Some(0.8)), (plain.clone(), None));
            // Nor does a slope that is steeper.
            assert_eq!(calibrated(method, 0.8, Some(1.2)).1, None);

            let (faded, left) = calibrated(method, 0.8, Some(0.4));
            assert!((left.unwrap() - 0.5).abs() < 0.1, "{left:?}");
            let spread = |of: &Calibration| of.probability(900) - of.probability(100);
            assert!(spread(&faded) < 0.8 * spread(&plain), "{method:?}");
            let probabilities: Vec<f64> = (0..=MAX_POINTS)
                .map(|points| faded.probability(points))
                .collect();
            assert!(probabilities.is_sorted(), "{method:?}");
        }
    }
}
