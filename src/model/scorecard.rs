//! The scorecard (评分卡): integer points by indicator, group caps, and the cut-offs between tiers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::Tier;
use crate::indicators::{Catalogue, Direction};

/// The scorecard format this build reads.
const FORMAT: &str = "risktier-scorecard/1";

/// Points never leave 0 to this.
pub(super) const MAX_POINTS: u16 = 1_000;

/// A points card; expert-weighted and trained ones are alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scorecard {
    format: String,
    /// Name of this card.
    pub name: String,
    /// Version within the name, from 1.
    pub version: u32,
    /// Most points a group of indicators may add.
    pub group_caps: BTreeMap<String, u16>,
    /// Where the tiers begin.
    pub cutoffs: Cutoffs,
    /// Points by indicator code; indicators that are left out carry none.
    pub indicators: BTreeMap<String, Card>,
    /// Where the card comes from: origin, author, data, metrics. Shown, never computed with.
    pub manifest: serde_json::Value,
}

/// The least points of tiers B, C and D; below `B` is tier A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cutoffs {
    /// Least points of tier B.
    #[serde(rename = "B")]
    pub b: u16,
    /// Least points of tier C.
    #[serde(rename = "C")]
    pub c: u16,
    /// Least points of tier D.
    #[serde(rename = "D")]
    pub d: u16,
}

/// The points of one indicator: by bins or linear, and where the value is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Bins in ascending order; the first is open below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bins: Vec<Bin>,
    /// Points in proportion to the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<Linear>,
    /// Points where the value is missing.
    pub missing: i32,
}

/// A bin `[from, next from)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Lower edge, included; absent in the first bin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// Points of the bin.
    pub points: i32,
}

/// Points in proportion to the value, rounded half up once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Points of one unit.
    pub points_per_unit: i32,
    /// The points go no further than this, which has the sign of `points_per_unit`.
    pub cap: i32,
}

/// Why a scorecard cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScorecardError {
    /// Not JSON of the scorecard's shape.
    #[error("the scorecard cannot be read: {0}")]
    Syntax(#[from] serde_json::Error),
    /// Written for another release.
    #[error("the scorecard has format `{0}`; this release reads `{FORMAT}`")]
    Format(String),
    /// Cut-offs that do not rise.
    #[error("the cut-offs B {b}, C {c}, D {d} must rise and lie within 1 to {MAX_POINTS}")]
    Cutoffs {
        /// Least points of tier B.
        b: u16,
        /// Least points of tier C.
        c: u16,
        /// Least points of tier D.
        d: u16,
    },
    /// One indicator's points are wrong.
    #[error("indicator `{indicator}`: {reason}")]
    Indicator {
        /// Its code.
        indicator: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A group of the catalogue has no cap.
    #[error("group `{0}` has no cap in `group_caps`")]
    NoGroupCap(String),
}

impl Cutoffs {
    /// The tier of a number of points.
    pub fn tier(self, points: u16) -> Tier {
        match points {
            points if points >= self.d => Tier::D,
            points if points >= self.c => Tier::C,
            points if points >= self.b => Tier::B,
            _ => Tier::A,
        }
    }
}

impl Card {
    /// The points of a value.
    pub fn points(&self, value: Option<f64>) -> i32 {
        let Some(value) = value else {
            return self.missing;
        };
        match self.linear {
            Some(linear) => linear.points(value),
            None => self
                .bins
                .iter()
                .rev()
                .find(|bin| bin.from.is_none_or(|from| value >= from))
                .map_or(0, |bin| bin.points),
        }
    }

    fn check(&self, direction: Direction) -> Result<(), String> {
        let rises = direction == Direction::Raises;
        if let Some(linear) = self.linear {
            if !self.bins.is_empty() {
                return Err("has both `bins` and `linear`; keep one".to_owned());
            }
            let agrees = |points: i32| if rises { points >= 0 } else { points <= 0 };
            return if agrees(linear.points_per_unit) && agrees(linear.cap) {
                Ok(())
            } else {
                Err("`linear` points run against the declared direction".to_owned())
            };
        }
        let (Some(first), rest) = (self.bins.first(), self.bins.get(1..).unwrap_or_default())
        else {
            return Err("has neither `bins` nor `linear`".to_owned());
        };
        if first.from.is_some()
            || rest
                .iter()
                .any(|bin| bin.from.is_none_or(|from| !from.is_finite()))
        {
            return Err("the first bin has no `from` and every other bin has one".to_owned());
        }
        for (lower, upper) in self.bins.iter().zip(rest) {
            if lower
                .from
                .zip(upper.from)
                .is_some_and(|(lower, upper)| lower >= upper)
            {
                return Err("the bins' `from` must rise".to_owned());
            }
            if (rises && lower.points > upper.points) || (!rises && lower.points < upper.points) {
                return Err(format!(
                    "points {} then {} run against the declared direction",
                    lower.points, upper.points
                ));
            }
        }
        Ok(())
    }
}

impl Linear {
    fn points(self, value: f64) -> i32 {
        // Half up: `⌊x + ½⌋`. Values are sums of halves or bounded facts, so the product is exact in binary64.
        let rounded = (f64::from(self.points_per_unit) * value + 0.5).floor();
        // A float-to-integer cast saturates, and the cap follows.
        let points = rounded as i32;
        if self.cap >= 0 {
            points.min(self.cap)
        } else {
            points.max(self.cap)
        }
    }
}

impl Scorecard {
    /// Reads a card and checks what can be checked without a catalogue.
    pub fn from_json(text: &str) -> Result<Self, ScorecardError> {
        let card: Self = serde_json::from_str(text)?;
        if card.format != FORMAT {
            return Err(ScorecardError::Format(card.format));
        }
        let Cutoffs { b, c, d } = card.cutoffs;
        if !(0 < b && b < c && c < d && d <= MAX_POINTS) {
            return Err(ScorecardError::Cutoffs { b, c, d });
        }
        Ok(card)
    }

    /// Checks the card against the catalogue it is to be used with: known indicators, capped groups, and points that
    /// run in the declared direction.
    pub fn check_against(&self, catalogue: &Catalogue) -> Result<(), ScorecardError> {
        for (code, card) in &self.indicators {
            let fail = |reason: String| ScorecardError::Indicator {
                indicator: code.clone(),
                reason,
            };
            let position = catalogue.position(code);
            let indicator = position
                .and_then(|position| catalogue.indicators.get(position))
                .ok_or_else(|| fail("is not in the catalogue".to_owned()))?;
            card.check(indicator.direction).map_err(fail)?;
            if !self.group_caps.contains_key(&indicator.group) {
                return Err(ScorecardError::NoGroupCap(indicator.group.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = include_str!("../../models/default/scorecard.json");

    fn catalogue() -> Catalogue {
        Catalogue::from_toml(include_str!("../../models/indicators.toml")).unwrap()
    }

    #[test]
    fn the_default_card_fits_the_default_catalogue() {
        let card = Scorecard::from_json(DEFAULT).unwrap();
        card.check_against(&catalogue()).unwrap();
        assert_eq!(
            card.indicators.len(),
            41,
            "every indicator but SUP14, which shifts the tier"
        );
    }

    #[test]
    fn linear_points_round_half_up_once_and_stop_at_the_cap() {
        let linear = Linear {
            points_per_unit: 15,
            cap: 45,
        };
        assert_eq!(
            [0.0, 0.5, 1.0, 1.5, 9.0].map(|value| linear.points(value)),
            [0, 8, 15, 23, 45]
        );
        let lowers = Linear {
            points_per_unit: -15,
            cap: -45,
        };
        assert_eq!(
            [0.5, 1.0, 9.0].map(|value| lowers.points(value)),
            [-7, -15, -45]
        );
    }

    #[test]
    fn bins_are_closed_below() {
        let card = &Scorecard::from_json(DEFAULT).unwrap().indicators["BAS01"];
        assert_eq!(
            [11.0, 12.0, 35.0, 36.0].map(|months| card.points(Some(months))),
            [20, 10, 10, 0]
        );
        assert_eq!(card.points(None), 0);
    }

    #[test]
    fn points_against_the_direction_are_refused_by_name() {
        let wrong = DEFAULT.replacen(
            "\"points_per_unit\": 60, \"cap\": 180",
            "\"points_per_unit\": -60, \"cap\": -180",
            1,
        );
        let error = Scorecard::from_json(&wrong)
            .unwrap()
            .check_against(&catalogue())
            .unwrap_err();
        assert!(error.to_string().contains("`SUP02`"), "{error}");
    }

    #[test]
    fn cutoffs_must_rise() {
        let wrong = DEFAULT.replacen("\"C\": ", "\"C\": 9", 1);
        assert!(matches!(
            Scorecard::from_json(&wrong),
            Err(ScorecardError::Cutoffs { .. })
        ));
    }
}
