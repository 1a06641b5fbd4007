//! Cuts features into bins before any fitting: by the values alone, never by the outcome.
//!
//! Few distinct values keep a bin each; more are cut at quantiles of what is not the most frequent value, so that
//! columns that are mostly zero, and columns with a few huge amounts, keep their detail. Rare categories share the bin of
//! unseen ones. Special codes and missing values have bins of their own. The order of the bins of a feature is that of
//! [`Card::bin_labels`](crate::model::Card::bin_labels).

#![expect(
    clippy::indexing_slicing,
    reason = "INVARIANT: a bin code is below the number of bins of its feature, by which every table here is sized"
)]

use super::params::{FeatureRule, TrainParams};
use crate::domain::rng::SeededRng;
use crate::indicators::Direction;
use crate::model::steps::Steps;
use crate::model::table::MISSING_CODE;
use crate::model::{Column, Table, Values};

/// Values, or categories, that keep a bin each in a table of any size.
const MOST_DISTINCT: usize = 64;

/// Quantiles that are taken in a table of any size.
const FEW_BINS: usize = 32;

/// Rows for one more quantile in a larger table: finer bins only follow noise.
const ROWS_PER_BIN: usize = 100;

/// Rows from which quantiles are taken; more would not move them visibly.
const QUANTILE_ROWS: usize = 50_000;

/// Least share of rows and of weight of a bin before fitting.
const LEAST_SHARE: f64 = 0.0025;

/// How the known values of a feature are cut.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cut {
    /// Lower edges of every bin but the first.
    Numbers(Vec<f64>),
    /// Categories of each bin but the last, which takes every other one.
    Categories(Vec<Vec<String>>),
}

/// The bins of one feature.
#[derive(Clone, Debug)]
pub(super) struct FeatureBins {
    pub(super) name: String,
    pub(super) cut: Cut,
    pub(super) specials: Vec<f64>,
    pub(super) direction: Option<Direction>,
    pub(super) rule: FeatureRule,
    /// Bin of each row.
    pub(super) codes: Vec<u8>,
    /// Rows and weight of each bin.
    pub(super) rows: Vec<f64>,
    pub(super) weight: Vec<f64>,
}

impl FeatureBins {
    /// Bins of known values that are no special codes.
    pub(super) fn regular(&self) -> usize {
        match &self.cut {
            Cut::Numbers(edges) => edges.len() + 1,
            Cut::Categories(groups) => groups.len() + 1,
        }
    }

    /// All bins.
    pub(super) fn count(&self) -> usize {
        self.regular() + self.specials.len() + 1
    }

    /// Whether the bins have an order.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self.cut, Cut::Numbers(_))
    }

    /// The same bins with some of the rows.
    pub(super) fn of_rows(&self, rows: &[usize], weight: &[f64]) -> Self {
        let mut part = Self {
            codes: rows.iter().map(|row| self.codes[*row]).collect(),
            rows: vec![0.0; self.rows.len()],
            weight: vec![0.0; self.weight.len()],
            name: self.name.clone(),
            cut: self.cut.clone(),
            specials: self.specials.clone(),
            direction: self.direction,
            rule: self.rule.clone(),
        };
        for (code, row) in part.codes.iter().zip(rows) {
            part.rows[usize::from(*code)] += 1.0;
            part.weight[usize::from(*code)] += weight[*row];
        }
        part
    }

    pub(super) fn rises(&self) -> Option<bool> {
        self.direction
            .map(|direction| direction == Direction::Raises)
    }
}

/// Why a column is no feature.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// The column.
    pub feature: String,
    /// Why.
    pub reason: String,
}

/// Cuts every usable feature of the rows; the others are named with the reason.
pub(super) fn cut_all(
    table: &Table,
    weight: &[f64],
    params: &TrainParams,
) -> (Vec<FeatureBins>, Vec<LeftOut>) {
    let n = table.row_count();
    let mut rng = SeededRng::new(params.seed, "quantile-rows");
    let sample: Vec<usize> = if n <= QUANTILE_ROWS {
        (0..n).collect()
    } else {
        let bound = u64::try_from(n).unwrap_or(u64::MAX);
        (0..QUANTILE_ROWS)
            .map(|_| usize::try_from(rng.below(bound)).unwrap_or(0))
            .collect()
    };
    let columns = table.features();
    let done = super::parallel::map(columns.len(), params.threads, |at| {
        cut_one(&columns[at], weight, &sample, params)
    });
    let mut bins: Vec<FeatureBins> = Vec::new();
    let mut left_out = Vec::new();
    for one in done {
        match one {
            Err(reason) => left_out.push(reason),
            Ok(feature) => {
                let twin = bins.iter().find(|other| {
                    other.codes == feature.codes
                        && same_values(table.feature(&other.name), table.feature(&feature.name))
                });
                match twin {
                    Some(twin) => left_out.push(LeftOut {
                        reason: format!("holds the same values as `{}`", twin.name),
                        feature: feature.name,
                    }),
                    None => bins.push(feature),
                }
            }
        }
    }
    (bins, left_out)
}

fn same_values(one: Option<&Column>, other: Option<&Column>) -> bool {
    match (one.map(|c| &c.values), other.map(|c| &c.values)) {
        (Some(Values::Numbers(one)), Some(Values::Numbers(other))) => one
            .iter()
            .zip(other)
            .all(|(a, b)| a == b || (a.is_nan() && b.is_nan())),
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

fn cut_one(
    column: &Column,
    weight: &[f64],
    sample: &[usize],
    params: &TrainParams,
) -> Result<FeatureBins, LeftOut> {
    let fail = |reason: &str| {
        Err(LeftOut {
            feature: column.name.clone(),
            reason: reason.to_owned(),
        })
    };
    let rule = params
        .features
        .get(&column.name)
        .cloned()
        .unwrap_or_default();
    if column.values.missing_count() == column.values.len() {
        return fail("every value is missing");
    }
    let (cut, codes) = match &column.values {
        Values::Numbers(numbers) => {
            let bins = (numbers.len() / ROWS_PER_BIN)
                .max(FEW_BINS)
                .min(params.most_bins);
            let edges = edges_of(numbers, &rule.specials, sample, bins);
            let mut codes = number_codes(numbers, &edges, &rule.specials);
            let edges = merge_small(&mut codes, edges, weight);
            (Cut::Numbers(edges), codes)
        }
        Values::Categories { codes, names } => {
            let mut counts = vec![0_usize; names.len()];
            for code in codes.iter().filter(|code| **code != MISSING_CODE) {
                counts[*code as usize] += 1;
            }
            let used = counts.iter().filter(|count| **count > 0).count();
            if used * 2 > codes.len() {
                return fail("has a category for almost every row; it is a name, not a fact");
            }
            let (groups, by_code) = groups_of(&counts, names, codes.len());
            let missing = u8::try_from(groups.len() + 1).unwrap_or(u8::MAX);
            let codes = codes
                .iter()
                .map(|code| {
                    if *code == MISSING_CODE {
                        missing
                    } else {
                        by_code[*code as usize]
                    }
                })
                .collect();
            (Cut::Categories(groups), codes)
        }
    };
    let mut bins = FeatureBins {
        name: column.name.clone(),
        specials: match cut {
            Cut::Numbers(_) => rule.specials.clone(),
            Cut::Categories(_) => Vec::new(),
        },
        direction: match cut {
            Cut::Numbers(_) => rule.direction,
            Cut::Categories(_) => None,
        },
        cut,
        rule,
        codes,
        rows: Vec::new(),
        weight: Vec::new(),
    };
    bins.rows = vec![0.0; bins.count()];
    bins.weight = vec![0.0; bins.count()];
    for (code, weight) in bins.codes.iter().zip(weight) {
        bins.rows[usize::from(*code)] += 1.0;
        bins.weight[usize::from(*code)] += weight;
    }
    if bins.rows.iter().filter(|rows| **rows > 0.0).count() < 2 {
        return fail("has one value only");
    }
    Ok(bins)
}

/// Sorted distinct values, or nothing if there are more than `most`.
fn distinct(numbers: impl Iterator<Item = f64>, most: usize) -> Option<Vec<f64>> {
    let mut found: Vec<f64> = Vec::with_capacity(most + 1);
    for value in numbers {
        if let Err(at) = found.binary_search_by(|known| known.total_cmp(&value)) {
            if found.len() == most {
                return None;
            }
            found.insert(at, value);
        }
    }
    Some(found)
}

fn edges_of(numbers: &[f64], specials: &[f64], sample: &[usize], most_bins: usize) -> Vec<f64> {
    let known = |value: &f64| !value.is_nan() && !specials.contains(value);
    // Negative zero counts as zero: both stand for nothing.
    let plain = |value: f64| value + 0.0;
    let most = most_bins.max(MOST_DISTINCT);
    if let Some(values) = distinct(
        numbers.iter().copied().filter(|v| known(v)).map(plain),
        most,
    ) {
        return values.into_iter().skip(1).collect();
    }
    let mut values: Vec<f64> = sample
        .iter()
        .map(|row| numbers[*row])
        .filter(known)
        .map(plain)
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    if values.is_empty() {
        return Vec::new();
    }
    // The most frequent value, when it is frequent, has a bin of its own, and the quantiles are those of the others.
    let mut mode = (0_usize, values[0]);
    let mut start = 0;
    for at in 1..=values.len() {
        if at == values.len() || values[at] != values[start] {
            if at - start > mode.0 {
                mode = (at - start, values[start]);
            }
            start = at;
        }
    }
    let modal = mode.0 * most_bins > values.len();
    let others: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| !modal || *value != mode.1)
        .collect();
    let mut edges = Vec::new();
    if modal {
        edges.push(mode.1);
        // The bin above the mode begins at the next value that occurs.
        edges.extend(values.iter().copied().find(|value| *value > mode.1));
    }
    for part in 1..most_bins {
        if let Some(value) = others.get(part * others.len() / most_bins) {
            edges.push(*value);
        }
    }
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    // An edge at the least value would leave the first bin empty.
    let least = values[0];
    edges.retain(|edge| *edge > least);
    edges
}

/// Drops edges until every bin has its least share of rows and of weight; the codes become those of the bins that stay.
fn merge_small(codes: &mut [u8], mut edges: Vec<f64>, weight: &[f64]) -> Vec<f64> {
    let before = edges.len() + 1;
    let mut rows = vec![0.0; before];
    let mut mass = vec![0.0; before];
    let total: f64 = weight.iter().sum();
    for (code, weight) in codes.iter().zip(weight) {
        if let Some(rows) = rows.get_mut(usize::from(*code)) {
            *rows += 1.0;
            mass[usize::from(*code)] += weight;
        }
    }
    // The first of the earlier bins in each bin.
    let mut firsts: Vec<usize> = (0..before).collect();
    let least_rows = (LEAST_SHARE * codes.len() as f64).max(5.0);
    let least_mass = LEAST_SHARE * total;
    while edges.len() > 1 {
        let small = (0..rows.len())
            .filter(|at| rows[*at] < least_rows || mass[*at] < least_mass)
            .min_by(|a, b| rows[*a].total_cmp(&rows[*b]));
        let Some(at) = small else {
            break;
        };
        // Into the smaller neighbour; at the ends there is only one.
        let left = at > 0 && (at + 1 == rows.len() || rows[at - 1] <= rows[at + 1]);
        let edge = if left { at - 1 } else { at };
        edges.remove(edge);
        rows[edge] += rows[edge + 1];
        mass[edge] += mass[edge + 1];
        rows.remove(edge + 1);
        mass.remove(edge + 1);
        firsts.remove(edge + 1);
    }
    let dropped = before - firsts.len();
    if dropped > 0 {
        let mut new = [0_u8; 256];
        for (code, new) in new.iter_mut().enumerate() {
            let bin = if code < before {
                firsts.partition_point(|first| *first <= code) - 1
            } else {
                code - dropped
            };
            *new = u8::try_from(bin).unwrap_or(u8::MAX);
        }
        for code in codes {
            *code = new[usize::from(*code)];
        }
    }
    edges
}

/// The bin of each number: how many edges it reaches; special codes and missing values behind.
fn number_codes(numbers: &[f64], edges: &[f64], specials: &[f64]) -> Vec<u8> {
    let number = |bin: usize| i32::try_from(bin).unwrap_or(i32::MAX);
    let regular = edges.len() + 1;
    let bins: Vec<i32> = (0..regular).map(number).collect();
    let specials: Vec<(f64, i32)> = specials
        .iter()
        .zip(regular..)
        .map(|(code, bin)| (*code, number(bin)))
        .collect();
    let missing = number(regular + specials.len());
    let steps = Steps::new(edges, &bins, missing, specials);
    let mut found = [0; 1_024];
    let mut codes = Vec::with_capacity(numbers.len());
    for part in numbers.chunks(found.len()) {
        let found = &mut found[..part.len()];
        steps.write(part, found);
        codes.extend(
            found
                .iter()
                .map(|bin| u8::try_from(*bin).unwrap_or(u8::MAX)),
        );
    }
    codes
}

/// Categories with enough rows get a bin each, in the order of their names; the others share the last one.
fn groups_of(counts: &[usize], names: &[String], rows: usize) -> (Vec<Vec<String>>, Vec<u8>) {
    let least = ((LEAST_SHARE * 4.0 * rows as f64).ceil() as usize).max(10);
    let mut kept: Vec<usize> = (0..names.len()).filter(|at| counts[*at] >= least).collect();
    kept.sort_unstable_by(|a, b| counts[*b].cmp(&counts[*a]).then(names[*a].cmp(&names[*b])));
    kept.truncate(MOST_DISTINCT);
    kept.sort_unstable_by(|a, b| names[*a].cmp(&names[*b]));
    let other = u8::try_from(kept.len()).unwrap_or(u8::MAX);
    let mut by_code = vec![other; names.len()];
    for (group, at) in kept.iter().enumerate() {
        by_code[*at] = u8::try_from(group).unwrap_or(other);
    }
    let groups = kept.iter().map(|at| vec![names[*at].clone()]).collect();
    (groups, by_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_mostly_zero_keeps_its_detail() {
        let mut rng = SeededRng::new(5, "zeros");
        let numbers: Vec<f64> = (0..20_000)
            .map(|_| {
                if rng.chance(0.9) {
                    0.0
                } else {
                    (rng.unit_f64() * 9.0).exp()
                }
            })
            .collect();
        let sample: Vec<usize> = (0..numbers.len()).collect();
        let edges = edges_of(&numbers, &[], &sample, 32);
        let mut codes = number_codes(&numbers, &edges, &[]);
        let edges = merge_small(&mut codes, edges, &vec![1.0; numbers.len()]);
        assert_eq!(codes, number_codes(&numbers, &edges, &[]));
        assert!(edges.len() >= 15, "{} edges", edges.len());
        assert!(edges[0] >= 1.0, "zero has a bin of its own: {edges:?}");
    }

    #[test]
    fn few_values_keep_a_bin_each_however_small_their_scale() {
        // Steps of 1e-6 were one bin where values nearer than 1e-5 count as equal.
        let numbers: Vec<f64> = (0..1_000).map(|row| f64::from(row % 4) * 1e-6).collect();
        let sample: Vec<usize> = (0..numbers.len()).collect();
        assert_eq!(edges_of(&numbers, &[], &sample, 32).len(), 3);
    }

    #[test]
    fn special_codes_and_missing_values_lie_behind_the_bins() {
        let codes = number_codes(&[0.0, 1.0, 2.0, -9.0, f64::NAN], &[1.0, 2.0], &[-9.0]);
        assert_eq!(codes, [0, 1, 2, 3, 4]);
    }
}
