//! The scorecard (评分卡): integer points by indicator, group caps, and the cut-offs between tiers.
//!
//! Format 1 is what a person writes: bins or linear points of numeric indicators. Format 2 is what training writes: it
//! adds base points, categories, special codes, pair terms, calibration, the baseline for drift, and test vectors that
//! loading re-runs. A card of format 1 carries none of these.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::card_parts::{Baseline, Calibration, CategoryBin, PairTerm, SpecialCode};
use super::pair_check;
use super::vectors::Vectors;
use crate::domain::canonical::canonical_bytes;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{EnterpriseKind, Tier};
use crate::indicators::{Catalogue, Direction, Measure};

/// The scorecard format that people write.
const FORMAT: &str = "risktier-scorecard/1";

/// The scorecard format that training writes.
const TRAINED_FORMAT: &str = "risktier-scorecard/2";

/// Points never leave 0 to this.
pub(super) const MAX_POINTS: u16 = 1_000;

/// What an indicator or a cell of a pair term may give at most; a whole card counts 0 to 1000.
pub(super) const MOST_POINTS_OF_ONE: i32 = 1_000_000;

/// Indicators and pair terms of a card at most, so that its sums fit 32 bits.
const MOST_TERMS: usize = 1_000;

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
    /// Points that everyone starts with; may be negative.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub base: i32,
    /// Points by indicator code; indicators that are left out carry none.
    pub indicators: BTreeMap<String, Card>,
    /// Points of two indicators together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<PairTerm>,
    /// From points to the probability of the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How the training rows spread over points and bins, to measure drift against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// What known rows must give; loading re-runs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<Vectors>,
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

/// The points of one indicator: by bins, by categories or linear, and where the value is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Bins in ascending order; the first is open below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bins: Vec<Bin>,
    /// Points in proportion to the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<Linear>,
    /// Groups of categories, instead of bins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<CategoryBin>,
    /// Points of a category that no group names; present where `categories` are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<i32>,
    /// Codes that are no quantities, each with its own points, looked at before the bins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specials: Vec<SpecialCode>,
    /// The direction in which the points must run, where the card itself declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
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
    #[error(
        "the scorecard has format `{0}`; this release reads `{FORMAT}` and `{TRAINED_FORMAT}`: use a release that knows \
         the format, or train the card anew"
    )]
    Format(String),
    /// Cards for kinds of enterprise, where one card is asked for.
    #[error(
        "the file holds cards for several kinds of enterprise (`{}`), and here one card is asked for, because rows of a \
         table tell no kind: write its `general` card or that of a kind to a file of its own",
        super::scorecards::FORMAT
    )]
    Several,
    /// Format 1 with parts of format 2.
    #[error(
        "the scorecard says format `{FORMAT}` but has `{0}`, which only `{TRAINED_FORMAT}` has"
    )]
    NotInFormat(&'static str),
    /// Format 2 without its test vectors.
    #[error(
        "the scorecard has no test vectors, or no digest beside them; import it as an edited card, which computes both"
    )]
    NoVectors,
    /// Something that no test vector shows differs from what the card was made with.
    #[error(
        "the calibration, the baseline or the manifest of the scorecard was changed by hand: its test vectors hold, and \
         its digest does not; import it as an edited card, or take the unchanged file"
    )]
    Altered,
    /// A test vector gives something else.
    #[error(
        "test vector {number} gives {found} points where the scorecard says {expected}; the file was changed by hand: \
         import it as an edited card, or take the unchanged file"
    )]
    Vector {
        /// Its place, from 1.
        number: usize,
        /// The sum of points written down.
        expected: i32,
        /// The sum of points computed.
        found: i32,
    },
    /// A pair term is wrong.
    #[error("pair term `{first}` × `{second}`: {reason}")]
    Pair {
        /// First indicator.
        first: String,
        /// Second indicator.
        second: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Probabilities that do not rise with the points, or leave 0 to 1.
    #[error("the calibration is wrong: {0}")]
    Calibration(String),
    /// Points beyond any use, whose sum would not be exact.
    #[error(
        "{0} has points beyond ±{MOST_POINTS_OF_ONE}; a scorecard counts 0 to {MAX_POINTS} in all: correct them"
    )]
    BeyondBounds(String),
    /// More indicators and pair terms than a card may have.
    #[error("the scorecard has {0} indicators and pair terms; at most {MOST_TERMS} fit")]
    TooManyTerms(usize),
    /// No canonical form.
    #[error("the scorecard has no digest: {0}")]
    Digest(String),
    /// One of several cards is wrong.
    #[error("the card for `{kind}`: {cause}")]
    OfKind {
        /// The kind that it is for.
        kind: EnterpriseKind,
        /// What is wrong with it.
        cause: Box<ScorecardError>,
    },
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
        if let Some(special) = self.specials.iter().find(|code| code.value == value) {
            return special.points;
        }
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

    /// The points of a category; absent means missing.
    pub fn category_points(&self, category: Option<&str>) -> i32 {
        let Some(category) = category else {
            return self.missing;
        };
        self.categories
            .iter()
            .find(|bin| bin.values.iter().any(|value| value == category))
            .map_or(self.other.unwrap_or(self.missing), |bin| bin.points)
    }

    /// Whether the indicator is a category rather than a number.
    pub fn is_categorical(&self) -> bool {
        self.other.is_some()
    }

    fn check(&self, direction: Option<Direction>) -> Result<(), String> {
        if self.is_categorical() || !self.categories.is_empty() {
            return self.check_categories();
        }
        let rises = direction == Some(Direction::Raises);
        let declared = direction.is_some();
        if self.specials.iter().any(|code| !code.value.is_finite()) {
            return Err("a special code is not a finite number".to_owned());
        }
        if let Some(linear) = self.linear {
            if !self.bins.is_empty() {
                return Err("has both `bins` and `linear`; keep one".to_owned());
            }
            if !declared {
                return Ok(());
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
            if declared
                && ((rises && lower.points > upper.points)
                    || (!rises && lower.points < upper.points))
            {
                return Err(format!(
                    "points {} then {} run against the declared direction",
                    lower.points, upper.points
                ));
            }
        }
        Ok(())
    }
}

impl Card {
    fn check_categories(&self) -> Result<(), String> {
        if self.linear.is_some() || !self.bins.is_empty() || !self.specials.is_empty() {
            return Err(
                "has `categories` beside `bins`, `linear` or `specials`; keep one".to_owned(),
            );
        }
        if self.other.is_none() {
            return Err(
                "has `categories` without `other`, the points of a new category".to_owned(),
            );
        }
        let mut seen = std::collections::BTreeSet::new();
        match self
            .categories
            .iter()
            .flat_map(|bin| &bin.values)
            .find(|value| !seen.insert(value.as_str()))
        {
            Some(twice) => Err(format!("category `{twice}` stands in two groups; keep one")),
            None => Ok(()),
        }
    }
}

impl Linear {
    fn points(self, value: f64) -> i32 {
        // Half up: `⌊x + ½⌋`. Values are sums of halves or bounded facts, so the product is exact in binary64.
        let rounded = (f64::from(self.points_per_unit) * value + 0.5).floor();
        // The cap stops one side; the other stops where sums are still exact.
        let points = (rounded as i32).clamp(-MOST_POINTS_OF_ONE, MOST_POINTS_OF_ONE);
        if self.cap >= 0 {
            points.min(self.cap)
        } else {
            points.max(self.cap)
        }
    }
}

/// What a scorecard is put together from.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) group_caps: BTreeMap<String, u16>,
    pub(super) cutoffs: Cutoffs,
    pub(super) base: i32,
    pub(super) indicators: BTreeMap<String, Card>,
    pub(super) pairs: Vec<PairTerm>,
    pub(super) calibration: Option<Calibration>,
    pub(super) baseline: Option<Baseline>,
    pub(super) manifest: serde_json::Value,
}

impl Scorecard {
    /// Reads a card and checks what can be checked without a catalogue; a card of format 2 re-runs its test vectors.
    ///
    /// # Errors
    ///
    /// Names the format, indicator, pair term or test vector that is wrong.
    pub fn from_json(text: &str) -> Result<Self, ScorecardError> {
        // The format is looked at first, so that a newer file is refused by its name and not by an unknown field.
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
        }
        if let Ok(Head {
            format: Some(format),
        }) = serde_json::from_str(text)
            && format != FORMAT
            && format != TRAINED_FORMAT
        {
            return Err(if format == super::scorecards::FORMAT {
                ScorecardError::Several
            } else {
                ScorecardError::Format(format)
            });
        }
        let card: Self = serde_json::from_str(text)?;
        card.check_shape()?;
        if card.format == TRAINED_FORMAT {
            card.vectors
                .as_ref()
                .filter(|vectors| !vectors.rows.is_empty())
                .ok_or(ScorecardError::NoVectors)?
                .check(&card)?;
        }
        Ok(card)
    }

    /// Puts a card of format 2 together and computes its test vectors.
    pub(super) fn from_parts(parts: Parts) -> Result<Self, ScorecardError> {
        let mut card = Self {
            format: TRAINED_FORMAT.to_owned(),
            name: parts.name,
            version: parts.version,
            group_caps: parts.group_caps,
            cutoffs: parts.cutoffs,
            base: parts.base,
            indicators: parts.indicators,
            pairs: parts.pairs,
            calibration: parts.calibration,
            baseline: parts.baseline,
            vectors: None,
            manifest: in_canonical_form(&parts.manifest)?,
        };
        card.check_shape()?;
        card.vectors = Some(Vectors::of(&card)?);
        Ok(card)
    }

    /// The SHA-256 of the card without its test vectors, which carry it.
    ///
    /// # Errors
    ///
    /// As [`Scorecard::to_canonical_json`].
    pub fn digest_without_vectors(&self) -> Result<Digest, ScorecardError> {
        let mut bare = self.clone();
        bare.vectors = None;
        bare.digest()
    }

    /// Whether the card is of the format that training writes.
    pub fn is_trained_format(&self) -> bool {
        self.format == TRAINED_FORMAT
    }

    /// The canonical bytes of the card: what is written to disk and hashed.
    ///
    /// # Errors
    ///
    /// When a number is not finite, which a checked card has none of.
    pub fn to_canonical_json(&self) -> Result<Vec<u8>, ScorecardError> {
        canonical_bytes(self).map_err(|error| ScorecardError::Digest(error.to_string()))
    }

    /// The card's identity: the SHA-256 of its canonical bytes.
    ///
    /// # Errors
    ///
    /// As [`Scorecard::to_canonical_json`].
    pub fn digest(&self) -> Result<Digest, ScorecardError> {
        Ok(HashAlgorithm::Sha256.hash(&[&self.to_canonical_json()?]))
    }

    fn check_shape(&self) -> Result<(), ScorecardError> {
        if self.format == FORMAT {
            self.check_first_format()?;
        }
        let Cutoffs { b, c, d } = self.cutoffs;
        if !(0 < b && b < c && c < d && d <= MAX_POINTS) {
            return Err(ScorecardError::Cutoffs { b, c, d });
        }
        self.check_bounds()?;
        if self.format == TRAINED_FORMAT {
            for (code, card) in &self.indicators {
                card.check(card.direction)
                    .map_err(|reason| self.fault(code, reason))?;
            }
        }
        pair_check::check(self, &|code| {
            self.indicators.get(code).and_then(|card| card.direction)
        })?;
        if let Some(calibration) = &self.calibration {
            calibration.check().map_err(ScorecardError::Calibration)?;
        }
        Ok(())
    }

    /// INVARIANT: the points of at most 1,000 terms within a million each add up exactly in 32 bits, in any order.
    fn check_bounds(&self) -> Result<(), ScorecardError> {
        let terms = self.indicators.len() + self.pairs.len();
        if terms > MOST_TERMS {
            return Err(ScorecardError::TooManyTerms(terms));
        }
        let bounds = -MOST_POINTS_OF_ONE..=MOST_POINTS_OF_ONE;
        let beyond = |what: String| Err(ScorecardError::BeyondBounds(what));
        if !bounds.contains(&self.base) {
            return beyond("`base`".to_owned());
        }
        for (code, card) in &self.indicators {
            let unit = card.linear.map(|linear| linear.points_per_unit);
            if card
                .given()
                .chain(unit)
                .any(|points| !bounds.contains(&points))
            {
                return beyond(format!("indicator `{code}`"));
            }
        }
        for pair in &self.pairs {
            if pair
                .points
                .iter()
                .flatten()
                .any(|points| !bounds.contains(points))
            {
                return beyond(format!("pair term `{}`", pair.codes().join(" × ")));
            }
        }
        Ok(())
    }

    /// Format 1 has none of the later parts: an older release would read the card differently.
    fn check_first_format(&self) -> Result<(), ScorecardError> {
        let any = |of: fn(&Card) -> bool| self.indicators.values().any(of);
        let later = [
            ("base", self.base != 0),
            ("pairs", !self.pairs.is_empty()),
            ("calibration", self.calibration.is_some()),
            ("baseline", self.baseline.is_some()),
            ("vectors", self.vectors.is_some()),
            ("categories", any(|card| !card.categories.is_empty())),
            ("other", any(|card| card.other.is_some())),
            ("specials", any(|card| !card.specials.is_empty())),
            ("direction", any(|card| card.direction.is_some())),
        ];
        match later.iter().find(|(_, present)| *present) {
            Some((name, _)) => Err(ScorecardError::NotInFormat(name)),
            None => Ok(()),
        }
    }

    fn fault(&self, code: &str, reason: String) -> ScorecardError {
        ScorecardError::Indicator {
            indicator: code.to_owned(),
            reason,
        }
    }

    /// Checks the card against the catalogue it is to be used with: known indicators, capped groups, points that run in
    /// the declared direction, and no pair term of a register-wide indicator.
    ///
    /// # Errors
    ///
    /// Names the indicator, group or pair term that does not fit.
    pub fn check_against(&self, catalogue: &Catalogue) -> Result<(), ScorecardError> {
        let declared = |code: &str| {
            catalogue
                .position(code)
                .and_then(|position| catalogue.indicators.get(position))
        };
        for (code, card) in &self.indicators {
            let fail = |reason: String| self.fault(code, reason);
            let indicator =
                declared(code).ok_or_else(|| fail("is not in the catalogue".to_owned()))?;
            if card.is_categorical() {
                return Err(fail(
                    "has categories, and the register's indicators are numbers; train without it"
                        .to_owned(),
                ));
            }
            card.check(Some(indicator.direction)).map_err(fail)?;
            // A trained card has no caps unless an analyst adds some; a card of format 1 caps every group.
            if self.format == FORMAT && !self.group_caps.contains_key(&indicator.group) {
                return Err(ScorecardError::NoGroupCap(indicator.group.clone()));
            }
        }
        for pair in &self.pairs {
            let wide = pair.codes().into_iter().find(|code| {
                declared(code)
                    .is_some_and(|indicator| matches!(indicator.measure, Measure::Register { .. }))
            });
            if let Some(code) = wide {
                return Err(pair.fault(format!(
                    "`{code}` looks across the register and is known only at the end of a run; train without pairs of it"
                )));
            }
        }
        pair_check::check(self, &|code| {
            declared(code).map(|indicator| indicator.direction)
        })
    }

    /// The sum of points of a row before group caps and bounds; `number` gives the value of a numeric indicator, `text`
    /// that of a categorical one.
    pub fn sum<'a>(
        &self,
        number: &dyn Fn(&str) -> Option<f64>,
        text: &dyn Fn(&str) -> Option<&'a str>,
    ) -> i32 {
        let single = self.indicators.iter().map(|(code, card)| {
            if card.is_categorical() {
                card.category_points(text(code))
            } else {
                card.points(number(code).filter(|value| !value.is_nan()))
            }
        });
        single.fold(
            self.base.saturating_add(self.pair_points(number, text)),
            i32::saturating_add,
        )
    }

    /// The points of all pair terms.
    pub fn pair_points<'a>(
        &self,
        number: &dyn Fn(&str) -> Option<f64>,
        text: &dyn Fn(&str) -> Option<&'a str>,
    ) -> i32 {
        self.pairs
            .iter()
            .map(|pair| pair.points_of(&self.indicators, number, text))
            .fold(0, i32::saturating_add)
    }
}

/// The manifest as it reads back from canonical JSON, where 1.0 and 1 are one number, so that a reloaded card is equal.
fn in_canonical_form(manifest: &serde_json::Value) -> Result<serde_json::Value, ScorecardError> {
    let bytes =
        canonical_bytes(manifest).map_err(|error| ScorecardError::Digest(error.to_string()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// A sum of points brought into 0 to 1000.
pub(super) fn bounded(sum: i32) -> u16 {
    u16::try_from(sum.clamp(0, i32::from(MAX_POINTS))).unwrap_or(MAX_POINTS)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that serde asks for"
)]
fn is_zero(points: &i32) -> bool {
    *points == 0
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
