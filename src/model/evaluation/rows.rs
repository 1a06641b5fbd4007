//! The rows of an evaluation: what was scored, and what was found.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::slots::code;
use crate::domain::Tier;

/// Unchecked columns, all of one length where they are present; [`Columns::check`] turns them into [`Rows`].
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The score by which rows are ranked; higher is riskier. Points of a card, or any number.
    pub score: Vec<f64>,
    /// Whether the inspection found a problem.
    pub outcome: Vec<bool>,
    /// Design weight, the inverse of the inclusion probability.
    pub weight: Option<Vec<f64>>,
    /// Calibrated probability of a problem.
    pub probability: Option<Vec<f64>>,
    /// Tier.
    pub tier: Option<Vec<Tier>>,
    /// Day of the inspection.
    pub day: Option<Vec<Date>>,
    /// Enterprise; rows of one enterprise are resampled together.
    pub enterprise: Option<Vec<String>>,
    /// Rate at which the sampling policy would visit the object, above 0.
    pub rate: Option<Vec<f64>>,
    /// Groupings, such as division or industry: a name and a value per row.
    pub groups: Vec<(String, Vec<String>)>,
    /// Codes of the main reasons per row.
    pub reasons: Option<Vec<Vec<String>>>,
}

/// Why rows cannot be evaluated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// No rows at all.
    #[error("there are no rows to evaluate; look at the filter, the dates and the outcome column")]
    Empty,
    /// A column is shorter or longer than the others.
    #[error("column `{column}` has {found} values for {rows} rows; give every row one")]
    Length {
        /// The column.
        column: String,
        /// Its length.
        found: usize,
        /// The number of rows.
        rows: usize,
    },
    /// A number that cannot be computed with.
    #[error("row {row}: {column} `{value}` {reason}")]
    Value {
        /// The row, from 1.
        row: usize,
        /// The column.
        column: &'static str,
        /// What stands there.
        value: f64,
        /// What is wrong and what to do.
        reason: &'static str,
    },
    /// Nothing counts.
    #[error("every weight is zero; give the rows that count a weight above 0")]
    NoWeight,
    /// More rows than positions are kept for.
    #[error("{0} rows are more than the 4294967295 that one evaluation takes; evaluate a sample")]
    TooMany(usize),
    /// Two models on different rows.
    #[error("the two models are not scored on the same rows: {0}")]
    Unpaired(String),
}

/// A column of names by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Coded {
    /// The distinct names, in byte order.
    pub(super) names: Vec<String>,
    /// The number of each row's name.
    pub(super) of: Vec<u32>,
}

/// Checked rows with what every figure needs prepared once.
#[derive(Clone, Debug)]
pub struct Rows {
    pub(super) score: Ranked,
    pub(super) outcome: Vec<bool>,
    pub(super) weight: Option<Vec<f64>>,
    pub(super) probability: Option<Vec<f64>>,
    pub(super) tier: Option<Vec<Tier>>,
    pub(super) day: Option<Vec<Date>>,
    pub(super) rate: Option<Vec<f64>>,
    pub(super) groups: Vec<(String, Coded)>,
    pub(super) reasons: Option<Vec<Vec<String>>>,
    pub(super) clusters: Clusters,
}

/// A column of numbers by rank: equal numbers share one rank, ranks rise with the number.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranked {
    /// The distinct numbers, rising.
    pub(super) values: Vec<f64>,
    /// The rank of each row.
    pub(super) rank: Vec<u32>,
}

/// Which rows belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Clusters {
    /// The cluster of each row.
    pub(super) of: Vec<u32>,
    /// The rows by cluster, in their order.
    pub(super) rows: Vec<u32>,
    /// Number of clusters.
    pub(super) count: usize,
    /// Whether several rows share a cluster.
    pub(super) repeated: bool,
}

impl Ranked {
    pub(super) fn of(values: &[f64]) -> Self {
        let mut order: Vec<(f64, u32)> = values.iter().copied().zip(0..).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut ranked = Self {
            values: Vec::new(),
            rank: vec![0; values.len()],
        };
        for (value, row) in order {
            // Minus zero and zero are one number.
            if ranked.values.last().is_none_or(|last| *last != value) {
                ranked.values.push(value);
            }
            if let Some(rank) = ranked.rank.get_mut(row as usize) {
                *rank = u32::try_from(ranked.values.len() - 1).unwrap_or(u32::MAX);
            }
        }
        ranked
    }
}

impl Coded {
    fn of(values: &[String]) -> Self {
        let mut numbers: BTreeMap<&str, u32> =
            values.iter().map(|name| (name.as_str(), 0)).collect();
        for (number, value) in (0..).zip(numbers.values_mut()) {
            *value = number;
        }
        Self {
            of: values
                .iter()
                .map(|name| numbers.get(name.as_str()).copied().unwrap_or(0))
                .collect(),
            names: numbers.into_keys().map(str::to_owned).collect(),
        }
    }
}

impl Clusters {
    fn of(names: Option<&[String]>, rows: usize) -> Self {
        let of: Vec<u32> = match names {
            None => (0..).take(rows).collect(),
            // Numbered by first appearance, so that renaming an enterprise changes no interval.
            Some(names) => {
                let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
                names
                    .iter()
                    .map(|name| {
                        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                        *numbers.entry(name).or_insert(next)
                    })
                    .collect()
            }
        };
        let count = of.iter().max().map_or(0, |last| *last as usize + 1);
        let mut by_cluster: Vec<u32> = (0..).take(rows).collect();
        if count < rows {
            by_cluster.sort_by_key(|row| code(&of, *row as usize));
        }
        Self {
            repeated: count < rows,
            of,
            rows: by_cluster,
            count,
        }
    }
}

impl Columns {
    /// Checks every column and prepares ranks, groups and clusters.
    ///
    /// # Errors
    ///
    /// Names the first row and column that cannot be computed with.
    pub fn check(self) -> Result<Rows, EvaluationError> {
        let rows = self.score.len();
        if rows == 0 {
            return Err(EvaluationError::Empty);
        }
        if u32::try_from(rows).is_err() {
            return Err(EvaluationError::TooMany(rows));
        }
        let lengths = [
            ("outcome", Some(self.outcome.len())),
            ("weight", self.weight.as_ref().map(Vec::len)),
            ("probability", self.probability.as_ref().map(Vec::len)),
            ("tier", self.tier.as_ref().map(Vec::len)),
            ("day", self.day.as_ref().map(Vec::len)),
            ("enterprise", self.enterprise.as_ref().map(Vec::len)),
            ("rate", self.rate.as_ref().map(Vec::len)),
            ("reasons", self.reasons.as_ref().map(Vec::len)),
        ];
        let groups = self
            .groups
            .iter()
            .map(|(name, values)| (name.as_str(), Some(values.len())));
        if let Some((column, found)) = lengths
            .into_iter()
            .chain(groups)
            .filter_map(|(column, length)| Some((column, length?)))
            .find(|(_, length)| *length != rows)
        {
            return Err(EvaluationError::Length {
                column: column.to_owned(),
                found,
                rows,
            });
        }
        refuse(
            "score",
            Some(&self.score),
            f64::is_finite,
            "is no finite number; leave the row out or give it a score",
        )?;
        refuse(
            "weight",
            self.weight.as_deref(),
            |weight| weight.is_finite() && weight >= 0.0,
            "is no finite number of at least 0; a design weight is one over the inclusion probability",
        )?;
        if self
            .weight
            .as_ref()
            .is_some_and(|weights| weights.iter().all(|weight| *weight == 0.0))
        {
            return Err(EvaluationError::NoWeight);
        }
        refuse(
            "probability",
            self.probability.as_deref(),
            |probability| (0.0..=1.0).contains(&probability),
            "does not lie within 0 to 1",
        )?;
        refuse(
            "rate",
            self.rate.as_deref(),
            |rate| rate.is_finite() && rate > 0.0,
            "is no finite number above 0; nobody is exempt from inspection",
        )?;
        Ok(Rows {
            score: Ranked::of(&self.score),
            clusters: Clusters::of(self.enterprise.as_deref(), rows),
            outcome: self.outcome,
            weight: self.weight.map(scaled),
            probability: self.probability,
            tier: self.tier,
            day: self.day,
            rate: self.rate,
            groups: self
                .groups
                .into_iter()
                .map(|(name, values)| (name, Coded::of(&values)))
                .collect(),
            reasons: self.reasons,
        })
    }
}

/// Weights matter only against each other. Dividing by the power of two at the largest keeps their ratios to the bit,
/// and their sums and squares away from the ends of the number range.
fn scaled(weights: Vec<f64>) -> Vec<f64> {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let unit = largest.log2().floor().exp2();
    weights.into_iter().map(|weight| weight / unit).collect()
}

fn refuse(
    column: &'static str,
    values: Option<&[f64]>,
    good: impl Fn(f64) -> bool,
    reason: &'static str,
) -> Result<(), EvaluationError> {
    match (1..)
        .zip(values.unwrap_or_default())
        .find(|(_, value)| !good(**value))
    {
        None => Ok(()),
        Some((row, value)) => Err(EvaluationError::Value {
            row,
            column,
            value: *value,
            reason,
        }),
    }
}

impl Rows {
    /// Number of rows.
    pub fn count(&self) -> usize {
        self.outcome.len()
    }

    /// Number of rows with a problem.
    pub fn found(&self) -> usize {
        self.outcome.iter().filter(|found| **found).count()
    }

    /// Whether the outcome of this row is a problem.
    pub(super) fn is_found(&self, row: usize) -> bool {
        self.outcome.get(row).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_computed_with_is_refused_by_row_and_column() {
        let columns = || Columns {
            score: vec![1.0, 2.0],
            outcome: vec![true, false],
            ..Columns::default()
        };
        assert_eq!(
            Columns::default().check().unwrap_err(),
            EvaluationError::Empty
        );
        let error = |columns: Columns| columns.check().unwrap_err().to_string();
        let nan = error(Columns {
            score: vec![1.0, f64::NAN],
            ..columns()
        });
        assert!(nan.contains("row 2") && nan.contains("score"), "{nan}");
        for weight in [-1.0, f64::INFINITY, f64::NAN] {
            let told = error(Columns {
                weight: Some(vec![1.0, weight]),
                ..columns()
            });
            assert!(told.contains("row 2: weight"), "{told}");
        }
        assert_eq!(
            Columns {
                weight: Some(vec![0.0, 0.0]),
                ..columns()
            }
            .check()
            .unwrap_err(),
            EvaluationError::NoWeight
        );
        let told = error(Columns {
            probability: Some(vec![1.5, 0.0]),
            ..columns()
        });
        assert!(told.contains("row 1: probability"), "{told}");
        let told = error(Columns {
            rate: Some(vec![0.1, 0.0]),
            ..columns()
        });
        assert!(told.contains("row 2: rate"), "{told}");
        let told = error(Columns {
            groups: vec![("size".to_owned(), vec![])],
            ..columns()
        });
        assert!(told.contains("`size` has 0 values for 2 rows"), "{told}");
    }

    #[test]
    fn equal_scores_share_a_rank_and_zero_has_one_sign() {
        let ranked = Ranked::of(&[3.0, -0.0, 3.0, 0.0, -1.0]);
        assert_eq!(ranked.rank, [2, 1, 2, 1, 0]);
        assert_eq!(ranked.values.len(), 3);
        assert_eq!(ranked.values[2], 3.0);
    }

    #[test]
    fn rows_of_one_enterprise_lie_together() {
        let names: Vec<String> = ["b", "a", "b"].map(str::to_owned).to_vec();
        let clusters = Clusters::of(Some(&names), 3);
        assert_eq!((clusters.count, clusters.repeated), (2, true));
        assert_eq!(clusters.of, [0, 1, 0]);
        assert_eq!(clusters.rows, [0, 2, 1]);
    }
}
