//! Reads a training table in two passes: the first finds out what the columns hold, the second keeps their cells.

use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::TrainingError;
use super::roles::{ColumnRole, Roles};
use crate::domain::dates::parse_date;
use crate::domain::digest::HashAlgorithm;
use crate::files::{CellRows, CellRowsError, LineError, ReadOptions, Source};
use crate::model::table::{MAX_OUTCOME, MISSING_CODE};
use crate::model::{Beside, Column, Table, Unused, Values};

/// Distinct texts beyond which a column is a name and not a category.
const MOST_CATEGORIES: usize = 10_000;

const NO_WEIGHT: &str = "is not a weight: write a finite number of at least 0";

const NO_PROBABILITY: &str = "is not a probability above 0 and at most 1; correct it";

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

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Nothing,
    Numbers,
    Days,
    Texts,
}

impl Holds {
    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Numbers => "numbers",
            Self::Days => "days",
            Self::Texts => "categories",
        }
    }
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
    let first = open()?;
    let header = first.header().to_vec();
    let column_roles = roles.resolve(&header)?;
    let holds = look(first, &header, &roles)?;
    let second = open()?;
    let kept = keep(second, &header, &column_roles, &holds, &roles)?;
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

fn is_missing(cell: &str, roles: &Roles) -> bool {
    cell.is_empty() || roles.missing.iter().any(|missing| missing == cell)
}

/// The first pass: what every column holds.
fn look(table: CellRows, header: &[String], roles: &Roles) -> Result<Vec<Holds>, TrainingError> {
    let mut holds = vec![Holds::Nothing; header.len()];
    table.each(|_, cells| {
        for (holds, cell) in holds.iter_mut().zip(cells) {
            if is_missing(cell, roles) {
                continue;
            }
            *holds = match *holds {
                Holds::Texts => Holds::Texts,
                Holds::Nothing | Holds::Numbers if cell.parse::<f64>().is_ok() => Holds::Numbers,
                Holds::Nothing | Holds::Days if parse_date(cell).is_ok() => Holds::Days,
                Holds::Nothing | Holds::Numbers | Holds::Days => Holds::Texts,
            };
        }
        Ok(())
    })?;
    for (name, holds) in header.iter().zip(&mut holds) {
        if roles.categories.contains(name) {
            *holds = Holds::Texts;
        }
    }
    Ok(holds)
}

/// One column as it grows.
enum Growing {
    Numbers(Vec<f64>),
    Texts {
        codes: Vec<u32>,
        names: BTreeMap<String, u32>,
        too_many: bool,
    },
    Outcome(Vec<u8>),
    Days(Vec<Date>),
    Groups(Vec<u64>),
    Passed,
}

struct Kept {
    features: Vec<Column>,
    beside: Beside,
    without_outcome: u64,
    apart: u64,
}

/// The second pass: keeps the cells of every column that has a use.
fn keep(
    table: CellRows,
    header: &[String],
    column_roles: &[ColumnRole],
    holds: &[Holds],
    roles: &Roles,
) -> Result<Kept, TrainingError> {
    let mut growing: Vec<Growing> = column_roles
        .iter()
        .zip(holds)
        .map(|(role, holds)| match (role, holds) {
            (ColumnRole::Outcome, _) => Growing::Outcome(Vec::new()),
            (ColumnRole::Day, _) => Growing::Days(Vec::new()),
            (ColumnRole::Group, _) => Growing::Groups(Vec::new()),
            (ColumnRole::Weight | ColumnRole::InclusionProbability, _) => {
                Growing::Numbers(Vec::new())
            }
            (ColumnRole::Feature | ColumnRole::Keep, Holds::Numbers | Holds::Nothing) => {
                Growing::Numbers(Vec::new())
            }
            (ColumnRole::Feature | ColumnRole::Keep, Holds::Texts) => Growing::Texts {
                codes: Vec::new(),
                names: BTreeMap::new(),
                too_many: false,
            },
            (ColumnRole::Feature | ColumnRole::Keep, Holds::Days)
            | (ColumnRole::After | ColumnRole::Ignore, _) => Growing::Passed,
        })
        .collect();
    let position = |name: &Option<String>| {
        name.as_ref()
            .and_then(|name| header.iter().position(|column| column == name))
    };
    let outcome_at = position(&roles.outcome);
    let apart_at = position(&roles.apart.as_ref().map(|apart| apart.column.clone()));
    let apart_values: BTreeSet<&str> = roles
        .apart
        .iter()
        .flat_map(|apart| apart.values.iter().map(String::as_str))
        .collect();
    let (mut without_outcome, mut apart) = (0, 0);
    let mut row: Vec<String> = vec![String::new(); header.len()];
    table.each(|line, cells| {
        for (kept, cell) in row.iter_mut().zip(cells) {
            kept.clear();
            kept.push_str(cell);
        }
        let cell_at = |at: Option<usize>| at.and_then(|at| row.get(at)).map(String::as_str);
        if cell_at(outcome_at).is_none_or(|cell| is_missing(cell, roles)) {
            without_outcome += 1;
            return Ok(());
        }
        if cell_at(apart_at).is_some_and(|cell| apart_values.contains(cell)) {
            apart += 1;
            return Ok(());
        }
        for (((growing, cell), name), role) in
            growing.iter_mut().zip(&row).zip(header).zip(column_roles)
        {
            let missing = is_missing(cell, roles);
            grow(growing, cell, missing, *role).map_err(|reason| LineError {
                file: None,
                line,
                field: Some(name.clone()),
                value: Some(cell.chars().take(80).collect()),
                reason,
            })?;
        }
        Ok(())
    })?;
    let mut kept = Kept {
        features: Vec::new(),
        beside: Beside::default(),
        without_outcome,
        apart,
    };
    for (((growing, name), role), holds) in
        growing.into_iter().zip(header).zip(column_roles).zip(holds)
    {
        if let Some(reason) = unusable(&growing, *role, *holds) {
            kept.beside.unused.push(Unused {
                column: name.clone(),
                reason,
            });
        }
        place(&mut kept, growing, name, *role);
    }
    Ok(kept)
}

fn grow(growing: &mut Growing, cell: &str, missing: bool, role: ColumnRole) -> Result<(), String> {
    match growing {
        Growing::Passed => {}
        Growing::Numbers(numbers) => {
            let weighs = matches!(role, ColumnRole::Weight | ColumnRole::InclusionProbability);
            if missing && weighs {
                return Err("every row needs a weight; fill it in or remove the row".to_owned());
            }
            let number = match number(cell) {
                _ if missing => f64::NAN,
                Err(_) if role == ColumnRole::Weight => return Err(NO_WEIGHT.to_owned()),
                Err(_) if weighs => return Err(NO_PROBABILITY.to_owned()),
                number => number?,
            };
            numbers.push(match role {
                ColumnRole::InclusionProbability if number > 0.0 && number <= 1.0 => 1.0 / number,
                ColumnRole::InclusionProbability => {
                    return Err(NO_PROBABILITY.to_owned());
                }
                ColumnRole::Weight if number < 0.0 => {
                    return Err(NO_WEIGHT.to_owned());
                }
                _ => number,
            });
        }
        Growing::Texts {
            codes,
            names,
            too_many,
        } => {
            let next = u32::try_from(names.len()).unwrap_or(MISSING_CODE);
            codes.push(if missing {
                MISSING_CODE
            } else if let Some(code) = names.get(cell) {
                *code
            } else if names.len() >= MOST_CATEGORIES {
                *too_many = true;
                MISSING_CODE
            } else {
                names.insert(cell.to_owned(), next);
                next
            });
        }
        Growing::Outcome(outcomes) => {
            let outcome = number(cell)
                .ok()
                .filter(|value| {
                    value.fract() == 0.0 && (0.0..=f64::from(MAX_OUTCOME)).contains(value)
                })
                .ok_or_else(|| format!("is not an outcome: write 0 or 1, or 0 to {MAX_OUTCOME}"))?;
            // The value is a whole number from 0 to 3.
            outcomes.push(outcome as u8);
        }
        Growing::Days(days) => days.push(parse_date(cell)?),
        Growing::Groups(groups) => {
            groups.push(HashAlgorithm::Sha256.hash(&[cell.as_bytes()]).leading_u64());
        }
    }
    Ok(())
}

fn number(cell: &str) -> Result<f64, String> {
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(
            "is not a finite number; leave an unknown cell empty, or name its text under `missing`"
                .to_owned(),
        ),
        Err(_) => Err("is not a number; correct it, or name its text under `missing`".to_owned()),
    }
}

/// Why a column that was to be a feature, or to be kept, is neither.
fn unusable(growing: &Growing, role: ColumnRole, holds: Holds) -> Option<String> {
    if !matches!(role, ColumnRole::Feature | ColumnRole::Keep) {
        return None;
    }
    match growing {
        Growing::Texts { too_many: true, .. } => Some(format!(
            "it holds more than {MOST_CATEGORIES} different texts, which are names and no categories: group them, or \
             name the column under `ignore`"
        )),
        Growing::Passed if holds == Holds::Days => Some(
            "it holds days, which are no quantity: give the days or years that have passed instead, or name the column \
             under `ignore`"
                .to_owned(),
        ),
        Growing::Texts { .. }
        | Growing::Passed
        | Growing::Numbers(_)
        | Growing::Outcome(_)
        | Growing::Days(_)
        | Growing::Groups(_) => None,
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

/// Codes in the order of the names, whatever the order of the rows.
fn in_order(codes: Vec<u32>, names: BTreeMap<String, u32>) -> Values {
    let mut new = vec![MISSING_CODE; names.len()];
    for (position, old) in names.values().enumerate() {
        if let Some(new) = usize::try_from(*old).ok().and_then(|old| new.get_mut(old)) {
            *new = u32::try_from(position).unwrap_or(MISSING_CODE);
        }
    }
    let codes = codes
        .into_iter()
        .map(|code| {
            usize::try_from(code)
                .ok()
                .and_then(|code| new.get(code))
                .copied()
                .unwrap_or(MISSING_CODE)
        })
        .collect();
    Values::Categories {
        codes,
        names: names.into_keys().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
