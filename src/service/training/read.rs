//! Reads a training table: finds out what the columns hold, and keeps their cells.
//!
//! One pass is enough for columns that hold numbers, and for those whose first known cell is no number; a column whose
//! numbers or days turn out to be categories is read once more.

use std::collections::BTreeSet;
use std::path::Path;

use super::TrainingError;
use super::roles::{ColumnRole, Roles};
use super::watch::{Growing, Holds, Watched, grow, in_order, unusable};
use crate::files::{CellRows, CellRowsError, LineError, ReadOptions, Source};
use crate::model::{Beside, Column, Table, Unused, Values};

/// A table that was read, with what was found out about its columns.
#[derive(Debug)]
pub struct TableRead {
    /// The table.
    pub table: Table,
    /// The roles with what was inferred.
    pub roles: Roles,
    /// Every column with its role and what it holds.
    pub columns: Vec<(String, ColumnRole, &'static str)>,
    /// Rows without an outcome, which are not in the table.
    pub without_outcome: u64,
    /// Rows set apart, which are not in the table.
    pub apart: u64,
}

/// Reads a table.
///
/// # Errors
///
/// When a row cannot be read or a cell is not what its column holds, naming line, column and value.
pub fn read_table(
    path: &Path,
    mut roles: Roles,
    max_row_bytes: usize,
) -> Result<TableRead, TrainingError> {
    let open = || -> Result<CellRows, TrainingError> {
        let options = ReadOptions {
            max_row_bytes,
            ..ReadOptions::default()
        };
        let source = Source::open(path, None).map_err(CellRowsError::from)?;
        Ok(CellRows::open(source, &options).map_err(CellRowsError::from)?)
    };
    let mut first = open()?;
    let header = first.header().to_vec();
    let column_roles = roles.resolve(&header)?;
    let passing = Passing::new(&header, &roles);
    let mut columns: Vec<Watched> = header
        .iter()
        .zip(&column_roles)
        .map(|(name, role)| Watched::new(*role, roles.categories.contains(name)))
        .collect();
    let mut kept = keep(&mut first, &passing, &header, &mut columns)?;
    if columns.iter().any(|column| column.again) {
        read_again(&mut open()?, &passing, &header, &mut columns)?;
    }
    let holds: Vec<Holds> = columns.iter().map(|column| column.holds).collect();
    for ((column, name), role) in columns.into_iter().zip(&header).zip(&column_roles) {
        if let Some(reason) = unusable(&column.growing, *role, column.holds) {
            kept.beside.unused.push(Unused {
                column: name.clone(),
                reason,
            });
        }
        place(&mut kept, column.growing, name, *role);
    }
    let columns = header
        .iter()
        .zip(&column_roles)
        .zip(&holds)
        .map(|((name, role), holds)| (name.clone(), *role, holds.words()))
        .collect();
    Ok(TableRead {
        table: Table::new(kept.features, kept.beside)?,
        roles,
        columns,
        without_outcome: kept.without_outcome,
        apart: kept.apart,
    })
}

/// Which rows count, and which cells are missing.
struct Passing<'a> {
    roles: &'a Roles,
    outcome: Option<usize>,
    apart: Option<usize>,
    apart_values: BTreeSet<&'a str>,
}

/// What becomes of a row.
enum Fate {
    Kept,
    WithoutOutcome,
    Apart,
}

impl<'a> Passing<'a> {
    fn new(header: &[String], roles: &'a Roles) -> Self {
        let position = |name: Option<&String>| {
            name.and_then(|name| header.iter().position(|column| column == name))
        };
        Self {
            roles,
            outcome: position(roles.outcome.as_ref()),
            apart: position(roles.apart.as_ref().map(|apart| &apart.column)),
            apart_values: roles
                .apart
                .iter()
                .flat_map(|apart| apart.values.iter().map(String::as_str))
                .collect(),
        }
    }

    fn is_missing(&self, cell: &str) -> bool {
        cell.is_empty() || self.roles.missing.iter().any(|missing| missing == cell)
    }

    fn fate(&self, row: &CellRows) -> Fate {
        let cell = |at: Option<usize>| at.map(|at| row.cell(at));
        if cell(self.outcome).is_none_or(|cell| self.is_missing(cell)) {
            Fate::WithoutOutcome
        } else if cell(self.apart).is_some_and(|cell| self.apart_values.contains(cell)) {
            Fate::Apart
        } else {
            Fate::Kept
        }
    }
}

struct Kept {
    features: Vec<Column>,
    beside: Beside,
    without_outcome: u64,
    apart: u64,
}

/// Keeps the cells of every column that has a use, as far as it is known what they are.
fn keep(
    rows: &mut CellRows,
    passing: &Passing<'_>,
    header: &[String],
    columns: &mut [Watched],
) -> Result<Kept, TrainingError> {
    let (mut without_outcome, mut apart) = (0, 0);
    while let Some(line) = rows.next_line()? {
        let is_kept = match passing.fate(rows) {
            Fate::Kept => true,
            Fate::WithoutOutcome => {
                without_outcome += 1;
                false
            }
            Fate::Apart => {
                apart += 1;
                false
            }
        };
        for (at, (column, name)) in columns.iter_mut().zip(header).enumerate() {
            let cell = rows.cell(at);
            if let Err(reason) = column.take(cell, passing.is_missing(cell), is_kept) {
                let fault = fault(line, name, cell, reason);
                if !column.is_open() {
                    return Err(rows.at_fault(fault).into());
                }
                column.fault.get_or_insert(fault);
            }
        }
    }
    let faults = columns
        .iter_mut()
        .filter(|column| column.holds == Holds::Numbers)
        .filter_map(|column| column.fault.take());
    match faults.min_by_key(|fault| fault.line) {
        Some(fault) => Err(rows.at_fault(fault).into()),
        None => Ok(Kept {
            features: Vec::new(),
            beside: Beside::default(),
            without_outcome,
            apart,
        }),
    }
}

/// Reads the columns once more that turned out to hold categories.
fn read_again(
    rows: &mut CellRows,
    passing: &Passing<'_>,
    header: &[String],
    columns: &mut [Watched],
) -> Result<(), TrainingError> {
    for column in columns.iter_mut().filter(|column| column.again) {
        column.growing = Growing::texts(0);
    }
    while let Some(line) = rows.next_line()? {
        if !matches!(passing.fate(rows), Fate::Kept) {
            continue;
        }
        for (at, (column, name)) in columns.iter_mut().zip(header).enumerate() {
            if column.again {
                let cell = rows.cell(at);
                let missing = passing.is_missing(cell);
                grow(&mut column.growing, cell, missing, column.role)
                    .map_err(|reason| rows.at_fault(fault(line, name, cell, reason)))?;
            }
        }
    }
    Ok(())
}

fn fault(line: u64, column: &str, cell: &str, reason: String) -> LineError {
    LineError {
        file: None,
        line,
        field: Some(column.to_owned()),
        value: Some(cell.chars().take(80).collect()),
        reason,
    }
}

fn place(kept: &mut Kept, growing: Growing, name: &str, role: ColumnRole) {
    let values = match growing {
        Growing::Passed => return,
        Growing::Outcome(outcomes) => {
            kept.beside.outcome = Some(outcomes);
            return;
        }
        Growing::Days(days) => {
            kept.beside.day = Some(days);
            return;
        }
        Growing::Groups(groups) => {
            kept.beside.group = Some(groups);
            return;
        }
        Growing::Numbers(numbers)
            if matches!(role, ColumnRole::Weight | ColumnRole::InclusionProbability) =>
        {
            kept.beside.weight = Some(numbers);
            return;
        }
        Growing::Numbers(numbers) => Values::Numbers(numbers),
        // A name for almost every row is no category.
        Growing::Texts { too_many: true, .. } => return,
        Growing::Texts { codes, names, .. } => in_order(codes, names),
    };
    let column = Column {
        name: name.to_owned(),
        values,
    };
    if role == ColumnRole::Keep {
        kept.beside.kept.push(column);
    } else {
        kept.features.push(column);
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::MOST_CATEGORIES;
    use super::*;
    use crate::model::table::MISSING_CODE;

    fn read(text: &str, roles: Roles) -> Result<TableRead, TrainingError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        read_table(&path, roles, 1 << 16)
    }

    #[test]
    fn roles_and_types_are_inferred_and_a_day_that_is_no_role_is_no_feature() {
        let text = "enterprise_id,day,founded,size,note,pi,outcome\n\
                    E1,2026-01-02,2001-05-06,3,a,0.5,1\n\
                    E1,2026-01-03,2001-05-06,,b,1,0\n\
                    E2,2026-01-04,,7,a,0.25,\n";
        let read = read(text, Roles::none()).unwrap();
        assert_eq!(read.without_outcome, 1);
        assert_eq!(read.table.row_count(), 2);
        let names: Vec<&str> = read
            .table
            .features()
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(names, ["size", "note"]);
        assert_eq!(read.table.weight(), Some(&[2.0, 1.0][..]));
        let groups = read.table.group().unwrap();
        assert_eq!(groups[0], groups[1]);
        assert_eq!(
            read.table.feature("size").unwrap().values.missing_count(),
            1
        );
    }

    #[test]
    fn a_column_is_what_all_of_its_cells_are() {
        // Numbers, then a text; days, then a text; missing, then texts; a number that is none among texts; days alone.
        let text = "outcome,a,b,c,d,e,f\n\
                    1,1,2001-05-06,,nan,2001-05-06,5\n\
                    ,2,2001-05-06,,x,2001-05-06,6\n\
                    0,x,y,z,2,2001-05-06,\n\
                    0,1,,z,,,7\n";
        let read = read(text, Roles::none()).unwrap();
        let values = |name: &str| read.table.feature(name).map(|column| &column.values);
        let texts = |codes: &[u32], names: &[&str]| Values::Categories {
            codes: codes.to_vec(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(read.without_outcome, 1);
        assert_eq!(values("a"), Some(&texts(&[0, 1, 0], &["1", "x"])));
        assert_eq!(
            values("b"),
            Some(&texts(&[0, 1, MISSING_CODE], &["2001-05-06", "y"]))
        );
        assert_eq!(values("c"), Some(&texts(&[MISSING_CODE, 0, 0], &["z"])));
        assert_eq!(
            values("d"),
            Some(&texts(&[1, 0, MISSING_CODE], &["2", "nan"]))
        );
        assert_eq!(values("e"), None);
        let Some(Values::Numbers(numbers)) = values("f") else {
            panic!("{:?}", values("f"));
        };
        assert!(numbers[0] == 5.0 && numbers[1].is_nan() && numbers[2] == 7.0);
    }

    #[test]
    fn categories_do_not_depend_on_the_order_of_rows() {
        let one = read("outcome,k\n1,b\n0,a\n", Roles::none()).unwrap();
        let other = read("outcome,k\n0,a\n1,b\n", Roles::none()).unwrap();
        let column = |read: &TableRead| match &read.table.feature("k").unwrap().values {
            Values::Categories { codes, names } => (codes.clone(), names.clone()),
            Values::Numbers(_) => Default::default(),
        };
        assert_eq!(column(&one).0, [1, 0]);
        assert_eq!(column(&other).0, [0, 1]);
        assert_eq!(column(&one).1, column(&other).1);
    }

    #[test]
    fn a_column_that_cannot_be_a_feature_is_named_with_the_reason() {
        let mut text = "outcome,name,founded,size\n".to_owned();
        for row in 0..=MOST_CATEGORIES {
            text.push_str(&format!("{},n{row},2001-05-06,{}\n", row % 2, row % 9));
        }
        let read = read(&text, Roles::none()).unwrap();
        let names: Vec<&str> = read
            .table
            .features()
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(names, ["size"]);
        let unused: Vec<(&str, &str)> = read
            .table
            .unused()
            .iter()
            .map(|unused| (unused.column.as_str(), unused.reason.as_str()))
            .collect();
        assert_eq!(unused.len(), 2);
        assert_eq!(unused[0].0, "name");
        assert!(unused[0].1.contains("10000 different texts"), "{unused:?}");
        assert_eq!(unused[1].0, "founded");
        assert!(unused[1].1.contains("days"), "{unused:?}");
    }

    #[test]
    fn cells_that_cannot_be_are_named_by_line_and_column() {
        for (text, said) in [
            ("outcome,weight\n1,1\n0,inf\n", "line 3"),
            ("outcome,weight\n1,-1\n0,1\n", "at least 0"),
            ("outcome,pi\n1,0\n0,1\n", "probability"),
            ("outcome,a\n7,1\n", "is not an outcome"),
            (
                "outcome,a,b\n1,1,2\n0,3,inf\n1,nan,3\n",
                "line 3: `b`: `inf`",
            ),
            ("outcome,day\n1,2026-02-30\n", "calendar"),
            ("a,b\n1,2\n", "--outcome"),
        ] {
            let error = read(text, Roles::none()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_column_known_after_the_outcome_cannot_be_a_feature() {
        let roles = Roles {
            after: vec!["fine".to_owned()],
            features: Some(vec!["fine".to_owned()]),
            ..Roles::none()
        };
        let error = read("outcome,fine\n1,2\n0,0\n", roles).unwrap_err();
        assert!(error.to_string().contains("`fine` has two roles"));
    }
}
