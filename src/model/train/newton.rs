//! Proportional-odds logistic regression by weighted Newton steps; binary logistic regression is its case of one threshold.
//!
//! `P(y ≥ k | x) = σ(x·β − θ_k)`, `θ` rising (McCullagh, "Regression models for ordinal data", 1980). The likelihood is
//! concave, so that halved Newton steps reach its only maximum; the penalty is `½·l2·‖β‖²`, thresholds are free.

#![expect(
    clippy::indexing_slicing,
    reason = "matrices and their dimensions are made together here, and every index runs over one of them"
)]

use ndarray::{Array1, Array2, ArrayViewMut2, Axis, Slice};
use serde::Serialize;
use std::ops::Range;

/// Rows worked on at once.
const BLOCK: usize = 2_048;

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
    /// Condition number of the Hessian.
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
    /// Minus the Hessian.
    information: Array2<f64>,
}

fn evaluate(design: &Design<'_>, beta: &[f64], theta: &[f64], l2: f64, full: bool) -> Point {
    let (d, k, n) = (design.columns, theta.len(), design.outcome.len());
    let size = d + k;
    let mut gradient = Array1::<f64>::zeros(size);
    let mut information = Array2::<f64>::zeros((size, size));
    let beta_array = Array1::from(beta.to_vec());
    let mut block = Array2::<f64>::zeros((BLOCK, d));
    let mut log_likelihood = 0.0;
    let mut start = 0;
    while start < n {
        let end = (start + BLOCK).min(n);
        let rows = end - start;
        (design.fill)(
            start..end,
            block.slice_axis_mut(Axis(0), Slice::from(..rows)),
        );
        let x = block.slice_axis(Axis(0), Slice::from(..rows));
        let eta = x.dot(&beta_array);
        let mut by_eta = Array1::<f64>::zeros(rows);
        let mut root = Array1::<f64>::zeros(rows);
        let mut cross = Array2::<f64>::zeros((rows, k));
        for row in 0..rows {
            let y = usize::from(design.outcome[start + row]);
            let w = design.weight[start + row];
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
        let part = x.t().dot(&by_eta);
        for column in 0..d {
            gradient[column] += part[column];
        }
        if full {
            let mut scaled = x.to_owned();
            for (mut row, root) in scaled.rows_mut().into_iter().zip(&root) {
                row *= *root;
            }
            let squares = scaled.t().dot(&scaled);
            let mixed = x.t().dot(&cross);
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
        start = end;
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
        information,
    }
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

/// Fits the model; ends when the gradient is small or no halved step gains.
pub(super) fn fit(design: &Design<'_>, levels: usize, l2: f64) -> Fitted {
    let d = design.columns;
    let total: f64 = design.weight.iter().sum();
    let mut beta = vec![0.0; d];
    let mut theta = marginal_thresholds(design.outcome, design.weight, levels);
    let mut point = evaluate(design, &beta, &theta, l2, true);
    let mut iterations = 0;
    let norm = |point: &Point| point.gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs())) / total;
    while norm(&point) > TOLERANCE && iterations < MOST_STEPS {
        let step = solve(&cholesky(&point.information), &point.gradient);
        let mut scale = 1.0;
        let mut moved = None;
        while scale > 1e-6 {
            let beta_next: Vec<f64> = (0..d).map(|at| beta[at] + scale * step[at]).collect();
            let theta_next: Vec<f64> = (0..levels)
                .map(|at| theta[at] + scale * step[d + at])
                .collect();
            let ordered = theta_next.windows(2).all(|pair| pair[0] < pair[1]);
            if ordered {
                let next = evaluate(design, &beta_next, &theta_next, l2, true);
                if next.objective >= point.objective - 1e-12 * point.objective.abs() {
                    moved = Some((beta_next, theta_next, next));
                    break;
                }
            }
            scale *= 0.5;
        }
        iterations += 1;
        let Some((beta_next, theta_next, next)) = moved else {
            break;
        };
        (beta, theta, point) = (beta_next, theta_next, next);
    }
    let gradient = norm(&point);
    Fitted {
        convergence: Convergence {
            iterations,
            gradient,
            condition: condition(&point.information, &cholesky(&point.information)),
            log_loss: -point.log_likelihood / total,
            converged: gradient <= TOLERANCE * 1e3,
        },
        beta,
        theta,
    }
}
