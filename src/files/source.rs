//! Where bytes come from: a path, standard input or any reader; gzip and zstd are noticed by their first bytes.

use flate2::bufread::MultiGzDecoder;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::bounded::Bounded;
use super::error::FilesError;
use super::fingerprint::{Fingerprint, Peeked};

const BUFFER_BYTES: usize = 64 * 1024;
/// How every Parquet file begins and ends.
pub(super) const PARQUET_MAGIC: &[u8; 4] = b"PAR1";
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How a file lays out its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated cells with a header, RFC 4180.
    Csv,
    /// One JSON object per line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip, any number of members.
    Gzip,
    /// zstd, any number of frames.
    Zstd,
}

impl Format {
    /// The format that a file name states: `.csv`, `.ndjson`, `.jsonl` or `.parquet`, each also with `.gz` or `.zst`.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let name = name.strip_suffix(".zst").unwrap_or(name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The word for it in settings and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

impl Compression {
    /// The compression that a file name states: `.gz`, `.zst` or none.
    pub fn of_path(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::Plain,
        }
    }

    fn of_start(start: &[u8]) -> Self {
        if start.starts_with(&GZIP_MAGIC) {
            Self::Gzip
        } else if start.starts_with(&ZSTD_MAGIC) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }
}

/// An opened file whose rows have not been read yet.
pub struct Source {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) content: Content,
    pub(super) compression: Compression,
    fingerprint: Fingerprint,
    taken: Arc<AtomicU64>,
    length: Option<u64>,
}

/// The bytes of a source.
pub(super) enum Content {
    /// They are read from the beginning to the end.
    Stream(Box<dyn BufRead + Send>),
    /// They are read wherever one likes.
    File(File),
}

impl Source {
    /// Opens a path, or standard input for `-`; without a stated format the file name says it.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Self, FilesError> {
        let file = path.display().to_string();
        let Some(format) = format.or_else(|| Format::of_path(path)) else {
            return Err(FilesError::UnknownFormat { file });
        };
        if path.as_os_str() == "-" {
            return Self::from_reader("standard input", format, io::stdin());
        }
        let opened = File::open(path).map_err(|cause| FilesError::Open {
            file: file.clone(),
            cause,
        })?;
        let length = opened
            .metadata()
            .ok()
            .filter(Metadata::is_file)
            .map(|metadata| metadata.len());
        let Some(length) = length else {
            // A pipe or a device: it has no length and cannot be read twice.
            return Self::from_reader(&file, format, opened);
        };
        let failed = |cause| FilesError::Read {
            file: file.clone(),
            line: 0,
            cause,
        };
        let mut opened = opened;
        let fingerprint = Fingerprint::of_file(&mut opened, length).map_err(failed)?;
        if format == Format::Parquet {
            let mut start = Vec::with_capacity(4);
            (&opened).take(4).read_to_end(&mut start).map_err(failed)?;
            opened.seek(SeekFrom::Start(0)).map_err(failed)?;
            if start == PARQUET_MAGIC {
                return Ok(Self {
                    name: file,
                    format,
                    content: Content::File(opened),
                    compression: Compression::Plain,
                    fingerprint,
                    taken: Arc::default(),
                    length: Some(length),
                });
            }
        }
        Ok(Self {
            length: Some(length),
            fingerprint,
            ..Self::streamed(&file, format, opened, Fingerprint::default())?
        })
    }

    /// Takes any reader; `name` is what errors call it.
    pub fn from_reader(
        name: &str,
        format: Format,
        reader: impl Read + Send + 'static,
    ) -> Result<Self, FilesError> {
        let peeked = Peeked::new(reader);
        let fingerprint = peeked.fingerprint();
        Self::streamed(name, format, peeked, fingerprint)
    }

    fn streamed(
        name: &str,
        format: Format,
        reader: impl Read + Send + 'static,
        fingerprint: Fingerprint,
    ) -> Result<Self, FilesError> {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            inner: reader,
            taken: Arc::clone(&taken),
        };
        let buffered = BufReader::with_capacity(BUFFER_BYTES, counted);
        let (reader, compression) = decode(name, format, buffered)?;
        Ok(Self {
            name: name.to_owned(),
            format,
            content: Content::Stream(reader),
            compression,
            fingerprint,
            taken,
            length: None,
        })
    }

    /// The same file with a bound on its bytes after decompression; `exceeded` is set when it has more. A Parquet file
    /// that lies on a disk already is not bounded.
    pub fn bounded(self, most: u64, exceeded: Arc<AtomicBool>) -> Self {
        let content = match self.content {
            Content::Stream(inner) => Content::Stream(Box::new(Bounded {
                inner,
                left: most,
                exceeded,
            })),
            Content::File(file) => Content::File(file),
        };
        Self { content, ..self }
    }

    /// What errors call this file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its size in bytes before decompression, where it is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// What tells this file from others without reading it whole.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// A counter of the bytes taken from the file itself (before decompression), for progress bars.
    pub fn bytes_taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }

    /// All of its bytes after decompression; bound it before.
    ///
    /// # Errors
    ///
    /// When it cannot be read to its end.
    pub fn into_bytes(self) -> Result<Vec<u8>, FilesError> {
        let (name, compression) = (self.name.clone(), self.compression);
        let mut bytes = Vec::new();
        match self.into_stream().read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(cause) => Err(read_failure(&name, 0, compression, cause)),
        }
    }

    /// The bytes as a stream.
    pub(super) fn into_stream(self) -> Box<dyn BufRead + Send> {
        match self.content {
            Content::Stream(reader) => reader,
            Content::File(file) => Box::new(BufReader::with_capacity(BUFFER_BYTES, file)),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// Counts what passes through.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Unpacks gzip and zstd, drops a byte-order mark, and names files that are none of what is read here.
fn decode(
    name: &str,
    format: Format,
    raw: impl BufRead + Send + 'static,
) -> Result<(Box<dyn BufRead + Send>, Compression), FilesError> {
    let (start, raw) = sniff(name, raw, Compression::Plain)?;
    let compression = Compression::of_start(&start);
    let unpacked: Box<dyn Read + Send> = match compression {
        Compression::Plain => {
            refuse_other_kinds(name, format, &start)?;
            return Ok((raw, compression));
        }
        Compression::Gzip => Box::new(MultiGzDecoder::new(raw)),
        Compression::Zstd => Box::new(
            zstd::stream::read::Decoder::with_buffer(raw)
                .map_err(|cause| read_failure(name, 0, compression, cause))?,
        ),
    };
    let unpacked = BufReader::with_capacity(BUFFER_BYTES, unpacked);
    let (start, text) = sniff(name, unpacked, compression)?;
    refuse_other_kinds(name, format, &start)?;
    Ok((text, compression))
}

/// The first bytes and a reader that still yields them, without a UTF-8 byte-order mark.
fn sniff(
    name: &str,
    mut reader: impl BufRead + Send + 'static,
    compression: Compression,
) -> Result<(Vec<u8>, Box<dyn BufRead + Send>), FilesError> {
    let mut start = Vec::with_capacity(4);
    (&mut reader)
        .take(4)
        .read_to_end(&mut start)
        .map_err(|cause| read_failure(name, 0, compression, cause))?;
    let kept = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    let whole = Cursor::new(kept.to_vec()).chain(reader);
    Ok((start, Box::new(whole)))
}

fn refuse_other_kinds(name: &str, format: Format, start: &[u8]) -> Result<(), FilesError> {
    let is_parquet = start == PARQUET_MAGIC;
    if format == Format::Parquet && (is_parquet || start.is_empty()) {
        return Ok(());
    }
    let (found, advice) = match start {
        _ if is_parquet => (
            "a Parquet file",
            "name it .parquet or state the format `parquet`",
        ),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            ("in UTF-16", "save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)")
        }
        [0x50, 0x4b, 0x03, 0x04] => (
            "a zip archive or a spreadsheet",
            "unpack it, or save the sheet as CSV in UTF-8",
        ),
        _ if Compression::of_start(start) != Compression::Plain => {
            ("compressed twice", "unpack it once")
        }
        _ if format == Format::Parquet => (
            "not a Parquet file",
            "state its format, or export the table again",
        ),
        _ => return Ok(()),
    };
    Err(FilesError::Unreadable {
        file: name.to_owned(),
        found,
        advice,
    })
}

/// Words a failure of the reader; a damaged archive is told apart from a disk that fails.
pub(super) fn read_failure(
    name: &str,
    line: u64,
    compression: Compression,
    cause: io::Error,
) -> FilesError {
    let file = name.to_owned();
    let of_archive = match compression {
        Compression::Plain => false,
        Compression::Gzip => matches!(
            cause.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
        ),
        // The decoder gives damaged blocks no kind of their own; what the system says has a number.
        Compression::Zstd => {
            cause.kind() == io::ErrorKind::UnexpectedEof
                || (cause.kind() == io::ErrorKind::Other && cause.raw_os_error().is_none())
        }
    };
    if of_archive {
        FilesError::Damaged { file, line, cause }
    } else {
        FilesError::Read { file, line, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_state_the_format() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("A.CSV.GZ", Some(Format::Csv)),
            ("a.b.ndjson", Some(Format::Ndjson)),
            ("a.jsonl.gz", Some(Format::Ndjson)),
            ("a.csv.zst", Some(Format::Csv)),
            ("a.parquet", Some(Format::Parquet)),
            ("a.xlsx", None),
            ("csv", None),
        ] {
            assert_eq!(Format::of_path(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn other_kinds_of_files_are_named() {
        for (bytes, word) in [
            (&b"PK\x03\x04rest"[..], "spreadsheet"),
            (b"\xff\xfea\0", "UTF-16"),
            (b"PAR1....", "Parquet"),
        ] {
            let error =
                Source::from_reader("f", Format::Csv, Cursor::new(bytes.to_vec())).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Source::open(Path::new("no-such-file.csv"), None).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot open `no-such-file.csv`: "),
            "{error}"
        );
        let error = Source::open(Path::new("-"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the format of `-` is unknown; name the file .csv, .ndjson, .jsonl or .parquet (also with .gz or .zst), or state the format"
        );
    }
}
