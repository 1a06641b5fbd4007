//! The versioned file that declares the indicators.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use super::measure::{Aggregate, Measure, RegisterStatistic};

/// The catalogue format this build reads.
const FORMAT: &str = "risktier-catalogue/1";

/// A declared set of indicators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    format: String,
    /// Name of this catalogue.
    pub name: String,
    /// Version within the name, from 1.
    pub version: u32,
    /// The groups, in order of presentation.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// The indicators, in order of presentation.
    #[serde(rename = "indicator")]
    pub indicators: Vec<Indicator>,
}

/// A first-level group of indicators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its code.
    pub code: String,
    /// Its names.
    pub name: Names,
}

/// One declared indicator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indicator {
    /// Its code, unique in the catalogue.
    pub code: String,
    /// The group it belongs to.
    pub group: String,
    /// Its names.
    pub name: Names,
    /// Whether more of it means more or less risk.
    pub direction: Direction,
    /// How it is measured.
    pub measure: Measure,
}

/// A name in both languages of the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// Whether a higher value means more or less risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A higher value raises the risk.
    Raises,
    /// A higher value lowers the risk.
    Lowers,
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Not TOML of the catalogue's shape.
    #[error("the catalogue cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Written for another release.
    #[error("the catalogue has format `{0}`; this release reads `{FORMAT}`")]
    Format(String),
    /// Two indicators share a code.
    #[error("indicator `{0}` is declared twice; give every indicator its own code")]
    Duplicate(String),
    /// An indicator names a group that is not declared.
    #[error("indicator `{indicator}` belongs to group `{group}`, which is not declared")]
    UnknownGroup {
        /// The indicator.
        indicator: String,
        /// The group it names.
        group: String,
    },
    /// An aggregate lacks the window it needs.
    #[error("indicator `{0}` needs `window_months`: its aggregate weighs records by their age")]
    NoWindow(String),
    /// A circle of peers that means nothing.
    #[error(
        "indicator `{0}`: `least_peers` belongs to `complaint_share_below` only and is at least 2"
    )]
    LeastPeers(String),
}

impl Catalogue {
    /// Reads and checks a catalogue.
    pub fn from_toml(text: &str) -> Result<Self, CatalogueError> {
        let catalogue: Self = toml::from_str(text)?;
        if catalogue.format != FORMAT {
            return Err(CatalogueError::Format(catalogue.format));
        }
        let groups: BTreeSet<&str> = catalogue
            .groups
            .iter()
            .map(|group| group.code.as_str())
            .collect();
        let mut codes = BTreeSet::new();
        for indicator in &catalogue.indicators {
            if !codes.insert(indicator.code.as_str()) {
                return Err(CatalogueError::Duplicate(indicator.code.clone()));
            }
            if !groups.contains(indicator.group.as_str()) {
                return Err(CatalogueError::UnknownGroup {
                    indicator: indicator.code.clone(),
                    group: indicator.group.clone(),
                });
            }
            if indicator.measure.lacks_window() {
                return Err(CatalogueError::NoWindow(indicator.code.clone()));
            }
            if indicator.measure.has_senseless_peers() {
                return Err(CatalogueError::LeastPeers(indicator.code.clone()));
            }
        }
        Ok(catalogue)
    }

    /// Position of the indicator with this code.
    pub fn position(&self, code: &str) -> Option<usize> {
        self.indicators
            .iter()
            .position(|indicator| indicator.code == code)
    }
}

impl Measure {
    /// Whether `least_peers` stands where there are no peers, or asks for fewer than two.
    pub fn has_senseless_peers(&self) -> bool {
        match self {
            Self::Register {
                statistic,
                least_peers: Some(least),
            } => *statistic != RegisterStatistic::ComplaintShareBelow || *least < 2,
            Self::Register {
                least_peers: None, ..
            }
            | Self::Records(_)
            | Self::Attribute { .. }
            | Self::AgeMonths { .. }
            | Self::Industry { .. } => false,
        }
    }

    /// Whether the aggregate weighs records by age and yet has no window to do it in.
    pub fn lacks_window(&self) -> bool {
        match self {
            Self::Records(records) => {
                matches!(
                    records.aggregate,
                    Aggregate::DecayedCount | Aggregate::Surge
                ) && records.window_months.is_none()
            }
            Self::Attribute { .. }
            | Self::AgeMonths { .. }
            | Self::Industry { .. }
            | Self::Register { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = include_str!("../../models/indicators.toml");

    #[test]
    fn the_default_catalogue_declares_the_42_indicators() {
        let catalogue = Catalogue::from_toml(DEFAULT).unwrap();
        let count = |group: &str| {
            catalogue
                .indicators
                .iter()
                .filter(|indicator| indicator.group == group)
                .count()
        };
        assert_eq!(
            ["BASE", "DYN", "SUP", "REL", "SOC"].map(count),
            [6, 8, 15, 5, 8]
        );
    }

    #[test]
    fn a_duplicate_code_and_an_unknown_field_are_named() {
        let twice = DEFAULT.replace("code = \"BAS02\"", "code = \"BAS01\"");
        assert!(
            Catalogue::from_toml(&twice)
                .unwrap_err()
                .to_string()
                .contains("`BAS01` is declared twice")
        );
        let unknown = DEFAULT.replacen("direction =", "heading =", 1);
        assert!(
            Catalogue::from_toml(&unknown)
                .unwrap_err()
                .to_string()
                .contains("heading")
        );
    }

    #[test]
    fn a_circle_of_one_peer_is_refused_by_name() {
        let alone = DEFAULT.replacen("least_peers = 200", "least_peers = 1", 1);
        let error = Catalogue::from_toml(&alone).unwrap_err().to_string();
        assert!(error.contains("`SOC01`"), "{error}");
    }

    #[test]
    fn another_format_is_refused_by_name() {
        let newer = DEFAULT.replacen(FORMAT, "risktier-catalogue/9", 1);
        assert!(
            Catalogue::from_toml(&newer)
                .unwrap_err()
                .to_string()
                .contains("risktier-catalogue/9")
        );
    }
}
