//! The rows of a mapped table as a stream of checked values.

use super::check::Table;
use super::value::{BoundConditions, BoundValue, Taken};
use crate::domain::FieldError;
use crate::files::columns::{ATTRIBUTE_PREFIX, Column, Tabular, number};
use crate::files::error::{FilesError, LineError, Row};
use crate::files::read::{ReadOptions, finish};
use crate::files::source::Source;
use crate::files::table::{CsvTable, Step};

/// The rows that a table yields; rows that its conditions leave out are only counted.
///
/// Line errors name the file, the field that the row was to fill, and the column it comes from.
pub struct MappedRows<T: Tabular> {
    table: CsvTable,
    file: String,
    conditions: BoundConditions,
    fields: Vec<(&'static Column<T::Draft>, Vec<BoundValue>)>,
    attributes: Vec<(String, BoundValue)>,
    defaults: T::Defaults,
    skipped_count: u64,
    ended: bool,
}

impl<T: Tabular> Table<T> {
    /// Reads a source through this table; a column that its header lacks fails the file.
    pub fn rows(
        &self,
        source: Source,
        options: &ReadOptions,
        defaults: T::Defaults,
    ) -> Result<MappedRows<T>, FilesError> {
        let file = source.name().to_owned();
        let table = CsvTable::open(source, self.delimiter, options.max_row_bytes)?;
        let find = |used_by: &str, column: &str| -> Result<usize, FilesError> {
            let position = table.header().iter().position(|name| name == column);
            position.ok_or_else(|| {
                let known = table.header().join("`, `");
                table.header_fault(
                    column,
                    &format!(
                        "is not in the header, but mapping table `{}` needs it for `{used_by}`; the header has `{known}`",
                        self.name()
                    ),
                )
            })
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
            fields.push((*field, bound?));
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
        Ok(MappedRows {
            table,
            file,
            conditions,
            fields,
            attributes,
            defaults,
            skipped_count: 0,
            ended: false,
        })
    }
}

impl<T: Tabular> MappedRows<T> {
    /// Rows left out so far, by `where` or by `otherwise = "skip-row"`.
    pub fn skipped_count(&self) -> u64 {
        self.skipped_count
    }

    fn advance(&mut self) -> Result<Option<Row<T>>, FilesError> {
        loop {
            let line = match self.table.step()? {
                Step::End => return Ok(None),
                Step::Bad(error) => return Ok(Some(Row::Bad(error.of_file(&self.file)))),
                Step::Cells { line } => line,
            };
            let draft = match self.draft() {
                Ok(Some(draft)) => Ok(draft),
                Ok(None) => {
                    self.skipped_count += 1;
                    continue;
                }
                Err(error) => Err(LineError::in_field(line, error)),
            };
            return Ok(Some(match finish(line, draft, &self.defaults) {
                Row::Bad(error) => Row::Bad(self.with_origin(error).of_file(&self.file)),
                good @ Row::Good { .. } => good,
            }));
        }
    }

    /// The draft of the current row; nothing where the row is left out.
    fn draft(&self) -> Result<Option<T::Draft>, FieldError> {
        let cells = self.table.cells();
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

impl<T: Tabular> Iterator for MappedRows<T> {
    type Item = Result<Row<T>, FilesError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let row = self.advance().transpose();
        self.ended = !matches!(row, Some(Ok(_)));
        row
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
