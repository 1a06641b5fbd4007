//! Opens a Parquet file and decodes it, some thousand rows at a time.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};

use super::cells::{ListForm, ParquetCutter, Values, Wanted};
use super::guard;
use crate::files::blocks::Splitter;
use crate::files::error::FilesError;
use crate::files::read::ReadOptions;
use crate::files::source::{Content, Source};
use crate::files::table::Header;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 4_096;
/// Bytes copied at a time from a stream to the disk.
const COPY_BYTES: usize = 256 * 1024;

/// A Parquet file whose footer has been read and found sound.
pub(in crate::files) struct ParquetTable {
    file: File,
    metadata: ArrowReaderMetadata,
    header: Header,
    max_row_bytes: usize,
    taken: Arc<std::sync::atomic::AtomicU64>,
    length: u64,
}

impl ParquetTable {
    /// Reads the footer. A file that arrives as a stream is kept on disk first, in a file without a name.
    pub(in crate::files) fn open(
        source: Source,
        options: &ReadOptions,
    ) -> Result<Self, FilesError> {
        let (name, taken) = (source.name.clone(), source.bytes_taken());
        let mut file = match source.content {
            Content::File(file) => file,
            Content::Stream(reader) => spool(&name, reader, options.max_spool_bytes)?,
        };
        let refused = |cause: String| FilesError::Parquet {
            file: name.clone(),
            place: String::new(),
            cause,
        };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        if length == 0 {
            return Err(FilesError::Empty {
                file: name,
                needs: "the rows of a Parquet file",
            });
        }
        guard::check_footer(&mut file).map_err(refused)?;
        let metadata = sound(|| {
            let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let loaded = ArrowReaderMetadata::load(&file, plain.clone())?;
            let viewed = plain.with_schema(Arc::new(as_views(loaded.schema())));
            ArrowReaderMetadata::try_new(Arc::clone(loaded.metadata()), viewed)
        })
        .map_err(refused)?;
        let header = Header {
            file: name.clone(),
            line: 0,
            names: metadata
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
        };
        header.check()?;
        Ok(Self {
            file,
            metadata,
            header,
            max_row_bytes: options.max_row_bytes,
            taken,
            length,
        })
    }

    /// The names of the columns.
    pub(in crate::files) fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the column at `place` holds lists.
    pub(in crate::files) fn is_list(&self, place: usize) -> bool {
        let fields = self.metadata.schema().fields();
        fields
            .get(place)
            .is_some_and(|field| Values::of(field.data_type()) == Values::List)
    }

    /// Refuses a column whose type cannot be what is wanted.
    pub(in crate::files) fn expect(&self, place: usize, wanted: Wanted) -> Result<(), FilesError> {
        let Some(field) = self.metadata.schema().fields().get(place) else {
            return Ok(());
        };
        if Values::of(field.data_type()).give(wanted) {
            return Ok(());
        }
        let (found, words) = (field.data_type(), wanted.words());
        let reason = format!("has values of type {found}; expected are {words}");
        Err(self.header.fault(field.name(), &reason))
    }

    /// Begins to read the columns at `places`.
    pub(in crate::files) fn read(
        self,
        places: &[usize],
        list_form: ListForm,
    ) -> Result<(Splitter, ParquetCutter), FilesError> {
        let mut wanted = places.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let names = self.header.names.clone();
        let cutter = ParquetCutter {
            places: (0..names.len())
                .map(|place| wanted.binary_search(&place).ok())
                .collect(),
            names,
            list_form,
            max_row_bytes: self.max_row_bytes,
        };
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), wanted);
        let rows = self.metadata.metadata().file_metadata().num_rows();
        let batches = BatchReader {
            name: self.header.file,
            file: self.file,
            metadata: self.metadata,
            mask,
            next_group: 0,
            group: None,
            rows_in_group: 0,
            rows_read: 0,
            rows_declared: u64::try_from(rows).unwrap_or(0),
            ended: false,
        };
        let splitter = Splitter::Parquet {
            batches: Box::new(batches),
            taken: self.taken,
            length: self.length,
        };
        Ok((splitter, cutter))
    }
}

/// Rows of a Parquet file, column by column.
pub(in crate::files) struct ParquetBlock {
    first_row: u64,
    row_count: usize,
    pub(super) columns: Vec<ArrayRef>,
}

impl ParquetBlock {
    /// How many rows it has.
    pub(in crate::files) fn len(&self) -> usize {
        self.row_count
    }

    /// The number of a row in the file, from 1.
    pub(in crate::files) fn line(&self, row: usize) -> u64 {
        self.first_row + row as u64
    }
}

/// Decodes row group by row group.
pub(in crate::files) struct BatchReader {
    name: String,
    file: File,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    next_group: usize,
    group: Option<ParquetRecordBatchReader>,
    rows_in_group: u64,
    rows_read: u64,
    rows_declared: u64,
    ended: bool,
}

impl BatchReader {
    /// The next rows; nothing at the end of the file.
    pub(in crate::files) fn next_block(&mut self) -> Result<Option<ParquetBlock>, FilesError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let refused = self.refusal();
            let Some(group) = &mut self.group else {
                match self.open_group().map_err(refused)? {
                    true => continue,
                    false => {
                        self.ended = true;
                        return Ok(None);
                    }
                }
            };
            let next = sound(|| group.next().transpose());
            let next = next.inspect_err(|_| self.ended = true).map_err(&refused)?;
            let declared = self.declared_in_group();
            match next {
                Some(batch) if batch.num_rows() > 0 => {
                    let block = self.block(&batch);
                    self.rows_in_group += block.row_count as u64;
                    if self.rows_in_group > declared {
                        self.ended = true;
                        return Err(refused(format!(
                            "a row group has more than its {declared} rows"
                        )));
                    }
                    return Ok(Some(block));
                }
                Some(_) => {}
                None => {
                    if self.rows_in_group < declared {
                        self.ended = true;
                        return Err(refused(format!(
                            "a row group has fewer than its {declared} rows"
                        )));
                    }
                    self.group = None;
                }
            }
        }
    }

    /// How much of the file has been decoded, from 0 to 1.
    pub(in crate::files) fn share_done(&self) -> f64 {
        if self.rows_declared == 0 {
            return 1.0;
        }
        (self.rows_read as f64 / self.rows_declared as f64).min(1.0)
    }

    fn block(&mut self, batch: &RecordBatch) -> ParquetBlock {
        let block = ParquetBlock {
            first_row: self.rows_read + 1,
            row_count: batch.num_rows(),
            columns: batch.columns().to_vec(),
        };
        self.rows_read += block.row_count as u64;
        block
    }

    fn refusal(&self) -> impl Fn(String) -> FilesError + 'static {
        let (file, rows) = (self.name.clone(), self.rows_read);
        move |cause| FilesError::Parquet {
            file: file.clone(),
            place: format!(" beyond row {rows}"),
            cause,
        }
    }

    fn declared_in_group(&self) -> u64 {
        let groups = self.metadata.metadata().row_groups();
        let group = self.next_group.checked_sub(1).and_then(|at| groups.get(at));
        group.map_or(0, |group| u64::try_from(group.num_rows()).unwrap_or(0))
    }

    /// Goes to the next row group; `false` after the last.
    fn open_group(&mut self) -> Result<bool, String> {
        let metadata = Arc::clone(self.metadata.metadata());
        let Some(group) = metadata.row_groups().get(self.next_group) else {
            return Ok(false);
        };
        for (place, column) in group.columns().iter().enumerate() {
            if self.mask.leaf_included(place) {
                guard::check_pages(&mut self.file, column).inspect_err(|_| self.ended = true)?;
            }
        }
        let opened = sound(|| {
            let file = self.file.try_clone()?;
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(self.mask.clone())
                .with_row_groups(vec![self.next_group])
                .with_batch_size(BATCH_ROWS)
                .build()
        });
        self.group = Some(opened.inspect_err(|_| self.ended = true)?);
        self.next_group += 1;
        self.rows_in_group = 0;
        Ok(true)
    }
}

/// Runs the reading library on bytes that may be damaged in ways that it does not expect.
fn sound<T, E: std::fmt::Display>(work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string().replace('\n', " ")),
        Err(_) => Err("its bytes are damaged".to_owned()),
    }
}

/// Texts as views: a value that stands in a dictionary is then not copied for every row that names it, so a small file
/// cannot become a huge block.
fn as_views(schema: &Schema) -> Schema {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let viewed = match field.data_type() {
                DataType::List(item) => {
                    let of_item = view(item.data_type());
                    DataType::List(Arc::new(item.as_ref().clone().with_data_type(of_item)))
                }
                other => view(other),
            };
            field.as_ref().clone().with_data_type(viewed)
        })
        .collect();
    Schema::new(fields)
}

fn view(of: &DataType) -> DataType {
    match of {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        other => other.clone(),
    }
}

/// Keeps a stream in a file that has no name and goes away with its last user.
fn spool(name: &str, mut reader: impl io::BufRead, most: u64) -> Result<File, FilesError> {
    let read_failed = |cause| FilesError::Read {
        file: name.to_owned(),
        line: 0,
        cause,
    };
    let write_failed = |cause| FilesError::Write {
        file: "a temporary file".to_owned(),
        cause,
    };
    let mut file = tempfile::tempfile().map_err(write_failed)?;
    let (mut buffer, mut kept) = (vec![0; COPY_BYTES], 0_u64);
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(read_failed(cause)),
        };
        kept += count as u64;
        if kept > most {
            return Err(FilesError::Spool {
                file: name.to_owned(),
                limit: most,
            });
        }
        file.write_all(buffer.get(..count).unwrap_or_default())
            .map_err(write_failed)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(write_failed)?;
    Ok(file)
}
