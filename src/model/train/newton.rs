//! Proportional-odds logistic regression by weighted Newton steps; binary logistic regression is its case of one threshold.
//!
//! `P(y ≥ k | x) = σ(x·β − θ_k)`, `θ` rising (McCullagh, "Regression models for ordinal data", 1980). The likelihood is
//! concave, so that halved Newton steps reach its only maximum; the penalty is `½·l2·‖β‖²`, thresholds are free.

#![expect(
    clippy::indexing_slicing,
    reason = "matrices and their dimensions are made together here, and every index runs over one of them"
)]

use ndarray::{Array1, Array2, ArrayViewMut2, Axis, ShapeBuilder as _, Slice};
use serde::Serialize;
use std::ops::Range;

/// Rows worked on at once: their columns stay in the second-level cache.
const BLOCK: usize = 512;

/// Rows, and rows for each column, from which many rows take their curvature.
const FEW_ROWS: usize = 16_384;
const ROWS_PER_COLUMN: usize = 200;

/// The gradient at which a first point from few rows is near enough.
const FEW_TOLERANCE: f64 = 1e-6;

/// The part of the gradient that may be left after a step before the curvature is taken anew.
const SLOW: f64 = 0.25;

/// Steps after which the fit gives up.
const MOST_STEPS: usize = 50;

/// The greatest part of the gradient per unit of weight that counts as converged.
const TOLERANCE: f64 = 1e-9;

/// How a fit ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Convergence {
    /// Newton steps.
    pub iterations: usize,
    /// Greatest absolute part of the gradient, per unit of weight.
    pub gradient: f64,
    /// Condition number of the Hessian by which the last step was made.
    pub condition: f64,
    /// Mean log loss.
    pub log_loss: f64,
    /// Whether the gradient test was passed.
    pub converged: bool,
}

/// A fitted model.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) beta: Vec<f64>,
    pub(super) theta: Vec<f64>,
    pub(super) convergence: Convergence,
}

/// Rows to fit: a filler of blocks of the design matrix, outcomes and weights.
pub(super) struct Design<'a> {
    pub(super) columns: usize,
    pub(super) fill: &'a (dyn Fn(Range<usize>, ArrayViewMut2<'_, f64>) + Sync),
    pub(super) outcome: &'a [u8],
    pub(super) weight: &'a [f64],
}

pub(super) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// The thresholds of the outcome's own distribution, without features.
pub(super) fn marginal_thresholds(outcome: &[u8], weight: &[f64], levels: usize) -> Vec<f64> {
    let total: f64 = weight.iter().sum();
    (1..=levels)
        .map(|level| {
            let at_least: f64 = outcome
                .iter()
                .zip(weight)
                .filter(|(outcome, _)| usize::from(**outcome) >= level)
                .map(|(_, weight)| weight)
                .sum();
            let share = (at_least / total).clamp(1e-9, 1.0 - 1e-9);
            ((1.0 - share) / share).ln()
        })
        .collect()
}

/// First and second derivatives of one row's log-likelihood.
pub(super) struct Derivatives {
    pub(super) log_likelihood: f64,
    /// By `η`.
    pub(super) gradient: f64,
    /// Minus the second derivative by `η`.
    pub(super) curvature: f64,
    /// By the lower argument `η − θ_y` and the upper one `η − θ_{y+1}`.
    lower: f64,
    upper: f64,
    lower2: f64,
    upper2: f64,
    mixed: f64,
}

/// With `F` the logistic function: `log(F(a) − F(b))`, `a = η − θ_y`, `b = η − θ_{y+1}`; `F(a) = 1` for the least
/// outcome, `F(b) = 0` for the worst.
pub(super) fn derivatives(eta: f64, theta: &[f64], outcome: usize) -> Derivatives {
    let lower = outcome.checked_sub(1).and_then(|at| theta.get(at));
    let upper = theta.get(outcome);
    let a = lower.map_or(1.0, |theta| sigmoid(eta - theta));
    let b = upper.map_or(0.0, |theta| sigmoid(eta - theta));
    // The complement is taken on the side where nothing cancels.
    let probability = match (lower, upper) {
        (None, Some(theta)) => sigmoid(theta - eta),
        (Some(_), None) => a,
        _ => a - b,
    }
    .max(1e-300);
    let fa = lower.map_or(0.0, |_| a * (1.0 - a));
    let fb = upper.map_or(0.0, |_| b * (1.0 - b));
    let (da, db) = (fa / probability, fb / probability);
    Derivatives {
        log_likelihood: probability.ln(),
        gradient: 1.0 - lower.map_or(1.0, |_| a) - b,
        curvature: fa + fb,
        lower: da,
        upper: -db,
        lower2: da * (1.0 - 2.0 * a) - da * da,
        upper2: -db * (1.0 - 2.0 * b) - db * db,
        mixed: da * db,
    }
}

struct Point {
    objective: f64,
    log_likelihood: f64,
    gradient: Array1<f64>,
    /// Minus the Hessian, where it was asked for.
    information: Option<Array2<f64>>,
}

/// The likelihood and its derivatives at a point, from every `stride`-th block of rows, which stand for all of them.
fn evaluate(
    design: &Design<'_>,
    (beta, theta): (&[f64], &[f64]),
    l2: f64,
    stride: usize,
    full: bool,
) -> Point {
    let (d, k, n) = (design.columns, theta.len(), design.outcome.len());
    let size = d + k;
    let mut gradient = Array1::<f64>::zeros(size);
    let mut information = Array2::<f64>::zeros((size, size));
    // A column of a block lies in one piece.
    let mut block = Array2::<f64>::zeros((BLOCK, d).f());
    let (mut eta, mut by_eta, mut root) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
    let mut log_likelihood = 0.0;
    let (mut mass, mut total) = (0.0, 0.0);
    for (at, start) in (0..n).step_by(BLOCK).enumerate() {
        let end = (start + BLOCK).min(n);
        let weights = &design.weight[start..end];
        if stride > 1 {
            let of_block: f64 = weights.iter().sum();
            total += of_block;
            if at % stride != 0 {
                continue;
            }
            mass += of_block;
        }
        let rows = end - start;
        (design.fill)(
            start..end,
            block.slice_axis_mut(Axis(0), Slice::from(..rows)),
        );
        let x = block.slice_axis(Axis(0), Slice::from(..rows));
        let (eta, by_eta, root) = (&mut eta[..rows], &mut by_eta[..rows], &mut root[..rows]);
        eta.fill(0.0);
        by_eta.fill(0.0);
        root.fill(0.0);
        for (column, beta) in x.columns().into_iter().zip(beta) {
            for (eta, x) in eta.iter_mut().zip(column) {
                *eta += beta * x;
            }
        }
        let mut cross = Array2::<f64>::zeros((rows, k));
        for row in 0..rows {
            let y = usize::from(design.outcome[start + row]);
            let w = weights[row];
            if w == 0.0 {
                continue;
            }
            let one = derivatives(eta[row], theta, y);
            log_likelihood += w * one.log_likelihood;
            by_eta[row] = w * one.gradient;
            root[row] = (w * one.curvature).sqrt();
            if y >= 1 {
                gradient[d + y - 1] -= w * one.lower;
                information[[d + y - 1, d + y - 1]] -= w * one.lower2;
                cross[[row, y - 1]] += w * (one.lower2 + one.mixed);
            }
            if y < k {
                gradient[d + y] -= w * one.upper;
                information[[d + y, d + y]] -= w * one.upper2;
                cross[[row, y]] += w * (one.upper2 + one.mixed);
            }
            if y >= 1 && y < k {
                information[[d + y - 1, d + y]] -= w * one.mixed;
                information[[d + y, d + y - 1]] -= w * one.mixed;
            }
        }
        for (gradient, column) in gradient.iter_mut().zip(x.columns()) {
            *gradient += dot(column.as_slice().unwrap_or_default(), by_eta);
        }
        if full {
            let mixed = x.t().dot(&cross);
            let mut scaled = block.slice_axis_mut(Axis(0), Slice::from(..rows));
            for mut column in scaled.columns_mut() {
                for (x, root) in column.iter_mut().zip(root.iter()) {
                    *x *= root;
                }
            }
            let squares = scaled.t().dot(&scaled);
            for row in 0..d {
                for column in 0..d {
                    information[[row, column]] += squares[[row, column]];
                }
                for column in 0..k {
                    // ∂a/∂β = x and ∂a/∂θ = −1, so minus the mixed second derivative has the sign of `cross`.
                    information[[row, d + column]] += mixed[[row, column]];
                    information[[d + column, row]] += mixed[[row, column]];
                }
            }
        }
    }
    if stride > 1 && mass > 0.0 {
        let scale = total / mass;
        log_likelihood *= scale;
        gradient *= scale;
        information *= scale;
    }
    let mut penalty = 0.0;
    for column in 0..d {
        penalty += 0.5 * l2 * beta[column] * beta[column];
        gradient[column] -= l2 * beta[column];
        information[[column, column]] += l2;
    }
    Point {
        objective: log_likelihood - penalty,
        log_likelihood,
        gradient,
        information: full.then_some(information),
    }
}

/// The sum of products in four parts, which do not wait for one another.
fn dot(one: &[f64], other: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (one, rest) = one.as_chunks::<4>();
    let (other, other_rest) = other.as_chunks::<4>();
    for (one, other) in one.iter().zip(other) {
        for (sum, (a, b)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum += a * b;
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(rest.iter().zip(other_rest)) {
        *sum += a * b;
    }
    sums.iter().sum()
}

/// The Cholesky factor; a pivot that is not positive is lifted, which only shortens the step.
fn cholesky(matrix: &Array2<f64>) -> Array2<f64> {
    let n = matrix.nrows();
    let mut factor = Array2::<f64>::zeros((n, n));
    for column in 0..n {
        let mut pivot = matrix[[column, column]];
        for k in 0..column {
            pivot -= factor[[column, k]] * factor[[column, k]];
        }
        let floor = 1e-12 * matrix[[column, column]].abs().max(1e-12);
        factor[[column, column]] = pivot.max(floor).sqrt();
        for row in column + 1..n {
            let mut sum = matrix[[row, column]];
            for k in 0..column {
                sum -= factor[[row, k]] * factor[[column, k]];
            }
            factor[[row, column]] = sum / factor[[column, column]];
        }
    }
    factor
}

fn solve(factor: &Array2<f64>, right: &Array1<f64>) -> Array1<f64> {
    let n = right.len();
    let mut x = right.clone();
    for row in 0..n {
        for k in 0..row {
            x[row] -= factor[[row, k]] * x[k];
        }
        x[row] /= factor[[row, row]];
    }
    for row in (0..n).rev() {
        for k in row + 1..n {
            x[row] -= factor[[k, row]] * x[k];
        }
        x[row] /= factor[[row, row]];
    }
    x
}

/// Greatest over least eigenvalue, by power iteration on the matrix and on its inverse.
fn condition(matrix: &Array2<f64>, factor: &Array2<f64>) -> f64 {
    let power = |apply: &dyn Fn(&Array1<f64>) -> Array1<f64>| {
        let mut vector = Array1::from_elem(matrix.nrows(), 1.0);
        let mut value = 1.0;
        for _ in 0..60 {
            let next = apply(&vector);
            value = next.dot(&next).sqrt();
            if value == 0.0 || !value.is_finite() {
                return 1.0;
            }
            vector = next / value;
        }
        value
    };
    power(&|v| matrix.dot(v)) * power(&|v| solve(factor, v))
}

/// Where a fit begins.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) beta: Vec<f64>,
    pub(super) theta: Vec<f64>,
}

/// Fits the model; ends when the gradient is small or no halved step gains.
pub(super) fn fit(design: &Design<'_>, levels: usize, l2: f64) -> Fitted {
    fit_from(design, levels, l2, None)
}

/// As [`fit`], from a point that is near the end, where one is known.
///
/// The gradient comes from every row, and it alone says where the fit ends. Of many rows, some blocks give the first point
/// and the curvature by which steps are made: all rows would hardly change it, and most of the time goes into it.
pub(super) fn fit_from(
    design: &Design<'_>,
    levels: usize,
    l2: f64,
    start: Option<Start>,
) -> Fitted {
    let rows = FEW_ROWS.max(design.columns * ROWS_PER_COLUMN);
    let stride = (design.outcome.len() / rows).max(1);
    let far = start.is_none();
    let mut start = start.unwrap_or_else(|| Start {
        beta: vec![0.0; design.columns],
        theta: marginal_thresholds(design.outcome, design.weight, levels),
    });
    if stride > 1 && far {
        let few = climb(design, l2, start, (stride, stride), FEW_TOLERANCE);
        start = Start {
            beta: few.beta,
            theta: few.theta,
        };
    }
    climb(design, l2, start, (1, stride), TOLERANCE)
}

/// Climbs by Newton steps: one block of so many gives gradients, one of so many the curvature. Where a step by the
/// curvature of few blocks, or of an earlier point, gains too little, all blocks give it anew.
fn climb(
    design: &Design<'_>,
    l2: f64,
    start: Start,
    (seen, bent): (usize, usize),
    tolerance: f64,
) -> Fitted {
    let (d, levels) = (design.columns, start.theta.len());
    let total: f64 = design.weight.iter().sum();
    let norm = |point: &Point| point.gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs())) / total;
    let at = |beta: &[f64], theta: &[f64], stride, full| {
        evaluate(design, (beta, theta), l2, stride, full)
    };
    let bend = |point: Point| point.information.unwrap_or_default();
    let exact = seen == bent;
    let Start {
        mut beta,
        mut theta,
    } = start;
    let mut point = at(&beta, &theta, seen, exact);
    let mut information = match point.information.take() {
        Some(information) => information,
        None => bend(at(&beta, &theta, bent, true)),
    };
    let mut is_fresh = exact;
    let mut iterations = 0;
    while norm(&point) > tolerance && iterations < MOST_STEPS {
        let step = solve(&cholesky(&information), &point.gradient);
        let mut scale = 1.0;
        let mut moved = None;
        while scale > 1e-6 {
            let beta_next: Vec<f64> = (0..d).map(|at| beta[at] + scale * step[at]).collect();
            let theta_next: Vec<f64> = (0..levels)
                .map(|at| theta[at] + scale * step[d + at])
                .collect();
            let ordered = theta_next.windows(2).all(|pair| pair[0] < pair[1]);
            if ordered {
                let next = at(&beta_next, &theta_next, seen, exact);
                if next.objective >= point.objective - 1e-12 * point.objective.abs() {
                    moved = Some((beta_next, theta_next, next));
                    break;
                }
            }
            scale *= 0.5;
        }
        iterations += 1;
        let before = norm(&point);
        let is_stuck = moved.is_none();
        if let Some((beta_next, theta_next, next)) = moved {
            (beta, theta, point) = (beta_next, theta_next, next);
        }
        if let Some(next) = point.information.take() {
            information = next;
        } else if is_stuck && is_fresh {
            break;
        } else if is_stuck || norm(&point) > SLOW * before {
            information = bend(at(&beta, &theta, seen, true));
            is_fresh = true;
        } else {
            is_fresh = false;
        }
    }
    let gradient = norm(&point);
    Fitted {
        convergence: Convergence {
            iterations,
            gradient,
            condition: condition(&information, &cholesky(&information)),
            log_loss: -point.log_likelihood / total,
            converged: gradient <= TOLERANCE * 1e3,
        },
        beta,
        theta,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rng::SeededRng;

    /// The fit of many rows against Newton steps by all of them.
    fn check(x: &[[f64; 3]], outcome: &[u8], weight: &[f64], levels: usize) {
        let fill = |range: Range<usize>, mut block: ArrayViewMut2<'_, f64>| {
            for (mut row, x) in block.rows_mut().into_iter().zip(&x[range]) {
                for (cell, value) in row.iter_mut().zip(x) {
                    *cell = *value;
                }
            }
        };
        let design = Design {
            columns: 3,
            fill: &fill,
            outcome,
            weight,
        };
        let start = Start {
            beta: vec![0.0; 3],
            theta: marginal_thresholds(outcome, weight, levels),
        };
        let plain = climb(&design, 1.0, start, (1, 1), TOLERANCE);
        let quick = fit(&design, levels, 1.0);
        assert!(quick.convergence.converged, "{:?}", quick.convergence);
        assert!(quick.convergence.iterations < 15, "{:?}", quick.convergence);
        let one = plain.beta.iter().chain(&plain.theta);
        let other = quick.beta.iter().chain(&quick.theta);
        for (one, other) in one.zip(other) {
            assert!((one - other).abs() < 1e-6, "{plain:?} {quick:?}");
        }
    }

    fn outcome(rng: &mut SeededRng, eta: f64, levels: usize) -> u8 {
        let u = rng.unit_f64();
        let reached = (0..levels).filter(|level| u < sigmoid(eta - 1.0 - *level as f64));
        u8::try_from(reached.count()).unwrap()
    }

    #[test]
    fn many_rows_give_what_steps_by_all_of_them_give() {
        let mut rng = SeededRng::new(3, "many-rows");
        for levels in [1, 3] {
            let mut rows: Vec<([f64; 3], u8, f64)> = (0..70_000)
                .map(|_| {
                    let a = rng.unit_f64() * 4.0 - 2.0;
                    let b = 0.9 * a + rng.unit_f64() * 0.2;
                    let c = if rng.chance(0.01) { 1.0 } else { 0.0 };
                    let y = outcome(&mut rng, 0.8 * a - 0.3 * b + 1.5 * c, levels);
                    ([a, b, c], y, 0.5 + rng.unit_f64())
                })
                .collect();
            // In the order of the outcome no block is like another.
            rows.sort_by_key(|row| row.1);
            let x: Vec<[f64; 3]> = rows.iter().map(|row| row.0).collect();
            let y: Vec<u8> = rows.iter().map(|row| row.1).collect();
            let weight: Vec<f64> = rows.iter().map(|row| row.2).collect();
            check(&x, &y, &weight, levels);
        }
    }

    #[test]
    fn rows_that_say_nothing_of_a_column_do_not_lead_astray() {
        let mut rng = SeededRng::new(4, "many-rows");
        // The third column is there in every fourth block only, beside those that give the curvature.
        let x: Vec<[f64; 3]> = (0..70_000)
            .map(|row| {
                let there = row / BLOCK % 4 == 1;
                let c = if there {
                    rng.unit_f64() * 6.0 - 3.0
                } else {
                    0.0
                };
                [rng.unit_f64(), rng.unit_f64(), c]
            })
            .collect();
        let y: Vec<u8> = x
            .iter()
            .map(|x| outcome(&mut rng, x[0] - x[1] + 2.0 * x[2], 1))
            .collect();
        check(&x, &y, &vec![1.0; y.len()], 1);
    }
}
