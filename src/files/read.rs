//! Enterprises and records from files in our own columns.

use std::marker::PhantomData;
use std::str;

use super::columns::{self, ATTRIBUTE_PREFIX, Column, Tabular};
use super::error::{FilesError, LineError, Row, shorten};
use super::lines::{Next, RowReader};
use super::source::{Format, Source, read_failure};
use super::table::{CsvTable, NOT_UTF8, Step, too_long};
use super::{columns::number, json};
use crate::domain::{Enterprise, Record, RecordDefaults};

/// Bounds of reading.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Longest row in bytes, line feeds in quoted cells included; a longer one is refused and passed over.
    pub max_row_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_row_bytes: 1 << 20,
        }
    }
}

/// The rows of a file as a stream: a [`FilesError`] ends it, a bad row does not.
pub struct Rows<T: Tabular> {
    input: Input<T>,
    defaults: T::Defaults,
    failed: bool,
    of: PhantomData<T>,
}

enum Input<T: Tabular> {
    Csv {
        table: CsvTable,
        cells: Vec<Cell<T::Draft>>,
    },
    Ndjson {
        rows: RowReader,
        name: String,
        gzip: bool,
        max_row_bytes: usize,
        any: bool,
    },
}

/// What a column of the file fills.
enum Cell<D: 'static> {
    Column(&'static Column<D>),
    Attribute { column: String, name: String },
}

/// Reads enterprises.
pub fn read_enterprises(
    source: Source,
    options: &ReadOptions,
) -> Result<Rows<Enterprise>, FilesError> {
    Rows::open(source, options, ())
}

/// Reads records; `defaults` fill in what a row leaves to its import.
pub fn read_records(
    source: Source,
    options: &ReadOptions,
    defaults: RecordDefaults,
) -> Result<Rows<Record>, FilesError> {
    Rows::open(source, options, defaults)
}

impl<T: Tabular> Rows<T> {
    fn open(
        source: Source,
        options: &ReadOptions,
        defaults: T::Defaults,
    ) -> Result<Self, FilesError> {
        let input = match source.format {
            Format::Csv => {
                let table = CsvTable::open(source, ',', options.max_row_bytes)?;
                let cells = plan::<T>(&table)?;
                Input::Csv { table, cells }
            }
            Format::Ndjson => Input::Ndjson {
                rows: RowReader::new(source.reader, None, options.max_row_bytes),
                name: source.name,
                gzip: source.gzip,
                max_row_bytes: options.max_row_bytes,
                any: false,
            },
        };
        Ok(Self {
            input,
            defaults,
            failed: false,
            of: PhantomData,
        })
    }

    fn advance(&mut self) -> Result<Option<Row<T>>, FilesError> {
        let (line, draft) = match &mut self.input {
            Input::Csv { table, cells } => match table.step()? {
                Step::End => return Ok(None),
                Step::Bad(error) => return Ok(Some(Row::Bad(error))),
                Step::Cells { line } => (line, fill::<T>(line, table, cells)),
            },
            Input::Ndjson {
                rows,
                name,
                gzip,
                max_row_bytes,
                any,
            } => {
                let next = rows
                    .advance()
                    .map_err(|cause| read_failure(name, rows.lines_ended(), *gzip, cause))?;
                let line = match next {
                    Next::End if !*any => {
                        return Err(FilesError::Empty {
                            file: name.clone(),
                            needs: "one JSON object per line",
                        });
                    }
                    Next::End => return Ok(None),
                    Next::TooLong { line, last_line } => {
                        *any = true;
                        let error = too_long(line, last_line, *max_row_bytes);
                        return Ok(Some(Row::Bad(error)));
                    }
                    // INVARIANT: only CSV rows have quotes that stay open.
                    Next::Row { line } | Next::OpenQuote { line } => line,
                };
                *any = true;
                let draft = match str::from_utf8(rows.row()) {
                    Ok(text) => json::draft::<T>(line, text),
                    Err(_) => Err(LineError {
                        value: Some(shorten(&String::from_utf8_lossy(rows.row()))),
                        ..LineError::whole(line, NOT_UTF8)
                    }),
                };
                (line, draft)
            }
        };
        Ok(Some(finish(line, draft, &self.defaults)))
    }
}

impl<T: Tabular> Iterator for Rows<T> {
    type Item = Result<Row<T>, FilesError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = self.advance().transpose();
        self.failed = !matches!(row, Some(Ok(_)));
        row
    }
}

/// Checks a draft and keeps its line.
pub(super) fn finish<T: Tabular>(
    line: u64,
    draft: Result<T::Draft, LineError>,
    defaults: &T::Defaults,
) -> Row<T> {
    let checked = draft.and_then(|draft| {
        T::check(draft, defaults).map_err(|error| LineError::in_field(line, error))
    });
    match checked {
        Ok(item) => Row::Good { line, item },
        Err(error) => Row::Bad(error),
    }
}

/// Says for every column of the header what it fills.
fn plan<T: Tabular>(table: &CsvTable) -> Result<Vec<Cell<T::Draft>>, FilesError> {
    let has_attributes = T::attributes(&mut T::Draft::default()).is_some();
    let mut cells = Vec::with_capacity(table.header().len());
    for header in table.header() {
        let attribute = header.strip_prefix(ATTRIBUTE_PREFIX);
        cells.push(match (columns::find::<T>(header), attribute) {
            (Some(column), _) => Cell::Column(column),
            (None, Some(name)) if has_attributes && !name.is_empty() => Cell::Attribute {
                column: header.clone(),
                name: name.to_owned(),
            },
            (None, _) => {
                let known = columns::names::<T>();
                let noun = T::NOUN;
                return Err(table.header_fault(
                    header,
                    &format!(
                        "is not a column of {noun} files; known are {known}; use a mapping file for other columns"
                    ),
                ));
            }
        });
    }
    for column in T::COLUMNS.iter().filter(|column| column.is_required()) {
        if !table.header().iter().any(|header| header == column.name) {
            let noun = T::NOUN;
            return Err(table.header_fault(
                column.name,
                &format!("is missing from the header; every {noun} needs it"),
            ));
        }
    }
    Ok(cells)
}

fn fill<T: Tabular>(
    line: u64,
    table: &CsvTable,
    cells: &[Cell<T::Draft>],
) -> Result<T::Draft, LineError> {
    let mut draft = T::Draft::default();
    for (cell, text) in cells.iter().zip(table.cells().iter()) {
        let set = match cell {
            Cell::Column(column) => column.set(&mut draft, text),
            Cell::Attribute { .. } if text.trim().is_empty() => Ok(()),
            Cell::Attribute { column, name } => number(column, text.trim()).map(|value| {
                if let Some(attributes) = T::attributes(&mut draft) {
                    attributes.insert(name.clone(), value);
                }
            }),
        };
        set.map_err(|error| LineError::in_field(line, error))?;
    }
    Ok(draft)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
