//! The rows of a table as plain cells under the file's own header, for tables whose columns are named by the caller.

use super::blocks::{Block, Place, Splitter, TextRow};
use super::cells::Cells;
use super::error::{FilesError, LineError};
use super::parquet::{ListForm, ParquetCutter, ParquetTable, Wanted};
use super::read::{ReadOptions, open_csv};
use super::source::{Format, Source};
use super::table::CsvCutter;

/// The rows of a CSV or Parquet file, one after the other.
pub struct CellRows {
    name: String,
    splitter: Splitter,
    cutter: Cutter,
    block: Option<Block>,
    place: Place,
    cells: Cells,
}

/// Why the rows of a table cannot all be read.
#[derive(Debug, thiserror::Error)]
pub enum CellRowsError {
    /// The file as a whole.
    #[error(transparent)]
    File(#[from] FilesError),
    /// One row of it.
    #[error("{0}")]
    Row(LineError),
}

/// How a row becomes cells.
enum Cutter {
    Csv(CsvCutter),
    Parquet(ParquetCutter),
}

impl CellRows {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    ///
    /// When the file is neither CSV nor Parquet, its header cannot be read, or a column holds no plain values.
    pub fn open(source: Source, options: &ReadOptions) -> Result<Self, FilesError> {
        let name = source.name().to_owned();
        let (splitter, cutter) = match source.format() {
            Format::Csv => {
                let (splitter, csv) = open_csv(source, ',', options.max_row_bytes)?;
                (splitter, Cutter::Csv(csv))
            }
            Format::Parquet => {
                let table = ParquetTable::open(source, options)?;
                let all: Vec<usize> = (0..table.header().names.len()).collect();
                for place in &all {
                    table.expect(*place, Wanted::Anything)?;
                }
                let (splitter, parquet) = table.read(&all, ListForm::Escaped)?;
                (splitter, Cutter::Parquet(parquet))
            }
            Format::Ndjson => {
                return Err(FilesError::Unreadable {
                    file: name,
                    found: "NDJSON",
                    advice: "a table of features is CSV with a header, or Parquet",
                });
            }
        };
        Ok(Self {
            name,
            splitter,
            cutter,
            block: None,
            place: Place::default(),
            cells: Cells::default(),
        })
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        match &self.cutter {
            Cutter::Csv(csv) => &csv.header.names,
            Cutter::Parquet(parquet) => parquet.names(),
        }
    }

    /// As [`CellRows::advance`], with what is wrong with a row as a failure of the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read further, or a row cannot be cut into as many cells as the header has.
    pub fn next_line(&mut self) -> Result<Option<u64>, CellRowsError> {
        let line = self.advance()?.transpose();
        line.map_err(|error| self.at_fault(error))
    }

    /// A row that the caller refuses, as a failure of the file.
    pub fn at_fault(&self, error: LineError) -> CellRowsError {
        CellRowsError::Row(error.of_file(&self.name))
    }

    /// Goes to the next row and gives its line; a row that cannot be cut into cells is told and passed over.
    ///
    /// # Errors
    ///
    /// When the file cannot be read further.
    pub fn advance(&mut self) -> Result<Option<Result<u64, LineError>>, FilesError> {
        loop {
            if let Some(line) = self.cut() {
                return Ok(Some(line));
            }
            self.block = self.splitter.next_block()?;
            self.place = Place::default();
            if self.block.is_none() {
                return Ok(None);
            }
        }
    }

    /// Cuts the next row of the present block; nothing at its end.
    fn cut(&mut self) -> Option<Result<u64, LineError>> {
        match (self.block.as_ref()?, &self.cutter) {
            (Block::Text(block), Cutter::Csv(csv)) => match block.row_at(&mut self.place)? {
                TextRow::Row(line, bytes) => {
                    Some(csv.cut(line, bytes, &mut self.cells).map(|()| line))
                }
                TextRow::Bad(error) => Some(Err(error.clone())),
            },
            (Block::Parquet(block), Cutter::Parquet(parquet)) => {
                let row = self.place.next_of(block.len())?;
                let cut = parquet.cut(block, row, &mut self.cells);
                Some(cut.map(|()| block.line(row)))
            }
            // INVARIANT: splitter and cutter of a file are made together.
            (Block::Text(_), Cutter::Parquet(_)) | (Block::Parquet(_), Cutter::Csv(_)) => None,
        }
    }

    /// Calls `row` with the line number and the cells of every row, trimmed.
    ///
    /// # Errors
    ///
    /// When a row cannot be cut into as many cells as the header has, or `row` refuses it.
    pub fn each(
        mut self,
        mut row: impl FnMut(u64, &mut dyn Iterator<Item = &str>) -> Result<(), LineError>,
    ) -> Result<(), CellRowsError> {
        while let Some(line) = self.next_line()? {
            row(line, &mut self.cells.iter().map(str::trim))
                .map_err(|error| self.at_fault(error))?;
        }
        Ok(())
    }

    /// A cell of the present row, by the position of its column.
    pub fn cell(&self, column: usize) -> &str {
        self.cells.trimmed(column)
    }
}
