//! A CSV file as plain cells, for readers that find out what its columns hold.

use super::error::{FilesError, LineError};
use super::source::{Format, Source};
use super::table::{CsvTable, Step};

/// Why a table of plain cells cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TextTableError {
    /// The file as a whole.
    #[error(transparent)]
    File(#[from] FilesError),
    /// One row of it.
    #[error("{0}")]
    Row(LineError),
}

/// A CSV file whose header has been read; its cells are text.
pub struct TextTable {
    table: CsvTable,
}

impl TextTable {
    /// Reads the header of a comma-separated file.
    ///
    /// # Errors
    ///
    /// When the file is not CSV, is empty, or has two columns of one name.
    pub fn open(source: Source, max_row_bytes: usize) -> Result<Self, FilesError> {
        match source.format() {
            Format::Csv => Ok(Self {
                table: CsvTable::open(source, ',', max_row_bytes)?,
            }),
            Format::Ndjson => Err(FilesError::UnknownFormat {
                file: source.name().to_owned(),
            }),
        }
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        self.table.header()
    }

    /// Calls `row` with the line number and the cells of every row, trimmed.
    ///
    /// # Errors
    ///
    /// When a row cannot be cut into as many cells as the header has, or `row` refuses it.
    pub fn each(
        mut self,
        mut row: impl FnMut(u64, &mut dyn Iterator<Item = &str>) -> Result<(), LineError>,
    ) -> Result<(), TextTableError> {
        loop {
            match self.table.step()? {
                Step::End => return Ok(()),
                Step::Bad(error) => return Err(TextTableError::Row(error)),
                Step::Cells { line } => {
                    let mut cells = self.table.cells().iter().map(str::trim);
                    row(line, &mut cells).map_err(TextTableError::Row)?;
                }
            }
        }
    }
}
