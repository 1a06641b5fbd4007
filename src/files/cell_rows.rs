//! CSV rows as plain cells under the file's own header, for tables whose columns are named by the caller.

use super::error::{FilesError, LineError};
use super::read::ReadOptions;
use super::source::{Format, Source};
use super::table::{CsvTable, Step};

/// The rows of a CSV file, one after the other.
pub struct CellRows {
    table: CsvTable,
}

impl CellRows {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    ///
    /// When the file is not CSV or its header cannot be read.
    pub fn open(source: Source, options: &ReadOptions) -> Result<Self, FilesError> {
        match source.format() {
            Format::Csv => Ok(Self {
                table: CsvTable::open(source, ',', options.max_row_bytes)?,
            }),
            Format::Ndjson => Err(FilesError::Unreadable {
                file: source.name().to_owned(),
                found: "NDJSON",
                advice: "a table to evaluate is CSV with a header",
            }),
        }
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        self.table.header()
    }

    /// Goes to the next row and gives its line; a row that cannot be cut into cells is told and passed over.
    ///
    /// # Errors
    ///
    /// When the file cannot be read further.
    pub fn advance(&mut self) -> Result<Option<Result<u64, LineError>>, FilesError> {
        Ok(match self.table.step()? {
            Step::Cells { line } => Some(Ok(line)),
            Step::Bad(error) => Some(Err(error)),
            Step::End => None,
        })
    }

    /// A cell of the present row, by the position of its column.
    pub fn cell(&self, column: usize) -> &str {
        self.table.cells().get(column).trim()
    }
}
