//! The second fitter: cyclic gradient boosting of bin points.
//!
//! Features take turns; each turn adds a small step to the feature's own bins, found by a tree of at most three leaves on
//! the gradients of all rows, so that correlated features share what they know (Lou, Caruana and Gehrke, "Intelligible
//! models for classification and regression", 2012; Nori et al., "InterpretML", 2019). A declared direction is kept by
//! projecting the bins after every turn. Each fold stops when its held-back rows gain no more, and the folds are averaged.

#![expect(
    clippy::indexing_slicing,
    reason = "INVARIANT: a bin code is below the number of bins of its term, by which every table here is sized"
)]

use super::additive::{Additive, Fit, PairShape, log_loss};
use super::bins::FeatureBins;
use super::newton::{derivatives, marginal_thresholds};
use super::params::{MissingRule, TrainParams};
use super::run::Rows;
use super::{pairs, parallel, pav};
use crate::model::train::error::TrainError;

/// Rows worked on at once.
const BLOCK: usize = 512;

/// Added to every curvature, in rows: a leaf of a few rows moves little.
const LAMBDA: f64 = 5.0;

/// The greatest step of a leaf before the learning rate.
const MOST_STEP: f64 = 4.0;

/// What one turn works on: a feature, or a pair of them.
pub(super) struct Term<'a> {
    pub(super) codes: &'a [u8],
    pub(super) count: usize,
    pub(super) kind: Kind<'a>,
}

pub(super) enum Kind<'a> {
    Feature(&'a FeatureBins),
    /// Cells of both axes.
    Pair(usize, usize),
}

/// Sums of gradient, curvature and rows of one bin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) gradient: f64,
    pub(super) curvature: f64,
}

impl Sum {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            curvature: self.curvature + other.curvature,
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
        }
    }

    pub(super) fn gain(self) -> f64 {
        self.gradient * self.gradient / (self.curvature + LAMBDA)
    }

    pub(super) fn step(self) -> f64 {
        (self.gradient / (self.curvature + LAMBDA)).clamp(-MOST_STEP, MOST_STEP)
    }
}

/// The logistic function in plain arithmetic, so that it is vectorised and the same everywhere; error below 5e-7.
fn sigmoid32(x: f32) -> f32 {
    let x = if x > 30.0 { 30.0 } else { x };
    let x = if x < -30.0 { -30.0 } else { x };
    // 2^t by its nearest whole power, read out of the sum's own bits, and a polynomial for the rest.
    let t = -x * std::f32::consts::LOG2_E;
    let shifted = t + 12_582_912.0;
    let whole = shifted - 12_582_912.0;
    let rest = t - whole;
    let power = shifted
        .to_bits()
        .wrapping_sub(0x4B40_0000)
        .wrapping_add(127)
        << 23;
    // The Taylor coefficients of 2^x: powers of ln 2 over factorials.
    let polynomial = 1.0
        + rest
            * (std::f32::consts::LN_2
                + rest
                    * (0.240_226_5
                        + rest
                            * (0.055_504_11
                                + rest
                                    * (0.009_618_13
                                        + rest * (0.001_333_36 + rest * 0.000_154_04)))));
    1.0 / (1.0 + polynomial * f32::from_bits(power))
}

/// Boosts `terms` from the logits `eta`; returns the values of each term at the best round and the number of that round.
pub(super) fn cycle(
    rows: &Rows<'_>,
    fold: usize,
    eta: &mut [f32],
    theta: &mut Vec<f64>,
    terms: &[Term<'_>],
    params: &TrainParams,
) -> (Vec<Vec<f64>>, usize) {
    let n = rows.outcome.len();
    let inside = |row: usize| usize::from(rows.fold[row]) != fold;
    // Held-back rows are carried along with weight zero, because their logits are needed after every round.
    let weight: Vec<f32> = (0..n)
        .map(|row| {
            if inside(row) {
                (rows.weight[row] * rows.scale) as f32
            } else {
                0.0
            }
        })
        .collect();
    let outcome: Vec<f32> = rows.outcome.iter().map(|y| f32::from(*y)).collect();
    let held: Vec<usize> = (0..n).filter(|row| !inside(*row)).collect();
    let mut values: Vec<Vec<f64>> = terms.iter().map(|term| vec![0.0; term.count]).collect();
    let mut best = (
        held_loss(rows, &held, eta, theta),
        0,
        values.clone(),
        theta.clone(),
    );
    let mut pending: Option<(usize, Vec<f32>)> = None;
    for round in 1..=params.rounds {
        for (at, term) in terms.iter().enumerate() {
            let applied = pending
                .as_ref()
                .map(|(at, step)| (terms[*at].codes, step.as_slice()));
            let sums = turn(term, applied, eta, theta, rows, &outcome, &weight);
            let step = grow(term, &sums, &values[at], params);
            for (value, step) in values[at].iter_mut().zip(&step) {
                *value += step;
            }
            pending = Some((at, step.iter().map(|step| *step as f32).collect()));
        }
        if let Some((at, step)) = pending.take() {
            apply(terms[at].codes, &step, eta);
        }
        if rows.levels > 1 {
            move_thresholds(rows, eta, theta, &weight);
        }
        let loss = held_loss(rows, &held, eta, theta);
        if loss < best.0 - 1e-7 {
            best = (loss, round, values.clone(), theta.clone());
        } else if round - best.1 >= params.patience {
            break;
        }
    }
    *theta = best.3;
    (best.2, best.1)
}

fn apply(codes: &[u8], step: &[f32], eta: &mut [f32]) {
    for (eta, code) in eta.iter_mut().zip(codes) {
        *eta += step[usize::from(*code)];
    }
}

/// Applies the step of the turn before and sums the gradients of this one, in one pass over the rows.
fn turn(
    term: &Term<'_>,
    applied: Option<(&[u8], &[f32])>,
    eta: &mut [f32],
    theta: &[f64],
    rows: &Rows<'_>,
    outcome: &[f32],
    weight: &[f32],
) -> Vec<Sum> {
    // Two tables taken in turn: rows of one bin in a row do not wait for each other's sums.
    let mut tables = [[Sum::default(); 256]; 2];
    let mut gradient = [0.0_f32; BLOCK];
    let mut curvature = [0.0_f32; BLOCK];
    let n = eta.len();
    let mut step_table = [0.0_f32; 256];
    if let Some((_, step)) = applied {
        step_table[..step.len()].copy_from_slice(step);
    }
    let mut start = 0;
    while start < n {
        let end = (start + BLOCK).min(n);
        let part = &mut eta[start..end];
        if let Some((codes, _)) = applied {
            for (eta, code) in part.iter_mut().zip(&codes[start..end]) {
                *eta += step_table[usize::from(*code)];
            }
        }
        let length = end - start;
        let (gradient, curvature) = (&mut gradient[..length], &mut curvature[..length]);
        if let [threshold] = theta {
            let threshold = *threshold as f32;
            let cells = part
                .iter()
                .zip(&outcome[start..end])
                .zip(&weight[start..end])
                .zip(gradient.iter_mut())
                .zip(curvature.iter_mut());
            for ((((eta, outcome), weight), gradient), curvature) in cells {
                let p = sigmoid32(*eta - threshold);
                *gradient = *weight * (*outcome - p);
                *curvature = *weight * p * (1.0 - p);
            }
        } else {
            ordinal(
                part,
                theta,
                &rows.outcome[start..end],
                &weight[start..end],
                gradient,
                curvature,
            );
        }
        let codes = &term.codes[start..end];
        for (at, code) in codes.iter().enumerate() {
            let sum = &mut tables[at & 1][usize::from(*code)];
            sum.gradient += f64::from(gradient[at]);
            sum.curvature += f64::from(curvature[at]);
        }
        start = end;
    }
    (0..term.count)
        .map(|bin| tables[0][bin].plus(tables[1][bin]))
        .collect()
}

/// Gradients of more than two outcomes: with `s_k = σ(η − θ_k)`, `1 − s_y − s_{y+1}` and `Σ s(1 − s)` over both.
fn ordinal(
    eta: &[f32],
    theta: &[f64],
    outcome: &[u8],
    weight: &[f32],
    gradient: &mut [f32],
    curvature: &mut [f32],
) {
    for at in 0..eta.len() {
        let y = usize::from(outcome[at]);
        let below = y
            .checked_sub(1)
            .map(|k| sigmoid32(eta[at] - theta[k] as f32));
        let above = theta.get(y).map(|theta| sigmoid32(eta[at] - *theta as f32));
        gradient[at] = weight[at] * (1.0 - below.unwrap_or(1.0) - above.unwrap_or(0.0));
        curvature[at] = weight[at]
            * [below, above]
                .into_iter()
                .flatten()
                .map(|s| s * (1.0 - s))
                .sum::<f32>();
    }
}

/// One Newton step of the thresholds, each by its own curvature, halved so that they stay in order.
fn move_thresholds(rows: &Rows<'_>, eta: &[f32], theta: &mut [f64], weight: &[f32]) {
    let k = theta.len();
    let mut gradient = vec![0.0; k];
    let mut curvature = vec![1e-9; k];
    for ((eta, outcome), weight) in eta.iter().zip(rows.outcome).zip(weight) {
        if *weight > 0.0 {
            for level in 0..k {
                let p = f64::from(sigmoid32(*eta - theta[level] as f32));
                let at_least = f64::from(u8::from(usize::from(*outcome) > level));
                gradient[level] += f64::from(*weight) * (p - at_least);
                curvature[level] += f64::from(*weight) * p * (1.0 - p);
            }
        }
    }
    let mut scale = 1.0;
    for _ in 0..20 {
        let next: Vec<f64> = (0..k)
            .map(|level| {
                theta[level] + scale * (gradient[level] / curvature[level]).clamp(-1.0, 1.0)
            })
            .collect();
        if next.windows(2).all(|pair| pair[0] < pair[1]) {
            theta.copy_from_slice(&next);
            return;
        }
        scale *= 0.5;
    }
}

fn held_loss(rows: &Rows<'_>, held: &[usize], eta: &[f32], theta: &[f64]) -> f64 {
    let mut sum = 0.0;
    let mut total = 0.0;
    for row in held {
        let one = derivatives(f64::from(eta[*row]), theta, usize::from(rows.outcome[*row]));
        sum -= rows.weight[*row] * one.log_likelihood;
        total += rows.weight[*row];
    }
    sum / f64::max(total, 1e-300)
}

/// The step of each bin of a term.
fn grow(term: &Term<'_>, sums: &[Sum], values: &[f64], params: &TrainParams) -> Vec<f64> {
    match &term.kind {
        Kind::Feature(bins) => grow_feature(bins, sums, values, params.learning_rate),
        Kind::Pair(first, second) => pairs::grow(*first, *second, sums, params.learning_rate),
    }
}

fn grow_feature(bins: &FeatureBins, sums: &[Sum], values: &[f64], rate: f64) -> Vec<f64> {
    let regular = bins.regular();
    let least_rows = (0.01 * bins.rows.iter().sum::<f64>()).max(20.0);
    let mut order: Vec<usize> = (0..regular).collect();
    if !bins.is_ordered() {
        // Categories stand in the order of what they ask for, as a tree would sort them (Fisher, 1958).
        order.sort_by(|a, b| sums[*a].step().total_cmp(&sums[*b].step()).then(a.cmp(b)));
    }
    let mut step = vec![0.0; bins.count()];
    let leaves = leaves(&order, sums, &bins.rows, least_rows);
    for range in leaves {
        let whole = order[range.clone()]
            .iter()
            .fold(Sum::default(), |sum, bin| sum.plus(sums[*bin]));
        for bin in &order[range] {
            step[*bin] = rate * whole.step();
        }
    }
    for bin in regular..bins.count() {
        if bins.rows[bin] > 0.0 {
            step[bin] = rate * sums[bin].step();
        }
    }
    if let Some(rises) = bins.rises() {
        let next: Vec<f64> = (0..regular).map(|bin| values[bin] + step[bin]).collect();
        let kept = pav::monotone(&next, &bins.weight[..regular], rises);
        for bin in 0..regular {
            step[bin] = kept[bin] - values[bin];
        }
    }
    if bins.rule.missing != MissingRule::Own {
        // The missing bin follows the mean of the known ones; the worst-bin rule is applied at the end.
        let missing = bins.count() - 1;
        let weight: f64 = bins.weight[..missing].iter().sum();
        let mean = (0..missing)
            .map(|bin| step[bin] * bins.weight[bin])
            .sum::<f64>();
        step[missing] = mean / weight.max(1e-300);
    }
    step
}

/// At most three leaves: the best cut, then the best cut of either side.
fn leaves(
    order: &[usize],
    sums: &[Sum],
    rows: &[f64],
    least_rows: f64,
) -> Vec<std::ops::Range<usize>> {
    let best_cut = |range: std::ops::Range<usize>| {
        let whole = order[range.clone()]
            .iter()
            .fold(Sum::default(), |sum, bin| sum.plus(sums[*bin]));
        let all_rows: f64 = order[range.clone()].iter().map(|bin| rows[*bin]).sum();
        let mut left = Sum::default();
        let mut left_rows = 0.0;
        let mut best: Option<(f64, usize)> = None;
        for at in range.start..range.end.saturating_sub(1) {
            left = left.plus(sums[order[at]]);
            left_rows += rows[order[at]];
            if left_rows < least_rows || all_rows - left_rows < least_rows {
                continue;
            }
            let gain = left.gain() + whole.minus(left).gain() - whole.gain();
            if gain > 1e-9 && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, at + 1));
            }
        }
        best
    };
    let all = 0..order.len();
    let Some((_, cut)) = best_cut(all.clone()) else {
        return vec![all];
    };
    let (low, high) = (0..cut, cut..order.len());
    match (best_cut(low.clone()), best_cut(high.clone())) {
        (Some((gain, at)), other) if other.is_none_or(|(other, _)| gain >= other) => {
            vec![0..at, at..cut, high]
        }
        (_, Some((_, at))) => vec![low, cut..at, at..order.len()],
        (_, None) => vec![low, high],
    }
}

/// What one fold gives.
struct Fold {
    shapes: Vec<Vec<f64>>,
    theta: Vec<f64>,
    rounds: usize,
    eta: Vec<f64>,
}

/// Fits the folds, looks for pair terms on what they leave, and averages.
pub(super) fn fit_boost(rows: &Rows<'_>, params: &TrainParams) -> Result<Fit, TrainError> {
    let n = rows.outcome.len();
    let folds = parallel::map(params.folds, params.threads, |fold| {
        let inside: Vec<f64> = (0..n)
            .map(|row| {
                if usize::from(rows.fold[row]) == fold {
                    0.0
                } else {
                    rows.weight[row]
                }
            })
            .collect();
        let mut theta = marginal_thresholds(rows.outcome, &inside, rows.levels);
        let terms: Vec<Term<'_>> = rows
            .bins
            .iter()
            .map(|bins| Term {
                codes: &bins.codes,
                count: bins.count(),
                kind: Kind::Feature(bins),
            })
            .collect();
        let mut eta = vec![0.0_f32; n];
        let (shapes, rounds) = cycle(rows, fold, &mut eta, &mut theta, &terms, params);
        let eta = Additive {
            shapes: shapes.clone(),
            pairs: Vec::new(),
            theta: theta.clone(),
        }
        .eta(rows.bins, n);
        Fold {
            shapes,
            theta,
            rounds,
            eta,
        }
    });
    let mut held_back = vec![0.0; n];
    for row in 0..n {
        let fold = &folds[usize::from(rows.fold[row])];
        held_back[row] = fold.eta[row] - fold.theta[0];
    }
    let theta = mean_of(folds.iter().map(|fold| {
        fold.theta
            .iter()
            .map(|theta| theta - fold.theta[0])
            .collect()
    }));
    let loss = log_loss(&held_back, &theta, rows.outcome, rows.weight);
    let mut model = Additive {
        shapes: (0..rows.bins.len())
            .map(|at| mean_of(folds.iter().map(|fold| fold.shapes[at].clone())))
            .collect(),
        pairs: Vec::new(),
        theta: mean_of(folds.iter().map(|fold| fold.theta.clone())),
    };
    let mut fit = Fit {
        held_back,
        held_back_theta: theta,
        held_back_loss: loss,
        convergence: None,
        rounds: folds.iter().map(|fold| fold.rounds).collect(),
        notes: Vec::new(),
        model: model.clone(),
    };
    finish_shapes(&mut model, rows.bins, params);
    add_pairs(rows, params, &folds, &mut model, &mut fit)?;
    model.centre(rows.bins);
    fit.model = model;
    Ok(fit)
}

/// The pair stage: kept only if the held-back rows gain, unless the pairs were declared.
fn add_pairs(
    rows: &Rows<'_>,
    params: &TrainParams,
    folds: &[Fold],
    model: &mut Additive,
    fit: &mut Fit,
) -> Result<(), TrainError> {
    let n = rows.outcome.len();
    let axes: Vec<_> = (0..rows.bins.len())
        .map(|feature| pairs::axis(feature, &rows.bins[feature], &model.shapes[feature]))
        .collect();
    let chosen = pairs::choose(rows, params, &axes, &fit.held_back, &fit.held_back_theta)?;
    if chosen.is_empty() {
        return Ok(());
    }
    let empty: Vec<PairShape> = chosen
        .iter()
        .map(|(first, second)| PairShape {
            first: axes[*first].clone(),
            second: axes[*second].clone(),
            grid: vec![0.0; axes[*first].cells * axes[*second].cells],
        })
        .collect();
    let codes: Vec<Vec<u8>> = empty
        .iter()
        .map(|pair| {
            (0..n)
                .map(|row| u8::try_from(pair.cell(rows.bins, row)).unwrap_or(u8::MAX))
                .collect()
        })
        .collect();
    let done = parallel::map(folds.len(), params.threads, |fold| {
        let terms: Vec<Term<'_>> = empty
            .iter()
            .zip(&codes)
            .map(|(pair, codes)| Term {
                codes,
                count: pair.grid.len(),
                kind: Kind::Pair(pair.first.cells, pair.second.cells),
            })
            .collect();
        let mut theta = folds[fold].theta.clone();
        let mut eta: Vec<f32> = folds[fold].eta.iter().map(|eta| *eta as f32).collect();
        let (grids, rounds) = cycle(rows, fold, &mut eta, &mut theta, &terms, params);
        (grids, theta, rounds)
    });
    let mut held_back = fit.held_back.clone();
    for row in 0..n {
        let fold = usize::from(rows.fold[row]);
        let (grids, theta, _) = &done[fold];
        let pairs: f64 = grids
            .iter()
            .zip(&codes)
            .map(|(grid, codes)| grid[usize::from(codes[row])])
            .sum();
        held_back[row] = folds[fold].eta[row] + pairs - theta[0];
    }
    let theta = mean_of(
        done.iter()
            .map(|(_, theta, _)| theta.iter().map(|value| value - theta[0]).collect()),
    );
    let loss = log_loss(&held_back, &theta, rows.outcome, rows.weight);
    let declared = !params.declared_pairs.is_empty();
    let names = chosen
        .iter()
        .map(|(first, second)| format!("{} × {}", rows.bins[*first].name, rows.bins[*second].name))
        .collect::<Vec<_>>()
        .join(", ");
    // A gain below a thousandth of the loss is not worth tables that people must read.
    if !declared && loss > fit.held_back_loss * 0.999 {
        fit.notes.push(format!(
            "pair terms were tried and left out: held-back log loss {loss:.5} with, {:.5} without ({names})",
            fit.held_back_loss
        ));
        return Ok(());
    }
    fit.notes.push(format!(
        "pair terms: held-back log loss {loss:.5} with, {:.5} without ({names})",
        fit.held_back_loss
    ));
    model.pairs = empty
        .into_iter()
        .enumerate()
        .map(|(at, mut pair)| {
            pair.grid = mean_of(done.iter().map(|(grids, _, _)| grids[at].clone()));
            pair
        })
        .collect();
    model.theta = mean_of(done.iter().map(|(_, theta, _)| theta.clone()));
    pairs::keep_direction(model, rows.bins);
    fit.held_back = held_back;
    fit.held_back_theta = theta;
    fit.held_back_loss = loss;
    Ok(())
}

/// Applies the rules of missing values to the averaged shapes.
fn finish_shapes(model: &mut Additive, bins: &[FeatureBins], params: &TrainParams) {
    for (shape, bins) in model.shapes.iter_mut().zip(bins) {
        let missing = bins.count() - 1;
        let known = || (0..missing).filter(|bin| bins.rows[*bin] > 0.0);
        let least = params.least_share * bins.rows.iter().sum::<f64>();
        match bins.rule.missing {
            MissingRule::Own if bins.rows[missing] >= least => {}
            MissingRule::Own | MissingRule::Neutral => {
                let weight: f64 = known().map(|bin| bins.weight[bin]).sum();
                let sum: f64 = known().map(|bin| shape[bin] * bins.weight[bin]).sum();
                shape[missing] = sum / weight.max(1e-300);
            }
            MissingRule::Worst => {
                shape[missing] = known()
                    .map(|bin| shape[bin])
                    .fold(f64::NEG_INFINITY, f64::max);
            }
        }
    }
}

fn mean_of(parts: impl Iterator<Item = Vec<f64>>) -> Vec<f64> {
    let mut sum: Vec<f64> = Vec::new();
    let mut count = 0.0;
    for part in parts {
        if sum.is_empty() {
            sum = part;
        } else {
            for (sum, value) in sum.iter_mut().zip(part) {
                *sum += value;
            }
        }
        count += 1.0;
    }
    sum.iter().map(|sum| sum / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_logistic_function_is_exact_to_five_parts_in_ten_million() {
        for step in -4_000..4_000 {
            let x = step as f32 / 100.0;
            let expected = super::super::newton::sigmoid(f64::from(x.clamp(-30.0, 30.0)));
            let found = f64::from(sigmoid32(x));
            assert!((found - expected).abs() <= 5e-7, "{x}: {found} {expected}");
        }
    }
}
