//! A table in memory: feature columns side by side, with what training and evaluation need beside them.
//!
//! A table that exists is consistent: every column has as many rows as the table, numbers are finite or missing, weights
//! are finite and not negative, outcomes are small whole numbers. Where the cells come from is the caller's business.

use jiff::civil::Date;

/// Code of a category that is unknown.
pub const MISSING_CODE: u32 = u32::MAX;

/// The worst outcome that a table may carry.
pub const MAX_OUTCOME: u8 = 3;

/// The cells of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; `NaN` stands for a missing cell.
    Numbers(Vec<f64>),
    /// Categories by position in `names`; [`MISSING_CODE`] stands for a missing cell.
    Categories {
        /// One code per row.
        codes: Vec<u32>,
        /// The names that the codes stand for, each once.
        names: Vec<String>,
    },
}

impl Values {
    /// How many rows the column has.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Categories { codes, .. } => codes.len(),
        }
    }

    /// Whether the column has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many cells are missing.
    pub fn missing_count(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.iter().filter(|value| value.is_nan()).count(),
            Self::Categories { codes, .. } => {
                codes.iter().filter(|code| **code == MISSING_CODE).count()
            }
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(pick(numbers, rows)),
            Self::Categories { codes, names } => Self::Categories {
                codes: pick(codes, rows),
                names: names.clone(),
            },
        }
    }
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name; for features the code of the indicator.
    pub name: String,
    /// Its cells.
    pub values: Values,
}

/// What a table carries beside its features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// What came true, 0 (nothing) to 3 (worst); 0 or 1 where the outcome is binary.
    pub outcome: Option<Vec<u8>>,
    /// How much a row counts; absent means 1.
    pub weight: Option<Vec<f64>>,
    /// The day that a row speaks for.
    pub day: Option<Vec<Date>>,
    /// Which rows belong together (one enterprise, one owner), as any numbers.
    pub group: Option<Vec<u64>>,
    /// Columns that are no features, kept for tables by group: division, industry, size.
    pub kept: Vec<Column>,
    /// Columns that were to be features and are not in the table.
    pub unused: Vec<Unused>,
}

/// A column that was to be a feature and cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Its name.
    pub column: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Rows with features, outcome, weight, day and group.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    row_count: usize,
    features: Vec<Column>,
    beside: Beside,
}

/// Why columns make no table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TableError {
    /// No rows.
    #[error("the table has no rows")]
    Empty,
    /// Columns of different lengths.
    #[error("column `{column}` has {found} rows, the table {expected}")]
    Length {
        /// The column.
        column: String,
        /// Its rows.
        found: usize,
        /// The table's rows.
        expected: usize,
    },
    /// Two columns of one name.
    #[error("column `{0}` stands twice in the table; rename or remove one")]
    Duplicate(String),
    /// An infinite number.
    #[error(
        "column `{column}`, row {row}: the number is infinite; leave an unknown cell empty or correct it"
    )]
    Infinite {
        /// The column.
        column: String,
        /// The row, from 1.
        row: usize,
    },
    /// A weight that cannot be one.
    #[error("row {row}: weight {weight} is not a finite number of at least 0; correct it")]
    Weight {
        /// The row, from 1.
        row: usize,
        /// The weight.
        weight: f64,
    },
    /// Every weight is zero.
    #[error("every weight is zero; give the rows that count a positive weight")]
    NoWeight,
    /// An outcome that is none.
    #[error("row {row}: outcome {outcome} is not a whole number from 0 to {MAX_OUTCOME}")]
    Outcome {
        /// The row, from 1.
        row: usize,
        /// What stands there.
        outcome: u8,
    },
    /// A category code without a name.
    #[error("column `{column}`, row {row}: the category has no name")]
    Category {
        /// The column.
        column: String,
        /// The row, from 1.
        row: usize,
    },
}

impl Table {
    /// Puts columns together and checks them.
    ///
    /// # Errors
    ///
    /// Names the first column and row that is wrong.
    pub fn new(features: Vec<Column>, beside: Beside) -> Result<Self, TableError> {
        let row_count = features
            .first()
            .map(|column| column.values.len())
            .or_else(|| beside.outcome.as_ref().map(Vec::len))
            .unwrap_or(0);
        if row_count == 0 {
            return Err(TableError::Empty);
        }
        let length = |column: &str, found: usize| {
            if found == row_count {
                Ok(())
            } else {
                Err(TableError::Length {
                    column: column.to_owned(),
                    found,
                    expected: row_count,
                })
            }
        };
        let mut seen = std::collections::BTreeSet::new();
        for column in features.iter().chain(&beside.kept) {
            length(&column.name, column.values.len())?;
            check_cells(column)?;
            if !seen.insert(column.name.as_str()) {
                return Err(TableError::Duplicate(column.name.clone()));
            }
        }
        if let Some(outcome) = &beside.outcome {
            length("outcome", outcome.len())?;
            if let Some(row) = outcome.iter().position(|outcome| *outcome > MAX_OUTCOME) {
                return Err(TableError::Outcome {
                    row: row + 1,
                    outcome: outcome.get(row).copied().unwrap_or_default(),
                });
            }
        }
        if let Some(weight) = &beside.weight {
            length("weight", weight.len())?;
            check_weights(weight)?;
        }
        if let Some(day) = &beside.day {
            length("day", day.len())?;
        }
        if let Some(group) = &beside.group {
            length("group", group.len())?;
        }
        Ok(Self {
            row_count,
            features,
            beside,
        })
    }

    /// How many rows there are; at least one.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// The feature columns.
    pub fn features(&self) -> &[Column] {
        &self.features
    }

    /// The feature of this name.
    pub fn feature(&self, name: &str) -> Option<&Column> {
        self.features.iter().find(|column| column.name == name)
    }

    /// What came true, where the table says it.
    pub fn outcome(&self) -> Option<&[u8]> {
        self.beside.outcome.as_deref()
    }

    /// How much each row counts, where the table says it.
    pub fn weight(&self) -> Option<&[f64]> {
        self.beside.weight.as_deref()
    }

    /// The day of each row, where the table says it.
    pub fn day(&self) -> Option<&[Date]> {
        self.beside.day.as_deref()
    }

    /// The group of each row, where the table says it.
    pub fn group(&self) -> Option<&[u64]> {
        self.beside.group.as_deref()
    }

    /// Columns that are no features.
    pub fn kept(&self) -> &[Column] {
        &self.beside.kept
    }

    /// Columns that were to be features and are not in the table.
    pub fn unused(&self) -> &[Unused] {
        &self.beside.unused
    }

    /// The kept column of this name.
    pub fn kept_column(&self, name: &str) -> Option<&Column> {
        self.beside.kept.iter().find(|column| column.name == name)
    }

    /// The table of some of the rows, in the order given; positions outside the table are passed over.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|row| *row < self.row_count)
            .collect();
        let columns = |columns: &[Column]| {
            columns
                .iter()
                .map(|column| Column {
                    name: column.name.clone(),
                    values: column.values.select(&rows),
                })
                .collect()
        };
        Self {
            row_count: rows.len(),
            features: columns(&self.features),
            beside: Beside {
                outcome: self.beside.outcome.as_ref().map(|all| pick(all, &rows)),
                weight: self.beside.weight.as_ref().map(|all| pick(all, &rows)),
                day: self.beside.day.as_ref().map(|all| pick(all, &rows)),
                group: self.beside.group.as_ref().map(|all| pick(all, &rows)),
                kept: columns(&self.beside.kept),
                unused: self.beside.unused.clone(),
            },
        }
    }
}

fn pick<T: Copy>(all: &[T], rows: &[usize]) -> Vec<T> {
    let mut picked = Vec::with_capacity(rows.len());
    picked.extend(rows.iter().filter_map(|row| all.get(*row).copied()));
    picked
}

fn check_cells(column: &Column) -> Result<(), TableError> {
    match &column.values {
        Values::Numbers(numbers) => match numbers.iter().position(|value| value.is_infinite()) {
            Some(row) => Err(TableError::Infinite {
                column: column.name.clone(),
                row: row + 1,
            }),
            None => Ok(()),
        },
        Values::Categories { codes, names } => {
            let known = |code: u32| {
                code == MISSING_CODE || usize::try_from(code).is_ok_and(|code| code < names.len())
            };
            match codes.iter().position(|code| !known(*code)) {
                Some(row) => Err(TableError::Category {
                    column: column.name.clone(),
                    row: row + 1,
                }),
                None => Ok(()),
            }
        }
    }
}

fn check_weights(weights: &[f64]) -> Result<(), TableError> {
    if let Some((row, weight)) = weights
        .iter()
        .enumerate()
        .find(|(_, weight)| !weight.is_finite() || **weight < 0.0)
    {
        return Err(TableError::Weight {
            row: row + 1,
            weight: *weight,
        });
    }
    if weights.iter().all(|weight| *weight == 0.0) {
        return Err(TableError::NoWeight);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(name: &str, values: &[f64]) -> Column {
        Column {
            name: name.to_owned(),
            values: Values::Numbers(values.to_vec()),
        }
    }

    #[test]
    fn columns_of_different_lengths_and_twice_the_same_name_are_refused_by_name() {
        let short = Table::new(
            vec![numbers("a", &[1.0, 2.0]), numbers("b", &[1.0])],
            Beside::default(),
        );
        assert!(short.unwrap_err().to_string().contains("`b` has 1 rows"));
        let twice = Table::new(
            vec![numbers("a", &[1.0]), numbers("a", &[1.0])],
            Beside::default(),
        );
        assert_eq!(twice, Err(TableError::Duplicate("a".to_owned())));
    }

    #[test]
    fn an_infinite_number_and_a_wrong_weight_are_named_by_row() {
        let infinite = Table::new(
            vec![numbers("a", &[f64::NAN, f64::INFINITY])],
            Beside::default(),
        );
        assert!(infinite.unwrap_err().to_string().contains("`a`, row 2"));
        for (weights, said) in [
            ([1.0, f64::INFINITY], "row 2: weight inf"),
            ([-1.0, 1.0], "row 1: weight -1"),
            ([0.0, 0.0], "every weight is zero"),
        ] {
            let beside = Beside {
                weight: Some(weights.to_vec()),
                ..Beside::default()
            };
            let error = Table::new(vec![numbers("a", &[1.0, 2.0])], beside).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn selecting_rows_selects_every_column() {
        let beside = Beside {
            outcome: Some(vec![0, 1, 2]),
            group: Some(vec![7, 8, 9]),
            kept: vec![numbers("k", &[4.0, 5.0, 6.0])],
            ..Beside::default()
        };
        let table = Table::new(vec![numbers("a", &[1.0, 2.0, 3.0])], beside).unwrap();
        let part = table.select(&[2, 0, 99]);
        assert_eq!(part.row_count(), 2);
        assert_eq!(part.outcome(), Some(&[2, 0][..]));
        assert_eq!(part.group(), Some(&[9, 7][..]));
        assert_eq!(
            part.feature("a").unwrap().values,
            Values::Numbers(vec![3.0, 1.0])
        );
    }
}
