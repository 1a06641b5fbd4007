//! CSV rows under a header, for the plain reader and for mappings.

use std::str;

use super::cells::Cells;
use super::error::{FilesError, LineError, shorten};
use super::lines::{Next, RowReader};
use super::source::{Source, read_failure};

/// A CSV file whose header has been read.
pub(super) struct CsvTable {
    name: String,
    gzip: bool,
    delimiter: char,
    max_row_bytes: usize,
    rows: RowReader,
    header: Vec<String>,
    header_line: u64,
    cells: Cells,
}

/// What a step through the table found.
pub(super) enum Step {
    /// A row with as many cells as the header; they are in [`CsvTable::cells`].
    Cells {
        /// Its first physical line.
        line: u64,
    },
    /// A row that cannot be cut into cells.
    Bad(LineError),
    /// The end of the file.
    End,
}

impl CsvTable {
    /// Reads the header: the first row that is not blank.
    pub(super) fn open(
        source: Source,
        delimiter: char,
        max_row_bytes: usize,
    ) -> Result<Self, FilesError> {
        // INVARIANT: delimiters are ASCII; mappings check theirs.
        let quoting = u8::try_from(delimiter).unwrap_or(b',');
        let mut table = Self {
            rows: RowReader::new(source.reader, Some(quoting), max_row_bytes),
            name: source.name,
            gzip: source.gzip,
            delimiter,
            max_row_bytes,
            header: Vec::new(),
            header_line: 1,
            cells: Cells::default(),
        };
        match table.step_any()? {
            Step::Cells { line } => table.header_line = line,
            Step::Bad(error) => return Err(FilesError::Header(error.of_file(&table.name))),
            Step::End => {
                return Err(FilesError::Empty {
                    file: table.name,
                    needs: "a header line with the names of its columns",
                });
            }
        }
        table.header = table.cells.iter().map(|c| c.trim().to_owned()).collect();
        for (index, name) in table.header.iter().enumerate() {
            if table.header.iter().take(index).any(|other| other == name) {
                let reason = if name.is_empty() {
                    "two columns have no name; name each column or remove it".to_owned()
                } else {
                    "stands twice in the header; remove or rename one".to_owned()
                };
                return Err(table.header_fault(name, &reason));
            }
        }
        Ok(table)
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The cells of the last row.
    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    /// A failure of the header, named by column.
    pub(super) fn header_fault(&self, column: &str, reason: &str) -> FilesError {
        FilesError::Header(LineError {
            file: Some(self.name.clone()),
            line: self.header_line,
            field: Some(shorten(column)),
            value: None,
            reason: reason.to_owned(),
        })
    }

    /// Goes to the next row.
    pub(super) fn step(&mut self) -> Result<Step, FilesError> {
        let step = self.step_any()?;
        if let Step::Cells { line } = step
            && self.cells.len() != self.header.len()
        {
            return Ok(Step::Bad(LineError::whole(
                line,
                format!(
                    "the row has {} cells, the header {}; look for a missing comma or an unquoted one",
                    self.cells.len(),
                    self.header.len()
                ),
            )));
        }
        Ok(step)
    }

    fn step_any(&mut self) -> Result<Step, FilesError> {
        let next = self
            .rows
            .advance()
            .map_err(|cause| read_failure(&self.name, self.rows.lines_ended(), self.gzip, cause))?;
        let line = match next {
            Next::End => return Ok(Step::End),
            Next::Row { line } => line,
            Next::TooLong { line, last_line } => {
                return Ok(Step::Bad(too_long(line, last_line, self.max_row_bytes)));
            }
            Next::OpenQuote { line } => {
                return Ok(Step::Bad(LineError::whole(
                    line,
                    "a quoted cell starts here and is never closed, so the rest of the file was not read; \
                     close the quote or double it (`\"\"`)",
                )));
            }
        };
        let row = match str::from_utf8(self.rows.row()) {
            Ok(row) => row,
            Err(fault) => return Ok(Step::Bad(self.not_utf8(line, fault))),
        };
        Ok(match self.cells.split(row, self.delimiter) {
            Ok(()) => Step::Cells { line },
            Err(fault) => Step::Bad(LineError {
                field: self.header.get(fault.cell).cloned(),
                value: Some(shorten(self.cells.get(fault.cell))),
                ..LineError::whole(
                    line,
                    "has text after its closing quote; double the quotes inside the cell (`\"\"`)",
                )
            }),
        })
    }

    /// Names the cell in which the bytes stop being UTF-8.
    fn not_utf8(&mut self, line: u64, fault: str::Utf8Error) -> LineError {
        let bytes = self.rows.row();
        let (valid, rest) = bytes
            .split_at_checked(fault.valid_up_to())
            .unwrap_or_default();
        let start = String::from_utf8_lossy(valid);
        let field = match self.cells.split(&start, self.delimiter) {
            Ok(()) => self.header.get(self.cells.len() - 1).cloned(),
            Err(_) => None,
        };
        let value = self.cells.iter().last().unwrap_or_default().to_owned();
        let tail = rest
            .split(|&b| b == b'"' || char::from(b) == self.delimiter)
            .next();
        let value = value + &String::from_utf8_lossy(tail.unwrap_or_default());
        LineError {
            field,
            value: Some(shorten(&value)),
            ..LineError::whole(line, NOT_UTF8)
        }
    }
}

/// The reason given for a line in another encoding.
pub(super) const NOT_UTF8: &str =
    "is not UTF-8; convert the file, for example with `iconv -f GB18030 -t UTF-8`";

/// A row over the limit.
pub(super) fn too_long(line: u64, last_line: u64, limit: usize) -> LineError {
    let extent = if last_line > line {
        format!("the row (lines {line} to {last_line}) is")
    } else {
        "the line is".to_owned()
    };
    LineError::whole(
        line,
        format!(
            "{extent} longer than {limit} bytes and was passed over; look for an unclosed quote or a missing line end"
        ),
    )
}
