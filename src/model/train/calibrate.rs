//! From points to probabilities, on held-back rows.

use super::newton::{Design, fit, sigmoid};
use super::pav;
use crate::model::scorecard::MAX_POINTS;
use crate::model::{Calibration, CalibrationLevel, CalibrationMethod, Knot};

/// Points between two knots of a logistic curve.
const STEP: u16 = 10;

/// The curves of all outcomes, one below the other.
pub(super) fn calibrate(
    method: CalibrationMethod,
    points: &[f64],
    outcome: &[u8],
    weight: &[f64],
    levels: usize,
) -> Calibration {
    let mut curves: Vec<Vec<(u16, f64)>> = Vec::new();
    for level in 1..=levels {
        let reached: Vec<u8> = outcome
            .iter()
            .map(|outcome| u8::from(usize::from(*outcome) >= level))
            .collect();
        curves.push(match method {
            CalibrationMethod::Isotonic => isotonic(points, &reached, weight),
            CalibrationMethod::Platt => platt(points, &reached, weight),
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
    Calibration { method, levels }
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

fn platt(points: &[f64], reached: &[u8], weight: &[f64]) -> Vec<(u16, f64)> {
    let mass: f64 = weight.iter().sum();
    let scale = weight.len() as f64 / mass;
    let scaled: Vec<f64> = weight.iter().map(|weight| weight * scale).collect();
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
    let slope = fitted.beta.first().copied().unwrap_or(0.0).max(0.0);
    let theta = fitted.theta.first().copied().unwrap_or(0.0);
    (0..=MAX_POINTS / STEP)
        .map(|step| {
            let points = step * STEP;
            (points, sigmoid(slope * f64::from(points) / 100.0 - theta))
        })
        .collect()
}

fn isotonic(points: &[f64], reached: &[u8], weight: &[f64]) -> Vec<(u16, f64)> {
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
    let used: Vec<(u16, f64, f64)> = mass
        .iter()
        .zip(&found)
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
