//! Plain tables of texts as CSV, for results.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::error::FilesError;

/// A CSV table (RFC 4180, LF) that is written row by row; complete after [`TableWriter::finish`].
pub struct TableWriter<W: Write> {
    name: String,
    rows: csv::Writer<W>,
}

impl TableWriter<Box<dyn Write + Send>> {
    /// Creates a file and writes the header; `-` is standard output.
    ///
    /// # Errors
    ///
    /// When it cannot be created or written.
    pub fn create(path: &Path, columns: &[&str]) -> Result<Self, FilesError> {
        let name = path.display().to_string();
        let writer: Box<dyn Write + Send> = if path.as_os_str() == "-" {
            Box::new(io::stdout())
        } else {
            match File::create(path) {
                Ok(file) => Box::new(BufWriter::new(file)),
                Err(cause) => return Err(FilesError::Open { file: name, cause }),
            }
        };
        Self::new(&name, writer, columns)
    }
}

impl<W: Write> TableWriter<W> {
    /// Writes the header to any writer; `name` is what errors call it.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn new(name: &str, writer: W, columns: &[&str]) -> Result<Self, FilesError> {
        let rows = csv::WriterBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .from_writer(writer);
        let mut table = Self {
            name: name.to_owned(),
            rows,
        };
        table.row(columns)?;
        Ok(table)
    }

    /// Writes one row.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn row<T: AsRef<[u8]>>(
        &mut self,
        cells: impl IntoIterator<Item = T>,
    ) -> Result<(), FilesError> {
        self.rows
            .write_record(cells)
            .map_err(|error| self.failure(error.into()))
    }

    /// Completes the table.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), FilesError> {
        self.rows.flush().map_err(|error| self.failure(error))
    }

    fn failure(&self, cause: io::Error) -> FilesError {
        FilesError::Write {
            file: self.name.clone(),
            cause,
        }
    }
}
