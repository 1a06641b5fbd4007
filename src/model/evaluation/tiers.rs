//! What the tiers hold: the tier table of one model, and who moves between two.

use serde::{Deserialize, Serialize};

use super::proportion::Proportion;
use super::rows::Rows;
use super::slots::{at, ratio};
use crate::domain::Tier;

/// The tiers of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierTable {
    /// One row per tier, A to D.
    pub tiers: Vec<TierRow>,
    /// Whether the problem rate never falls from a tier to the next worse one, over tiers with at least `least_rows`
    /// rows; absent with fewer than two such tiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotone: Option<bool>,
    /// Rows below which a tier's rate is too uncertain to break the order.
    pub least_rows: u64,
}

/// One tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierRow {
    /// The tier.
    pub tier: Tier,
    /// Its share and problem rate.
    pub found: Proportion,
    /// Share of all problems that lie in it.
    pub captured: f64,
    /// Its rate over that of all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lift: Option<f64>,
}

/// Rows that go from one tier to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Tier under the current model.
    pub from: Tier,
    /// Tier under the candidate.
    pub to: Tier,
    /// Their number, share and problem rate.
    pub found: Proportion,
}

/// Who is visited first under one model only, when the same number of visits is made by score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopSwap {
    /// Share of all rows that is visited.
    pub share: f64,
    /// Visited under both.
    pub both: Expected,
    /// Visited under the current model only.
    pub current_only: Expected,
    /// Visited under the candidate only.
    pub candidate_only: Expected,
}

/// Expected numbers over the order of rows of equal score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Rows, by weight.
    pub rows: f64,
    /// Of these with a problem.
    pub found: f64,
    /// `found / rows`; absent without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

fn position(tier: Tier) -> u32 {
    match tier {
        Tier::A => 0,
        Tier::B => 1,
        Tier::C => 2,
        Tier::D => 3,
    }
}

impl Rows {
    /// The tier table; absent without tiers.
    pub(super) fn tier_table(&self, weights: &[f64], least_rows: u64) -> Option<TierTable> {
        let part: Vec<u32> = self
            .tier
            .as_ref()?
            .iter()
            .map(|tier| position(*tier))
            .collect();
        let proportions = self.proportions(&part, Tier::ALL.len(), weights);
        let found_share = |p: &Proportion| p.share * p.rate.unwrap_or(0.0);
        let base: f64 = proportions.iter().map(found_share).sum();
        let tiers: Vec<TierRow> = Tier::ALL
            .iter()
            .zip(proportions)
            .map(|(tier, found)| TierRow {
                tier: *tier,
                captured: ratio(found_share(&found), base).unwrap_or(0.0),
                lift: found.rate.and_then(|rate| ratio(rate, base)),
                found,
            })
            .collect();
        let rates: Vec<f64> = tiers
            .iter()
            .filter(|row| row.found.rows >= least_rows.max(1))
            .filter_map(|row| row.found.rate)
            .collect();
        Some(TierTable {
            monotone: (rates.len() > 1).then(|| rates.is_sorted()),
            tiers,
            least_rows,
        })
    }

    /// Who moves where; absent where one of the two has no tiers. All sixteen cells, in order.
    pub(super) fn moves(&self, candidate: &Rows, weights: &[f64]) -> Option<Vec<Move>> {
        let (from, to) = (self.tier.as_ref()?, candidate.tier.as_ref()?);
        let part: Vec<u32> = from
            .iter()
            .zip(to)
            .map(|(from, to)| position(*from) * 4 + position(*to))
            .collect();
        let cells = Tier::ALL
            .iter()
            .flat_map(|from| Tier::ALL.iter().map(move |to| (*from, *to)));
        Some(
            cells
                .zip(self.proportions(&part, 16, weights))
                .map(|((from, to), found)| Move { from, to, found })
                .collect(),
        )
    }

    /// Who is visited by one order only, with visits for this share of the rows.
    pub(super) fn top_swap(&self, candidate: &Rows, weights: &[f64], share: f64) -> TopSwap {
        let (current, next) = (
            self.chances(weights, share),
            candidate.chances(weights, share),
        );
        let mut swap = TopSwap {
            share,
            both: Expected::default(),
            current_only: Expected::default(),
            candidate_only: Expected::default(),
        };
        for (row, (found, weight)) in self.outcome.iter().zip(weights).enumerate() {
            let (a, b) = (at(&current, row), at(&next, row));
            let found = if *found { 1.0 } else { 0.0 };
            for (cell, chance) in [
                (&mut swap.both, a * b),
                (&mut swap.current_only, a * (1.0 - b)),
                (&mut swap.candidate_only, (1.0 - a) * b),
            ] {
                cell.rows += weight * chance;
                cell.found += weight * chance * found;
            }
        }
        for cell in [
            &mut swap.both,
            &mut swap.current_only,
            &mut swap.candidate_only,
        ] {
            // Sums that should be nothing may differ from it by rounding.
            cell.rate = (cell.rows > 1e-9).then(|| cell.found / cell.rows);
        }
        swap
    }

    /// Each row's chance to be among the top share: 1 above the cut, 0 below, a fraction in the block of equal scores
    /// that the cut falls into.
    fn chances(&self, weights: &[f64], share: f64) -> Vec<f64> {
        let mut of_rank = vec![0.0; self.score.values.len()];
        for (rank, weight) in self.score.rank.iter().zip(weights) {
            super::slots::add(&mut of_rank, *rank as usize, *weight);
        }
        let mut left = share * of_rank.iter().sum::<f64>();
        for block in of_rank.iter_mut().rev() {
            let taken = block.min(left);
            left -= taken;
            *block = ratio(taken, *block).unwrap_or(0.0);
        }
        self.score
            .rank
            .iter()
            .map(|rank| at(&of_rank, *rank as usize))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Columns;
    use super::*;

    fn rows(tiers: &str, outcome: &[u8]) -> Rows {
        let tiers: Vec<Tier> = tiers
            .chars()
            .map(|c| c.to_string().parse::<Tier>().unwrap())
            .collect();
        Columns {
            score: tiers.iter().map(|tier| f64::from(tier.code())).collect(),
            outcome: outcome.iter().map(|found| *found == 1).collect(),
            tier: Some(tiers),
            ..Columns::default()
        }
        .check()
        .unwrap()
    }

    #[test]
    fn the_tier_table_of_ten_rows_is_the_one_by_hand() {
        let rows = rows("AAAABBBCCD", &[0, 0, 0, 0, 0, 1, 0, 1, 0, 1]);
        let table = rows.tier_table(&[1.0; 10], 1).unwrap();
        let rates: Vec<_> = table
            .tiers
            .iter()
            .map(|row| row.found.rate.unwrap())
            .collect();
        assert_eq!(rates, [0.0, 1.0 / 3.0, 0.5, 1.0]);
        assert_eq!(table.monotone, Some(true));
        assert!((table.tiers[3].captured - 1.0 / 3.0).abs() < 1e-12);
        assert!((table.tiers[3].lift.unwrap() - 10.0 / 3.0).abs() < 1e-12);
        assert_eq!(
            rows.tier_table(&[1.0; 10], 4).unwrap().monotone,
            None,
            "one tier is large enough"
        );
    }

    #[test]
    fn a_falling_rate_and_an_empty_tier_are_seen() {
        let table = rows("AABBDD", &[1, 0, 0, 0, 1, 1])
            .tier_table(&[1.0; 6], 1)
            .unwrap();
        assert_eq!(table.monotone, Some(false));
        assert_eq!(
            (table.tiers[2].found.rows, table.tiers[2].found.rate),
            (0, None)
        );
    }

    #[test]
    fn every_row_moves_once() {
        let current = rows("AABCD", &[0, 1, 0, 1, 1]);
        let candidate = rows("ACBDD", &[0, 1, 0, 1, 1]);
        let moves = current.moves(&candidate, &[1.0; 5]).unwrap();
        assert_eq!(moves.len(), 16);
        assert_eq!(moves.iter().map(|cell| cell.found.rows).sum::<u64>(), 5);
        let a_to_c = moves
            .iter()
            .find(|m| m.from == Tier::A && m.to == Tier::C)
            .unwrap();
        assert_eq!((a_to_c.found.rows, a_to_c.found.found), (1, 1));
    }

    #[test]
    fn the_top_is_shared_out_over_ties() {
        // Two visits of five. The current model puts D, then C first; the candidate D and D.
        let current = rows("AABCD", &[0, 1, 0, 1, 1]);
        let candidate = rows("AABDD", &[0, 1, 0, 1, 1]);
        let swap = current.top_swap(&candidate, &[1.0; 5], 0.4);
        assert_eq!(
            (
                swap.both.rows,
                swap.current_only.rows,
                swap.candidate_only.rate
            ),
            (2.0, 0.0, None)
        );
        // One visit: the candidate's two rows of tier D have half a chance each.
        let swap = current.top_swap(&candidate, &[1.0; 5], 0.2);
        assert_eq!(
            (
                swap.both.rows,
                swap.current_only.rows,
                swap.candidate_only.rows
            ),
            (0.5, 0.5, 0.5)
        );
        assert_eq!(swap.candidate_only.rate, Some(1.0));
    }
}
