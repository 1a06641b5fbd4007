//! Column roles: what each column of a training table is, from a small TOML file or from the columns' names.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::model::train::FeatureRule;

/// The roles format this build reads.
const FORMAT: &str = "risktier-roles/1";

/// The roles of the columns of a table.
///
/// ```toml
/// format = "risktier-roles/1"
/// outcome = "problem_found"          # 0 and 1, or 0 to 3
/// day = "inspected_on"               # the day that a row speaks for
/// group = "enterprise_id"            # rows that belong together
/// inclusion_probability = "pi"       # or weight = "…"
/// after = ["result", "fine_cny"]     # known only after the outcome: never an input
/// keep = ["division"]                # for tables by group; no input
/// missing = ["NA", "-"]              # texts that say unknown, beside the empty cell
///
/// [apart]                            # rows that do not count, such as visits after a complaint
/// column = "cause"
/// values = ["complaint"]
///
/// [feature.past_fines]
/// direction = "raises"               # more of it never gives fewer points
/// specials = [-1]                    # a code, not a quantity
/// missing = "own"                    # own, neutral or worst
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    pub(super) format: String,
    /// What came true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The day that a row speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// Rows that belong together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How much a row counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// The probability with which a row was drawn; its inverse is the weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusion_probability: Option<String>,
    /// Columns known only after the outcome.
    #[serde(default)]
    pub after: Vec<String>,
    /// Columns that are no features and are kept for tables by group.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Columns that are passed over.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The features; absent means every column without another role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// Texts that stand for a missing value.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Columns that hold categories though they look like numbers.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Rows that are set apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// What is declared about features.
    #[serde(default)]
    pub feature: BTreeMap<String, FeatureRule>,
}

/// Rows with one of these values do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apart {
    /// The column.
    pub column: String,
    /// Its values.
    pub values: Vec<String>,
}

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// What came true.
    Outcome,
    /// The day of the row.
    Day,
    /// Rows that belong together.
    Group,
    /// How much a row counts.
    Weight,
    /// The inverse of how much a row counts.
    InclusionProbability,
    /// Known only after the outcome.
    After,
    /// Kept for tables by group.
    Keep,
    /// Passed over.
    Ignore,
    /// An input of the model.
    Feature,
}

/// Why roles cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RolesError {
    /// The file cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// Not TOML of the shape of roles.
    #[error("the roles cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Written for another release.
    #[error("the roles have format `{0}`; this release reads `{FORMAT}`")]
    Format(String),
    /// A column that the table lacks.
    #[error("the roles name column `{0}`, which the table does not have")]
    Unknown(String),
    /// Two roles for one column.
    #[error("column `{0}` has two roles; keep one")]
    Twice(String),
    /// No outcome.
    #[error(
        "no column is named `outcome`, `label` or `target`; name the outcome in the roles or with --outcome"
    )]
    NoOutcome,
    /// A weight and a probability.
    #[error("the roles name both a weight and an inclusion probability; keep one")]
    TwoWeights,
}

impl Roles {
    /// No roles: everything is inferred.
    pub fn none() -> Self {
        Self {
            format: FORMAT.to_owned(),
            ..Self::default()
        }
    }

    /// Reads a roles file.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is of another format.
    pub fn load(path: &Path) -> Result<Self, RolesError> {
        let text = std::fs::read_to_string(path).map_err(|cause| RolesError::Read {
            path: path.display().to_string(),
            cause,
        })?;
        Self::from_toml(&text)
    }

    /// Reads the text of a roles file.
    ///
    /// # Errors
    ///
    /// When it is of another shape or format.
    pub fn from_toml(text: &str) -> Result<Self, RolesError> {
        let roles: Self = toml::from_str(text)?;
        if roles.format != FORMAT {
            return Err(RolesError::Format(roles.format));
        }
        Ok(roles)
    }

    /// Fills roles that are not named from the names of columns, and gives the role of every column.
    ///
    /// # Errors
    ///
    /// When a named column is absent or has two roles, or nothing can be the outcome.
    pub(super) fn resolve(&mut self, header: &[String]) -> Result<Vec<ColumnRole>, RolesError> {
        if self.weight.is_some() && self.inclusion_probability.is_some() {
            return Err(RolesError::TwoWeights);
        }
        let taken = self.named();
        let infer = |names: &[&str]| {
            names
                .iter()
                .find(|name| {
                    header.iter().any(|column| column == **name) && !taken.contains(**name)
                })
                .map(|name| (*name).to_owned())
        };
        if self.outcome.is_none() {
            self.outcome = infer(&["outcome", "label", "target"]);
        }
        if self.day.is_none() {
            self.day = infer(&[
                "day",
                "inspection_date",
                "inspected_on",
                "visited_on",
                "as_of",
                "date",
            ]);
        }
        if self.group.is_none() {
            self.group = infer(&["enterprise_id", "group", "group_id", "owner_id"]);
        }
        if self.weight.is_none() && self.inclusion_probability.is_none() {
            self.weight = infer(&["weight", "design_weight"]);
            if self.weight.is_none() {
                self.inclusion_probability = infer(&["inclusion_probability", "pi"]);
            }
        }
        if self.outcome.is_none() {
            return Err(RolesError::NoOutcome);
        }
        let mut roles: BTreeMap<&str, ColumnRole> = BTreeMap::new();
        let mut put = |name: &'_ String, role: ColumnRole| -> Result<(), RolesError> {
            let column = header
                .iter()
                .find(|column| *column == name)
                .ok_or_else(|| RolesError::Unknown(name.clone()))?;
            match roles.insert(column.as_str(), role) {
                Some(_) => Err(RolesError::Twice(name.clone())),
                None => Ok(()),
            }
        };
        for (name, role) in [
            (&self.outcome, ColumnRole::Outcome),
            (&self.day, ColumnRole::Day),
            (&self.group, ColumnRole::Group),
            (&self.weight, ColumnRole::Weight),
            (
                &self.inclusion_probability,
                ColumnRole::InclusionProbability,
            ),
        ] {
            if let Some(name) = name {
                put(name, role)?;
            }
        }
        for (names, role) in [
            (&self.after, ColumnRole::After),
            (&self.keep, ColumnRole::Keep),
            (&self.ignore, ColumnRole::Ignore),
        ] {
            for name in names {
                put(name, role)?;
            }
        }
        for name in self.features.iter().flatten() {
            put(name, ColumnRole::Feature)?;
        }
        let rest = if self.features.is_some() {
            ColumnRole::Ignore
        } else {
            ColumnRole::Feature
        };
        if let Some(unknown) = self
            .feature
            .keys()
            .chain(&self.categories)
            .chain(self.apart.iter().map(|apart| &apart.column))
            .find(|name| !header.contains(name))
        {
            return Err(RolesError::Unknown(unknown.clone()));
        }
        if let Some(other) = self
            .feature
            .keys()
            .find(|name| roles.get(name.as_str()).copied().unwrap_or(rest) != ColumnRole::Feature)
        {
            return Err(RolesError::Twice(other.clone()));
        }
        Ok(header
            .iter()
            .map(|column| roles.get(column.as_str()).copied().unwrap_or(rest))
            .collect())
    }

    fn named(&self) -> BTreeSet<String> {
        [
            &self.outcome,
            &self.day,
            &self.group,
            &self.weight,
            &self.inclusion_probability,
        ]
        .into_iter()
        .flatten()
        .chain(&self.after)
        .chain(&self.keep)
        .chain(&self.ignore)
        .chain(self.features.iter().flatten())
        .cloned()
        .collect()
    }
}
