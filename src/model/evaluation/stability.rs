//! Drift: whether score and features still spread as they did, without looking at outcomes.
//!
//! The population stability index (Siddiqi 2006; Kullback & Leibler 1951, made symmetric as by Jeffreys 1946) over bins
//! that a baseline fixes; on a feature it is called the characteristic stability index.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::bins::{edges, equal_weight};
use super::rows::Ranked;
use super::slots::{add, at, ratio};

/// Bins that a baseline cuts a number into.
const BINS: u32 = 10;

/// Most categories that a baseline keeps by name; rarer ones are pooled.
const CATEGORIES: usize = 30;

/// Code of a missing category.
const MISSING: u32 = u32::MAX;

/// The cells of one feature.
#[derive(Clone, Copy, Debug)]
pub enum Cells<'a> {
    /// Numbers; NaN is missing.
    Numbers(&'a [f64]),
    /// Categories by position in `names`; `u32::MAX` is missing.
    Categories {
        /// One code per row.
        codes: &'a [u32],
        /// What the codes stand for.
        names: &'a [String],
    },
}

/// How the rows of a baseline spread: bins and counts of the score and of each feature.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The score.
    pub score: Spread,
    /// The features, by name.
    pub features: BTreeMap<String, Spread>,
}

/// How one column spreads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// How cells are sorted into bins.
    pub binning: Binning,
    /// Rows per bin.
    pub counts: Vec<u64>,
    /// Rows without a value.
    pub missing_count: u64,
    /// Rows with a category that the baseline does not have, or with a cell of the wrong type.
    pub unseen_count: u64,
}

/// Bins by lower edge or by category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Binning {
    /// Rising lower edges of the bins after the first; a bin is closed below.
    Edges(Vec<f64>),
    /// Groups of categories, one per bin.
    Categories(Vec<Vec<String>>),
}

impl Default for Binning {
    fn default() -> Self {
        Self::Edges(Vec::new())
    }
}

/// Thresholds of drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// From here on somebody should look.
    pub look: f64,
    /// From here on somebody must act.
    pub act: f64,
}

/// What a stability index calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftVerdict {
    /// No more than usual.
    Steady,
    /// Look into it.
    Look,
    /// Act: find the cause, recalibrate or retrain.
    Act,
}

/// Drift of the score and of every feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stability {
    /// What the rows are compared with.
    pub baseline: String,
    /// Rows of the baseline.
    pub rows_before: u64,
    /// Rows now.
    pub rows_now: u64,
    /// The score.
    pub score: Shift,
    /// The features, the most shifted first.
    pub features: Vec<Shift>,
    /// Features of the baseline that the rows do not have.
    pub absent: Vec<String>,
}

/// The shift of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// The column.
    pub name: String,
    /// `Σ (now − before)·ln(now/before)` over the bins.
    pub index: f64,
    /// What the index would be on average if nothing had changed, `(bins − 1)·(1/before + 1/now)` (Yurdakul & Naranjo
    /// 2020).
    pub by_chance: f64,
    /// What it calls for.
    pub verdict: DriftVerdict,
    /// Share of rows without a value, before.
    pub missing_before: f64,
    /// Share of rows without a value, now.
    pub missing_now: f64,
    /// Share of rows with a category that the baseline does not have.
    pub unseen_now: f64,
    /// The bins.
    pub bins: Vec<ShiftBin>,
}

/// One bin of a shift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftBin {
    /// What it holds, such as `[3, 7)`, a category, `missing`, `unseen`.
    pub bin: String,
    /// Share of rows, before.
    pub before: f64,
    /// Share of rows, now.
    pub now: f64,
}

impl Profile {
    /// Fixes bins by the rows given and counts them.
    pub fn baseline(score: &[f64], features: &[(&str, Cells<'_>)]) -> Self {
        Self {
            score: Spread::baseline(Cells::Numbers(score)),
            features: features
                .iter()
                .map(|(name, cells)| ((*name).to_owned(), Spread::baseline(*cells)))
                .collect(),
        }
    }

    /// Counts other rows in the same bins. Features that the rows do not have are left out.
    #[must_use]
    pub fn count(&self, score: &[f64], features: &[(&str, Cells<'_>)]) -> Self {
        Self {
            score: self.score.count(Cells::Numbers(score)),
            features: features
                .iter()
                .filter_map(|(name, cells)| {
                    let spread = self.features.get(*name)?;
                    Some(((*name).to_owned(), spread.count(*cells)))
                })
                .collect(),
        }
    }

    /// The shift from this baseline to rows counted in its bins.
    pub fn shift_to(&self, now: &Self, baseline: &str, limits: Limits) -> Stability {
        let mut features: Vec<Shift> = self
            .features
            .iter()
            .filter_map(|(name, before)| {
                Some(before.shift_to(now.features.get(name)?, name, limits))
            })
            .collect();
        features.sort_by(|a, b| {
            b.index
                .total_cmp(&a.index)
                .then_with(|| a.name.cmp(&b.name))
        });
        Stability {
            baseline: baseline.to_owned(),
            rows_before: self.score.rows(),
            rows_now: now.score.rows(),
            score: self.score.shift_to(&now.score, "score", limits),
            features,
            absent: self
                .features
                .keys()
                .filter(|name| !now.features.contains_key(*name))
                .cloned()
                .collect(),
        }
    }
}

impl Spread {
    fn baseline(cells: Cells<'_>) -> Self {
        let binning = match cells {
            Cells::Numbers(values) => {
                let known: Vec<f64> = values
                    .iter()
                    .copied()
                    .filter(|value| !value.is_nan())
                    .collect();
                let ranked = Ranked::of(&known);
                let (bins, _) = equal_weight(&ranked, &vec![1.0; known.len()], BINS);
                Binning::Edges(edges(&ranked, &bins))
            }
            Cells::Categories { codes, names } => {
                let mut counts = vec![0.0; names.len()];
                for code in codes {
                    add(&mut counts, *code as usize, 1.0);
                }
                let mut order: Vec<(usize, &String)> = names
                    .iter()
                    .enumerate()
                    .filter(|(code, _)| at(&counts, *code) > 0.0)
                    .collect();
                order.sort_by(|a, b| {
                    at(&counts, b.0)
                        .total_cmp(&at(&counts, a.0))
                        .then(a.1.cmp(b.1))
                });
                let mut groups: Vec<Vec<String>> = order
                    .iter()
                    .take(CATEGORIES)
                    .map(|(_, name)| vec![(*name).clone()])
                    .collect();
                let rest: Vec<String> = order
                    .iter()
                    .skip(CATEGORIES)
                    .map(|(_, name)| (*name).clone())
                    .collect();
                if !rest.is_empty() {
                    groups.push(rest);
                }
                Binning::Categories(groups)
            }
        };
        Self {
            binning,
            ..Self::default()
        }
        .count(cells)
    }

    fn count(&self, cells: Cells<'_>) -> Self {
        let bins = match &self.binning {
            Binning::Edges(edges) => edges.len() + 1,
            Binning::Categories(groups) => groups.len(),
        };
        let mut spread = Self {
            binning: self.binning.clone(),
            counts: vec![0; bins],
            missing_count: 0,
            unseen_count: 0,
        };
        match (&self.binning, cells) {
            (Binning::Edges(edges), Cells::Numbers(values)) => {
                for value in values {
                    if value.is_nan() {
                        spread.missing_count += 1;
                    } else {
                        spread.add(Some(edges.partition_point(|edge| edge <= value)));
                    }
                }
            }
            (Binning::Categories(groups), Cells::Categories { codes, names }) => {
                let bin_of: Vec<Option<usize>> = names
                    .iter()
                    .map(|name| groups.iter().position(|group| group.contains(name)))
                    .collect();
                for code in codes {
                    if *code == MISSING {
                        spread.missing_count += 1;
                    } else {
                        spread.add(bin_of.get(*code as usize).copied().flatten());
                    }
                }
            }
            (Binning::Edges(_), Cells::Categories { codes, .. }) => {
                for code in codes {
                    if *code == MISSING {
                        spread.missing_count += 1;
                    } else {
                        spread.unseen_count += 1;
                    }
                }
            }
            (Binning::Categories(_), Cells::Numbers(values)) => {
                for value in values {
                    if value.is_nan() {
                        spread.missing_count += 1;
                    } else {
                        spread.unseen_count += 1;
                    }
                }
            }
        }
        spread
    }

    fn add(&mut self, bin: Option<usize>) {
        match bin.and_then(|bin| self.counts.get_mut(bin)) {
            Some(count) => *count += 1,
            None => self.unseen_count += 1,
        }
    }

    /// Numbers already counted into bands; `edges` are the lower edges of the bands after the first.
    pub fn banded(edges: Vec<f64>, counts: Vec<u64>) -> Self {
        Self {
            binning: Binning::Edges(edges),
            counts,
            missing_count: 0,
            unseen_count: 0,
        }
    }

    /// Rows already counted into named bins, as by a scorecard.
    pub fn counted(
        bins: Vec<String>,
        counts: Vec<u64>,
        missing_count: u64,
        unseen_count: u64,
    ) -> Self {
        Self {
            binning: Binning::Categories(bins.into_iter().map(|bin| vec![bin]).collect()),
            counts,
            missing_count,
            unseen_count,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.missing_count + self.unseen_count
    }

    fn shift_to(&self, now: &Self, name: &str, limits: Limits) -> Shift {
        let mut cells: Vec<(String, u64, u64)> = self
            .labels()
            .into_iter()
            .zip(self.counts.iter().zip(&now.counts))
            .map(|(label, (before, now))| (label, *before, *now))
            .collect();
        for (label, before, now) in [
            ("missing", self.missing_count, now.missing_count),
            ("unseen", self.unseen_count, now.unseen_count),
        ] {
            if before + now > 0 {
                cells.push((label.to_owned(), before, now));
            }
        }
        let (rows_before, rows_now, bins) =
            (self.rows() as f64, now.rows() as f64, cells.len() as f64);
        // Half a row is added to every bin, so that a bin which empties counts by the number of rows that could have
        // been in it instead of without limit.
        let share = |count: u64, rows: f64| (count as f64 + 0.5) / (rows + 0.5 * bins);
        let index: f64 = cells
            .iter()
            .map(|(_, before, now)| {
                let (before, now) = (share(*before, rows_before), share(*now, rows_now));
                (now - before) * (now / before).ln()
            })
            .sum();
        let verdict = match index {
            index if index >= limits.act => DriftVerdict::Act,
            index if index >= limits.look => DriftVerdict::Look,
            _ => DriftVerdict::Steady,
        };
        let plain = |count: u64, rows: f64| ratio(count as f64, rows).unwrap_or(0.0);
        Shift {
            name: name.to_owned(),
            index,
            by_chance: (bins - 1.0) * (1.0 / rows_before.max(1.0) + 1.0 / rows_now.max(1.0)),
            verdict,
            missing_before: plain(self.missing_count, rows_before),
            missing_now: plain(now.missing_count, rows_now),
            unseen_now: plain(now.unseen_count, rows_now),
            bins: cells
                .into_iter()
                .map(|(bin, before, now)| ShiftBin {
                    bin,
                    before: plain(before, rows_before),
                    now: plain(now, rows_now),
                })
                .collect(),
        }
    }

    fn labels(&self) -> Vec<String> {
        match &self.binning {
            Binning::Edges(edges) => {
                let lower = std::iter::once("(".to_owned() + "−∞")
                    .chain(edges.iter().map(|edge| format!("[{}", short(*edge))));
                let upper = edges
                    .iter()
                    .map(|edge| short(*edge))
                    .chain(std::iter::once("∞".to_owned()));
                lower
                    .zip(upper)
                    .map(|(lower, upper)| format!("{lower}, {upper})"))
                    .collect()
            }
            Binning::Categories(groups) => groups
                .iter()
                .map(|group| match group.as_slice() {
                    [one] => one.clone(),
                    many => format!("{} others", many.len()),
                })
                .collect(),
        }
    }
}

/// A number as people write it.
fn short(value: f64) -> String {
    let rounded = (value * 1e4).round() / 1e4;
    if rounded == 0.0 && value != 0.0 {
        format!("{value:.2e}")
    } else {
        rounded.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rng::SeededRng;

    const LIMITS: Limits = Limits {
        look: 0.10,
        act: 0.25,
    };

    fn shift(before: &[f64], now: &[f64]) -> Stability {
        let baseline = Profile::baseline(before, &[]);
        baseline.shift_to(&baseline.count(now, &[]), "before", LIMITS)
    }

    #[test]
    fn two_bins_give_the_index_by_hand() {
        // 60 and 40 of 100 become 45 and 55; half a row is added to each of the two bins.
        let column = |zeros: usize| {
            (0..100)
                .map(|i| f64::from(u8::from(i >= zeros)))
                .collect::<Vec<_>>()
        };
        let shift = shift(&column(60), &column(45));
        let (a, b, c, d): (f64, f64, f64, f64) =
            (60.5 / 101.0, 40.5 / 101.0, 45.5 / 101.0, 55.5 / 101.0);
        let wanted = (c - a) * (c / a).ln() + (d - b) * (d / b).ln();
        assert!((shift.score.index - wanted).abs() < 1e-12);
        assert_eq!(
            (shift.rows_before, shift.rows_now, shift.score.bins.len()),
            (100, 100, 2)
        );
        assert_eq!(
            shift.score.bins[0],
            ShiftBin {
                bin: "(−∞, 1)".to_owned(),
                before: 0.6,
                now: 0.45
            }
        );
    }

    #[test]
    fn the_same_population_has_the_index_of_chance() {
        let mut rng = SeededRng::new(1, "stability");
        let (mut index, mut chance) = (0.0, 0.0);
        for _ in 0..60 {
            let mut draw = |n: usize| (0..n).map(|_| rng.unit_f64()).collect::<Vec<_>>();
            let shift = shift(&draw(3_000), &draw(1_000)).score;
            assert_eq!(shift.verdict, DriftVerdict::Steady);
            index += shift.index;
            chance += shift.by_chance;
        }
        assert!((index / chance - 1.0).abs() < 0.15, "{index} {chance}");
    }

    #[test]
    fn a_population_that_moved_calls_for_action() {
        let column = |from: u32| {
            (0..2_000)
                .map(|i| f64::from(from + i % 1_000))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shift(&column(0), &column(0)).score.verdict,
            DriftVerdict::Steady
        );
        assert_eq!(
            shift(&column(0), &column(180)).score.verdict,
            DriftVerdict::Act
        );
        // A bin that empties gives a finite index.
        assert!(shift(&column(0), &column(5_000)).score.index.is_finite());
    }

    #[test]
    fn missing_and_unseen_are_told_apart_and_an_absent_feature_is_named() {
        let names = ["food", "retail", "mining"].map(str::to_owned);
        let before = Cells::Categories {
            codes: &[0, 0, 1, MISSING],
            names: &names,
        };
        let now = Cells::Categories {
            codes: &[0, 2, 2, 1],
            names: &names,
        };
        let baseline = Profile::baseline(&[1.0; 4], &[("industry", before), ("gone", before)]);
        let shift = baseline.shift_to(
            &baseline.count(&[1.0; 4], &[("industry", now)]),
            "b",
            LIMITS,
        );
        let industry = &shift.features[0];
        assert_eq!(
            (
                industry.missing_before,
                industry.missing_now,
                industry.unseen_now
            ),
            (0.25, 0.0, 0.5)
        );
        let bins: Vec<&str> = industry.bins.iter().map(|bin| bin.bin.as_str()).collect();
        assert_eq!(bins, ["food", "retail", "missing", "unseen"]);
        assert_eq!(shift.absent, ["gone"]);
    }

    #[test]
    fn a_constant_or_empty_column_is_one_bin() {
        for column in [vec![3.0; 10], vec![f64::NAN; 10]] {
            let shift = shift(&column, &column).score;
            assert_eq!((shift.index, shift.by_chance.is_finite()), (0.0, true));
        }
    }
}
