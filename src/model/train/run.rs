//! One training run: split, cut, fit, choose, round, calibrate, check, report.

use serde_json::json;
use std::collections::BTreeMap;

use super::additive::Fit;
use super::bins::{FeatureBins, LeftOut, cut_all};
use super::boost::fit_boost;
use super::calibrate::{Judged, calibrate};
use super::challenge::challengers;
use super::error::TrainError;
use super::forward::forward;
use super::measure::{auc, figures};
use super::params::{Fitter, TrainParams, ValidTrainParams};
use super::points::{Scale, cutoffs, scale, to_points};
use super::report::{BinReport, FeatureReport, FitterReport, TrainReport};
use super::split::{folds, split};
use super::woe::fit_woe;
use crate::domain::Tier;
use crate::domain::digest::{HashAlgorithm, Hasher};
use crate::model::scorecard::Parts;
use crate::model::{
    Baseline, Column, Cutoffs, PointsShare, Scorecard, Scored, Table, TableScorer, Values,
};

/// Rows of the rarest outcome below which nothing is fitted.
const LEAST_PROBLEMS: usize = 20;

/// The area from which a single column is suspected to know the outcome.
const LEAK: f64 = 0.99;

/// Bands of points in the baseline.
const BASELINE_BANDS: usize = 10;

/// The rows that are fitted, as the fitters see them.
pub(super) struct Rows<'a> {
    pub(super) bins: &'a [FeatureBins],
    pub(super) outcome: &'a [u8],
    pub(super) weight: &'a [f64],
    pub(super) fold: &'a [u8],
    /// The worst outcome, which is the number of thresholds.
    pub(super) levels: usize,
    /// Rows per unit of weight.
    pub(super) scale: f64,
}

/// A card and what its training tells.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The card.
    pub card: Scorecard,
    /// The report.
    pub report: TrainReport,
}

/// Trains a card; `progress` is told what begins.
///
/// # Errors
///
/// When the table cannot be fitted: what is wrong, where, and what to do.
pub fn train(
    table: &Table,
    params: &ValidTrainParams,
    progress: &mut dyn FnMut(&str),
) -> Result<Trained, TrainError> {
    let params = params.get();
    check_names(table, params)?;
    let all = table.outcome().ok_or(TrainError::NoOutcome)?;
    // A table that is too small says so itself, before any part of it is found empty.
    check_outcomes(all)?;
    let split = split(table, params)?;
    let fit_table = table.select(&split.fit);
    let outcome = fit_table.outcome().ok_or(TrainError::NoOutcome)?;
    let levels = check_outcomes(outcome)?;
    let ones;
    let weight = if let Some(weight) = fit_table.weight() {
        weight
    } else {
        ones = vec![1.0; fit_table.row_count()];
        &ones
    };
    progress("cutting features into bins");
    let (bins, mut left_out) = cut_all(&fit_table, weight, params);
    left_out.extend(table.unused().iter().map(|unused| LeftOut {
        feature: unused.column.clone(),
        reason: unused.reason.clone(),
    }));
    if bins.is_empty() {
        return Err(TrainError::NoFeatures(listed(&left_out)));
    }
    let fold = folds(&fit_table, params);
    check_folds(outcome, &fold, params.folds)?;
    let rows = Rows {
        bins: &bins,
        outcome,
        weight,
        fold: &fold,
        levels,
        scale: weight.len() as f64 / weight.iter().sum::<f64>(),
    };
    let mut warnings = leaks(&rows);
    let (chosen, why, fit, reports) = choose(&rows, params, &mut left_out, progress)?;

    progress("rounding to points");
    let eta = fit.model.eta(&bins, outcome.len());
    let first = fit.model.theta.first().copied().unwrap_or(0.0);
    let logits: Vec<f64> = eta.iter().map(|eta| eta - first).collect();
    let line = scale(params.scaling, &logits)?;
    let held_points: Vec<f64> = fit
        .held_back
        .iter()
        .map(|logit| line.points(*logit))
        .collect();
    let later = fit_table.day().and_then(|days| {
        progress("looking at later rows");
        forward(&rows, days, chosen, params)
    });
    let later_points: Vec<f64> = later
        .iter()
        .flat_map(|later| &later.logits)
        .map(|logit| line.points(*logit))
        .collect();
    let judged = Judged {
        points: &held_points,
        outcome,
        weight,
    };
    let later_judged = later.as_ref().map(|later| Judged {
        points: &later_points,
        outcome: &later.outcome,
        weight: &later.weight,
    });
    let (calibration, left) = calibrate(params.calibration, judged, later_judged, levels);
    if let (Some(left), Some(later)) = (left, &later) {
        warnings.push(format!(
            "points tell less of later rows: from {} on the slope of their probabilities is {left:.2} of that on rows of the \
             same time, so the probabilities follow it; look at what has changed, and train again soon",
            later.from
        ));
    }
    let parts = to_points(&fit.model, &bins, line);
    for bins in bins
        .iter()
        .filter(|bins| !parts.cards.contains_key(&bins.name))
    {
        if !left_out.iter().any(|left| left.feature == bins.name) {
            left_out.push(LeftOut {
                feature: bins.name.clone(),
                reason: "adds less than a point anywhere".to_owned(),
            });
        }
    }
    for bins in bins.iter().filter(|bins| bins.direction.is_some()) {
        if parts
            .cards
            .get(&bins.name)
            .is_some_and(|card| card.bins.len() < 2)
        {
            warnings.push(format!(
                "`{}` carries nothing in its declared direction; only its missing and special values have points: correct the direction or leave it out",
                bins.name
            ));
        }
    }
    if parts.cards.is_empty() {
        return Err(TrainError::NoFeatures(listed(&left_out)));
    }
    // A first card without cut-offs of its own gives the points from which the cut-offs follow.
    let mut card_parts = Parts {
        name: params.name.clone(),
        version: params.version,
        group_caps: BTreeMap::new(),
        cutoffs: Cutoffs { b: 1, c: 2, d: 3 },
        base: parts.base,
        indicators: parts.cards,
        pairs: parts.pairs,
        calibration: Some(calibration.clone()),
        baseline: None,
        manifest: serde_json::Value::Null,
    };
    let draft = Scorecard::from_parts(card_parts.clone())?;
    let scorer = draft.bind(&fit_table)?;
    let scored = scorer.score();
    let (chosen_cutoffs, missed) = cutoffs(params.cutoffs, &scored.points, weight, &calibration)?;
    card_parts.cutoffs = chosen_cutoffs;
    if missed {
        let Cutoffs { b, c, d } = chosen_cutoffs;
        warnings.push(format!(
            "so many rows have equal points that tiers cannot have the shares asked for; the cut-offs are B {b}, C {c}, D {d}: look at the tiers before using the card"
        ));
    }
    let tiers: Vec<Tier> = scored
        .points
        .iter()
        .map(|points| card_parts.cutoffs.tier(*points))
        .collect();
    let changed = rounding_changed(&logits, line, &tiers, card_parts.cutoffs);
    let features = feature_reports(&scorer, outcome, weight);
    let baseline = baseline(&features, &scored, &tiers, weight);
    let fitted = card_figures(&draft, &scored, outcome, weight);
    progress("validating");
    let validation_table = (!split.validation.is_empty()).then(|| table.select(&split.validation));
    let validation = match &validation_table {
        Some(validation) => Some(card_figures_of(&draft, validation)?),
        None => None,
    };
    let challengers = match &validation_table {
        Some(validation) if params.challengers => {
            progress("training challengers");
            challengers(&fit_table, validation, params)?
        }
        _ => BTreeMap::new(),
    };
    if fitted.auc.is_some_and(|auc| auc > 0.9999) {
        warnings.push(
            "the card separates the fitted rows perfectly; look for a column that knows the outcome".to_owned(),
        );
    }
    let report = TrainReport {
        split: split.told,
        chosen,
        why,
        fitters: reports,
        fitted,
        validation,
        challengers,
        tiers: baseline.tiers.clone(),
        rounding_changed: changed,
        features,
        left_out,
        warnings,
    };
    card_parts.baseline = Some(baseline);
    card_parts.manifest = manifest(table, params, &report);
    Ok(Trained {
        card: Scorecard::from_parts(card_parts)?,
        report,
    })
}

fn check_names(table: &Table, params: &TrainParams) -> Result<(), TrainError> {
    let is_unused = |name: &String| table.unused().iter().any(|unused| unused.column == *name);
    // What is declared of a column that cannot be used does not matter; a pair of it is asked for and cannot be given.
    let declared = params
        .features
        .keys()
        .filter(|name| !is_unused(name))
        .chain(params.declared_pairs.iter().flatten());
    match declared
        .into_iter()
        .find(|name| table.feature(name).is_none())
    {
        Some(name) => Err(TrainError::UnknownFeature(name.clone())),
        None => Ok(()),
    }
}

/// The worst outcome of rows that hold every outcome up to it, each often enough.
pub(super) fn check_outcomes(outcome: &[u8]) -> Result<usize, TrainError> {
    let mut counts = [0_usize; 4];
    for outcome in outcome {
        if let Some(count) = counts.get_mut(usize::from(*outcome)) {
            *count += 1;
        }
    }
    let worst = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    let used = counts.get(..=worst).unwrap_or_default();
    let first = outcome.first().copied().unwrap_or(0);
    if used.iter().filter(|count| **count > 0).count() < 2 {
        return Err(TrainError::OneClass {
            rows: outcome.len(),
            outcome: first,
        });
    }
    if let Some(missing) = used.iter().position(|count| *count == 0) {
        return Err(TrainError::OutcomeGap {
            missing: u8::try_from(missing).unwrap_or(u8::MAX),
        });
    }
    let rarest = used.iter().min().copied().unwrap_or(0);
    if rarest < LEAST_PROBLEMS {
        return Err(TrainError::TooFew {
            rows: outcome.len(),
            problems: rarest,
            least: LEAST_PROBLEMS,
        });
    }
    Ok(worst)
}

/// Every fold needs rows of its own and, without them, every outcome.
pub(super) fn check_folds(outcome: &[u8], fold: &[u8], folds: usize) -> Result<(), TrainError> {
    for at in 0..folds {
        let mine = || {
            outcome
                .iter()
                .zip(fold)
                .filter(move |(_, fold)| usize::from(**fold) == at)
        };
        let own = mine().count();
        let problems = mine().filter(|(outcome, _)| **outcome > 0).count();
        if own == 0 || problems == 0 {
            return Err(TrainError::TooFew {
                rows: own,
                problems,
                least: 1,
            });
        }
    }
    Ok(())
}

fn listed(left_out: &[LeftOut]) -> String {
    left_out
        .iter()
        .map(|left| format!("`{}` {}", left.feature, left.reason))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Names every column that alone nearly knows the outcome.
fn leaks(rows: &Rows<'_>) -> Vec<String> {
    rows.bins
        .iter()
        .filter_map(|bins| {
            let sums = bin_sums(&bins.codes, bins.count(), rows.outcome, rows.weight);
            let area = sums_auc(&sums)?;
            (area >= LEAK).then(|| {
                format!(
                    "`{}` alone tells the outcome apart with an area of {area:.3}; it may be known only after the outcome: leave it out unless it is certain that it was known before",
                    bins.name
                )
            })
        })
        .collect()
}

/// Rows, weight, and weight with a problem.
#[derive(Clone, Copy, Default)]
struct Sums {
    rows: usize,
    mass: f64,
    bad: f64,
}

fn bin_sums<T: Copy + Into<usize>>(
    codes: &[T],
    count: usize,
    outcome: &[u8],
    weight: &[f64],
) -> Vec<Sums> {
    // Rows without and with a problem apart, so that the sums need no choice.
    let mut by_class = vec![(0_usize, 0.0); 2 * count];
    for ((code, outcome), weight) in codes.iter().zip(outcome).zip(weight) {
        let at = 2 * (*code).into() + usize::from(*outcome > 0);
        if let Some((rows, mass)) = by_class.get_mut(at) {
            *rows += 1;
            *mass += weight;
        }
    }
    let (pairs, _) = by_class.as_chunks::<2>();
    let sum = |[good, bad]: &[(usize, f64); 2]| Sums {
        rows: good.0 + bad.0,
        mass: good.1 + bad.1,
        bad: bad.1,
    };
    pairs.iter().map(sum).collect()
}

/// The area of a feature whose bins are ordered by their problem rates.
fn sums_auc(sums: &[Sums]) -> Option<f64> {
    let count = sums.len();
    let mass: Vec<f64> = sums.iter().map(|sums| sums.mass).collect();
    let bad: Vec<f64> = sums.iter().map(|sums| sums.bad).collect();
    let rate = |(mass, bad): (&f64, &f64)| if *mass > 0.0 { bad / mass } else { 0.0 };
    let rates: Vec<f64> = mass.iter().zip(&bad).map(rate).collect();
    // One row per bin and class stands for all of its rows.
    let mut score = rates.clone();
    score.extend(&rates);
    let problem: Vec<bool> = (0..2 * count).map(|at| at >= count).collect();
    let mut weights: Vec<f64> = mass
        .iter()
        .zip(&bad)
        .map(|(mass, bad)| mass - bad)
        .collect();
    weights.extend(&bad);
    auc(&score, &problem, &weights)
}

type Chosen = (Fitter, String, Fit, Vec<FitterReport>);

/// Runs the fitters that are asked for, and takes the better one on held-back rows.
fn choose(
    rows: &Rows<'_>,
    params: &TrainParams,
    left_out: &mut Vec<LeftOut>,
    progress: &mut dyn FnMut(&str),
) -> Result<Chosen, TrainError> {
    let report = |fitter: Fitter, fit: &Fit| {
        let first = fit.held_back_theta.first().copied().unwrap_or(0.0);
        let probability: Vec<f64> = fit
            .held_back
            .iter()
            .map(|logit| super::newton::sigmoid(logit - first))
            .collect();
        FitterReport {
            fitter,
            held_back: figures(
                &fit.held_back,
                Some(&probability),
                rows.outcome,
                rows.weight,
            ),
            convergence: fit.convergence.clone(),
            rounds: fit.rounds.clone(),
            notes: fit.notes.clone(),
        }
    };
    let woe = match params.fitter {
        Fitter::Woe | Fitter::Auto => {
            progress("fitting weights of evidence");
            Some(fit_woe(rows, params)?)
        }
        Fitter::Boost => None,
    };
    let boost = match params.fitter {
        Fitter::Boost | Fitter::Auto => {
            progress("boosting");
            Some(fit_boost(rows, params)?)
        }
        Fitter::Woe => None,
    };
    match (woe, boost) {
        (Some((woe, dropped)), Some(boost)) => {
            let reports = vec![report(Fitter::Woe, &woe), report(Fitter::Boost, &boost)];
            let (one, other) = (woe.held_back_loss, boost.held_back_loss);
            let said = format!(
                "mean log loss on rows that the model had not seen: {one:.5} by weights of evidence, {other:.5} by boosting"
            );
            // At equal loss the simpler card is the better one.
            if one <= other * 1.0005 {
                left_out.extend(dropped);
                Ok((
                    Fitter::Woe,
                    format!("{said}; not worse, and the simpler card"),
                    woe,
                    reports,
                ))
            } else {
                Ok((
                    Fitter::Boost,
                    format!("{said}; boosting is better"),
                    boost,
                    reports,
                ))
            }
        }
        (Some((woe, dropped)), None) => {
            left_out.extend(dropped);
            let reports = vec![report(Fitter::Woe, &woe)];
            Ok((Fitter::Woe, "asked for".to_owned(), woe, reports))
        }
        (None, Some(boost)) => {
            let reports = vec![report(Fitter::Boost, &boost)];
            Ok((Fitter::Boost, "asked for".to_owned(), boost, reports))
        }
        (None, None) => Err(TrainError::NoFeatures("no fitter ran".to_owned())),
    }
}

fn rounding_changed(logits: &[f64], line: Scale, tiers: &[Tier], cutoffs: Cutoffs) -> f64 {
    let changed = logits
        .iter()
        .zip(tiers)
        .filter(|(logit, tier)| {
            // The cut-off is on whole points, so the exact points reach it from half a point below.
            let exact = (line.points(**logit) + 0.5).floor().clamp(0.0, 1_000.0) as u16;
            cutoffs.tier(exact) != **tier
        })
        .count();
    changed as f64 / logits.len().max(1) as f64
}

fn card_figures(
    card: &Scorecard,
    scored: &Scored,
    outcome: &[u8],
    weight: &[f64],
) -> super::Figures {
    let score: Vec<f64> = scored
        .points
        .iter()
        .map(|points| f64::from(*points))
        .collect();
    figures(
        &score,
        card.probabilities(&scored.points).as_deref(),
        outcome,
        weight,
    )
}

fn card_figures_of(card: &Scorecard, table: &Table) -> Result<super::Figures, TrainError> {
    let outcome = table.outcome().ok_or(TrainError::NoOutcome)?;
    let ones = vec![1.0; table.row_count()];
    let scored = card.score_table(table)?;
    Ok(card_figures(
        card,
        &scored,
        outcome,
        table.weight().unwrap_or(&ones),
    ))
}

/// Shares of bands, bins and tiers among the fitted rows.
fn baseline(
    features: &[FeatureReport],
    scored: &Scored,
    tiers: &[Tier],
    weight: &[f64],
) -> Baseline {
    let total: f64 = weight.iter().sum();
    let mut order: Vec<(u16, f64)> = scored
        .points
        .iter()
        .copied()
        .zip(weight.iter().copied())
        .collect();
    order.sort_unstable_by_key(|row| row.0);
    let mut froms: Vec<u16> = vec![0];
    for band in 1..BASELINE_BANDS {
        let at = band * order.len() / BASELINE_BANDS;
        if let Some((points, _)) = order.get(at)
            && froms.last().is_some_and(|last| last < points)
        {
            froms.push(*points);
        }
    }
    let points = froms
        .iter()
        .enumerate()
        .map(|(position, from)| {
            let until = froms.get(position + 1).copied().unwrap_or(u16::MAX);
            let mass: f64 = order
                .iter()
                .filter(|row| row.0 >= *from && row.0 < until)
                .map(|row| row.1)
                .sum();
            PointsShare {
                from: *from,
                share: mass / total,
            }
        })
        .collect();
    let indicators = features
        .iter()
        .map(|feature| {
            let shares = feature.bins.iter().map(|bin| bin.share).collect();
            (feature.feature.clone(), shares)
        })
        .collect();
    let mut by_tier: BTreeMap<Tier, f64> = Tier::ALL.iter().map(|tier| (*tier, 0.0)).collect();
    for (tier, weight) in tiers.iter().zip(weight) {
        *by_tier.entry(*tier).or_default() += weight / total;
    }
    Baseline {
        row_count: u64::try_from(scored.points.len()).unwrap_or(u64::MAX),
        points,
        indicators,
        tiers: by_tier,
    }
}

fn feature_reports(scorer: &TableScorer<'_>, outcome: &[u8], weight: &[f64]) -> Vec<FeatureReport> {
    let total: f64 = weight.iter().sum();
    scorer
        .card()
        .indicators
        .iter()
        .map(|(code, single)| {
            let bins = scorer.bins(code).unwrap_or_default();
            let sums = bin_sums(&bins, single.bin_count(), outcome, weight);
            let points = single.bin_points();
            FeatureReport {
                feature: code.clone(),
                auc: sums_auc(&sums).unwrap_or(0.5),
                bins: single
                    .bin_labels()
                    .into_iter()
                    .zip(sums)
                    .zip(points)
                    .map(|((bin, sums), points)| BinReport {
                        bin,
                        row_count: sums.rows,
                        share: sums.mass / total,
                        problem_rate: (sums.mass > 0.0).then(|| sums.bad / sums.mass),
                        points,
                    })
                    .collect(),
            }
        })
        .collect()
}

fn manifest(table: &Table, params: &TrainParams, report: &TrainReport) -> serde_json::Value {
    let window = table
        .day()
        .and_then(|days| Some((days.iter().min()?, days.iter().max()?)));
    json!({
        "origin": "trained",
        "parent": params.parent,
        "fitter": report.chosen,
        "why": report.why,
        "seed": params.seed,
        "settings": params,
        "data": {
            "digest": data_digest(table).to_string(),
            "row_count": table.row_count(),
            "feature_count": table.features().len(),
            "first_day": window.map(|window| window.0),
            "last_day": window.map(|window| window.1),
            "split": report.split,
        },
        "metrics": {
            "fitted": report.fitted,
            "validation": report.validation,
            "challengers": report.challengers,
            "fitters": report.fitters,
            "rounding_changed": report.rounding_changed,
        },
        "features": report.features,
        "left_out": report.left_out,
        "warnings": report.warnings,
        "built_with": {
            "risktier": env!("CARGO_PKG_VERSION"),
            "architecture": std::env::consts::ARCH,
            "system": std::env::consts::OS,
        },
    })
}

fn hash_all<T: Copy, const N: usize>(hasher: &mut Hasher, all: &[T], bytes: impl Fn(T) -> [u8; N]) {
    let mut buffer = [[0; N]; 1_024];
    for part in all.chunks(buffer.len()) {
        for (place, one) in buffer.iter_mut().zip(part) {
            *place = bytes(*one);
        }
        hasher.update(buffer.get(..part.len()).unwrap_or_default().as_flattened());
    }
}

/// The digest of a table's columns: names, and cells in order.
fn data_digest(table: &Table) -> crate::domain::digest::Digest {
    let mut hasher = Hasher::new(HashAlgorithm::Sha256);
    let mut column = |column: &Column| {
        hasher.update(column.name.as_bytes());
        hasher.update(b"\n");
        match &column.values {
            Values::Numbers(numbers) => {
                hash_all(&mut hasher, numbers, |value| value.to_le_bytes());
            }
            Values::Categories { codes, names } => {
                hash_all(&mut hasher, codes, |code| code.to_le_bytes());
                for name in names {
                    hasher.update(name.as_bytes());
                    hasher.update(b"\n");
                }
            }
        }
    };
    for feature in table.features() {
        column(feature);
    }
    let beside = |name: &str, values: Vec<f64>| Column {
        name: name.to_owned(),
        values: Values::Numbers(values),
    };
    if let Some(outcome) = table.outcome() {
        column(&beside(
            "outcome",
            outcome.iter().map(|y| f64::from(*y)).collect(),
        ));
    }
    if let Some(weight) = table.weight() {
        column(&beside("weight", weight.to_vec()));
    }
    if let Some(days) = table.day() {
        let day = |day: &jiff::civil::Date| f64::from(crate::domain::dates::to_epoch_day(*day));
        column(&beside("day", days.iter().map(day).collect()));
    }
    hasher.finish()
}
