//! Enterprises, records and error reports to files that the readers take back unchanged.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;
use std::path::Path;

use super::columns::{ATTRIBUTE_PREFIX, Tabular};
use super::error::FilesError;
use super::source::Format;
use crate::domain::{Enterprise, Label, Record};

const BUFFER_BYTES: usize = 64 * 1024;

/// Where a file goes: a path, standard output or any writer, plain or gzip.
pub struct Sink {
    name: String,
    format: Format,
    output: Output,
}

enum Output {
    Plain(BufWriter<Box<dyn Write + Send>>),
    Gzip(GzEncoder<BufWriter<Box<dyn Write + Send>>>),
}

impl Sink {
    /// Creates a file, or takes standard output for `-`; a name that ends in `.gz` is compressed.
    pub fn create(path: &Path, format: Option<Format>) -> Result<Self, FilesError> {
        let file = path.display().to_string();
        let Some(format) = format.or_else(|| Format::of_path(path)) else {
            return Err(FilesError::UnknownFormat { file });
        };
        if path.as_os_str() == "-" {
            return Ok(Self::to_writer(
                "standard output",
                format,
                false,
                io::stdout(),
            ));
        }
        let gzip = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        match File::create(path) {
            Ok(created) => Ok(Self::to_writer(&file, format, gzip, created)),
            Err(cause) => Err(FilesError::Open { file, cause }),
        }
    }

    /// Takes any writer; `name` is what errors call it.
    pub fn to_writer(
        name: &str,
        format: Format,
        gzip: bool,
        writer: impl Write + Send + 'static,
    ) -> Self {
        let buffered =
            BufWriter::with_capacity(BUFFER_BYTES, Box::new(writer) as Box<dyn Write + Send>);
        Self {
            name: name.to_owned(),
            format,
            output: if gzip {
                // The header carries no time and no file name, so the same rows give the same bytes.
                Output::Gzip(GzEncoder::new(buffered, Compression::new(6)))
            } else {
                Output::Plain(buffered)
            },
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(bytes),
            Self::Gzip(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Gzip(output) => output.flush(),
        }
    }
}

impl Output {
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut output) => output.flush(),
            Self::Gzip(output) => output.finish()?.flush(),
        }
    }
}

/// Writes rows of one kind; nothing is complete before [`Writer::finish`].
pub struct Writer<T> {
    name: String,
    output: Lines,
    attributes: Vec<String>,
    row_count: u64,
    of: PhantomData<fn(&T)>,
}

enum Lines {
    Csv(Box<csv::Writer<Output>>),
    Ndjson(Output),
}

/// A writer of enterprises. `attributes` names the attributes that get a column of a CSV file; NDJSON needs none.
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
        let output = match sink.format {
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(sink.output);
                let names = T::COLUMNS.iter().map(|column| column.name.to_owned());
                let extra = attributes.iter().map(|a| format!("{ATTRIBUTE_PREFIX}{a}"));
                csv.write_record(names.chain(extra))
                    .map_err(|cause| write_failure(&sink.name, cause.into()))?;
                Lines::Csv(Box::new(csv))
            }
            Format::Ndjson => Lines::Ndjson(sink.output),
        };
        Ok(Self {
            name: sink.name,
            output,
            attributes,
            row_count: 0,
            of: PhantomData,
        })
    }

    /// Writes one row.
    pub fn write(&mut self, item: &T) -> Result<(), FilesError> {
        let mut draft = item.draft();
        let written = match &mut self.output {
            Lines::Ndjson(output) => serde_json::to_writer(&mut *output, &draft)
                .map_err(io::Error::from)
                .and_then(|()| output.write_all(b"\n")),
            Lines::Csv(csv) => {
                if let Some(attributes) = T::attributes(&mut draft)
                    && let Some(name) = attributes
                        .keys()
                        .find(|name| !self.attributes.contains(name))
                {
                    return Err(FilesError::UndeclaredAttribute {
                        file: self.name.clone(),
                        enterprise_id: item.key().to_owned(),
                        attribute: name.clone(),
                    });
                }
                let mut cells: Vec<String> = T::COLUMNS
                    .iter()
                    .map(|column| column.text(&mut draft))
                    .collect();
                if let Some(attributes) = T::attributes(&mut draft) {
                    cells.extend(self.attributes.iter().map(|name| {
                        let value = attributes.get(name);
                        value.map(ToString::to_string).unwrap_or_default()
                    }));
                }
                csv.write_record(&cells).map_err(io::Error::from)
            }
        };
        written.map_err(|cause| write_failure(&self.name, cause))?;
        self.row_count += 1;
        Ok(())
    }

    /// Ends the file and says how many rows it has.
    pub fn finish(self) -> Result<u64, FilesError> {
        let ended = match self.output {
            Lines::Ndjson(output) => output.finish(),
            Lines::Csv(csv) => csv
                .into_inner()
                .map_err(|fault| io::Error::other(fault.to_string()))
                .and_then(Output::finish),
        };
        ended.map_err(|cause| write_failure(&self.name, cause))?;
        Ok(self.row_count)
    }
}

fn write_failure(name: &str, cause: io::Error) -> FilesError {
    FilesError::Write {
        file: name.to_owned(),
        cause,
    }
}
