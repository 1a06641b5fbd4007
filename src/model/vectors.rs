//! Test vectors: rows with the points that a scorecard must give them, carried in the scorecard itself.
//!
//! They hold every bin edge and its two neighbouring numbers, missing and unseen values, every cell of every pair term,
//! and mixed rows. Loading a card re-runs them, and an export to another language is re-scored against them. A digest beside
//! them covers what no row shows: calibration, baseline and manifest.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::scorecard::{Card, Scorecard, ScorecardError, bounded};
use crate::domain::Tier;
use crate::domain::rng::SeededRng;

/// The least number of vectors that a card carries.
pub const LEAST_VECTORS: usize = 200;

/// A category that no training table has.
const UNSEEN: &str = "\u{fffd} unseen";

/// The vectors of a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vectors {
    /// SHA-256 of the card without its vectors, in canonical form, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_digest: Option<String>,
    /// The rows.
    pub rows: Vec<Vector>,
}

/// One row and what it must give; an indicator that is left out is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// Values by indicator.
    pub values: BTreeMap<String, Cell>,
    /// The sum of points before any bound.
    pub sum: i32,
    /// The points.
    pub points: u16,
    /// The tier that the points alone give.
    pub tier: Tier,
}

/// A value of a vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// Of a numeric indicator.
    Number(f64),
    /// Of a categorical indicator.
    Category(String),
}

impl Vectors {
    /// The vectors of a card, the same for the same card.
    pub(super) fn of(card: &Scorecard) -> Result<Self, ScorecardError> {
        let choices: BTreeMap<&String, Vec<Cell>> = card
            .indicators
            .iter()
            .map(|(code, single)| (code, interesting(card, code, single)))
            .collect();
        let mut rows = vec![BTreeMap::new()];
        for (code, cells) in &choices {
            rows.extend(
                cells
                    .iter()
                    .map(|cell| BTreeMap::from([((*code).clone(), cell.clone())])),
            );
        }
        for pair in &card.pairs {
            let empty = Vec::new();
            let [first, second] = pair
                .codes()
                .map(|code| choices.get(&code.to_owned()).unwrap_or(&empty));
            let [one, other] = pair.codes();
            for a in distinct_cells(card, one, &pair.first, first) {
                for b in distinct_cells(card, other, &pair.second, second) {
                    rows.push(BTreeMap::from([
                        (one.to_owned(), a.clone()),
                        (other.to_owned(), b.clone()),
                    ]));
                }
            }
        }
        let mut rng = SeededRng::new(1, "scorecard-vectors");
        let mixed = LEAST_VECTORS.saturating_sub(rows.len()).max(40);
        for _ in 0..mixed {
            rows.push(mixed_row(&choices, &mut rng));
        }
        Ok(Self {
            card_digest: Some(card.digest_without_vectors()?.to_string()),
            rows: rows
                .into_iter()
                .map(|values| scored(card, values))
                .collect(),
        })
    }

    /// Re-runs every vector, and computes the digest of the rest of the card anew.
    pub(super) fn check(&self, card: &Scorecard) -> Result<(), ScorecardError> {
        for (position, vector) in self.rows.iter().enumerate() {
            let found = scored(card, vector.values.clone());
            if found != *vector {
                return Err(ScorecardError::Vector {
                    number: position + 1,
                    expected: vector.sum,
                    found: found.sum,
                });
            }
        }
        let found = card.digest_without_vectors()?.to_string();
        match &self.card_digest {
            Some(digest) if *digest == found => Ok(()),
            Some(_) => Err(ScorecardError::Altered),
            None => Err(ScorecardError::NoVectors),
        }
    }
}

fn scored(card: &Scorecard, values: BTreeMap<String, Cell>) -> Vector {
    let number = |code: &str| match values.get(code) {
        Some(Cell::Number(number)) => Some(*number),
        Some(Cell::Category(_)) | None => None,
    };
    let text = |code: &str| match values.get(code) {
        Some(Cell::Category(text)) => Some(text.as_str()),
        Some(Cell::Number(_)) | None => None,
    };
    let sum = card.sum(&number, &text);
    let points = bounded(sum);
    Vector {
        sum,
        points,
        tier: card.cutoffs.tier(points),
        values,
    }
}

fn mixed_row(
    choices: &BTreeMap<&String, Vec<Cell>>,
    rng: &mut SeededRng,
) -> BTreeMap<String, Cell> {
    let mut row = BTreeMap::new();
    for (code, cells) in choices {
        // One in ten is missing.
        if !rng.chance(0.1)
            && let Ok(count) = u64::try_from(cells.len())
            && let Ok(at) = usize::try_from(rng.below(count))
            && let Some(cell) = cells.get(at)
        {
            row.insert((*code).clone(), cell.clone());
        }
    }
    row
}

/// Every edge with its two neighbours, special codes, and numbers far out; or every category and one that is unseen.
fn interesting(card: &Scorecard, code: &str, single: &Card) -> Vec<Cell> {
    if single.is_categorical() {
        let known = single.categories.iter().flat_map(|bin| &bin.values);
        return known
            .cloned()
            .chain([UNSEEN.to_owned()])
            .map(Cell::Category)
            .collect();
    }
    let pair_edges = card
        .pairs
        .iter()
        .flat_map(|pair| [&pair.first, &pair.second])
        .filter(|axis| axis.indicator == code)
        .flat_map(|axis| axis.edges.iter().copied());
    let edges = single.bins.iter().filter_map(|bin| bin.from);
    let linear = single
        .linear
        .map(|linear| f64::from(linear.cap) / f64::from(linear.points_per_unit));
    let mut numbers: Vec<f64> = edges
        .chain(pair_edges)
        .chain(linear.filter(|value| value.is_finite()))
        .chain(single.specials.iter().map(|code| code.value))
        .flat_map(|edge| [edge.next_down(), edge, edge.next_up()])
        .chain([-1e12, 0.0, 1.0, 1e12])
        .collect();
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.dedup();
    numbers.into_iter().map(Cell::Number).collect()
}

/// One value of every cell of an axis but the missing one.
fn distinct_cells<'c>(
    card: &Scorecard,
    code: &str,
    axis: &super::card_parts::PairAxis,
    cells: &'c [Cell],
) -> Vec<&'c Cell> {
    let specials = card
        .indicators
        .get(code)
        .map_or(&[][..], |single| single.specials.as_slice());
    let mut found: BTreeMap<usize, &Cell> = BTreeMap::new();
    for cell in cells {
        let at = match cell {
            Cell::Number(number) => axis.cell(Some(*number), specials),
            Cell::Category(category) => axis.category_cell(Some(category)),
        };
        found.entry(at).or_insert(cell);
    }
    found.into_values().collect()
}
