//! The first fitter: weights of evidence of monotone bins, weighted by a logistic regression.
//!
//! The weight of evidence of a bin is the shift of the logit that its own rows ask for, with half a row of doubt; for two
//! outcomes it is `ln(odds in the bin / odds overall)`. A declared direction is kept by pooling bins that run against it.

#![expect(
    clippy::indexing_slicing,
    reason = "INVARIANT: a bin code is below the number of bins of its feature, by which every table here is sized"
)]

use std::borrow::Cow;

use super::additive::{Additive, Fit, log_loss};
use super::bins::{FeatureBins, LeftOut};
use super::error::TrainError;
use super::newton::{Design, Start, derivatives, fit_from, marginal_thresholds};
use super::parallel;
use super::params::{MissingRule, TrainParams};
use super::pav;
use super::run::Rows;

/// Weight of the doubt that pulls a bin towards no evidence.
const DOUBT: f64 = 1.0;

/// Counts of outcomes in each bin.
type Counts = Vec<[f64; 4]>;

fn counts(bins: usize, codes: &[u8], outcome: &[u8], weight: &[f64]) -> Counts {
    let mut counts = vec![[0.0; 4]; bins];
    for ((code, outcome), weight) in codes.iter().zip(outcome).zip(weight) {
        counts[usize::from(*code)][usize::from(*outcome)] += weight;
    }
    counts
}

/// The shift that maximises the bin's likelihood less the doubt, by Newton steps.
fn shift(counts: &[f64; 4], theta: &[f64], scale: f64) -> f64 {
    let mut at = 0.0;
    for _ in 0..60 {
        let (mut gradient, mut curvature) = (-DOUBT * at, DOUBT);
        for (outcome, count) in counts.iter().enumerate().take(theta.len() + 1) {
            if *count > 0.0 {
                let one = derivatives(at, theta, outcome);
                gradient += count * scale * one.gradient;
                curvature += count * scale * one.curvature;
            }
        }
        let step = (gradient / curvature).clamp(-2.0, 2.0);
        at += step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    at
}

fn mean(counts: &[f64; 4]) -> f64 {
    let total: f64 = counts.iter().sum();
    let weighted: f64 = counts
        .iter()
        .zip([0.0, 1.0, 2.0, 3.0])
        .map(|(c, y)| c * y)
        .sum();
    if total > 0.0 { weighted / total } else { 0.0 }
}

fn total(counts: &[f64; 4]) -> f64 {
    counts.iter().sum()
}

/// The weights of evidence of one feature, or why it has none.
fn evidence(
    bins: &FeatureBins,
    counts: &Counts,
    theta: &[f64],
    scale: f64,
    params: &TrainParams,
) -> Result<Vec<f64>, String> {
    let regular = bins.regular();
    let mut woe = vec![0.0; bins.count()];
    let pooled = if bins.is_ordered() {
        match bins.rises() {
            Some(rises) => pool(bins, counts, Some(rises), params),
            None => undeclared(bins, counts, theta, scale, params),
        }
    } else {
        (0..regular).collect()
    };
    let mut sums = vec![[0.0; 4]; regular];
    for (bin, group) in pooled.iter().enumerate() {
        for (sum, count) in sums[*group].iter_mut().zip(&counts[bin]) {
            *sum += count;
        }
    }
    for (bin, group) in pooled.iter().enumerate() {
        woe[bin] = shift(&sums[*group], theta, scale);
    }
    // For more than two outcomes the shifts may run against the means by a hair; the projection settles it.
    if let Some(rises) = bins.rises() {
        let weights: Vec<f64> = counts.iter().take(regular).map(total).collect();
        let monotone = pav::monotone(&woe[..regular], &weights, rises);
        woe[..regular].copy_from_slice(&monotone);
    }
    let flat = woe
        .iter()
        .take(regular)
        .all(|value| (value - woe[0]).abs() < 1e-9);
    if flat && regular > 1 && bins.direction.is_some() {
        return Err("carries no evidence in its declared direction".to_owned());
    }
    let least = params.least_share * counts.iter().map(total).sum::<f64>();
    for bin in regular..bins.count() {
        if total(&counts[bin]) > 0.0 {
            woe[bin] = shift(&counts[bin], theta, scale);
        }
    }
    let missing = bins.count() - 1;
    woe[missing] = missing_value(bins, &woe, counts, least);
    let differ = woe
        .iter()
        .zip(counts)
        .filter(|(_, counts)| total(counts) > 0.0)
        .any(|(value, _)| (value - woe[0]).abs() > 1e-9);
    if !differ {
        return Err("carries no evidence".to_owned());
    }
    Ok(woe)
}

/// What a missing value gets under the rule of its feature.
fn missing_value(bins: &FeatureBins, woe: &[f64], counts: &Counts, least: f64) -> f64 {
    let missing = bins.count() - 1;
    let known = || (0..missing).filter(|bin| total(&counts[*bin]) > 0.0);
    let neutral = || {
        let weight: f64 = known().map(|bin| total(&counts[bin])).sum();
        known()
            .map(|bin| woe[bin] * total(&counts[bin]))
            .sum::<f64>()
            / weight.max(1e-12)
    };
    match bins.rule.missing {
        MissingRule::Own if total(&counts[missing]) >= least.max(1e-12) => woe[missing],
        MissingRule::Own | MissingRule::Neutral => neutral(),
        MissingRule::Worst => known()
            .map(|bin| woe[bin])
            .fold(f64::NEG_INFINITY, f64::max),
    }
}

/// The pool of each regular bin: violators of the direction together, then small pools with a neighbour.
fn pool(
    bins: &FeatureBins,
    counts: &Counts,
    rises: Option<bool>,
    params: &TrainParams,
) -> Vec<usize> {
    let regular = bins.regular();
    let means: Vec<f64> = counts.iter().take(regular).map(mean).collect();
    let weights: Vec<f64> = counts.iter().take(regular).map(total).collect();
    let fitted = match rises {
        Some(rises) => pav::monotone(&means, &weights, rises),
        None => (0..regular).map(|bin| bin as f64).collect(),
    };
    // Pools in order: (rows, weight, weighted mean · weight, length).
    let mut pools: Vec<(f64, f64, f64, usize)> = Vec::new();
    for bin in 0..regular {
        let same = bin > 0 && fitted[bin] == fitted[bin - 1];
        let part = (bins.rows[bin], weights[bin], means[bin] * weights[bin], 1);
        match pools.last_mut() {
            Some(last) if same => {
                *last = (
                    last.0 + part.0,
                    last.1 + part.1,
                    last.2 + part.2,
                    last.3 + 1,
                );
            }
            _ => pools.push(part),
        }
    }
    let least_rows = params.least_share * bins.rows.iter().sum::<f64>();
    let least_weight = params.least_share * counts.iter().map(total).sum::<f64>();
    let most = if rises.is_some() { usize::MAX } else { 10 };
    while pools.len() > 1 {
        let small = (0..pools.len())
            .filter(|at| {
                pools[*at].0 < least_rows || pools[*at].1 < least_weight || pools.len() > most
            })
            .min_by(|a, b| pools[*a].1.total_cmp(&pools[*b].1));
        let Some(at) = small else {
            break;
        };
        let rate = |at: usize| pools[at].2 / pools[at].1.max(1e-12);
        // Into the neighbour whose rate is nearer.
        let left = at > 0
            && (at + 1 == pools.len()
                || (rate(at) - rate(at - 1)).abs() <= (rate(at + 1) - rate(at)).abs());
        let low = if left { at - 1 } else { at };
        let upper = pools.remove(low + 1);
        let lower = &mut pools[low];
        *lower = (
            lower.0 + upper.0,
            lower.1 + upper.1,
            lower.2 + upper.2,
            lower.3 + upper.3,
        );
    }
    pools
        .iter()
        .enumerate()
        .flat_map(|(group, pool)| std::iter::repeat_n(group, pool.3))
        .collect()
}

/// Without a declared direction: the better monotone one if it keeps nine tenths of what free bins carry, else free bins.
fn undeclared(
    bins: &FeatureBins,
    counts: &Counts,
    theta: &[f64],
    scale: f64,
    params: &TrainParams,
) -> Vec<usize> {
    let carried = |pooled: &[usize]| {
        let mut sums: Counts = vec![[0.0; 4]; pooled.last().map_or(0, |last| last + 1)];
        for (bin, group) in pooled.iter().enumerate() {
            for (sum, count) in sums[*group].iter_mut().zip(&counts[bin]) {
                *sum += count;
            }
        }
        sums.iter()
            .map(|counts| {
                let at = shift(counts, theta, scale);
                let gain = |eta: f64| -> f64 {
                    (0..=theta.len())
                        .map(|y| counts[y] * derivatives(eta, theta, y).log_likelihood)
                        .sum()
                };
                gain(at) - gain(0.0)
            })
            .sum::<f64>()
    };
    let free = pool(bins, counts, None, params);
    let up = pool(bins, counts, Some(true), params);
    let down = pool(bins, counts, Some(false), params);
    let (up_gain, down_gain) = (carried(&up), carried(&down));
    let (best, gain) = if up_gain >= down_gain {
        (up, up_gain)
    } else {
        (down, down_gain)
    };
    if gain >= 0.9 * carried(&free) {
        best
    } else {
        free
    }
}

/// A fitted model, the features it left out, and how the fit ended.
struct One {
    model: Additive,
    left_out: Vec<LeftOut>,
    convergence: super::newton::Convergence,
    coefficients: Coefficients,
}

/// What the regression gave each feature, zero to those it left out, and the thresholds.
struct Coefficients {
    beta: Vec<f64>,
    theta: Vec<f64>,
}

impl Coefficients {
    fn start(&self, kept: &[usize]) -> Start {
        Start {
            beta: kept.iter().map(|at| self.beta[*at]).collect(),
            theta: self.theta.clone(),
        }
    }
}

/// The rows that one fit sees.
struct Seen<'a> {
    /// Bin of each row, by feature.
    codes: Vec<Cow<'a, [u8]>>,
    outcome: Cow<'a, [u8]>,
    weight: Cow<'a, [f64]>,
}

impl<'a> Seen<'a> {
    fn all(rows: &Rows<'a>) -> Self {
        Self {
            codes: rows
                .bins
                .iter()
                .map(|bins| bins.codes.as_slice().into())
                .collect(),
            outcome: rows.outcome.into(),
            weight: rows.weight.into(),
        }
    }

    fn without(rows: &Rows<'a>, fold: usize) -> Self {
        let kept: Vec<usize> = (0..rows.fold.len())
            .filter(|row| usize::from(rows.fold[*row]) != fold)
            .collect();
        let bytes = |of: &[u8]| kept.iter().map(|row| of[*row]).collect::<Vec<u8>>();
        Self {
            codes: rows
                .bins
                .iter()
                .map(|bins| bytes(&bins.codes).into())
                .collect(),
            outcome: bytes(rows.outcome).into(),
            weight: kept.iter().map(|row| rows.weight[*row]).collect(),
        }
    }
}

/// Fits the rows that are seen; `near` are the coefficients of rows that are much the same.
fn fit_one(
    rows: &Rows<'_>,
    seen: &Seen<'_>,
    near: Option<&Coefficients>,
    params: &TrainParams,
) -> Result<One, TrainError> {
    let theta = marginal_thresholds(&seen.outcome, &seen.weight, rows.levels);
    let mass: f64 = seen.weight.iter().sum();
    let used = seen.weight.iter().filter(|weight| **weight > 0.0).count();
    // The doubt is worth a row, whatever the scale of the weights.
    let scale = used as f64 / mass;
    let mut left_out = Vec::new();
    let mut woe: Vec<Vec<f64>> = Vec::with_capacity(rows.bins.len());
    for (bins, codes) in rows.bins.iter().zip(&seen.codes) {
        let counts = counts(bins.count(), codes, &seen.outcome, &seen.weight);
        match evidence(bins, &counts, &theta, scale, params) {
            Ok(values) => woe.push(values),
            Err(reason) => {
                left_out.push(LeftOut {
                    feature: bins.name.clone(),
                    reason,
                });
                woe.push(Vec::new());
            }
        }
    }
    let scaled: Vec<f64> = seen.weight.iter().map(|weight| weight * scale).collect();
    let mut found: Option<Coefficients> = None;
    loop {
        let kept: Vec<usize> = (0..woe.len()).filter(|at| !woe[*at].is_empty()).collect();
        if kept.is_empty() {
            return Err(TrainError::NoFeatures(
                "no feature carries evidence in its declared direction".to_owned(),
            ));
        }
        let fill = |range: std::ops::Range<usize>, mut block: ndarray::ArrayViewMut2<'_, f64>| {
            for (column, at) in kept.iter().enumerate() {
                let codes = &seen.codes[*at][range.clone()];
                let values = &woe[*at];
                for (cell, code) in block.column_mut(column).iter_mut().zip(codes) {
                    *cell = values[usize::from(*code)];
                }
            }
        };
        let design = Design {
            columns: kept.len(),
            fill: &fill,
            outcome: &seen.outcome,
            weight: &scaled,
        };
        let start = found.as_ref().or(near).map(|near| near.start(&kept));
        let fitted = fit_from(&design, rows.levels, params.l2, start);
        if !fitted.convergence.converged {
            return Err(TrainError::NotConverged {
                iterations: fitted.convergence.iterations,
                gradient: fitted.convergence.gradient,
            });
        }
        let mut coefficients = Coefficients {
            beta: vec![0.0; woe.len()],
            theta: fitted.theta.clone(),
        };
        for (at, beta) in kept.iter().zip(&fitted.beta) {
            coefficients.beta[*at] = *beta;
        }
        // A coefficient below zero turns the points of its feature against its own problem rates.
        let wrong: Vec<usize> = (0..kept.len())
            .filter(|at| fitted.beta[*at] <= 0.0)
            .collect();
        if wrong.is_empty() {
            let mut shapes = vec![Vec::new(); woe.len()];
            for (column, at) in kept.iter().enumerate() {
                shapes[*at] = woe[*at]
                    .iter()
                    .map(|value| value * fitted.beta[column])
                    .collect();
            }
            let mut model = Additive {
                shapes,
                pairs: Vec::new(),
                theta: fitted.theta,
            };
            model.centre(rows.bins);
            return Ok(One {
                model,
                left_out,
                convergence: fitted.convergence,
                coefficients,
            });
        }
        let worst = wrong
            .iter()
            .copied()
            .min_by(|a, b| fitted.beta[*a].total_cmp(&fitted.beta[*b]))
            .unwrap_or(0);
        let feature = rows.bins[kept[worst]].name.clone();
        let reason =
            "has a coefficient of the wrong sign beside the others, so its points would run against its problem rates"
                .to_owned();
        if params.strict {
            return Err(TrainError::WrongWay { feature, reason });
        }
        // Several at once where there are many, so that a wide table needs few fits.
        let mut order = wrong;
        order.sort_unstable_by(|a, b| fitted.beta[*a].total_cmp(&fitted.beta[*b]));
        let most = order.len().div_ceil(2);
        for column in order.into_iter().take(most) {
            left_out.push(LeftOut {
                feature: rows.bins[kept[column]].name.clone(),
                reason: reason.clone(),
            });
            woe[kept[column]] = Vec::new();
        }
        found = Some(coefficients);
    }
}

/// Fits all rows, and nothing else.
pub(super) fn fit_whole(rows: &Rows<'_>, params: &TrainParams) -> Result<Additive, TrainError> {
    fit_one(rows, &Seen::all(rows), None, params).map(|one| one.model)
}

/// Fits all rows, and each fold's rows without it for the held-back logits.
pub(super) fn fit_woe(
    rows: &Rows<'_>,
    params: &TrainParams,
) -> Result<(Fit, Vec<LeftOut>), TrainError> {
    let folds = params.folds;
    let One {
        model,
        left_out,
        convergence,
        coefficients,
    } = fit_one(rows, &Seen::all(rows), None, params)?;
    let models = parallel::map(folds, params.threads, |fold| {
        let seen = Seen::without(rows, fold);
        fit_one(rows, &seen, Some(&coefficients), params)
    });
    let mut held_back = vec![0.0; rows.outcome.len()];
    let mut theta = vec![0.0; rows.levels];
    for (fold, one) in models.into_iter().enumerate() {
        let one = one?;
        let eta = one.model.eta(rows.bins, rows.outcome.len());
        // Folds may differ in their thresholds; the difference belongs to the logit.
        let first = one.model.theta[0];
        for (row, of) in rows.fold.iter().enumerate() {
            if usize::from(*of) == fold {
                held_back[row] = eta[row] - first;
            }
        }
        for (sum, value) in theta.iter_mut().zip(&one.model.theta) {
            *sum += (value - first) / folds as f64;
        }
    }
    let held_back_loss = log_loss(&held_back, &theta, rows.outcome, rows.weight);
    Ok((
        Fit {
            model,
            held_back,
            held_back_theta: theta,
            held_back_loss,
            convergence: Some(convergence),
            rounds: Vec::new(),
            notes: Vec::new(),
        },
        left_out,
    ))
}
