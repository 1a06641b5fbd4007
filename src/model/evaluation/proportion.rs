//! Problem rates by part (tier, bin, group), with intervals that know weights and repeated visits.

use serde::{Deserialize, Serialize};

use super::interval::{clopper_pearson, wilson};
use super::rows::Rows;
use super::slots::{add, at, code, ratio};

/// A problem rate over some of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proportion {
    /// Number of rows.
    pub rows: u64,
    /// Number of rows with a problem.
    pub found: u64,
    /// Share of these rows in all rows, by weight.
    pub share: f64,
    /// Rate, by weight; absent without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Number of independent rows of equal weight that would tell as much.
    pub effective_rows: f64,
    /// Lower end of the Wilson interval at 95 %.
    pub low: f64,
    /// Upper end of the Wilson interval at 95 %.
    pub high: f64,
    /// Lower end of the exact interval (Clopper–Pearson) at 95 %.
    pub exact_low: f64,
    /// Upper end of the exact interval (Clopper–Pearson) at 95 %.
    pub exact_high: f64,
}

#[derive(Clone, Default)]
struct Part {
    rows: u64,
    found: u64,
    weight: f64,
    square: f64,
    found_weight: f64,
    variance: f64,
}

impl Rows {
    /// The rate of each part; `part` gives every row's part below `parts`, anything else leaves the row out.
    ///
    /// The intervals rest on the effective number of rows `p(1−p)/v`, where `v` is the linearised variance of the rate
    /// with the rows of one enterprise taken together (Korn & Graubard 1998). Without weights and repetitions it is the
    /// number of rows. It is never more than that number, and where every row is alike it is Kish's `(Σw)²/Σw²`.
    pub(super) fn proportions(
        &self,
        part: &[u32],
        parts: usize,
        weights: &[f64],
    ) -> Vec<Proportion> {
        let mut sums = vec![Part::default(); parts];
        let mut total = 0.0;
        for ((part, found), weight) in part.iter().zip(&self.outcome).zip(weights) {
            let Some(sum) = sums.get_mut(*part as usize) else {
                continue;
            };
            total += weight;
            sum.rows += 1;
            sum.weight += weight;
            sum.square += weight * weight;
            if *found {
                sum.found += 1;
                sum.found_weight += weight;
            }
        }
        let rates: Vec<f64> = sums
            .iter()
            .map(|sum| ratio(sum.found_weight, sum.weight).unwrap_or(0.0))
            .collect();
        let mut within = vec![0.0; parts];
        let mut touched: Vec<usize> = Vec::new();
        let mut current = None;
        let mut close = |touched: &mut Vec<usize>, within: &mut [f64]| {
            for part in touched.drain(..) {
                if let (Some(residual), Some(sum)) = (within.get_mut(part), sums.get_mut(part)) {
                    sum.variance += *residual * *residual;
                    *residual = 0.0;
                }
            }
        };
        for row in &self.clusters.rows {
            let row = *row as usize;
            let cluster = self.clusters.of.get(row);
            if cluster != current {
                close(&mut touched, &mut within);
                current = cluster;
            }
            let of = code(part, row);
            if of < parts {
                let found = if self.is_found(row) { 1.0 } else { 0.0 };
                add(&mut within, of, at(weights, row) * (found - at(&rates, of)));
                if touched.last() != Some(&of) {
                    touched.push(of);
                }
            }
        }
        close(&mut touched, &mut within);
        sums.iter().map(|sum| sum.proportion(total)).collect()
    }
}

impl Part {
    fn proportion(&self, total: f64) -> Proportion {
        let rate = ratio(self.found_weight, self.weight);
        let rows = self.rows as f64;
        let kish = ratio(self.weight * self.weight, self.square).unwrap_or(0.0);
        let spread = rate.map_or(0.0, |p| p * (1.0 - p));
        let variance = ratio(self.variance, self.weight * self.weight).unwrap_or(0.0);
        let effective = ratio(spread, variance)
            .map_or(kish, |n| n.min(rows))
            .min(rows);
        // A rate of exactly 0 or 1 stays one, whatever the effective number of rows.
        let found = rate.unwrap_or(0.0) * effective;
        let (low, high) = wilson(found, effective);
        let (exact_low, exact_high) = clopper_pearson(found, effective);
        Proportion {
            rows: self.rows,
            found: self.found,
            share: ratio(self.weight, total).unwrap_or(0.0),
            rate,
            effective_rows: effective,
            low,
            high,
            exact_low,
            exact_high,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Columns;
    use super::*;

    fn rows(outcome: &[u8], enterprise: Option<&[&str]>) -> Rows {
        Columns {
            score: vec![0.0; outcome.len()],
            outcome: outcome.iter().map(|found| *found == 1).collect(),
            enterprise: enterprise.map(|names| names.iter().map(|n| (*n).to_owned()).collect()),
            ..Columns::default()
        }
        .check()
        .unwrap()
    }

    #[test]
    fn without_weights_and_repetitions_the_interval_is_the_plain_one() {
        let outcome: Vec<u8> = (0..263).map(|i| u8::from(i < 81)).collect();
        let rows = rows(&outcome, None);
        let [part] = rows
            .proportions(&[0; 263], 1, &[1.0; 263])
            .try_into()
            .unwrap();
        assert!((part.effective_rows - 263.0).abs() < 1e-9);
        // Newcombe 1998, table I.
        assert!((part.low - 0.2553).abs() < 5e-5 && (part.high - 0.3662).abs() < 5e-5);
        assert!((part.exact_low - 0.2527).abs() < 5e-5 && (part.exact_high - 0.3676).abs() < 5e-5);
        assert_eq!((part.rows, part.found, part.share), (263, 81, 1.0));
    }

    #[test]
    fn a_visit_copied_four_times_tells_no_more_than_once() {
        let outcome: Vec<u8> = (0..80).map(|i| u8::from(i / 4 < 5)).collect();
        let names: Vec<String> = (0..80).map(|i| (i / 4).to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let copied = rows(&outcome, Some(&names)).proportions(&[0; 80], 1, &[1.0; 80]);
        assert!((copied[0].effective_rows - 20.0).abs() < 1e-9, "{copied:?}");
        assert_eq!(copied[0].rate, Some(0.25));
    }

    #[test]
    fn unequal_weights_widen_the_interval() {
        let outcome: Vec<u8> = (0..100).map(|i| u8::from(i % 4 == 0)).collect();
        let weights: Vec<f64> = (0..100)
            .map(|i| if i % 10 == 0 { 20.0 } else { 1.0 })
            .collect();
        let rows = rows(&outcome, None);
        let weighted = rows.proportions(&[0; 100], 1, &weights);
        let plain = rows.proportions(&[0; 100], 1, &[1.0; 100]);
        assert!(weighted[0].effective_rows < plain[0].effective_rows / 2.0);
        // Problems at 0, 4, …, 96: five of them at multiples of ten, weight 20.
        let rate = (5.0 * 20.0 + 20.0) / (10.0 * 20.0 + 90.0);
        assert!((weighted[0].rate.unwrap() - rate).abs() < 1e-12);
    }

    #[test]
    fn an_empty_part_has_no_rate_and_the_whole_interval() {
        let parts = rows(&[1, 0, 1], None).proportions(&[1, 1, 7], 2, &[1.0; 3]);
        assert_eq!(
            (parts[0].rate, parts[0].low, parts[0].high),
            (None, 0.0, 1.0)
        );
        assert_eq!((parts[1].rows, parts[1].share), (2, 1.0));
    }
}
