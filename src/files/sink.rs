//! Where a file goes: a path, standard output or any writer, plain or compressed.

use flate2::Compression as GzipLevel;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::error::FilesError;
use super::source::{Compression, Format};

const BUFFER_BYTES: usize = 64 * 1024;
const ZSTD_LEVEL: i32 = 3;

/// A file to be written.
pub struct Sink {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) output: Output,
}

/// The bytes on their way.
pub(super) enum Output {
    Plain(BufWriter<Box<dyn Write + Send>>),
    Gzip(GzEncoder<BufWriter<Box<dyn Write + Send>>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<Box<dyn Write + Send>>>),
    /// The compressor could not be made; the first write says why.
    Failed(Option<io::Error>),
}

impl Sink {
    /// Creates a file, or takes standard output for `-`; a name that ends in `.gz` or `.zst` is compressed.
    ///
    /// # Errors
    ///
    /// When the file cannot be created, or its format is not known.
    pub fn create(path: &Path, format: Option<Format>) -> Result<Self, FilesError> {
        let file = path.display().to_string();
        let Some(format) = format.or_else(|| Format::of_path(path)) else {
            return Err(FilesError::UnknownFormat { file });
        };
        if path.as_os_str() == "-" {
            let name = "standard output";
            return Ok(Self::to_writer(
                name,
                format,
                Compression::Plain,
                io::stdout(),
            ));
        }
        match File::create(path) {
            Ok(created) => Ok(Self::to_writer(
                &file,
                format,
                Compression::of_path(path),
                created,
            )),
            Err(cause) => Err(FilesError::Open { file, cause }),
        }
    }

    /// Takes any writer; `name` is what errors call it.
    pub fn to_writer(
        name: &str,
        format: Format,
        compression: Compression,
        writer: impl Write + Send + 'static,
    ) -> Self {
        let buffered =
            BufWriter::with_capacity(BUFFER_BYTES, Box::new(writer) as Box<dyn Write + Send>);
        Self {
            name: name.to_owned(),
            format,
            output: match compression {
                Compression::Plain => Output::Plain(buffered),
                // The header carries no time and no file name, so the same rows give the same bytes.
                Compression::Gzip => Output::Gzip(GzEncoder::new(buffered, GzipLevel::new(6))),
                Compression::Zstd => {
                    match zstd::stream::write::Encoder::new(buffered, ZSTD_LEVEL) {
                        Ok(encoder) => Output::Zstd(encoder),
                        Err(cause) => Output::Failed(Some(cause)),
                    }
                }
            },
        }
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.format
    }
}

fn failed(cause: &mut Option<io::Error>) -> io::Error {
    let cause = cause.take();
    cause.unwrap_or_else(|| io::Error::other("the compressor could not be made"))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(bytes),
            Self::Gzip(output) => output.write(bytes),
            Self::Zstd(output) => output.write(bytes),
            Self::Failed(cause) => Err(failed(cause)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Gzip(output) => output.flush(),
            Self::Zstd(output) => output.flush(),
            Self::Failed(cause) => Err(failed(cause)),
        }
    }
}

impl Output {
    /// Writes what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut output) => output.flush(),
            Self::Gzip(output) => output.finish()?.flush(),
            Self::Zstd(output) => output.finish()?.flush(),
            Self::Failed(mut cause) => Err(failed(&mut cause)),
        }
    }
}
