//! Strata (层): the cells of a pool within which every object has the same rate.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::frame::{Frame, FrameRow};
use super::policy::PolicyError;
use super::rate::{Rate, RateRule};
use crate::domain::{Label, Tier};

/// What a pool may be partitioned by, beside tier, complaint band and rate, of which every stratum has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StratumAttribute {
    /// The supervision division.
    Division,
    /// Its first four digits; a label of another system stays whole.
    City,
    /// Its first two digits; a label of another system stays whole.
    Province,
    /// The section letter of the industry; a label of another system stays whole.
    Industry,
    /// The kind of object.
    Kind,
    /// The size class.
    Size,
}

impl StratumAttribute {
    /// Every attribute.
    pub const ALL: [Self; 6] = [
        Self::Division,
        Self::City,
        Self::Province,
        Self::Industry,
        Self::Kind,
        Self::Size,
    ];

    /// The word used in requests, plans and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Division => "division",
            Self::City => "city",
            Self::Province => "province",
            Self::Industry => "industry",
            Self::Kind => "kind",
            Self::Size => "size",
        }
    }

    /// How many digits of a standard division are looked at, if it is about divisions.
    const fn digits(self) -> Option<usize> {
        match self {
            Self::Division => Some(6),
            Self::City => Some(4),
            Self::Province => Some(2),
            Self::Industry | Self::Kind | Self::Size => None,
        }
    }
}

impl fmt::Display for StratumAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for StratumAttribute {
    type Err = StrataByError;

    fn from_str(text: &str) -> Result<Self, StrataByError> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| StrataByError::Unknown(text.to_owned()))
    }
}

/// Attributes by which no pool can be partitioned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrataByError {
    /// There is no such attribute.
    #[error("`{0}` is not one of division, city, province, industry, kind, size")]
    Unknown(String),
    /// It is named twice.
    #[error("`{0}` is named twice")]
    Twice(StratumAttribute),
    /// Two of them are about divisions.
    #[error("`{0}` and `{1}` both are levels of divisions; keep one")]
    TwoLevels(StratumAttribute, StratumAttribute),
}

/// The attributes by which a pool is partitioned, each once; without any, strata are of tier, complaint band and rate
/// alone. By default the division.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<StratumAttribute>", into = "Vec<StratumAttribute>")]
pub struct StrataBy(BTreeSet<StratumAttribute>);

impl StrataBy {
    /// Checks the attributes; their order does not matter.
    ///
    /// # Errors
    ///
    /// When one is named twice, or two are levels of divisions.
    pub fn new(attributes: &[StratumAttribute]) -> Result<Self, StrataByError> {
        let mut by = BTreeSet::new();
        let mut level = None;
        for &attribute in attributes {
            if !by.insert(attribute) {
                return Err(StrataByError::Twice(attribute));
            }
            if attribute.digits().is_some()
                && let Some(other) = level.replace(attribute)
            {
                return Err(StrataByError::TwoLevels(other, attribute));
            }
        }
        Ok(Self(by))
    }

    /// The attributes in a fixed order.
    pub fn attributes(&self) -> impl Iterator<Item = StratumAttribute> {
        self.0.iter().copied()
    }

    /// How many digits of a standard division a stratum tells; `None` where strata have no division.
    pub fn division_digits(&self) -> Option<usize> {
        self.0.iter().find_map(|attribute| attribute.digits())
    }

    /// The division of a stratum, as far as it tells one.
    fn division_of(&self, row: &FrameRow) -> String {
        let (Some(digits), Some(division)) = (self.division_digits(), &row.division) else {
            return String::new();
        };
        at_level(division, digits)
    }

    /// What else a stratum is of.
    fn beside_of(&self, row: &FrameRow) -> BTreeMap<StratumAttribute, String> {
        let named = self.0.iter().filter_map(|attribute| {
            let value = match attribute {
                StratumAttribute::Division
                | StratumAttribute::City
                | StratumAttribute::Province => {
                    return None;
                }
                StratumAttribute::Industry => row
                    .industry
                    .as_ref()
                    .map(|industry| industry.industry_section().to_owned())
                    .unwrap_or_default(),
                StratumAttribute::Kind => row.kind.as_str().to_owned(),
                StratumAttribute::Size => row.size.as_str().to_owned(),
            };
            Some((*attribute, value))
        });
        named.collect()
    }
}

impl Default for StrataBy {
    fn default() -> Self {
        Self(BTreeSet::from([StratumAttribute::Division]))
    }
}

impl TryFrom<Vec<StratumAttribute>> for StrataBy {
    type Error = StrataByError;

    fn try_from(attributes: Vec<StratumAttribute>) -> Result<Self, StrataByError> {
        Self::new(&attributes)
    }
}

impl From<StrataBy> for Vec<StratumAttribute> {
    fn from(by: StrataBy) -> Self {
        by.0.into_iter().collect()
    }
}

/// A standard division with zeros behind its first digits; a label of another system stays whole.
fn at_level(division: &Label, digits: usize) -> String {
    let text = division.as_str();
    let is_standard = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.get(..digits).filter(|_| is_standard) {
        Some(first) => format!("{first:0<6}"),
        None => text.to_owned(),
    }
}

/// What a stratum stands for. Internal: outside the internal edition strata carry opaque keys only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratumMeaning {
    /// Tier of its objects.
    pub tier: Tier,
    /// Division of its objects, at the level that strata are of; empty where none is known, and where they are of none.
    pub division: String,
    /// Complaint band of its objects.
    pub complaint_band: String,
    /// Rate of its objects in the plan.
    pub rate: Rate,
    /// What else its objects have in common, where strata are of more than divisions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beside: BTreeMap<StratumAttribute, String>,
}

impl StratumMeaning {
    /// The division with zeros behind its first digits; a label of another system stays whole.
    pub fn division_to(&self, digits: usize) -> String {
        Label::parse(&self.division)
            .map_or_else(|_| String::new(), |label| at_level(&label, digits))
    }
}

/// A stratum of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stratum {
    /// Opaque key `S001`, …, in the order of the meanings.
    pub key: String,
    /// What it stands for.
    pub meaning: StratumMeaning,
    /// Positions of its objects in the frame, rising.
    pub members: Vec<usize>,
}

/// Partitions the members of a pool by tier, division, band and rate.
pub fn stratify(
    frame: &Frame,
    members: &[usize],
    rule: &RateRule<'_>,
) -> Result<Vec<Stratum>, PolicyError> {
    stratify_by(frame, members, rule, &StrataBy::default())
}

/// Partitions the members of a pool by tier, band and rate, and by the attributes given.
pub fn stratify_by(
    frame: &Frame,
    members: &[usize],
    rule: &RateRule<'_>,
    by: &StrataBy,
) -> Result<Vec<Stratum>, PolicyError> {
    let mut cells: BTreeMap<StratumMeaning, Vec<usize>> = BTreeMap::new();
    for &position in members {
        let Some(row) = frame.rows().get(position) else {
            continue;
        };
        let meaning = StratumMeaning {
            tier: row.tier,
            division: by.division_of(row),
            complaint_band: row.complaint_band.to_string(),
            rate: rule.of(row)?,
            beside: by.beside_of(row),
        };
        cells.entry(meaning).or_default().push(position);
    }
    // Keys are padded to one width, so that their byte order is the order of the meanings.
    let width = cells.len().to_string().len().max(3);
    Ok(cells
        .into_iter()
        .enumerate()
        .map(|(index, (meaning, members))| Stratum {
            key: format!("S{:0width$}", index + 1),
            meaning,
            members,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use StratumAttribute::{City, Division, Industry, Kind, Province, Size};

    #[test]
    fn attributes_are_named_once_and_divisions_have_one_level() {
        assert_eq!(
            StrataBy::new(&[Kind, Kind]),
            Err(StrataByError::Twice(Kind))
        );
        assert_eq!(
            StrataBy::new(&[City, Size, Province]),
            Err(StrataByError::TwoLevels(City, Province))
        );
        let by = StrataBy::new(&[Size, Industry, City]).unwrap();
        assert!(by.attributes().eq([City, Industry, Size]));
        assert_eq!(by.division_digits(), Some(4));
        assert_eq!(StrataBy::new(&[]).unwrap().division_digits(), None);
        assert_eq!(StrataBy::default(), StrataBy::new(&[Division]).unwrap());
        for attribute in StratumAttribute::ALL {
            assert_eq!(attribute.as_str().parse(), Ok(attribute));
            let json = serde_json::to_value(attribute).unwrap();
            assert_eq!(json, attribute.as_str());
        }
        assert!("county".parse::<StratumAttribute>().is_err());
    }

    #[test]
    fn standard_divisions_have_levels_and_others_none() {
        let level = |text: &str, digits| at_level(&Label::parse(text).unwrap(), digits);
        assert_eq!(level("990102", 6), "990102");
        assert_eq!(level("990102", 4), "990100");
        assert_eq!(level("990102", 2), "990000");
        assert_eq!(level("ward-7", 2), "ward-7");
        assert_eq!(level("9901021", 4), "9901021");
    }
}
