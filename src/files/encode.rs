//! Rows of typed values as CSV, NDJSON or Parquet, block by block, so that several threads can encode one file.

use arrow_array::RecordBatch;
use std::io::{self, Write};
use std::sync::Arc;

use super::columns::join_list;
use super::error::FilesError;
use super::parquet::{BatchBuilder, BatchWriter, ColumnType, Value};
use super::sink::{Output, Sink};
use super::source::Format;

/// Rows of a block; a Parquet row group takes many.
const BLOCK_ROWS: usize = 2_048;

/// The columns of a file.
pub(super) type Columns = Arc<[(String, ColumnType)]>;

/// Rows in the making.
pub(super) struct Block {
    columns: Columns,
    layout: Layout,
    row_count: u64,
    /// Whether the present row has a member already, where rows are objects.
    has_member: bool,
}

enum Layout {
    Csv(Box<csv::Writer<Vec<u8>>>),
    Ndjson(Vec<u8>),
    Parquet(BatchBuilder),
}

/// Encoded rows, to be appended to a file in their order.
pub struct Encoded {
    row_count: u64,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    Batch(RecordBatch),
}

fn csv_writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new())
}

impl Block {
    pub(super) fn new(format: Format, columns: &Columns) -> Self {
        Self {
            columns: Arc::clone(columns),
            layout: match format {
                Format::Csv => Layout::Csv(Box::new(csv_writer())),
                Format::Ndjson => Layout::Ndjson(Vec::new()),
                Format::Parquet => Layout::Parquet(BatchBuilder::new(columns)),
            },
            row_count: 0,
            has_member: false,
        }
    }

    /// Adds the next value of a row: once for every column, in order.
    pub(super) fn field(&mut self, place: usize, value: Value<'_>) -> io::Result<()> {
        match &mut self.layout {
            Layout::Csv(csv) => match value {
                Value::Absent => csv.write_field(""),
                Value::Text(text) => csv.write_field(text),
                Value::Day(day) => csv.write_field(day.to_string()),
                Value::Number(number) => csv.write_field(number.to_string()),
                Value::Count(count) => csv.write_field(count.to_string()),
                Value::Flag(flag) => csv.write_field(if flag { "true" } else { "false" }),
                Value::List(items) => csv.write_field(join_list(items)),
            }
            .map_err(io::Error::from),
            Layout::Ndjson(bytes) => {
                if matches!(value, Value::Absent) {
                    return Ok(());
                }
                bytes.push(if self.has_member { b',' } else { b'{' });
                self.has_member = true;
                let name = self.columns.get(place).map_or("", |(name, _)| name);
                serde_json::to_writer(&mut *bytes, name)?;
                bytes.push(b':');
                match value {
                    Value::Absent => {}
                    Value::Text(text) => serde_json::to_writer(&mut *bytes, text)?,
                    Value::Day(day) => write!(bytes, "\"{day}\"")?,
                    Value::Number(number) => serde_json::to_writer(&mut *bytes, &number)?,
                    Value::Count(count) => write!(bytes, "{count}")?,
                    Value::Flag(flag) => write!(bytes, "{flag}")?,
                    Value::List(items) => serde_json::to_writer(&mut *bytes, items)?,
                }
                Ok(())
            }
            Layout::Parquet(batch) => {
                batch.add(place, value);
                Ok(())
            }
        }
    }

    /// Adds a whole row that is an object already; `false` where rows are not objects.
    pub(super) fn object(&mut self, row: &impl serde::Serialize) -> io::Result<bool> {
        let Layout::Ndjson(bytes) = &mut self.layout else {
            return Ok(false);
        };
        serde_json::to_writer(&mut *bytes, row)?;
        bytes.push(b'\n');
        self.row_count += 1;
        Ok(true)
    }

    /// Ends a row.
    pub(super) fn end_row(&mut self) -> io::Result<()> {
        match &mut self.layout {
            Layout::Csv(csv) => csv.write_record(None::<&[u8]>)?,
            Layout::Ndjson(bytes) => {
                bytes.extend_from_slice(if self.has_member { b"}\n" } else { b"{}\n" });
                self.has_member = false;
            }
            Layout::Parquet(_) => {}
        }
        self.row_count += 1;
        Ok(())
    }

    /// Whether it is time to write what there is.
    pub(super) fn is_full(&self) -> bool {
        self.row_count >= BLOCK_ROWS as u64
    }

    /// The rows so far; the block begins anew.
    pub(super) fn take(&mut self) -> io::Result<Encoded> {
        let content = match &mut self.layout {
            Layout::Csv(csv) => {
                let full = std::mem::replace(csv.as_mut(), csv_writer());
                let bytes = full.into_inner().map_err(csv::IntoInnerError::into_error)?;
                Content::Bytes(bytes)
            }
            Layout::Ndjson(bytes) => Content::Bytes(std::mem::take(bytes)),
            Layout::Parquet(batch) => Content::Batch(batch.take().map_err(io::Error::other)?),
        };
        let row_count = std::mem::take(&mut self.row_count);
        Ok(Encoded { row_count, content })
    }
}

/// A file that blocks are appended to; complete after [`Target::finish`].
pub(super) struct Target {
    pub(super) name: String,
    lines: Lines,
    row_count: u64,
}

enum Lines {
    Text(Output),
    Parquet(Box<BatchWriter<Output>>),
}

impl Target {
    /// Begins a file: a CSV file has a header.
    pub(super) fn open(sink: Sink, columns: &Columns) -> Result<Self, FilesError> {
        let Sink {
            name,
            format,
            output,
        } = sink;
        let failed = |cause| write_failure(&name, cause);
        let lines = match format {
            Format::Csv => {
                let mut output = output;
                let mut header = csv_writer();
                header
                    .write_record(columns.iter().map(|(column, _)| column))
                    .map_err(|error| failed(error.into()))?;
                let header = header.into_inner().map_err(|e| failed(e.into_error()))?;
                output.write_all(&header).map_err(failed)?;
                Lines::Text(output)
            }
            Format::Ndjson => Lines::Text(output),
            Format::Parquet => {
                let schema = BatchBuilder::new(columns).schema();
                let writer = BatchWriter::new(output, schema);
                Lines::Parquet(Box::new(
                    writer.map_err(|said| failed(io::Error::other(said)))?,
                ))
            }
        };
        Ok(Self {
            name,
            lines,
            row_count: 0,
        })
    }

    /// Appends rows.
    pub(super) fn append(&mut self, encoded: Encoded) -> Result<(), FilesError> {
        let Encoded { row_count, content } = encoded;
        let written = match (&mut self.lines, content) {
            (Lines::Text(output), Content::Bytes(bytes)) => output.write_all(&bytes),
            (Lines::Parquet(writer), Content::Batch(batch)) => {
                writer.write(&batch).map_err(io::Error::other)
            }
            // INVARIANT: blocks and their file are made with one format.
            (Lines::Text(_), Content::Batch(_)) | (Lines::Parquet(_), Content::Bytes(_)) => {
                Err(io::Error::other("the rows are of another format"))
            }
        };
        written.map_err(|cause| write_failure(&self.name, cause))?;
        self.row_count += row_count;
        Ok(())
    }

    /// Completes the file and says how many rows it has.
    pub(super) fn finish(self) -> Result<u64, FilesError> {
        let ended = match self.lines {
            Lines::Text(output) => output.finish(),
            Lines::Parquet(writer) => writer
                .finish()
                .map_err(io::Error::other)
                .and_then(Output::finish),
        };
        ended.map_err(|cause| write_failure(&self.name, cause))?;
        Ok(self.row_count)
    }
}

pub(super) fn write_failure(name: &str, cause: io::Error) -> FilesError {
    FilesError::Write {
        file: name.to_owned(),
        cause,
    }
}
