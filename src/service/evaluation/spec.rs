//! Which columns of a table mean what.

use jiff::civil::Date;
use std::path::PathBuf;

/// A table and the roles of its columns.
#[derive(Clone, Debug, Default)]
pub struct TableSpec {
    /// CSV file with a header, also gzip or zstd, or a Parquet file.
    pub table: PathBuf,
    /// What was found: 0/1, true/false, yes/no, 是/否, or a number of which `outcome_from` and more is a problem.
    pub outcome: String,
    /// Least number that counts as a problem.
    pub outcome_from: f64,
    /// Design weight.
    pub weight: Option<String>,
    /// Day of the inspection.
    pub day: Option<String>,
    /// Enterprise.
    pub enterprise: Option<String>,
    /// Rate of the sampling policy; without it, the policy's rate of the tier.
    pub rate: Option<String>,
    /// Columns to group by.
    pub groups: Vec<String>,
    /// Columns that are no features, such as ids and days; only drift without a scorecard takes every other column.
    pub ignore: Vec<String>,
    /// First day to evaluate.
    pub from: Option<Date>,
    /// Last day to evaluate.
    pub until: Option<Date>,
    /// Longest row in bytes.
    pub max_row_bytes: usize,
}

/// What scores the rows.
#[derive(Clone, Debug)]
pub enum Scoring {
    /// A scorecard over the table's columns.
    Card(PathBuf),
    /// Columns that already hold scores.
    Columns {
        /// The score; higher is riskier.
        score: String,
        /// Probability of a problem.
        probability: Option<String>,
        /// Tier, A to D.
        tier: Option<String>,
    },
}
