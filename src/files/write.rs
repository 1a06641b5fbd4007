//! Enterprises, records and tables of results to files; the readers take enterprises and records back unchanged.

use std::collections::BTreeSet;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use super::columns::{ATTRIBUTE_PREFIX, Tabular};
use super::encode::{Block, Columns, Encoded, Target, write_failure};
use super::error::FilesError;
use super::parquet::{ColumnType, Value};
use super::sink::Sink;
use super::source::Format;
use crate::domain::{Enterprise, Label, Record};

/// Turns rows of one kind into blocks of a file; several may work on one file, as long as their blocks are appended in
/// order.
pub struct Encoder<T> {
    file: String,
    format: Format,
    columns: Columns,
    attributes: Arc<[String]>,
    block: Block,
    of: PhantomData<fn(&T)>,
}

impl<T: Tabular> Encoder<T> {
    /// Another encoder for the same file.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            file: self.file.clone(),
            format: self.format,
            columns: Arc::clone(&self.columns),
            attributes: Arc::clone(&self.attributes),
            block: Block::new(self.format, &self.columns),
            of: PhantomData,
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// When the row has an attribute for which the file has no column.
    pub fn push(&mut self, item: &T) -> Result<(), FilesError> {
        let mut draft = item.draft();
        if self.format == Format::Ndjson {
            let written = self.block.object(&draft);
            return written.map(drop).map_err(|cause| self.failure(cause));
        }
        if let Some(attributes) = T::attributes(&mut draft)
            && let Some(name) = attributes
                .keys()
                .find(|name| !self.attributes.contains(name))
        {
            return Err(FilesError::UndeclaredAttribute {
                file: self.file.clone(),
                enterprise_id: item.key().to_owned(),
                attribute: name.clone(),
            });
        }
        self.cells(&mut draft).map_err(|cause| self.failure(cause))
    }

    /// The rows so far; the encoder begins anew.
    ///
    /// # Errors
    ///
    /// When they do not fit together, which does not happen with valid rows.
    pub fn take(&mut self) -> Result<Encoded, FilesError> {
        self.block.take().map_err(|cause| self.failure(cause))
    }

    fn cells(&mut self, draft: &mut T::Draft) -> io::Result<()> {
        for (place, column) in T::COLUMNS.iter().enumerate() {
            self.block.field(place, column.value(draft))?;
        }
        if let Some(attributes) = T::attributes(draft) {
            for (place, name) in (T::COLUMNS.len()..).zip(self.attributes.iter()) {
                let value = attributes.get(name).copied();
                self.block
                    .field(place, value.map_or(Value::Absent, Value::Number))?;
            }
        }
        self.block.end_row()
    }

    fn failure(&self, cause: io::Error) -> FilesError {
        write_failure(&self.file, cause)
    }
}

/// Writes rows of one kind; nothing is complete before [`Writer::finish`].
pub struct Writer<T> {
    target: Target,
    encoder: Encoder<T>,
}

/// A writer of enterprises. `attributes` names the attributes that get a column of a CSV or Parquet file; NDJSON needs
/// none.
pub fn enterprise_writer(
    sink: Sink,
    attributes: &BTreeSet<Label>,
) -> Result<Writer<Enterprise>, FilesError> {
    Writer::open(sink, attributes.iter().map(ToString::to_string).collect())
}

/// A writer of records.
pub fn record_writer(sink: Sink) -> Result<Writer<Record>, FilesError> {
    Writer::open(sink, Vec::new())
}

impl<T: Tabular> Writer<T> {
    fn open(sink: Sink, attributes: Vec<String>) -> Result<Self, FilesError> {
        let own = T::COLUMNS
            .iter()
            .map(|column| (column.name.to_owned(), column.column_type()));
        let extra = attributes
            .iter()
            .map(|name| (format!("{ATTRIBUTE_PREFIX}{name}"), ColumnType::Number));
        let columns: Columns = own.chain(extra).collect();
        let (file, format) = (sink.name.clone(), sink.format);
        Ok(Self {
            target: Target::open(sink, &columns)?,
            encoder: Encoder {
                file,
                format,
                block: Block::new(format, &columns),
                columns,
                attributes: attributes.into(),
                of: PhantomData,
            },
        })
    }

    /// Writes one row.
    pub fn write(&mut self, item: &T) -> Result<(), FilesError> {
        self.encoder.push(item)?;
        if self.encoder.block.is_full() {
            self.target.append(self.encoder.take()?)?;
        }
        Ok(())
    }

    /// An encoder for this file, whose blocks [`Writer::append`] takes.
    pub fn encoder(&self) -> Encoder<T> {
        self.encoder.another()
    }

    /// Appends rows that were encoded elsewhere.
    pub fn append(&mut self, encoded: Encoded) -> Result<(), FilesError> {
        self.target.append(encoded)
    }

    /// Ends the file and says how many rows it has.
    pub fn finish(mut self) -> Result<u64, FilesError> {
        self.target.append(self.encoder.take()?)?;
        self.target.finish()
    }
}

/// Writes a table of results; nothing is complete before [`ExportWriter::finish`].
pub struct ExportWriter {
    target: Target,
    block: Block,
}

impl ExportWriter {
    /// Begins a table with these columns.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn open(sink: Sink, columns: &[(&str, ColumnType)]) -> Result<Self, FilesError> {
        let columns: Columns = columns
            .iter()
            .map(|(name, of)| ((*name).to_owned(), *of))
            .collect();
        let format = sink.format;
        Ok(Self {
            target: Target::open(sink, &columns)?,
            block: Block::new(format, &columns),
        })
    }

    /// Writes one row: a value for every column, in order.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn row(&mut self, values: &[Value<'_>]) -> Result<(), FilesError> {
        let written = values
            .iter()
            .enumerate()
            .try_for_each(|(place, value)| self.block.field(place, *value))
            .and_then(|()| self.block.end_row());
        written.map_err(|cause| write_failure(&self.target.name, cause))?;
        if self.block.is_full() {
            self.pass_on()?;
        }
        Ok(())
    }

    /// Ends the table and says how many rows it has.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<u64, FilesError> {
        self.pass_on()?;
        self.target.finish()
    }

    fn pass_on(&mut self) -> Result<(), FilesError> {
        let encoded = self.block.take();
        let encoded = encoded.map_err(|cause| write_failure(&self.target.name, cause))?;
        self.target.append(encoded)
    }
}
