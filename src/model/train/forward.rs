//! How a model of earlier rows does on later ones, before the model of all rows goes into use.
//!
//! Folds divide by group and not by day, so what they hold back is of the same time as what they fit. Here the same fitter
//! sees the earlier rows alone, and tells the later ones apart.

#![expect(
    clippy::indexing_slicing,
    reason = "rows are numbered by the columns that they are taken from, which are all of one length"
)]

use jiff::civil::Date;

use super::bins::FeatureBins;
use super::boost::fit_boost;
use super::params::{Fitter, TrainParams};
use super::run::{Rows, check_folds, check_outcomes};
use super::woe::fit_whole;

/// Share of the rows that the model of earlier rows sees.
const EARLIER: f64 = 0.7;

/// Later rows with and without each outcome that are needed to say anything.
const LEAST: usize = 100;

/// Later rows with the logits of a model that has seen earlier rows alone.
pub(super) struct Forward {
    /// The first day of the later rows.
    pub(super) from: Date,
    pub(super) logits: Vec<f64>,
    pub(super) outcome: Vec<u8>,
    pub(super) weight: Vec<f64>,
}

/// Nothing where the days, or the outcomes before and after, are too few.
pub(super) fn forward(
    rows: &Rows<'_>,
    days: &[Date],
    fitter: Fitter,
    params: &TrainParams,
) -> Option<Forward> {
    let mut sorted = days.to_vec();
    sorted.sort_unstable();
    let from = *sorted.get((EARLIER * days.len() as f64) as usize)?;
    let (later, earlier): (Vec<usize>, Vec<usize>) =
        (0..days.len()).partition(|row| days[*row] >= from);
    let pick = |of: &[u8], rows: &[usize]| rows.iter().map(|row| of[*row]).collect::<Vec<u8>>();
    let outcome = pick(rows.outcome, &later);
    let is_told = (1..=rows.levels).all(|level| {
        let reached = outcome.iter().filter(|y| usize::from(**y) >= level).count();
        reached >= LEAST && outcome.len() - reached >= LEAST
    });
    let (early_outcome, fold) = (pick(rows.outcome, &earlier), pick(rows.fold, &earlier));
    if !is_told
        || earlier.len() * 2 < days.len()
        || check_outcomes(&early_outcome).ok() != Some(rows.levels)
        || check_folds(&early_outcome, &fold, params.folds).is_err()
    {
        return None;
    }
    let weights = |of: &[usize]| of.iter().map(|row| rows.weight[*row]).collect::<Vec<f64>>();
    let bins_of = |of: &[usize]| {
        let parts = rows.bins.iter().map(|bins| bins.of_rows(of, rows.weight));
        parts.collect::<Vec<FeatureBins>>()
    };
    let (bins, weight) = (bins_of(&earlier), weights(&earlier));
    let early = Rows {
        bins: &bins,
        outcome: &early_outcome,
        weight: &weight,
        fold: &fold,
        levels: rows.levels,
        scale: weight.len() as f64 / weight.iter().sum::<f64>(),
    };
    // A model that cannot be fitted to fewer rows says nothing about the one of all rows.
    let model = match fitter {
        Fitter::Boost => fit_boost(&early, params).ok()?.model,
        Fitter::Woe | Fitter::Auto => fit_whole(&early, params).ok()?,
    };
    let first = model.theta.first().copied().unwrap_or(0.0);
    let eta = model.eta(&bins_of(&later), later.len());
    Some(Forward {
        from,
        logits: eta.iter().map(|eta| eta - first).collect(),
        outcome,
        weight: weights(&later),
    })
}
