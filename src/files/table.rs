//! The header of a CSV file, and its rows cut into cells.

use std::str;

use super::cells::Cells;
use super::error::{FilesError, LineError, shorten};
use super::lines::{Next, RowReader};
use super::source::{Compression, read_failure};

/// The reason given for a line in another encoding.
pub(super) const NOT_UTF8: &str =
    "is not UTF-8; convert the file, for example with `iconv -f GB18030 -t UTF-8`";

/// The reason given for a row with a quote that nothing closes.
pub(super) const OPEN_QUOTE: &str = "a quoted cell starts here and is never closed, so the rest of the file was not read; \
     close the quote or double it (`\"\"`)";

/// The names of the columns, of whatever kind of file.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) file: String,
    /// The line on which the header stands; 0 in files without lines.
    pub(super) line: u64,
    pub(super) names: Vec<String>,
}

impl Header {
    /// The place of a column.
    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.names.iter().position(|name| name == column)
    }

    /// A failure of the header, named by column.
    pub(super) fn fault(&self, column: &str, reason: &str) -> FilesError {
        FilesError::Header(LineError {
            file: Some(self.file.clone()),
            line: self.line,
            field: Some(shorten(column)),
            value: None,
            reason: reason.to_owned(),
        })
    }

    /// Refuses columns that cannot be told apart.
    pub(super) fn check(&self) -> Result<(), FilesError> {
        for (index, name) in self.names.iter().enumerate() {
            if self.names.iter().take(index).any(|other| other == name) {
                let reason = if name.is_empty() {
                    "two columns have no name; name each column or remove it"
                } else {
                    "stands twice in the header; remove or rename one"
                };
                return Err(self.fault(name, reason));
            }
        }
        Ok(())
    }
}

/// Cuts the rows of one CSV file.
#[derive(Debug, Clone)]
pub(super) struct CsvCutter {
    pub(super) header: Header,
    delimiter: char,
}

impl CsvCutter {
    /// Reads the header: the first row that is not blank.
    pub(super) fn open(
        rows: &mut RowReader,
        file: &str,
        compression: Compression,
        delimiter: char,
        max_row_bytes: usize,
    ) -> Result<Self, FilesError> {
        let mut cutter = Self {
            header: Header {
                file: file.to_owned(),
                line: 1,
                names: Vec::new(),
            },
            delimiter,
        };
        let next = rows
            .advance()
            .map_err(|cause| read_failure(file, rows.lines_ended(), compression, cause))?;
        let mut cells = Cells::default();
        let cut = match next {
            Next::End => {
                return Err(FilesError::Empty {
                    file: file.to_owned(),
                    needs: "a header line with the names of its columns",
                });
            }
            Next::TooLong { line, last_line } => Err(too_long(line, last_line, max_row_bytes)),
            Next::OpenQuote { line } => Err(LineError::whole(line, OPEN_QUOTE)),
            Next::Row { line } => {
                cutter.header.line = line;
                cutter.split(line, rows.row(), &mut cells)
            }
        };
        cut.map_err(|error| FilesError::Header(error.of_file(file)))?;
        cutter.header.names = cells.iter().map(|c| c.trim().to_owned()).collect();
        cutter.header.check()?;
        Ok(cutter)
    }

    /// Cuts a row into as many cells as the header has.
    pub(super) fn cut(&self, line: u64, row: &[u8], cells: &mut Cells) -> Result<(), LineError> {
        self.split(line, row, cells)?;
        let (found, wanted) = (cells.len(), self.header.names.len());
        if found == wanted {
            return Ok(());
        }
        Err(LineError::whole(
            line,
            format!(
                "the row has {found} cells, the header {wanted}; look for a missing comma or an unquoted one"
            ),
        ))
    }

    fn split(&self, line: u64, row: &[u8], cells: &mut Cells) -> Result<(), LineError> {
        let text = str::from_utf8(row).map_err(|fault| self.not_utf8(line, row, fault))?;
        cells
            .split(text, self.delimiter)
            .map_err(|fault| LineError {
                field: self.header.names.get(fault.cell).cloned(),
                value: Some(shorten(cells.get(fault.cell))),
                ..LineError::whole(
                    line,
                    "has text after its closing quote; double the quotes inside the cell (`\"\"`)",
                )
            })
    }

    /// Names the cell in which the bytes stop being UTF-8.
    fn not_utf8(&self, line: u64, row: &[u8], fault: str::Utf8Error) -> LineError {
        let (valid, rest) = row
            .split_at_checked(fault.valid_up_to())
            .unwrap_or_default();
        let start = String::from_utf8_lossy(valid);
        let mut cells = Cells::default();
        let field = match cells.split(&start, self.delimiter) {
            Ok(()) => self.header.names.get(cells.len() - 1).cloned(),
            Err(_) => None,
        };
        let value = cells.iter().last().unwrap_or_default().to_owned();
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
