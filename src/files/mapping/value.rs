//! Takes one value out of a row.

use super::check::read_date;
use super::spec::{Condition, Conditions, Otherwise, ValueSpec};
use crate::domain::{FieldError, dates};
use crate::files::cells::Cells;
use crate::files::columns::number;
use crate::files::parquet::ITEM_END;

/// A value specification whose columns have been found in the header.
pub(super) struct BoundValue {
    origin: Origin,
    conditions: BoundConditions,
    /// How the file writes numbers, if this is one.
    number: Option<Notation>,
    spec: ValueSpec,
    /// Whether the file holds several values in the column itself, as Parquet can.
    is_list: bool,
}

/// How a file writes numbers.
#[derive(Clone, Copy, Default)]
pub(super) struct Notation {
    pub(super) decimal: Option<char>,
    pub(super) thousands: Option<char>,
}

impl Notation {
    /// The number as our own files write it.
    fn plain(self, text: &str) -> String {
        let digits = text.chars().filter(|&c| Some(c) != self.thousands);
        digits
            .map(|c| if Some(c) == self.decimal { '.' } else { c })
            .collect()
    }

    fn read(self, field: &str, text: &str) -> Result<f64, FieldError> {
        number(field, &self.plain(text)).map_err(|error| FieldError::new(field, text, error.reason))
    }
}

enum Origin {
    Column(usize),
    Columns(Vec<usize>, String),
    Constant(String),
}

/// Conditions whose columns have been found in the header.
pub(super) struct BoundConditions {
    conditions: Vec<(usize, String, Condition)>,
    notation: Notation,
}

/// What a row gives for a field.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    Text(String),
    Absent,
    SkipRow,
}

impl BoundConditions {
    /// Finds the columns; `find` fails with the error of a column that is not there.
    pub(super) fn bind<E>(
        conditions: &Conditions,
        notation: Notation,
        find: impl Fn(&str) -> Result<usize, E>,
    ) -> Result<Self, E> {
        let bound = conditions
            .iter()
            .map(|(column, condition)| Ok((find(column)?, column.clone(), condition.clone())));
        Ok(Self {
            conditions: bound.collect::<Result<_, E>>()?,
            notation,
        })
    }

    /// Whether a row meets them all; a number condition on a cell that is no number is a fault.
    pub(super) fn hold(&self, cells: &Cells) -> Result<bool, FieldError> {
        for (index, column, condition) in &self.conditions {
            if !condition.holds(column, cells.get(*index).trim(), self.notation)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Condition {
    fn holds(&self, column: &str, cell: &str, notation: Notation) -> Result<bool, FieldError> {
        let listed = self
            .one_of
            .as_ref()
            .is_none_or(|texts| texts.iter().any(|text| text == cell));
        let excluded = self.none_of.iter().any(|text| text == cell);
        let fits_empty = self.empty.is_none_or(|empty| empty == cell.is_empty());
        if !listed || excluded || !fits_empty {
            return Ok(false);
        }
        if self.above.is_none() && self.below.is_none() {
            return Ok(true);
        }
        // An empty cell is unknown, and what is unknown is neither above nor below.
        if cell.is_empty() {
            return Ok(false);
        }
        let value = notation.read(&format!("where.{column}"), cell)?;
        Ok(self.above.is_none_or(|bound| value > bound)
            && self.below.is_none_or(|bound| value < bound))
    }
}

impl BoundValue {
    /// Finds the columns of a value.
    pub(super) fn bind<E>(
        spec: &ValueSpec,
        notation: Notation,
        is_number: bool,
        find: impl Fn(&str) -> Result<usize, E>,
    ) -> Result<Self, E> {
        let origin = match (&spec.column, &spec.columns) {
            (Some(column), _) => Origin::Column(find(column)?),
            (None, Some(columns)) => Origin::Columns(
                columns
                    .iter()
                    .map(|column| find(column))
                    .collect::<Result<_, E>>()?,
                spec.join.clone().unwrap_or_default(),
            ),
            (None, None) => Origin::Constant(spec.constant.clone().unwrap_or_default()),
        };
        Ok(Self {
            origin,
            conditions: BoundConditions::bind(&spec.conditions, notation, find)?,
            number: is_number.then_some(notation),
            spec: spec.clone(),
            is_list: false,
        })
    }

    /// The same value where `is_list` says which columns hold lists.
    pub(super) fn with_lists(self, is_list: &dyn Fn(usize) -> bool) -> Self {
        let is_list = match &self.origin {
            Origin::Column(place) => is_list(*place),
            Origin::Columns(..) | Origin::Constant(_) => false,
        };
        Self { is_list, ..self }
    }

    /// Where the value comes from, for messages.
    pub(super) fn origin(&self) -> String {
        match (&self.spec.column, &self.spec.columns) {
            (Some(column), _) => format!("column `{column}`"),
            (None, Some(columns)) => format!("columns `{}`", columns.join("`, `")),
            (None, None) => "a constant of the mapping".to_owned(),
        }
    }

    /// The separator of several values in one cell.
    pub(super) fn separator(&self) -> Option<&str> {
        let of_list = self.is_list.then_some(ITEM_END);
        self.spec.split.as_deref().or(of_list)
    }

    /// Takes the whole text of the value, translated.
    pub(super) fn take(&self, field: &str, cells: &Cells) -> Result<Taken, FieldError> {
        if !self.conditions.hold(cells)? {
            return Ok(Taken::Absent);
        }
        let text = self.raw(cells);
        self.translate(field, text.trim())
    }

    /// Takes each part of a cell that holds several, translated.
    pub(super) fn take_parts(
        &self,
        field: &str,
        cells: &Cells,
        separator: &str,
    ) -> Result<Vec<Taken>, FieldError> {
        if !self.conditions.hold(cells)? {
            return Ok(Vec::new());
        }
        self.raw(cells)
            .split(separator)
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| self.translate(field, part))
            .collect()
    }

    fn raw(&self, cells: &Cells) -> String {
        match &self.origin {
            Origin::Column(index) => cells.get(*index).to_owned(),
            Origin::Constant(text) => text.clone(),
            Origin::Columns(indices, join) => {
                let parts: Vec<&str> = indices.iter().map(|i| cells.get(*i).trim()).collect();
                if parts.iter().all(|part| part.is_empty()) {
                    String::new()
                } else {
                    parts.join(join)
                }
            }
        }
    }

    fn translate(&self, field: &str, text: &str) -> Result<Taken, FieldError> {
        let spec = &self.spec;
        let fallback = || match &spec.default {
            Some(text) => Taken::Text(text.clone()),
            None => Taken::Absent,
        };
        if text.is_empty() || spec.absent.iter().any(|absent| absent == text) {
            return Ok(fallback());
        }
        let mut text = text;
        if let Some(map) = &spec.map {
            match (map.get(text), spec.otherwise.unwrap_or(Otherwise::USUAL)) {
                (Some(translated), _) => text = translated,
                (None, _) if spec.default.is_some() => return Ok(fallback()),
                (None, Otherwise::Keep) => {}
                (None, Otherwise::Absent) => return Ok(Taken::Absent),
                (None, Otherwise::SkipRow) => return Ok(Taken::SkipRow),
                (None, Otherwise::Error) => {
                    return Err(FieldError::new(
                        field,
                        text,
                        "is not in the map of the mapping; add it, or say `otherwise`",
                    ));
                }
            }
        }
        if spec.date.is_some() || spec.plus_days.is_some() {
            return self.date(field, text).map(Taken::Text);
        }
        match (self.number, spec.times) {
            // Fifteen significant digits hide what the binary product adds (1.1 × 10 000 = 11 000.000000000002).
            (Some(notation), Some(times)) => {
                Ok(Taken::Text(tidy(notation.read(field, text)? * times)))
            }
            (Some(notation), None) => Ok(Taken::Text(notation.plain(text))),
            (None, _) => Ok(Taken::Text(text.to_owned())),
        }
    }

    fn date(&self, field: &str, text: &str) -> Result<String, FieldError> {
        let day = match &self.spec.date {
            Some(pattern) => read_date(pattern, text),
            None => dates::parse_date(text),
        };
        let day = day.map_err(|reason| FieldError::new(field, text, reason))?;
        Ok(dates::add_days(day, self.spec.plus_days.unwrap_or(0)).to_string())
    }
}

fn tidy(value: f64) -> String {
    match format!("{value:.14e}").parse::<f64>() {
        Ok(tidied) => tidied.to_string(),
        Err(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(spec: ValueSpec, cell: &str) -> Result<Taken, FieldError> {
        take_as(spec, cell, PLAIN, false)
    }

    fn take_as(
        spec: ValueSpec,
        cell: &str,
        notation: Notation,
        is_number: bool,
    ) -> Result<Taken, FieldError> {
        let spec = ValueSpec {
            column: Some("c".to_owned()),
            ..spec
        };
        let value = BoundValue::bind(&spec, notation, is_number, |_| Ok::<usize, FieldError>(0))?;
        let mut cells = Cells::default();
        cells.split(cell, ',').unwrap();
        value.take("f", &cells)
    }

    fn text(text: &str) -> Result<Taken, FieldError> {
        Ok(Taken::Text(text.to_owned()))
    }

    fn map(otherwise: Option<Otherwise>, default: Option<&str>) -> ValueSpec {
        ValueSpec {
            map: Some([("pass".to_owned(), "1".to_owned())].into()),
            otherwise,
            default: default.map(str::to_owned),
            ..ValueSpec::default()
        }
    }

    const PLAIN: Notation = Notation {
        decimal: None,
        thousands: None,
    };

    #[test]
    fn maps_translate_and_unlisted_texts_follow_otherwise() {
        assert_eq!(take(map(None, None), " pass "), text("1"));
        assert_eq!(take(map(None, None), ""), Ok(Taken::Absent));
        assert_eq!(take(map(Some(Otherwise::Keep), None), "x"), text("x"));
        assert_eq!(
            take(map(Some(Otherwise::Absent), None), "x"),
            Ok(Taken::Absent)
        );
        assert_eq!(
            take(map(Some(Otherwise::SkipRow), None), "x"),
            Ok(Taken::SkipRow)
        );
        assert_eq!(take(map(None, Some("9")), "x"), text("9"));
        assert_eq!(take(map(None, Some("9")), ""), text("9"));
        assert_eq!(
            take(map(None, None), "x").unwrap_err().to_string(),
            "`f`: `x` is not in the map of the mapping; add it, or say `otherwise`"
        );
    }

    #[test]
    fn dates_follow_their_pattern_and_move() {
        let dated = |pattern: Option<&str>, days| ValueSpec {
            date: pattern.map(str::to_owned),
            plus_days: days,
            ..ValueSpec::default()
        };
        assert_eq!(
            take(dated(Some("%d.%m.%Y"), None), "31.1.2026"),
            text("2026-01-31")
        );
        assert_eq!(
            take(dated(Some("%Y年%m月%d日"), Some(1)), "2026年12月31日"),
            text("2027-01-01")
        );
        assert_eq!(
            take(dated(None, Some(-1)), "2026-03-01"),
            text("2026-02-28")
        );
        assert_eq!(
            take(dated(Some("%d.%m.%Y"), None), "31.2.2026")
                .unwrap_err()
                .to_string(),
            "`f`: `31.2.2026` is not a date of the pattern `%d.%m.%Y`"
        );
    }

    #[test]
    fn numbers_follow_their_notation() {
        let german = Notation {
            decimal: Some(','),
            thousands: Some('.'),
        };
        let plain = ValueSpec::default;
        assert_eq!(
            take_as(plain(), "\"1.234,5\"", german, true),
            text("1234.5")
        );
        assert_eq!(take_as(plain(), "1.2", german, false), text("1.2"));
        let wan = ValueSpec {
            times: Some(10_000.0),
            ..ValueSpec::default()
        };
        let take = |cell| take_as(wan.clone(), cell, PLAIN, true);
        assert_eq!(take("1.1"), text("11000"));
        assert_eq!(take("0.07"), text("700"));
        assert!(take("viel").is_err());
    }

    #[test]
    fn conditions_compare_texts_and_numbers() {
        let condition = Condition {
            above: Some(0.0),
            none_of: vec!["7".to_owned()],
            ..Condition::default()
        };
        for (cell, holds) in [("1", true), ("0", false), ("7", false), ("", false)] {
            assert_eq!(condition.holds("c", cell, PLAIN), Ok(holds), "{cell}");
        }
        assert!(condition.holds("c", "x", PLAIN).is_err());
        let not_empty = Condition {
            empty: Some(false),
            ..Condition::default()
        };
        assert_eq!(
            (
                not_empty.holds("c", "a", PLAIN),
                not_empty.holds("c", "", PLAIN)
            ),
            (Ok(true), Ok(false))
        );
    }
}
