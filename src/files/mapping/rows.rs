//! The rows of a mapped table as a stream of checked values.

use super::check::Table;
use super::value::{BoundConditions, BoundValue, Taken};
use crate::domain::FieldError;
use crate::files::cells::Cells;
use crate::files::columns::{ATTRIBUTE_PREFIX, Column, Tabular, number};
use crate::files::error::{FilesError, LineError, Row};
use crate::files::parquet::{ListForm, ParquetTable, Wanted};
use crate::files::read::{ReadOptions, open_csv};
use crate::files::rows::{Cutter, Parser, Rows, Rule, finish};
use crate::files::source::{Format, Source};
use crate::files::table::Header;

/// How the rows of a table become values; rows that its conditions leave out are only counted.
///
/// Line errors name the file, the field that the row was to fill, and the column it comes from.
struct Mapped<T: Tabular> {
    file: String,
    conditions: BoundConditions,
    fields: Vec<(&'static Column<T::Draft>, Vec<BoundValue>)>,
    attributes: Vec<(String, BoundValue)>,
    defaults: T::Defaults,
}

impl<T: Tabular> Table<T> {
    /// Reads a source through this table; a column that its header lacks fails the file.
    pub fn rows(
        &self,
        source: Source,
        options: &ReadOptions,
        defaults: T::Defaults,
    ) -> Result<Rows<T>, FilesError> {
        let (splitter, cutter) = match source.format {
            Format::Parquet => {
                let table = ParquetTable::open(source, options)?;
                let (mapped, used) =
                    self.bind(table.header(), &|place| table.is_list(place), &defaults)?;
                for place in &used {
                    table.expect(*place, Wanted::Anything)?;
                }
                let (splitter, cutter) = table.read(&used, ListForm::Parted)?;
                (splitter, Cutter::Parquet(cutter, Box::new(mapped) as _))
            }
            Format::Csv | Format::Ndjson => {
                let (splitter, csv) = open_csv(source, self.delimiter, options.max_row_bytes)?;
                let (mapped, _) = self.bind(&csv.header, &|_| false, &defaults)?;
                (splitter, Cutter::Csv(csv, Box::new(mapped) as _))
            }
        };
        Ok(Rows::new(splitter, Parser { cutter, defaults }))
    }

    /// Finds every column in the header; the places of those that are used come with the rule.
    fn bind(
        &self,
        header: &Header,
        is_list: &dyn Fn(usize) -> bool,
        defaults: &T::Defaults,
    ) -> Result<(Mapped<T>, Vec<usize>), FilesError> {
        let used = std::cell::RefCell::new(Vec::new());
        let find = |used_by: &str, column: &str| -> Result<usize, FilesError> {
            let position = header.position(column).ok_or_else(|| {
                let known = header.names.join("`, `");
                header.fault(
                    column,
                    &format!(
                        "is not in the header, but mapping table `{}` needs it for `{used_by}`; the header has `{known}`",
                        self.name()
                    ),
                )
            })?;
            used.borrow_mut().push(position);
            Ok(position)
        };
        let mut fields = Vec::with_capacity(self.fields.len());
        for (field, values) in &self.fields {
            let bound: Result<Vec<BoundValue>, FilesError> = values
                .iter()
                .map(|value| {
                    let is_number = field.is_number();
                    BoundValue::bind(value, self.notation, is_number, |column| {
                        find(field.name, column)
                    })
                })
                .collect();
            let bound = bound?.into_iter().map(|value| value.with_lists(is_list));
            fields.push((*field, bound.collect()));
        }
        let mut attributes = Vec::with_capacity(self.attributes.len());
        for (name, value) in &self.attributes {
            let field = format!("{ATTRIBUTE_PREFIX}{name}");
            let bound =
                BoundValue::bind(value, self.notation, true, |column| find(&field, column))?;
            attributes.push((name.clone(), bound));
        }
        let conditions = BoundConditions::bind(&self.conditions, self.notation, |column| {
            find("where", column)
        })?;
        let mapped = Mapped {
            file: header.file.clone(),
            conditions,
            fields,
            attributes,
            defaults: defaults.clone(),
        };
        Ok((mapped, used.into_inner()))
    }
}

impl<T: Tabular> Rule<T> for Mapped<T> {
    fn row(&self, line: u64, cells: &Cells) -> Option<Row<T>> {
        let draft = match self.draft(cells) {
            Ok(Some(draft)) => Ok(draft),
            Ok(None) => return None,
            Err(error) => Err(LineError::in_field(line, error)),
        };
        Some(match finish(line, draft, &self.defaults) {
            Row::Bad(error) => Row::Bad(self.with_origin(error).of_file(&self.file)),
            good @ Row::Good { .. } => good,
        })
    }

    fn located(&self, error: LineError) -> LineError {
        error.of_file(&self.file)
    }
}

impl<T: Tabular> Mapped<T> {
    /// The draft of a row; nothing where the row is left out.
    fn draft(&self, cells: &Cells) -> Result<Option<T::Draft>, FieldError> {
        if !self.conditions.hold(cells)? {
            return Ok(None);
        }
        let mut draft = T::Draft::default();
        for (column, values) in &self.fields {
            let mut filled = false;
            for value in values {
                let parts = match value.separator() {
                    Some(separator) => value.take_parts(column.name, cells, separator)?,
                    None => vec![value.take(column.name, cells)?],
                };
                for part in parts {
                    match part {
                        Taken::SkipRow => return Ok(None),
                        Taken::Absent => {}
                        Taken::Text(text) => {
                            column.put(&mut draft, text)?;
                            filled = true;
                        }
                    }
                }
                // A list gathers its values; any other field takes the first there is.
                if filled && !column.is_list() {
                    break;
                }
            }
            if !filled && column.is_required() {
                return Err(column.refuse("", "is empty; every row needs a value"));
            }
        }
        for (name, value) in &self.attributes {
            let field = format!("{ATTRIBUTE_PREFIX}{name}");
            match value.take(&field, cells)? {
                Taken::SkipRow => return Ok(None),
                Taken::Absent => {}
                Taken::Text(text) => {
                    let value = number(&field, &text)?;
                    if let Some(attributes) = T::attributes(&mut draft) {
                        attributes.insert(name.clone(), value);
                    }
                }
            }
        }
        Ok(Some(draft))
    }

    /// Adds the column from which the wrong field comes.
    fn with_origin(&self, error: LineError) -> LineError {
        let field = error.field.as_deref().unwrap_or_default();
        let of_field = self
            .fields
            .iter()
            .find(|(column, _)| column.name == field)
            .and_then(|(_, values)| values.first());
        let of_attribute = self
            .attributes
            .iter()
            .find(|(name, _)| field.strip_prefix(ATTRIBUTE_PREFIX) == Some(name))
            .map(|(_, value)| value);
        match of_field.or(of_attribute) {
            Some(value) => LineError {
                reason: format!("{} (from {})", error.reason, value.origin()),
                ..error
            },
            None => error,
        }
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
