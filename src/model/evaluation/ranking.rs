//! How well a score puts problems first. Everything is read off one tally of weights by rank, so ties are exact.

use serde::{Deserialize, Serialize};

use super::rows::{Ranked, Rows};
use super::slots::{add, at, code, ratio};

/// Weights of rows with and without a problem, by rank of the score, rising.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) found: Vec<f64>,
    pub(super) clean: Vec<f64>,
}

/// A point of the receiver operating characteristic: the rows with at least this score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// The score.
    pub score: f64,
    /// Share of rows without a problem that have at least this score.
    pub clean_share: f64,
    /// Share of problems that have at least this score.
    pub found_share: f64,
}

/// One tenth of the rows, from the highest scores down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decile {
    /// From 1, the highest scores, to 10.
    pub decile: u32,
    /// Problem rate in this tenth.
    pub rate: f64,
    /// The rate over that of all rows.
    pub lift: f64,
    /// Share of all problems in this and the tenths above.
    pub captured: f64,
    /// Share of all rows in this and the tenths above.
    pub visited: f64,
}

impl Tally {
    pub(super) fn empty(ranks: usize) -> Self {
        Self {
            found: vec![0.0; ranks],
            clean: vec![0.0; ranks],
        }
    }

    pub(super) fn of(score: &Ranked, outcome: &[bool], weights: &[f64]) -> Self {
        let mut tally = Self::empty(score.values.len());
        for ((rank, found), weight) in score.rank.iter().zip(outcome).zip(weights) {
            tally.add(*rank, *found, *weight);
        }
        tally
    }

    #[inline]
    pub(super) fn add(&mut self, rank: u32, found: bool, weight: f64) {
        let side = if found {
            &mut self.found
        } else {
            &mut self.clean
        };
        add(side, rank as usize, weight);
    }

    pub(super) fn clear(&mut self) {
        self.found.fill(0.0);
        self.clean.fill(0.0);
    }

    /// Weights of problems and of the rest.
    pub(super) fn totals(&self) -> (f64, f64) {
        (self.found.iter().sum(), self.clean.iter().sum())
    }

    fn ranks(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> + ExactSizeIterator + '_ {
        self.found.iter().copied().zip(self.clean.iter().copied())
    }

    /// Area under the curve: the probability that a row with a problem scores higher than one without, ties counting
    /// half (Mann & Whitney 1947; Hanley & McNeil 1982). Absent with one class only.
    pub(super) fn auc(&self) -> Option<f64> {
        let (found_total, clean_total) = self.totals();
        let (mut below, mut area) = (0.0, 0.0);
        for (found, clean) in self.ranks() {
            area += found * (below + 0.5 * clean);
            below += clean;
        }
        ratio(area, found_total * clean_total)
    }

    /// Largest distance between the two distribution functions (Kolmogorov 1933, Smirnov 1948), and the rank up to
    /// which it is reached. Absent with one class only.
    pub(super) fn ks(&self) -> Option<(f64, usize)> {
        let (found_total, clean_total) = self.totals();
        if !(found_total > 0.0 && clean_total > 0.0) {
            return None;
        }
        let (mut found_below, mut clean_below) = (0.0, 0.0);
        let mut best = (0.0, 0);
        for (rank, (found, clean)) in self.ranks().enumerate() {
            found_below += found / found_total;
            clean_below += clean / clean_total;
            let distance = f64::abs(clean_below - found_below);
            if distance > best.0 {
                best = (distance, rank);
            }
        }
        Some((best.0.min(1.0), best.1))
    }

    /// Share of all problems among the `share` of rows with the highest scores; rows of equal score are taken in the
    /// expectation over their order.
    pub(super) fn captured(&self, share: f64) -> Option<f64> {
        let (found_total, clean_total) = self.totals();
        let mut left = share * (found_total + clean_total);
        let mut captured = 0.0;
        for (found, clean) in self.ranks().rev() {
            let block = found + clean;
            if block <= 0.0 {
                continue;
            }
            if block >= left {
                captured += found * left / block;
                break;
            }
            captured += found;
            left -= block;
        }
        ratio(captured, found_total)
    }

    /// The tenths of the rows; none without rows or without problems.
    pub(super) fn deciles(&self) -> Vec<Decile> {
        let (found_total, clean_total) = self.totals();
        let Some(base) = ratio(found_total, found_total + clean_total).filter(|base| *base > 0.0)
        else {
            return Vec::new();
        };
        let mut before = 0.0;
        (1..=10)
            .map(|decile| {
                let visited = f64::from(decile) / 10.0;
                let captured = if decile == 10 {
                    1.0
                } else {
                    self.captured(visited).unwrap_or(0.0)
                };
                let lift = ((captured - before) * 10.0).max(0.0);
                before = captured;
                Decile {
                    decile,
                    rate: lift * base,
                    lift,
                    captured,
                    visited,
                }
            })
            .collect()
    }

    /// The curve from the highest score down, at most `most` points besides the origin: the last point is always kept,
    /// and a point is left out only where the curve has moved less than `1/most` on both axes.
    pub(super) fn curve(&self, scores: &[f64], most: usize) -> Vec<CurvePoint> {
        let (found_total, clean_total) = self.totals();
        if !(found_total > 0.0 && clean_total > 0.0) {
            return Vec::new();
        }
        let step = 2.0 / most.max(2) as f64;
        let (mut found_above, mut clean_above) = (0.0, 0.0);
        let (mut last_found, mut last_clean) = (0.0, 0.0);
        let mut points = Vec::new();
        for (rank, (found, clean)) in self.ranks().enumerate().rev() {
            if found + clean <= 0.0 {
                continue;
            }
            found_above += found;
            clean_above += clean;
            let point = CurvePoint {
                score: at(scores, rank),
                clean_share: (clean_above / clean_total).min(1.0),
                found_share: (found_above / found_total).min(1.0),
            };
            if point.found_share - last_found + point.clean_share - last_clean >= step {
                (last_found, last_clean) = (point.found_share, point.clean_share);
                points.push(point);
            }
        }
        let end = CurvePoint {
            score: at(scores, 0),
            clean_share: 1.0,
            found_share: 1.0,
        };
        if points
            .last()
            .is_none_or(|last| last.found_share < 1.0 || last.clean_share < 1.0)
        {
            points.push(end);
        }
        points
    }
}

/// Area under the curve with the influence of every row on it.
#[derive(Clone, Debug)]
pub(super) struct Influence {
    pub(super) auc: f64,
    /// The influence of each of the rows given, in their order, on the area.
    pub(super) of: Vec<f64>,
}

impl Rows {
    /// The area over some of the rows and each row's influence on it: for a row with a problem its placement among the
    /// others less the area, by its share of their weight, and the other way round (DeLong, DeLong & Clarke-Pearson
    /// 1988, as a linearisation that takes weights). Absent with one class only.
    pub(super) fn influence(&self, rows: &[u32], weights: &[f64]) -> Option<Influence> {
        // Ranks within the rows, so that a small group costs no more than its own size.
        let mut order: Vec<u32> = rows.to_vec();
        let rank_of = |row: &u32| code(&self.score.rank, *row as usize);
        order.sort_unstable_by_key(rank_of);
        order.dedup_by_key(|row| rank_of(row));
        let ranks: Vec<usize> = order.iter().map(rank_of).collect();
        let slot = |row: usize| {
            ranks
                .binary_search(&code(&self.score.rank, row))
                .unwrap_or(0)
        };
        let slots: Vec<u32> = if ranks.len() == self.score.values.len() {
            rows.iter()
                .map(|row| u32::try_from(rank_of(row)).unwrap_or(0))
                .collect()
        } else {
            rows.iter()
                .map(|row| u32::try_from(slot(*row as usize)).unwrap_or(0))
                .collect()
        };
        let mut tally = Tally::empty(ranks.len());
        for (row, slot) in rows.iter().zip(&slots) {
            let row = *row as usize;
            tally.add(*slot, self.is_found(row), at(weights, row));
        }
        let auc = tally.auc()?;
        let (found_total, clean_total) = tally.totals();
        let (mut clean_below, mut found_below) = (0.0, 0.0);
        // Placement of a problem: share of clean weight below, ties half. Placement of a clean row: share of found
        // weight above, ties half.
        let (mut among_clean, mut among_found) = (Vec::new(), Vec::new());
        for (found, clean) in tally.ranks() {
            among_clean.push((clean_below + 0.5 * clean) / clean_total);
            among_found.push((found_total - found_below - 0.5 * found) / found_total);
            clean_below += clean;
            found_below += found;
        }
        let of = rows
            .iter()
            .zip(&slots)
            .map(|(row, slot)| {
                let row = *row as usize;
                let weight = at(weights, row);
                if self.is_found(row) {
                    weight * (at(&among_clean, *slot as usize) - auc) / found_total
                } else {
                    weight * (at(&among_found, *slot as usize) - auc) / clean_total
                }
            })
            .collect();
        Some(Influence { auc, of })
    }

    /// The variance of a sum of influences, rows of one enterprise added up first (Obuchowski 1997): with `C`
    /// enterprises, `C/(C−1)` times the sum of their squares. Absent with one enterprise only.
    ///
    /// `rows` are in the order of the clusters.
    pub(super) fn variance_of(&self, rows: &[u32], influences: &[f64]) -> Option<f64> {
        let (mut sum, mut count, mut current) = (0.0, 0_u64, None);
        let mut within = 0.0;
        for (row, influence) in rows.iter().zip(influences) {
            let cluster = self.clusters.of.get(*row as usize);
            if cluster != current {
                sum += within * within;
                within = 0.0;
                count += 1;
                current = cluster;
            }
            within += influence;
        }
        sum += within * within;
        (count > 1).then(|| sum * count as f64 / (count - 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Columns;
    use super::*;
    use crate::domain::rng::SeededRng;

    fn rows(score: &[f64], outcome: &[u8]) -> Rows {
        Columns {
            score: score.to_vec(),
            outcome: outcome.iter().map(|found| *found == 1).collect(),
            ..Columns::default()
        }
        .check()
        .unwrap()
    }

    fn tally(rows: &Rows, weights: &[f64]) -> Tally {
        Tally::of(&rows.score, &rows.outcome, weights)
    }

    /// Random rows with many ties.
    fn drawn(seed: u64, n: usize) -> (Vec<f64>, Vec<u8>, Vec<f64>) {
        let mut rng = SeededRng::new(seed, "evaluation test");
        let score = (0..n).map(|_| rng.below(9) as f64).collect::<Vec<_>>();
        let outcome = score
            .iter()
            .map(|score| u8::from(rng.chance(0.1 + score / 20.0)))
            .collect();
        let weights = (0..n).map(|_| 0.5 + rng.unit_f64() * 9.0).collect();
        (score, outcome, weights)
    }

    #[test]
    fn the_area_of_a_small_table_is_the_one_by_hand() {
        // Problems at 3 and 1, clean rows at 2 and 1: pairs won 3>2, 3>1, lost 1<2, tied 1=1: 2.5 of 4.
        let rows = rows(&[3.0, 1.0, 2.0, 1.0], &[1, 1, 0, 0]);
        assert_eq!(tally(&rows, &[1.0; 4]).auc(), Some(0.625));
        // The distribution functions after 1: ½ each; after 2: clean 1, found ½; so ½ at score 2.
        assert_eq!(tally(&rows, &[1.0; 4]).ks(), Some((0.5, 1)));
        // A clean row of weight 3 at 1: pairs 3>2 (1), 3>1 (3), 1=1 (1.5) of 2·4.
        assert_eq!(tally(&rows, &[1.0, 1.0, 1.0, 3.0]).auc(), Some(5.5 / 8.0));
    }

    #[test]
    fn the_area_equals_the_comparison_of_every_pair() {
        for seed in 0..20 {
            let (score, outcome, weights) = drawn(seed, 120);
            let rows = rows(&score, &outcome);
            let (mut won, mut pairs) = (0.0, 0.0);
            for i in (0..120).filter(|i| outcome[*i] == 1) {
                for j in (0..120).filter(|j| outcome[*j] == 0) {
                    let pair = weights[i] * weights[j];
                    pairs += pair;
                    won += pair
                        * if score[i] > score[j] {
                            1.0
                        } else if score[i] == score[j] {
                            0.5
                        } else {
                            0.0
                        };
                }
            }
            let auc = tally(&rows, &weights).auc().unwrap();
            assert!((auc - won / pairs).abs() < 1e-12, "{auc} {}", won / pairs);
        }
    }

    #[test]
    fn the_ks_distance_equals_the_search_over_every_threshold() {
        for seed in 0..20 {
            let (score, outcome, weights) = drawn(seed, 90);
            let rows = rows(&score, &outcome);
            let share = |threshold: f64, class: u8| {
                let of = |keep: &dyn Fn(usize) -> bool| {
                    (0..90)
                        .filter(|i| outcome[*i] == class && keep(*i))
                        .map(|i| weights[i])
                        .sum::<f64>()
                };
                of(&|i| score[i] <= threshold) / of(&|_| true)
            };
            let brute = score
                .iter()
                .map(|threshold| (share(*threshold, 0) - share(*threshold, 1)).abs())
                .fold(0.0, f64::max);
            let (ks, _) = tally(&rows, &weights).ks().unwrap();
            assert!((ks - brute).abs() < 1e-12, "{ks} {brute}");
        }
    }

    #[test]
    fn the_variance_of_the_area_is_that_of_delong() {
        // DeLong, DeLong & Clarke-Pearson 1988: S10/m + S01/n from the placements. The linearisation differs from it by
        // known factors, (m−1)/m, (n−1)/n and C/(C−1), and by nothing else.
        let (score, outcome, _) = drawn(7, 200);
        let rows = rows(&score, &outcome);
        let all: Vec<u32> = (0..200).collect();
        let ones = [1.0; 200];
        let influence = rows.influence(&all, &ones).unwrap();
        let side = |class: u8| {
            let own: Vec<usize> = (0..200).filter(|i| outcome[*i] == class).collect();
            let other: Vec<usize> = (0..200).filter(|i| outcome[*i] != class).collect();
            let placements: Vec<f64> = own
                .iter()
                .map(|i| {
                    other
                        .iter()
                        .map(|j| {
                            let (high, low) = if class == 1 { (*i, *j) } else { (*j, *i) };
                            if score[high] > score[low] {
                                1.0
                            } else if score[high] == score[low] {
                                0.5
                            } else {
                                0.0
                            }
                        })
                        .sum::<f64>()
                        / other.len() as f64
                })
                .collect();
            let mean = placements.iter().sum::<f64>() / placements.len() as f64;
            let sum = placements.iter().map(|p| (p - mean).powi(2)).sum::<f64>();
            assert!((mean - influence.auc).abs() < 1e-12);
            (sum, own.len() as f64)
        };
        let ((found_sum, m), (clean_sum, n)) = (side(1), side(0));
        let delong = found_sum / ((m - 1.0) * m) + clean_sum / ((n - 1.0) * n);
        let ours = rows.variance_of(&all, &influence.of).unwrap();
        let linear = (found_sum / (m * m) + clean_sum / (n * n)) * 200.0 / 199.0;
        assert!((ours - linear).abs() < 1e-14, "{ours} {linear}");
        assert!((ours / delong - 1.0).abs() < 0.03, "{ours} {delong}");
    }

    #[test]
    fn a_group_is_ranked_within_itself() {
        let (score, outcome, weights) = drawn(3, 100);
        let all = rows(&score, &outcome);
        let some: Vec<u32> = (0..100).filter(|i| i % 3 == 0).collect();
        let pick = |values: &[f64]| some.iter().map(|i| values[*i as usize]).collect::<Vec<_>>();
        let outcomes: Vec<u8> = some.iter().map(|i| outcome[*i as usize]).collect();
        let alone = rows(&pick(&score), &outcomes);
        let own = tally(&alone, &pick(&weights)).auc().unwrap();
        let within = all.influence(&some, &weights).unwrap().auc;
        assert!((own - within).abs() < 1e-12);
    }

    #[test]
    fn one_class_has_no_area_and_equal_scores_have_one_half() {
        let one = rows(&[1.0, 2.0], &[1, 1]);
        assert_eq!(tally(&one, &[1.0; 2]).auc(), None);
        assert_eq!(tally(&one, &[1.0; 2]).ks(), None);
        assert!(one.influence(&[0, 1], &[1.0; 2]).is_none());
        let equal = rows(&[5.0; 4], &[1, 0, 0, 1]);
        assert_eq!(tally(&equal, &[1.0; 4]).auc(), Some(0.5));
        assert_eq!(tally(&equal, &[1.0; 4]).ks(), Some((0.0, 0)));
        let lifts: Vec<f64> = tally(&equal, &[1.0; 4])
            .deciles()
            .iter()
            .map(|d| d.lift)
            .collect();
        assert!(
            lifts.iter().all(|lift| (lift - 1.0).abs() < 1e-12),
            "{lifts:?}"
        );
    }

    #[test]
    fn the_deciles_of_twenty_rows_are_those_by_hand() {
        // Scores 20 down to 1; problems at the three highest and at 10.
        let score: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let outcome: Vec<u8> = (1..=20)
            .rev()
            .map(|score| u8::from(score >= 18 || score == 10))
            .collect();
        let deciles = tally(&rows(&score, &outcome), &[1.0; 20]).deciles();
        let captured: Vec<f64> = deciles.iter().map(|d| d.captured).collect();
        assert_eq!(captured[..2], [0.5, 0.75]);
        assert_eq!(captured[4..], [0.75, 1.0, 1.0, 1.0, 1.0, 1.0][..]);
        // Two of two rows against four of twenty.
        assert!((deciles[0].rate - 1.0).abs() < 1e-12 && (deciles[0].lift - 5.0).abs() < 1e-12);
    }

    #[test]
    fn the_curve_ends_in_the_corner_and_keeps_the_area() {
        let mut rng = SeededRng::new(1, "curve");
        let score: Vec<f64> = (0..5_000).map(|_| rng.unit_f64()).collect();
        let outcome: Vec<u8> = score.iter().map(|s| u8::from(rng.chance(*s))).collect();
        let rows = rows(&score, &outcome);
        let tally = tally(&rows, &vec![1.0; 5_000]);
        let curve = tally.curve(&rows.score.values, 200);
        assert!(curve.len() <= 201, "{}", curve.len());
        let (mut area, mut last) = (0.0, (0.0, 0.0));
        for point in &curve {
            area += (point.clean_share - last.0) * (point.found_share + last.1) / 2.0;
            last = (point.clean_share, point.found_share);
        }
        assert_eq!(last, (1.0, 1.0));
        assert!((area - tally.auc().unwrap()).abs() < 0.002);
    }
}
