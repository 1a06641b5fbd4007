//! The parts that format 2 of the scorecard adds: categories, special codes, pair terms, calibration, baseline.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::scorecard::{Card, MAX_POINTS, ScorecardError};
use super::steps::Steps;
use crate::domain::Tier;

/// Categories that carry the same points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryBin {
    /// The categories, sorted.
    pub values: Vec<String>,
    /// Their points.
    pub points: i32,
}

/// A number that stands for a state and not for a quantity, such as −1 for "not applicable".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecialCode {
    /// The number.
    pub value: f64,
    /// Its points.
    pub points: i32,
}

/// Points of two indicators together: a small table, beside the points that each has alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairTerm {
    /// The indicator whose cells are the rows.
    pub first: PairAxis,
    /// The indicator whose cells are the columns.
    pub second: PairAxis,
    /// One row per cell of `first`, one number per cell of `second`.
    pub points: Vec<Vec<i32>>,
}

/// How an indicator is cut in a pair term.
///
/// `n` edges make `n + 1` cells, `n` groups of categories make `n` and one for every other category; the last cell is
/// that of a missing value, which special codes share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairAxis {
    /// Code of the indicator.
    pub indicator: String,
    /// Lower edges of every cell but the first, rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
    /// Groups of categories, for an indicator that is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<String>>,
}

impl PairAxis {
    /// How many cells the axis has, the missing one included.
    pub fn cell_count(&self) -> usize {
        self.edges.len() + self.groups.len() + 2
    }

    /// The cell of a missing value.
    pub fn missing_cell(&self) -> usize {
        self.edges.len() + self.groups.len() + 1
    }

    /// The cell of a number.
    pub fn cell(&self, value: Option<f64>, specials: &[SpecialCode]) -> usize {
        match value {
            Some(value) if !value.is_nan() && !specials.iter().any(|code| code.value == value) => {
                self.edges.iter().take_while(|edge| value >= **edge).count()
            }
            _ => self.missing_cell(),
        }
    }

    /// The cell of a category.
    pub fn category_cell(&self, category: Option<&str>) -> usize {
        match category {
            None => self.missing_cell(),
            Some(category) => self
                .groups
                .iter()
                .position(|group| group.iter().any(|value| value == category))
                .unwrap_or(self.groups.len()),
        }
    }
}

impl PairTerm {
    /// The codes of both indicators.
    pub fn codes(&self) -> [&str; 2] {
        [&self.first.indicator, &self.second.indicator]
    }

    /// The points of two cells.
    pub fn at(&self, first: usize, second: usize) -> i32 {
        self.points
            .get(first)
            .and_then(|row| row.get(second))
            .copied()
            .unwrap_or(0)
    }

    /// The points of a row.
    pub fn points_of<'a>(
        &self,
        cards: &BTreeMap<String, Card>,
        number: &dyn Fn(&str) -> Option<f64>,
        text: &dyn Fn(&str) -> Option<&'a str>,
    ) -> i32 {
        let cell = |axis: &PairAxis| match cards.get(&axis.indicator) {
            Some(card) if card.is_categorical() => axis.category_cell(text(&axis.indicator)),
            Some(card) => axis.cell(number(&axis.indicator), &card.specials),
            None => axis.missing_cell(),
        };
        self.at(cell(&self.first), cell(&self.second))
    }

    pub(super) fn fault(&self, reason: String) -> ScorecardError {
        ScorecardError::Pair {
            first: self.first.indicator.clone(),
            second: self.second.indicator.clone(),
            reason,
        }
    }
}

/// From points to the probability that the outcome is at least so bad.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// How the curves were found.
    pub method: CalibrationMethod,
    /// One curve per outcome from 1 upwards; a worse outcome is never likelier than a lesser one.
    pub levels: Vec<CalibrationLevel>,
}

/// How a calibration curve is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// Pool-adjacent-violators on held-back rows.
    Isotonic,
    /// A logistic curve through the points of held-back rows.
    Platt,
}

/// The curve of one outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationLevel {
    /// The outcome counts from here.
    pub outcome_at_least: u8,
    /// Points and probabilities, both rising; straight between, constant outside.
    pub knots: Vec<Knot>,
}

/// One point of a calibration curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knot {
    /// Points of a card.
    pub points: u16,
    /// Probability at these points.
    pub probability: f64,
}

impl CalibrationLevel {
    /// The probability at a number of points.
    pub fn probability(&self, points: u16) -> f64 {
        let after = self.knots.iter().position(|knot| knot.points > points);
        let (before, after) = match after {
            None => (self.knots.last(), None),
            Some(after) => (
                after
                    .checked_sub(1)
                    .and_then(|before| self.knots.get(before)),
                self.knots.get(after),
            ),
        };
        match (before, after) {
            (Some(before), Some(after)) => {
                let along = f64::from(points - before.points)
                    / f64::from(after.points.saturating_sub(before.points).max(1));
                before.probability + along * (after.probability - before.probability)
            }
            (Some(only), None) | (None, Some(only)) => only.probability,
            (None, None) => 0.0,
        }
    }
}

impl Calibration {
    /// The probability of an outcome of at least 1.
    pub fn probability(&self, points: u16) -> f64 {
        self.levels
            .first()
            .map_or(0.0, |level| level.probability(points))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let mut previous: Option<&CalibrationLevel> = None;
        for (position, level) in self.levels.iter().enumerate() {
            if usize::from(level.outcome_at_least) != position + 1 {
                return Err(
                    "the levels must be those of outcome 1, 2 and so on, in order".to_owned(),
                );
            }
            let in_range = level
                .knots
                .iter()
                .all(|knot| (0.0..=1.0).contains(&knot.probability) && knot.points <= MAX_POINTS);
            if level.knots.is_empty() || !in_range {
                return Err(format!(
                    "outcome {}: it needs knots with probabilities from 0 to 1 at 0 to {MAX_POINTS} points",
                    level.outcome_at_least
                ));
            }
            let rises = level
                .knots
                .iter()
                .zip(level.knots.iter().skip(1))
                .all(|(low, high)| low.points < high.points && low.probability <= high.probability);
            if !rises {
                return Err(format!(
                    "outcome {}: points and probabilities must rise",
                    level.outcome_at_least
                ));
            }
            if let Some(lesser) = previous
                && (0..=MAX_POINTS)
                    .any(|points| level.probability(points) > lesser.probability(points) + 1e-9)
            {
                return Err(format!(
                    "outcome {} is likelier than a lesser one",
                    level.outcome_at_least
                ));
            }
            previous = Some(level);
        }
        Ok(())
    }
}

/// How the training rows spread, by weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// How many rows.
    pub row_count: u64,
    /// Shares of the points, in ascending bands; the first is open below.
    pub points: Vec<PointsShare>,
    /// Shares of the bins of each indicator, in the order of [`Card::bin_labels`].
    pub indicators: BTreeMap<String, Vec<f64>>,
    /// Shares of the tiers that the points give.
    pub tiers: BTreeMap<Tier, f64>,
}

/// Share of the rows in a band of points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsShare {
    /// Least points of the band.
    pub from: u16,
    /// Its share.
    pub share: f64,
}

impl Card {
    /// The names of the card's bins in the order of their numbers: bins, groups of categories, other categories,
    /// special codes, missing. A linear card has one bin for every number.
    pub fn bin_labels(&self) -> Vec<String> {
        let mut labels = Vec::with_capacity(self.bin_count());
        if self.linear.is_some() {
            labels.push("any number".to_owned());
        }
        for (position, bin) in self.bins.iter().enumerate() {
            let until = self.bins.get(position + 1).and_then(|next| next.from);
            labels.push(match (bin.from, until) {
                (None, None) => "any number".to_owned(),
                (None, Some(until)) => format!("< {until}"),
                (Some(from), None) => format!("≥ {from}"),
                (Some(from), Some(until)) => format!("{from} – < {until}"),
            });
        }
        labels.extend(self.categories.iter().map(|bin| bin.values.join(", ")));
        if self.is_categorical() {
            labels.push("other".to_owned());
        }
        labels.extend(self.specials.iter().map(|code| format!("= {}", code.value)));
        labels.push("missing".to_owned());
        labels
    }

    /// How many bins the card has, the missing one included.
    pub fn bin_count(&self) -> usize {
        usize::from(self.linear.is_some())
            + self.bins.len()
            + self.categories.len()
            + usize::from(self.is_categorical())
            + self.specials.len()
            + 1
    }

    /// The number of the bin of a value, in the order of [`Card::bin_labels`].
    pub fn bin_of(&self, value: Option<f64>) -> usize {
        let missing = self.bin_count() - 1;
        let Some(value) = value.filter(|value| !value.is_nan()) else {
            return missing;
        };
        if let Some(special) = self.specials.iter().position(|code| code.value == value) {
            return missing - self.specials.len() + special;
        }
        self.bins
            .iter()
            .rposition(|bin| bin.from.is_none_or(|from| value >= from))
            .unwrap_or(0)
    }

    /// As [`Card::bin_of`] for the numbers of a card with bins, many at once.
    pub(super) fn bin_steps(&self) -> Steps {
        let number = |bin: usize| i32::try_from(bin).unwrap_or(i32::MAX);
        let edges: Vec<f64> = self.bins.iter().filter_map(|bin| bin.from).collect();
        let values: Vec<i32> = (0..=edges.len()).map(number).collect();
        let missing = self.bin_count() - 1;
        let first_special = missing - self.specials.len();
        let specials = self.specials.iter().zip(first_special..);
        Steps::new(
            &edges,
            &values,
            number(missing),
            specials
                .map(|(code, bin)| (code.value, number(bin)))
                .collect(),
        )
    }

    /// The number of the bin of a category, in the order of [`Card::bin_labels`].
    pub fn category_bin_of(&self, category: Option<&str>) -> usize {
        match category {
            None => self.bin_count() - 1,
            Some(category) => self
                .categories
                .iter()
                .position(|bin| bin.values.iter().any(|value| value == category))
                .unwrap_or(self.categories.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Bin;

    #[test]
    fn a_curve_is_straight_between_knots_and_constant_outside() {
        let knot = |points, probability| Knot {
            points,
            probability,
        };
        let level = CalibrationLevel {
            outcome_at_least: 1,
            knots: vec![knot(100, 0.1), knot(200, 0.3), knot(300, 0.3)],
        };
        let at = [0, 100, 150, 250, 1000].map(|points| level.probability(points));
        for (found, expected) in at.iter().zip([0.1, 0.1, 0.2, 0.3, 0.3]) {
            assert!((found - expected).abs() < 1e-12, "{at:?}");
        }
    }

    #[test]
    fn a_worse_outcome_may_not_be_likelier_than_a_lesser_one() {
        let level = |outcome_at_least, probability| CalibrationLevel {
            outcome_at_least,
            knots: vec![Knot {
                points: 0,
                probability,
            }],
        };
        let calibration = Calibration {
            method: CalibrationMethod::Isotonic,
            levels: vec![level(1, 0.2), level(2, 0.3)],
        };
        assert!(calibration.check().unwrap_err().contains("outcome 2"));
    }

    #[test]
    fn bins_are_numbered_as_they_are_labelled() {
        let card = Card {
            bins: vec![
                Bin {
                    from: None,
                    points: 0,
                },
                Bin {
                    from: Some(2.0),
                    points: 5,
                },
            ],
            specials: vec![SpecialCode {
                value: -1.0,
                points: 3,
            }],
            missing: 4,
            ..Card::default()
        };
        assert_eq!(card.bin_labels(), ["< 2", "≥ 2", "= -1", "missing"]);
        let values = [Some(1.0), Some(2.0), Some(-1.0), None, Some(f64::NAN)];
        assert_eq!(values.map(|value| card.bin_of(value)), [0, 1, 2, 3, 3]);
        assert_eq!(card.points(Some(-1.0)), 3);
    }
}
