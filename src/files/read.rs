//! Enterprises and records from files in our own columns.

use super::blocks::{Splitter, TextSplitter};
use super::cells::Cells;
use super::columns::{self, ATTRIBUTE_PREFIX, Column, Tabular, number};
use super::error::{FilesError, LineError, Row};
use super::lines::RowReader;
use super::parquet::{ListForm, ParquetTable, Wanted};
use super::rows::{Cutter, Parser, Rows, Rule, finish};
use super::source::{Format, Source};
use super::table::{CsvCutter, Header};
use crate::domain::{CheckItem, Enterprise, Record, RecordDefaults};
use crate::sampling::FrameRow;

/// Bounds of reading.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Longest row in bytes, line feeds in quoted cells included; a longer one is refused and passed over.
    pub max_row_bytes: usize,
    /// Most bytes kept on disk of a Parquet file that arrives as a stream; a larger one is refused.
    pub max_spool_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_row_bytes: 1 << 20,
            max_spool_bytes: 4 << 30,
        }
    }
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
    open(source, options, ())
}

/// Reads records; `defaults` fill in what a row leaves to its import.
pub fn read_records(
    source: Source,
    options: &ReadOptions,
    defaults: RecordDefaults,
) -> Result<Rows<Record>, FilesError> {
    open(source, options, defaults)
}

/// Reads check items.
pub fn read_items(source: Source, options: &ReadOptions) -> Result<Rows<CheckItem>, FilesError> {
    open(source, options, ())
}

/// Reads the rows of a frame that others have made; only id and tier are needed.
pub fn read_frame_rows(
    source: Source,
    options: &ReadOptions,
) -> Result<Rows<FrameRow>, FilesError> {
    open(source, options, ())
}

fn open<T: Tabular>(
    source: Source,
    options: &ReadOptions,
    defaults: T::Defaults,
) -> Result<Rows<T>, FilesError> {
    let limit = options.max_row_bytes;
    let (splitter, cutter) = match source.format {
        Format::Csv => {
            let (splitter, csv) = open_csv(source, ',', limit)?;
            let rule = OwnColumns::<T>::plan(&csv.header, &defaults)?;
            (splitter, Cutter::Csv(csv, Box::new(rule)))
        }
        Format::Ndjson => {
            let (name, compression) = (source.name.clone(), source.compression);
            let rows = RowReader::new(source.into_stream(), None, limit);
            let needs = Some("one JSON object per line");
            let splitter = TextSplitter::new(rows, name, compression, limit, needs);
            (Splitter::Text(splitter), Cutter::Ndjson)
        }
        Format::Parquet => {
            let table = ParquetTable::open(source, options)?;
            let rule = OwnColumns::<T>::plan(table.header(), &defaults)?;
            for (cell, place) in rule.cells.iter().zip(0..) {
                table.expect(place, cell.wanted())?;
            }
            let all: Vec<usize> = (0..table.header().names.len()).collect();
            let (splitter, cutter) = table.read(&all, ListForm::Escaped)?;
            (splitter, Cutter::Parquet(cutter, Box::new(rule)))
        }
    };
    Ok(Rows::new(splitter, Parser { cutter, defaults }))
}

/// Reads the header of a CSV file.
pub(super) fn open_csv(
    source: Source,
    delimiter: char,
    max_row_bytes: usize,
) -> Result<(Splitter, CsvCutter), FilesError> {
    let (name, compression) = (source.name.clone(), source.compression);
    // INVARIANT: delimiters are ASCII; mappings check theirs.
    let quoting = u8::try_from(delimiter).unwrap_or(b',');
    let mut rows = RowReader::new(source.into_stream(), Some(quoting), max_row_bytes);
    let csv = CsvCutter::open(&mut rows, &name, compression, delimiter, max_row_bytes)?;
    let splitter = TextSplitter::new(rows, name, compression, max_row_bytes, None);
    Ok((Splitter::Text(splitter), csv))
}

/// Cells in our own columns.
struct OwnColumns<T: Tabular> {
    cells: Vec<Cell<T::Draft>>,
    defaults: T::Defaults,
}

impl<T: Tabular> OwnColumns<T> {
    /// Says for every column of the header what it fills.
    fn plan(header: &Header, defaults: &T::Defaults) -> Result<Self, FilesError> {
        let has_attributes = T::attributes(&mut T::Draft::default()).is_some();
        let mut cells = Vec::with_capacity(header.names.len());
        for name in &header.names {
            let attribute = name.strip_prefix(ATTRIBUTE_PREFIX);
            cells.push(match (columns::find::<T>(name), attribute) {
                (Some(column), _) => Cell::Column(column),
                (None, Some(attribute)) if has_attributes && !attribute.is_empty() => {
                    Cell::Attribute {
                        column: name.clone(),
                        name: attribute.to_owned(),
                    }
                }
                (None, _) => {
                    let known = columns::names::<T>();
                    let noun = T::NOUN;
                    return Err(header.fault(
                        name,
                        &format!(
                            "is not a column of {noun} files; known are {known}; use a mapping file for other columns"
                        ),
                    ));
                }
            });
        }
        for column in T::COLUMNS.iter().filter(|column| column.is_required()) {
            if header.position(column.name).is_none() {
                let noun = T::NOUN;
                return Err(header.fault(
                    column.name,
                    &format!("is missing from the header; every {noun} needs it"),
                ));
            }
        }
        Ok(Self {
            cells,
            defaults: defaults.clone(),
        })
    }

    fn fill(&self, line: u64, cells: &Cells) -> Result<T::Draft, LineError> {
        let mut draft = T::Draft::default();
        for (cell, text) in self.cells.iter().zip(cells.iter()) {
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
}

impl<T: Tabular> Rule<T> for OwnColumns<T> {
    fn row(&self, line: u64, cells: &Cells) -> Option<Row<T>> {
        Some(finish(line, self.fill(line, cells), &self.defaults))
    }

    fn located(&self, error: LineError) -> LineError {
        error
    }
}

impl<D> Cell<D> {
    fn wanted(&self) -> Wanted {
        match self {
            Self::Column(column) => column.wanted(),
            Self::Attribute { .. } => Wanted::Number,
        }
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
